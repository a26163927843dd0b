/*
 * presence_probe.c - answers those who ask who is there (RFC 6121 §4.3.2, §4.6.6).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "presence.h"

/* A probe that waits for the time of the last presence. */
struct absence {
	struct entity_ref account;
	struct stanza *probe;
};

static int64_t
seen_at(struct arena *a, const struct store_answer *found)
{
	struct elem *seen =
		found->n != 0 ? stored_read(a, found->entries[0].value) : NULL;
	int64_t at_us;

	if (seen == NULL || !datetime_parse(elem_attr(seen, "at"), &at_us))
		return 0;
	return at_us;
}

static void
on_last_seen(void *arg, const struct store_answer *found, const struct err *err)
{
	struct absence *absence = arg;
	struct account *acc = account_if(entity_ref_end(&absence->account));
	struct stanza *st;
	int64_t at_us;

	if (acc != NULL && !account_is_visible(acc)) {
		st = stanza_new(PRESENCE_UNAVAILABLE, acc->e.jid,
			absence->probe->from, absence->probe->id);
		at_us = err == NULL ? seen_at(st->arena, found) : 0;
		if (at_us != 0)
			stanza_add_delay(st, STR_NONE, at_us);
		account_send(acc, st);
	}
	stanza_free(absence->probe);
	free(absence);
}

/* §4.3.2, 3; with the id of the probe, §4.3.2.1, which is taken. */
static void
answer_absent(struct module_ctx *m, struct account *acc, struct stanza *probe)
{
	struct absence *absence = xmalloc(sizeof(*absence));

	entity_ref(&absence->account, &acc->e);
	absence->probe = probe;
	module_get(m, acc->e.shard, account_place(acc, MAP_LAST),
		STR(KEY_SEEN), on_last_seen, absence);
}

/* §4.3.2, 4: of a resource that was named, only that it is there. */
static void
answer_present(struct account *acc, struct session *s, struct jid to, bool whole)
{
	struct stanza *st;

	if (!whole) {
		account_send(acc, stanza_new(PRESENCE_AVAILABLE,
					  session_jid(s), to, STR_NONE));
		return;
	}
	st = session_presence(s);
	stanza_set_to(st, to);
	account_send(acc, st);
}

/* probe is taken. */
static void
answer_all(struct module_ctx *m, struct account *acc, struct stanza *probe)
{
	struct session *s;

	if (!account_is_visible(acc)) {
		answer_absent(m, acc, probe);
		return;
	}
	for (s = acc->sessions; s != NULL; s = s->next) {
		if (session_is_visible(s))
			answer_present(acc, s, probe->from, true);
	}
	stanza_free(probe);
}

/* To one who asks and may not know: the same whether there is such an account
 * or not (§4.3.2, 1; hostile 53).  He ends his subscription then, so it is not said
 * of a cancellation that is not on disk yet, and may fail. */
static void
answer_stranger(struct module_ctx *m, struct account *acc, struct session *s,
	const struct stanza *probe)
{
	struct roster_change *ch;

	if (s != NULL && presence_was_sent_to(m, s, probe->from)) {
		answer_present(acc, s, probe->from, false);
		return;
	}
	ch = roster_change_new(acc, probe->from);
	roster_change_send(ch,
		stanza_new(PRESENCE_UNSUBSCRIBED, acc->e.jid,
			jid_bare(probe->from), probe->id));
	roster_change_commit(ch, NULL);
}

void
presence_on_probe(struct module_ctx *m, struct account *acc, struct stanza *st)
{
	struct jid from = st->from;
	bool whole = jid_is_bare(st->to);
	struct session *s =
		whole ? NULL : session_find(acc, jid_resource(st->to));

	if (acc->exists && whole && account_shows_presence_to(acc, from)) {
		answer_all(m, acc, st);
		return;
	}
	if (!acc->exists || !account_shows_presence_to(acc, from))
		answer_stranger(m, acc, s, st);
	else if (s != NULL &&
		(session_is_visible(s) || presence_was_sent_to(m, s, from)))
		answer_present(acc, s, from, false);
	stanza_free(st);
}
