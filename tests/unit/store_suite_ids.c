/*
 * store_suite_ids.c - entries of logs, asked for by their ids.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
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
