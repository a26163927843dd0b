/*
 * sqlite_schema.c - the tables, and how an older database becomes a
 * present one.
 *
 * The steps are numbered, only ever added, and never changed once released:
 * PRAGMA user_version is the number of the last one that was done, each in one
 * transaction.  A database with a higher number than we know is refused.
 *
 * Why these tables.  An entity is loaded by reading its maps, so they lie
 * together: one b-tree with host, owner, name and key in front of the value,
 * and a new account touches one page of it.  Interning the texts would make it
 * some tenths smaller, but cost two more pages a new account, and the database
 * would no longer be read with the naked eye.  "holder" has a row for each map
 * that is not empty, in the order in which owners are listed and counted.
 * Entries of logs are many for one log, and may have three indexes, so there the
 * place is a number.  pos is (place << 36 | number): the entries of a log lie
 * together and in order in a table whose keys are nothing but integers, which
 * big values would spoil in one WITHOUT ROWID.  An entry without an id is in no
 * index, because each is one more page to write for every message; the row of
 * the log counts its entries and the bytes of their values (step 2).  Nor is one
 * whose id says its number, which stands in "name" (step 3): it lies where that
 * says, and since times do not go back in such a log, one is found by halving.
 * With whom it is stands in "talk" (step 4), which follows behind, by the numbers
 * that "peer" gives to the addresses of a log: see sqlite_talk.c; so
 * does "search" (step 5), for words: see sqlite_search.c.  "task" has what
 * a step leaves to be done while the server runs, and how far that is.  A log without a
 * host was cleared, and what is left of it goes by and by: see sqlite_clear.c.
 * The view "entries" is for people.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

/* "Antp", in the file's header (PRAGMA application_id). */
#define APPLICATION_ID 0x416e7470

static const char *const steps[] = {
	/* 1 */
	"PRAGMA application_id = 0x416e7470;"
	"CREATE TABLE map ("
	" host TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" key TEXT NOT NULL,"
	" value TEXT NOT NULL,"
	" PRIMARY KEY (host, owner, name, key)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE holder ("
	" host TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" PRIMARY KEY (host, name, owner)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE log ("
	" place INTEGER PRIMARY KEY,"
	" host TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" UNIQUE (host, owner, name),"
	" CHECK (place < 134217728)" /* 2^27: 63 bits less 36 */
	") STRICT;"
	"CREATE TABLE entry ("
	" pos INTEGER PRIMARY KEY,"
	" place INTEGER NOT NULL,"
	" id TEXT NOT NULL,"
	" time INTEGER NOT NULL," /* microseconds since 1970 */
	" peer TEXT NOT NULL,"
	" value TEXT NOT NULL,"
	" CHECK (pos >> 36 = place)"
	") STRICT;"
	"CREATE UNIQUE INDEX entry_id ON entry (place, id);"
	"CREATE INDEX entry_time ON entry (place, time);"
	"CREATE INDEX entry_peer ON entry (place, peer);"
	"PRAGMA user_version = 1;",
	/* 2 */
	"ALTER TABLE log ADD COLUMN n INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE log ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE log ADD COLUMN numbered INTEGER NOT NULL DEFAULT 0;"
	"UPDATE log SET numbered = 1 WHERE name = 'offline';"
	"CREATE TABLE entry2 ("
	" pos INTEGER PRIMARY KEY,"
	" place INTEGER NOT NULL,"
	" id TEXT," /* NULL: the log is numbered */
	" time INTEGER NOT NULL," /* microseconds since 1970 */
	" peer TEXT NOT NULL,"
	" value TEXT NOT NULL,"
	" CHECK (pos >> 36 = place)"
	") STRICT;"
	"INSERT INTO entry2 SELECT pos, place,"
	" CASE WHEN numbered THEN NULL ELSE id END, time, peer, value"
	" FROM entry JOIN log USING (place);"
	"DROP TABLE entry;"
	"ALTER TABLE entry2 RENAME TO entry;"
	"CREATE UNIQUE INDEX entry_id ON entry (place, id)"
	" WHERE id IS NOT NULL;"
	"CREATE INDEX entry_time ON entry (place, time) WHERE id IS NOT NULL;"
	"CREATE INDEX entry_peer ON entry (place, peer) WHERE id IS NOT NULL;"
	"UPDATE log SET (n, bytes) ="
	" (SELECT count(*), coalesce(sum(length(CAST(value AS BLOB))), 0)"
	"  FROM entry WHERE pos > log.place << 36"
	"  AND pos < (log.place + 1) << 36);"
	"DELETE FROM map WHERE name = 'offline_quota';"
	"DELETE FROM holder WHERE name = 'offline_quota';"
	"CREATE VIEW entries AS" /* for people */
	" SELECT host, owner, name, pos & 68719476735 AS number, id,"
	"  datetime(time / 1000000, 'unixepoch') AS time, peer, value"
	" FROM log JOIN entry USING (place);"
	"PRAGMA user_version = 2;",
	/* 3 */
	"ALTER TABLE entry ADD COLUMN name TEXT;" /* an id, and then id is NULL */
	"UPDATE entry SET time = latest FROM"
	" (SELECT pos AS at,"
	"   max(time) OVER (PARTITION BY place ORDER BY pos) AS latest"
	"  FROM entry WHERE id IS NOT NULL)"
	" WHERE pos = at AND time < latest;"
	"DROP VIEW entries;"
	"CREATE VIEW entries AS" /* for people */
	" SELECT host, owner, log.name, pos & 68719476735 AS number,"
	"  coalesce(id, entry.name) AS id,"
	"  datetime(time / 1000000, 'unixepoch') AS time, peer, value"
	" FROM log JOIN entry USING (place);"
	"PRAGMA user_version = 3;",
	/* 4 */
	"ALTER TABLE log ADD COLUMN digested INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE log ADD COLUMN peers INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE peer ("
	" place INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" no INTEGER NOT NULL,"
	" PRIMARY KEY (place, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE talk ("
	" place INTEGER NOT NULL,"
	" peer INTEGER NOT NULL," /* its no */
	" number INTEGER NOT NULL,"
	" PRIMARY KEY (place, peer, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE task ("
	" name TEXT PRIMARY KEY,"
	" at INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO task SELECT 'digest', 0"
	" WHERE EXISTS (SELECT 1 FROM log WHERE numbered = 2);"
	"PRAGMA user_version = 4;",
	/* 5 */
	"ALTER TABLE entry ADD COLUMN words TEXT;"
	"CREATE VIRTUAL TABLE search USING fts5 (words, content = '',"
	" columnsize = 0, detail = none,"
	" tokenize = \"ascii tokenchars '_'\");"
	"INSERT INTO search (search, rank) VALUES ('automerge', 0);"
	"PRAGMA user_version = 5;",
	/* 6: FTS5 goes through a page of its own from the start to find an entry */
	("INSERT INTO search (search, rank) VALUES ('pgsz', 1000);"
	 "PRAGMA user_version = 6;"),
};

static bool
number_get(sqlite3 *sql, const char *path, const char *text, int64_t *out,
	struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool ok = sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW;

	if (ok)
		*out = sqlite3_column_int64(st, 0);
	else
		sqlite_fail(sql, path, err);
	sqlite3_finalize(st);
	return ok;
}

static bool
step_run(sqlite3 *sql, const char *path, const char *text, struct err *err)
{
	if (sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK &&
		sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return true;
	sqlite_fail(sql, path, err);
	sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

/* A database that holds tables of somebody else is left alone. */
static bool
owner_check(sqlite3 *sql, const char *path, struct err *err)
{
	int64_t id, n_tables;

	if (!number_get(sql, path, "PRAGMA application_id", &id, err) ||
		!number_get(sql, path, "SELECT count(*) FROM sqlite_schema",
			&n_tables, err))
		return false;
	if (id != APPLICATION_ID && (id != 0 || n_tables != 0))
		return err_set(err, ERR_REFUSED,
			"%.120s is a database of another program; name another "
			"file for the storage",
			path);
	return true;
}

/* Everything that can be refused is, before anything is changed. */
bool
sqlite_schema_check(sqlite3 *sql, const char *path, bool may_be_empty,
	struct err *err)
{
	const int64_t newest = COUNT(steps);
	int64_t version;

	if (!owner_check(sql, path, err) ||
		!number_get(sql, path, "PRAGMA user_version", &version, err))
		return false;
	if (version == 0 && !may_be_empty)
		return sqlite_file_missed(path, err);
	if (version < 0 || version > newest)
		return err_set(err, ERR_REFUSED,
			"%.100s has schema %lld, and this version knows %lld "
			"at most; install the newer version again, or restore "
			"a backup",
			path, (long long)version, (long long)newest);
	return true;
}

bool
sqlite_schema_migrate(sqlite3 *sql, const char *path, struct err *err)
{
	int64_t version, was;

	if (!number_get(sql, path, "PRAGMA user_version", &version, err))
		return false;
	was = version;
	for (; version < (int64_t)COUNT(steps); version++) {
		if (sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
			SQLITE_OK)
			return sqlite_fail(sql, path, err);
		if (!step_run(sql, path, steps[version], err))
			return false;
	}
	if (was != 0 && was != version)
		log_info(LOG_STORE, LOG_NOBODY,
			"database brought up to date, an earlier version of the server refuses it now path=\"%s\" schema=%lld was=%lld",
			path, (long long)version, (long long)was);
	return true;
}
