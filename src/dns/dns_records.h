/*
 * dns_records.h - what stands in the records of the DNS: bytes from strangers.
 *
 * Any thread; pure functions.
 */
#ifndef DNS_DNS_RECORDS_H
#define DNS_DNS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/dns.h"

struct sockaddr_storage;

/* RFC 2782. */
struct dns_srv {
	uint16_t priority, weight, port;
	char target[DNS_NAME_SIZE]; /* small letters, no dot at the end; "": the
				     * root, which says that there is no such
				     * service */
};

/* False for what is no such record, and for a target that no host can have. */
bool dns_srv_read(const void *data, size_t n, struct dns_srv *out);

/* RFC 6698 §2.1, of which data is borrowed. */
struct dns_tlsa {
	uint8_t usage, selector, match;
	const uint8_t *data;
	size_t n;
};

bool dns_tlsa_read(const void *data, size_t n, struct dns_tlsa *out);

/* Of a record A or AAAA. */
bool dns_address_read(enum dns_type type, const void *data, size_t n,
	uint16_t port, struct sockaddr_storage *out);

/* One as it may stand in place of a name; with brackets, or without. */
bool dns_address_parse(struct sockaddr_storage *out, const char *text,
	uint16_t port);

#define DNS_ADDRESS_SIZE 64
/* "192.0.2.1" or "2001:db8::1". */
void dns_address_text(const struct sockaddr_storage *address,
	char out[DNS_ADDRESS_SIZE]);
/* Can others reach it, or does it belong to a private network, or to one
 * machine? */
bool dns_address_is_public(const struct sockaddr_storage *address);

#endif
