/*
 * store_suite_log.c - logs, as every driver keeps them.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>

#include "test.h"

#define ARCHIVE PLACE("romeo", "archive")

void
suite_a_log_refuses_an_id_twice(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (int i = 0; i < 2; i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_append(tx, ARCHIVE, STR("1"), 1, STR_NONE, STR("v"));
		store_tx_append(tx, PLACE("juliet", "archive"), STR("1"), 1,
			STR_NONE, STR("v"));
		CHECK_INT(suite_commit(&su, tx),
			i == 0 ? ERR_NONE : ERR_CONFLICT);
	}
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), "1 | 1");
	suite_close(&su);
}

/* Ids a to j; times 10 to 100; odd ones with juliet, even ones with nurse. */
static void
archive_fill(struct suite *su)
{
	struct store_tx *tx = store_tx_new();
	char id[2] = "a";

	for (int i = 1; i <= 10; i++, id[0]++)
		store_tx_append(tx, ARCHIVE, str_c(id), 10 * i,
			i % 2 != 0 ? STR("juliet") : STR("nurse"), str_c(id));
	store_tx_append(tx, PLACE("romeo", "other"), STR("x"), 50,
		STR("juliet"), STR("v"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

#define S(text)                                                                \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static const struct {
	struct store_range range;
	const char *want;
} range_cases[] = {
	{ { .max = 20 }, "a b c d e f g h i j" },
	{ { .max = 10 }, "a b c d e f g h i j" },
	{ { .max = 3, .count = true }, "a b c | 10 more" },
	{ { .max = 3, .count = true, .backwards = true }, "h i j | 10 more" },
	{ { .max = 0, .count = true }, " | 10 more" },
	{ { .max = 0, .after_id = S("j") }, "" },
	{ { .max = 3, .after_id = S("c"), .count = true }, "d e f | 10 more" },
	{ { .max = 3, .after_id = S("g") }, "h i j" },
	{ { .max = 3, .after_id = S("j") }, "" },
	{ { .max = 3, .before_id = S("e"), .backwards = true }, "b c d more" },
	{ { .max = 3, .before_id = S("d"), .backwards = true }, "a b c" },
	{ { .max = 3, .before_id = S("a"), .backwards = true }, "" },
	{ { .max = 3, .before_id = S("d") }, "a b c" },
	{ { .max = 2, .before_id = S("d") }, "a b more" },
	{ { .max = 9, .after_id = S("b"), .before_id = S("f") }, "c d e" },
	{ { .max = 9, .after_id = S("f"), .before_id = S("b") }, "" },
	{ { .max = 2,
		  .after_id = S("b"),
		  .before_id = S("f"),
		  .backwards = true },
		"d e more" },
	{ { .max = 9, .with = S("nurse"), .count = true }, "b d f h j | 5" },
	{ { .max = 2, .with = S("nurse"), .count = true }, "b d | 5 more" },
	{ { .max = 2, .with = S("nurse"), .backwards = true }, "h j more" },
	{ { .max = 2, .with = S("nurse"), .after_id = S("c") }, "d f more" },
	{ { .max = 9, .with = S("paris"), .count = true }, " | 0" },
	{ { .max = 9, .with = S(""), .count = true }, " | 0" },
	{ { .max = 9, .since_us = 80 }, "h i j" },
	{ { .max = 9, .since_us = 81, .count = true }, "i j | 2" },
	{ { .max = 9, .until_us = 30, .count = true }, "a b c | 3" },
	{ { .max = 9, .until_us = 29 }, "a b" },
	{ { .max = 9, .since_us = 30, .until_us = 50, .count = true },
		"c d e | 3" },
	{ { .max = 2, .since_us = 30, .until_us = 50 }, "c d more" },
	{ { .max = 2, .since_us = 30, .until_us = 50, .backwards = true },
		"d e more" },
	{ { .max = 9,
		  .since_us = 30,
		  .until_us = 90,
		  .after_id = S("g"),
		  .count = true },
		"h i | 7" },
	{ { .max = 2,
		  .since_us = 30,
		  .until_us = 90,
		  .before_id = S("e"),
		  .backwards = true },
		"c d" },
	{ { .max = 9, .since_us = 50, .until_us = 30, .count = true }, " | 0" },
	{ { .max = 9,
		  .with = S("juliet"),
		  .since_us = 30,
		  .until_us = 70,
		  .count = true },
		"c e g | 3" },
	{ { .max = 2,
		  .with = S("juliet"),
		  .since_us = 30,
		  .until_us = 70,
		  .backwards = true,
		  .count = true },
		"e g | 3 more" },
	{ { .max = 2,
		  .with = S("juliet"),
		  .since_us = 30,
		  .until_us = 70,
		  .backwards = true,
		  .before_id = S("g"),
		  .count = true },
		"c e | 3" },
	{ { .max = 9, .with = S("juliet"), .since_us = 30, .after_id = S("f") },
		"g i" },
	{ { .max = UINT32_MAX, .since_us = INT64_MIN, .until_us = INT64_MAX },
		"a b c d e f g h i j" },
};

void
suite_ranges_of_a_log_are_paged(const struct suite_kind *k)
{
	struct suite su;
	char out[200], label[100];

	suite_open(&su, k);
	archive_fill(&su);
	for (size_t i = 0; i < COUNT(range_cases); i++) {
		snprintf(label, sizeof(label), "%s, row %zu: %s", k->label, i,
			range_cases[i].want);
		TEST_CASE(label);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &range_cases[i].range, out,
				   sizeof(out)),
			range_cases[i].want);
	}
	suite_close(&su);
}

void
suite_an_unknown_id_is_missing(const struct suite_kind *k)
{
	static const struct store_range cases[] = {
		{ .max = 1, .after_id = S("k") },
		{ .max = 1, .before_id = S("k"), .backwards = true },
		{ .max = 1, .after_id = S("a"), .before_id = S("k") },
		{ .max = 1, .after_id = S("") },
		{ .max = 1, .after_id = S("x") }, /* of another log */
		{ .max = 1, .after_id = S("a' OR '1'='1") },
		{ .max = 1, .after_id = S("a\0b") },
		{ .max = 1, .before_id = S("\xff") },
		{ .max = 1, .before_id = S("99999999999999999999999999") },
	};
	struct suite su;
	char out[200], missing[20];

	suite_open(&su, k);
	archive_fill(&su);
	snprintf(missing, sizeof(missing), "error %d", (int)ERR_MISSING);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK_CSTR(
			suite_range(&su, ARCHIVE, &cases[i], out, sizeof(out)),
			missing);
		CHECK_CSTR(suite_range(&su, PLACE("none", "archive"), &cases[i],
				   out, sizeof(out)),
			missing);
	}
	suite_close(&su);
}

void
suite_times_may_go_back_in_a_log(const struct suite_kind *k)
{
	static const int64_t times[] = { 50, 60, 20, 30, 55, -5 };
	const struct store_range late = { .max = 9, .since_us = 50 };
	const struct store_range one = { .max = 1,
		.since_us = 21,
		.until_us = 55,
		.backwards = true,
		.count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200], id[2] = "a";

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(times); i++, id[0]++)
		store_tx_append(
			tx, ARCHIVE, str_c(id), times[i], STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &late, out, sizeof(out)), "a b e");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &one, out, sizeof(out)),
		"e | 3 more");
	suite_close(&su);
}

void
suite_logs_are_trimmed_by_age(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	archive_fill(&su);
	store_tx_trim_age(tx, ARCHIVE, 80);
	store_tx_trim_age(tx, PLACE("none", "archive"), 80);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(
		suite_range(&su, ARCHIVE, &all, out, sizeof(out)), "h i j | 3");
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "other"), &all, out,
			   sizeof(out)),
		"x | 1");
	suite_close(&su);
}

void
suite_logs_are_trimmed_by_count(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	static const struct {
		uint64_t keep;
		const char *want;
	} cases[] = {
		{ UINT64_MAX, "a b c d e f g h i j | 10" },
		{ 10, "a b c d e f g h i j | 10" },
		{ 4, "g h i j | 4" },
		{ 3, "h i j | 3" },
		{ 0, " | 0" },
	};
	struct suite su;
	char out[200];

	suite_open(&su, k);
	archive_fill(&su);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_trim_count(tx, ARCHIVE, cases[i].keep);
		store_tx_trim_count(tx, PLACE("none", "log"), cases[i].keep);
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
			cases[i].want);
	}
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "other"), &all, out,
			   sizeof(out)),
		"x | 1");
	suite_close(&su);
}

void
suite_entries_are_deleted_one_by_one(const struct suite_kind *k)
{
	const struct store_range all = { .max = 20, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	archive_fill(&su);
	store_tx_delete_entry(tx, ARCHIVE, STR("a"));
	store_tx_delete_entry(tx, ARCHIVE, STR("e"));
	store_tx_delete_entry(tx, ARCHIVE, STR("j"));
	store_tx_delete_entry(tx, ARCHIVE, STR("none"));
	store_tx_append(tx, ARCHIVE, STR("a"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"b c d f g h i a | 8");
	suite_close(&su);
}

/* --- numbers instead of ids --------------------------------------------- */

#define QUEUE PLACE("romeo", "queue")

/* Times 10, 20, ...; odd ones with juliet, even ones with nurse. */
static void
queue_fill(struct suite *su, int n)
{
	struct store_tx *tx = store_tx_new();

	for (int i = 1; i <= n; i++)
		store_tx_append(tx, QUEUE, STR_NONE, 10 * i,
			i % 2 != 0 ? STR("juliet") : STR("nurse"),
			STR("12345"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static const struct {
	struct store_range range;
	const char *want;
} number_cases[] = {
	{ { .max = 9, .count = true }, "1 2 3 4 5 | 5" },
	{ { .max = 2, .count = true, .backwards = true }, "4 5 | 5 more" },
	{ { .max = 2, .after_id = S("2") }, "3 4 more" },
	{ { .max = 9, .before_id = S("3"), .backwards = true }, "1 2" },
	{ { .max = 9, .with = S("nurse"), .count = true }, "2 4 | 2" },
	{ { .max = 1, .with = S("nurse"), .backwards = true }, "4 more" },
	{ { .max = 9, .with = S("") }, "" },
	{ { .max = 9, .since_us = 20, .until_us = 40, .count = true },
		"2 3 4 | 3" },
	{ { .max = 9, .with = S("juliet"), .since_us = 20 }, "3 5" },
	{ { .max = 9, .after_id = S("6") }, "error" },
	{ { .max = 9, .after_id = S("0") }, "error" },
	{ { .max = 9, .before_id = S("-1") }, "error" },
	{ { .max = 9, .after_id = S("a") }, "error" },
	{ { .max = 9, .after_id = S("99999999999999") }, "error" },
};

void
suite_entries_without_ids_are_numbered(const struct suite_kind *k)
{
	struct suite su;
	char out[200], missing[20];

	suite_open(&su, k);
	snprintf(missing, sizeof(missing), "error %d", (int)ERR_MISSING);
	queue_fill(&su, 5);
	for (size_t i = 0; i < COUNT(number_cases); i++) {
		const char *want = number_cases[i].want;

		TEST_CASE(want);
		CHECK_CSTR(suite_range(&su, QUEUE, &number_cases[i].range, out,
				   sizeof(out)),
			str_is(str_c(want), "error") ? missing : want);
	}
	suite_close(&su);
}

void
suite_a_log_has_either_ids_or_numbers(const struct suite_kind *k)
{
	const struct store_range all = { .max = 9 };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	queue_fill(&su, 2);
	store_tx_append(tx, QUEUE, STR("a"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	archive_fill(&su);
	tx = store_tx_new();
	store_tx_append(tx, ARCHIVE, STR_NONE, 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	tx = store_tx_new();
	store_tx_trim_count(tx, QUEUE, 0);
	store_tx_append(tx, QUEUE, STR("a"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, QUEUE, &all, out, sizeof(out)), "a");
	suite_close(&su);
}

static const struct {
	const char *queue_to, *queue_left, *archive_to, *archive_left;
} trim_cases[] = {
	{ "0", "1 2 3 4 5", "none", "a b c d e f g h i j" },
	{ "a", "1 2 3 4 5", "", "a b c d e f g h i j" },
	{ "-1", "1 2 3 4 5", "a", "b c d e f g h i j" },
	{ "3", "4 5", "i", "j" },
	{ "3", "4 5", "i", "j" },
	{ "2", "4 5", "a", "j" },
	{ "99", "", "j", "" },
	{ "99", "", "j", "" },
};

void
suite_logs_are_trimmed_to_an_entry(const struct suite_kind *k)
{
	const struct store_range all = { .max = 20 };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	queue_fill(&su, 5);
	archive_fill(&su);
	for (size_t i = 0; i < COUNT(trim_cases); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_trim_to(tx, QUEUE, str_c(trim_cases[i].queue_to));
		store_tx_trim_to(tx, ARCHIVE, str_c(trim_cases[i].archive_to));
		store_tx_trim_to(tx, PLACE("none", "log"), STR("1"));
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		CHECK_CSTR(suite_range(&su, QUEUE, &all, out, sizeof(out)),
			trim_cases[i].queue_left);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
			trim_cases[i].archive_left);
	}
	queue_fill(&su, 2);
	CHECK_CSTR(suite_range(&su, QUEUE, &all, out, sizeof(out)), "1 2");
	suite_close(&su);
}

struct sizes {
	struct suite *suite;
	char text[200];
};

static void
on_sizes(void *arg, const struct store_answer *a, const struct err *err)
{
	struct sizes *s = arg;
	size_t n = 0;

	CHECK(err == NULL);
	s->text[0] = '\0';
	for (size_t i = 0; i < a->n; i++) {
		const struct store_entry *e = &a->entries[i];

		if (e->key.p == NULL)
			n += (size_t)snprintf(s->text + n, sizeof(s->text) - n,
				"%.*s:%llu/%llu ", STR_ARG(e->with),
				(unsigned long long)e->total,
				(unsigned long long)e->bytes);
	}
	s->suite->waiting--;
}

static const char *
sizes_of(struct suite *su, const char *name, struct sizes *out)
{
	const struct str names[] = { STR("map"), str_c(name) };

	out->suite = su;
	su->waiting++;
	store_list_many(su->store, STR("example.org"), STR("romeo"), names,
		COUNT(names), &su->mailbox, on_sizes, out);
	suite_wait(su);
	return out->text;
}

void
suite_sizes_of_logs_come_with_the_maps(const struct suite_kind *k)
{
	struct store_tx *tx;
	struct suite su;
	struct sizes s;

	suite_open(&su, k);
	suite_set(&su, PLACE("romeo", "map"), "key", "value");
	CHECK_CSTR(sizes_of(&su, "queue", &s), "");
	queue_fill(&su, 5);
	archive_fill(&su);
	CHECK_CSTR(sizes_of(&su, "queue", &s), "queue:5/25 ");
	CHECK_CSTR(sizes_of(&su, "archive", &s), "archive:10/10 ");
	tx = store_tx_new();
	store_tx_trim_to(tx, QUEUE, STR("2"));
	store_tx_trim_age(tx, ARCHIVE, 30);
	store_tx_delete_entry(tx, ARCHIVE, STR("e"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("\xc3\xa9"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(sizes_of(&su, "queue", &s), "queue:3/15 ");
	CHECK_CSTR(sizes_of(&su, "archive", &s), "archive:8/9 ");
	tx = store_tx_new();
	store_tx_append(tx, QUEUE, STR_NONE, 1, STR_NONE, STR("v"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	CHECK_CSTR(sizes_of(&su, "queue", &s), "queue:3/15 ");
	tx = store_tx_new();
	store_tx_trim_to(tx, QUEUE, STR("9"));
	store_tx_clear(tx, ARCHIVE);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(sizes_of(&su, "queue", &s), "");
	CHECK_CSTR(sizes_of(&su, "archive", &s), "");
	suite_close(&su);
}

/* Of a map with keys 0000, 0001...; returns how many there are. */
static size_t
entries_check(const struct store_answer *a)
{
	size_t n = 0;
	char key[8];

	for (size_t i = 0; i < a->n; i++) {
		const struct store_entry *e = &a->entries[i];

		if (!str_is(e->with, "map"))
			continue;
		snprintf(key, sizeof(key), "%04zu", n++);
		CHECK_STR(e->key, key);
		CHECK_STR(e->value, key);
	}
	return n;
}

static void
on_map_and_size(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;

	CHECK(err == NULL);
	r->n = entries_check(a);
	CHECK_INT(a->n, r->n + 1);
	CHECK_STR(a->entries[r->n].with, "queue");
	CHECK_INT(a->entries[r->n].total, 3);
	CHECK_INT(a->entries[r->n].bytes, 15);
	r->suite->waiting--;
}

/* As when an account with contacts and waiting messages is loaded. */
void
suite_sizes_come_with_any_number_of_entries(const struct suite_kind *k)
{
	const struct str names[] = { STR("map"), STR("queue") };
	struct suite_result r;
	struct suite su;
	char key[8];

	suite_open(&su, k);
	queue_fill(&su, 3);
	for (size_t n = 0; n < 300; n++) {
		struct store_tx *tx = store_tx_new();

		suite_result_init(&su, &r);
		store_list_many(su.store, STR("example.org"), STR("romeo"),
			names, COUNT(names), &su.mailbox, on_map_and_size, &r);
		suite_wait(&su);
		CHECK_INT(r.n, n);
		snprintf(key, sizeof(key), "%04zu", n);
		store_tx_set(tx, PLACE("romeo", "map"), str_c(key), str_c(key));
		suite_commit(&su, tx);
	}
	suite_close(&su);
}
