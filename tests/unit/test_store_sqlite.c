/*
 * test_store_sqlite.c - what the database survives: restarts, losses, files that
 * are not ours, and being copied.  Damage is in test_store_damage.c.
 */
#include "config.h"

#include "base/log.h"
#include "store/driver.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"
#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };
static const struct suite_kind threads_kind = { "threads", "sqlite", false, false };

#define MAP PLACE("romeo", "map")

/* --- files -------------------------------------------------------------- */

TEST(what_was_written_is_there_after_a_restart)
{
	const struct store_range all = { .max = 9, .count = true };
	struct store_tx *tx;
	struct suite su;
	char out[100];

	suite_open(&su, &threads_kind);
	CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
	tx = store_tx_new();
	store_tx_append(tx, MAP, STR("x"), 1, STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	suite_reopen(&su);
	CHECK_CSTR(suite_list(&su, MAP, out, sizeof(out)), "a=1");
	CHECK_CSTR(suite_range(&su, MAP, &all, out, sizeof(out)), "x | 1");
	suite_close(&su);
}

TEST(only_its_owner_can_read_the_file)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	mode_t before = umask(0);
	struct suite su;
	struct stat st;
	char path[120];

	suite_open(&su, &threads_kind);
	umask(before);
	CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", su.path, ends[i]);
		CHECK(stat(path, &st) == 0);
		CHECK_INT(st.st_mode & 0777, 0600);
	}
	suite_close(&su);
}

static int
cut_off(const char *path)
{
	return truncate(path, 0);
}

static int
make_without_tables(const char *path)
{
	if (unlink(path) != 0)
		return -1;
	suite_sql_run(path, "CREATE TABLE t (a); DROP TABLE t; VACUUM");
	return 0;
}

/* Where a database was, an empty one is somebody's loss: a file that was cut off,
 * or is gone, or was made anew by a hand that meant well. */
static const struct {
	const char *label;
	int (*lose)(const char *path);
} losses[] = {
	{ "empty", cut_off },
	{ "gone", unlink },
	{ "no table", make_without_tables },
};

TEST(a_database_that_is_lost_is_missed)
{
	for (size_t i = 0; i < COUNT(losses); i++) {
		struct suite su;
		struct err err;

		suite_open(&su, &inline_kind);
		TEST_CASE(losses[i].label);
		CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
		suite_shut(&su);
		CHECK(losses[i].lose(su.path) == 0);
		for (int tries = 0; tries < 2; tries++) {
			CHECK(!suite_try_open(&su, &err));
			CHECK_INT(err.code, ERR_REFUSED);
			CHECK(strstr(err.text, su.path) != NULL);
			CHECK(strstr(err.text, "--new") != NULL);
		}
		su.may_be_new = true;
		CHECK(suite_try_open(&su, &err));
		su.may_be_new = false;
		suite_reopen(&su);
		suite_close(&su);
	}
}

TEST(a_folder_without_a_trace_gets_a_database)
{
	struct suite su;
	struct err err;
	char path[120];

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	snprintf(path, sizeof(path), "%s.lock", su.path);
	CHECK(unlink(su.path) == 0);
	CHECK(unlink(path) == 0);
	CHECK(suite_try_open(&su, &err));
	suite_close(&su);
}

TEST(one_server_at_a_time_has_the_database)
{
	struct suite su, other;
	struct err err;
	char number[32];

	suite_open(&su, &threads_kind);
	other = su;
	CHECK(!suite_try_open(&other, &err));
	CHECK_INT(err.code, ERR_REFUSED);
	CHECK(strstr(err.text, su.path) != NULL);
	snprintf(number, sizeof(number), "(process %ld)", (long)getpid());
	CHECK(strstr(err.text, number) != NULL);
	CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
	suite_reopen(&su);
	suite_close(&su);
}

TEST(an_empty_file_becomes_a_database)
{
	struct suite su;
	struct err err;

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	CHECK(truncate(su.path, 0) == 0);
	su.may_be_new = true;
	CHECK(suite_try_open(&su, &err));
	CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
	suite_shut(&su);
	CHECK_INT(suite_sql_number(su.path, "PRAGMA user_version"), 6);
	CHECK_INT(suite_sql_number(su.path, "PRAGMA application_id"), 0x416e7470);
	suite_close(&su);
}

/* --- older databases ---------------------------------------------------- */

/* The first schema, as it was released. */
static const char schema_1[] =
	"PRAGMA application_id = 0x416e7470;"
	"CREATE TABLE map (host TEXT NOT NULL, owner TEXT NOT NULL,"
	" name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	" PRIMARY KEY (host, owner, name, key)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE holder (host TEXT NOT NULL, name TEXT NOT NULL,"
	" owner TEXT NOT NULL, PRIMARY KEY (host, name, owner)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE log (place INTEGER PRIMARY KEY, host TEXT NOT NULL,"
	" owner TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (host, owner, name),"
	" CHECK (place < 134217728)) STRICT;"
	"CREATE TABLE entry (pos INTEGER PRIMARY KEY, place INTEGER NOT NULL,"
	" id TEXT NOT NULL, time INTEGER NOT NULL, peer TEXT NOT NULL,"
	" value TEXT NOT NULL, CHECK (pos >> 36 = place)) STRICT;"
	"CREATE UNIQUE INDEX entry_id ON entry (place, id);"
	"CREATE INDEX entry_time ON entry (place, time);"
	"CREATE INDEX entry_peer ON entry (place, peer);"
	"INSERT INTO map VALUES"
	" ('example.org', 'romeo', 'map', 'key', 'value'),"
	" ('example.org', 'romeo', 'offline_quota', 'used', '2 8');"
	"INSERT INTO holder VALUES ('example.org', 'map', 'romeo'),"
	" ('example.org', 'offline_quota', 'romeo');"
	"INSERT INTO log VALUES (1, 'example.org', 'romeo', 'archive'),"
	" (2, 'example.org', 'romeo', 'offline'),"
	" (3, 'example.org', 'juliet', 'offline');"
	"INSERT INTO entry VALUES"
	" ((1 << 36) + 1, 1, 'a', 10, 'juliet', 'one'),"
	" ((1 << 36) + 2, 1, 'b', 20, 'nurse', 'two'),"
	" ((1 << 36) + 3, 1, 'c', 15, 'nurse', 'six'),"
	" ((2 << 36) + 7, 2, 'xyz', 10, 'juliet', 'three'),"
	" ((2 << 36) + 8, 2, 'abc', 20, 'nurse', '\xc3\xa9');"
	"PRAGMA user_version = 1;";

static bool
file_has(const char *path, const char *text)
{
	char line[1024];
	FILE *f = fopen(path, "r");
	bool found = false;

	CHECK(f != NULL);
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

TEST(that_a_database_was_brought_up_to_date_is_said)
{
	struct suite su;
	struct err err;
	char log[300];

	suite_open(&su, &inline_kind);
	snprintf(log, sizeof(log), "%s.log", su.path);
	CHECK(log_open(LOG_TO_FILE, log, &err));
	suite_shut(&su);
	CHECK(suite_try_open(&su, &err));
	suite_shut(&su);
	CHECK(!file_has(log, "up to date"));
	CHECK(truncate(su.path, 0) == 0);
	suite_sql_run(su.path, schema_1);
	CHECK(suite_try_open(&su, &err));
	log_close();
	CHECK(file_has(log, "schema=6 was=1"));
	CHECK(unlink(log) == 0);
	suite_close(&su);
}

TEST(a_database_of_the_first_schema_becomes_a_present_one)
{
	const struct store_range all = { .max = 9, .count = true };
	const struct store_range by_id = { .max = 9, .after_id = STR("a") };
	const struct store_range by_peer = { .max = 9, .with = STR("juliet") };
	/* that of "c" had gone back */
	const struct store_range by_time = { .max = 9, .since_us = 20 };
	struct store_tx *tx = store_tx_new();
	struct suite su;
	struct err err;
	char out[200];

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	CHECK(truncate(su.path, 0) == 0);
	suite_sql_run(su.path, schema_1);
	CHECK(suite_try_open(&su, &err));
	CHECK_CSTR(suite_list(&su, PLACE("romeo", "map"), out, sizeof(out)),
		"key=value");
	CHECK_CSTR(suite_list(&su, PLACE("romeo", "offline_quota"), out,
			   sizeof(out)),
		"");
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "archive"), &by_id, out,
			   sizeof(out)),
		"b c");
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "archive"), &by_peer, out,
			   sizeof(out)),
		"a");
	store_tx_append(
		tx, PLACE("romeo", "offline"), STR_NONE, 1, STR_NONE, STR("v"));
	store_tx_append(tx, PLACE("juliet", "offline"), STR_NONE, 1, STR_NONE,
		STR("v"));
	store_tx_append_at(tx, PLACE("romeo", "archive"), STR("4.x"), 30,
		STR_NONE, STR("v"));
	CHECK_INT(suite_commit(&su, tx), ERR_NONE);
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "archive"), &by_time, out,
			   sizeof(out)),
		"b c 4.x");
	CHECK_CSTR(suite_range(&su, PLACE("romeo", "offline"), &all, out,
			   sizeof(out)),
		"7 8 9 | 3");
	CHECK_CSTR(suite_range(&su, PLACE("juliet", "offline"), &all, out,
			   sizeof(out)),
		"1 | 1");
	suite_shut(&su);
	CHECK_INT(suite_sql_number(su.path,
			  "SELECT 100 * n + bytes FROM log WHERE place = 2"),
		308);
	CHECK_INT(suite_sql_number(su.path,
			  "SELECT 100 * n + bytes FROM log WHERE place = 1"),
		410);
	CHECK_INT(suite_sql_number(su.path, "SELECT count(*) FROM entries"), 8);
	suite_close(&su);
}

static const struct {
	const char *label, *sql, *hint;
	int64_t version;
} foreign_cases[] = {
	{ "newer", "PRAGMA user_version = 99", "newer version", 99 },
	{ "negative", "PRAGMA user_version = -1", "schema", -1 },
	{ "other program's", "PRAGMA application_id = 77", "another program",
		6 },
	{ "nobody's, with tables", "PRAGMA application_id = 0",
		"another program", 6 },
};

TEST(databases_that_are_not_ours_are_left_alone)
{
	for (size_t i = 0; i < COUNT(foreign_cases); i++) {
		struct suite su;
		struct err err;

		suite_open(&su, &inline_kind);
		TEST_CASE(foreign_cases[i].label);
		suite_shut(&su);
		suite_sql_run(su.path, foreign_cases[i].sql);
		CHECK(!suite_try_open(&su, &err));
		CHECK_INT(err.code, ERR_REFUSED);
		CHECK(strstr(err.text, su.path) != NULL);
		CHECK(strstr(err.text, foreign_cases[i].hint) != NULL);
		CHECK_INT(suite_sql_number(su.path, "PRAGMA user_version"),
			foreign_cases[i].version);
		suite_close(&su);
	}
}

TEST(a_missing_folder_is_named)
{
	struct sqlite_conf file = { "/nonexistent/folder/store.db" };
	struct store_conf conf = {
		.driver = "sqlite",
		.options = &file,
		.readers = 1,
	};
	struct err err = ERR_INIT;

	CHECK(store_open(&conf, &err) == NULL);
	CHECK_INT(err.code, ERR_STORAGE);
	CHECK(strstr(err.text, file.path) != NULL);
	CHECK(strstr(err.text, "create the folder") != NULL);
	file.path = NULL;
	CHECK(store_open(&conf, &err) == NULL);
	CHECK_INT(err.code, ERR_INVALID);
}

/* In a child that is not root, whom no mode of a folder stops. */
static int
read_only_child(struct suite *su)
{
	struct err err;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 2;
	if (suite_try_open(su, &err))
		return 3;
	if (err.code != ERR_STORAGE || strstr(err.text, su->path) == NULL)
		return 4;
	return strstr(err.text, "give") != NULL ? 0 : 5;
}

TEST(a_read_only_folder_is_named)
{
	for (int i = 0; i < 2; i++) {
		struct suite su;
		pid_t pid;

		suite_open(&su, &inline_kind);
		suite_shut(&su);
		if (i == 1)
			CHECK(unlink(su.path) == 0);
		CHECK(chmod(su.folder, 0555) == 0);
		pid = fork();
		if (pid == 0)
			_exit(read_only_child(&su));
		CHECK_INT(suite_child_wait(pid), 0);
		CHECK(chmod(su.folder, 0700) == 0);
		suite_close(&su);
	}
}

/* --- a begin that fails ------------------------------------------------- */

static int
refuse_data_version(void *arg, int action, const char *name, const char *value,
	const char *schema, const char *trigger)
{
	(void)arg;
	(void)value;
	(void)schema;
	(void)trigger;
	return action == SQLITE_PRAGMA && strcmp(name, "data_version") == 0
		? SQLITE_DENY
		: SQLITE_OK;
}

/* The transaction is open when what comes behind it fails. */
TEST(a_begin_that_fails_half_way_leaves_the_writer_usable)
{
	struct suite su;
	struct sqlite_conf file = { su.path };
	struct store_conf conf = { .driver = "sqlite", .options = &file };
	struct err err = ERR_INIT;
	struct store_db *db;

	suite_open(&su, &inline_kind);
	suite_shut(&su);
	db = store_sqlite.open(&conf, &err);
	CHECK(db != NULL);
	sqlite3_set_authorizer(db->sql, refuse_data_version, NULL);
	CHECK(!store_sqlite.begin(db, &err));
	sqlite3_set_authorizer(db->sql, NULL, NULL);
	CHECK(store_sqlite.begin(db, &err));
	CHECK(store_sqlite.set(db, MAP, STR("a"), STR("1"), false, &err));
	CHECK(store_sqlite.commit(db, &err));
	store_sqlite.close(db);
	suite_reopen(&su);
	suite_close(&su);
}

/* --- pages that are free --------------------------------------------------- */

static off_t
file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* 16 MiB come and go. */
static void
fill_and_clear(struct suite *su)
{
	static char value[1 << 20];
	struct store_place at = PLACE("romeo", "large");
	struct store_tx *tx;

	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 16; i++) {
		tx = store_tx_new();
		store_tx_append(tx, at, STR_NONE, 1, STR_NONE,
			(struct str){ value, sizeof(value) });
		CHECK_INT(suite_commit(su, tx), ERR_NONE);
	}
	tx = store_tx_new();
	store_tx_clear(tx, at);
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

/* What is deleted is given back in slices, but for some megabytes; a database that
 * was made otherwise works as before. */
TEST(a_file_becomes_smaller_again)
{
	for (int made_before = 0; made_before < 2; made_before++) {
		struct suite su;
		struct err err;
		off_t size;

		suite_open(&su, &inline_kind);
		suite_shut(&su);
		if (made_before) {
			CHECK(truncate(su.path, 0) == 0);
			suite_sql_run(su.path, schema_1);
		}
		CHECK(suite_try_open(&su, &err));
		fill_and_clear(&su);
		/* each looks for it now and then */
		for (int i = 0; i < 64; i++)
			CHECK_INT(suite_set(&su, MAP, "a", "1"), ERR_NONE);
		while (store_turn(su.store))
			continue;
		suite_shut(&su);
		size = file_size(su.path);
		CHECK_INT(suite_sql_number(su.path, "PRAGMA auto_vacuum"),
			made_before ? 0 : 2);
		CHECK(made_before ? size > 16 << 20 : size < 6 << 20);
		suite_reopen(&su);
		CHECK_INT(suite_set(&su, MAP, "b", "1"), ERR_NONE);
		suite_close(&su);
	}
}

/* --- backups ------------------------------------------------------------ */

static void
backup_check(struct suite *su, const char *copy, int n)
{
	struct stat st;
	char want[200];

	CHECK(stat(copy, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	snprintf(want, sizeof(want),
		"SELECT count(*) >= %d FROM map WHERE key < 'm'", n);
	CHECK_INT(suite_sql_number(copy, want), 1);
	CHECK_INT(suite_sql_number(copy, "PRAGMA application_id"), 0x416e7470);
	CHECK(rename(copy, su->path) == 0);
}

TEST(a_backup_holds_what_was_written_before)
{
	const struct suite_kind *kinds[] = { &inline_kind, &threads_kind };

	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct suite_result r[100], copied, again;
		struct suite su;
		char copy[120], out[200];

		suite_open(&su, kinds[k]);
		snprintf(copy, sizeof(copy), "%s.copy", su.path);
		suite_fill(&su, MAP);
		for (size_t i = 0; i < COUNT(r); i++) {
			struct store_tx *tx = store_tx_new();
			char key[16];

			snprintf(key, sizeof(key), "%c%zu", i < 50 ? 'a' : 'z',
				i);
			store_tx_set(tx, MAP, str_c(key), STR("v"));
			suite_result_init(&su, &r[i]);
			store_commit(su.store, tx, &su.mailbox, suite_on_done,
				&r[i]);
			if (i != 49)
				continue;
			suite_result_init(&su, &copied);
			store_backup(su.store, copy, &su.mailbox, suite_on_done,
				&copied);
		}
		suite_wait(&su);
		CHECK_INT(copied.code, ERR_NONE);
		suite_result_init(&su, &again);
		store_backup(
			su.store, copy, &su.mailbox, suite_on_done, &again);
		suite_wait(&su);
		CHECK_INT(again.code, ERR_CONFLICT);
		CHECK(strstr(again.err, copy) != NULL);
		suite_shut(&su);
		backup_check(&su, copy, 450);
		suite_reopen(&su);
		CHECK_CSTR(
			suite_get(&su, MAP, "a49", out, sizeof(out)), "a49=v");
		suite_close(&su);
	}
}

TEST(a_backup_without_a_folder_is_refused)
{
	struct suite_result r;
	struct suite su;

	suite_open(&su, &threads_kind);
	suite_result_init(&su, &r);
	store_backup(su.store, "/nonexistent/copy.db", &su.mailbox,
		suite_on_done, &r);
	suite_wait(&su);
	CHECK_INT(r.code, ERR_SYSTEM);
	CHECK(strstr(r.err, "/nonexistent/copy.db") != NULL);
	suite_close(&su);
}

/* --- the library ------------------------------------------------------------------ */

static int
take_fts5_away(sqlite3 *sql)
{
	return sqlite3_create_function(sql, "fts5_source_id", 0, SQLITE_UTF8,
		NULL, NULL, NULL, NULL);
}

static void
on_check_fail(void *arg, const char *option, const char *text)
{
	struct err *err = arg;

	err_set(err, ERR_INVALID, "%s: %s", option, text);
}

static void
on_check_place(void *arg, const char *option, const char *file)
{
	(void)arg;
	(void)option;
	(void)file;
}

/* One line says what to do, at a start and in a check. */
TEST(a_library_without_fts5_is_told_of)
{
	struct err err = ERR_INIT, checked = ERR_INIT;
	const struct store_check check = { on_check_fail, on_check_place,
		&checked };
	struct sqlite_conf conf = { .path = NULL };
	struct suite su;

	suite_open(&su, &inline_kind);
	conf.path = su.path;
	suite_shut(&su);
	store_sqlite.check(&conf, &check);
	CHECK_INT(checked.code, ERR_NONE);
	sqlite3_auto_extension((void (*)(void))take_fts5_away);
	CHECK(!suite_try_open(&su, &err));
	store_sqlite.check(&conf, &check);
	sqlite3_reset_auto_extension();
	CHECK_INT(err.code, ERR_REFUSED);
	CHECK(strstr(err.text, "FTS5; install") != NULL);
	CHECK(strstr(checked.text, "driver: ") == checked.text);
	CHECK(strstr(checked.text, "FTS5; install") != NULL);
	CHECK(suite_try_open(&su, &err));
	suite_close(&su);
}

TEST_MAIN
