/*
 * c2s.h - streams of clients (RFC 6120 §4 to §7): from the accepted connection
 * to the bound session, and back to nothing.
 *
 * A stream lives on the shard that accepted it until it has authenticated, and
 * then on the shard of its account.
 */
#ifndef STREAM_CLIENT_C2S_H
#define STREAM_CLIENT_C2S_H

#include <stdbool.h>

#include "xmpp/error.h"
#include "conf/listen_kind.h"

struct conn;
struct server;
struct shard;

/* The kinds of ports that streams of clients come from. */
extern const struct listen_kind c2s_kinds[];

/* --- the main thread, after server_start() -------------------------------- */

/* Streams may come from now on. */
void c2s_start(struct server *srv);

/* --- any thread ----------------------------------------------------------- */

/* Stops accepting, and reading of every stream that is bound; the others are closed
 * with cond, as are those that come.  done runs on shard 0. */
void c2s_rest_all(struct server *srv, enum stream_cond cond,
	void (*done)(struct shard *first, void *arg), void *arg);
/* Stops accepting, and closes every stream with cond, and each connection of a
 * module; within close_timeout all are gone, and done runs on shard 0.  Then the stream layer holds nothing any
 * more, until c2s_start(). */
void c2s_close_all(struct server *srv, enum stream_cond cond,
	void (*done)(void *arg), void *arg);
/* Sends every authenticated stream to host_port, "host" or "host:port" (RFC 6120
 * §4.9.3.19); copied.  New ones are accepted as before.  done (may be NULL)
 * runs on shard 0 when all have been told. */
void c2s_drain(struct server *srv, const char *host_port,
	void (*done)(void *arg), void *arg);

/* --- owner shard ---------------------------------------------------------- */

/* Starts a stream on c (taken), an in-memory connection, as if a listener had
 * accepted it; secure: as if with direct TLS. */
void c2s_accept_mem(struct shard *sh, struct conn *c, bool secure);

#endif
