/*
 * fuzz_dns.c - any bytes as what stands in a record of the DNS: a name that is read
 * is one that could be asked for, and no longer than that.
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>

#include "dns/dns_records.h"

static void
check_name(const char *name)
{
	FUZZ_CHECK(strlen(name) < DNS_NAME_SIZE);
	for (; *name != '\0'; name++) {
		FUZZ_CHECK((*name >= 'a' && *name <= 'z') ||
			(*name >= '0' && *name <= '9') || *name == '-' ||
			*name == '_' || *name == '.');
		FUZZ_CHECK(name[0] != '.' || name[1] != '.');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sockaddr_storage address;
	char text[DNS_ADDRESS_SIZE];
	struct dns_tlsa tlsa;
	struct dns_srv srv;

	if (dns_srv_read(data, n, &srv))
		check_name(srv.target);
	if (dns_tlsa_read(data, n, &tlsa))
		FUZZ_CHECK(tlsa.n != 0 && tlsa.data + tlsa.n == data + n);
	if (dns_address_read(n == 4 ? DNS_A : DNS_AAAA, data, n, 5269,
		    &address)) {
		dns_address_text(&address, text);
		FUZZ_CHECK(text[0] != '\0');
		dns_address_is_public(&address);
	}
	return 0;
}
