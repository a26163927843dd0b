/*
 * http_from.h - who asks: the address that counts for limits and the log, and
 * whether what is sent can be read on the way.
 */
#ifndef HTTP_HTTP_FROM_H
#define HTTP_HTTP_FROM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct conn;
struct http_head;
struct shard;

#define HTTP_FROM_KEY_MAX 8

struct http_from {
	char text[64];   /* "192.0.2.1:40000", as conn_peer(); without a port where a
			  * proxy has asked for him */
	uint8_t key[HTTP_FROM_KEY_MAX]; /* for limits by address, see http_from_key() */
	uint8_t key_n;
	bool has_tls;    /* his TLS is ours: -PLUS may be offered */
	bool is_protected; /* nobody on the way can read or change it, as far as is
			    * known: over TLS, from this machine, or through a
			    * proxy that is trusted, and has not been asked in the
			    * clear; logins are possible */
	bool is_trusted; /* the peer of the connection is a proxy that is trusted */
	bool is_forwarded; /* a proxy has asked for him, and may for others by the
			    * same connection */
};

/* As conn_peer_key(), within from; none: one in memory. */
static inline struct str
http_from_key(const struct http_from *from)
{
	return (struct str){ (const char *)from->key, from->key_n };
}

/* Owner shard: fills out from the connection, and from what a head says of it. */
void http_from_fill(struct http_from *out, const struct shard *sh,
	const struct conn *c, const struct http_head *head);

#endif
