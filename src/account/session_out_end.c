/*
 * session_out_end.c - a session ends: what its client has not taken, or not
 * acknowledged, finds another place.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_out.h"

#include "core/router.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_flow.h"
#include "account/session_quiet.h"

struct session_out *
session_out_take(struct session *s)
{
	struct session_out *o = s->out;

	session_out_awake(s);
	session_flow_free(s);
	session_bulk_flush(s);
	session_quiet_end(s);
	session_stop_counting(s);
	s->out = NULL;
	return o;
}

/* Another session of the account has taken it, or keeps it, itself or as a copy;
 * of what an audience gets, the same bytes may be those of other accounts.  A copy
 * of what has gone out, or has arrived, is not missed. */
static bool
is_elsewhere(const struct out_item *item)
{
	const struct wire *w = item->wire, *of = w->of;

	if (w->copy)
		return of == NULL || of->taken || of->refs > 1 || w->refs > 1;
	return (w->one_account || !item->alone) &&
		(w->taken || w->refs > 1);
}

struct stanza *
out_item_stanza(const struct out_item *item, struct account *acc)
{
	struct stanza *st = wire_stanza(item->wire), *copy = st;

	if (st->copy) {
		st = stanza_original(copy);
		stanza_free(copy);
	} else {
		stanza_set_to(st, item->n_to != 0 ?
				jid_trusted(out_item_to(item)) :
				acc->e.jid);
	}
	return st;
}

/* Messages find another place; who asked learns that there is no answer; the rest
 * means nothing without the session, nor does a headline to it (RFC 6121
 * §8.5.3.2.1).  A block of a bytestream is for nobody else (XEP-0047 §2.2). */
static void
out_item_return(const struct out_item *item, struct account *acc)
{
	if (item->kept != 0 || is_elsewhere(item))
		return;
	if (item->type == MESSAGE_ERROR || item->type == IQ_RESULT ||
		item->type == IQ_ERROR ||
		(item->type == MESSAGE_HEADLINE && item->alone) ||
		stanza_type_kind(item->type) == STANZA_PRESENCE)
		return;
	if (item->block) {
		router_bounce(acc->e.shard, out_item_stanza(item, acc),
			COND_RECIPIENT_UNAVAILABLE, NULL);
		return;
	}
	account_take_back(acc, out_item_stanza(item, acc), item->wire->wall_us);
}

void
session_out_return(struct session_out *o, struct account *acc)
{
	struct out_item *item;

	while (o != NULL && (item = out_pop(o, acc)) != NULL) {
		out_item_return(item, acc);
		out_item_free(item);
	}
	out_free(o);
}

void
session_out_drop(struct session_out *o, struct account *acc)
{
	struct out_item *item;

	while (o != NULL && (item = out_pop(o, acc)) != NULL)
		out_item_free(item);
	out_free(o);
}

/* --- what it would leave ----------------------------------------------------- */

struct session_backlog
session_backlog(const struct session *s)
{
	const struct session_out *o = s->out;
	uint32_t n, n_held;
	size_t bytes;

	if (o == NULL)
		return (struct session_backlog){ 0, 0 };
	if (s->state == SESSION_ATTACHED)
		return (struct session_backlog){ o->sent - o->acked,
			o->kept_bytes };
	bytes = session_bulk_bytes(s, &n) + session_quiet_bytes(s, &n_held);
	return (struct session_backlog){ o->n + n + n_held,
		o->kept_bytes + o->waiting_bytes + bytes };
}

bool
session_owes_error(const struct session *s)
{
	const struct out_item *item =
		s->out != NULL ? STAILQ_FIRST(&s->out->queue) : NULL;

	while (item != NULL && item->type != MESSAGE_ERROR &&
		item->type != PRESENCE_ERROR && item->type != IQ_ERROR)
		item = STAILQ_NEXT(item, link);
	return item != NULL || session_bulk_other_bytes(s) != 0;
}
