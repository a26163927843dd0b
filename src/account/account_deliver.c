/*
 * account_deliver.c - which sessions of an account get a stanza: the tables of
 * RFC 6121 §8.5, and what happens to stanzas that none of them takes.
 *
 * Where the tables leave a choice: messages to the bare address go to every
 * session with a non-negative priority; and an account that does not exist
 * behaves like one that nobody uses, so that accounts cannot be found out.
 */
#include "config.h"

#include "xml/elem.h"
#include "xmpp/message.h"
#include "xmpp/ns.h"
#include "core/host.h"
#include "core/iq.h"
#include "core/router.h"
#include "core/wire.h"
#include "account/account_copy.h"
#include "account/account_int.h"
#include "account/block_list.h"
#include "account/recent.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_bulk.h"

#define NOT_AVAILABLE_TEXT "The recipient is not available"

/* --- messages (RFC 6121 §8.5.2.1.1, §8.5.3) ------------------------------------- */

static void
deliver_to(struct delivery *d, struct session *s)
{
	d->taken |= session_write_copy(s, d->st, &d->wire);
}

static bool
deliver_to_takers(struct delivery *d)
{
	struct session *s, *next;
	bool any = false;

	d->takers = true;
	for (s = d->account->sessions; s != NULL; s = next) {
		next = s->next;
		if (delivery_is_for(d, s)) {
			deliver_to(d, s);
			any = true;
		}
	}
	if (d->wire != NULL && d->taken)
		wire_take(d->wire);
	d->nobody = !any;
	return any;
}

/* Is there anybody but whom it names? */
static bool
delivery_has_others(const struct delivery *d)
{
	return d->account->n_sessions != (d->named != NULL);
}

static void
delivery_begin(struct delivery *d)
{
	if (delivery_has_others(d))
		account_copy_expect(d);
}

/* Those who have it have it: what follows is for the others.  True: one of them has
 * got a copy. */
static bool
delivery_done(struct delivery *d)
{
	bool copied = delivery_has_others(d) && account_copy_delivered(d);

	wire_unref(d->wire);
	return copied;
}

/* What is archived its owner finds there, whatever becomes of it here: that is no
 * error, and RFC 6121 §8.5 leaves the choice. */
static void
message_refuse(struct account *acc, struct stanza *st, const char *text)
{
	if (stanza_id_by(st, acc->e.jid).p != NULL)
		stanza_free(st);
	else
		router_bounce(
			acc->e.shard, st, COND_SERVICE_UNAVAILABLE, text);
}

/* Nobody is there: modules may keep it, or the sender learns of it, but where
 * somebody has got a copy. */
static void
message_undelivered(struct account *acc, struct stanza *st, bool stamped,
	bool copied)
{
	struct account_stanza arg = {
		.account = acc,
		.st = st,
		.with.aside = true,
		.stamped = stamped,
	};
	bool handled;

	if (st->type == MESSAGE_ERROR || st->type == MESSAGE_HEADLINE) {
		stanza_free(st);
		return;
	}
	handled = st->type != MESSAGE_GROUPCHAT &&
		hook_run(account_host(acc), HOOK_ACCOUNT_OFFLINE, &arg) ==
			HOOK_HANDLED;
	if (arg.kept && !handled) {
		account_line_aside(acc, st, arg.with.tx, NULL);
		return;
	}
	account_line_aside(acc, NULL, arg.with.tx, NULL);
	if (handled)
		return;
	if (copied)
		stanza_free(st);
	else if (arg.with.refused && stanza_id_by(st, acc->e.jid).p == NULL)
		account_line_refuse(acc, st);
	else
		message_refuse(acc, st, NOT_AVAILABLE_TEXT);
}

/* Kept messages come first, and the one who takes them sleeps, or is full: st
 * (taken) is kept behind them.  False: it cannot be.  What several sessions take
 * all of them get, for what is kept only one does. */
static bool
message_stands_behind(struct delivery *d)
{
	struct account *acc = d->account;
	struct account_stanza arg = {
		.account = acc,
		.st = d->st,
		.with.aside = true,
		.stamped = d->again,
		.behind = true,
	};
	bool handled;

	if (d->st->type != MESSAGE_NORMAL && d->st->type != MESSAGE_CHAT)
		return false;
	handled = hook_run(account_host(acc), HOOK_ACCOUNT_OFFLINE, &arg) ==
		HOOK_HANDLED;
	if (handled || !arg.kept) {
		account_line_aside(acc, NULL, arg.with.tx, NULL);
		return handled;
	}
	d->takers = d->nobody = true;
	(void)delivery_done(d);
	account_line_aside(acc, d->st, arg.with.tx, NULL);
	return true;
}

/* What comes back was kept, or came behind what was. */
static bool
has_to_stand_behind(const struct delivery *d)
{
	const struct session *s = d->account->sessions;
	size_t n = 0;

	if (!d->account->backlog)
		return false;
	for (; s != NULL; s = s->next)
		n += delivery_is_for(d, s);
	return n == 1 || (n != 0 && d->again);
}

/* Then what is kept is for s, as what is for the account is. */
static bool
is_only_taker(const struct account *acc, const struct session *s)
{
	const struct session *o = acc->sessions;

	while (o != NULL && session_takes_messages(o) == (o == s))
		o = o->next;
	return o == NULL;
}

/* What others see of it, as of one that nobody takes. */
void
account_deliver_kept(struct account *acc, struct stanza *st)
{
	struct delivery d = {
		.account = acc,
		.st = st,
		.takers = true,
		.nobody = true,
	};

	if (acc != NULL)
		(void)delivery_done(&d);
	stanza_free(st);
}

static void
message_to_bare(struct account *acc, struct stanza *st, bool again)
{
	bool wanted = st->type == MESSAGE_NORMAL || st->type == MESSAGE_CHAT ||
		st->type == MESSAGE_HEADLINE;
	struct delivery d = { .account = acc, .st = st, .again = again };
	bool delivered, copied;

	if (has_to_stand_behind(&d) && message_stands_behind(&d))
		return;
	delivery_begin(&d);
	delivered = wanted && deliver_to_takers(&d);
	copied = delivery_done(&d);
	if (delivered)
		stanza_free(st);
	else
		message_undelivered(acc, st, again, copied);
}

/* Of one to a resource that is not there: chat does, but for a block of a bytestream,
 * of which they would make nothing (XEP-0047 §2.2). */
static bool
goes_to_others(const struct stanza *st)
{
	return st->type == MESSAGE_CHAT && !session_bulk_is(st);
}

static void
message_has_no_resource(struct account *acc, struct stanza *st)
{
	if (st->type == MESSAGE_HEADLINE || st->type == MESSAGE_ERROR)
		stanza_free(st);
	else
		message_refuse(acc, st, "This resource is not available");
}

/* One to a resource that is not there is refused, or dropped (RFC 6121
 * §8.5.3.2.1): this, where another has got a copy. */
static void
message_to_full(struct account *acc, struct stanza *st)
{
	struct session *s = session_find(acc, jid_resource(st->to));
	struct delivery d = { .account = acc, .st = st };
	bool copied;

	if (s != NULL && s->left)
		s = NULL;
	d.named = s;
	if (s == NULL && goes_to_others(st)) {
		message_to_bare(acc, st, false);
		return;
	}
	if (s != NULL && acc->backlog && is_only_taker(acc, s) &&
		message_stands_behind(&d))
		return;
	delivery_begin(&d);
	if (s != NULL)
		deliver_to(&d, s);
	copied = delivery_done(&d);
	if (s == NULL && !copied)
		message_has_no_resource(acc, st);
	else
		stanza_free(st);
}

static void
message_turn_away(struct account *acc, struct stanza *st)
{
	if (!jid_is_bare(st->to) && !goes_to_others(st))
		message_has_no_resource(acc, st);
	else if (st->type == MESSAGE_HEADLINE || st->type == MESSAGE_ERROR)
		stanza_free(st);
	else
		message_refuse(acc, st, NOT_AVAILABLE_TEXT);
}

void
account_turn_away(struct account *acc, struct stanza *st)
{
	if (st->kind == STANZA_PRESENCE)
		stanza_free(st);
	else if (st->kind == STANZA_MESSAGE)
		message_turn_away(acc, st);
	else
		router_bounce(
			acc->e.shard, st, COND_SERVICE_UNAVAILABLE, NULL);
}

static void
deliver_message(struct account *acc, struct stanza *st)
{
	if (jid_is_bare(st->to))
		message_to_bare(acc, st, false);
	else
		message_to_full(acc, st);
}

/* --- presence (RFC 6121 §8.5.2.1.2, §8.5.3) ---------------------------------------- */

static void
deliver_presence(struct account *acc, struct stanza *st)
{
	bool directed = !jid_is_bare(st->to);
	struct session *s, *next;

	/* subscriptions and probes are a module's business; without one they
	 * mean nothing.  A subscription is sent by the account, and so is the
	 * error to it for all of its sessions. */
	if (st->type != PRESENCE_AVAILABLE &&
		st->type != PRESENCE_UNAVAILABLE &&
		st->type != PRESENCE_ERROR) {
		stanza_free(st);
		return;
	}
	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (directed ? str_eq(session_resource(s), jid_resource(st->to)) :
			       session_is_available(s))
			session_write(s, st);
	}
	stanza_free(st);
}

/* --- iq (RFC 6121 §8.5.2.1.3, §8.5.3) ----------------------------------------------- */

/* What a session has asked that has ended is not answered to another one at its
 * address, whose own requests may have the same ids (RFC 6120 §8.2.3). */
static void
deliver_iq(struct account *acc, struct stanza *st)
{
	bool asks = st->type == IQ_GET || st->type == IQ_SET;
	struct session *s;

	if (jid_is_bare(st->to)) {
		if (asks)
			iq_dispatch(&acc->e, st);
		else
			stanza_free(st);
		return;
	}
	s = session_find_one(acc, jid_resource(st->to), asks ? 0 : st->session);
	if (s == NULL) {
		router_bounce(acc->e.shard, st, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	session_write(s, st);
	stanza_free(st);
}

/* --- the class ---------------------------------------------------------------------- */

void
account_deliver_now(struct account *acc, struct stanza *st)
{
	switch (st->kind) {
	case STANZA_MESSAGE:
		deliver_message(acc, st);
		break;
	case STANZA_PRESENCE:
		deliver_presence(acc, st);
		break;
	case STANZA_IQ:
		deliver_iq(acc, st);
		break;
	}
}

/* Only we say so (session.c). */
bool
account_stamped(const struct account *acc, const struct stanza *st)
{
	elem_each_child(st->root, e) {
		if (elem_is(e, NS_DELAY, "delay") &&
			str_eq(elem_attr(e, "from"), account_domain(acc)))
			return true;
	}
	return false;
}

/* When it came first is what counts, however many sessions did not take it.  What
 * says nothing was of that moment, and what comes of one who is blocked meanwhile is
 * for nobody (XEP-0191 §3.3). */
void
account_take_back(struct account *acc, struct stanza *st, int64_t wall_us)
{
	if (st->kind == STANZA_MESSAGE && st->type != MESSAGE_GROUPCHAT) {
		if (!message_is_worth_keeping(st) ||
			account_blocks(acc, st->from)) {
			stanza_free(st);
			return;
		}
		if (!account_stamped(acc, st))
			stanza_add_delay(st, account_domain(acc), wall_us);
		message_to_bare(acc, st, true);
	} else {
		router_bounce(acc->e.shard, st, COND_SERVICE_UNAVAILABLE, NULL);
	}
}

static void
account_deliver(struct account *acc, struct stanza *st)
{
	if (!account_line_keeps(acc, st))
		account_deliver_now(acc, st);
}

struct store_tx *
account_stanza_tx(struct account_stanza *in)
{
	return account_line_tx(in->account, in->st, &in->with);
}

/* By which id the account knows a message, it says itself, whoever sends it and
 * whether it keeps an archive or not (XEP-0359 §3, hostile 47): what is stored for
 * later is found by that. */
static void
drop_claims(const struct account *acc, struct stanza *st)
{
	if (st->kind == STANZA_MESSAGE)
		stanza_drop_ids_by(st, acc->e.jid);
}

/* If nobody takes messages, is it for who comes next, by the tables? */
static bool
is_for_who_comes(const struct account *acc, const struct stanza *st)
{
	if (st->kind != STANZA_MESSAGE)
		return false;
	return jid_is_bare(st->to) ?
		st->type == MESSAGE_CHAT || st->type == MESSAGE_NORMAL :
		st->type == MESSAGE_CHAT &&
			session_find(acc, jid_resource(st->to)) == NULL;
}

/* What says nothing, or must not be kept (XEP-0334 §4.2), means nothing to who comes
 * next: it may have its turn behind what is kept for him. */
static bool
is_kept_for_who_comes(const struct account *acc, const struct stanza *st)
{
	return is_for_who_comes(acc, st) && message_may_wait(st);
}

/* Of what has come while somebody took messages, too: else what comes now would be
 * kept before it, or not by the transaction that archives it. */
bool
account_keep_line(struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_takes_messages(s))
		s = s->next;
	return s == NULL && account_line_keep(acc, is_kept_for_who_comes);
}

/* Once it is archived it will not come again (account_stanza.known), so that what
 * nobody takes is kept by the same transaction, or lost by a crash between two. */
static enum hook_result
account_keep(struct account *acc, struct account_stanza *in)
{
	if (stanza_id_by(in->st, acc->e.jid).p == NULL ||
		!is_for_who_comes(acc, in->st) || !account_keep_line(acc))
		return HOOK_PASS;
	in->early = true;
	return hook_run(account_host(acc), HOOK_ACCOUNT_OFFLINE, in);
}

void
account_receive(struct entity *e, struct stanza *st)
{
	struct account *acc = account_of(e);
	struct account_stanza arg = { .account = acc, .st = st };

	if (st->again)
		recent_look(acc, st);
	if (acc->hold != NULL && account_hold_keeps(acc, st))
		return;
	if (st->outgoing) {
		account_send_outgoing(acc, st);
		return;
	}
	requests_answered(acc, st);
	drop_claims(acc, st);
	if (hook_run(account_host(acc), HOOK_ACCOUNT_RECEIVE, &arg) ==
			HOOK_HANDLED ||
		(arg.with.tx != NULL && account_keep(acc, &arg) == HOOK_HANDLED))
		account_line_aside(acc, NULL, arg.with.tx, NULL);
	else if (arg.known)
		account_line_aside(acc, st, arg.with.tx, NULL);
	else if (arg.with.tx != NULL)
		account_line_deliver(acc, st, arg.with.tx, arg.kept);
	else if (arg.with.refused)
		account_line_refuse(acc, st);
	else
		account_deliver(acc, st);
}

/* The same where no handler is to see it. */
void
account_receive_unseen(struct account *acc, struct stanza *st)
{
	drop_claims(acc, st);
	account_deliver(acc, st);
}
