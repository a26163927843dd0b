/*
 * session_flow.h - what a session keeps when its client takes less than it is
 * sent: the stanzas that wait, whether there is progress, and how senders are
 * slowed.
 *
 *   (none) --the kernel refuses more than a little: session_full()--> full
 *   full   --the stream is empty, and nothing waits: session_drained()--> (none)
 *   full   --no progress, or too much: ops->cut()--> gone --session_lost()--> what
 *            waits is given back, session_flow_return()
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

#include <stdint.h>

#include "base/str.h"

struct account;
struct session;
struct session_flow;
struct stanza;
struct wire;

/* --- for session.c, owner shard ---------------------------------------------- */

/* st, of which wire is the copy (a reference is taken), waits; to is shown, or
 * STR_NONE.  s is full. */
void session_flow_add(struct session *s, const struct stanza *st,
	struct wire *wire, struct str to);
/* Copes with NULL; s has forgotten it. */
void session_flow_free(struct session_flow *f);
/* The same, but what waits goes back to acc: the session is no more. */
void session_flow_return(struct session_flow *f, struct account *acc);

#endif
