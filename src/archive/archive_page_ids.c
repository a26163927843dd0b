/*
 * archive_page_ids.c - what a query names by ids: bounds, and messages (XEP-0313 §4.1.3,
 * §4.3.2); and what was found goes out by ids.
 */
#include "config.h"

#include "archive/archive_page_int.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/stored.h"
#include "archive/archive_words.h"

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
			*vec_push_in(p->a, &p->ids) = q->ids[i];
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
			*vec_push_in(p->a, &p->ids) = bounds[i];
	}
	p->n_bounds = p->ids.n;
	ids_add_sorted(p);
	if (!q->by_ids && !(q->after_id.p != NULL && after.p != NULL) &&
		!(q->before_id.p != NULL && before.p != NULL))
		p->step = ARCHIVE_WALK;
	for (size_t i = 0; i < p->ids.n; i++) {
		if (!id_can_be(p->ids.p[i]))
			return false;
	}
	if (p->step == ARCHIVE_WALK)
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
enum archive_outcome
archive_page_fetched(struct archive_page *p, const struct store_answer *answer)
{
	size_t before = p->next;

	for (size_t i = 0; i < answer->n; i++) {
		if (fetched_find(p, answer->entries[i].key))
			archive_page_show(p, &answer->entries[i]);
	}
	if (p->next == before)
		p->next++; /* so that it ends */
	return answer->complete || p->next == p->ids.n ? ARCHIVE_IS_WHOLE :
							 ARCHIVE_GOES_ON;
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
	message = stored_read_own(p->xml, e->value, &a);
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
		archive_page_wants(p, e) && has_words(p, e);
}

/* How many of those that are meant are in the page, from the end that the query names. */
static size_t
count_of_page(const struct archive_page *p)
{
	size_t n = 0, bytes = 0;

	while (n < p->n_meant && n < p->max &&
		(p->max_bytes == 0 || bytes < p->max_bytes)) {
		bytes += p->sizes.p[p->from_end ? p->n_meant - 1 - n : n];
		n++;
	}
	return n;
}

/* All that is asked for has been looked at: the ids that are meant are at the front,
 * oldest first.  They are the whole set, of which the page is a part. */
static enum archive_outcome
page_seen(struct archive_page *p)
{
	struct archive_ids *ids = &p->ids;
	size_t n;

	if (!p->q->by_ids) {
		p->step = ARCHIVE_WALK;
		ids->n = 0;
		return ARCHIVE_GOES_ON;
	}
	n = count_of_page(p);
	p->more = p->n_meant > n;
	if (p->from_end)
		ids->p += p->n_meant - n;
	ids->n = n;
	if (p->downwards)
		archive_page_turn(p);
	p->next = 0;
	p->step = ARCHIVE_FETCH;
	return n != 0 ? ARCHIVE_GOES_ON : ARCHIVE_IS_WHOLE;
}

/* XEP-0313 §4.1.3: one that is not there fails the query, before anything is sent. */
enum archive_outcome
archive_page_checked(struct archive_page *p, const struct store_answer *answer)
{
	bool missing = false;

	for (size_t i = 0; i < answer->n && !missing; i++) {
		const struct store_entry *e = &answer->entries[i];
		struct str id = p->ids.p[p->next];

		missing = !str_eq(id, e->key);
		if (p->next++ >= p->n_bounds && is_meant(p, e)) {
			p->ids.p[p->n_meant++] = id;
			*vec_push_in(p->a, &p->sizes) = archive_entry_bytes(e);
		}
	}
	if (missing || (answer->complete && p->next < p->ids.n))
		return archive_page_fail(p, COND_ITEM_NOT_FOUND, NULL);
	return p->next == p->ids.n ? page_seen(p) : ARCHIVE_GOES_ON;
}
