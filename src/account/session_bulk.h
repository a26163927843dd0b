/*
 * session_bulk.h - blocks of in-band bytestreams (XEP-0047) for a client: no more of
 * them stand ahead of what others send to it than limits: bytestream_bytes.
 *
 *     stanza
 *       |  a block that does not fit, or from one of whom a block waits
 *       |------------------> lane of r@x/a:  block block message block
 *       |  all else          lane of j@y/b:  block block
 *       v                                      |  in turns, when one fits
 *     queue (session_out.h)  <-----------------'
 *       v
 *     stream, conn, kernel: on its way until the client's system has it
 *
 * A block fits when it is within the bound together with all that is on its way, or
 * when no other block is on its way: so one that is larger than the bound goes
 * alone, and what others send holds none back for ever.  What the kernel holds is on
 * its way, too, and nobody tells when that is gone: it is asked, while lanes are
 * there, as often as there is progress.
 *
 * All that one address sends keeps its order: whatever comes from there waits behind
 * its blocks.  Who has much waiting there rests for as long as the client takes for
 * each; and when more than write_queue_bytes of blocks waits in all, for it comes from
 * where nobody can be slowed, or is from before, further ones are refused.  A client
 * that takes nothing for a minute gets none that wait: they are refused, too, and what
 * stood behind them waits as all else does.
 *
 * A client to whom nobody sends more blocks than it takes has none of this.  Owner
 * shard of the account.
 */
#ifndef ACCOUNT_SESSION_BULK_H
#define ACCOUNT_SESSION_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xmpp/stanza.h"

struct out_item;
struct session;
struct session_out;

/* For session_bulk_is(). */
bool session_bulk_look(const struct stanza *st);
/* Is st a block?  What a room sends is none, whatever is in it: that goes back to
 * nobody, for a room takes an error for the end of its guest (XEP-0045 §18.1.2). */
static inline bool
session_bulk_is(const struct stanza *st)
{
	return (st->type == IQ_SET || st->type == MESSAGE_NORMAL ||
		       st->type == MESSAGE_CHAT) &&
		session_bulk_look(st);
}

/* st (borrowed) has a block, and too many wait: it was answered, and is not to be
 * written. */
bool session_bulk_refuses(struct session *s, const struct stanza *st);
/* item, which is that of st, is taken when it has to wait in a lane.  False: it goes
 * to the queue. */
bool session_bulk_takes(struct session *s, const struct stanza *st,
	struct out_item *item);
/* A block of the queue has been written. */
void session_bulk_written(struct session *s);
/* The client may have taken something: what fits goes to the queue, which is to be
 * run. */
void session_bulk_run(struct session *s);
/* s has no stream any more; what the queue holds is to be written again. */
void session_bulk_stop(struct session *s);
void session_bulk_rewound(struct session *s);
/* All that waits in lanes goes to the queue. */
void session_bulk_flush(struct session *s);
/* What waits in lanes: bytes, and stanzas. */
size_t session_bulk_bytes(const struct session *s, uint32_t *n_out);
/* They, borrowed: room for n is at out. */
void session_bulk_items(const struct session *s, struct out_item **out);
/* Of those bytes, what is no block. */
size_t session_bulk_other_bytes(const struct session *s);

#endif
