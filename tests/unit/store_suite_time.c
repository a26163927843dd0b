/*
 * store_suite_time.c - logs that are read in the order of times, as every driver does
 * it.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define FILES PLACE("", "files")
#define MOST 300

/* What the store is held against: the times, and in which order they were written. */
struct model {
	int n;
	int64_t times[MOST];
	int order[MOST]; /* of the numbers, by time */
};

static int
number_compare(const void *a, const void *b, void *arg)
{
	const struct model *m = arg;
	int left = *(const int *)a, right = *(const int *)b;

	if (m->times[left] != m->times[right])
		return m->times[left] < m->times[right] ? -1 : 1;
	return left - right;
}

/* Times go back and forth, and many are equal; some are before 1970. */
static void
files_fill(struct suite *su, struct model *m, int n)
{
	struct store_tx *tx = store_tx_new();
	char id[16];

	m->n = n;
	for (int i = 0; i < n; i++) {
		m->times[i] = i * 7919 % 101 - 3;
		m->order[i] = i;
		snprintf(id, sizeof(id), "f%d", i);
		store_tx_append(tx, FILES, str_c(id), m->times[i],
			i % 2 == 0 ? STR("romeo") : STR("juliet"), STR("v"));
	}
	store_tx_append(tx, PLACE("", "others"), STR("x"), 0, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	qsort_r(m->order, (size_t)n, sizeof(m->order[0]), number_compare, m);
}

/* What is due to be said of range, whose after_id is the number after (-1: none). */
static void
model_range(const struct model *m, const struct store_range *range, int after,
	char *out, size_t room)
{
	size_t n = 0, found = 0;
	bool is_behind = after == -1, more = false;

	out[0] = '\0';
	for (int i = 0; i < m->n; i++) {
		int at = m->order[i];

		if (is_behind &&
			(range->since_us == 0 || m->times[at] >= range->since_us) &&
			(range->until_us == 0 || m->times[at] <= range->until_us)) {
			more = found++ >= range->max;
			if (more)
				break;
			n += (size_t)snprintf(out + n, room - n,
				n == 0 ? "f%d" : " f%d", at);
		}
		is_behind = is_behind || at == after;
	}
	if (more)
		snprintf(out + n, room - n, " more");
}

static void
range_check(struct suite *su, const struct model *m, struct store_range range,
	int after)
{
	static char out[8192], want[8192];
	char id[16];

	snprintf(id, sizeof(id), "f%d", after);
	if (after != -1)
		range.after_id = str_c(id);
	range.by_time = true;
	model_range(m, &range, after, want, sizeof(want));
	CHECK_CSTR(suite_range(su, FILES, &range, out, sizeof(out)), want);
}

static const struct store_range time_cases[] = {
	{ .max = 1 },
	{ .max = 7, .until_us = 50 },
	{ .max = 64, .until_us = 97 },
	{ .max = 64, .since_us = 20, .until_us = 60 },
	{ .max = 5, .since_us = -1 },
	{ .max = 9, .until_us = -1 },
	{ .max = 9, .since_us = 60, .until_us = 20 },
	{ .max = MOST, .until_us = INT64_MAX },
	{ .max = 0, .until_us = 50 },
};

void
suite_entries_are_read_in_the_order_of_times(const struct suite_kind *k)
{
	static const int sizes[] = { 0, 1, 2, 3, 63, 64, 65, MOST };
	struct model m;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct suite su;
		char label[64];

		suite_open(&su, k);
		snprintf(label, sizeof(label), "%s, %d entries", k->label,
			sizes[i]);
		TEST_CASE(label);
		files_fill(&su, &m, sizes[i]);
		for (size_t c = 0; c < COUNT(time_cases); c++) {
			range_check(&su, &m, time_cases[c], -1);
			for (int after = 0; after < m.n; after += 1 + m.n / 16)
				range_check(&su, &m, time_cases[c], after);
		}
		suite_close(&su);
	}
}

/* As those do who delete what is due, page by page. */
void
suite_what_is_oldest_is_taken_away_in_slices(const struct suite_kind *k)
{
	const struct store_range due = { .max = 64, .until_us = 70,
		.by_time = true };
	struct suite su;
	struct model m;
	char out[2048];
	int gone = 0;

	suite_open(&su, k);
	files_fill(&su, &m, MOST);
	for (;;) {
		char *at = NULL, *id;
		struct store_tx *tx;

		suite_range(&su, FILES, &due, out, sizeof(out));
		if (out[0] == '\0')
			break;
		tx = store_tx_new();
		for (id = strtok_r(out, " ", &at); id != NULL;
			id = strtok_r(NULL, " ", &at)) {
			if (strcmp(id, "more") == 0)
				continue;
			CHECK_INT(atoi(id + 1), m.order[gone++]);
			store_tx_delete_entry(tx, FILES, str_c(id));
		}
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	}
	CHECK(gone > 64 && gone < MOST);
	CHECK(m.times[m.order[gone - 1]] <= 70);
	CHECK(m.times[m.order[gone]] > 70);
	suite_close(&su);
}

void
suite_the_order_of_times_is_asked_for_alone(const struct suite_kind *k)
{
	static const struct store_range cases[] = {
		{ .max = 1, .by_time = true, .with = STR_NONE, .backwards = true },
		{ .max = 1, .by_time = true, .with = { "romeo", 5 } },
		{ .max = 1, .by_time = true, .before_id = { "f0", 2 } },
	};
	const struct store_range unknown = { .max = 1, .by_time = true,
		.after_id = STR("f9") };
	const struct store_range all = { .max = 9, .by_time = true };
	struct store_tx *tx = store_tx_new();
	char out[200], error[20];
	struct suite su;
	struct model m;

	suite_open(&su, k);
	files_fill(&su, &m, 2);
	snprintf(error, sizeof(error), "error %d", (int)ERR_INVALID);
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_CSTR(suite_range(&su, FILES, &cases[i], out, sizeof(out)),
			error);
	store_tx_append(tx, PLACE("", "queue"), STR_NONE, 2, STR_NONE, STR("v"));
	store_tx_append_at(tx, PLACE("", "placed"), STR("1.x"), 2, STR_NONE,
		STR("v"));
	store_tx_append_at(tx, PLACE("", "placed"), STR("2.x"), 3, STR_NONE,
		STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, PLACE("", "queue"), &all, out, sizeof(out)),
		error);
	/* there times go with the numbers */
	CHECK_CSTR(suite_range(&su, PLACE("", "placed"), &all, out, sizeof(out)),
		"1.x 2.x");
	snprintf(error, sizeof(error), "error %d", (int)ERR_MISSING);
	CHECK_CSTR(suite_range(&su, FILES, &unknown, out, sizeof(out)), error);
	suite_close(&su);
}
