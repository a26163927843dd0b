/*
 * ip_network.h - networks of IP: an address, and how many bits of it count.
 *
 * Any thread; pure functions.
 */
#ifndef NET_IP_NETWORK_H
#define NET_IP_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct sockaddr;

/* An address as it stands in a packet: 4 bytes, or 16.  One of IPv6 that stands for
 * one of IPv4 (RFC 4291 §2.5.5.2) is that. */
struct ip {
	uint8_t n; /* 0: none */
	uint8_t bytes[16];
};

struct ip_network {
	struct ip ip;
	uint8_t bits;
};

/* No octal forms, no fewer than four numbers, no scopes, no brackets. */
bool ip_read(struct str s, struct ip *out);
/* n bytes in network order, 4 or 16. */
struct ip ip_of(const void *bytes, size_t n);
/* .n is 0: another family. */
struct ip ip_of_sockaddr(const struct sockaddr *sa, unsigned n);
/* Of one that has such an address. */
uint16_t ip_port_of_sockaddr(const struct sockaddr *sa);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone.  No bit is set but those
 * that count. */
bool ip_network_read(struct str s, struct ip_network *out);
bool ip_network_has(const struct ip_network *net, const struct ip *ip);

#endif
