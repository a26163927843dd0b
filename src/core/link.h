/*
 * link.h - a stream to somebody who is no client, and stands for many addresses:
 * how stanzas come to it, in order, and what waits when it takes less than it is
 * sent.
 *
 *   stanza --link_send()--> written                         its receipt is let go
 *              | full
 *              v
 *            waits --link_drained()--> written
 *              |  more than a part of write_queue_bytes: who sends is slowed
 *              |  more than that for a minute without progress, or more than
 *              |  write_queue_max_bytes: cut
 *              v
 *            the stream is gone: link_leave() gives back what waits
 *
 * What many get is written where nothing is full, by link_send_shared().
 *
 * What the stream has got nobody can take back: there is no acknowledgement.  So it
 * gets no more than it takes.
 *
 * Owner shard.  A link belongs to an entity, which chooses among several.
 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "base/timer.h"
#include "xmpp/error.h"
#include "xmpp/stanza.h"

struct entity;
struct shard;
struct wire;

/* What its stream does for it. */
struct link_stream {
	/* st is borrowed; in the end link_full() may be called. */
	void (*write)(void *stream, const struct stanza *st);
	/* Bytes that the peer has taken since the beginning. */
	uint64_t (*taken)(void *stream);
	/* "peer", or NULL for what it does not know. */
	const char *(*describe)(void *stream, const char *what);
	/* Nothing is read of it for us longer, but not beyond max_us from now. */
	void (*rest)(void *stream, int64_t us, int64_t max_us);
	/* The stream ends: with an error for the peer, or at the end of the turn
	 * without a word.  link_leave() follows. */
	void (*end)(void *stream, enum stream_cond cond, const char *text);
	void (*cut)(void *stream, const char *why, size_t queued);
	/* As write(), of a stanza that is serialised, with its to spliced in.  False:
	 * it has to come by write().  May be NULL: always. */
	bool (*write_wire)(void *stream, const struct wire *w, struct str to);
};

struct link {
	LIST_ENTRY(link) in; /* of its entity */
	struct entity *entity;
	const struct link_stream *ops;
	void *stream;
	uint64_t id;      /* of no other link of the shard */
	int64_t since_us; /* of the wall clock */
	uint64_t sent, received; /* stanzas */
	struct stanza_queue waiting;
	uint32_t n_waiting;
	size_t bytes;        /* of what waits */
	size_t given;        /* of that: what link_give() has brought */
	struct timer window; /* set while too much does */
	uint64_t window_took; /* taken at its beginning */
	bool full;           /* nothing is written now */
	bool gone;           /* it is cut, and has not left yet */
};

LIST_HEAD(link_list, link);

/* --- for entities ------------------------------------------------------------ */

/* Owned by e until link_leave().  It begins full: link_drained() follows. */
struct link *link_new(struct entity *e, const struct link_stream *ops,
	void *stream);
/* st is taken. */
void link_send(struct link *l, struct stanza *st);
/* The same of one that many get: st (borrowed) has no to; *wire_io is what was
 * serialised for an earlier one, or NULL.  False: it is to be sent as any other. */
bool link_send_shared(struct link *l, const struct stanza *st, struct str to,
	struct wire **wire_io);
/* As link_send(), of one that has waited already, and is no fault of l's. */
void link_give(struct link *l, struct stanza *st);
/* l is gone, and is freed; what waits is appended to back. */
void link_leave(struct link *l, struct stanza_queue *back);

/* --- for streams ------------------------------------------------------------- */

/* The kernel does not take all that was written. */
void link_full(struct link *l);
/* It has taken all. */
void link_drained(struct link *l);

#endif
