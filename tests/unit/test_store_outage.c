/*
 * test_store_outage.c - a disk that takes no writes: what is refused, what goes
 * on, and how it ends.
 */
#include "config.h"

#include "store/driver.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind memory_kind = { "memory", "memory", true, false };
static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };
static const struct suite_kind threads_kind = { "threads", "sqlite", false, false };

#define MAP PLACE("romeo", "map")
#define BIG 65536
#define PATIENCE_MS 60000

/* --- what is heard of it ------------------------------------------------ */

/* Each beginning and end goes through a pipe, whose thread-safety is free. */
static int heard[2];

static void
on_outage(void *arg, const struct store_outage *outage)
{
	(void)arg;
	CHECK(write(heard[1], outage, sizeof(*outage)) == sizeof(*outage));
}

/* False when nothing comes. */
static bool
hear(struct store_outage *out, int patience_ms)
{
	struct pollfd pfd = { .fd = heard[0], .events = POLLIN };

	return poll(&pfd, 1, patience_ms) == 1 &&
		read(heard[0], out, sizeof(*out)) == sizeof(*out);
}

static void
outage_open(struct suite *su, const struct suite_kind *kind)
{
	suite_open(su, kind);
	CHECK(pipe(heard) == 0);
	su->on_outage = on_outage;
	suite_reopen(su);
}

static void
outage_close(struct suite *su)
{
	struct store_outage o;

	CHECK(!hear(&o, 0));
	close(heard[0]);
	close(heard[1]);
	suite_close(su);
}

/* --- one thread --------------------------------------------------------- */

static void
ask(struct suite *su, struct suite_result *r, int i, struct store_chain *chain)
{
	struct store_tx *tx = store_tx_new();
	char key[16];

	snprintf(key, sizeof(key), "%03d", i);
	store_tx_set(tx, MAP, str_c(key), STR("v"));
	store_tx_chain(tx, chain);
	suite_result_init(su, r);
	store_commit(su->store, tx, &su->mailbox, suite_on_done, r);
}

static uint64_t
map_size(struct suite *su)
{
	struct suite_result r;
	uint64_t n;

	suite_result_init(su, &r);
	store_list(su->store, MAP, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	n = r.n;
	suite_result_done(&r);
	return n;
}

/* n were asked for when it became full, and n when that was known. */
TEST(writes_are_refused_and_reads_go_on)
{
	static struct suite_result r[600];
	struct store_stats stats;
	struct store_outage o;

	for (int n = 1; n <= 300; n += n < 4 ? 1 : 74) {
		struct suite su;

		outage_open(&su, &memory_kind);
		CHECK_INT(suite_set(&su, MAP, "before", "v"), ERR_NONE);
		CHECK(store_takes_writes(su.store));
		store_set_full(su.store, true);
		for (int i = 0; i < n; i++)
			ask(&su, &r[i], i, NULL);
		suite_wait(&su);
		CHECK(!store_takes_writes(su.store));
		CHECK(hear(&o, 0) && o.now && o.why.code == ERR_DISK);
		/* at once, without a turn of the store */
		for (int i = n; i < 2 * n; i++)
			ask(&su, &r[i], i, NULL);
		mailbox_drain(&su.mailbox, NULL, SIZE_MAX);
		CHECK_INT(su.waiting, 0);
		for (int i = 0; i < 2 * n; i++)
			CHECK_INT(r[i].code, ERR_DISK);
		CHECK_INT(map_size(&su), 1);
		store_note_refused(su.store);
		store_outage(su.store, &o);
		CHECK(o.now && o.refused == 2 * (uint64_t)n + 1);
		/* it is over by itself, once */
		store_set_full(su.store, false);
		CHECK(store_turn(su.store));
		CHECK(hear(&o, 0) && !o.now);
		CHECK_INT(o.refused, 2 * (uint64_t)n + 1);
		CHECK(!store_turn(su.store));
		CHECK_INT(suite_set(&su, MAP, "after", "v"), ERR_NONE);
		CHECK_INT(map_size(&su), 2);
		store_outage(su.store, &o);
		CHECK(!o.now && o.refused == 0);
		store_stats(su.store, &stats);
		CHECK_INT(stats.outages, 1);
		CHECK_INT(stats.refused, 2 * (uint64_t)n + 1);
		outage_close(&su);
	}
}

/* What rests on what was refused is refused too, also when the disk takes writes
 * again; nothing else is. */
TEST(a_chain_that_was_refused_stays_broken)
{
	struct store_chain chain = { 0 }, other = { 0 };
	struct suite_result r[5];
	struct store_outage o;
	struct suite su;

	outage_open(&su, &memory_kind);
	ask(&su, &r[0], 0, &chain);
	suite_wait(&su);
	store_set_full(su.store, true);
	ask(&su, &r[1], 1, NULL);
	suite_wait(&su);
	ask(&su, &r[2], 2, &chain);
	store_set_full(su.store, false);
	store_turn(su.store);
	ask(&su, &r[3], 3, &chain);
	ask(&su, &r[4], 4, &other);
	suite_wait(&su);
	CHECK_INT(r[0].code, ERR_NONE);
	CHECK_INT(r[1].code, ERR_DISK);
	CHECK_INT(r[2].code, ERR_DISK);
	CHECK_INT(r[3].code, ERR_STORAGE);
	CHECK_INT(r[4].code, ERR_NONE);
	CHECK(hear(&o, 0) && o.now && hear(&o, 0) && !o.now);
	outage_close(&su);
}

/* What breaks the rules is no matter of the disk, nor is closing. */
TEST(other_reasons_are_told_as_ever)
{
	struct store_tx *tx;
	struct store_outage o;
	struct suite su;

	outage_open(&su, &memory_kind);
	store_set_full(su.store, true);
	CHECK_INT(suite_set(&su, MAP, "key", "v"), ERR_DISK);
	tx = store_tx_new();
	store_tx_set(tx, MAP, STR("\xff"), STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_INVALID);
	CHECK(hear(&o, 0) && o.now);
	outage_close(&su);
}

/* --- a disk ------------------------------------------------------------- */

static enum err_code
big_write(struct suite *su, int i, struct suite_result *r)
{
	static char value[BIG];
	struct store_tx *tx = store_tx_new();
	char key[16];

	memset(value, 'x', sizeof(value));
	snprintf(key, sizeof(key), "%d", i);
	store_tx_set(tx, MAP, str_c(key), (struct str){ value, BIG });
	suite_result_init(su, r);
	store_commit(su->store, tx, &su->mailbox, suite_on_done, r);
	suite_wait(su);
	return r->code;
}

static bool
room_is(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

/* The store's own thread tries now and then; without one, each turn does. */
static bool
hear_turning(struct suite *su, struct store_outage *o)
{
	if (su->kind->inline_work)
		store_turn(su->store);
	return hear(o, su->kind->inline_work ? 0 : PATIENCE_MS);
}

/* A limit on the size of files stands in for the full disk. */
static int
full_disk_child(struct suite *su)
{
	struct suite_result r;
	struct store_outage o;
	int n = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (!room_is(40 * BIG))
		return 2;
	while (big_write(su, n, &r) == ERR_NONE) {
		if (n++ > 60)
			return 3;
	}
	if (r.code != ERR_DISK || strstr(r.err, su->path) == NULL)
		return 4;
	if (!hear(&o, 0) || !o.now || strcmp(o.why.text, r.err) != 0)
		return 5;
	if (big_write(su, n, &r) != ERR_DISK || map_size(su) != (uint64_t)n)
		return 6;
	/* not room enough for what has failed */
	if (!room_is(40 * BIG + 8192) || suite_set(su, MAP, "k", "v") !=
			ERR_DISK || (su->kind->inline_work && hear_turning(su, &o)))
		return 7;
	if (!room_is(RLIM_INFINITY) || !hear_turning(su, &o) || o.now ||
		o.refused != 3)
		return 8;
	if (big_write(su, n, &r) != ERR_NONE ||
		map_size(su) != (uint64_t)n + 1)
		return 9;
	suite_reopen(su);
	return map_size(su) == (uint64_t)n + 1 ? 0 : 10;
}

TEST(a_full_disk_fails_writes_until_there_is_room)
{
	const struct suite_kind *kinds[] = { &inline_kind, &threads_kind };

	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct suite su;
		pid_t pid;

		outage_open(&su, &inline_kind);
		TEST_CASE(kinds[i]->label);
		suite_shut(&su);
		pid = fork();
		if (pid == 0) {
			su.kind = kinds[i];
			suite_reopen(&su);
			_exit(full_disk_child(&su));
		}
		CHECK_INT(suite_child_wait(pid), 0);
		outage_close(&su);
	}
}

/* The disk that is full is another one: nothing else happens. */
static int
backup_child(struct suite *su, const char *copy)
{
	struct suite_result r;
	struct store_outage o;
	int n;

	signal(SIGXFSZ, SIG_IGN);
	for (n = 0; n < 20; n++) {
		if (big_write(su, n, &r) != ERR_NONE)
			return 2;
	}
	if (!room_is(4 * BIG))
		return 3;
	suite_result_init(su, &r);
	store_backup(su->store, copy, &su->mailbox, suite_on_done, &r);
	suite_wait(su);
	if (r.code == ERR_NONE || strstr(r.err, copy) == NULL ||
		strstr(r.err, su->path) != NULL)
		return 4;
	if (access(copy, F_OK) == 0 || hear(&o, 0) ||
		!store_takes_writes(su->store))
		return 5;
	return room_is(RLIM_INFINITY) && big_write(su, n, &r) == ERR_NONE ?
		0 :
		6;
}

TEST(a_backup_to_a_full_disk_leaves_nothing)
{
	const struct suite_kind *kinds[] = { &inline_kind, &threads_kind };

	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct suite su;
		char copy[120];
		pid_t pid;

		outage_open(&su, &inline_kind);
		TEST_CASE(kinds[i]->label);
		snprintf(copy, sizeof(copy), "%s/copy", su.folder);
		suite_shut(&su);
		pid = fork();
		if (pid == 0) {
			su.kind = kinds[i];
			suite_reopen(&su);
			_exit(backup_child(&su, copy));
		}
		CHECK_INT(suite_child_wait(pid), 0);
		outage_close(&su);
	}
}

/* --- a file that goes away, or is held by another ------------------------ */

static const struct {
	const char *label, *end, *said;
	bool replaced;
} moves[] = {
	{ "deleted", "", "was deleted while", false },
	{ "replaced", "", "was replaced while", true },
	{ "WAL deleted", "-wal", "was deleted while", false },
	{ "WAL replaced", "-wal", "was replaced while", true },
};

/* It is a state, with one line, and over when the file is back; what was refused
 * is in no file. */
TEST(a_file_that_is_deleted_or_replaced_takes_no_writes)
{
	for (size_t i = 0; i < COUNT(moves); i++) {
		char from[128], to[140];
		struct suite_result r;
		struct store_outage o;
		struct suite su;

		TEST_CASE(moves[i].label);
		outage_open(&su, &inline_kind);
		CHECK_INT(suite_set(&su, MAP, "before", "v"), ERR_NONE);
		snprintf(from, sizeof(from), "%s%s", su.path, moves[i].end);
		snprintf(to, sizeof(to), "%s.moved", from);
		CHECK(rename(from, to) == 0);
		if (moves[i].replaced)
			fclose(fopen(from, "w"));
		for (int n = 0; n < 3; n++) {
			ask(&su, &r, n, NULL);
			suite_wait(&su);
			CHECK_INT(r.code, ERR_DISK);
			CHECK(strstr(r.err, moves[i].said) != NULL);
			store_turn(su.store);
		}
		CHECK(hear(&o, 0) && o.now && !hear(&o, 0));
		CHECK_INT(map_size(&su), 1);
		CHECK(rename(to, from) == 0);
		store_turn(su.store);
		CHECK(hear(&o, 0) && !o.now);
		CHECK_INT(suite_set(&su, MAP, "after", "v"), ERR_NONE);
		suite_reopen(&su);
		CHECK_INT(map_size(&su), 2);
		outage_close(&su);
	}
}

/* Nobody has begun: it is tried again, and nothing has failed for good. */
TEST(what_another_program_holds_is_lost_and_not_failed)
{
	struct suite su;
	struct sqlite_conf file = { su.path };
	struct store_conf conf = { .driver = "sqlite", .options = &file };
	struct err err = ERR_INIT;
	struct store_db *db;
	sqlite3 *other;

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	db = store_sqlite.open(&conf, &err);
	CHECK(db != NULL);
	sqlite3_busy_timeout(db->sql, 1);
	CHECK(sqlite3_open(su.path, &other) == SQLITE_OK);
	CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
		SQLITE_OK);
	CHECK(!store_sqlite.begin(db, &err));
	CHECK_INT(err.code, ERR_LOST);
	CHECK(strstr(err.text, "locked by another program") != NULL);
	CHECK(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(other);
	CHECK(store_sqlite.begin(db, &err));
	CHECK(store_sqlite.set(db, MAP, STR("a"), STR("1"), false, &err));
	CHECK(store_sqlite.commit(db, &err));
	store_sqlite.close(db);
	suite_reopen(&su);
	CHECK_INT(map_size(&su), 1);
	suite_close(&su);
}

TEST_MAIN
