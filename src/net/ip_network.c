/*
 * ip_network.c - which addresses are in a network.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "net/ip_network.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "xmpp/ip_literal.h"

#define MAPPED_BITS 96

struct ip
ip_of(const void *bytes, size_t n)
{
	struct in6_addr in6;
	struct ip ip = { .n = (uint8_t)n };

	if (n == sizeof(in6)) {
		memcpy(&in6, bytes, n);
		if (IN6_IS_ADDR_V4MAPPED(&in6))
			return ip_of(in6.s6_addr + MAPPED_BITS / 8,
				sizeof(struct in_addr));
	}
	memcpy(ip.bytes, bytes, n);
	return ip;
}

struct ip
ip_of_sockaddr(const struct sockaddr *sa, unsigned n)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa != NULL && sa->sa_family == AF_INET && n >= sizeof(in)) {
		memcpy(&in, sa, sizeof(in));
		return ip_of(&in.sin_addr, sizeof(in.sin_addr));
	}
	if (sa != NULL && sa->sa_family == AF_INET6 && n >= sizeof(in6)) {
		memcpy(&in6, sa, sizeof(in6));
		return ip_of(&in6.sin6_addr, sizeof(in6.sin6_addr));
	}
	return (struct ip){ .n = 0 };
}

uint16_t
ip_port_of_sockaddr(const struct sockaddr *sa)
{
	in_port_t port;

	memcpy(&port,
		(const char *)sa +
			(sa->sa_family == AF_INET ?
					offsetof(struct sockaddr_in, sin_port) :
					offsetof(struct sockaddr_in6, sin6_port)),
		sizeof(port));
	return ntohs(port);
}

/* How many bytes it has as it is written, into bytes; 0: it is none. */
static size_t
literal_read(struct str s, char bytes[IP_LITERAL_SIZE])
{
	return s.n != 0 && s.p[0] != '[' ? ip_literal_read(s, bytes) : 0;
}

bool
ip_read(struct str s, struct ip *out)
{
	char bytes[IP_LITERAL_SIZE];
	size_t n = literal_read(s, bytes);

	if (n != 0)
		*out = ip_of(bytes, n);
	return n != 0;
}

/* Are the first bits of both the same; b NULL: are those behind them zero? */
static bool
bits_are(const struct ip *a, unsigned bits, const struct ip *b)
{
	for (unsigned i = 0; i < a->n; i++) {
		unsigned left = bits > i * 8 ? bits - i * 8 : 0;
		unsigned mask = left >= 8 ? 0xff : 0xff00u >> left & 0xff;

		if (b != NULL ? ((a->bytes[i] ^ b->bytes[i]) & mask) != 0 :
				(a->bytes[i] & ~mask) != 0)
			return false;
	}
	return true;
}

bool
ip_network_read(struct str s, struct ip_network *out)
{
	struct ip_network net;
	struct str address = s, prefix = STR_NONE;
	char bytes[IP_LITERAL_SIZE];
	bool cut = str_cut(s, '/', &address, &prefix);
	size_t n = literal_read(cut ? address : s, bytes);
	long long bits = (long long)n * 8;

	if (n == 0 || (cut && (prefix.n == 0 || prefix.p[0] == '-' ||
			      (prefix.n > 1 && prefix.p[0] == '0') ||
			      !str_to_int(prefix, 0, bits, &bits))))
		return false;
	net.ip = ip_of(bytes, n);
	if (net.ip.n != n && bits < MAPPED_BITS)
		return false; /* more than what stands for IPv4 */
	net.bits = (uint8_t)(net.ip.n != n ? bits - MAPPED_BITS : bits);
	if (!bits_are(&net.ip, net.bits, NULL))
		return false;
	*out = net;
	return true;
}

bool
ip_network_has(const struct ip_network *net, const struct ip *ip)
{
	return net->ip.n == ip->n && ip->n != 0 &&
		bits_are(&net->ip, net->bits, ip);
}
