/*
 * store_suite_placed.c - logs whose entries lie where their ids say.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

#define ARCHIVE PLACE("romeo", "archive")

/* Of number n, at ten times that, with one of three. */
static void
put(struct store_tx *tx, struct store_place at, uint64_t n, const char *secret)
{
	static const char *const with[] = { "juliet", "nurse", "paris" };
	char id[STORE_ID_SIZE];

	store_tx_append_at(tx, at, store_id_make(n, str_c(secret), id),
		(int64_t)n * 10, str_c(with[n % COUNT(with)]), STR("v"));
}

static const struct {
	uint64_t number;
	const char *secret, *id;
} id_cases[] = {
	{ 1, "x", "1.x" },
	{ 15, "x", "f.x" },
	{ 16, "", "10." },
	{ 0x12345, "a.b", "12345.a.b" },
	{ STORE_NUMBER_MAX, "ABCDEFGHIJKLMNOPQRSTUV",
		"fffffffff.ABCDEFGHIJKLMNOPQRSTUV" },
	{ 0, NULL, "" },
	{ 0, NULL, "." },
	{ 0, NULL, "1" },
	{ 0, NULL, "0.x" },
	{ 0, NULL, "01.x" },
	{ 0, NULL, "-1.x" },
	{ 0, NULL, "1 .x" },
	{ 0, NULL, "A.x" },
	{ 0, NULL, "g.x" },
	{ 0, NULL, "1000000000.x" },
	{ 0, NULL, "10000000000000001.x" },
};

void
suite_an_id_says_its_number(const struct suite_kind *k)
{
	char id[STORE_ID_SIZE];

	(void)k;
	for (size_t i = 0; i < COUNT(id_cases); i++) {
		TEST_CASE(id_cases[i].id);
		CHECK_INT(store_id_number(str_c(id_cases[i].id)),
			id_cases[i].number);
		if (id_cases[i].secret != NULL)
			CHECK_STR(store_id_make(id_cases[i].number,
					  str_c(id_cases[i].secret), id),
				id_cases[i].id);
	}
}

static const struct {
	struct store_range range;
	const char *want;
} range_cases[] = {
	{ { .max = 9 }, "1.s 2.s 3.s 5.s 20.s | 5" },
	{ { .max = 2 }, "1.s 2.s | 5 more" },
	{ { .max = 2, .backwards = true }, "5.s 20.s | 5 more" },
	{ { .max = 9, .after_id = STR("2.s") }, "3.s 5.s 20.s | 5" },
	{ { .max = 9, .before_id = STR("3.s") }, "1.s 2.s | 5" },
	{ { .max = 9, .after_id = STR("2.t") }, "6" },
	{ { .max = 9, .after_id = STR("4.s") }, "6" },
	{ { .max = 9, .since_us = 10 }, "1.s 2.s 3.s 5.s 20.s | 5" },
	{ { .max = 9, .since_us = 11 }, "2.s 3.s 5.s 20.s | 4" },
	{ { .max = 9, .since_us = 30 }, "3.s 5.s 20.s | 3" },
	{ { .max = 9, .since_us = 31, .until_us = 49 }, " | 0" },
	{ { .max = 9, .since_us = 31, .until_us = 50 }, "5.s | 1" },
	{ { .max = 9, .since_us = 320 }, "20.s | 1" },
	{ { .max = 9, .since_us = 321 }, " | 0" },
	{ { .max = 9, .since_us = INT64_MAX }, " | 0" },
	{ { .max = 9, .until_us = INT64_MAX }, "1.s 2.s 3.s 5.s 20.s | 5" },
	{ { .max = 9, .until_us = 9 }, " | 0" },
	{ { .max = 9, .until_us = 29 }, "1.s 2.s | 2" },
	{ { .max = 1, .until_us = 29, .backwards = true }, "2.s | 2 more" },
	{ { .max = 9, .since_us = 20, .before_id = STR("3.s") }, "2.s | 4" },
	{ { .max = 9, .until_us = 20, .after_id = STR("5.s") }, " | 2" },
	{ { .max = 9, .with = STR("paris") }, "2.s 5.s 20.s | 3" },
	{ { .max = 9, .with = STR("paris"), .since_us = 21 }, "5.s 20.s | 2" },
	{ { .max = 9, .with = STR("none") }, " | 0" },
};

/* They may come in another order than that of their numbers. */
void
suite_entries_lie_where_their_ids_say(const struct suite_kind *k)
{
	static const uint64_t numbers[] = { 3, 1, 2, 32, 5 };
	struct suite su;
	char out[200], want[64], label[32];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct store_tx *tx = store_tx_new();

		put(tx, ARCHIVE, numbers[i], "s");
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	for (size_t i = 0; i < COUNT(range_cases); i++) {
		struct store_range range = range_cases[i].range;

		snprintf(label, sizeof(label), "range %d", (int)i);
		TEST_CASE(label);
		range.count = true;
		if (strcmp(range_cases[i].want, "6") == 0)
			snprintf(want, sizeof(want), "error %d", ERR_MISSING);
		else
			snprintf(want, sizeof(want), "%s", range_cases[i].want);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
			want);
	}
	CHECK_CSTR(suite_entries(&su, ARCHIVE, "20.s 2.t 2.s 4.s 1.s x 1", 0,
			   out, sizeof(out)),
		"20.s 2.s 1.s");
	suite_close(&su);
}

void
suite_a_number_is_refused_twice(const struct suite_kind *k)
{
	const struct store_range all = { .max = 9, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	put(tx, ARCHIVE, 7, "s");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	put(tx, ARCHIVE, 8, "s");
	put(tx, ARCHIVE, 7, "t");
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	tx = store_tx_new();
	store_tx_append_at(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	tx = store_tx_new();
	store_tx_append_at(tx, ARCHIVE, STR_NONE, 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), "7.s | 1");
	suite_close(&su);
}

/* From the front, one, by age; and then the log may begin again. */
void
suite_entries_with_numbers_are_deleted(const struct suite_kind *k)
{
	const struct store_range all = { .max = 20, .count = true };
	const struct store_trim large = { .max_bytes =
			2 * STORE_ENTRY_BYTES + 2 };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (uint64_t n = 1; n <= 9; n++)
		put(tx, ARCHIVE, n, "s");
	store_tx_trim_to(tx, ARCHIVE, STR("2.s"));
	store_tx_trim_to(tx, ARCHIVE, STR("8.t"));
	store_tx_delete_entry(tx, ARCHIVE, STR("9.s"));
	store_tx_delete_entry(tx, ARCHIVE, STR("7.t"));
	store_tx_delete_entry(tx, ARCHIVE, STR("5.s"));
	store_tx_trim_age(tx, ARCHIVE, 31);
	store_tx_trim_age(tx, PLACE("none", "archive"), 31);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"4.s 6.s 7.s 8.s | 4");
	tx = store_tx_new();
	store_tx_trim_count(tx, ARCHIVE, 3);
	store_tx_trim(tx, ARCHIVE, &large);
	put(tx, ARCHIVE, 12, "s");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"7.s 8.s c.s | 3");
	tx = store_tx_new();
	store_tx_trim_age(tx, ARCHIVE, INT64_MAX);
	put(tx, ARCHIVE, 1, "t");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), "1.t | 1");
	suite_close(&su);
}

struct last {
	struct suite *su;
	uint64_t number;
	int64_t wall_us;
};

static void
on_last(void *arg, const struct store_answer *a, const struct err *err)
{
	struct last *last = arg;

	CHECK(err == NULL);
	last->number = a->n != 0 ? a->entries[0].last : 0;
	last->wall_us = a->n != 0 ? a->entries[0].wall_us : 0;
	last->su->waiting--;
}

static struct last
last_of(struct suite *su)
{
	const struct str name = STR("archive");
	struct last last = { .su = su };

	su->waiting++;
	store_list_many(su->store, STR("example.org"), STR("romeo"), &name, 1,
		&su->mailbox, on_last, &last);
	suite_wait(su);
	return last;
}

/* What came before stays where it is, under the ids it has. */
void
suite_a_log_with_ids_goes_on_with_numbers(const struct suite_kind *k)
{
	const struct store_range all = { .max = 20, .count = true };
	const struct store_range late = { .max = 20, .since_us = 15 };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	CHECK_INT(last_of(&su).number, 0);
	store_tx_append(tx, ARCHIVE, STR("a"), 10, STR("juliet"), STR("v"));
	store_tx_append(tx, ARCHIVE, STR("b"), 20, STR("nurse"), STR("v"));
	store_tx_append(tx, ARCHIVE, STR("4.s"), 30, STR("nurse"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_INT(last_of(&su).number, 3);
	CHECK_INT(last_of(&su).wall_us, 30);
	tx = store_tx_new();
	put(tx, ARCHIVE, 4, "t");
	put(tx, ARCHIVE, 6, "s");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_INT(last_of(&su).number, 6);
	CHECK_INT(last_of(&su).wall_us, 60);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"a b 4.s 4.t 6.s | 5");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &late, out, sizeof(out)),
		"b 4.s 4.t 6.s");
	CHECK_CSTR(suite_entries(&su, ARCHIVE, "6.s 4.t 4.s b x", 0, out,
			   sizeof(out)),
		"6.s 4.t 4.s b");
	tx = store_tx_new();
	store_tx_append(tx, ARCHIVE, STR_NONE, 70, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	tx = store_tx_new();
	store_tx_trim_age(tx, ARCHIVE, 40);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"4.t 6.s | 2");
	suite_close(&su);
}

/* A time is found in logs of any length, with gaps. */
void
suite_times_are_found_among_any_number(const struct suite_kind *k)
{
	static const uint64_t counts[] = { 0, 1, 2, 3, 64, 255, 700 };
	struct suite su;
	char name[16], out[64], want[64];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(counts); i++) {
		uint64_t n = counts[i];
		struct store_tx *tx = store_tx_new();

		snprintf(name, sizeof(name), "log%d", (int)n);
		for (uint64_t j = 1; j <= n; j++)
			put(tx, PLACE("romeo", name), j * j + 100, "s");
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		for (uint64_t j = 1; j <= n; j += 1 + n / 9) {
			struct store_range range = { .max = 0, .count = true,
				.since_us = (int64_t)(j * j + 100) * 10 };

			TEST_CASE(name);
			snprintf(want, sizeof(want), " | %d more",
				(int)(n - j + 1));
			CHECK_CSTR(suite_range(&su, PLACE("romeo", name),
					   &range, out, sizeof(out)),
				want);
			range.since_us = 0;
			range.until_us = (int64_t)(j * j + 100) * 10;
			snprintf(want, sizeof(want), " | %d more", (int)j);
			CHECK_CSTR(suite_range(&su, PLACE("romeo", name),
					   &range, out, sizeof(out)),
				want);
		}
	}
	suite_close(&su);
}

static const struct {
	const char *del; /* with a blank between; before it is asked */
	uint32_t max;
	const char *want;
} talk_cases[] = {
	{ "", 9, "20.s 7.s 3.s" },
	{ "", 3, "20.s 7.s 3.s" },
	{ "", 2, "20.s 7.s more" },
	{ "", 0, " more" },
	{ "5.s", 9, "20.s 7.s 3.s" },
	{ "20.s", 9, "7.s 3.s 2.s" },
	{ "3.s", 9, "7.s 2.s" },
	{ "7.s 2.s", 9, "1.s" },
	{ "1.s", 9, "" },
};

/* Number 6 is with nobody. */
void
suite_conversations_come_with_their_last_entries(const struct suite_kind *k)
{
	static const uint64_t numbers[] = { 1, 2, 3, 5, 7, 32 };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	struct str id, rest;
	char out[200];

	suite_open(&su, k);
	CHECK_CSTR(suite_talks(&su, ARCHIVE, 9, out, sizeof(out)), "");
	for (size_t i = 0; i < COUNT(numbers); i++)
		put(tx, ARCHIVE, numbers[i], "s");
	store_tx_append_at(tx, ARCHIVE, STR("6.s"), 60, STR(""), STR("v"));
	store_tx_append(tx, PLACE("romeo", "ids"), STR("a"), 1, STR("juliet"),
		STR("v"));
	store_tx_append(tx, PLACE("romeo", "numbers"), STR_NONE, 1, STR("juliet"),
		STR("v"));
	put(tx, PLACE("tybalt", "archive"), 99, "s");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(talk_cases); i++) {
		TEST_CASE(talk_cases[i].want);
		tx = store_tx_new();
		for (rest = str_c(talk_cases[i].del); rest.n != 0;) {
			str_cut(rest, ' ', &id, &rest);
			store_tx_delete_entry(tx, ARCHIVE, id);
		}
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		CHECK_CSTR(suite_talks(&su, ARCHIVE, talk_cases[i].max, out,
				   sizeof(out)),
			talk_cases[i].want);
	}
	CHECK_CSTR(suite_talks(&su, PLACE("romeo", "ids"), 9, out, sizeof(out)),
		"");
	CHECK_CSTR(suite_talks(&su, PLACE("romeo", "numbers"), 9, out,
			   sizeof(out)), "");
	suite_close(&su);
}

/* --- what waits -------------------------------------------------------------------- */

/* Of number n, with a value of n bytes. */
static void
sized_put(struct store_tx *tx, uint64_t n)
{
	char id[STORE_ID_SIZE], value[100];

	memset(value, 'v', sizeof(value));
	store_tx_append_at(tx, ARCHIVE, store_id_make(n, STR("s"), id),
		(int64_t)n, STR_NONE, (struct str){ value, n });
}

/* Names, or other texts. */
static void
wait_for(struct store_tx *tx, const char *names)
{
	for (; *names != '\0'; names += strspn(names, " ")) {
		struct str name = { names, strcspn(names, " ") };

		store_tx_append(tx, PLACE("romeo", "waits"), STR_NONE, 1,
			STR_NONE, name);
		names += name.n;
	}
}

/* The values, but of those that have been names how long they are. */
static void
on_waiting(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;
	size_t size;
	FILE *out = open_memstream(&r->text, &size);

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++) {
		struct str value = a->entries[i].value;

		fprintf(out, "%s", i != 0 ? " " : "");
		if (value.p[0] == 'v')
			fprintf(out, "%zu", value.n);
		else
			fprintf(out, "%.*s", STR_ARG(value));
	}
	fclose(out);
	r->suite->waiting--;
}

static void
check_waiting(struct suite *su, const char *want)
{
	const struct store_range all = { .max = 50 };
	struct suite_result r;

	suite_result_init(su, &r);
	store_range(su->store, PLACE("romeo", "waits"), &all, &su->mailbox,
		on_waiting, &r);
	suite_wait(su);
	CHECK_CSTR(r.text, want);
	suite_result_done(&r);
}

/* Slice after slice, also where others come meanwhile, where a name is that of nothing
 * any more, where what was done is taken back, and where the numbers of what waits begin
 * again. */
static const struct {
	const char *comes; /* NULL: all that waits goes */
	const char *up_to;
	const char *fails;  /* taken back with the next one; or NULL */
	const char *left;
} wait_steps[] = {
	{ "ff.s 1.s 2.s text 3.s 5.s", "2.s", NULL, "ff.s 1 2 text 3.s 5.s" },
	{ "7.s", "3.s", "4.s", "ff.s 1 2 text 3 5.s 7.s" },
	{ "9.s 10.s", "4.s", NULL, "ff.s 1 2 text 3 5.s 7.s 9.s 10.s" },
	{ "", "9.s", NULL, "ff.s 1 2 text 3 5 7 9 10.s" },
	{ "11.s", "11.s", NULL, "ff.s 1 2 text 3 5 7 9 16 17" },
	{ NULL, "12.s", NULL, "" },
	{ "13.s 14.s", "13.s", NULL, "19 14.s" },
	{ "text", "14.s", NULL, "19 20 text" },
};

static void
trim_named(struct store_tx *tx, const char *up_to)
{
	const struct store_trim trim = { .up_to = str_c(up_to),
		.waits = STR("waits") };

	store_tx_trim(tx, ARCHIVE, &trim);
}

void
suite_what_waits_for_places_is_moved(const struct suite_kind *k)
{
	struct suite su;
	struct store_tx *tx = store_tx_new();

	suite_open(&su, k);
	for (uint64_t n = 1; n <= 32; n++)
		sized_put(tx, n);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(wait_steps); i++) {
		TEST_CASE(wait_steps[i].left);
		if (wait_steps[i].fails != NULL) {
			tx = store_tx_new();
			trim_named(tx, wait_steps[i].fails);
			store_tx_require_entry(tx, ARCHIVE, STR("ffff.s"));
			CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
		}
		tx = store_tx_new();
		if (wait_steps[i].comes != NULL)
			wait_for(tx, wait_steps[i].comes);
		else
			store_tx_trim_to(tx, PLACE("romeo", "waits"),
				STR("1000"));
		trim_named(tx, wait_steps[i].up_to);
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		check_waiting(&su, wait_steps[i].left);
	}
	suite_close(&su);
}
