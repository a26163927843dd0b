/*
 * receipt.h - receipts: somebody numbers what he sends, and learns up to which
 * number all of it is dealt with: durable, delivered, or refused.
 *
 *     session                                        wherever it waits
 *
 *     received: 9                                       stanza, step
 *     out: 4 --> 7 --> 8            .------------------- | holds 7 |
 *          |      ^     ^           v                    '---------'
 *     handled: 3  |     '------- receipt 8 <--- stanza    the last lets go:
 *                 '------------- receipt 7                noted here, or by mail
 *
 * A receipt is held by the stanza itself, wherever that waits: in a queue, a
 * mailbox, an inbox, for the disk; and by what else is done for it.  To free the
 * stanza (stanza_free()) is to let go.  So a hop or a commit holds up the count, and
 * nobody else has to do anything for it.  An answer with an error holds the receipt
 * of what it answers, until the sender has it.
 *
 * Who has to wait for a peer lets go first (receipt_at_peer()): for an answer of a
 * client, or a component; what waits for another server, soon (remote/remote_log.c).
 *
 * But who has much for one connection may want to go on as that takes it.  He marks
 * what he sends (stanza.paced), and its receipt is held until the connection has it:
 * also while a session that is full, or asleep, has it wait (out_item.paced), and while
 * a link does.  Another server that counts has it when it has said so, or a while later;
 * and what a session holds as long as nobody looks at it (session_quiet.h) counts at once.
 *
 * The count moves over the first gap only: it is the number before that of the
 * first receipt that is out.
 */
#ifndef CORE_RECEIPT_H
#define CORE_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "xmpp/stanza.h"
#include "core/shard.h"

struct receipt_out;

/* Of whoever sends; its home is the shard on which it was begun. */
struct receipt_line {
	TAILQ_HEAD(receipt_outs, receipt_out) out; /* in the order of their numbers */
	struct shard *home;
	struct turn_end moved; /* one has come in, this turn */
	size_t bytes;          /* of those that are out and were weighed */
	uint32_t received;     /* the last number that was given */
	uint32_t n_out;
};

/* --- home shard -------------------------------------------------------------- */

/* The first number will be received + 1, modulo 2^32.  moved is called at the end
 * of a turn in which receipts have come in. */
void receipt_line_begin(struct receipt_line *line, struct shard *home,
	uint32_t received, void (*moved)(struct turn_end *t));
/* Receipts that are out come back to nobody. */
void receipt_line_end(struct receipt_line *line);
/* The number up to which all is dealt with. */
uint32_t receipt_line_handled(const struct receipt_line *line);

/* Something has come, and has the next number. */
static inline void
receipt_line_next(struct receipt_line *line)
{
	line->received++;
}

/* st (which has none) carries the receipt of the last number from now on. */
void receipt_give(struct receipt_line *line, struct stanza *st);

/* The bytes of st, which has just got that of the last number, count in line until it
 * has come home. */
void receipt_weigh(struct receipt_line *line, const struct stanza *st);

/* Is that of st, any or none, one of line?  Then its number. */
bool receipt_is_of(const struct receipt_line *line, const struct stanza *st,
	uint32_t *number_out);

/* --- any thread, for who owns the stanzas ------------------------------------ */

/* The caller holds r, too. */
void receipt_hold(struct receipt *r);
static inline struct receipt *
receipt_ref(struct receipt *r)
{
	if (r != NULL)
		receipt_hold(r);
	return r;
}
/* One holder less.  Both cope with NULL. */
static inline void
receipt_unref(struct receipt *r)
{
	if (r != NULL)
		r->let_go(r);
}

/* to (which has none), what is done for from, holds it as well. */
static inline void
receipt_share(struct stanza *to, const struct stanza *from)
{
	to->receipt = receipt_ref(from->receipt);
}

/* to (which has none), the answer to from, holds it on. */
static inline void
receipt_move(struct stanza *to, struct stanza *from)
{
	to->receipt = from->receipt;
	from->receipt = NULL;
}

/* It counts as dealt with, whatever becomes of st. */
static inline void
receipt_let_go(struct stanza *st)
{
	receipt_unref(st->receipt);
	st->receipt = NULL;
}

/* st may wait for a peer from now on. */
static inline void
receipt_at_peer(struct stanza *st)
{
	if (!st->paced)
		receipt_let_go(st);
}

#endif
