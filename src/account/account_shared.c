/*
 * account_shared.c - what an account receives as one of many: a part of an audience
 * (core/audience.h).
 *
 * Each session is written the same bytes, where nobody has to look inside, or wait.
 */
#include "config.h"

#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/fanout.h"
#include "core/host.h"
#include "account/account_int.h"
#include "account/session.h"

/* As one that came for it alone, when the short way will not do. */
static void
account_receive_copy(struct account *acc, const struct stanza *st,
	struct jid to, bool hooks)
{
	struct stanza *copy = stanza_copy(st);

	copy->many = NULL;
	stanza_set_to(copy, to);
	if (hooks || acc->hold != NULL) {
		account_receive(&acc->e, copy);
	} else {
		account_receive_unseen(acc, copy);
	}
}

/* Few servers have one: to look up the host of each contact is spared. */
static bool
handlers_want_shared(const struct account *acc)
{
	const struct host *host;

	if (!acc->e.shard->snap->shared)
		return false;
	host = account_host(acc);
	return host != NULL && host->shared;
}

/* What is said to all, and is gone when it has been heard: no handler keeps it.
 * A groupchat to a bare address nobody hears (RFC 6121 §8.5.2.1.1). */
static bool
is_shared(const struct stanza *st, const struct fanout_one *one)
{
	return st->type == PRESENCE_AVAILABLE ||
		st->type == PRESENCE_UNAVAILABLE ||
		st->type == MESSAGE_HEADLINE ||
		(st->type == MESSAGE_GROUPCHAT && !jid_is_bare(one->to));
}

/* What is shared is not changed: a message with an id that is not the sender's
 * own, and could be anybody's, is copied. */
static bool
has_foreign_id(const struct stanza *st)
{
	if (st->kind != STANZA_MESSAGE)
		return false;
	elem_each_child(st->root, e) {
		if (elem_is(e, NS_SID, "stanza-id") &&
			!str_eq(elem_attr(e, "by"), jid_bare_str(st->from)))
			return true;
	}
	return false;
}

/* Who is named, or those whom RFC 6121 §8.5.2.1 means by a bare address. */
static void
account_write_message(struct account *acc, struct stanza *st,
	struct fanout_one *one)
{
	struct str resource = jid_resource(one->to);
	struct session *s, *next;
	bool any = false;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (resource.p != NULL ?
				!str_eq(session_resource(s), resource) :
				!session_takes_messages(s))
			continue;
		session_write_shared(s, st, &one->wire, jid_str(one->to));
		any = true;
	}
	/* who speaks there has to learn that he is gone */
	if (!any && st->type == MESSAGE_GROUPCHAT)
		account_receive_copy(acc, st, one->to, true);
}

/* The same, of presence. */
static void
account_write_presence(struct account *acc, struct stanza *st,
	struct fanout_one *one)
{
	struct str resource = jid_resource(one->to);
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (resource.p != NULL ?
				str_eq(session_resource(s), resource) :
				session_is_available(s))
			session_write_shared(s, st, &one->wire,
				jid_str(one->to));
	}
}

/* Each session that wants it is named then. */
static void
account_write_filtered(struct account *acc, struct stanza *st,
	struct fanout_one *one, bool copies, bool hooks)
{
	const struct host *host = account_host(acc);
	struct str resource = jid_resource(one->to);
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if ((resource.p != NULL &&
			    !str_eq(session_resource(s), resource)) ||
			!session_is_available(s) ||
			!fanout_wants(one->fanout, host, s))
			continue;
		if (copies)
			account_receive_copy(acc, st, session_jid(s), hooks);
		else
			session_write_shared(s, st, &one->wire,
				jid_str(session_jid(s)));
	}
}

/*
 * Of presence of a contact, or a probe: the server knows both sides, so of probes
 * it sends those only that will be answered (RFC 6121 §4.3.1).
 */
bool
account_receive_shared(struct entity *e, struct stanza *st,
	struct fanout_one *one)
{
	struct account *acc = account_of(e);
	bool hooks = !is_shared(st, one) || acc->blocked != NULL ||
		handlers_want_shared(acc);
	bool copies = hooks || acc->hold != NULL ||
		!account_line_is_empty(acc) || has_foreign_id(st);

	if (st->type == PRESENCE_PROBE &&
		(!account_is_visible(acc) ||
			!account_shows_presence_to(acc, st->from)))
		return true;
	if (one->filtered)
		account_write_filtered(acc, st, one, copies, hooks);
	else if (copies)
		account_receive_copy(acc, st, one->to, hooks);
	else if (st->kind == STANZA_PRESENCE)
		account_write_presence(acc, st, one);
	else
		account_write_message(acc, st, one);
	return true;
}
