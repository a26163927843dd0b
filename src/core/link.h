/*
 * link.h - a stream to somebody who is no client, and stands for many addresses:
 * how stanzas come to it, in order, and what waits when it takes less than it is
 * sent.
 *
 *   stanza --link_send()--> written     freed, with its receipt; or, where it counts,
 *              | full                   it is kept until the peer has it
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
 * What the stream has got nobody can take back, so it gets no more than it takes;
 * but a stream can count (XEP-0198): then what it has got is kept until it is
 * acknowledged (link_kept.c), and counts as not taken while that is more than
 * write_queue_bytes.
 *
 * A receipt stays with its stanza (core/receipt.h): how long, the entity says.
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
	/* st is borrowed; in the end link_full() may be called.  False: it was
	 * answered, and has not gone out. */
	bool (*write)(void *stream, const struct stanza *st);
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
	/* The peer is asked what it has got: link_acked() follows.  NULL: of streams
	 * that never count. */
	void (*ask)(void *stream);
};

struct link_end;
struct link_kept;

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
	struct link_kept *kept; /* written; NULL: it does not count */
	bool full;           /* the kernel takes nothing now */
	bool gone;           /* it is cut, or ends, and has not left yet: full, too */
	struct link_end *end; /* it waits for the last word of its peer; or NULL */
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
/* It takes nothing more, and its stream ends, as ops->end() has it: when the peer has
 * acknowledged what it was given, if l counts, or has not in time.  l may be gone. */
void link_end(struct link *l, enum stream_cond cond, const char *text);
/* Does it wait for that? */
static inline bool
link_is_ending(const struct link *l)
{
	return l->end != NULL;
}
/* What waits is appended to back. */
void link_take_back(struct link *l, struct stanza_queue *back);
/* l is gone, and is freed; what waits is appended to back.  What was not
 * acknowledged, if l counted, else NULL: owned by the caller. */
struct link_kept *link_leave(struct link *l, struct stanza_queue *back);
/* Has the peer acknowledged any of it? */
bool link_kept_gained(const struct link_kept *k);
/* Its stanzas are appended to back; of what many got, only where `wants' says so. */
void link_kept_free(struct link_kept *k, bool (*wants)(enum stanza_type type),
	struct stanza_queue *back);
/* Can a stream go on with it? */
bool link_kept_resumes(const struct link_kept *k);
/* By that id? */
bool link_kept_is_of(const struct link_kept *k, const char *id);
/* The first n have come after all, or what there is of them. */
void link_kept_came(struct link_kept *k, uint32_t n);
/* Who has said the first of it (borrowed); there is something. */
struct jid link_kept_from(const struct link_kept *k);
size_t link_kept_size(const struct link_kept *k, size_t *bytes_out);
/* l, a new one, may go on with k (taken), or not: link_keep_no_more() gives it back. */
void link_keep(struct link *l, struct link_kept *k);
struct link_kept *link_keep_no_more(struct link *l);
/* All of queue goes out ahead of what waits. */
void link_give_first(struct link *l, struct stanza_queue *queue);
/* fn(arg, st) for each stanza that is kept, in order, until it is false, which is
 * answered then: it may change the receipt of st, and nothing else.  Presence that many
 * got is no stanza. */
typedef bool (*stanza_fn)(void *arg, struct stanza *st);
bool link_kept_each(struct link_kept *k, stanza_fn fn, void *arg);
/* The same for all that l has: what is not acknowledged, then what waits. */
bool link_each(struct link *l, stanza_fn fn, void *arg);
/* Stanzas and bytes that are not acknowledged. */
size_t link_unacked(const struct link *l, size_t *bytes_out);

/* --- for streams ------------------------------------------------------------- */

/* The kernel does not take all that was written. */
void link_full(struct link *l);
/* It has taken all. */
void link_drained(struct link *l);
/* What is written from now on has numbers, behind from. */
void link_count(struct link *l, uint32_t from);
/* It had none: the peer does not count, and what was written is as good as
 * acknowledged. */
void link_count_no_more(struct link *l);
/* The stream of l can be resumed, by that id (XEP-0198 §5); NULL: it cannot. */
void link_resumable(struct link *l, const char *id);
/* What has counted what came back by the stream of l, for a stream that goes on with
 * it: taken; drop() if none does.  untold: the peer may not have heard of all of that,
 * for which alone a stream is worth while. */
void link_came_back(struct link *l, void *back, void (*drop)(void *back),
	bool untold);
/* The same, borrowed; NULL: nobody counted. */
void *link_back(const struct link *l);
/* And taken from l. */
void *link_take_back_count(struct link *l);
/* The id of the stream that l may go on with, valid until it does or does not. */
const char *link_resumes(const struct link *l);
/* It does: the peer has all up to h, and all else is written once more; link_drained()
 * follows.  False: as link_acked(). */
bool link_resumed(struct link *l, uint32_t h);
/* The last number. */
uint32_t link_counted(const struct link *l);
/* The peer has all up to h.  False: it was not sent so much.  A number that was told
 * before is an answer, and nothing else. */
bool link_acked(struct link *l, uint32_t h);

#endif
