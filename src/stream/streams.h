/*
 * streams.h - all streams of the server, of whatever kind: from the start until the
 * last has been sent away.
 */
#ifndef STREAM_STREAMS_H
#define STREAM_STREAMS_H

#include "xmpp/error.h"

struct server;
struct shard;

/* --- the main thread, after server_start() -------------------------------- */

/* Streams may come from now on. */
void streams_start(struct server *srv);

/* --- any thread ----------------------------------------------------------- */

/* Stops accepting, and reading of every stream that is bound; the others are closed
 * with cond, as are those that come.  done runs on shard 0. */
void streams_rest_all(struct server *srv, enum stream_cond cond,
	void (*done)(struct shard *first, void *arg), void *arg);
/* Stops accepting, and closes every stream with cond, and each connection of a
 * module; within close_timeout all are gone, and done runs on shard 0.  Then the
 * stream layer holds nothing any more, until streams_start(). */
void streams_close_all(struct server *srv, enum stream_cond cond,
	void (*done)(void *arg), void *arg);
/* Sends every authenticated stream of a client to host_port, "host" or "host:port"
 * (RFC 6120 §4.9.3.19); copied.  New ones are accepted as before.  done (may be
 * NULL) runs on shard 0 when all have been told. */
void streams_drain(struct server *srv, const char *host_port,
	void (*done)(void *arg), void *arg);

#endif
