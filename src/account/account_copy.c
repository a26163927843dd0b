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

static bool
copy_make(struct account_copy *c)
{
	hook_run(account_host(c->account), HOOK_ACCOUNT_COPY, c);
	return c->copy != NULL;
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

/* When nobody has taken what was delivered, the copies know of it: it may have to
 * find another place, once. */
static struct wire *
copy_wire(struct delivery *d, const struct stanza *copy)
{
	struct wire *w = wire_new(copy);

	if (d->taken)
		return w;
	if (d->wire == NULL)
		d->wire = wire_new(d->st);
	wire_set_of(w, d->wire);
	w->wall_us = d->wire->wall_us;
	return w;
}

bool
account_copy_delivered(struct delivery *d)
{
	struct account_copy c = { .account = d->account, .st = d->st };
	struct wire *wire = NULL;
	struct session *s, *next;

	for (s = d->account->sessions; s != NULL; s = next) {
		next = s->next;
		if (!wants_copy(d, s))
			continue;
		if (c.copy == NULL && !copy_make(&c))
			return false;
		if (wire == NULL)
			wire = copy_wire(d, c.copy);
		session_write_shared(s, c.copy, &wire, jid_str(session_jid(s)));
	}
	wire_unref(wire);
	return c.copy != NULL;
}

/* --- of what was sent -------------------------------------------------------------- */

static bool
others_want_copies(const struct session *sender)
{
	const struct session *s = sender->account->sessions;

	while (s != NULL && (!s->copied || s == sender))
		s = s->next;
	return s != NULL;
}

struct stanza *
account_copy_sent(struct session *s, struct stanza *st)
{
	struct account *acc = s->account;
	struct account_copy c = { acc, st, s, NULL };

	if (st->kind != STANZA_MESSAGE || !others_want_copies(s) ||
		!copy_make(&c))
		return NULL;
	if (account_line_is_empty(acc)) {
		account_copy_show_now(acc, c.copy);
		return NULL;
	}
	/* without room it is refused */
	return line_has_room(acc, st) ? stanza_copy(c.copy) : NULL;
}

void
account_copy_show(struct account *acc, struct stanza *copy)
{
	if (!account_line_is_empty(acc)) {
		account_line_copy(acc, copy);
		return;
	}
	account_copy_show_now(acc, copy);
	stanza_free(copy);
}

void
account_copy_show_now(struct account *acc, struct stanza *copy)
{
	struct str from = elem_attr(stanza_forwarded(copy), "from");
	struct wire *wire = NULL;
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		struct str self = jid_str(session_jid(s));

		next = s->next;
		if (s->copied && !str_eq(self, from))
			session_write_shared(s, copy, &wire, self);
	}
	wire_unref(wire);
}
