/*
 * test_store_plans.c - what SQLite makes of the statements of its driver: each finds
 * what it wants by an index, in the order in which it is wanted, and the work for a
 * part of a log does not grow with the log.
 */
#include "config.h"

#include "store/driver.h"

#include <limits.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };

static struct store_db *
db_open(struct suite *su)
{
	struct sqlite_conf file;
	struct store_conf conf = { .driver = "sqlite", .options = &file };
	struct err err = ERR_INIT;
	struct store_db *db;

	suite_open(su, &inline_kind);
	suite_shut(su);
	file.path = su->path;
	db = store_sqlite.open(&conf, &err);
	CHECK(db != NULL);
	return db;
}

static void
db_end(struct suite *su, struct store_db *db)
{
	store_sqlite.close(db);
	suite_reopen(su);
	suite_close(su);
}

/* --- plans ------------------------------------------------------------------ */

/* Parts of a log by time, in the order in which they were written: whoever asks for
 * them gets few, or wants by_time.  And the conversations of a log, of which there are
 * far less than entries, or so many entries are looked at. */
static bool
may_sort(int which)
{
	return which == SQL_TALKS || which == SQL_TALKS_LATE ||
		which == SQL_RANGE + SQL_BIT_TIME ||
		which == SQL_RANGE + SQL_BIT_TIME + SQL_BIT_BACKWARDS;
}

/* What is made of a list or of rows that the statement itself has found; and what
 * FTS5 finds by its terms, in the order of rows. */
static bool
may_scan(const char *detail)
{
	static const char search[] = "SCAN search VIRTUAL TABLE INDEX ";
	const char *end = strchr(detail, ':');

	return (strncmp(detail, search, sizeof(search) - 1) == 0 &&
		       end != NULL && strcmp(end, ":M1><") == 0) ||
		strcmp(detail, "SCAN maps") == 0 ||
		strcmp(detail, "SCAN lasts") == 0 ||
		strcmp(detail, "SCAN CONSTANT ROW") == 0;
}

static void
plan_check(sqlite3 *sql, int which)
{
	char text[4096];
	sqlite3_stmt *st;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s",
		sqlite_texts[which]);
	TEST_CASE(sqlite_texts[which]);
	CHECK(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(st, 3);

		CHECK(may_sort(which) || strstr(detail, "TEMP B-TREE") == NULL);
		CHECK(strncmp(detail, "SCAN", 4) != 0 || may_scan(detail));
	}
	sqlite3_finalize(st);
}

TEST(no_statement_sorts_or_looks_at_everything)
{
	struct suite su;
	struct store_db *db = db_open(&su);

	for (int i = SQL_MAP_GET; i < SQL_COUNT; i++)
		plan_check(db->sql, i);
	db_end(&su, db);
}

/* --- work ---------------------------------------------------------------------- */

#define FILES PLACE("", "files")

static bool
count(void *arg, const struct store_entry *e)
{
	(void)e;
	++*(int *)arg;
	return true;
}

static void
files_add(struct store_db *db, int from, int to)
{
	struct err err = ERR_INIT;
	char id[16];

	CHECK(store_sqlite.begin(db, &err));
	for (int i = from; i < to; i++) {
		struct store_op op = {
			.kind = STORE_OP_APPEND,
			.at = FILES,
			.key = { .p = id },
			.wall_us = i % 5, /* a few moments have many */
			.with = i % 100 == 0 ? STR("romeo") : STR("juliet"),
			.value = STR("v"),
		};

		op.key.n = (size_t)snprintf(id, sizeof(id), "f%d", i);
		CHECK(store_sqlite.append(db, &op, &err));
	}
	CHECK(store_sqlite.commit(db, &err));
}

/* Steps of SQLite's machine for all statements, since this was asked last. */
static int
steps_taken(struct store_db *db)
{
	int steps = 0;

	for (int i = 0; i < SQL_COUNT; i++)
		if (db->stmts[i] != NULL)
			steps += sqlite3_stmt_status(db->stmts[i],
				SQLITE_STMTSTATUS_VM_STEP, 1);
	return steps;
}

/* Those for a range, and what it has found. */
static int
range_steps(struct store_db *db, const struct store_range *range, int *n_out)
{
	struct err err = ERR_INIT;
	uint64_t total;
	bool complete;

	*n_out = 0;
	steps_taken(db);
	CHECK(store_sqlite.begin(db, &err));
	CHECK(store_sqlite.range(
		db, FILES, range, count, n_out, &total, &complete, &err));
	CHECK(store_sqlite.commit(db, &err));
	return steps_taken(db);
}

static const struct {
	const char *label;
	struct store_range range;
} work_cases[] = {
	{ "the first", { .max = 10 } },
	{ "the last", { .max = 10, .backwards = true } },
	{ "somewhere", { .max = 10, .after_id = { "f401", 4 } } },
	{ "of one user", { .max = 3, .with = { "romeo", 5 } } },
	{ "of one user, behind",
		{ .max = 3, .with = { "romeo", 5 }, .after_id = { "f100", 4 } } },
	{ "of one user, the last",
		{ .max = 3, .with = { "romeo", 5 }, .backwards = true } },
	{ "the oldest", { .max = 10, .until_us = 3, .by_time = true } },
	{ "the oldest, behind",
		{ .max = 10, .until_us = 3, .after_id = { "f401", 4 },
			.by_time = true } },
	{ "the oldest, behind all of a moment",
		{ .max = 10, .since_us = 1, .after_id = { "f499", 4 },
			.by_time = true } },
};

TEST(a_part_of_a_log_costs_what_is_in_it)
{
	int few[COUNT(work_cases)], n_few[COUNT(work_cases)], n;
	struct suite su;
	struct store_db *db = db_open(&su);

	files_add(db, 0, 1000);
	for (size_t i = 0; i < COUNT(work_cases); i++)
		few[i] = range_steps(db, &work_cases[i].range, &n_few[i]);
	files_add(db, 1000, 20000);
	for (size_t i = 0; i < COUNT(work_cases); i++) {
		TEST_CASE(work_cases[i].label);
		CHECK(range_steps(db, &work_cases[i].range, &n) <= 2 * few[i]);
		if (work_cases[i].range.since_us == 0)
			CHECK_INT(n, n_few[i]);
		CHECK(n > 0);
	}
	db_end(&su, db);
}

/* --- pages of a map ---------------------------------------------------------------- */

#define ROOMS PLACE("", "rooms")

static void
rooms_add(struct store_db *db, int from, int to)
{
	struct err err = ERR_INIT;
	char key[16];

	CHECK(store_sqlite.begin(db, &err));
	for (int i = from; i < to; i++)
		CHECK(store_sqlite.set(db, ROOMS,
			(struct str){ key, (size_t)snprintf(key, sizeof(key),
						   "r%06d", i) },
			STR("v"), false, &err));
	CHECK(store_sqlite.commit(db, &err));
}

static int
page_steps(struct store_db *db, const struct store_page *page, int *n_out)
{
	struct err err = ERR_INIT;
	uint64_t total = 0;
	bool complete;

	*n_out = 0;
	steps_taken(db);
	CHECK(store_sqlite.begin(db, &err));
	CHECK(store_sqlite.page(
		db, ROOMS, page, count, n_out, &total, &complete, &err));
	CHECK(store_sqlite.commit(db, &err));
	return steps_taken(db);
}

static const struct store_page page_cases[] = {
	{ .max = 10 },
	{ .max = 10, .backwards = true },
	{ .max = 10, .after = { "r000040", 7 } },
	{ .max = 10, .before = { "r000040", 7 }, .backwards = true },
};

TEST(a_page_of_a_map_costs_what_is_in_it)
{
	int few[COUNT(page_cases)], n;
	struct suite su;
	struct store_db *db = db_open(&su);

	rooms_add(db, 0, 100);
	for (size_t i = 0; i < COUNT(page_cases); i++)
		few[i] = page_steps(db, &page_cases[i], &n);
	rooms_add(db, 100, 20000);
	for (size_t i = 0; i < COUNT(page_cases); i++) {
		CHECK(page_steps(db, &page_cases[i], &n) <= few[i]);
		CHECK_INT(n, 10);
	}
	db_end(&su, db);
}

/* --- conversations ----------------------------------------------------------------- */

#define TALKS PLACE("romeo", "archive")

/* With n_peers, one after the other. */
static void
talks_add(struct store_db *db, int from, int to, int n_peers)
{
	struct err err = ERR_INIT;
	char id[STORE_ID_SIZE], with[16];

	CHECK(store_sqlite.begin(db, &err));
	for (int i = from; i < to; i++) {
		struct store_op op = {
			.kind = STORE_OP_APPEND,
			.at = TALKS,
			.key = store_id_make((uint64_t)i + 1, STR("s"), id),
			.wall_us = i,
			.with = { .p = with },
			.value = STR("v"),
			.number = (uint64_t)i + 1,
		};

		op.with.n = (size_t)snprintf(
			with, sizeof(with), "w%d", i % n_peers);
		CHECK(store_sqlite.append(db, &op, &err));
	}
	CHECK(store_sqlite.commit(db, &err));
	for (bool more = true; more;) {
		CHECK(store_sqlite.begin(db, &err));
		CHECK(store_sqlite.tend(db, 512, &more, &err));
		CHECK(store_sqlite.commit(db, &err));
	}
}

/* The last ten, and the last of all among them. */
struct talks {
	int n;
	int64_t last_us;
};

static bool
on_talk(void *arg, const struct store_entry *e)
{
	struct talks *t = arg;

	t->n++;
	t->last_us = MAX(t->last_us, e->wall_us);
	return true;
}

static int
talks_steps(struct store_db *db, int last)
{
	struct err err = ERR_INIT;
	struct talks t = { .n = 0 };

	CHECK(store_sqlite.begin(db, &err));
	steps_taken(db);
	CHECK(store_sqlite.talks(db, TALKS, 10, on_talk, &t, &err));
	CHECK(store_sqlite.commit(db, &err));
	CHECK_INT(t.n, 10);
	CHECK_INT(t.last_us, last);
	return steps_taken(db);
}

TEST(conversations_cost_the_same_however_much_was_said)
{
	struct suite su;
	struct store_db *db = db_open(&su);
	int few;

	talks_add(db, 0, 1024, 50);
	few = talks_steps(db, 1023);
	talks_add(db, 1024, 20480, 50);
	CHECK(talks_steps(db, 20479) <= few + few / 4);
	db_end(&su, db);
}

/* Whoever may write to an account can have it know any number of addresses. */
TEST(conversations_cost_no_more_than_so_many)
{
	struct suite su;
	struct store_db *db = db_open(&su);
	int few;

	talks_add(db, 0, STORE_TALKS_MAX, INT_MAX);
	few = talks_steps(db, STORE_TALKS_MAX - 1);
	talks_add(db, STORE_TALKS_MAX, 3 * STORE_TALKS_MAX, INT_MAX);
	CHECK(talks_steps(db, 3 * STORE_TALKS_MAX - 1) <= few);
	db_end(&su, db);
}

/* --- what waits ---------------------------------------------------------------------- */

#define WAITS PLACE("romeo", "waits")

static void
waits_add(struct store_db *db, int from, int to)
{
	struct err err = ERR_INIT;
	char id[STORE_ID_SIZE];

	CHECK(store_sqlite.begin(db, &err));
	for (int i = from; i < to; i++) {
		struct store_op op = {
			.kind = STORE_OP_APPEND,
			.at = WAITS,
			.value = store_id_make((uint64_t)i + 1, STR("s"), id),
		};

		CHECK(store_sqlite.append(db, &op, &err));
	}
	CHECK(store_sqlite.commit(db, &err));
}

static int
slice_steps(struct store_db *db, int to)
{
	char id[STORE_ID_SIZE];
	const struct store_trim trim = {
		.up_to = store_id_make((uint64_t)to, STR("s"), id),
		.waits = STR("waits"),
	};
	struct err err = ERR_INIT;
	bool more;

	CHECK(store_sqlite.begin(db, &err));
	steps_taken(db);
	CHECK(store_sqlite.trim(db, TALKS, &trim, &more, &err));
	CHECK(store_sqlite.commit(db, &err));
	CHECK(!more);
	return steps_taken(db);
}

/* Before those that are moved, and behind them; but the first slice looks how much was
 * moved before. */
TEST(a_slice_costs_the_same_whatever_waits)
{
	struct suite su;
	struct store_db *db = db_open(&su);
	int few;

	talks_add(db, 0, 4000, 50);
	waits_add(db, 0, 40);
	slice_steps(db, 10);
	few = slice_steps(db, 20);
	waits_add(db, 40, 4000);
	for (int to = 30; to < 3000; to += 60)
		slice_steps(db, to);
	CHECK(slice_steps(db, 2980) <= few * 2);
	db_end(&su, db);
}

TEST_MAIN
