/*
 * session_out.h - what a session has for its client: written at once, or, while
 * the client does not keep up, kept as wires that wait in order.
 *
 * A session whose client keeps up has none of this, and costs a pointer.  When it
 * ends, what the client has not taken finds another place.
 */
#ifndef ACCOUNT_SESSION_OUT_H
#define ACCOUNT_SESSION_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "base/timer.h"
#include "xmpp/stanza.h"

struct account;
struct session;
struct session_flow;
struct wire;

/* A stanza that waits. */
struct out_item {
	STAILQ_ENTRY(out_item) link;
	struct wire *wire; /* reference */
	int64_t wall_us;   /* when it came */
	enum stanza_type type;
	uint16_t n_to;
	uint8_t sender; /* its bucket, see session_flow.c */
	char to[];
};

struct session_out {
	STAILQ_HEAD(, out_item) queue;
	size_t bytes;   /* of it */
	size_t largest; /* of what has waited */
	struct session *session;
	struct session_flow *flow; /* NULL: nobody is slowed */
	struct timer sleep; /* set while it is asleep: then it ends */
};

/* --- for session.c and session_flow.c, owner shard --------------------------- */

/* session.c's: the time of a session that sleeps is over. */
void on_session_slept(struct session *s);
/* Never NULL. */
struct session_out *session_out_get(struct session *s);
/* Frees it when there is nothing left of it. */
void session_out_settle(struct session *s);
/* Writes what waits, in order, until the stream is full again. */
void session_out_run(struct session *s);
size_t out_item_bytes(const struct out_item *item);
/* s, which sleeps, ends in so long: on_session_slept(); never before the call
 * has returned. */
void session_out_end_in(struct session *s, int64_t in_us);
/* It does not. */
void session_out_awake(struct session *s);
/* s ends, and forgets what is returned, which may be NULL: what waits goes back
 * to acc, or is dropped. */
struct session_out *session_out_take(struct session *s);
void session_out_return(struct session_out *o, struct account *acc);
void session_out_drop(struct session_out *o, struct account *acc);

#endif
