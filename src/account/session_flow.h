/*
 * session_flow.h - a session whose client takes less than it is sent: is there
 * progress, and how are senders slowed.  What waits meanwhile: session_out.h.
 *
 *   (none) --the kernel refuses more than a little: session_full()--> full
 *   full   --the stream is empty, and nothing waits: session_drained()--> (none)
 *   full   --no progress, or too much: ops->cut()--> gone --session_lost()--> what
 *            waits is given back, session_out_return()
 *
 * A session whose client keeps up has none of this, and costs a pointer.  While
 * it is full, stanzas wait as wires, so that those which the client has not taken
 * can be found a place when it is gone.
 *
 * Three bounds (limits):
 *   write_queue_bytes       above it the client has to take so much in a minute
 *                           (write_bytes_per_second), and senders are slowed
 *   write_queue_max_bytes   the session counts as gone
 * and below both, in the stream, one above which the kernel is asked early.
 *
 * A sender rests for a time that is computed, never until something happens: so
 * no ring of sessions waits for each other for ever.  And nobody rests for one
 * who rests himself, and may not come to reading because of it.
 */
#ifndef ACCOUNT_SESSION_FLOW_H
#define ACCOUNT_SESSION_FLOW_H

#include <stddef.h>
#include <stdint.h>

struct out_item;
struct session;
struct stanza;

/* How fast a client takes what it is sent. */
struct flow_pace {
	int64_t behind_us; /* since when it does not keep up */
	uint64_t took;     /* since then */
	double fill;       /* how much waits: senders rest so many times as long */
};

/* --- for session.c and session_out.c, owner shard ---------------------------- */

/* Of whom st comes: see out_item. */
uint8_t session_flow_bucket(const struct session *s, const struct stanza *st);
/* Something is about to wait: there may be too much already. */
void session_flow_make_room(struct session *s);
/* item, of st, waits. */
void session_flow_waits(struct session *s, const struct stanza *st,
	const struct out_item *item);
/* The same of one that has waited elsewhere, for which its sender was slowed. */
void session_flow_moved(struct session *s, const struct out_item *item);
/* Who sends st, of so many bytes, is slowed, if he is one of ours. */
void session_flow_slow(struct session *s, const struct stanza *st,
	const struct flow_pace *pace, size_t bytes);
/* It does not any more. */
void session_flow_written(struct session *s, const struct out_item *item);
/* The stream of s takes something again: what waits is written. */
void session_flow_run(struct session *s);
/* s has no stream any more. */
void session_flow_free(struct session *s);

#endif
