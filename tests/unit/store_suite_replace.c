/*
 * store_suite_replace.c - entries whose value becomes another.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

/* Three kinds of logs: with ids, with numbers, and where ids say the numbers. */
static const struct {
	const char *log;
	const char *ids[3];
} kinds[] = {
	{ "ids", { "a", "b", "c" } },
	{ "numbers", { "1", "2", "3" } },
	{ "placed", { "1.s", "2.s", "3.s" } },
};

static void
fill(struct suite *su, size_t kind)
{
	struct store_place at = PLACE("romeo", kinds[kind].log);
	struct store_tx *tx = store_tx_new();

	for (int64_t i = 0; i < 3; i++) {
		struct str id = str_c(kinds[kind].ids[i]);
		struct str with = i == 1 ? STR("juliet") : STR("nurse");

		if (kind == 2)
			store_tx_append_at(
				tx, at, id, 10 * i + 10, with, STR("text"));
		else
			store_tx_append(tx, at, kind == 1 ? STR_NONE : id,
				10 * i + 10, with, STR("text"));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

/* "id=value", and how large the values are. */
static void
check_log(struct suite *su, size_t kind, const struct store_range *range,
	const char *want)
{
	struct store_place at = PLACE("romeo", kinds[kind].log);
	struct suite_result r;

	suite_result_init(su, &r);
	r.with_values = true;
	store_range(su->store, at, range, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	CHECK_CSTR(r.text, want);
	suite_result_done(&r);
}

static void
on_sizes(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;

	CHECK(err == NULL);
	r->n = a->n != 0 ? a->entries[0].total : 0;
	r->total = a->n != 0 ? a->entries[0].bytes : 0;
	r->suite->waiting--;
}

static void
check_sizes(struct suite *su, size_t kind, uint64_t total, uint64_t bytes)
{
	const struct str name = str_c(kinds[kind].log);
	struct suite_result r;

	suite_result_init(su, &r);
	store_list_many(su->store, STR("example.org"), STR("romeo"), &name, 1,
		&su->mailbox, on_sizes, &r);
	suite_wait(su);
	CHECK_INT(r.n, total);
	CHECK_INT(r.total, bytes);
	suite_result_done(&r);
}

static void
check_replaced(struct suite *su, size_t kind, const char *value,
	const char *want)
{
	const struct store_range all = { .max = 9 };
	const struct store_range middle = { .max = 9, .with = STR("juliet"),
		.since_us = 20, .until_us = 20 };
	struct store_place at = PLACE("romeo", kinds[kind].log);
	struct store_tx *tx = store_tx_new();
	const char *const *ids = kinds[kind].ids;
	char text[200];

	store_tx_replace_entry(tx, at, str_c(ids[1]), str_c(value));
	store_tx_replace_entry(tx, at, STR("9.s"), STR("nobody's"));
	store_tx_replace_entry(tx, at, STR("2.t"), STR("nobody's"));
	store_tx_replace_entry(tx, at, STR("9"), STR("nobody's"));
	store_tx_replace_entry(
		tx, PLACE("none", "log"), str_c(ids[1]), STR("nobody's"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	snprintf(text, sizeof(text), "%s=text %s=%s %s=text", ids[0], ids[1],
		want, ids[2]);
	check_log(su, kind, &all, text);
	snprintf(text, sizeof(text), "%s=%s", ids[1], want);
	check_log(su, kind, &middle, text);
	check_sizes(su, kind, 3, 8 + strlen(want));
}

/* Where it is, when it came and with whom it was stays. */
void
suite_a_value_becomes_another(const struct suite_kind *k)
{
	struct suite su;

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		TEST_CASE(kinds[i].log);
		fill(&su, i);
		check_replaced(&su, i, "a longer text", "a longer text");
		check_replaced(&su, i, "", "");
		check_replaced(&su, i, "<gone/>", "<gone/>");
	}
	suite_close(&su);
}

void
suite_a_value_comes_back_when_that_fails(const struct suite_kind *k)
{
	const struct store_range all = { .max = 9 };
	struct suite su;
	char want[100];

	suite_open(&su, k);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const char *const *ids = kinds[i].ids;
		struct store_tx *tx = store_tx_new();

		TEST_CASE(kinds[i].log);
		fill(&su, i);
		store_tx_replace_entry(tx, PLACE("romeo", kinds[i].log),
			str_c(ids[0]), STR("other"));
		store_tx_require(tx, PLACE("romeo", "map"), STR("missing"));
		CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
		snprintf(want, sizeof(want), "%s=text %s=text %s=text", ids[0],
			ids[1], ids[2]);
		check_log(&su, i, &all, want);
		check_sizes(&su, i, 3, 12);
	}
	suite_close(&su);
}
