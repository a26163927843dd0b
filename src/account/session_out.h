/*
 * session_out.h - what a session has for its client: written at once, or, while
 * the client does not keep up, kept as wires that wait in order.
 *
 * A session whose client keeps up has none of this, and costs a pointer; but when
 * somebody has asked for it (session_keep_output()), every stanza stays until the
 * client has acknowledged it:
 *
 *            acked                   sent
 *              |  written, and kept   |   waits
 *              v                      v
 *     dropped  | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13      numbers of stanzas
 *                    ^                 ^
 *      session_acked(7) drops          next: session_out_run() goes on here;
 *      up to there                     after session_attach(), with the first
 *
 * When the session ends, what the client has not taken, or not acknowledged,
 * finds another place.
 */
#ifndef ACCOUNT_SESSION_OUT_H
#define ACCOUNT_SESSION_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "base/timer.h"
#include "xmpp/stanza.h"
#include "core/receipt.h"

struct account;
struct alike;
struct session;
struct session_bulk;
struct session_flow;
struct session_quiet;
struct wire;

/* A stanza that waits, or is kept. */
struct out_item {
	STAILQ_ENTRY(out_item) link;
	struct wire *wire; /* reference */
	int64_t kept; /* elsewhere, by this number; 0: it is not */
	struct receipt *paced; /* held until it is written; NULL: nobody waits */
	enum stanza_type type;
	uint16_t n_to;
	uint8_t sender; /* its bucket, see session_flow.c */
	bool alone;     /* no other session of the account gets it */
	bool block;     /* of a bytestream, see session_bulk.h */
	char to[];
};

struct session_out {
	STAILQ_HEAD(, out_item) queue; /* first those that were written */
	struct out_item *next; /* the first that waits; NULL: none does */
	uint32_t n; /* in the queue */
	uint32_t n_kept; /* of them, elsewhere */
	size_t waiting_bytes;
	size_t kept_bytes; /* of those that were written */
	size_t largest;    /* of what has waited */
	uint32_t sent;     /* number of the last that was written (XEP-0198 §4) */
	uint32_t acked;    /* of the last that was acknowledged */
	bool keeps;        /* what is written; else it is gone */
	bool behind;       /* so much of it that it has to be acknowledged */
	struct session *session;
	struct session_flow *flow; /* NULL: nobody is slowed */
	struct session_bulk *bulk; /* NULL: no bytestream waits */
	struct session_quiet *quiet; /* NULL: somebody looks at it */
	struct timer due;   /* asleep: then it ends; else: it is told soon that
			     * there is room */
	int64_t sleep_us;   /* how long it was to sleep */
	int64_t slept_us;   /* since when it does, wall clock */
	struct receipt_line in; /* of what comes, while s->counts; and of what it
				 * says where that may wait in a line */
	bool listed; /* in has begun */
	char *keeper;       /* the module that said so; NULL: none did */
	struct alike *alike; /* while another session is restored: what it may
			      * share; else NULL */
};

/* --- for session.c and session_flow.c, owner shard --------------------------- */

/* session.c's: the time of a session that sleeps is over. */
void on_session_slept(struct session *s);
/* Never NULL. */
struct session_out *session_out_get(struct session *s);
/* Frees it when there is nothing left of it. */
void session_out_settle(struct session *s);
/* Writes what waits, in order, until the stream is full again; what has waited since
 * before late_us (wall clock) says so, but for iqs. */
void session_out_run(struct session *s, int64_t late_us);
/* What has waited for less comes as of now: nobody would show another time. */
int64_t session_late_us(const struct session *s);
/* Tells whoever waits for it that s has room, if it has: the requests of s, and
 * HOOK_SESSION_DRAINED. */
void session_out_told(struct session *s);
/* It may have: session_out_told() follows soon. */
void session_out_tell(struct session *s);
/* Another stream: what is kept is to be written again. */
void session_out_rewind(struct session *s);
static inline struct str
out_item_to(const struct out_item *item)
{
	return item->n_to != 0 ? (struct str){ item->to, item->n_to } :
				 STR_NONE;
}
size_t out_item_bytes(const struct out_item *item);
/* For session_save.c: s is about to be restored, and has been, without a break. */
void session_out_restore_begin(struct session *s);
void session_out_restore_end(struct session *s);
/* st waits behind what waits already; a session of the account that keeps it too,
 * or a copy of it, shares it. */
struct out_saved {
	struct str to; /* is shown */
	int64_t at_us; /* since when it waits */
	bool taken;    /* as in wire.h */
	bool shared;   /* others of the account had it, itself or as a copy */
	bool of; /* a copy, of what nobody has taken */
	int64_t kept; /* elsewhere, see session_write_kept() */
	bool written; /* else it waits, a block in its lane */
};
void session_out_restore(struct session *s, const struct stanza *st,
	const struct out_saved *saved);
/* The numbers of what waits; false: they cannot be. */
bool session_out_renumber(struct session *s, bool keeps, uint32_t acked,
	uint32_t sent);
/* For session_out_restore.c: item waits at the end; the next one that waits is
 * written; st as it will wait, of which wire (a reference is taken) is the copy. */
void out_append(struct session_out *o, struct account *acc,
	struct out_item *item);
void out_step(struct session_out *o);
struct out_item *out_item_new(const struct session *s, const struct stanza *st,
	struct wire *wire, struct str to);
/* For session_out_end.c: the first, NULL when there is none; and either freed (out
 * may be NULL). */
struct out_item *out_pop(struct session_out *o, struct account *acc);
void out_item_free(struct out_item *item);
/* As it came, for acc; owned by the caller. */
struct stanza *out_item_stanza(const struct out_item *item, struct account *acc);
void out_free(struct session_out *o);
/* s, which sleeps, ends in so long: on_session_slept(); never before the call
 * has returned. */
void session_out_end_in(struct session *s, int64_t in_us);
/* Which module has it sleep (copied); NULL: none. */
void session_out_keeper(struct session *s, struct str name);
/* It does not; nor is it told. */
void session_out_awake(struct session *s);
/* session_in.c's: receipts of what it has sent come home to nobody. */
void session_stop_counting(struct session *s);
/* s ends, and forgets what is returned, which may be NULL: what waits goes back
 * to acc, or is dropped. */
struct session_out *session_out_take(struct session *s);
void session_out_return(struct session_out *o, struct account *acc);
void session_out_drop(struct session_out *o, struct account *acc);

#endif
