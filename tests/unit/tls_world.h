/*
 * tls_world.h - a TLS server with the hosts a.example and b.example, and a
 * client made of OpenSSL.
 */
#ifndef TESTS_UNIT_TLS_WORLD_H
#define TESTS_UNIT_TLS_WORLD_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "net/tls.h"
#include "certs.h"
#include "net_peer.h"

struct world {
	struct certs_dir dir;
	struct cert a, b, ca;
	struct tls_host_conf hosts[2];
	struct tls_conf conf;
	char paths[3][128];
	struct tls_set *set;
	const char *host;    /* that the client named before; "": none */
	SSL_CTX *client;
	SSL_SESSION *ticket; /* the last one that the server gave */
	bool resume;	     /* use it */
	struct clock_manual clock;
	unsigned char seed[NET_SEED_SIZE]; /* of each net's tickets */
	struct pair p;
};

void world_init(struct world *w);
void world_done(struct world *w);
/* Loads w->set from w->conf. */
void world_load(struct world *w);
/* Replaces cert by a new one for host, and writes it; path has 128 bytes. */
void world_cert(struct world *w, struct cert *cert, const char *host,
	const char *file, char *path);
/* A fresh connection to the same server, at another shard. */
void world_again(struct world *w);
/* The handshake succeeds, and one byte is heard. */
void world_meet(struct world *w, const char *sni);
/* The handshake fails, and the server says why. */
void world_fail(struct world *w);
/* This version and no other. */
void set_version(SSL_CTX *ctx, int version);
bool client_saw(const struct world *w, const struct cert *cert);

#endif
