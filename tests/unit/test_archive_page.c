/*
 * test_archive_page.c - pages of an archive, put together from what a log says: each
 * message once, in the order that was asked for, and no page larger than it may be.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/stored.h"
#include "archive/archive_page.h"
#include "test.h"

#define ENTRIES_MAX 600
#define TEXT_MAX (300u << 10)

/* A log of n entries, of which the i-th has the number i + 1 and the size sizes[i]. */
struct log {
	size_t n;
	size_t sizes[ENTRIES_MAX];
	size_t gone; /* so many of the oldest are not there any more */
};

static char text[TEXT_MAX];

static struct store_entry
entry_of(const struct log *l, struct arena *a, size_t i)
{
	return (struct store_entry){
		.key = arena_printf(a, "%zx.s", i + 1),
		.value = { text, l->sizes[i] },
		.with = STR(""),
		.wall_us = (int64_t)i + 1,
	};
}

/* As store_range() does, and tells no more than that has to. */
static struct store_answer
log_range(const struct log *l, struct arena *a, const struct store_range *range)
{
	size_t from = range->after_id.p != NULL ?
		store_id_number(range->after_id) :
		0;
	size_t to = range->before_id.p != NULL ?
		store_id_number(range->before_id) - 1 :
		l->n;
	struct store_entry *found = arena_zalloc(a,
		(range->max + 1) * sizeof(*found));
	struct store_answer answer = { .complete = true };
	size_t bytes = 0;

	from = MAX(from, l->gone);
	while (from < to) {
		size_t i = range->backwards ? --to : from++;

		if (answer.n == range->max || bytes >= range->max_bytes) {
			answer.complete = false;
			break;
		}
		found[answer.n++] = entry_of(l, a, i);
		bytes += l->sizes[i];
	}
	if (bytes >= range->max_bytes)
		answer.complete = false;
	for (size_t i = 0; range->backwards && i < answer.n / 2; i++) {
		struct store_entry e = found[i];

		found[i] = found[answer.n - 1 - i];
		found[answer.n - 1 - i] = e;
	}
	answer.entries = found;
	return answer;
}

static struct store_answer
log_get(const struct log *l, struct arena *a, const struct archive_read *read)
{
	struct store_entry *found =
		arena_zalloc(a, (read->n_ids + 1) * sizeof(*found));
	struct store_answer answer = { .entries = found, .complete = true };
	size_t bytes = 0;

	for (size_t i = 0; i < read->n_ids; i++) {
		size_t number = store_id_number(read->ids[i]);

		if (bytes >= ARCHIVE_SLICE_BYTES) {
			answer.complete = false;
			break;
		}
		if (number == 0 || number > l->n || number <= l->gone)
			continue;
		found[answer.n++] = entry_of(l, a, number - 1);
		bytes += l->sizes[number - 1];
	}
	return answer;
}

/* A page, as it went out. */
struct page {
	size_t n, bytes;
	size_t numbers[ENTRIES_MAX];
	size_t even; /* those that were asked about */
	enum archive_outcome is;
	struct archive_page p;
};

static bool
is_even(void *arg, const struct store_entry *e)
{
	struct page *page = arg;

	page->even++;
	return store_id_number(e->key) % 2 == 0;
}

static void
note(void *arg, const struct store_entry *e)
{
	struct page *page = arg;

	page->numbers[page->n++] = store_id_number(e->key);
	page->bytes += e->value.n + STORE_ENTRY_BYTES;
}

static const struct archive_reader noting = { is_even, note };

/* gone: with the second read, so many of the oldest are gone. */
static void
page_read(struct page *page, const struct log *log, struct arena *a,
	const struct archive_query *q, uint32_t max, size_t max_bytes, bool sifts,
	size_t gone)
{
	struct log l = *log;
	const struct err missing = { .code = ERR_MISSING };

	*page = (struct page){ .p = { .a = a, .q = q, .to = &noting, .arg = page,
		.max = max, .max_bytes = max_bytes, .sifts = sifts } };
	page->is = archive_page_begin(&page->p);
	for (unsigned n = 0; page->is == ARCHIVE_GOES_ON; n++) {
		struct archive_read read;
		struct store_answer answer;
		bool lost;

		CHECK(n < 2000);
		if (n == 1)
			l.gone = gone;
		archive_page_reads(&page->p, &read);
		lost = !read.by_ids && l.gone != 0 &&
			((read.range.after_id.p != NULL &&
				 store_id_number(read.range.after_id) <= l.gone) ||
				(read.range.before_id.p != NULL &&
					store_id_number(read.range.before_id) <=
						l.gone));
		answer = read.by_ids ? log_get(&l, a, &read) :
				       log_range(&l, a, &read.range);
		page->is = archive_page_take(&page->p, lost ? NULL : &answer,
			lost ? &missing : NULL);
	}
}

static struct log
log_new(struct rand_source *r, size_t n, size_t most)
{
	struct log l = { .n = n };

	for (size_t i = 0; i < n; i++)
		l.sizes[i] = 1 + (size_t)rand_below(r, most);
	return l;
}

/* --- what a page has --------------------------------------------------------------------- */

/* The whole log in pages, one way or the other: each message once, in order within each
 * page, and complete with the last. */
static void
check_pages(const struct log *l, bool backwards, bool descending, bool flipped,
	bool sifts, uint32_t max, size_t max_bytes)
{
	struct arena *a = arena_new();
	struct archive_query q = { .descending = descending, .flipped = flipped };
	bool from_end = backwards != descending, down = descending != flipped;
	size_t left = sifts ? l->n / 2 : l->n, step = sifts ? 2 : 1;
	size_t next = from_end ? left * step : step; /* of the walk */
	static struct page page;

	q.rsm.backwards = backwards;
	for (;;) {
		struct str end;

		page_read(&page, l, a, &q, max, max_bytes, sifts, 0);
		CHECK_INT(page.is, ARCHIVE_IS_WHOLE);
		CHECK(page.n <= max && page.n <= left);
		CHECK(page.n != 0 || left == 0);
		CHECK(max_bytes == 0 || page.n == 0 ||
			page.bytes < max_bytes + TEXT_MAX + STORE_ENTRY_BYTES);
		for (size_t i = 0; i < page.n; i++) {
			size_t at = from_end == down ? i : page.n - 1 - i;

			CHECK_INT(page.numbers[at],
				from_end ? next - i * step : next + i * step);
		}
		left -= page.n;
		CHECK(page.p.more == (left != 0));
		if (left == 0)
			break;
		next = from_end ? next - page.n * step : next + page.n * step;
		end = arena_printf(a, "%zx.s",
			from_end ? next + step : next - step);
		if (backwards)
			q.rsm.before = end;
		else
			q.rsm.after = end;
	}
	arena_free(a);
}

TEST(each_message_is_in_one_page)
{
	static const struct {
		size_t n, most;
		uint32_t max;
		size_t max_bytes;
	} cases[] = {
		{ 0, 10, 5, 0 },
		{ 1, 10, 5, 0 },
		{ 5, 10, 5, 0 },
		{ 6, 10, 5, 0 },
		{ 40, 10, 1, 0 },
		{ 100, 20000, 50, 0 },     /* more than a slice */
		{ 100, TEXT_MAX, 50, 0 },  /* so is each */
		{ 100, 10, 50, 3000 },     /* it ends for its bytes */
		{ 100, 10, 50, 1 },        /* with each */
		{ 300, 20000, 250, 1 << 20 },
		{ 40, TEXT_MAX, 250, 1 << 20 },
	};
	struct rand_seeded r;

	memset(text, 'x', sizeof(text));
	rand_seeded_init(&r, 7);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct log l = log_new(&r.source, cases[i].n, cases[i].most);

		for (unsigned how = 0; how < 16; how++) {
			test_case_number("pages", (unsigned)i * 100 + how);
			check_pages(&l, how & 1, how & 2, how & 4, how & 8,
				cases[i].max, cases[i].max_bytes);
		}
	}
}

TEST(messages_by_ids_are_cut_where_the_page_is_full)
{
	struct log l = { .n = 20 };
	struct arena *a = arena_new();
	static struct page page;
	struct str ids[10];
	struct archive_query q = { .by_ids = true, .ids = ids, .n_ids = 10 };

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < l.n; i++)
		l.sizes[i] = 100u << 10;
	for (unsigned how = 0; how < 4; how++) {
		bool from_end = how & 1, flipped = how & 2;

		test_case_number("how", how);
		for (size_t i = 0; i < 10; i++)
			ids[i] = arena_printf(a, "%zx.s", 20 - 2 * i);
		q.rsm.backwards = from_end;
		q.flipped = flipped;
		page_read(&page, &l, a, &q, 50, 300u << 10, false, 0);
		CHECK_INT(page.is, ARCHIVE_IS_WHOLE);
		CHECK_INT(page.n, 3);
		CHECK(page.p.more);
		for (size_t i = 0; i < 3; i++)
			CHECK_INT(page.numbers[flipped ? 2 - i : i],
				(from_end ? 16 : 2) + 2 * i);
		page_read(&page, &l, a, &q, 50, 0, false, 0);
		CHECK_INT(page.n, 10);
		CHECK(!page.p.more);
	}
	arena_free(a);
}

TEST(an_id_that_is_not_there_fails_the_query)
{
	struct log l = { .n = 5 };
	struct arena *a = arena_new();
	static struct page page;
	struct str ids[] = { STR("2.s"), STR("7.s") };
	struct archive_query q = { .by_ids = true, .ids = ids, .n_ids = 2 };

	page_read(&page, &l, a, &q, 50, 0, false, 0);
	CHECK_INT(page.is, ARCHIVE_FAILS);
	CHECK_INT(page.p.cond, COND_ITEM_NOT_FOUND);
	CHECK_INT(page.n, 0);
	ids[1] = STR("");
	page_read(&page, &l, a, &q, 50, 0, false, 0);
	CHECK_INT(page.is, ARCHIVE_FAILS);
	arena_free(a);
}

/* Between two slices the oldest go, and with them where the next one begins. */
TEST(a_page_goes_on_where_what_it_went_by_has_gone)
{
	struct log l = { .n = 40 };
	struct arena *a = arena_new();
	static struct page page;
	struct archive_query q = { .after_id = STR("1.s") };

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < l.n; i++)
		l.sizes[i] = 20u << 10;
	page_read(&page, &l, a, &q, 50, 0, false, 20);
	CHECK_INT(page.is, ARCHIVE_IS_WHOLE);
	CHECK(!page.p.more);
	CHECK_INT(page.numbers[0], 2);
	CHECK_INT(page.numbers[page.n - 1], 40);
	q.rsm.backwards = true;
	page_read(&page, &l, a, &q, 50, 0, false, 20);
	CHECK_INT(page.is, ARCHIVE_IS_WHOLE);
	CHECK_INT(page.n, 20);
	CHECK_INT(page.numbers[0], 21);
	arena_free(a);
}

TEST(what_is_said_of_a_page)
{
	struct log l = { .n = 3, .sizes = { 1, 1, 1 } };
	struct arena *a = arena_new();
	static struct page page;
	struct archive_query q = { .flipped = true };
	struct elem *fin = elem_new(a, NS_MAM, "fin");
	struct buf out = BUF_INIT;

	page_read(&page, &l, a, &q, 2, 0, false, 0);
	archive_page_fin(&page.p, fin);
	stored_write(&out, fin);
	CHECK_STR(buf_str(&out),
		"<fin xmlns=\"urn:xmpp:mam:2\"><set "
		"xmlns=\"http://jabber.org/protocol/rsm\"><first>1.s</first>"
		"<last>2.s</last></set></fin>");
	buf_done(&out);
	arena_free(a);
}

TEST_MAIN
