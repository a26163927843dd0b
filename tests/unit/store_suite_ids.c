/*
 * store_suite_ids.c - entries of logs, asked for by their ids; and logs of a
 * size.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define ARCHIVE PLACE("romeo", "archive")

static const struct {
	const char *ids;
	size_t max_bytes;
	const char *want;
} entries_cases[] = {
	{ "", 0, "" },
	{ "a", 0, "a" },
	{ "j", 1, "j" },
	{ "c a j b", 0, "c a j b" },
	{ "a a c a", 0, "a a c a" },
	{ "none a x c 1 99999999999999999999999 j none", 0, "a c j" },
	{ "none", 1, "" },
	{ "a b c", 1, "a more" },
	{ "none a none", 1, "a more" },
	{ "a' OR '1'='1 b", 0, "b" },
	{ "\xff b a\001b", 0, "b" },
	{ "a b c d e", SIZE_MAX, "a b c d e" },
};

void
suite_entries_are_read_by_their_ids(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200], id[2] = "a";

	suite_open(&su, k);
	for (; id[0] <= 'j'; id[0]++)
		store_tx_append(tx, ARCHIVE, str_c(id), 1, STR_NONE, STR("v"));
	store_tx_append(tx, PLACE("romeo", "other"), STR("x"), 1, STR_NONE,
		STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(entries_cases); i++) {
		TEST_CASE(entries_cases[i].ids);
		CHECK_CSTR(suite_entries(&su, ARCHIVE, entries_cases[i].ids,
				   entries_cases[i].max_bytes, out, sizeof(out)),
			entries_cases[i].want);
	}
	CHECK_CSTR(suite_entries(&su, PLACE("none", "archive"), "a b", 0, out,
			   sizeof(out)),
		"");
	suite_close(&su);
}

/* Of a log with ids, and one with numbers; every other one is gone. */
static void
check_entries(struct suite *su, const char *name, bool numbered, int n)
{
	struct store_place at = PLACE("romeo", name);
	struct store_tx *tx = store_tx_new();
	char ids[6000] = "", want[6000] = "", out[6000], id[16];

	for (int i = 1; i <= n; i++) {
		snprintf(id, sizeof(id), "%d", i);
		store_tx_append(tx, at, numbered ? STR_NONE : str_c(id), i,
			STR_NONE, STR("v"));
	}
	for (int i = n; i > 0; i--) {
		snprintf(id, sizeof(id), "%d", i);
		strcat(strcat(ids, ids[0] != '\0' ? " " : ""), id);
		if (i % 2 == 0)
			store_tx_delete_entry(tx, at, str_c(id));
		else
			strcat(strcat(want, want[0] != '\0' ? " " : ""), id);
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	CHECK_CSTR(suite_entries(su, at, ids, 0, out, sizeof(out)), want);
}

void
suite_any_number_of_entries_is_read_by_ids(const struct suite_kind *k)
{
	static const int numbers[] = { 0, 1, 2, 3, 255, 512, 1001 };
	struct suite su;
	char name[16];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		snprintf(name, sizeof(name), "ids%d", numbers[i]);
		check_entries(&su, name, false, numbers[i]);
		snprintf(name, sizeof(name), "numbers%d", numbers[i]);
		check_entries(&su, name, true, numbers[i]);
	}
	suite_close(&su);
}

/* A value of n bytes costs as much more. */
static void
sized_append(struct store_tx *tx, struct store_place at, bool numbered, int i,
	size_t n)
{
	char id[16], value[2000];

	memset(value, 'v', sizeof(value));
	snprintf(id, sizeof(id), "%d", i);
	store_tx_append(tx, at, numbered ? STR_NONE : str_c(id), i, STR_NONE,
		(struct str){ value, n });
}

static void
trim_bytes(struct store_tx *tx, struct store_place at, uint64_t max_bytes,
	struct str waits)
{
	const struct store_trim too_large = { .max_bytes = max_bytes,
		.waits = waits };

	store_tx_trim(tx, at, &too_large);
}

#define E(n) ((n) * STORE_ENTRY_BYTES)

void
suite_logs_are_trimmed_by_size(const struct suite_kind *k)
{
	static const struct {
		uint64_t max_bytes;
		const char *want;
	} cases[] = {
		{ UINT64_MAX, "1 2 3 4 5 6 | 6" },
		{ 2100 + E(6), "1 2 3 4 5 6 | 6" },
		{ 2099 + E(6), "2 3 4 5 6 | 5" },
		{ 2000 + E(5), "2 3 4 5 6 | 5" },
		{ 1400 + E(4), "4 5 6 | 3" },
		{ 600 + E(1), "6 | 1" },
		{ 1, "6 | 1" },
	};
	const struct store_range all = { .max = 10, .count = true };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int numbered = 0; numbered < 2; numbered++) {
			struct store_place at =
				PLACE("romeo", numbered ? "n" : "i");
			struct store_tx *tx = store_tx_new();

			store_tx_clear(tx, at);
			for (int n = 1; n <= 6; n++)
				sized_append(tx, at, numbered, n,
					(size_t)n * 100);
			trim_bytes(tx, at, cases[i].max_bytes, STR_NONE);
			trim_bytes(tx, PLACE("none", "log"), 1, STR_NONE);
			CHECK_INT(suite_commit(&su, tx), ERR_NONE);
			CHECK_CSTR(suite_range(&su, at, &all, out, sizeof(out)),
				cases[i].want);
		}
	}
	suite_close(&su);
}

/* With each that comes, as who keeps a bound does it. */
static void
check_bound(struct suite *su, uint64_t max_bytes, int n)
{
	struct store_place at = PLACE("romeo", "bound");
	const struct store_range all = { .max = 1, .count = true };
	struct suite_result r;

	for (int i = 0; i < n; i++) {
		struct store_tx *tx = store_tx_new();

		sized_append(tx, at, false, (int)max_bytes * 1000 + i,
			(size_t)(i * 7 % 100));
		trim_bytes(tx, at, max_bytes, STR_NONE);
		store_commit(su->store, tx, NULL, NULL, NULL);
	}
	suite_result_init(su, &r);
	store_range(su->store, at, &all, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK(r.total * STORE_ENTRY_BYTES <= max_bytes);
	CHECK(n < 100 || (r.total + 2) * (STORE_ENTRY_BYTES + 100) > max_bytes);
	suite_result_done(&r);
}

void
suite_a_bound_is_kept_whatever_comes(const struct suite_kind *k)
{
	struct suite su;

	suite_open(&su, k);
	for (uint64_t max = E(1) + 100; max < E(40); max += E(13))
		for (int n = 1; n < 400; n = n * 3 + 1)
			check_bound(&su, max, n);
	suite_close(&su);
}

/* Ids in a log of numbers, between texts that are none. */
static void
name_them(struct store_tx *tx, const char *ids)
{
	struct store_place at = PLACE("romeo", "named");
	char text[4000];

	memset(text, '1', sizeof(text));
	for (; *ids != '\0'; ids += strspn(ids, " ")) {
		struct str id = { ids, strcspn(ids, " ") };

		store_tx_append(tx, at, STR_NONE, 1, STR_NONE, id);
		store_tx_append(tx, at, STR_NONE, 1, STR_NONE,
			(struct str){ text, sizeof(text) });
		ids += id.n;
	}
}

static const struct {
	const char *named; /* in the other log */
	uint64_t max_bytes;
	const char *left;
	const char *moved; /* how large the values are that have been ids */
} moved_cases[] = {
	{ "", 600 + E(1), "6 | 1", "" },
	{ "x", 600 + E(1), "6 | 1", "1" },
	{ "1", 600 + E(1), "6 | 1", "100" },
	{ "6", 600 + E(1), "6 | 1", "1" },
	{ "1 2 3 4 5 6", 600 + E(1), "6 | 1", "100 200 300 400 500 1" },
	{ "5 3 3 1 7 0", 600 + E(1), "6 | 1", "500 300 300 100 1 1" },
	{ "2", 2100 + E(6), "1 2 3 4 5 6 | 6", "1" },
	{ "2", 2099 + E(6), "2 3 4 5 6 | 5", "1" },
	{ "1", 2099 + E(6), "2 3 4 5 6 | 5", "100" },
	{ "4", 1600 + E(4), "4 5 6 | 3", "1" },
};

/* The lengths of every other value of a log. */
static void
on_lengths(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;
	size_t size;
	FILE *out = open_memstream(&r->text, &size);

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i += 2)
		fprintf(out, "%s%zu", i != 0 ? " " : "", a->entries[i].value.n);
	fclose(out);
	r->suite->waiting--;
}

static void
check_lengths(struct suite *su, const char *owner, const char *want)
{
	const struct store_range all = { .max = 20 };
	struct suite_result r;

	suite_result_init(su, &r);
	store_range(su->store, PLACE(owner, "named"), &all, &su->mailbox,
		on_lengths, &r);
	suite_wait(su);
	CHECK_CSTR(r.text, want);
	suite_result_done(&r);
}

/* Of another owner, or in another log, it is the name of nothing. */
void
suite_what_waits_under_a_name_is_moved(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < 2 * COUNT(moved_cases); i++) {
		struct store_place at = PLACE("romeo", i % 2 ? "n" : "i");
		struct store_tx *tx = store_tx_new();

		TEST_CASE(moved_cases[i / 2].named);
		store_tx_clear(tx, at);
		store_tx_clear(tx, PLACE("romeo", "named"));
		store_tx_clear(tx, PLACE("juliet", "named"));
		for (int n = 1; n <= 6; n++)
			sized_append(tx, at, i % 2, n, (size_t)n * 100);
		store_tx_append(tx, PLACE("juliet", "named"), STR_NONE, 1,
			STR_NONE, STR("1"));
		name_them(tx, moved_cases[i / 2].named);
		trim_bytes(tx, at, moved_cases[i / 2].max_bytes, STR("named"));
		trim_bytes(tx, PLACE("none", "log"), 1, STR("named"));
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		CHECK_CSTR(suite_range(&su, at, &all, out, sizeof(out)),
			moved_cases[i / 2].left);
		check_lengths(&su, "romeo", moved_cases[i / 2].moved);
		check_lengths(&su, "juliet", "1");
	}
	suite_close(&su);
}

/* In logs of all kinds: with ids, with numbers that the ids say, and without ids. */
static enum err_code
require_commit(struct suite *su, const char *log, const char *id, bool comes,
	const char *key)
{
	struct store_tx *tx = store_tx_new();

	if (comes && id[0] == '1')
		store_tx_append_at(tx, PLACE("romeo", log), str_c(id), 1,
			STR_NONE, STR("v"));
	else if (comes)
		store_tx_append(tx, PLACE("romeo", log), str_c(id), 1, STR_NONE,
			STR("v"));
	store_tx_set(tx, PLACE("romeo", "map"), str_c(key), STR("1"));
	store_tx_require_entry(tx, PLACE("romeo", log), str_c(id));
	return suite_commit(su, tx);
}

void
suite_an_entry_is_required(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_append(tx, PLACE("romeo", "queue"), STR_NONE, 1, STR_NONE,
		STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_INT(require_commit(&su, "ids", "a", false, "x"), ERR_MISSING);
	CHECK_INT(require_commit(&su, "ids", "a", true, "a"), ERR_NONE);
	CHECK_INT(require_commit(&su, "ids", "a", false, "b"), ERR_NONE);
	CHECK_INT(require_commit(&su, "ids", "z", false, "x"), ERR_MISSING);
	CHECK_INT(require_commit(&su, "placed", "1.x", true, "c"), ERR_NONE);
	CHECK_INT(require_commit(&su, "placed", "1.y", false, "x"), ERR_MISSING);
	CHECK_INT(require_commit(&su, "queue", "1", false, "d"), ERR_NONE);
	CHECK_INT(require_commit(&su, "queue", "2", false, "x"), ERR_MISSING);
	tx = store_tx_new();
	store_tx_delete_entry(tx, PLACE("romeo", "ids"), STR("a"));
	store_tx_require_entry(tx, PLACE("romeo", "ids"), STR("a"));
	CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
	CHECK_INT(require_commit(&su, "ids", "a", false, "e"), ERR_NONE);
	CHECK_CSTR(suite_list(&su, PLACE("romeo", "map"), out, sizeof(out)),
		"a=1 b=1 c=1 d=1 e=1");
	suite_close(&su);
}

/* --- slices ------------------------------------------------------------------ */

struct trimmed {
	struct suite *su;
	bool more;
	enum err_code code;
};

static void
on_trimmed(void *arg, bool more, const struct err *err)
{
	struct trimmed *t = arg;

	t->more = more;
	t->code = err != NULL ? err->code : ERR_NONE;
	t->su->waiting--;
}

static struct trimmed
trim(struct suite *su, struct store_place at, const struct store_trim *what)
{
	struct trimmed t = { .su = su };

	su->waiting++;
	store_trim(su->store, at, what, &su->mailbox, on_trimmed, &t);
	suite_wait(su);
	return t;
}

#define SLICE STORE_TRIM_MAX

static const struct {
	struct store_trim trim;
	int left[2]; /* after one, after another */
	bool more[2];
} slice_cases[] = {
	{ { .before_us = 0 }, { 600, 600 }, { 0 } },
	{ { .before_us = 1 }, { 600, 600 }, { 0 } },
	{ { .before_us = 11 }, { 590, 590 }, { 0 } },
	{ { .before_us = SLICE + 1 }, { 600 - SLICE, 600 - SLICE }, { 0 } },
	{ { .before_us = SLICE + 2 }, { 600 - SLICE, 600 - SLICE - 1 }, { 1 } },
	{ { .before_us = INT64_MAX }, { 600 - SLICE, 600 - 2 * SLICE },
		{ 1, 1 } },
	{ { .max_bytes = UINT64_MAX }, { 600, 600 }, { 0 } },
	{ { .max_bytes = 10 * STORE_ENTRY_BYTES },
		{ 600 - SLICE, 600 - 2 * SLICE }, { 1, 1 } },
	{ { .max_bytes = 500 * STORE_ENTRY_BYTES }, { 600 - SLICE, 500 },
		{ 1 } },
	{ { .up_to = { "64", 2 } }, { 600 - SLICE, 500 }, { 1 } },
	{ { .up_to = { "none", 4 } }, { 600, 600 }, { 0 } },
	{ { .before_us = 5, .max_bytes = 590 * STORE_ENTRY_BYTES,
		.up_to = { "5", 1 } }, { 590, 590 }, { 0 } },
};

/* Whatever is to go, so much of it goes at once, and the rest is told. */
void
suite_a_log_is_trimmed_in_slices(const struct suite_kind *k)
{
	const struct store_range all = { .count = true };
	struct suite su;
	char out[64], want[64], id[16];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(slice_cases); i++) {
		struct store_place at = PLACE("romeo", "long");
		struct store_tx *tx = store_tx_new();

		snprintf(out, sizeof(out), "slice %d", (int)i);
		TEST_CASE(out);
		store_tx_clear(tx, at);
		for (int n = 1; n <= 600; n++) {
			snprintf(id, sizeof(id), "%x", n);
			store_tx_append(
				tx, at, str_c(id), n, STR_NONE, STR_NONE);
		}
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		for (int j = 0; j < 2; j++) {
			struct trimmed t = trim(&su, at, &slice_cases[i].trim);

			CHECK_INT(t.code, ERR_NONE);
			CHECK(t.more == slice_cases[i].more[j]);
			snprintf(want, sizeof(want), " | %d more",
				slice_cases[i].left[j]);
			CHECK_CSTR(suite_range(&su, at, &all, out, sizeof(out)),
				want);
		}
	}
	CHECK_INT(trim(&su, PLACE("none", "log"), &slice_cases[5].trim).more, 0);
	CHECK_INT(trim(&su, PLACE("\xff", "log"), &slice_cases[5].trim).code,
		ERR_INVALID);
	suite_close(&su);
}

/* Large ones take longer to delete. */
void
suite_a_slice_has_a_size(const struct suite_kind *k)
{
	const struct store_trim old = { .before_us = INT64_MAX };
	struct store_place at = PLACE("romeo", "large");
	static char value[STORE_TRIM_BYTES / 4];
	struct store_tx *tx = store_tx_new();
	const struct store_range all = { .count = true };
	struct suite su;
	char out[64];

	memset(value, 'v', sizeof(value));
	suite_open(&su, k);
	for (int n = 1; n <= 6; n++)
		store_tx_append(tx, at, STR_NONE, n, STR_NONE,
			(struct str){ value, sizeof(value) });
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK(trim(&su, at, &old).more);
	CHECK_CSTR(suite_range(&su, at, &all, out, sizeof(out)), " | 2 more");
	CHECK(!trim(&su, at, &old).more);
	CHECK_CSTR(suite_range(&su, at, &all, out, sizeof(out)), " | 0");
	suite_close(&su);
}

/* "owner total bytes time", of each. */
static void
on_logs(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;
	size_t size;
	FILE *out = open_memstream(&r->text, &size);

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++)
		fprintf(out, "%s%.*s %d %d %d", i != 0 ? ", " : "",
			STR_ARG(a->entries[i].key), (int)a->entries[i].total,
			(int)a->entries[i].bytes, (int)a->entries[i].wall_us);
	fprintf(out, "%s", a->complete ? "" : " more");
	fclose(out);
	r->suite->waiting--;
}

static const struct {
	struct str after;
	uint32_t max;
	const char *want;
} walk_cases[] = {
	{ { NULL, 0 }, 9, " 1 5 7, juliet 3 15 10, romeo 2 10 20" },
	{ { NULL, 0 }, 2, " 1 5 7, juliet 3 15 10 more" },
	{ { NULL, 0 }, 0, " more" },
	{ { "", 0 }, 1, "juliet 3 15 10 more" },
	{ { "juliet", 6 }, 1, "romeo 2 10 20" },
	{ { "k", 1 }, 9, "romeo 2 10 20" },
	{ { "romeo", 5 }, 9, "" },
};

void
suite_logs_are_walked_with_what_is_oldest(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;

	suite_open(&su, k);
	for (int n = 1; n <= 3; n++) {
		store_tx_append(tx, PLACE("juliet", "log"), STR_NONE, n * 10,
			STR_NONE, STR("value"));
		store_tx_append(tx, PLACE("romeo", "log"), STR_NONE, n * 10,
			STR_NONE, STR("value"));
		store_tx_append(tx, PLACE("romeo", "other"), STR_NONE, n,
			STR_NONE, STR("value"));
		store_tx_append(tx, PLACE("nurse", "other"), STR_NONE, n,
			STR_NONE, STR("value"));
	}
	store_tx_append(tx, PLACE("", "log"), STR_NONE, 7, STR_NONE,
		STR("value"));
	store_tx_append(tx, PLACE("nurse", "log"), STR_NONE, 7, STR_NONE,
		STR("value"));
	store_tx_trim_to(tx, PLACE("nurse", "log"), STR("1"));
	store_tx_trim_to(tx, PLACE("romeo", "log"), STR("1"));
	store_tx_set(tx, PLACE("paris", "log"), STR("key"), STR("value"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(walk_cases); i++) {
		struct suite_result r;

		TEST_CASE(walk_cases[i].want);
		suite_result_init(&su, &r);
		store_log_owners(su.store, STR("example.org"), STR("log"),
			walk_cases[i].after, walk_cases[i].max, &su.mailbox,
			on_logs, &r);
		suite_wait(&su);
		CHECK_CSTR(r.text, walk_cases[i].want);
		suite_result_done(&r);
	}
	suite_close(&su);
}
