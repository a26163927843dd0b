/*
 * fuzz_dns.c - any bytes as what stands in a record of the DNS: a name that is read
 * is one that could be asked for, and no longer than that; a record of TLSA is never
 * for the certificate of somebody whose key nobody knows.
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "net/net_int.h"
#include "net/tls_dane.h"
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

/* Signed by itself, with a key that is drawn at the start. */
static X509 *
leaf(void)
{
	static X509 *made;
	EVP_PKEY *key;

	if (made != NULL)
		return made;
	key = EVP_EC_gen("P-256");
	made = X509_new();
	FUZZ_CHECK(key != NULL && made != NULL);
	ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
	X509_gmtime_adj(X509_getm_notBefore(made), 0);
	X509_gmtime_adj(X509_getm_notAfter(made), 86400);
	X509_set_pubkey(made, key);
	FUZZ_CHECK(X509_sign(made, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	return made;
}

/* The record, and once more as one of each usage. */
static void
check_tlsa(const struct dns_tlsa *r)
{
	struct tls_dane_peer peer = { .leaf = leaf(),
		.chain = sk_X509_new_null(), .now_s = (int64_t)time(NULL),
		.named = true };
	struct tls_dane *d = tls_dane_new("_5269._tcp.xmpp.example", NULL);
	struct buf why = BUF_INIT;

	sk_X509_push(peer.chain, peer.leaf);
	tls_dane_add(&d, r->usage, r->selector, r->match, r->data, r->n);
	for (uint8_t usage = 0; usage < 4; usage++)
		tls_dane_add(&d, usage, r->selector, r->match, r->data, r->n);
	FUZZ_CHECK(tls_dane_count(d) <= TLS_DANE_RECORDS_MAX);
	FUZZ_CHECK(tls_dane_judge(d, &peer, &why) != TLS_DANE_FITS);
	FUZZ_CHECK(why.n != 0);
	buf_done(&why);
	sk_X509_free(peer.chain);
	tls_dane_unref(d);
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
	if (dns_tlsa_read(data, n, &tlsa)) {
		FUZZ_CHECK(tlsa.n != 0 && tlsa.data + tlsa.n == data + n);
		check_tlsa(&tlsa);
	}
	if (dns_address_read(n == 4 ? DNS_A : DNS_AAAA, data, n, 5269,
		    &address)) {
		dns_address_text(&address, text);
		FUZZ_CHECK(text[0] != '\0');
		dns_address_is_public(&address);
	}
	return 0;
}
