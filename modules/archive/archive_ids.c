/*
 * archive_ids.c - what a query names by ids: bounds, and messages (XEP-0313 §4.1.3,
 * §4.3.2); and what was found goes out by ids.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include <stdlib.h>

#include "archive_page.h"

/* --- bounds --------------------------------------------------------------------------- */

static bool
id_can_be(struct str id)
{
	return id.n != 0 && id.n < STORE_ID_SIZE;
}

/* The one of two bounds that leaves less; either may be STR_NONE. */
static struct str
bound_of(struct str a, struct str b, bool highest)
{
	if (a.p == NULL || b.p == NULL)
		return a.p != NULL ? a : b;
	return (store_id_number(a) > store_id_number(b)) == highest ? a : b;
}

static int
id_cmp(const void *a, const void *b)
{
	const struct str *left = a, *right = b;
	uint64_t l = store_id_number(*left), r = store_id_number(*right);

	return l != r ? (l > r) - (l < r) : str_cmp(*left, *right);
}

/* Oldest first, and each once. */
static void
ids_add_sorted(struct archive_page *p)
{
	const struct archive_query *q = p->q;

	if (q->n_ids != 0)
		qsort(q->ids, q->n_ids, sizeof(q->ids[0]), id_cmp);
	for (size_t i = 0; i < q->n_ids; i++) {
		if (i == 0 || !str_eq(q->ids[i], q->ids[i - 1]))
			*vec_push_in(p->iq->st->arena, &p->ids) = q->ids[i];
	}
}

bool
archive_page_set_bounds(struct archive_page *p)
{
	const struct archive_query *q = p->q;
	bool turned = q->descending;
	struct str after = turned ? q->rsm.before : q->rsm.after;
	struct str before = turned ? q->rsm.after : q->rsm.before;
	const struct str bounds[] = { q->after_id, after, q->before_id, before };

	p->lower = bound_of(q->after_id, after, true);
	p->upper = bound_of(q->before_id, before, false);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		if (bounds[i].p != NULL)
			*vec_push_in(p->iq->st->arena, &p->ids) = bounds[i];
	}
	p->n_bounds = p->ids.n;
	ids_add_sorted(p);
	if (!q->by_ids && !(q->after_id.p != NULL && after.p != NULL) &&
		!(q->before_id.p != NULL && before.p != NULL))
		p->step = PAGE_WALK;
	for (size_t i = 0; i < p->ids.n; i++) {
		if (!id_can_be(p->ids.p[i]))
			return false;
	}
	if (p->step == PAGE_WALK)
		p->ids.n = 0;
	return true;
}

/* --- fetch ------------------------------------------------------------------------------ */

/* Is it one of those that are still to come?  In a damaged database an index may lead to
 * another. */
static bool
fetched_find(struct archive_page *p, struct str id)
{
	for (size_t i = p->next; i < p->ids.n; i++) {
		if (str_eq(p->ids.p[i], id)) {
			p->next = i + 1;
			return true;
		}
	}
	return false;
}

/* Those that have gone meanwhile are left out. */
static void
on_fetched(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_page *p = arg;
	struct module_ctx *m = archive_page_read(p, err);
	struct stanza *like;
	size_t before;

	if (m == NULL)
		return;
	like = archive_page_like(p);
	before = p->next;
	for (size_t i = 0; i < answer->n; i++) {
		if (fetched_find(p, answer->entries[i].key))
			archive_page_show(p, &answer->entries[i], like);
	}
	stanza_free(like);
	if (p->next == before)
		p->next++; /* so that it ends */
	if (answer->complete || p->next == p->ids.n)
		archive_page_answer(m, p);
	else
		archive_page_next(m, p);
}

void
archive_page_fetch(struct module_ctx *m, struct archive_page *p)
{
	module_get_entries(m, p->iq->shard, archive_page_place(p), p->ids.p + p->next,
		p->ids.n - p->next, SLICE_BYTES, on_fetched, p);
}

void
archive_page_turn(struct archive_page *p)
{
	struct str *ids = p->ids.p;
	size_t n = p->ids.n;

	for (size_t i = 0; i < n / 2; i++) {
		struct str id = ids[i];

		ids[i] = ids[n - 1 - i];
		ids[n - 1 - i] = id;
	}
}

/* --- check ---------------------------------------------------------------------------- */

static bool
has_words(const struct archive_page *p, const struct store_entry *e)
{
	const struct elem *message;
	struct arena *a;
	bool has;

	if (p->q->words.p == NULL)
		return true;
	message = stored_read_own(p->iq->shard->xml, e->value, &a);
	if (message == NULL)
		return false;
	has = archive_has_words(a, message, p->q->words);
	arena_free(a);
	return has;
}

/* For those that are asked for by their ids, what else the store would look at. */
static bool
is_meant(const struct archive_page *p, const struct store_entry *e)
{
	const struct archive_query *q = p->q;
	uint64_t number = store_id_number(e->key);

	return (p->peer.p == NULL || str_eq(e->with, p->peer)) &&
		(q->since_us == 0 || e->wall_us >= q->since_us) &&
		(q->until_us == 0 || e->wall_us <= q->until_us) &&
		(p->lower.p == NULL || number > store_id_number(p->lower)) &&
		(p->upper.p == NULL || number < store_id_number(p->upper)) &&
		archive_page_is_of_full(p, e) && has_words(p, e);
}

/* All that is asked for has been looked at: the ids that are meant are at the front,
 * oldest first.  They are the whole set, of which the page is a part. */
static void
page_checked(struct module_ctx *m, struct archive_page *p)
{
	struct ids *ids = &p->ids;
	size_t n = MIN(p->n_meant, p->max);

	if (!p->q->by_ids) {
		p->step = PAGE_WALK;
		ids->n = 0;
		archive_page_next(m, p);
		return;
	}
	p->more = p->n_meant > n;
	if (p->from_end)
		ids->p += p->n_meant - n;
	ids->n = n;
	if (p->downwards)
		archive_page_turn(p);
	p->next = 0;
	p->step = PAGE_FETCH;
	if (n != 0)
		archive_page_next(m, p);
	else
		archive_page_answer(m, p);
}

/* XEP-0313 §4.1.3: one that is not there fails the query, before anything is sent. */
static void
on_checked(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_page *p = arg;
	struct module_ctx *m = archive_page_read(p, err);
	bool missing = false;

	if (m == NULL)
		return;
	for (size_t i = 0; i < answer->n && !missing; i++) {
		const struct store_entry *e = &answer->entries[i];
		struct str id = p->ids.p[p->next];

		missing = !str_eq(id, e->key);
		if (p->next++ >= p->n_bounds && is_meant(p, e))
			p->ids.p[p->n_meant++] = id;
	}
	if (missing || (answer->complete && p->next < p->ids.n))
		archive_page_fail(m, p, COND_ITEM_NOT_FOUND, NULL);
	else if (p->next == p->ids.n)
		page_checked(m, p);
	else
		archive_page_next(m, p);
}

void
archive_page_check(struct module_ctx *m, struct archive_page *p)
{
	module_get_entries(m, p->iq->shard, archive_page_place(p), p->ids.p + p->next,
		p->ids.n - p->next, SLICE_BYTES, on_checked, p);
}
