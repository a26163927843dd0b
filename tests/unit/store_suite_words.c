/*
 * store_suite_words.c - entries that are found by the words they have.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

#define ARCHIVE PLACE("romeo", "archive")
#define OTHER PLACE("juliet", "archive")

static void
say(struct store_tx *tx, struct store_place at, uint64_t n, const char *with,
	const char *words)
{
	char id[STORE_ID_SIZE];
	struct str is = store_id_make(n, STR("s"), id);

	store_tx_append_at(tx, at, is, (int64_t)n * 10, str_c(with), STR("v"));
	store_tx_index(tx, at, is, str_c(words));
}

static const struct {
	struct store_range range;
	const char *want;
} found_cases[] = {
	{ { .max = 9, .words = STR("rose") }, "1.s 3.s | 2" },
	{ { .max = 9, .words = STR("rose name") }, "1.s | 1" },
	{ { .max = 9, .words = STR("name rose") }, "1.s | 1" },
	{ { .max = 9, .words = STR("ros") }, " | 0" },
	{ { .max = 9, .words = STR("roses") }, "2.s | 1" },
	{ { .max = 9, .words = STR("secret") }, " | 0" },
	{ { .max = 9, .words = STR("rose rose") }, "1.s 3.s | 2" },
	{ { .max = 9, .words = STR("\xe7\x8c\xab") }, "4.s | 1" },
	{ { .max = 9, .words = STR("and") }, "4.s | 1" },
	{ { .max = 9, .words = STR("near or not") }, "4.s | 1" },
	{ { .max = 9, .words = STR("words") }, " | 0" },
	{ { .max = 9, .words = STR("rose"), .with = STR("nurse") },
		"3.s | 1" },
	{ { .max = 9, .words = STR("rose"), .with = STR("nobody") }, " | 0" },
	{ { .max = 9, .words = STR("rose"), .since_us = 11 }, "3.s | 1" },
	{ { .max = 9, .words = STR("rose"), .after_id = STR("1.s") },
		"3.s | 2" },
	{ { .max = 1, .words = STR("rose") }, "1.s | 2 more" },
	{ { .max = 1, .words = STR("rose"), .backwards = true },
		"3.s | 2 more" },
};

/* Of this log alone, and all words at once. */
void
suite_entries_are_found_by_words(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	say(tx, ARCHIVE, 1, "paris", "what is in a name a rose");
	say(tx, ARCHIVE, 2, "paris", "roses");
	say(tx, ARCHIVE, 3, "nurse", "rose");
	say(tx, ARCHIVE, 4, "nurse", "near and or not \xe7\x8c\xab");
	say(tx, ARCHIVE, 5, "nurse", "");
	say(tx, OTHER, 1, "paris", "secret rose");
	store_tx_index(tx, PLACE("none", "log"), STR("1.s"), STR("rose"));
	store_tx_index(tx, ARCHIVE, STR("9.s"), STR("rose"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	for (size_t i = 0; i < COUNT(found_cases); i++) {
		struct store_range range = found_cases[i].range;

		range.count = true;
		TEST_CASE(found_cases[i].want);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
			found_cases[i].want);
	}
	suite_close(&su);
}

static void
add(struct store_tx *tx, uint64_t n)
{
	char id[STORE_ID_SIZE];

	store_tx_append_at(tx, ARCHIVE, store_id_make(n, STR("s"), id),
		(int64_t)n * 10, STR("paris"), STR("v"));
}

/* Those that come right behind it are meant for it, or for another. */
void
suite_words_of_what_is_new_are_those_that_were_said_last(
	const struct suite_kind *k)
{
	const struct store_range rose = { .max = 9, .words = STR("rose") };
	const struct store_range name = { .max = 9, .words = STR("name") };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	add(tx, 1);
	add(tx, 2);
	store_tx_index(tx, ARCHIVE, STR("1.s"), STR("name"));
	add(tx, 3);
	store_tx_index(tx, ARCHIVE, STR("3.s"), STR("name"));
	store_tx_index(tx, ARCHIVE, STR("3.s"), STR("rose"));
	add(tx, 4);
	store_tx_index(tx, ARCHIVE, STR("4.s"), STR("rose"));
	store_tx_index(tx, ARCHIVE, STR("4.s"), STR_NONE);
	add(tx, 5);
	store_tx_index(tx, OTHER, STR("5.s"), STR("rose"));
	add(tx, 6);
	store_tx_index(tx, PLACE("romeo", "log"), STR("6.s"), STR("rose"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &rose, out, sizeof(out)), "3.s");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &name, out, sizeof(out)), "1.s");
	CHECK_CSTR(suite_range(&su, OTHER, &rose, out, sizeof(out)), "");
	suite_close(&su);
}

/* Other words, another value, gone. */
void
suite_words_go_with_what_they_were_in(const struct suite_kind *k)
{
	const struct store_range rose = { .max = 9, .words = STR("rose") };
	const struct store_range name = { .max = 9, .words = STR("name") };
	const struct store_trim first = { .up_to = STR("4.s") };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200];

	suite_open(&su, k);
	for (uint64_t n = 1; n <= 7; n++)
		say(tx, ARCHIVE, n, "paris", "rose");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	tx = store_tx_new();
	store_tx_replace_entry(tx, ARCHIVE, STR("2.s"), STR("gone"));
	store_tx_delete_entry(tx, ARCHIVE, STR("5.s"));
	store_tx_index(tx, ARCHIVE, STR("6.s"), STR("name"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &rose, out, sizeof(out)),
		"1.s 3.s 4.s 7.s");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &name, out, sizeof(out)), "6.s");
	tx = store_tx_new();
	store_tx_trim(tx, ARCHIVE, &first);
	store_tx_index(tx, ARCHIVE, STR("6.s"), STR_NONE);
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &rose, out, sizeof(out)), "7.s");
	CHECK_CSTR(suite_range(&su, ARCHIVE, &name, out, sizeof(out)), "");
	suite_close(&su);
}

static const struct {
	const char *label;
	struct str words;
	bool only_wanted; /* else they are not taken for an entry either */
} bad_words[] = {
	{ "nothing", { "", 0 }, true },
	{ "quotes", { "\"a\"", 3 }, false },
	{ "a quote", { "a\"", 2 }, false },
	{ "an apostrophe", { "a'", 2 }, false },
	{ "a prefix", { "a*", 2 }, false },
	{ "upper case", { "a OR b", 6 }, false },
	{ "near", { "near(a b)", 9 }, false },
	{ "a column", { "words:a", 7 }, false },
	{ "columns", { "{words}:a", 9 }, false },
	{ "the first", { "^a", 2 }, false },
	{ "together", { "a+b", 3 }, false },
	{ "not", { "a -b", 4 }, false },
	{ "of another", { "1_a", 3 }, false },
	{ "a NUL", { "a\0b", 3 }, false },
	{ "a line", { "a\nb", 3 }, false },
	{ "a blank ahead", { " a", 2 }, false },
	{ "a blank behind", { "a ", 2 }, false },
	{ "two blanks", { "a  b", 4 }, false },
	{ "no UTF-8", { "\xff", 1 }, false },
};

/* What means something to a search engine is no word. */
void
suite_what_is_no_word_is_refused(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct store_range range = { .max = 9 };
	char out[64], want[32], many[3 * STORE_WORDS_MAX + 3] = "";
	struct suite su;

	suite_open(&su, k);
	say(tx, ARCHIVE, 1, "paris", "a b");
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	snprintf(want, sizeof(want), "error %d", ERR_INVALID);
	for (size_t i = 0; i < COUNT(bad_words); i++) {
		TEST_CASE(bad_words[i].label);
		range.words = bad_words[i].words;
		CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)),
			want);
		if (bad_words[i].only_wanted)
			continue;
		tx = store_tx_new();
		store_tx_index(tx, ARCHIVE, STR("1.s"), bad_words[i].words);
		CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
		tx = store_tx_new();
		add(tx, 2);
		store_tx_index(tx, ARCHIVE, STR("2.s"), bad_words[i].words);
		CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	}
	for (int i = 0; i < STORE_WORDS_MAX; i++)
		strcat(many, i != 0 ? " a" : "a");
	range.words = str_c(many);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)), "1.s");
	strcat(many, " a");
	range.words = str_c(many);
	snprintf(want, sizeof(want), "error %d", ERR_LIMIT);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &range, out, sizeof(out)), want);
	suite_close(&su);
}
