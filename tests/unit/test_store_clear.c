/*
 * test_store_clear.c - a long log that was cleared leaves the file in slices, whatever
 * comes between, and nothing of it stays.
 */
#include "config.h"

#include "store/driver.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store/store_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };
static const struct suite_kind threads_kind = { "threads", "sqlite", false, false };

#define ARCHIVE PLACE("romeo", "archive")
#define IDS PLACE("romeo", "ids")
#define OTHER PLACE("juliet", "archive")
#define MANY 2000

static void
log_fill(struct suite *su, struct store_place at, uint64_t first, uint64_t n)
{
	struct store_tx *tx = store_tx_new();
	char id[STORE_ID_SIZE], with[16];

	for (uint64_t i = first; i < first + n; i++) {
		struct str is = store_id_make(i, STR("s"), id);

		snprintf(with, sizeof(with), "w%d", (int)(i % 700));
		store_tx_append_at(tx, at, is, (int64_t)i, str_c(with), STR("v"));
		store_tx_index(tx, at, is, STR("rose name"));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static void
ids_fill(struct suite *su, int n)
{
	struct store_tx *tx = store_tx_new();
	char id[16];

	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "f%d", i);
		store_tx_append(tx, IDS, str_c(id), i, STR("w"), STR("v"));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static void
owner_clear(struct suite *su, const char *owner)
{
	struct store_tx *tx = store_tx_new();

	store_tx_clear_owner(tx, STR("example.org"), str_c(owner));
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static int64_t
number_of(const char *path, const char *text)
{
	sqlite3_stmt *st;
	sqlite3 *sql;
	int64_t n;

	CHECK(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL) ==
		SQLITE_OK);
	CHECK(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(st) == SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return n;
}

static int64_t
entries(const struct suite *su)
{
	return number_of(su->path, "SELECT count(*) FROM entry");
}

/* Terms of the index of words. */
static int64_t
terms(const char *path)
{
	sqlite3_stmt *st;
	sqlite3 *sql;
	int64_t n;

	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	CHECK(sqlite3_exec(sql,
		      "CREATE VIRTUAL TABLE temp.terms"
		      " USING fts5vocab (main, search, instance)",
		      NULL, NULL, NULL) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(sql, "SELECT count(*) FROM temp.terms", -1,
		      &st, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(st) == SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	CHECK(sqlite3_exec(sql,
		      "INSERT INTO search (search) VALUES ('integrity-check')",
		      NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(sql);
	return n;
}

/* Only what so many entries of logs that are there should have. */
static void
check_left(struct suite *su, int64_t n_logs, int64_t n)
{
	suite_shut(su);
	CHECK_INT(entries(su), n);
	CHECK_INT(number_of(su->path, "SELECT count(*) FROM log"), n_logs);
	CHECK_INT(number_of(su->path, "SELECT count(*) FROM talk"
				      " WHERE place NOT IN (SELECT place FROM log)"),
		0);
	CHECK_INT(number_of(su->path, "SELECT count(*) FROM peer"
				      " WHERE place NOT IN (SELECT place FROM log)"),
		0);
	if (n == 0)
		CHECK_INT(terms(su->path), 0);
	suite_reopen(su);
}

/* One slice is at most so many entries, or rows of an index. */
static void
turns(struct suite *su)
{
	int64_t before = entries(su), now;

	while (store_turn(su->store)) {
		now = entries(su);
		CHECK(now <= before && before - now <= STORE_TRIM_MAX);
		before = now;
	}
}

TEST(what_was_cleared_goes_in_slices)
{
	struct suite su;

	suite_open(&su, &inline_kind);
	log_fill(&su, ARCHIVE, 1, MANY);
	log_fill(&su, OTHER, 1, 100);
	ids_fill(&su, 500);
	while (store_turn(su.store))
		continue;
	owner_clear(&su, "romeo");
	CHECK(entries(&su) >= MANY + 600 - STORE_TRIM_MAX);
	turns(&su);
	check_left(&su, 1, 100);
	owner_clear(&su, "juliet");
	turns(&su);
	check_left(&su, 0, 0);
	suite_close(&su);
}

/* Those that are few go at once: nothing is left for later. */
TEST(what_is_short_goes_at_once)
{
	struct suite su;

	suite_open(&su, &inline_kind);
	log_fill(&su, ARCHIVE, 1, STORE_TRIM_MAX);
	ids_fill(&su, STORE_TRIM_MAX);
	owner_clear(&su, "romeo");
	CHECK_INT(entries(&su), 0);
	CHECK_INT(number_of(su.path, "SELECT count(*) FROM log"), 0);
	suite_close(&su);
}

/* With each commit, while there is no rest. */
TEST(what_was_cleared_goes_while_others_write)
{
	struct suite su;
	int64_t before;
	int n = 0;

	suite_open(&su, &inline_kind);
	log_fill(&su, ARCHIVE, 1, MANY);
	owner_clear(&su, "romeo");
	for (; n < 200; n++) {
		before = entries(&su);
		if (before == 0)
			break;
		CHECK_INT(suite_set(&su, PLACE("nurse", "map"), "a", "v"),
			ERR_NONE);
		CHECK(entries(&su) < before);
	}
	CHECK(n > MANY / STORE_TRIM_MAX && n < 200);
	suite_close(&su);
}

/* Each start goes on where the last has stopped; the new one of that name is his own. */
TEST(a_start_goes_on_with_what_was_cleared)
{
	const struct store_range all = { .max = 3, .count = true };
	const struct store_range with = { .max = 3, .with = STR("w5") };
	struct suite su;
	int64_t before;
	char out[100];

	suite_open(&su, &inline_kind);
	log_fill(&su, ARCHIVE, 1, MANY);
	owner_clear(&su, "romeo");
	log_fill(&su, ARCHIVE, 5, 3);
	for (int i = 0; i < 3; i++) {
		/* without what closing would do */
		store_turn(su.store);
		before = entries(&su);
		CHECK(before > 3);
		su.store->has_more = false;
		suite_reopen(&su);
		CHECK(store_turn(su.store));
		CHECK(entries(&su) < before);
		CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
			"5.s 6.s 7.s | 3");
		CHECK_CSTR(suite_range(&su, ARCHIVE, &with, out, sizeof(out)),
			"5.s");
	}
	turns(&su);
	check_left(&su, 1, 3);
	CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
		"5.s 6.s 7.s | 3");
	suite_close(&su);
}

/* What was done of it in a transaction that failed is done again. */
TEST(a_commit_that_fails_leaves_what_was_cleared_for_later)
{
	const struct store_driver *d;
	struct err err = ERR_INIT;
	struct store_db *db;
	struct suite su;
	bool more = true;

	suite_open(&su, &inline_kind);
	log_fill(&su, ARCHIVE, 1, 200);
	su.store->tend_failed = true; /* the commit would begin with it */
	owner_clear(&su, "romeo");
	su.store->tend_failed = false;
	d = su.store->driver;
	db = su.store->writer.db;
	CHECK(d->begin(db, &err));
	while (more)
		CHECK(d->tend(db, 512, &more, &err));
	d->rollback(db);
	CHECK_INT(entries(&su), 200);
	CHECK_INT(suite_set(&su, PLACE("nurse", "map"), "a", "v"), ERR_NONE);
	turns(&su);
	check_left(&su, 0, 0);
	suite_close(&su);
}

/* --- a kill --------------------------------------------------------------------- */

struct killed {
	struct suite *suite;
	int fd;
};

static void
on_acknowledged(void *arg, bool ok, const struct err *err)
{
	struct killed *k = arg;

	(void)err;
	if (!ok || write(k->fd, "x", 1) != 1)
		_exit(3);
	k->suite->waiting--;
}

/* Removes the owner, and then writes something else, until it is killed; tells of each
 * when it is durable. */
static void __attribute__((noreturn))
killed_child(struct suite *su, int fd)
{
	struct killed k = { su, fd };

	suite_reopen(su);
	for (bool first = true;; first = false) {
		struct store_tx *tx = store_tx_new();

		if (first)
			store_tx_clear_owner(tx, STR("example.org"), STR("romeo"));
		else
			store_tx_set(tx, PLACE("nurse", "map"), STR("a"), STR("v"));
		su->waiting++;
		store_commit(su->store, tx, &su->mailbox, on_acknowledged, &k);
		suite_wait(su);
	}
}

static void
kill_after(struct suite *su, int n_acks)
{
	int fds[2];
	pid_t pid;
	char c;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		su->kind = &threads_kind;
		killed_child(su, fds[1]);
	}
	close(fds[1]);
	for (int i = 0; i < n_acks; i++)
		CHECK(read(fds[0], &c, 1) == 1);
	kill(pid, SIGKILL);
	CHECK_INT(suite_child_wait(pid), -SIGKILL);
	close(fds[0]);
}

TEST(an_owner_that_was_removed_stays_so_after_a_kill)
{
	const struct store_range all = { .max = 3, .count = true };
	struct suite su;
	struct err err;
	char out[100];

	suite_open(&su, &inline_kind);
	for (int round = 0; round < 4; round++) {
		log_fill(&su, ARCHIVE, 1, MANY);
		suite_shut(&su);
		kill_after(&su, 1 + 3 * round);
		CHECK(suite_try_open(&su, &err));
		CHECK_CSTR(suite_range(&su, ARCHIVE, &all, out, sizeof(out)),
			" | 0");
		if (round % 2 == 0)
			turns(&su);
		else
			log_fill(&su, ARCHIVE, 1, 100);
		owner_clear(&su, "romeo");
		turns(&su);
		check_left(&su, 0, 0);
	}
	suite_close(&su);
}

TEST_MAIN
