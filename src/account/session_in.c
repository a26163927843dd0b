/*
 * session_in.c - what a session gets from its client: checked, counted, and sent.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/entity_line.h"
#include "core/entity_ring.h"
#include "core/host.h"
#include "core/receipt.h"
#include "core/router.h"
#include "account/account_copy.h"
#include "account/account_int.h"
#include "account/recent.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_claims.h"
#include "account/session_out.h"
#include "account/trace.h"

/* --- checked ---------------------------------------------------------------------- */

/* RFC 6120 §8.1.2.1: the client may say who it is, but only the truth. */
static bool
session_stamp(struct session *s, struct stanza *st)
{
	struct jid self = session_jid(s);

	if (jid_is_set(st->from) && !jid_eq(st->from, self) &&
		!jid_eq(st->from, jid_bare(self)))
		return false;
	stanza_set_from(st, self);
	return true;
}

struct store_tx *
session_stanza_tx(struct session_stanza *out)
{
	return account_line_tx(out->account, out->st, &out->with);
}

/* Holds the receipt of st while something is stored beside it, and is refused in
 * its place when that fails. */
static struct stanza *
stand_in(const struct stanza *st)
{
	struct stanza *in = stanza_new(st->type, st->from, st->to, st->id);

	receipt_share(in, st);
	return in;
}

/* What waits for the disk is the stanza itself, or what others are shown of it:
 * this is where the client is told, and shown, that it has sent something. */
static void
send_with(struct account *acc, struct session_stanza *out)
{
	struct store_tx *tx = out->with.tx;
	struct account_step *copy = NULL;
	struct stanza *beside = NULL;

	if (acc->n_sessions > (out->session != NULL) && !out->known)
		copy = account_copy_sent(out);
	if (out->before && tx != NULL) {
		account_line_send(acc, out->st, tx, copy);
	} else {
		if (tx != NULL && out->st->receipt != NULL)
			beside = stand_in(out->st);
		if (tx != NULL)
			account_send_taken(acc, out->st);
		else
			account_send(acc, out->st);
		account_line_aside(acc, beside, tx, copy);
	}
}

/* A handler has taken it, and done with it what it likes; r is taken. */
static void
sent_by_handler(struct account *acc, struct receipt *r,
	struct store_tx *tx)
{
	struct jid nobody = { .text = NULL };
	struct stanza *holder = NULL;

	if (tx != NULL && r != NULL) {
		holder = stanza_new(MESSAGE_NORMAL, nobody, nobody, STR_NONE);
		holder->receipt = r;
	} else {
		receipt_unref(r);
	}
	account_line_aside(acc, holder, tx, NULL);
}

/* s: NULL: a component sends it, as acc.  False: there is no room for it, and st is
 * still the caller's. */
static bool
send_by_hooks(struct account *acc, struct session *s, struct stanza *st)
{
	struct receipt *r = receipt_ref(st->receipt);
	struct session_stanza arg = {
		.account = acc,
		.session = s,
		.st = st,
		.with.aside = true,
	};

	if (hook_run(account_host(acc), HOOK_SESSION_SEND, &arg) ==
		HOOK_HANDLED) {
		sent_by_handler(acc, r, arg.with.tx);
		return true;
	}
	receipt_unref(r);
	/* RFC 6120 §10.3: without an address it is for the own account */
	if (!jid_is_set(st->to) && st->kind != STANZA_PRESENCE)
		stanza_set_to(st, acc->e.jid);
	if (!jid_is_set(st->to)) {
		stanza_free(st);
		account_line_aside(acc, NULL, arg.with.tx, NULL);
		return true;
	}
	if (s != NULL)
		requests_sent(s, st);
	if (arg.with.refused)
		return false;
	send_with(acc, &arg);
	return true;
}

void
session_send(struct session *s, struct stanza *st)
{
	struct account *acc = s->account;

	if (!send_by_hooks(acc, s, st))
		account_line_refuse(acc, st);
}

/* What it forwards has been looked at (modules/privilege/). */
void
account_send_outgoing(struct account *acc, struct stanza *st)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *in = stanza_from_elem(a,
		elem_copy(a, st->root->first->first->first), &cond);

	assert(in != NULL);
	session_drop_claims(acc, in);
	if (acc->exists && send_by_hooks(acc, NULL, in)) {
		stanza_free(st);
		return;
	}
	stanza_free(in);
	/* it was sent to the host */
	stanza_set_to(st, jid_trusted(account_domain(acc)));
	if (acc->exists)
		account_line_refuse(acc, st);
	else
		router_bounce(acc->e.shard, st, COND_FORBIDDEN, NULL);
}

/* --- counted (XEP-0198 §4) ------------------------------------------------------- */

static void
session_look_at_receipts(struct session *s)
{
	int64_t most = session_shard(s)->snap->config->limits.receipts_per_session;
	const struct receipt_line *in = &s->out->in;

	if (in->n_out >= most || entity_line_is_heavy(in, LINE_PART_OF_ONE))
		session_rest(s, SESSION_REST_RECEIPTS);
	else if (in->n_out <= most / 2 &&
		entity_line_is_light(in, LINE_PART_OF_ONE))
		session_go_on(s, SESSION_REST_RECEIPTS);
}

static void
on_counted(struct turn_end *t)
{
	struct session_out *o = CONTAINER_OF(t, struct session_out, in.moved);
	struct session *s = o->session;

	session_look_at_receipts(s);
	if (!s->counts) {
		session_out_settle(s);
		return;
	}
	hook_run(account_host(s->account), HOOK_SESSION_COUNTED, s);
	if (s->stream != NULL && s->ops->counted != NULL)
		s->ops->counted(s->stream);
}

/* Of what becomes of all else nobody hears, or only from a peer. */
static bool
is_answered_for(const struct session *s, const struct stanza *st)
{
	switch (st->kind) {
	case STANZA_MESSAGE:
		return true;
	case STANZA_PRESENCE:
		return st->type >= PRESENCE_SUBSCRIBE &&
			st->type <= PRESENCE_UNSUBSCRIBED;
	case STANZA_IQ:
		break;
	}
	if (st->type != IQ_GET && st->type != IQ_SET)
		return false;
	return !jid_is_set(st->to) || jid_eq(st->to, s->account->e.jid) ||
		(jid_is_bare(st->to) && jid_local(st->to).n == 0 &&
			str_eq(jid_domain(st->to), account_domain(s->account)));
}

static void
begin_from(struct session *s, uint32_t received)
{
	struct session_out *o = session_out_get(s);

	if (o->listed)
		receipt_line_end(&o->in);
	receipt_line_begin(&o->in, session_shard(s), received, on_counted);
	o->listed = true;
}

static void
session_give_receipt(struct session *s, struct stanza *st)
{
	bool weighs = entity_line_is_for(session_shard(s), st);

	if (!weighs && (!s->counts || !is_answered_for(s, st)))
		return;
	if (!s->counts && (s->out == NULL || !s->out->listed))
		begin_from(s, 0);
	if (s->counts)
		receipt_give(&s->out->in, st);
	if (weighs)
		entity_line_weigh(&s->out->in, st);
	session_look_at_receipts(s);
}

void
session_count_one(struct session *s)
{
	receipt_line_next(&s->out->in);
}

void
session_count_input_from(struct session *s, uint32_t received)
{
	ASSERT_OWNER(&s->account->e);
	begin_from(s, received);
	s->counts = true;
	session_look_at_receipts(s);
}

void
session_stop_counting(struct session *s)
{
	if (s->out != NULL && s->out->listed) {
		receipt_line_end(&s->out->in);
		s->out->listed = false;
	}
	s->counts = false;
}

void
session_count_input(struct session *s, bool on)
{
	ASSERT_OWNER(&s->account->e);
	if (on) {
		session_count_input_from(s, 0);
	} else if (s->counts) {
		session_stop_counting(s);
		session_go_on(s, SESSION_REST_RECEIPTS);
		session_out_settle(s);
	}
}

bool
session_leaves(struct session *s, bool waits)
{
	ASSERT_OWNER(&s->account->e);
	if (waits && session_handled(s) != session_received(s)) {
		s->left = true;
		return false;
	}
	hook_run(account_host(s->account), HOOK_SESSION_STOPPING, s);
	return true;
}

void
session_look_at_counts(struct session *s)
{
	if (s->counts)
		shard_at_end(session_shard(s), &s->out->in.moved);
}

uint32_t
session_received(const struct session *s)
{
	return s->counts ? s->out->in.received : 0;
}

uint32_t
session_handled(const struct session *s)
{
	return s->counts ? receipt_line_handled(&s->out->in) : 0;
}

/* --- from the stream ------------------------------------------------------------- */

/* When somebody came last. */
static int64_t
account_bound_us(const struct account *acc)
{
	int64_t last_us = 0;

	for (const struct session *s = acc->sessions; s != NULL; s = s->next)
		last_us = MAX(last_us, s->bound_us);
	return last_us;
}

/* Who comes back sends at once what he has not heard of. */
static void
session_send_again(struct session *s, struct stanza *st)
{
	int64_t bound_us = account_bound_us(s->account);

	if (shard_wall_us(session_shard(s)) - bound_us > RECENT_US) {
		s->again = false;
	} else {
		st->again = st->kind == STANZA_MESSAGE;
	}
}

bool
session_receive(struct session *s, struct stanza *st)
{
	struct shard *sh = session_shard(s);

	ASSERT_ON(sh);
	entity_note(&ring_sent, &s->account->e, st->type);
	if (!session_stamp(s, st)) {
		stanza_free(st);
		return false;
	}
	session_drop_claims(s->account, st);
	if (s->counts || st->type == MESSAGE_GROUPCHAT)
		session_give_receipt(s, st);
	sh->stats.stanzas_in++;
	trace_stanza(s, "in", st);
	if (s->again)
		session_send_again(s, st);
	if (st->type == IQ_GET || st->type == IQ_SET)
		st->session = s->id;
	if (!requests_keep(s, st))
		session_send(s, st);
	return true;
}
