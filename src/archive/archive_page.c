/*
 * archive_page.c - puts a page of an archive together.
 *
 * A page is read in slices, each of which goes out when it has been read, as it lies in
 * the store.  Most pages are one slice, and so one read.
 *
 *   check --> walk --> fetch --> whole
 *       check   are all ids there that the query names, and which of them are meant?
 *               Only where it names more than bounds of one range
 *       walk    from the end that the query names, until the page is full, and it is
 *               known whether more would follow (`complete')
 *       fetch   what was found, by ids: where a page goes out from its other end,
 *               and is more than the slice in hand
 *
 * Times, bounds, words and bare addresses are the store's to find; what else is asked for
 * is looked for in what it finds, and no more than LOOK_MAX entries for one page.
 */
#include "config.h"

#include "archive/archive_page_int.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/rsm.h"

/* Of the store, at once, where it sifts. */
#define SLICE_ENTRIES 256
/* So many entries are looked at there. */
#define LOOK_MAX 100000u

/* --- what goes out -------------------------------------------------------------------- */

enum archive_outcome
archive_page_fail(struct archive_page *p, enum stanza_cond cond, const char *why)
{
	p->cond = cond;
	p->why = why;
	return ARCHIVE_FAILS;
}

bool
archive_page_wants(const struct archive_page *p, const struct store_entry *e)
{
	return !p->sifts || p->to->is_meant(p->arg, e);
}

void
archive_page_show(struct archive_page *p, const struct store_entry *e)
{
	p->last = arena_str(p->a, e->key);
	if (p->first.p == NULL)
		p->first = p->last;
	p->to->show(p->arg, e);
}

size_t
archive_entry_bytes(const struct store_entry *e)
{
	return e->value.n + STORE_ENTRY_BYTES;
}

/* XEP-0313 §4.3.2: the ends are those of the set, whichever of them went out first. */
void
archive_page_fin(const struct archive_page *p, struct elem *fin)
{
	bool flipped = p->q->flipped;
	struct rsm_page page = {
		.first = flipped ? p->last : p->first,
		.last = flipped ? p->first : p->last,
		.count = -1, /* XEP-0059 §2.7: nobody counts them */
		.by_index = p->q->rsm.by_index,
	};

	if (!p->more)
		elem_set_attr(p->a, fin, "complete", STR("true"));
	rsm_add(p->a, fin, &page);
}

/* --- walk ----------------------------------------------------------------------------- */

/* Does what is found go out in the order in which it is found? */
static bool
page_is_direct(const struct archive_page *p)
{
	return p->from_end == p->downwards;
}

static bool
page_is_full(const struct archive_page *p)
{
	return p->found == p->max ||
		(p->max_bytes != 0 && p->bytes >= p->max_bytes);
}

/* In the order of the walk. */
static const struct store_entry *
entry_at(const struct archive_page *p, const struct store_answer *answer, size_t i)
{
	return &answer->entries[p->from_end ? answer->n - 1 - i : i];
}

/* Takes what belongs to the page, and shows it at once where it can; how many entries
 * of the answer that was.  What follows the page tells that there is more. */
static size_t
walk_take(struct archive_page *p, const struct store_answer *answer)
{
	size_t end = 0;

	for (size_t i = 0; i < answer->n && !p->more; i++) {
		const struct store_entry *e = entry_at(p, answer, i);

		if (!archive_page_wants(p, e))
			continue;
		if (page_is_full(p)) {
			p->more = true;
			continue;
		}
		p->found++;
		p->bytes += archive_entry_bytes(e);
		end = i + 1;
		if (page_is_direct(p))
			archive_page_show(p, e);
		else
			*vec_push_in(p->a, &p->ids) = arena_str(p->a, e->key);
	}
	p->looked += (uint32_t)answer->n;
	if (answer->n != 0)
		p->cursor = arena_str(p->a,
			entry_at(p, answer, answer->n - 1)->key);
	return end;
}

/* What was taken of the answer is the whole page. */
static void
walk_show_back(struct archive_page *p, const struct store_answer *answer, size_t n)
{
	while (n-- > 0) {
		const struct store_entry *e = entry_at(p, answer, n);

		if (archive_page_wants(p, e))
			archive_page_show(p, e);
	}
}

static size_t
answer_bytes(const struct store_answer *answer)
{
	size_t bytes = 0;

	for (size_t i = 0; i < answer->n; i++)
		bytes += answer->entries[i].value.n;
	return bytes;
}

/* Is nothing left to be found out?  That an answer is not complete says that there is
 * more, but where it has ended for its size. */
static bool
walk_is_over(struct archive_page *p, const struct store_answer *answer)
{
	if (p->more || answer->complete)
		return true;
	if (!page_is_full(p) || p->sifts)
		p->more = p->sifts && p->looked >= LOOK_MAX;
	else
		p->more = answer_bytes(answer) < ARCHIVE_SLICE_BYTES;
	return p->more;
}

/* What bounds the walk has gone since it began, and with it all that is older: it goes
 * on without.  False: so nothing is left of it. */
static bool
walk_loosen(struct archive_page *p)
{
	if (p->lower.p != NULL)
		p->lower = STR_NONE;
	else if (!p->from_end && p->cursor.p != NULL)
		p->cursor = STR_NONE;
	else
		return false;
	return true;
}

static enum archive_outcome
page_walked(struct archive_page *p, const struct store_answer *answer)
{
	uint32_t before = p->found;
	size_t taken = walk_take(p, answer);

	if (!walk_is_over(p, answer))
		return ARCHIVE_GOES_ON;
	if (p->found == 0 && p->looked >= LOOK_MAX)
		return archive_page_fail(p, COND_RESOURCE_CONSTRAINT,
			"That is too rare to look for: say from when to when");
	if (page_is_direct(p) || p->found == 0)
		return ARCHIVE_IS_WHOLE;
	if (before == 0) {
		walk_show_back(p, answer, taken);
		return ARCHIVE_IS_WHOLE;
	}
	archive_page_turn(p);
	p->step = ARCHIVE_FETCH;
	return ARCHIVE_GOES_ON;
}

/* How many entries are asked for: no more than the page takes, and one that tells
 * whether it is all where it is full. */
static uint32_t
walk_max(const struct archive_page *p)
{
	if (p->sifts)
		return SLICE_ENTRIES;
	return page_is_full(p) ? 1 : p->max - p->found;
}

static struct store_range
walk_range(const struct archive_page *p)
{
	struct store_range range = {
		.with = p->peer,
		.words = p->q->words,
		.since_us = p->q->since_us,
		.until_us = p->q->until_us,
		.after_id = p->lower,
		.before_id = p->upper,
		.max = walk_max(p),
		.max_bytes = ARCHIVE_SLICE_BYTES,
		.backwards = p->from_end,
	};

	if (p->cursor.p != NULL && p->from_end)
		range.before_id = p->cursor;
	else if (p->cursor.p != NULL)
		range.after_id = p->cursor;
	return range;
}

/* --- the whole -------------------------------------------------------------------------- */

enum archive_outcome
archive_page_begin(struct archive_page *p)
{
	p->from_end = p->q->rsm.backwards != p->q->descending;
	p->downwards = p->q->descending != p->q->flipped;
	if (!archive_page_set_bounds(p))
		return archive_page_fail(p, COND_ITEM_NOT_FOUND, NULL);
	return p->q->by_ids && p->ids.n == 0 ? ARCHIVE_IS_WHOLE :
					       ARCHIVE_GOES_ON;
}

void
archive_page_reads(const struct archive_page *p, struct archive_read *out)
{
	*out = (struct archive_read){ .by_ids = p->step != ARCHIVE_WALK };
	if (out->by_ids) {
		out->ids = p->ids.p + p->next;
		out->n_ids = p->ids.n - p->next;
	} else {
		out->range = walk_range(p);
	}
}

enum archive_outcome
archive_page_take(struct archive_page *p, const struct store_answer *answer,
	const struct err *err)
{
	static const struct store_answer nothing = { .complete = true };
	bool gone = err != NULL && err->code == ERR_MISSING && p->looked != 0 &&
		p->step == ARCHIVE_WALK;

	if (err != NULL && !gone)
		return archive_page_fail(p, stanza_cond_of(err->code), NULL);
	if (gone && walk_loosen(p))
		return ARCHIVE_GOES_ON;
	switch (p->step) {
	case ARCHIVE_CHECK:
		return archive_page_checked(p, answer);
	case ARCHIVE_WALK:
		return page_walked(p, gone ? &nothing : answer);
	case ARCHIVE_FETCH:
		break;
	}
	return archive_page_fetched(p, answer);
}
