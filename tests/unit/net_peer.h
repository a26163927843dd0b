/*
 * net_peer.h - both ends of a connection in one thread: ours, a conn whose
 * events are written down, and a client made of a plain socket and OpenSSL.
 */
#ifndef TESTS_UNIT_NET_PEER_H
#define TESTS_UNIT_NET_PEER_H

#include <stdbool.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/conn.h"
#include "net/net.h"
#include "net/tls.h"
#include "certs.h"

/* The owner of a conn: what it was told. */
struct seen {
	struct conn *c; /* NULL after closed() */
	struct buf in;
	int secured, drained, closed;
	bool broken; /* closed() had a reason */
	struct err why;
	/* done inside data(), once; may be NULL */
	void (*on_data)(struct seen *seen);
	void *arg;
};

extern const struct conn_events seen_events;

struct pair {
	struct event_base *base;
	struct net *net;
	struct seen server;
	int fd;	       /* the client's socket */
	SSL *ssl;      /* the client's session, or NULL */
	struct buf in; /* what the client got */
	bool client_eof, client_broken;
	const struct conn_protocol *protocols; /* that the server speaks; NULL: */
	size_t n_protocols;                    /* xmpp-client */
};

/* A loopback TCP connection; conn and client connected. */
void pair_init(struct pair *p);
/* With small kernel buffers, so that they fill soon. */
void pair_init_small(struct pair *p);
void pair_done(struct pair *p);

/* One turn of the server's loop, and one try of the client to go on. */
void pair_turn(struct pair *p);
/* Turns until expr holds; false after so many that it never will. */
#define PAIR_UNTIL(p, expr)                                                    \
	do {                                                                   \
		for (int i_ = 0; i_ < 200000 && !(expr); i_++)                 \
			pair_turn(p);                                          \
		CHECK(expr);                                                   \
	} while (0)

/* Starts TLS on both sides, ctx is the client's, sni may be NULL. */
void pair_tls(struct pair *p, const struct tls_set *set, SSL_CTX *ctx,
	const char *host, const char *sni);
/* The client writes all of it, turning the server when it has to. */
void pair_say(struct pair *p, const char *text, size_t n);
/* The client reads what there is. */
void pair_hear(struct pair *p);

#define BIG (3u << 20)
/* BIG recognisable bytes, owned by the caller: what is lost, doubled or moved
 * shows in check_big(). */
char *big_text(void);
void check_big(const struct buf *got);

/* A server's certificate for example.org, and a client that accepts it. */
struct tls_both {
	struct certs_dir dir;
	struct tls_set *set;
	SSL_CTX *client;
};

void tls_both_init(struct tls_both *t);
void tls_both_done(struct tls_both *t);

/* Runs fn on a fresh connection in the clear, then on one under TLS. */
void with_and_without_tls(void (*fn)(struct pair *p), bool small);

#endif
