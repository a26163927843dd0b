/*
 * test_store_compact.c - the database becomes smaller when somebody asks, whatever else
 * goes on, and only if there is room for it.
 */
#include "config.h"

#include "store/driver.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store/store_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };
static const struct suite_kind threads_kind = { "threads", "sqlite", false, false };
static const struct suite_kind memory_kind = { "memory", "memory", true, false };

#define MAP PLACE("romeo", "map")
#define LARGE PLACE("romeo", "large")
#define MEBIBYTE (1 << 20)

/* --- files ----------------------------------------------------------------------- */

static off_t
file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* One that was made before there was incremental auto_vacuum. */
static void
old_open(struct suite *su, const struct suite_kind *kind,
	void (*on_outage)(void *arg, const struct store_outage *outage))
{
	struct err err;

	suite_open(su, &inline_kind);
	suite_shut(su);
	suite_sql_run(su->path, "PRAGMA auto_vacuum = NONE; VACUUM");
	CHECK_INT(suite_sql_number(su->path, "PRAGMA auto_vacuum"), 0);
	su->kind = kind;
	su->on_outage = on_outage;
	CHECK(suite_try_open(su, &err));
}

/* 8 MiB come and go. */
static void
come_and_go(struct suite *su)
{
	static char value[MEBIBYTE];
	struct store_tx *tx;

	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 8; i++) {
		tx = store_tx_new();
		store_tx_append(tx, LARGE, STR_NONE, 1, STR_NONE,
			(struct str){ value, sizeof(value) });
		CHECK_INT(suite_commit(su, tx), ERR_NONE);
	}
	tx = store_tx_new();
	store_tx_clear(tx, LARGE);
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
	while (su->kind->inline_work && store_turn(su->store))
		continue;
}

/* Beside what stays. */
static void
fill_and_clear(struct suite *su)
{
	suite_fill(su, MAP);
	come_and_go(su);
}

/* --- asking ---------------------------------------------------------------------- */

struct asked {
	struct suite *suite;
	struct store_room room;
	struct err err;
};

static void
on_room(void *arg, const struct store_room *room, const struct err *err)
{
	struct asked *a = arg;

	CHECK((room == NULL) == (err != NULL));
	if (room != NULL)
		a->room = *room;
	if (err != NULL)
		a->err = *err;
	a->suite->waiting--;
}

static void
ask(struct suite *su, struct asked *a, bool go)
{
	*a = (struct asked){ .suite = su };
	su->waiting++;
	store_compact(su->store, go, &su->mailbox, on_room, a);
}

static struct asked
compact(struct suite *su, bool go)
{
	struct asked a;

	ask(su, &a, go);
	suite_wait(su);
	return a;
}

/* What the writer says, on its thread: how often it has begun and ended. */
static atomic_int begun, ended, wanted;

static void
on_outage(void *arg, const struct store_outage *outage)
{
	(void)arg;
	atomic_fetch_add(outage->now ? &begun : &ended, 1);
	atomic_fetch_add(&wanted, outage->is_wanted);
	if (outage->now)
		CHECK(strstr(outage->why.text, "smaller") != NULL);
}

static void
outages_check(int n)
{
	CHECK_INT(atomic_load(&begun), n);
	CHECK_INT(atomic_load(&ended), n);
	CHECK_INT(atomic_load(&wanted), 2 * n);
	atomic_store(&begun, 0);
	atomic_store(&ended, 0);
	atomic_store(&wanted, 0);
}

static void
check_small(struct suite *su)
{
	char out[100];

	CHECK_CSTR(suite_get(su, MAP, "key-0300", out, sizeof(out)),
		"key-0300=<item>value</item>");
	suite_shut(su);
	CHECK_INT(suite_sql_number(su->path, "PRAGMA auto_vacuum"), 2);
	CHECK_INT(suite_sql_number(su->path, "PRAGMA freelist_count"), 0);
	CHECK(file_size(su->path) < MEBIBYTE);
	suite_reopen(su);
}

TEST(an_older_database_is_written_anew)
{
	struct asked a;
	struct suite su;

	old_open(&su, &inline_kind, on_outage);
	fill_and_clear(&su);
	a = compact(&su, false);
	CHECK_INT(a.err.code, ERR_NONE);
	CHECK(!a.room.in_slices && a.room.missing.code == ERR_NONE);
	CHECK(a.room.free_bytes > 7 * MEBIBYTE);
	CHECK(a.room.file_bytes > a.room.free_bytes);
	CHECK(a.room.about_s >= 1 && a.room.own.needs_bytes > MEBIBYTE);
	CHECK_CSTR(a.room.own.folder, su.folder);
	outages_check(0);
	a = compact(&su, true);
	CHECK_INT(a.err.code, ERR_NONE);
	CHECK_INT(a.room.free_bytes, 0);
	CHECK(a.room.in_slices && a.room.file_bytes < MEBIBYTE);
	outages_check(1);
	check_small(&su);
	/* and from now on it is as any other */
	come_and_go(&su);
	CHECK_INT(compact(&su, true).err.code, ERR_NONE);
	outages_check(0);
	check_small(&su);
	suite_close(&su);
}

/* Others write between two slices. */
TEST(a_newer_database_gives_back_in_slices)
{
	struct suite_result r;
	struct store_tx *tx;
	struct asked a;
	struct suite su;
	int n = 0;

	suite_open(&su, &inline_kind);
	fill_and_clear(&su);
	a = compact(&su, false);
	CHECK(a.room.in_slices && a.room.free_bytes > 2 * MEBIBYTE);
	ask(&su, &a, true);
	while (su.waiting != 0) {
		tx = store_tx_new();
		store_tx_set(tx, MAP, STR("beside"), STR("v"));
		suite_result_init(&su, &r);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r);
		store_turn(su.store);
		mailbox_drain(&su.mailbox, NULL, SIZE_MAX);
		CHECK(r.came && r.code == ERR_NONE);
		n++;
	}
	/* of 256 KiB */
	CHECK(n > 8);
	CHECK_INT(a.err.code, ERR_NONE);
	CHECK_INT(a.room.free_bytes, 0);
	check_small(&su);
	suite_close(&su);
}

/* What is refused is not there, and what is acknowledged is; nothing is forgotten. */
TEST(who_writes_meanwhile_is_answered)
{
	struct suite_result r[300];
	struct asked a;
	struct suite su;
	char key[16], out[100];

	old_open(&su, &threads_kind, NULL);
	fill_and_clear(&su);
	ask(&su, &a, true);
	for (int i = 0; i < 300; i++) {
		struct store_tx *tx = store_tx_new();

		snprintf(key, sizeof(key), "%d", i);
		store_tx_set(tx, MAP, str_c(key), STR("v"));
		suite_result_init(&su, &r[i]);
		store_commit(su.store, tx, &su.mailbox, suite_on_done, &r[i]);
	}
	suite_wait(&su);
	CHECK_INT(a.err.code, ERR_NONE);
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK(r[i].code == ERR_NONE || r[i].code == ERR_DISK);
		CHECK((suite_get(&su, MAP, key, out, sizeof(out))[0] != '\0') ==
			(r[i].code == ERR_NONE));
	}
	CHECK_INT(suite_set(&su, MAP, "after", "v"), ERR_NONE);
	suite_close(&su);
}

TEST(it_is_asked_for_once_and_not_of_what_has_no_file)
{
	struct asked a, b, c;
	struct suite su;

	old_open(&su, &inline_kind, NULL);
	ask(&su, &a, true);
	ask(&su, &b, true);
	ask(&su, &c, false);
	suite_wait(&su);
	CHECK_INT(a.err.code, ERR_NONE);
	CHECK_INT(b.err.code, ERR_CONFLICT);
	CHECK_INT(c.err.code, ERR_NONE);
	suite_close(&su);
	suite_open(&su, &memory_kind);
	a = compact(&su, true);
	CHECK_INT(a.err.code, ERR_REFUSED);
	CHECK(strstr(a.err.text, "no file") != NULL);
	suite_close(&su);
}

TEST(a_disk_that_takes_no_writes_is_not_asked_for_more)
{
	struct suite su;

	old_open(&su, &inline_kind, NULL);
	store_set_full(su.store, true);
	CHECK_INT(suite_set(&su, MAP, "a", "v"), ERR_DISK);
	CHECK_INT(compact(&su, true).err.code, ERR_DISK);
	CHECK_INT(compact(&su, false).err.code, ERR_NONE);
	store_set_full(su.store, false);
	store_turn(su.store);
	suite_close(&su);
}

/* --- room --------------------------------------------------------------------------- */

#define COPY (64 * MEBIBYTE + 2 * MEBIBYTE) /* of 64 MiB */

static const struct {
	const char *label;
	struct store_room room;
	const char *missing; /* or NULL */
} room_cases[] = {
	{ "as much as is needed, of two disks",
		{ .own.has_bytes = COPY, .temporary.has_bytes = COPY }, NULL },
	{ "too little beside it",
		{ .own.has_bytes = COPY - 1, .temporary.has_bytes = COPY },
		"/own needs 69206016 bytes of room, and has 69206015; make room "
		"for 1 more" },
	{ "too little for what is temporary",
		{ .own.has_bytes = COPY, .temporary.has_bytes = 0 },
		"/tmp needs 69206016 bytes of room, and has 0; make room for "
		"69206016 more" },
	{ "one disk is enough for one",
		{ .own.has_bytes = 2 * COPY - 1, .one_disk = true },
		"/own needs 138412032 bytes of room, and has 138412031; make "
		"room for 1 more" },
	{ "and for both",
		{ .own.has_bytes = 2 * COPY, .one_disk = true }, NULL },
	{ "none is needed", { .in_slices = true }, NULL },
};

TEST(what_room_is_missing_is_named)
{
	for (size_t i = 0; i < COUNT(room_cases); i++) {
		struct store_room room = room_cases[i].room;

		TEST_CASE(room_cases[i].label);
		room.file_bytes = 100 * MEBIBYTE;
		room.free_bytes = 36 * MEBIBYTE;
		strcpy(room.own.folder, "/own");
		strcpy(room.temporary.folder, "/tmp");
		sqlite_room_judge(&room);
		CHECK(room.about_s > 1);
		if (room_cases[i].missing == NULL)
			CHECK_INT(room.missing.code, ERR_NONE);
		else
			CHECK_CSTR(room.missing.text, room_cases[i].missing);
	}
}

/* --- what breaks it off -------------------------------------------------------------- */

static void
many_fill(struct suite *su)
{
	struct store_tx *tx = store_tx_new();
	char key[16];

	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		store_tx_set(tx, MAP, str_c(key), str_c(key));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

static bool
stops(void *arg)
{
	++*(int *)arg;
	return true;
}

TEST(a_server_that_stops_leaves_it_as_it_was)
{
	struct err err = ERR_INIT;
	struct suite su;
	struct store_db *db;
	bool more;
	int n = 0;
	char out[32];

	old_open(&su, &inline_kind, NULL);
	many_fill(&su);
	db = su.store->writer.db;
	CHECK(!store_sqlite.compact(db, stops, &n, &more, &err));
	CHECK_INT(err.code, ERR_CLOSED);
	CHECK(n > 0);
	CHECK_INT(suite_set(&su, MAP, "after", "v"), ERR_NONE);
	suite_reopen(&su);
	CHECK_CSTR(suite_get(&su, MAP, "9999", out, sizeof(out)), "9999=9999");
	CHECK_CSTR(suite_get(&su, MAP, "after", out, sizeof(out)), "after=v");
	suite_shut(&su);
	CHECK_INT(suite_sql_number(su.path, "PRAGMA auto_vacuum"), 0);
	suite_reopen(&su);
	suite_close(&su);
}

/* What the server stores while it stops is stored. */
TEST(a_server_that_is_about_to_stop_breaks_it_off)
{
	struct asked a;
	struct suite su;

	old_open(&su, &inline_kind, on_outage);
	ask(&su, &a, true);
	store_compact_end(su.store);
	suite_wait(&su);
	CHECK_INT(a.err.code, ERR_CLOSED);
	CHECK_INT(compact(&su, true).err.code, ERR_CLOSED);
	outages_check(0);
	CHECK_INT(suite_set(&su, MAP, "session", "v"), ERR_NONE);
	suite_close(&su);
}

static bool
dies(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return false;
}

TEST(a_kill_in_the_middle_leaves_it_as_it_was)
{
	struct err err = ERR_INIT;
	struct suite su;
	char out[32];
	pid_t pid;
	bool more;

	old_open(&su, &inline_kind, NULL);
	many_fill(&su);
	suite_shut(&su);
	pid = fork();
	if (pid == 0) {
		suite_reopen(&su);
		store_sqlite.compact(su.store->writer.db, dies, NULL, &more, &err);
		_exit(1);
	}
	CHECK_INT(suite_child_wait(pid), -SIGKILL);
	CHECK(suite_try_open(&su, &err));
	CHECK_CSTR(suite_get(&su, MAP, "9999", out, sizeof(out)), "9999=9999");
	CHECK_INT(compact(&su, true).err.code, ERR_NONE);
	CHECK_CSTR(suite_get(&su, MAP, "9999", out, sizeof(out)), "9999=9999");
	suite_close(&su);
}

TEST_MAIN
