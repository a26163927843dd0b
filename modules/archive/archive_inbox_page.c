/*
 * archive_inbox_page.c - a page of the conversations of an archive is shown
 * (XEP-0430 §3), as its client takes it.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include <stdio.h>

#include "archive_inbox.h"

#define SHOWN_AT_ONCE 16

static void inbox_show(struct module_ctx *m, struct archive_inbox *ib);

/* --- what belongs to it ---------------------------------------------------------------- */

static bool
talk_matches(const struct archive_inbox *ib, const struct talk *t)
{
	return !ib->unread_only || t->unread > 0;
}

/* Newer than what the page begins behind, or older than where it ends (XEP-0059 §2.2,
 * §2.3). */
static bool
talk_is_outside(const struct archive_inbox *ib, const struct talk *t)
{
	uint64_t number = store_id_number(t->last);

	return (ib->rsm.after.p != NULL &&
		       number >= store_id_number(ib->rsm.after)) ||
		(ib->rsm.before.n != 0 &&
			number <= store_id_number(ib->rsm.before));
}

/* Leaves those of the page, at the front. */
static void
page_cut(struct archive_inbox *ib)
{
	size_t n = 0;

	for (size_t i = 0; i < ib->n; i++) {
		if (!talk_matches(ib, &ib->talks[i]))
			continue;
		ib->matches++;
		if (!talk_is_outside(ib, &ib->talks[i]))
			ib->talks[n++] = ib->talks[i];
	}
	ib->begin = ib->rsm.backwards && n > ib->max ? n - ib->max : 0;
	ib->end = MIN(n, ib->begin + ib->max);
	ib->at = ib->begin;
}

static void
number_set(struct arena *a, struct elem *e, const char *name, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

	elem_set_attr(a, e, name, (struct str){ text, (size_t)len });
}

/* As it stands with all of them, before the page is cut (§3.1). */
static struct elem *
fin_new(struct archive_inbox *ib)
{
	struct arena *a = ib->iq->st->arena;
	struct elem *fin = iq_payload(ib->iq, NS_INBOX, "fin");
	uint64_t some = 0, all = 0;

	for (size_t i = 0; i < ib->n; i++) {
		some += ib->talks[i].unread > 0;
		all += ib->talks[i].unread;
	}
	number_set(a, fin, "total", ib->n);
	number_set(a, fin, "unread", some);
	number_set(a, fin, "all-unread", all);
	return fin;
}

static void
inbox_answer(struct archive_inbox *ib)
{
	struct rsm_page page = { .count = (int64_t)ib->matches,
		.by_index = ib->rsm.by_index };

	if (ib->begin < ib->end) {
		page.first = ib->talks[ib->begin].last;
		page.last = ib->talks[ib->end - 1].last;
	}
	rsm_add(ib->iq->st->arena, ib->fin, &page);
	iq_result(ib->iq, ib->fin);
	inbox_free(ib);
}

/* As XEP-0313 §4.2 says, in the answer to this iq; e may have changed since. */
static void
result_add(const struct archive_inbox *ib, struct stanza *st,
	const struct store_entry *e)
{
	struct arena *a = st->arena;
	struct elem *message = stored_read(a, e->value);
	struct elem *result, *forwarded, *delay;
	char stamp[DATETIME_SIZE];

	if (message == NULL)
		return;
	result = elem_add(a, st->root, NS_MAM, "result");
	elem_set_attr(a, result, "queryid", ib->iq->st->id);
	elem_set_attr(a, result, "id", e->key);
	forwarded = elem_add(a, result, NS_FORWARD, "forwarded");
	delay = elem_add(a, forwarded, NS_DELAY, "delay");
	elem_set_attr(a, delay, "stamp", datetime_format(stamp, e->wall_us));
	elem_append(forwarded, message);
}

/* e: its last message, or NULL. */
static void
talk_show(struct archive_inbox *ib, const struct talk *t,
	const struct store_entry *e)
{
	struct session *s = ib->session;
	struct stanza *st = stanza_new(MESSAGE_NORMAL, s->account->e.jid,
		session_jid(s), STR_NONE);
	struct elem *entry = elem_add(st->arena, st->root, NS_INBOX, "entry");

	number_set(st->arena, entry, "unread", t->unread);
	elem_set_attr(st->arena, entry, "jid", t->with);
	elem_set_attr(st->arena, entry, "id", t->last);
	if (e != NULL)
		result_add(ib, st, e);
	session_write(s, st);
	stanza_free(st);
}

/* It is the turn of the next one, when the client keeps up. */
static void
inbox_show_next(struct module_ctx *m, struct archive_inbox *ib)
{
	if (ib->at == ib->end) {
		inbox_answer(ib);
		return;
	}
	if (!session_is_full(ib->session)) {
		inbox_show(m, ib);
		return;
	}
	ib->waits = true;
	if (!ib->passed)
		ib->passed = iq_pass_on(ib->iq);
	if (!ib->passed)
		inbox_free(ib);
}

/* Those that stand before the ones of the answer have no message, or it has gone
 * meanwhile; when the answer is not complete, those behind it are still to come. */
static void
on_messages(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_inbox *ib = arg;
	struct module_ctx *m = inbox_read(ib, err);
	size_t n = 0;

	if (m == NULL)
		return;
	for (size_t end = ib->at + ib->n_asked; ib->at < end; ib->at++) {
		const struct talk *t = &ib->talks[ib->at];
		bool has = n < answer->n && t->message.p != NULL &&
			str_eq(answer->entries[n].key, t->message);

		if (!has && n == answer->n && !answer->complete)
			break;
		talk_show(ib, t, has ? &answer->entries[n] : NULL);
		n += has;
	}
	inbox_show_next(m, ib);
}

static void
inbox_show(struct module_ctx *m, struct archive_inbox *ib)
{
	struct str ids[SHOWN_AT_ONCE];
	size_t n = 0;

	ib->n_asked = MIN(ib->end - ib->at, SHOWN_AT_ONCE);
	for (size_t i = 0; ib->messages && i < ib->n_asked; i++)
		if (ib->talks[ib->at + i].message.p != NULL)
			ids[n++] = ib->talks[ib->at + i].message;
	ib->reads = true;
	module_get_entries(m, ib->iq->shard, inbox_place(ib), ids, n, ARCHIVE_SLICE_BYTES,
		on_messages, ib);
}

void
inbox_show_page(struct module_ctx *m, struct archive_inbox *ib)
{
	ib->fin = fin_new(ib);
	page_cut(ib);
	inbox_show_next(m, ib);
}

void
archive_inboxes_go_on(struct module_ctx *m, struct session *s)
{
	struct archive_session *as = module_session_state_if_made(m, s);
	struct archive_inbox *ib, *next;

	for (ib = as != NULL ? LIST_FIRST(&as->inboxes) : NULL; ib != NULL;
		ib = next) {
		next = LIST_NEXT(ib, link);
		if (!ib->waits)
			continue;
		ib->waits = false;
		inbox_show_next(m, ib);
	}
}
