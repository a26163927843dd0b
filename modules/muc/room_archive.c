/*
 * room_archive.c - what a room lets be read of its archive, and by whom (XEP-0313 §6.1.2).
 *
 * Owner shard of the room.  Who could enter now may ask, from wherever he is, and is shown
 * real addresses if he would see them now: that is looked at whenever something has been
 * read for him, so that what changes meanwhile is in force at once.
 *
 *	asked --it is the first of its asker--> slice, slice, ... --> answered --> gone
 *	          each    --(he has not got all of it)--> waiting --(he has)--> each
 *	                  --(nobody could let him in now)--> refused
 *
 * What goes out is a stanza as any other, with a receipt (core/receipt.h), so that no more
 * than a slice of it is on its way to one asker; and a page ends at PAGE_BYTES, though more
 * were asked for, so that others have their turn.  Of one client one
 * thing is under way, so that none waits for another one that sleeps; of a user few wait,
 * and of all as much as ASKS_BYTES.
 *
 * Invariant: an ask is in the list of its room until that has left, or it is answered and
 * nothing of it is on its way.
 */
#include "config.h"

#include <string.h>

#include "room.h"
#include "room_ask.h"

/* Where the client does not say how many. */
#define PAGE_DEFAULT 50
#define PAGE_BYTES ((size_t)1 << 20)
/* That wait: of one client, of one user, and of one user beside the first, in all. */
#define OF_CLIENT_MAX 8
#define OF_USER_MAX 16
#define OF_USER_BYTES ((size_t)256 << 10)
#define ASKS_BYTES ((size_t)4 << 20)
/* That read at once. */
#define READS_MAX 16

static void asks_look(struct room *r);

/* --- who may --------------------------------------------------------------------------- */

static enum stanza_cond
may_ask(const struct room *r, struct jid who)
{
	if (r->state != ROOM_OPEN)
		return COND_ITEM_NOT_FOUND;
	if (!room_has_archive(r))
		return COND_SERVICE_UNAVAILABLE;
	return room_is_open_to(r, who) ? COND_NONE : COND_FORBIDDEN;
}

/* --- its end --------------------------------------------------------------------------- */

static void
ask_free(struct room_ask *k)
{
	struct room_asks *asks = &k->room->asks;
	struct room_ask *next = TAILQ_NEXT(k, link);

	while (next != NULL && !jid_eq(next->by, k->by))
		next = TAILQ_NEXT(next, link);
	if (next != NULL && k->first)
		next->first = true;
	TAILQ_REMOVE(&asks->all, k, link);
	asks->bytes -= k->bytes;
	receipt_line_end(&k->line);
	if (TAILQ_EMPTY(&asks->all))
		entity_check_idle(&k->room->e);
	free(k);
}

/* It goes when nothing of it is on its way any more: he has got it, or never will. */
static void
ask_leave(struct room_ask *k)
{
	k->iq = NULL;
	k->waits = k->line.n_out != 0;
	if (!k->waits)
		ask_free(k);
}

static void
ask_fail(struct room_ask *k, enum stanza_cond cond, const char *why)
{
	iq_error(k->iq, cond, why);
	ask_leave(k);
}

static void
ask_answer(struct room_ask *k, struct elem *payload)
{
	iq_result(k->iq, payload);
	ask_leave(k);
}

/* --- the store ------------------------------------------------------------------------- */

/* As he may now; false: k has ended. */
static bool
ask_check(struct room_ask *k)
{
	enum stanza_cond cond = k->lost ? COND_RECIPIENT_UNAVAILABLE :
					  may_ask(k->room, k->by);

	k->real = cond == COND_NONE && room_shows_real(k->room, k->by);
	if (cond == COND_NONE && k->by_real && !k->real)
		cond = COND_FORBIDDEN;
	if (cond != COND_NONE)
		ask_fail(k, cond, NULL);
	return cond == COND_NONE;
}

/* NULL: k has ended, or its room. */
static struct room *
ask_find(struct room_ask *k)
{
	struct room *r = k->room;

	k->reads = false;
	if (r == NULL) {
		free(k);
		return NULL;
	}
	r->asks.n_reads--;
	if (room_conf(r) == NULL)
		ask_fail(k, COND_ITEM_NOT_FOUND, NULL);
	else if (ask_check(k))
		return r;
	asks_look(r);
	return NULL;
}

static void
page_went(struct room_ask *k, enum archive_outcome is)
{
	struct elem *fin;

	switch (is) {
	case ARCHIVE_GOES_ON:
		k->waits = k->line.n_out != 0;
		break;
	case ARCHIVE_IS_WHOLE:
		fin = iq_payload(k->iq, NS_MAM, "fin");
		archive_page_fin(&k->page, fin);
		ask_answer(k, fin);
		break;
	case ARCHIVE_FAILS:
		ask_fail(k, k->page.cond, k->page.why);
		break;
	}
}

static void
on_page_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct room_ask *k = arg;
	struct room *r = ask_find(k);

	if (r == NULL)
		return;
	page_went(k, archive_page_take(&k->page, answer, err));
	asks_look(r);
}

/* It may be empty, or have become so meanwhile (§5). */
static void
on_end_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct room_ask *k = arg;
	struct room *r = ask_find(k);

	if (r == NULL)
		return;
	if (err != NULL) {
		ask_fail(k, stanza_cond_of(err->code), NULL);
	} else if (answer->n == 0) {
		ask_answer(k, iq_payload(k->iq, NS_MAM, "metadata"));
	} else {
		archive_end_add(k->iq->st->arena, k->metadata,
			k->step == ASK_START ? "start" : "end",
			answer->entries[0].key, answer->entries[0].wall_us);
		if (k->step == ASK_START)
			k->step = ASK_END;
		else
			ask_answer(k, k->metadata);
	}
	asks_look(r);
}

static void
ask_read(struct room_ask *k)
{
	struct room *r = k->room;
	struct store_place at = entity_place(&r->e, LOG_ARCHIVE);
	struct module_ctx *m = module_of_entity(&r->e);
	const struct store_range end = { .max = 1,
		.backwards = k->step == ASK_END };
	struct archive_read read;

	k->reads = true;
	r->asks.n_reads++;
	if (k->step != ASK_PAGE) {
		module_range(m, r->e.shard, at, &end, on_end_read, k);
		return;
	}
	archive_page_reads(&k->page, &read);
	if (read.by_ids)
		module_get_entries(m, r->e.shard, at, read.ids, read.n_ids,
			ARCHIVE_SLICE_BYTES, on_page_read, k);
	else
		module_range(m, r->e.shard, at, &read.range, on_page_read, k);
}

/* Whatever can go on does. */
static void
asks_look(struct room *r)
{
	struct room_ask *k, *next;

	for (k = TAILQ_FIRST(&r->asks.all);
		k != NULL && r->asks.n_reads < READS_MAX; k = next) {
		next = TAILQ_NEXT(k, link);
		if (!k->first || k->reads || k->waits)
			continue;
		if (room_conf(r) == NULL)
			ask_fail(k, COND_ITEM_NOT_FOUND, NULL);
		else if (ask_check(k))
			ask_read(k);
	}
}

bool
room_archive_lost(struct room *r, const struct stanza *error)
{
	struct room_ask *k;

	if (!room_has_shown(r, error))
		return false;
	TAILQ_FOREACH (k, &r->asks.all, link)
		k->lost |= jid_eq(k->by, error->from);
	asks_look(r);
	return true;
}

/* Some of what was on its way has come to him, or is lost. */
static void
on_moved(struct turn_end *t)
{
	struct receipt_line *line = CONTAINER_OF(t, struct receipt_line, moved);
	struct room_ask *k = CONTAINER_OF(line, struct room_ask, line);
	struct room *r = k->room;

	if (line->n_out != 0)
		return;
	k->waits = false;
	if (k->iq == NULL)
		ask_free(k);
	asks_look(r);
}

/* --- asking ---------------------------------------------------------------------------- */

/* Is there room for one more, of so many bytes?  *first_out: of this client it is the
 * first. */
static bool
asks_take(const struct room *r, struct jid by, size_t bytes, bool *first_out)
{
	unsigned of_client = 0, of_user = 0;
	const struct room_ask *k;
	size_t user_bytes = 0;

	TAILQ_FOREACH (k, &r->asks.all, link) {
		if (!jid_eq_bare(k->by, by))
			continue;
		of_user++;
		of_client += jid_eq(k->by, by);
		user_bytes += k->bytes;
	}
	*first_out = of_client == 0;
	return of_client < OF_CLIENT_MAX && of_user < OF_USER_MAX &&
		(of_user == 0 || user_bytes + bytes <= OF_USER_BYTES) &&
		r->asks.bytes + bytes <= ASKS_BYTES;
}

/* NULL: it has been refused. */
static struct room_ask *
ask_new(struct room *r, struct iq *iq, enum ask_step step)
{
	struct jid by = iq->st->from;
	size_t bytes = sizeof(struct room_ask) + by.len + stanza_bytes(iq->st);
	enum stanza_cond cond = may_ask(r, by);
	struct room_ask *k;
	bool first;

	if (cond == COND_NONE && !asks_take(r, by, bytes, &first))
		cond = COND_RESOURCE_CONSTRAINT;
	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k) + by.len);
	memcpy(k + 1, by.text, by.len);
	k->by = by;
	k->by.text = (const char *)(k + 1);
	k->room = r;
	k->iq = iq;
	k->bytes = bytes;
	k->step = step;
	k->first = first;
	receipt_line_begin(&k->line, r->e.shard, 0, on_moved);
	TAILQ_INSERT_TAIL(&r->asks.all, k, link);
	r->asks.bytes += bytes;
	entity_in_use(&r->e);
	iq_keep(iq);
	return k;
}

/* §4.1.1: a nickname's address is what all see; whose a real one is, and what he has said,
 * is for those who may know. */
static void
ask_set_with(struct room_ask *k)
{
	struct jid with = k->page.q->with;
	struct arena *a = k->iq->st->arena;

	if (!jid_is_set(with))
		return;
	if (jid_eq_bare(with, k->room->e.jid)) {
		k->nick = stored_attr_text(a, jid_str(with));
		k->page.sifts = true;
		return;
	}
	k->by_real = !jid_eq_bare(with, k->by);
	k->page.peer = jid_bare_str(with);
	k->page.sifts = !jid_is_bare(with);
	if (k->page.sifts)
		k->resource = jid_resource(with);
}

static void
page_begin(struct room *r, struct room_ask *k, const struct archive_query *q,
	uint32_t max)
{
	enum archive_outcome is;

	k->page = (struct archive_page){
		.a = k->iq->st->arena,
		.q = q,
		.xml = r->e.shard->xml,
		.to = &room_asker,
		.arg = k,
		.max = max,
		.max_bytes = PAGE_BYTES,
	};
	ask_set_with(k);
	is = archive_page_begin(&k->page);
	if (is != ARCHIVE_GOES_ON)
		page_went(k, is);
}

enum hook_result
muc_on_archive_query(struct module_ctx *m, struct iq *iq)
{
	const struct muc_conf *conf = m->conf;
	struct arena *a = iq->st->arena;
	struct archive_query *q = arena_zalloc(a, sizeof(*q));
	struct room *r = room_of(iq->entity);
	const char *text = NULL;
	enum stanza_cond cond = may_ask(r, iq->st->from);
	struct room_ask *k;

	if (cond == COND_NONE)
		cond = archive_query_read(a, iq->payload, conf->archive_search,
			q, &text);
	if (cond != COND_NONE) {
		iq_error(iq, cond, text);
		return HOOK_HANDLED;
	}
	k = ask_new(r, iq, ASK_PAGE);
	if (k != NULL) {
		page_begin(r, k, q,
			MIN((uint32_t)conf->archive_page_max,
				q->rsm.has_max ? q->rsm.max : PAGE_DEFAULT));
		asks_look(r);
	}
	return HOOK_HANDLED;
}

enum hook_result
muc_on_archive_metadata(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	struct room_ask *k = ask_new(r, iq, ASK_START);

	(void)m;
	if (k != NULL) {
		k->metadata = iq_payload(iq, NS_MAM, "metadata");
		asks_look(r);
	}
	return HOOK_HANDLED;
}

enum hook_result
muc_on_archive_form(struct module_ctx *m, struct iq *iq)
{
	const struct muc_conf *conf = m->conf;
	enum stanza_cond cond = may_ask(room_of(iq->entity), iq->st->from);
	struct elem *query;

	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
		return HOOK_HANDLED;
	}
	query = iq_payload(iq, NS_MAM, "query");
	archive_form_add(iq->st->arena, query, conf->archive_search);
	iq_result(iq, query);
	return HOOK_HANDLED;
}

void
room_archive_features(const struct room *r, struct arena *a, struct elem *query)
{
	static const char *const features[] = { NS_MAM, NS_MAM "#extended", NS_RSM,
		NS_ORDER_BY, NS_ORDER_BY "@" NS_MAM, NS_FULLTEXT };
	const struct muc_conf *conf = room_conf(r);

	if (conf == NULL || !room_has_archive(r))
		return;
	for (size_t i = 0; i < COUNT(features) - !conf->archive_search; i++)
		elem_set_attr(a, elem_add(a, query, NS_DISCO_INFO, "feature"),
			"var", str_c(features[i]));
}

/* --- of a room ------------------------------------------------------------------------- */

void
room_asks_init(struct room_asks *asks)
{
	*asks = (struct room_asks){ .bytes = 0 };
	TAILQ_INIT(&asks->all);
}

void
room_asks_done(struct room_asks *asks)
{
	struct room_ask *k;

	while ((k = TAILQ_FIRST(&asks->all)) != NULL) {
		TAILQ_REMOVE(&asks->all, k, link);
		receipt_line_end(&k->line);
		if (k->iq != NULL)
			iq_error(k->iq, COND_SERVICE_UNAVAILABLE, NULL);
		k->room = NULL;
		if (!k->reads)
			free(k);
	}
}
