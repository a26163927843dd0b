/*
 * store_suite_clear.c - a log of any length goes at once, as far as anybody can tell.
 */
#include "config.h"

#include "store_suite.h"

#include <stdio.h>

#include "test.h"

#define ARCHIVE PLACE("romeo", "archive")
#define IDS PLACE("romeo", "ids")
#define QUEUE PLACE("romeo", "queue")

/* More than a slice of each kind; the values of the queue are ids of the archive. */
#define MANY (3 * STORE_TRIM_MAX)

static const struct store_range all = { .max = 2, .count = true };

static void
logs_fill(struct suite *su, uint64_t first)
{
	struct store_tx *tx = store_tx_new();
	char id[STORE_ID_SIZE];

	for (uint64_t n = first; n < first + MANY; n++) {
		struct str is = store_id_make(n, STR("s"), id);

		store_tx_append_at(tx, ARCHIVE, is, (int64_t)n,
			n % 2 == 0 ? STR("juliet") : STR("nurse"), STR("text"));
		store_tx_index(tx, ARCHIVE, is, STR("rose"));
		store_tx_append(tx, IDS, is, (int64_t)n, STR("juliet"), STR("v"));
		store_tx_append(tx, QUEUE, STR_NONE, 1, STR_NONE, is);
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static void
on_sizes(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++)
		r->total += a->entries[i].total;
	r->suite->waiting--;
}

/* How many entries the logs of romeo have, as the loading of him would say. */
static uint64_t
total_of(struct suite *su)
{
	const struct str names[] = { STR("archive"), STR("ids"), STR("queue") };
	struct suite_result r;
	uint64_t n;

	suite_result_init(su, &r);
	store_list_many(su->store, STR("example.org"), STR("romeo"), names,
		COUNT(names), &su->mailbox, on_sizes, &r);
	suite_wait(su);
	n = r.total;
	suite_result_done(&r);
	return n;
}

static void
check_none_owns(struct suite *su, const char *name)
{
	struct suite_result r;

	suite_result_init(su, &r);
	store_log_owners(su->store, STR("example.org"), str_c(name), STR_NONE,
		9, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_CSTR(r.text, "");
	suite_result_done(&r);
}

/* In whatever way somebody asks. */
static void
check_empty(struct suite *su, struct store_place at)
{
	const struct store_range with = { .max = 2, .count = true,
		.with = STR("juliet") };
	const struct store_range words = { .max = 2, .count = true,
		.words = STR("rose") };
	char out[200];

	CHECK_CSTR(suite_range(su, at, &all, out, sizeof(out)), " | 0");
	CHECK_CSTR(suite_range(su, at, &with, out, sizeof(out)), " | 0");
	CHECK_CSTR(suite_range(su, at, &words, out, sizeof(out)), " | 0");
	CHECK_CSTR(suite_talks(su, at, 9, out, sizeof(out)), "");
	CHECK_CSTR(suite_entries(su, at, "1.s 2 3.s", 0, out, sizeof(out)), "");
}

/* Another owner of the same name begins anew, where the first has gone. */
static void
check_another(struct suite *su)
{
	const struct store_range with = { .max = 2, .count = true,
		.with = STR("juliet") };
	struct store_tx *tx = store_tx_new();
	char out[200];

	store_tx_append_at(tx, ARCHIVE, STR("2.s"), 7, STR("juliet"), STR("v"));
	store_tx_append(tx, IDS, STR("3.s"), 7, STR("juliet"), STR("v"));
	store_tx_append(tx, QUEUE, STR_NONE, 7, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(su, ARCHIVE, &with, out, sizeof(out)), "2.s | 1");
	CHECK_CSTR(suite_range(su, IDS, &with, out, sizeof(out)), "3.s | 1");
	CHECK_CSTR(suite_range(su, QUEUE, &all, out, sizeof(out)), "1 | 1");
	CHECK_CSTR(suite_talks(su, ARCHIVE, 9, out, sizeof(out)), "2.s");
	CHECK_INT(total_of(su), 3);
}

/* Before anything else is done, and when all of it is. */
void
suite_a_long_log_is_cleared_at_once(const struct suite_kind *k)
{
	struct store_tx *tx;
	struct suite su;

	suite_open(&su, k);
	for (uint64_t round = 0; round < 2; round++) {
		logs_fill(&su, 1 + 1000 * round);
		CHECK_INT(total_of(&su), (3 * MANY) + 3 * round);
		tx = store_tx_new();
		store_tx_clear_owner(tx, STR("example.org"), STR("romeo"));
		CHECK_INT(suite_commit(&su, tx), ERR_NONE);
		check_empty(&su, ARCHIVE);
		check_empty(&su, IDS);
		check_empty(&su, QUEUE);
		check_none_owns(&su, "archive");
		CHECK_INT(total_of(&su), 0);
		check_another(&su);
	}
	while (k->inline_work && store_turn(su.store))
		continue;
	check_none_owns(&su, "none");
	CHECK_INT(total_of(&su), 3);
	suite_close(&su);
}

struct trimmed {
	struct suite *su;
	bool more;
};

static void
on_trimmed(void *arg, bool more, const struct err *err)
{
	struct trimmed *t = arg;

	CHECK(err == NULL);
	t->more = more;
	t->su->waiting--;
}

static bool
trim_all(struct suite *su, const char *up_to)
{
	const struct store_trim trim = { .up_to = str_c(up_to),
		.waits = STR("queue") };
	struct trimmed t = { .su = su };

	su->waiting++;
	store_trim(su->store, ARCHIVE, &trim, &su->mailbox, on_trimmed, &t);
	suite_wait(su);
	return t.more;
}

static void
on_values(void *arg, const struct store_answer *a, const struct err *err)
{
	struct suite_result *r = arg;

	CHECK(err == NULL);
	for (size_t i = 0; i < a->n; i++)
		r->total += str_is(a->entries[i].value, "text");
	r->suite->waiting--;
}

/* How many of what waits have their text. */
static uint64_t
moved(struct suite *su)
{
	const struct store_range range = { .max = 2 * MANY };
	struct suite_result r;

	suite_result_init(su, &r);
	store_range(su->store, QUEUE, &range, &su->mailbox, on_values, &r);
	suite_wait(su);
	suite_result_done(&r);
	return r.total;
}

/* What waits is moved first, some of it with each; what the last is, is asked before. */
void
suite_all_of_a_long_log_goes_at_once(const struct suite_kind *k)
{
	struct store_tx *tx;
	struct suite su;
	char last[STORE_ID_SIZE], out[200], want[32];

	suite_open(&su, k);
	logs_fill(&su, 1);
	store_id_make(MANY, STR("s"), last);
	for (int n = 1; n <= 3; n++) {
		CHECK(trim_all(&su, last));
		CHECK_INT(moved(&su), n * STORE_TRIM_MAX);
		snprintf(want, sizeof(want), "1.s 2.s | %d more", MANY);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
			want);
	}
	CHECK(!trim_all(&su, last));
	check_empty(&su, ARCHIVE);
	CHECK(!trim_all(&su, last));
	CHECK_INT(total_of(&su), 2 * MANY);
	/* one that is not the last: slices */
	tx = store_tx_new();
	store_tx_clear_owner(tx, STR("example.org"), STR("romeo"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	logs_fill(&su, 2);
	CHECK(trim_all(&su, last));
	CHECK_INT(moved(&su), STORE_TRIM_MAX);
	CHECK_INT(total_of(&su), 3 * MANY - STORE_TRIM_MAX);
	suite_close(&su);
}

void
suite_a_clear_that_fails_has_cleared_nothing(const struct suite_kind *k)
{
	struct store_tx *tx = store_tx_new();
	struct suite su;
	char out[200], want[32];

	suite_open(&su, k);
	logs_fill(&su, 1);
	store_tx_clear(tx, ARCHIVE);
	store_tx_append_at(tx, ARCHIVE, STR("2.s"), 7, STR("juliet"), STR("v"));
	store_tx_require(tx, PLACE("romeo", "map"), STR("none"));
	CHECK_INT(suite_commit(&su, tx), ERR_MISSING);
	CHECK_INT(total_of(&su), 3 * MANY);
	snprintf(want, sizeof(want), "1.s 2.s | %d more", MANY);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)), want);
	suite_close(&su);
}
