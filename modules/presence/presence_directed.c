/*
 * presence_directed.c - to whom a session has sent its presence directly, and who of them
 * knows of it still (RFC 6121 §4.6).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "presence.h"

static int64_t
directed_max(const struct session *s)
{
	return session_shard(s)->snap->config->limits.directed_presences;
}

/* --- the list ---------------------------------------------------------------------- */

static void
set_remove(struct address_set *set, const struct server *srv, struct jid jid)
{
	struct address *a = address_set_find(set, srv, jid);

	if (a != NULL)
		address_set_remove(set, a);
}

bool
directed_add(struct directed *d, const struct session *s, struct jid jid)
{
	const struct server *srv = session_shard(s)->server;

	if (address_set_find(&d->to, srv, jid) != NULL)
		return true;
	if ((int64_t)d->to.all.n >= directed_max(s))
		return false;
	address_set_add(&d->to, srv, jid);
	return true;
}

void
directed_remove(struct directed *d, const struct session *s, struct jid jid)
{
	set_remove(&d->to, session_shard(s)->server, jid);
}

void
directed_clear(struct directed *d)
{
	address_set_clear(&d->to);
	address_set_clear(&d->left);
}

void
directed_done(struct session *s, void *state)
{
	(void)s;
	directed_clear(state);
}

void
directed_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into)
{
	const struct directed *d = state;
	struct table_walk walk = table_walk(&d->to.all);
	const struct address *to;

	(void)s;
	while ((to = table_step(&d->to.all, &walk)) != NULL) {
		struct elem *e = elem_add(a, into, NULL, "to");

		elem_set_attr(a, e, "jid", jid_str(to->jid));
		if (to->marked)
			elem_set_attr(a, e, "inside", STR("1"));
	}
}

static void
mark(struct directed *d, const struct session *s, struct jid jid)
{
	struct address *to =
		address_set_find(&d->to, session_shard(s)->server, jid);

	if (to != NULL)
		to->marked = true;
}

bool
directed_restore(struct session *s, void *state, const struct elem *from)
{
	struct arena *a = arena_new();
	struct session_back back = { .session = s };
	bool ok = true;

	elem_each_child(from, e) {
		ok = ok && jid_parse(&back.to, a, elem_attr(e, "jid"), NULL) &&
			directed_add(state, s, back.to);
		if (ok && elem_attr(e, "inside").p != NULL)
			mark(state, s, back.to);
		if (ok)
			hook_run(account_host(s->account), HOOK_SESSION_BACK,
				&back);
	}
	arena_free(a);
	return ok;
}

bool
presence_was_sent_to(struct module_ctx *m, struct session *s, struct jid who)
{
	const struct directed *d;

	if (s->slots == NULL)
		return false;
	d = module_session_state(m, s);
	return address_set_has_bare(&d->to, session_shard(s)->server, who);
}

const struct address_set *
presence_sent_to(struct module_ctx *m, const struct session *s)
{
	const struct directed *d = module_session_state_if_made(m, s);

	return d != NULL ? &d->to : NULL;
}

/* --- what they answer --------------------------------------------------------------- */

/* Nor does one who has refused it.  What will do in a while (RFC 6120 §8.3.2), or did
 * not come through in time, says nothing of what he saw before. */
static bool
error_is_final(const struct stanza *st)
{
	const struct elem *error = stanza_child(st, NS_CLIENT, "error");

	return error == NULL ||
		(!str_is(elem_attr(error, "type"), "wait") &&
			elem_child(error, NS_STANZAS,
				"remote-server-timeout") == NULL);
}

/* Nor does a room put out whom it has in it by an error: what it refuses is what he said
 * last, such as presence that is too large, or a nickname. */
static bool
says_gone(const struct stanza *st, const struct address *to)
{
	return st->type == PRESENCE_UNAVAILABLE ||
		(st->type == PRESENCE_ERROR && !to->marked && error_is_final(st));
}

/* A room shows a session itself: it has it in it (XEP-0045 §7.2.2). */
static bool
says_inside(const struct stanza *st)
{
	const struct elem *x = stanza_child(st, NS_MUC_USER, "x");

	if (st->type != PRESENCE_AVAILABLE || x == NULL)
		return false;
	elem_each_child(x, e)
		if (elem_is(e, NS_MUC_USER, "status") &&
			str_is(elem_attr(e, "code"), "110"))
			return true;
	return false;
}

/* §4.6.1: one who has left need not be told when we do, and one whom our
 * presence did not reach knows nothing of us.  But what a room says of somebody who
 * has left it may cross his coming in again: then its next word is that he is in it. */
static void
note_target(struct directed *d, const struct session *s, const struct stanza *st)
{
	const struct server *srv = session_shard(s)->server;
	struct address *to = address_set_find(&d->to, srv, st->from);

	if (to != NULL && says_gone(st, to)) {
		if ((int64_t)d->left.all.n >= directed_max(s))
			address_set_clear(&d->left);
		set_remove(&d->to, srv, st->from);
		if (address_set_find(&d->left, srv, st->from) == NULL)
			address_set_add(&d->left, srv, st->from);
	} else if (to != NULL) {
		to->marked = to->marked || says_inside(st);
	} else if (d->left.all.n != 0 && says_inside(st) &&
		address_set_find(&d->left, srv, st->from) != NULL) {
		set_remove(&d->left, srv, st->from);
		address_set_add(&d->to, srv, st->from);
		mark(d, s, st->from);
	}
}

void
directed_note(struct module_ctx *m, struct account *acc, const struct stanza *st)
{
	struct session *s;

	if (st->kind != STANZA_PRESENCE || jid_is_bare(st->to))
		return;
	s = session_find(acc, jid_resource(st->to));
	if (s != NULL && s->slots != NULL)
		note_target(module_session_state(m, s), s, st);
}
