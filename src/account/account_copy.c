/*
 * account_copy.c - which sessions see a copy of what others have sent or got.
 *
 * Owner shard of the account.  Invariant: no session sees a message twice, itself
 * and as a copy.
 */
#include "config.h"

#include "account/account_copy.h"

#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "core/host.h"
#include "core/wire.h"
#include "account/account_line_int.h"
#include "account/session.h"
#include "account/session_quiet.h"

static bool
copy_is_made(struct account_copy *c)
{
	hook_run(account_host(c->account), HOOK_ACCOUNT_COPY, c);
	return c->name != NULL;
}

/* What forwards the message of which w is the wire, or NULL: one reference; id as
 * in wire.h. */
static struct wire *
copy_wire(const struct account_copy *c, const struct wire *w, struct str id)
{
	return wire_forward(w, c->st,
		&(struct wire_envelope){
			.from = jid_str(c->account->e.jid),
			.ns = c->ns,
			.name = c->name,
			.id = id,
		});
}

/* A copy that is shown. */
struct shown {
	struct stanza *of;  /* what it forwards, or what stands in for that */
	struct wire *wire;
	struct stanza *read; /* the copy itself; NULL: nobody has asked for it */
};

/* What stands in for a message does not say whether it can wait. */
static bool
copy_is_judged(const struct shown *copy, const struct session *s)
{
	return session_is_quiet(s) && elem_first_child(copy->of->root) == NULL;
}

static void
copy_show(struct shown *copy, struct session *s)
{
	if (!copy_is_judged(copy, s) &&
		session_write_forwarded(s, copy->of, copy->wire))
		return;
	if (copy->read == NULL)
		copy->read = wire_stanza(copy->wire);
	stanza_set_to(copy->read, session_jid(s));
	session_write_shared(s, copy->read, &copy->wire,
		jid_str(session_jid(s)));
}

/* --- of what was delivered ------------------------------------------------------- */

bool
delivery_is_for(const struct delivery *d, const struct session *s)
{
	return session_takes_messages(s) &&
		!(d->again && s->state == SESSION_ASLEEP);
}

/* Has s it, or will it have it?  Many clients want copies first, and say then that
 * they are available, when they get what was kept.  And who has sent it, to its
 * own account or another of its sessions, knows it. */
static bool
delivery_reaches(const struct delivery *d, const struct session *s)
{
	return s == d->named || (d->takers && delivery_is_for(d, s)) ||
		(d->nobody && !session_is_available(s)) ||
		jid_eq(d->st->from, session_jid(s));
}

static bool
wants_copy(const struct delivery *d, const struct session *s)
{
	return s->copied && !delivery_reaches(d, s) &&
		!(d->again && s->state == SESSION_ASLEEP);
}

void
account_copy_expect(struct delivery *d)
{
	const struct session *s = d->account->sessions;
	unsigned n = 0;

	for (; s != NULL && n < 2; s = s->next)
		n += s->copied || s == d->named ||
			(d->named == NULL && delivery_is_for(d, s));
	if (n < 2)
		return;
	d->wire = wire_new(d->st);
	d->wire->one_account = true;
}

/* When nobody has taken what was delivered, the copies know of it: it may have to
 * find another place, once. */
static struct wire *
copy_wire_delivered(struct delivery *d, const struct account_copy *c)
{
	struct wire *w;

	if (d->wire == NULL)
		d->wire = wire_new(d->st);
	w = copy_wire(c, d->wire, STR_NONE);
	if (d->taken)
		return w;
	wire_set_of(w, d->wire);
	w->wall_us = d->wire->wall_us;
	return w;
}

/* What it is an answer to is not shown yet, perhaps.  How many errors come others
 * decide: those for which there is no room do not wait. */
static bool
copy_waits(const struct delivery *d, struct wire *w)
{
	struct account *acc = d->account;

	if (d->st->type != MESSAGE_ERROR || !line_has_copies_aside(acc) ||
		!line_has_room(acc, d->st))
		return false;
	line_copy(acc, line_copy_new(acc, d->st, w));
	return true;
}

bool
account_copy_delivered(struct delivery *d)
{
	struct account_copy c = { .account = d->account, .st = d->st };
	struct shown copy = { .of = d->st };
	struct session *s, *next;

	for (s = d->account->sessions; s != NULL; s = next) {
		next = s->next;
		if (!wants_copy(d, s))
			continue;
		if (c.name == NULL && !copy_is_made(&c))
			return false;
		if (copy.wire == NULL) {
			copy.wire = copy_wire_delivered(d, &c);
			if (copy_waits(d, copy.wire))
				break;
		}
		copy_show(&copy, s);
	}
	wire_unref(copy.wire);
	stanza_free(copy.read);
	return c.name != NULL;
}

/* --- of what was sent -------------------------------------------------------------- */

static bool
others_want_copies(const struct account *acc, const struct session *sender)
{
	const struct session *s = acc->sessions;

	while (s != NULL && (!s->copied || s == sender))
		s = s->next;
	return s != NULL;
}

/* Where it has to wait it is a step, for which there is no room where there is none
 * for the message: that is refused. */
static struct account_step *
copy_in_turn(struct account *acc, struct stanza *st, struct wire *w, bool waits)
{
	if (account_line_is_empty(acc)) {
		if (waits || line_has_copies_aside(acc))
			return line_copy_new(acc, st, w);
		account_copy_show_now(acc, st, w);
		return NULL;
	}
	return line_has_room(acc, st) ? line_copy_new(acc, st, w) : NULL;
}

struct account_step *
account_copy_sent(const struct session_stanza *out)
{
	struct account *acc = out->account;
	struct account_copy c = {
		.account = acc,
		.st = out->st,
		.sender = out->session,
		.sent = true,
	};
	struct account_step *step;
	struct wire *w;

	if (out->st->kind != STANZA_MESSAGE ||
		!others_want_copies(acc, out->session) || !copy_is_made(&c))
		return NULL;
	w = copy_wire(&c, NULL, out->archived);
	step = copy_in_turn(acc, out->st, w, out->with.tx != NULL);
	wire_unref(w);
	return step;
}

void
account_copy_show_now(struct account *acc, struct stanza *st, struct wire *w)
{
	struct shown copy = { .of = st, .wire = w };
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->copied && !jid_eq(session_jid(s), st->from) &&
			!jid_eq(session_jid(s), st->to))
			copy_show(&copy, s);
	}
	stanza_free(copy.read);
}
