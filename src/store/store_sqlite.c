/*
 * store_sqlite.c - the SQLite driver: handles, statements, transactions,
 * errors, backups.
 *
 * A handle is used by one thread at a time and opened without SQLite's own
 * locks.  WAL with synchronous=FULL: a commit that returned is on disk, and
 * readers are never in the writer's way.  No mmap: a failing disk or a file cut
 * short must be an error, not a signal.  Caches are small, because the kernel
 * has one too and it is not ours to pay.  Nothing is scanned at open.
 */
#include "config.h"

#include "store/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/sqlite_int.h"

/* Another program (a backup, sqlite3) may hold the database that long. */
#define BUSY_MS 10000

#define ENTRY "SELECT id, time, peer, value FROM entry "
#define SPAN "pos > ?1 AND pos <= ?2 "
#define BY_PEER "INDEXED BY entry_peer WHERE place = ?4 AND peer = ?5 "
#define BY_TIME "INDEXED BY entry_time WHERE place = ?4 "
#define TIME "AND time >= ?6 AND time <= ?7 "
/* The index on time gives the positions; only what is wanted of the values is
 * read. */
#define RANGE_TIME(order)                                                      \
	ENTRY "WHERE pos IN (SELECT pos FROM entry " BY_TIME TIME "AND " SPAN  \
	      "ORDER BY pos " order " LIMIT ?3) ORDER BY pos " order
#define RANGE_PEER(time, order)                                                \
	ENTRY BY_PEER time "AND " SPAN "ORDER BY pos " order " LIMIT ?3"
#define RANGE_ALL(order) ENTRY "WHERE " SPAN "ORDER BY pos " order " LIMIT ?3"

#define MAP_AT "host = ?1 AND owner = ?2 AND name = ?3"

/* ?1, ?2, ?3 are host, owner, name, but for entries. */
/* clang-format off */
static const char *const texts[SQL_COUNT] = {
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT tx",
	[SQL_RELEASE] = "RELEASE tx",
	[SQL_REVERT] = "ROLLBACK TO tx",
	[SQL_BACKUP] = "VACUUM INTO ?1",

	[SQL_MAP_GET] = "SELECT value FROM map WHERE " MAP_AT " AND key = ?4",
	[SQL_MAP_LIST] = "SELECT key, value FROM map WHERE " MAP_AT
			 " ORDER BY key",
	[SQL_MAP_ANY] = "SELECT 1 FROM map WHERE " MAP_AT " LIMIT 1",
	[SQL_MAP_SET] = "INSERT INTO map (host, owner, name, key, value)"
			" VALUES (?1, ?2, ?3, ?4, ?5)"
			" ON CONFLICT DO UPDATE SET value = excluded.value",
	[SQL_MAP_CREATE] = "INSERT INTO map (host, owner, name, key, value)"
			   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_MAP_DEL] = "DELETE FROM map WHERE " MAP_AT " AND key = ?4",
	[SQL_MAP_CLEAR] = "DELETE FROM map WHERE " MAP_AT,
	[SQL_MAP_CLEAR_OWNER] = "DELETE FROM map WHERE host = ?1"
				" AND owner = ?2",
	[SQL_HOLDER_ADD] = "INSERT OR IGNORE INTO holder (host, owner, name)"
			   " VALUES (?1, ?2, ?3)",
	[SQL_HOLDER_DEL] = "DELETE FROM holder WHERE " MAP_AT,
	[SQL_HOLDER_LIST] = "SELECT owner FROM holder WHERE host = ?1"
			    " AND name = ?3 AND owner > ?2"
			    " ORDER BY owner LIMIT ?4",
	[SQL_HOLDER_LIST_ALL] = "SELECT owner FROM holder WHERE host = ?1"
				" AND name = ?3 ORDER BY owner LIMIT ?4",
	[SQL_HOLDER_COUNT] = "SELECT count(*) FROM holder WHERE host = ?1"
			     " AND name = ?3",
	[SQL_OWNER_MAPS] = "WITH RECURSIVE maps (name) AS ("
			   " SELECT min(name) FROM map"
			   "  WHERE host = ?1 AND owner = ?2"
			   " UNION ALL"
			   " SELECT (SELECT min(name) FROM map"
			   "  WHERE host = ?1 AND owner = ?2"
			   "  AND name > maps.name)"
			   "  FROM maps WHERE maps.name IS NOT NULL"
			   ") SELECT name FROM maps WHERE name IS NOT NULL",

	[SQL_LOG_FIND] = "SELECT place FROM log WHERE " MAP_AT,
	[SQL_LOG_NEW] = "INSERT INTO log (host, owner, name)"
			" VALUES (?1, ?2, ?3)",
	[SQL_LOG_DEL] = "DELETE FROM log WHERE place = ?1",
	[SQL_LOG_OWNED] = "SELECT place FROM log WHERE host = ?1 AND owner = ?2"
			  " LIMIT 1",
	[SQL_ENTRY_ADD] = "INSERT INTO entry"
			  " (pos, place, id, time, peer, value)"
			  " VALUES ((SELECT coalesce(max(pos), ?1) + 1"
			  "  FROM entry WHERE " SPAN "),"
			  " ?3, ?4, ?5, ?6, ?7)",
	[SQL_ENTRY_POS] = "SELECT pos FROM entry WHERE place = ?1 AND id = ?2",
	[SQL_ENTRY_DEL] = "DELETE FROM entry WHERE place = ?1 AND id = ?2",
	[SQL_ENTRY_TRIM_AGE] = "DELETE FROM entry"
			       " WHERE place = ?1 AND time < ?2",
	[SQL_ENTRY_NTH] = "SELECT pos FROM entry WHERE " SPAN
			  "ORDER BY pos LIMIT 1 OFFSET ?3",
	[SQL_ENTRY_TRIM_POS] = "DELETE FROM entry WHERE " SPAN,

	[SQL_RANGE] = RANGE_ALL("ASC"),
	[SQL_RANGE + 1] = RANGE_PEER("", "ASC"),
	[SQL_RANGE + 2] = RANGE_TIME("ASC"),
	[SQL_RANGE + 3] = RANGE_PEER(TIME, "ASC"),
	[SQL_RANGE + 4] = RANGE_ALL("DESC"),
	[SQL_RANGE + 5] = RANGE_PEER("", "DESC"),
	[SQL_RANGE + 6] = RANGE_TIME("DESC"),
	[SQL_RANGE + 7] = RANGE_PEER(TIME, "DESC"),
	[SQL_TOTAL] = "SELECT count(*) FROM entry " BY_TIME,
	[SQL_TOTAL + 1] = "SELECT count(*) FROM entry " BY_PEER,
	[SQL_TOTAL + 2] = "SELECT count(*) FROM entry " BY_TIME TIME,
	[SQL_TOTAL + 3] = "SELECT count(*) FROM entry " BY_PEER TIME,
};
/* clang-format on */

/* --- errors ------------------------------------------------------------- */

static bool
fail_io(sqlite3 *sql, const char *path, struct err *err)
{
	char reason[80];
	int saved = sqlite3_system_errno(sql);

	return err_set(err, ERR_STORAGE,
		"%.120s: reading or writing failed: %s; see to the disk", path,
		saved != 0 ? strerror_r(saved, reason, sizeof(reason))
			   : sqlite3_errmsg(sql));
}

bool
sqlite_fail(sqlite3 *sql, const char *path, struct err *err)
{
	int rc = sqlite3_extended_errcode(sql);

	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_CHECK)
			return err_set(err, ERR_LIMIT, "the log is full");
		return err_set(err, ERR_CONFLICT, "it exists already");
	case SQLITE_FULL:
		return err_set(err, ERR_STORAGE,
			"%.120s: the disk is full; make room", path);
	case SQLITE_IOERR:
		return fail_io(sql, path, err);
	case SQLITE_CORRUPT:
		return err_set(err, ERR_STORAGE,
			"%.120s is damaged; stop the server and restore a "
			"backup",
			path);
	case SQLITE_NOTADB:
		return err_set(err, ERR_STORAGE,
			"%.120s is not a database; restore a backup, or name "
			"another file for the storage",
			path);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return err_set(err, ERR_STORAGE,
			"%.120s: cannot write; give the file and its folder to "
			"the user the server runs as",
			path);
	case SQLITE_BUSY:
		return err_set(err, ERR_STORAGE,
			"%.120s is locked by another program; end it", path);
	default:
		return err_set(err, ERR_STORAGE, "%.120s: %.100s", path,
			sqlite3_errmsg(sql));
	}
}

/* --- statements --------------------------------------------------------- */

sqlite3_stmt *
sqlite_stmt(struct store_db *db, enum sqlite_sql which, struct err *err)
{
	sqlite3_stmt **st = &db->stmts[which];

	if (*st == NULL &&
		sqlite3_prepare_v3(db->sql, texts[which], -1,
			SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK) {
		sqlite_fail(db->sql, db->path, err);
		return NULL;
	}
	sqlite3_clear_bindings(*st);
	return *st;
}

/* Borrowed: every statement is run before its values go away. */
void
sqlite_bind_str(sqlite3_stmt *st, int i, struct str s)
{
	sqlite3_bind_text64(
		st, i, s.p != NULL ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

void
sqlite_bind_place(sqlite3_stmt *st, struct store_place at)
{
	sqlite_bind_str(st, 1, at.host);
	sqlite_bind_str(st, 2, at.owner);
	if (at.name.p != NULL)
		sqlite_bind_str(st, 3, at.name);
}

/* A damaged file may hold NULL where the schema says that it cannot. */
struct str
sqlite_text(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_text(st, column);
	int n = sqlite3_column_bytes(st, column);

	return p != NULL ? (struct str){ p, (size_t)n } : STR("");
}

bool
sqlite_step(
	struct store_db *db, sqlite3_stmt *st, bool *row_out, struct err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		*row_out = true;
		return true;
	}
	if (rc != SQLITE_DONE)
		sqlite_fail(db->sql, db->path, err);
	else
		*row_out = false;
	sqlite3_reset(st);
	return rc == SQLITE_DONE;
}

bool
sqlite_run(struct store_db *db, sqlite3_stmt *st, struct err *err)
{
	bool row;

	if (!sqlite_step(db, st, &row, err))
		return false;
	if (row)
		sqlite3_reset(st);
	return true;
}

bool
sqlite_run_plain(struct store_db *db, enum sqlite_sql which, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	return st != NULL && sqlite_run(db, st, err);
}

/* --- opening ------------------------------------------------------------ */

/* A new name lasts when its folder is synced. */
static bool
folder_sync(const char *path, struct err *err)
{
	char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	bool ok;
	int fd;

	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	fd = open(slash != NULL ? folder : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd != -1 && fsync(fd) == 0;
	if (!ok)
		err_errno(err, "cannot sync the folder of %.120s", path);
	if (fd != -1)
		close(fd);
	free(folder);
	return ok;
}

/* SQLite would create it readable for all; verifiers of passwords are in it. */
static bool
file_create(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1) {
		if (errno == EEXIST)
			return err_set(
				err, ERR_CONFLICT, "%.120s exists", path);
		err_errno(err, "cannot create %.120s", path);
		return false;
	}
	close(fd);
	return folder_sync(path, err);
}

static bool
file_ready(const char *path, struct err *err)
{
	struct err why = ERR_INIT;

	if (path == NULL || path[0] == '\0' || path[0] == ':')
		return err_set(err, ERR_INVALID,
			"the storage needs the path of a database file");
	if (access(path, F_OK) == 0 || file_create(path, &why))
		return true;
	if (why.code == ERR_CONFLICT)
		return true; /* created by somebody in between */
	return err_set(err, ERR_STORAGE,
		"%.160s; create the folder and give it to the user the server "
		"runs as",
		why.text);
}

static bool
settings_apply(struct store_db *db, struct err *err)
{
	static const char common[] = "PRAGMA trusted_schema = OFF;"
				     "PRAGMA cell_size_check = ON;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA temp_store = MEMORY;"
				     "PRAGMA cache_size = -512;"; /* KiB */
	static const char writing[] = "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA wal_autocheckpoint = 4000;"
				      "PRAGMA journal_size_limit = 16777216;"
				      "PRAGMA cache_size = -2048;";

	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	if (sqlite3_exec(db->sql, common, NULL, NULL, NULL) != SQLITE_OK ||
		(db->writes &&
			sqlite3_exec(db->sql, writing, NULL, NULL, NULL) !=
				SQLITE_OK))
		return sqlite_fail(db->sql, db->path, err);
	return true;
}

static void
sqlite_close(struct store_db *db)
{
	for (size_t i = 0; i < COUNT(db->stmts); i++)
		sqlite3_finalize(db->stmts[i]);
	sqlite3_close(db->sql);
	free(db->path);
	free(db);
}

/* The application id is looked at before the file is touched in any way. */
static bool
handle_ready(struct store_db *db, struct err *err)
{
	if (!db->writes)
		return settings_apply(db, err);
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	return sqlite_schema_check(db->sql, db->path, err) &&
		settings_apply(db, err) &&
		sqlite_schema_migrate(db->sql, db->path, err);
}

static struct store_db *
sqlite_open(
	const struct store_conf *conf, struct store_db *writer, struct err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		(writer == NULL ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	struct store_db *db;

	if (writer == NULL && !file_ready(conf->path, err))
		return NULL;
	/* Else each piece of memory is counted under a lock that all handles
	 * share.  Without effect when one is open already. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(conf->path);
	db->writes = writer == NULL;
	if (sqlite3_open_v2(db->path, &db->sql, flags, NULL) != SQLITE_OK) {
		sqlite_fail(db->sql, db->path, err);
		goto failed;
	}
	if (handle_ready(db, err))
		return db;
failed:
	sqlite_close(db);
	return NULL;
}

/* --- transactions ------------------------------------------------------- */

static bool
sqlite_begin(struct store_db *db, struct err *err)
{
	return sqlite_run_plain(
		db, db->writes ? SQL_BEGIN_WRITE : SQL_BEGIN_READ, err);
}

static bool
sqlite_commit(struct store_db *db, struct err *err)
{
	return sqlite_run_plain(db, SQL_COMMIT, err);
}

/* SQLite has rolled back by itself after some errors. */
static void
sqlite_rollback(struct store_db *db)
{
	if (!sqlite3_get_autocommit(db->sql))
		sqlite_run_plain(db, SQL_ROLLBACK, NULL);
}

static bool
sqlite_savepoint(struct store_db *db, struct err *err)
{
	return sqlite_run_plain(db, SQL_SAVEPOINT, err);
}

static bool
sqlite_release(struct store_db *db, struct err *err)
{
	return sqlite_run_plain(db, SQL_RELEASE, err);
}

static void
sqlite_revert(struct store_db *db)
{
	if (sqlite3_get_autocommit(db->sql))
		return;
	sqlite_run_plain(db, SQL_REVERT, NULL);
	sqlite_run_plain(db, SQL_RELEASE, NULL);
}

/* --- both shapes, and the whole ----------------------------------------- */

static bool
sqlite_clear(struct store_db *db, struct store_place at, struct err *err)
{
	return sqlite_map_clear(db, at, err) && sqlite_log_clear(db, at, err);
}

static bool
sqlite_clear_owner(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	return sqlite_map_clear_owner(db, host, owner, err) &&
		sqlite_log_clear_owner(db, host, owner, err);
}

static bool
file_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd != -1 && fsync(fd) == 0;

	if (!ok)
		err_errno(err, "cannot sync %.120s", path);
	if (fd != -1)
		close(fd);
	return ok && folder_sync(path, err);
}

/* VACUUM INTO works in one view of the database, so that writes neither wait
 * for it nor make it begin again, as they would the backup interface; and the
 * copy has no holes. */
static bool
sqlite_backup(struct store_db *db, const char *path, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_BACKUP, err);

	if (st == NULL)
		return false;
	if (!file_create(path, err)) {
		if (err->code == ERR_CONFLICT)
			err_set(err, ERR_CONFLICT,
				"%.120s exists; name a new file for the backup",
				path);
		return false;
	}
	sqlite_bind_str(st, 1, str_c(path));
	if (sqlite_run(db, st, err) && file_sync(path, err))
		return true;
	unlink(path);
	return err_prefix(err, "backup to %.80s", path);
}

const struct store_driver store_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.savepoint = sqlite_savepoint,
	.release = sqlite_release,
	.revert = sqlite_revert,
	.set = sqlite_set,
	.del = sqlite_del,
	.clear = sqlite_clear,
	.clear_owner = sqlite_clear_owner,
	.append = sqlite_append,
	.del_entry = sqlite_del_entry,
	.trim_age = sqlite_trim_age,
	.trim_count = sqlite_trim_count,
	.get = sqlite_get,
	.list = sqlite_list,
	.owners = sqlite_owners,
	.count_owners = sqlite_count_owners,
	.range = sqlite_range,
	.backup = sqlite_backup,
};
