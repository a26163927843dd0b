/*
 * probe.h - which certificate is served at an address: connects as a client, or
 * as a server would, agrees on TLS, and leaves.
 *
 * Owner shard.
 */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct net;
struct probe;

enum probe_state {
	PROBE_UNREACHED, /* no connection */
	PROBE_NO_TLS,    /* somebody is there, and TLS does not come about */
	PROBE_SERVED,    /* a certificate */
};

#define PROBE_DIGEST_SIZE 32

struct probe_found {
	enum probe_state state;
	uint8_t digest[PROBE_DIGEST_SIZE]; /* SERVED: SHA-256 of it */
	char why[240]; /* else: in words */
};

struct probe_what {
	struct sockaddr_storage address;
	const char *domain; /* as in `to' */
	const char *name;   /* as in the DNS, for SNI */
	bool direct;        /* TLS from the first byte on */
	bool server;        /* xmpp-server, jabber:server */
};

typedef void (*probe_fn)(void *arg, const struct probe_found *found);

/* what is copied, but for its texts, which stay until fn is called: once, after
 * this has returned. */
struct probe *probe_start(struct net *net, const struct probe_what *what,
	int64_t timeout_us, probe_fn fn, void *arg);
/* fn is not called. */
void probe_cancel(struct probe *p);

#endif
