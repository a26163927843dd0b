/*
 * proxy_protocol.h - the PROXY protocol, versions 1 and 2: with which words a proxy
 * says, ahead of all other bytes, from whom it has a connection.
 *
 * Sections are those of proxy-protocol.txt, which comes with HAProxy.  Any thread;
 * pure functions.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/ip_network.h"

struct err;

/* What is read of one header.  A sender sends what fits a packet (§2): addresses,
 * a name, what is known of a certificate. */
#define PROXY_HEADER_MAX 4096

enum proxy_got {
	PROXY_MORE,
	PROXY_DONE,
	PROXY_BAD,
};

enum proxy_told {
	PROXY_ITSELF,   /* LOCAL: it is the proxy that connects */
	PROXY_SOMEBODY, /* it does not say who, or with no address of IP */
	PROXY_ADDRESS,
};

struct proxy_header {
	size_t n; /* the bytes it has */
	enum proxy_told told;
	struct ip ip; /* with PROXY_ADDRESS; as port */
	uint16_t port;
	bool plain; /* it says that who connects to it has no TLS (§2.2.6) */
};

/* The header that bytes, all that came so far, begins with.  Until it is
 * PROXY_DONE it ends where bytes do; *out is set then.  PROXY_BAD with err: nothing
 * that may follow makes it one.  It never needs more than PROXY_HEADER_MAX. */
enum proxy_got proxy_header_read(struct str bytes, struct proxy_header *out,
	struct err *err);

#endif
