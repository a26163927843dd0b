/*
 * store_suite.c - the behaviours that every storage driver shows.
 */
#include "config.h"

#include "store_suite.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define ROSTER PLACE("romeo", "roster")
#define ARCHIVE PLACE("romeo", "archive")

/* --- maps ----------------------------------------------------------------------- */

void
suite_a_key_is_found_until_it_is_deleted(const struct suite_kind *k)
{
	struct store_tx *tx;
	struct suite su;
	char out[200];

	suite_open(&su, k);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)), "");
	CHECK_INT(suite_set(&su, ROSTER, "juliet", "<item/>"), ERR_NONE);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)),
		"juliet=<item/>");
	CHECK_INT(suite_set(&su, ROSTER, "juliet", "<other/>"), ERR_NONE);
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)),
		"juliet=<other/>");
	for (int twice = 0; twice < 2; twice++) {
		tx = store_tx_new();
		store_tx_delete(tx, ROSTER, STR("juliet"));
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	CHECK_CSTR(suite_get(&su, ROSTER, "juliet", out, sizeof(out)), "");
	suite_close(&su);
}

void
suite_a_map_is_listed_in_byte_order(const struct suite_kind *k)
{
	static const char *const keys[] = { "b", "", "a", "\xc3\xa9", "Z", "ab",
		"B", "a b" };
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(keys); i++)
		CHECK_INT(suite_set(&su, ROSTER, keys[i], "v"), ERR_NONE);
	CHECK_INT(suite_set(&su, PLACE("romeo", "rooster"), "x", "v"),
		ERR_NONE);
	CHECK_INT(suite_set(&su, PLACE("romeo2", "roster"), "x", "v"),
		ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"=v B=v Z=v a=v a b=v ab=v b=v \xc3\xa9=v");
	CHECK_CSTR(suite_list(&su, PLACE("rome", "roster"), out, sizeof(out)),
		"");
	suite_close(&su);
}

struct many {
	struct suite *suite;
	size_t n;
	char text[200];
};

static void
on_many(void *arg, const struct store_answer *a, const struct err *err)
{
	struct many *m = arg;
	size_t n = 0;

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++)
		n += (size_t)snprintf(m->text + n, sizeof(m->text) - n,
			"%.*s/%.*s ", STR_ARG(a->entries[i].with),
			STR_ARG(a->entries[i].key));
	m->suite->waiting--;
}

void
suite_several_maps_come_as_one_answer(const struct suite_kind *k)
{
	const struct str names[] = { STR("roster"), STR("none"), STR("block") };
	struct suite su;
	struct many m = { .suite = &su };

	suite_open(&su, k);
	suite_set(&su, PLACE("romeo", "block"), "tybalt", "v");
	suite_set(&su, ROSTER, "juliet", "v");
	suite_set(&su, ROSTER, "benvolio", "v");
	su.waiting++;
	store_list_many(su.store, STR("example.org"), STR("romeo"), names,
		COUNT(names), &su.mailbox, on_many, &m);
	suite_wait(&su);
	CHECK_CSTR(m.text, "roster/benvolio roster/juliet block/tybalt ");
	suite_close(&su);
}

void
suite_maps_and_logs_of_one_name_are_two_things(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_append(tx, ROSTER, STR("id"), 1, STR_NONE, STR("v"));
	store_tx_set(tx, ROSTER, STR("key"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "key=v");
	CHECK_CSTR(suite_range(&su, ROSTER, &all, out, sizeof(out)), "id | 1");
	tx = store_tx_new();
	store_tx_clear(tx, ROSTER);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	CHECK_CSTR(suite_range(&su, ROSTER, &all, out, sizeof(out)), " | 0");
	suite_close(&su);
}

/* --- transactions ----------------------------------------------------------------- */

void
suite_a_failed_transaction_leaves_nothing(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	suite_set(&su, ROSTER, "juliet", "old");
	suite_set(&su, ROSTER, "nurse", "old");
	store_tx_set(tx, ROSTER, STR("juliet"), STR("new"));
	store_tx_set(tx, ROSTER, STR("mercutio"), STR("new"));
	store_tx_delete(tx, ROSTER, STR("nurse"));
	store_tx_append(tx, ARCHIVE, STR("1"), 1, STR_NONE, STR("v"));
	store_tx_clear_owner(tx, STR("example.org"), STR("tybalt"));
	store_tx_clear(tx, ROSTER);
	store_tx_set(tx, ROSTER, STR("after"), STR("new"));
	store_tx_create(tx, ROSTER, STR("after"), STR("newer"));
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"juliet=old nurse=old");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), " | 0");
	suite_close(&su);
}

void
suite_a_failure_spares_the_others_of_its_batch(const struct suite_kind *k)
{
	struct suite_result r[9];
	struct suite su;
	char key[8], out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		snprintf(key, sizeof(key), "%zu", i);
		store_tx_set(tx, ROSTER, str_c(key), STR("v"));
		if (i % 3 == 1)
			store_tx_require(tx, ROSTER, STR("none"));
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	for (size_t i = 0; i < COUNT(r); i++)
		CHECK_INT(r[i].code, i % 3 == 1 ? ERR_MISSING : ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)),
		"0=v 2=v 3=v 5=v 6=v 8=v");
	suite_close(&su);
}

void
suite_operations_of_a_transaction_see_those_before(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_create(tx, ROSTER, STR("a"), STR("1"));
	store_tx_require(tx, ROSTER, STR("a"));
	store_tx_delete(tx, ROSTER, STR("a"));
	store_tx_create(tx, ROSTER, STR("a"), STR("2"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	store_tx_delete_entry(tx, ARCHIVE, STR("x"));
	store_tx_append(tx, ARCHIVE, STR("x"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "a=2");
	suite_close(&su);
}

void
suite_create_refuses_a_key_that_exists(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_create(tx, ROSTER, STR("a"), STR("1"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	store_tx_create(tx, ROSTER, STR("a"), STR("2"));
	CHECK_INT(suite_commit(&su, tx), ERR_CONFLICT);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "a=1");
	suite_close(&su);
}

void
suite_require_refuses_a_key_that_does_not(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;

	suite_open(&su, k);
	store_tx_require(tx, ROSTER, STR("a"));
	CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
	suite_set(&su, ROSTER, "a", "");
	tx = store_tx_new();
	store_tx_require(tx, ROSTER, STR("a"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	suite_close(&su);
}

/* --- owners ------------------------------------------------------------------------- */

static const char *
owners_text(struct suite *su, const char *name, const char *after, uint32_t max,
	char *out, size_t room)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_owners(su->store, STR("example.org"), str_c(name), str_c(after),
		max, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	snprintf(out, room, "%s%s", r.text, r.complete ? "" : " more");
	suite_result_done(&r);
	return out;
}

static uint64_t
owners_count(struct suite *su, const char *name)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_count_owners(su->store, STR("example.org"), str_c(name),
		&su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	suite_result_done(&r);
	return r.total;
}

void
suite_an_owner_is_cleared_alone(const struct suite_kind *k)
{
	const struct store_range all = { .max = 10, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	store_tx_set(tx, ROSTER, STR("a"), STR("v"));
	store_tx_set(tx, PLACE("romeo", "vcard"), STR("a"), STR("v"));
	store_tx_append(tx, ARCHIVE, STR("1"), 1, STR_NONE, STR("v"));
	store_tx_append(tx, PLACE("romeo", "offline"), STR("1"), 1, STR_NONE,
		STR("v"));
	store_tx_set(tx, PLACE("romeo1", "roster"), STR("a"), STR("v"));
	store_tx_append(tx, PLACE("juliet", "archive"), STR("1"), 1, STR_NONE,
		STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	store_tx_clear_owner(tx, STR("example.org"), STR("romeo"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), " | 0");
	CHECK_CSTR(owners_text(&su, "roster", NULL, 9, out, sizeof(out)),
		"romeo1");
	CHECK_INT(owners_count(&su, "vcard"), 0);
	CHECK_CSTR(suite_range(&su, PLACE("juliet", "archive"), &all, out,
			   sizeof(out)),
		"1 | 1");
	suite_close(&su);
}

void
suite_owners_are_listed_in_pages_and_counted(const struct suite_kind *k)
{
	static const char *const names[] = { "mercutio", "", "juliet", "romeo",
		"julia" };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(names); i++) {
		store_tx_set(tx, PLACE(names[i], "user"), STR("a"), STR("v"));
		store_tx_set(tx, PLACE(names[i], "user"), STR("b"), STR("v"));
	}
	store_tx_append(tx, PLACE("nurse", "user"), STR("1"), 1, STR_NONE,
		STR("v"));
	store_tx_set(tx,
		(struct store_place){ STR("example.net"), STR("paris"),
			STR("user") },
		STR("a"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_INT(owners_count(&su, "user"), 5);
	CHECK_INT(owners_count(&su, "users"), 0);
	CHECK_CSTR(owners_text(&su, "user", NULL, 9, out, sizeof(out)),
		" julia juliet mercutio romeo");
	CHECK_CSTR(owners_text(&su, "user", NULL, 2, out, sizeof(out)),
		" julia more");
	CHECK_CSTR(owners_text(&su, "user", "julia", 3, out, sizeof(out)),
		"juliet mercutio romeo");
	CHECK_CSTR(owners_text(&su, "user", "n", 3, out, sizeof(out)), "romeo");
	CHECK_CSTR(owners_text(&su, "user", "", 0, out, sizeof(out)), " more");
	CHECK_CSTR(owners_text(&su, "user", "romeo", 0, out, sizeof(out)), "");
	tx = store_tx_new();
	store_tx_delete(tx, PLACE("julia", "user"), STR("a"));
	store_tx_delete(tx, PLACE("juliet", "user"), STR("a"));
	store_tx_delete(tx, PLACE("juliet", "user"), STR("b"));
	store_tx_clear(tx, PLACE("romeo", "user"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(owners_text(&su, "user", NULL, 9, out, sizeof(out)),
		" julia mercutio");
	suite_close(&su);
}

/* --- logs --------------------------------------------------------------------------- */

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
			i % 2 != 0 ? STR("juliet") : STR("nurse"),
			str_c(id));
	store_tx_append(tx, PLACE("romeo", "other"), STR("x"), 50,
		STR("juliet"), STR("v"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

#define S(text) { text, sizeof(text) - 1 }

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
	{ { .max = 2, .after_id = S("b"), .before_id = S("f"),
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
	{ { .max = 9, .since_us = 30, .until_us = 90, .after_id = S("g"),
		  .count = true },
		"h i | 7" },
	{ { .max = 2, .since_us = 30, .until_us = 90, .before_id = S("e"),
		  .backwards = true },
		"c d" },
	{ { .max = 9, .since_us = 50, .until_us = 30, .count = true }, " | 0" },
	{ { .max = 9, .with = S("juliet"), .since_us = 30, .until_us = 70,
		  .count = true },
		"c e g | 3" },
	{ { .max = 2, .with = S("juliet"), .since_us = 30, .until_us = 70,
		  .backwards = true, .count = true },
		"e g | 3 more" },
	{ { .max = 2, .with = S("juliet"), .since_us = 30, .until_us = 70,
		  .backwards = true, .before_id = S("g"), .count = true },
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
		CHECK_CSTR(suite_range(&su, ARCHIVE, &cases[i], out,
				   sizeof(out)),
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
	const struct store_range one = { .max = 1, .since_us = 21,
		.until_us = 55, .backwards = true, .count = true };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200], id[2] = "a";

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(times); i++, id[0]++)
		store_tx_append(tx, ARCHIVE, str_c(id), times[i], STR_NONE,
			STR("v"));
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
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"h i j | 3");
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

/* --- texts -------------------------------------------------------------------------- */

static char *
text_of(size_t n)
{
	char *text = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 26);
	text[n] = '\0';
	return text;
}

struct whole {
	struct suite *suite;
	struct store_entry want;
	bool equal;
};

static void
on_whole(void *arg, const struct store_answer *a, const struct err *err)
{
	struct whole *w = arg;

	w->equal = err == NULL && a->n == 1 &&
		str_eq(a->entries[0].key, w->want.key) &&
		str_eq(a->entries[0].value, w->want.value) &&
		str_eq(a->entries[0].with, w->want.with) &&
		a->entries[0].wall_us == w->want.wall_us;
	w->suite->waiting--;
}

static void
entry_round_trip(struct suite *su, struct store_place at,
	struct store_entry want)
{
	const struct store_range all = { .max = 2, .with = want.with };
	struct whole in_map = { su, want, false };
	struct whole in_log = { su, want, false };
	struct store_tx *tx = store_tx_new();

	in_map.want.with = STR_NONE;
	in_map.want.wall_us = 0;
	store_tx_clear(tx, at);
	store_tx_set(tx, at, want.key, want.value);
	store_tx_append(tx, at, want.key, want.wall_us, want.with, want.value);
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	su->waiting += 2;
	store_get(su->store, at, want.key, &su->mailbox, on_whole, &in_map);
	store_range(su->store, at, &all, &su->mailbox, on_whole, &in_log);
	suite_wait(su);
	CHECK(in_map.equal);
	CHECK(in_log.equal);
}

/* hostile 18 */
void
suite_maximum_sizes_come_back_unchanged(const struct suite_kind *k)
{
	char *key = text_of(STORE_KEY_MAX), *value = text_of(STORE_VALUE_MAX);
	struct str longest = { key, STORE_KEY_MAX };
	struct suite su;

	suite_open(&su, k);
	entry_round_trip(&su, (struct store_place){ longest, longest, longest },
		(struct store_entry){
			.key = longest,
			.value = { value, STORE_VALUE_MAX },
			.with = longest,
			.wall_us = INT64_MAX,
		});
	suite_close(&su);
	free(key);
	free(value);
}

/* hostile 63 */
void
suite_odd_texts_come_back_unchanged(const struct suite_kind *k)
{
	static const char *const texts[] = {
		"",
		"'",
		"\"",
		"'; DROP TABLE map; --",
		"%_?1:a@b$c",
		"99999999999999999999999999999999",
		"-9223372036854775809",
		"1e400",
		"0x10",
		"NULL",
		"\xf0\x9f\x92\xa9\xcc\x81 \xe2\x80\xae\xd7\xa9",
		"\x01\x7f\t\n\\",
	};
	struct suite su;

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str t = str_c(texts[i]);

		TEST_CASE(texts[i]);
		entry_round_trip(&su, (struct store_place){ t, t, t },
			(struct store_entry){
				.key = t,
				.value = t,
				.with = t,
				.wall_us = INT64_MIN + 1,
			});
	}
	suite_close(&su);
}

void
suite_what_breaks_the_rules_is_refused(const struct suite_kind *k)
{
	char *longer = text_of(STORE_VALUE_MAX + 1);
	const struct {
		struct str key, value;
		enum err_code want;
	} cases[] = {
		{ STR("a\0b"), STR("v"), ERR_INVALID },
		{ STR("a"), STR("v\0w"), ERR_INVALID },
		{ STR("\xff"), STR("v"), ERR_INVALID },
		{ STR("\xed\xa0\x80"), STR("v"), ERR_INVALID },
		{ { longer, STORE_KEY_MAX + 1 }, STR("v"), ERR_LIMIT },
		{ STR("a"), { longer, STORE_VALUE_MAX + 1 }, ERR_LIMIT },
	};
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx, ROSTER, STR("good"), STR("v"));
		store_tx_set(tx, ROSTER, cases[i].key, cases[i].value);
		store_tx_set(tx, ROSTER, STR("good"), STR("v"));
		CHECK_INT(suite_commit(&su, tx), cases[i].want);
	}
	CHECK_CSTR(suite_list(&su, ROSTER, out, sizeof(out)), "");
	suite_close(&su);
	free(longer);
}

void
suite_large_ranges_end_early(const struct suite_kind *k)
{
	char *value = text_of(STORE_VALUE_MAX);
	struct store_range range = { .max = 9 };
	struct suite su;
	char id[2] = "a", out[200];

	suite_open(&su, k);
	for (int i = 0; i < 4; i++, id[0]++) {
		struct store_tx *tx = store_tx_new();

		store_tx_append(tx, ARCHIVE, str_c(id), 1, STR_NONE,
			(struct str){ value, STORE_VALUE_MAX });
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
		"a b more");
	range.backwards = true;
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
		"c d more");
	suite_close(&su);
	free(value);
}

/* --- order, batches, bounds ----------------------------------------------------------- */

#define N_MANY 300

static void
key_ask(struct suite *su, int i, struct suite_result *r)
{
	struct store_tx *tx = store_tx_new();
	char key[16], owner[16];

	snprintf(key, sizeof(key), "%d", i);
	snprintf(owner, sizeof(owner), "o%d", i % 7);
	store_tx_set(tx, PLACE(owner, "map"), str_c(key), str_c(key));
	store_commit(su->store, tx, NULL, NULL, NULL);
	r->with_values = true;
	store_get(su->store, PLACE(owner, "map"), str_c(key), &su->mailbox,
		suite_on_read, r);
}

void
suite_reads_see_every_write_before_them(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	char want[40];
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++) {
		snprintf(want, sizeof(want), "%d=%d", i, i);
		CHECK_CSTR(r[i].text, want);
		suite_result_done(&r[i]);
	}
	suite_close(&su);
}

/* One thread that writes and reads without waiting in between. */
struct asker {
	pthread_t id;
	struct store *store;
	struct mailbox mailbox;
	int number;
	int waiting;
	int wrong;
};

struct ask {
	struct asker *asker;
	char want[16];
};

static void
on_ask_read(void *arg, const struct store_answer *a, const struct err *err)
{
	struct ask *q = arg;

	q->asker->waiting--;
	if (err != NULL || a->n != 1 || !str_is(a->entries[0].value, q->want))
		q->asker->wrong++;
}

static void *
asker_main(void *arg)
{
	struct asker *me = arg;
	struct pollfd pfd = { .fd = me->mailbox.fd, .events = POLLIN };
	struct ask asks[N_MANY];

	for (int i = 0; i < N_MANY; i++) {
		struct store_tx *tx = store_tx_new();
		char owner[16];

		asks[i].asker = me;
		snprintf(owner, sizeof(owner), "asker%d", me->number);
		snprintf(asks[i].want, sizeof(asks[i].want), "%d", i);
		store_tx_set(tx, PLACE(owner, "map"), STR("key"),
			str_c(asks[i].want));
		store_commit(me->store, tx, NULL, NULL, NULL);
		/* the newest value must not be older than ours, and nobody
		 * else writes: it is ours, unless our next one overtook */
		if (i % 10 != 9)
			continue;
		me->waiting++;
		store_get(me->store, PLACE(owner, "map"), STR("key"),
			&me->mailbox, on_ask_read, &asks[i]);
		while (me->waiting != 0) {
			if (poll(&pfd, 1, 60000) != 1)
				break;
			mailbox_drain(&me->mailbox, NULL, SIZE_MAX);
		}
	}
	return NULL;
}

void
suite_threads_read_what_they_wrote(const struct suite_kind *k)
{
	struct asker askers[4];
	struct err err = ERR_INIT;
	struct suite su;

	if (k->inline_work)
		return;
	suite_open(&su, k);
	for (int i = 0; i < (int)COUNT(askers); i++) {
		askers[i] = (struct asker){ .store = su.store, .number = i };
		CHECK(mailbox_init(&askers[i].mailbox, &err));
		CHECK(pthread_create(&askers[i].id, NULL, asker_main,
			      &askers[i]) == 0);
	}
	for (size_t i = 0; i < COUNT(askers); i++) {
		pthread_join(askers[i].id, NULL);
		CHECK_INT(askers[i].waiting, 0);
		CHECK_INT(askers[i].wrong, 0);
		mailbox_done(&askers[i].mailbox);
	}
	suite_close(&su);
}

void
suite_writes_that_gather_are_one_commit(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	struct store_stats st;
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++)
		suite_result_done(&r[i]);
	store_stats(su.store, &st);
	CHECK_INT(st.writes, N_MANY);
	CHECK_INT(st.queued, 0);
	CHECK(st.largest_batch > 1);
	CHECK(st.commits < N_MANY);
	suite_close(&su);
}

struct order {
	struct suite *suite;
	int *next;
	int number;
	bool in_turn;
};

static void
on_in_turn(void *arg, bool ok, const struct err *err)
{
	struct order *o = arg;

	(void)err;
	o->in_turn = ok && (*o->next)++ == o->number;
	o->suite->waiting--;
}

void
suite_writes_are_answered_in_order(const struct suite_kind *k)
{
	struct order o[N_MANY];
	int next = 0;
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		struct store_tx *tx = store_tx_new();

		o[i] = (struct order){ &su, &next, i, false };
		store_tx_set(tx, ROSTER, STR("a"), STR("v"));
		su.waiting++;
		store_commit(su.store, tx, &su.mailbox, on_in_turn, &o[i]);
	}
	suite_wait(&su);
	for (int i = 0; i < N_MANY; i++)
		CHECK(o[i].in_turn);
	suite_close(&su);
}

/* With threads what waits goes down meanwhile, so that nothing is certain. */
void
suite_what_waits_is_bounded(const struct suite_kind *k)
{
	char *value = text_of(STORE_VALUE_MAX);
	struct suite_result r[6];
	struct store_stats st;
	struct suite su;

	if (!k->inline_work) {
		free(value);
		return;
	}
	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(r); i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx, ROSTER, STR("a"),
			(struct str){ value, STORE_VALUE_MAX });
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	store_stats(su.store, &st);
	CHECK(st.queued_bytes > STORE_QUEUE_MAX);
	CHECK_INT(st.queued, 4);
	suite_wait(&su);
	CHECK_INT(r[3].code, ERR_NONE);
	CHECK_INT(r[4].code, ERR_BUSY);
	CHECK_INT(r[5].code, ERR_BUSY);
	store_stats(su.store, &st);
	CHECK_INT(st.queued_bytes, 0);
	CHECK_INT(suite_set(&su, ROSTER, "a", "v"), ERR_NONE);
	suite_close(&su);
	free(value);
}

void
suite_closing_answers_everything(const struct suite_kind *k)
{
	struct suite_result r[N_MANY];
	struct suite su;

	suite_open(&su, k);
	for (int i = 0; i < N_MANY; i++) {
		suite_result_init(&su, &r[i]);
		key_ask(&su, i, &r[i]);
	}
	suite_reopen(&su);
	CHECK_INT(su.waiting, 0);
	for (int i = 0; i < N_MANY; i++) {
		CHECK_INT(r[i].n, 1);
		suite_result_done(&r[i]);
	}
	suite_close(&su);
}
