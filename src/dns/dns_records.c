/*
 * dns_records.c - reads the records of the DNS.
 *
 * libunbound has taken them out of their message: names in them are whole, and
 * not compressed.  Nothing else about them is believed.
 */
#include "config.h"

#include "dns/dns_records.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "xmpp/ip_literal.h"

#define SRV_HEAD 6
#define LABEL_MAX 63

static uint16_t
u16_read(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A letter of a name of a host, made small; or 0. */
static char
host_letter(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 32);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		c == '_')
		return (char)c;
	return 0;
}

/* A name that is the whole of n bytes. */
static bool
name_read(const uint8_t *p, size_t n, char out[DNS_NAME_SIZE])
{
	size_t at = 0, length = 0;

	while (at < n && p[at] != 0) {
		size_t label = p[at++];

		if (label > LABEL_MAX || label > n - at ||
			length + label + 1 >= DNS_NAME_SIZE)
			return false;
		if (length != 0)
			out[length++] = '.';
		for (size_t i = 0; i < label; i++) {
			char c = host_letter(p[at++]);

			if (c == 0)
				return false;
			out[length++] = c;
		}
	}
	out[length] = '\0';
	return at + 1 == n;
}

bool
dns_srv_read(const void *data, size_t n, struct dns_srv *out)
{
	const uint8_t *p = data;

	if (n < SRV_HEAD + 1)
		return false;
	out->priority = u16_read(p);
	out->weight = u16_read(p + 2);
	out->port = u16_read(p + 4);
	return name_read(p + SRV_HEAD, n - SRV_HEAD, out->target);
}

bool
dns_tlsa_read(const void *data, size_t n, struct dns_tlsa *out)
{
	const uint8_t *p = data;

	if (n < 4)
		return false;
	*out = (struct dns_tlsa){ p[0], p[1], p[2], p + 3, n - 3 };
	return true;
}

bool
dns_address_read(enum dns_type type, const void *data, size_t n, uint16_t port,
	struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof(*out));
	if (type == DNS_A && n == sizeof(in->sin_addr)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, data, n);
		return true;
	}
	if (type == DNS_AAAA && n == sizeof(in6->sin6_addr)) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, data, n);
		return true;
	}
	return false;
}

bool
dns_address_parse(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	char bytes[IP_LITERAL_SIZE];
	size_t n = ip_literal_read(str_c(text), bytes);

	return n != 0 &&
		dns_address_read(n == sizeof(struct in_addr) ? DNS_A : DNS_AAAA,
			bytes, n, port, out);
}

void
dns_address_text(const struct sockaddr_storage *address,
	char out[DNS_ADDRESS_SIZE])
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	out[0] = '\0';
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, out, DNS_ADDRESS_SIZE);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, out, DNS_ADDRESS_SIZE);
}

/* The first bits bits of address are those of prefix. */
struct network {
	uint8_t prefix[4];
	unsigned bits;
};

static bool
is_within(const uint8_t *address, const struct network *net)
{
	for (unsigned i = 0; i < net->bits; i++) {
		unsigned bit = 0x80u >> (i % 8);

		if ((address[i / 8] & bit) != (net->prefix[i / 8] & bit))
			return false;
	}
	return true;
}

bool
dns_address_is_public(const struct sockaddr_storage *address)
{
	/* RFC 6890, and what can be no host */
	static const struct network v4[] = {
		{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 },
		{ { 127 }, 8 }, { { 169, 254 }, 16 }, { { 172, 16 }, 12 },
		{ { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 224 }, 3 },
	};
	/* ULA, link-local, multicast, ::/32 with ::1 and mapped ones */
	static const struct network v6[] = {
		{ { 0xfc }, 7 }, { { 0xfe, 0x80 }, 10 }, { { 0xff }, 8 },
		{ { 0 }, 32 },
	};
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	bool is_v4 = address->ss_family == AF_INET;
	const uint8_t *p = is_v4 ? (const void *)&in->sin_addr :
				   (const void *)&in6->sin6_addr;
	const struct network *nets = is_v4 ? v4 : v6;
	size_t n = is_v4 ? COUNT(v4) : COUNT(v6);

	for (size_t i = 0; i < n; i++)
		if (is_within(p, &nets[i]))
			return false;
	return true;
}
