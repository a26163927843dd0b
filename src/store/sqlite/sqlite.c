/*
 * sqlite.c - the SQLite driver: options, handles, statements, transactions,
 * errors, backups.
 *
 * A handle is used by one thread at a time and opened without SQLite's own
 * locks.  WAL with synchronous=FULL: a commit that returned is on disk, and
 * readers are never in the writer's way.  No mmap: a failing disk or a file cut
 * short must be an error, not a signal.  Caches are small, because the kernel
 * has one too and it is not ours to pay; the writer's holds what hundreds of
 * accounts that chat write to, a page of each and those beside it, or half of them
 * would be read again with each commit.  Nothing is scanned at open.
 */
#include "config.h"

#include "store/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/storage.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/sqlite_int.h"

/* Another program (a backup, sqlite3) may hold the database that long, each time
 * that it is tried. */
#define BUSY_MS 5000

/* --- errors ------------------------------------------------------------- */

/*
 * What SQLite's errors mean, by whom they meet: a disk takes no writes only for
 * him who writes.  None leaves in doubt whether a commit was done: what another
 * program holds up (ERR_LOST) has not begun, and what fails is rolled back.
 */
static const struct meaning {
	int rc;
	enum err_code writer, reader;
	const char *text; /* behind the path; NULL: what SQLite says */
} meanings[] = {
	{ SQLITE_FULL, ERR_DISK, ERR_STORAGE, ": the disk is full; make room" },
	{ SQLITE_CANTOPEN, ERR_DISK, ERR_STORAGE,
		": cannot write; give the file and its folder to the user the "
		"server runs as" },
	{ SQLITE_READONLY, ERR_DISK, ERR_STORAGE,
		": cannot write; give the file and its folder to the user the "
		"server runs as" },
	{ SQLITE_PERM, ERR_DISK, ERR_STORAGE,
		": cannot write; give the file and its folder to the user the "
		"server runs as" },
	{ SQLITE_BUSY, ERR_LOST, ERR_LOST,
		" is locked by another program; end it" },
	/* others were in the way of a lock of the WAL for a minute */
	{ SQLITE_PROTOCOL, ERR_LOST, ERR_LOST,
		" is locked by another program; end it" },
	{ SQLITE_CORRUPT, ERR_STORAGE, ERR_STORAGE,
		" is damaged; stop the server and restore a backup" },
	{ SQLITE_NOTADB, ERR_STORAGE, ERR_STORAGE,
		" is not a database; restore a backup, or name another file "
		"for the storage" },
	/* no memory, a mistake of ours, and whatever else there is */
	{ SQLITE_ERROR, ERR_STORAGE, ERR_STORAGE, NULL },
};

static const struct meaning *
meaning_of(int rc)
{
	size_t i = 0;

	while (i < COUNT(meanings) - 1 && meanings[i].rc != (rc & 0xff))
		i++;
	return &meanings[i];
}

static bool
is_reader(sqlite3 *sql)
{
	return sqlite3_db_readonly(sql, "main") == 1;
}

/* A page that cannot be read, or a lack of memory, is no matter of writing; all
 * else is: writing, syncing, growing, cutting, locking, looking at a file. */
static bool
fail_io(sqlite3 *sql, const char *path, int rc, struct err *err)
{
	bool reads = is_reader(sql) || rc == SQLITE_IOERR_READ ||
		rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_NOMEM;
	char reason[80];
	int saved = sqlite3_system_errno(sql);

	return err_set(err, reads ? ERR_STORAGE : ERR_DISK,
		"%.120s: reading or writing failed: %s; see to the disk", path,
		saved != 0 ? strerror_r(saved, reason, sizeof(reason))
			   : sqlite3_errmsg(sql));
}

bool
sqlite_damaged(const struct store_db *db, struct err *err)
{
	return err_set(err, ERR_STORAGE, "%.120s%s", db->path,
		meaning_of(SQLITE_CORRUPT)->text);
}

bool
sqlite_fail(sqlite3 *sql, const char *path, struct err *err)
{
	int rc = sqlite3_extended_errcode(sql);
	const struct meaning *m = meaning_of(rc);
	enum err_code code = is_reader(sql) ? m->reader : m->writer;

	if (rc == SQLITE_CONSTRAINT_CHECK)
		return err_set(err, ERR_LIMIT, "the log is full");
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return err_set(err, ERR_CONFLICT, "it exists already");
	if ((rc & 0xff) == SQLITE_IOERR)
		return fail_io(sql, path, rc, err);
	if (m->text == NULL)
		return err_set(err, code, "%.120s: %.100s", path,
			sqlite3_errmsg(sql));
	return err_set(err, code, "%.120s%s", path, m->text);
}

/* --- statements --------------------------------------------------------- */

sqlite3_stmt *
sqlite_stmt(struct store_db *db, enum sqlite_sql which, struct err *err)
{
	sqlite3_stmt **st = &db->stmts[which];

	if (*st == NULL &&
		sqlite3_prepare_v3(db->sql, sqlite_texts[which], -1,
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

static bool
sqlite_run_plain(struct store_db *db, enum sqlite_sql which, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	return st != NULL && sqlite_run(db, st, err);
}

/* --- opening ------------------------------------------------------------ */

/* secure_delete: Debian's SQLite writes zeros over all that is deleted, also in
 * pages that are given up, which then have to be read and written: a third of the
 * CPU time of messages that are delivered.  FAST leaves the zeros where they cost
 * no page; what lies in free pages stays there until they are used again, as with
 * any file that is deleted. */
static bool
settings_apply(struct store_db *db, struct err *err)
{
	static const char common[] = "PRAGMA trusted_schema = OFF;"
				     "PRAGMA cell_size_check = ON;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA temp_store = MEMORY;"
				     "PRAGMA cache_size = -512;"; /* KiB */
	/* the first decides when the first table is made, and never again */
	static const char writing[] = "PRAGMA auto_vacuum = INCREMENTAL;"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA secure_delete = FAST;"
				      "PRAGMA wal_autocheckpoint = 4000;"
				      "PRAGMA journal_size_limit = 16777216;"
				      "PRAGMA cache_size = -4096;";

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
	sqlite_known_forget(db);
	sqlite_digest_forget(db);
	for (size_t i = 0; i < COUNT(db->stmts); i++)
		sqlite3_finalize(db->stmts[i]);
	sqlite3_close(db->sql);
	/* the last thing: another server may open it from now on */
	if (db->lock != -1)
		close(db->lock);
	free(db->path);
	free(db);
}

/* The application id is looked at before the file is touched in any way. */
static bool
handle_ready(struct store_db *db, bool may_be_empty, struct err *err)
{
	if (!sqlite_search_open(db, err))
		return false;
	if (!db->writes)
		return settings_apply(db, err);
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	return sqlite_schema_check(db->sql, db->path, may_be_empty, err) &&
		settings_apply(db, err) &&
		sqlite_schema_migrate(db->sql, db->path, err) &&
		sqlite_file_note(db, err) &&
		sqlite_file_mark(db->path, db->lock, err);
}

/* Else each piece of memory is counted under a lock that all handles share. */
static struct store_db *
handle_new(const char *path)
{
	struct store_db *db = xcalloc(1, sizeof(*db));

	/* without effect when one is open already */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db->path = path != NULL ? xstrdup(path) : NULL;
	db->lock = -1;
	return db;
}

/* NULL: db is gone. */
static struct store_db *
handle_open(struct store_db *db, int flags, bool may_be_empty, struct err *err)
{
	if (sqlite3_open_v2(db->path, &db->sql,
		    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		    NULL) != SQLITE_OK)
		sqlite_fail(db->sql, db->path, err);
	else if (handle_ready(db, may_be_empty, err))
		return db;
	sqlite_close(db);
	return NULL;
}

static struct store_db *
sqlite_open(const struct store_conf *conf, struct err *err)
{
	const struct sqlite_conf *own = conf->options;
	struct store_db *db = handle_new(own->path);
	bool made = false;

	db->writes = true;
	if (sqlite_file_ready(
		    db->path, conf->may_be_new, &db->lock, &made, err))
		return handle_open(db, SQLITE_OPEN_READWRITE,
			made || conf->may_be_new, err);
	sqlite_close(db);
	return NULL;
}

static struct store_db *
sqlite_open_beside(const struct store_db *writer, struct err *err)
{
	if (!sqlite_file_is_there(writer, err))
		return NULL;
	return handle_open(
		handle_new(writer->path), SQLITE_OPEN_READONLY, false, err);
}

/* --- transactions ------------------------------------------------------- */

/* SQLite has rolled back by itself after some errors. */
static void
sqlite_rollback(struct store_db *db)
{
	sqlite_known_forget(db);
	sqlite_digest_end(db, false);
	if (!sqlite3_get_autocommit(db->sql))
		sqlite_run_plain(db, SQL_ROLLBACK, NULL);
}

/* What an earlier failure has left open, because the rollback failed too, would
 * make every transaction from then on fail. */
static bool
sqlite_begin(struct store_db *db, struct err *err)
{
	if (!sqlite3_get_autocommit(db->sql))
		sqlite_rollback(db);
	if (!db->writes)
		return sqlite_run_plain(db, SQL_BEGIN_READ, err);
	if (!sqlite_run_plain(db, SQL_BEGIN_WRITE, err))
		return false;
	if (sqlite_known_check(db, err))
		return true;
	sqlite_rollback(db);
	return false;
}

static bool
sqlite_commit(struct store_db *db, struct err *err)
{
	if (!sqlite_known_write(db, err) || !sqlite_file_is_there(db, err) ||
		!sqlite_run_plain(db, SQL_COMMIT, err))
		return false;
	sqlite_digest_end(db, true);
	return true;
}

/* What is to be forgotten by a revert is what came after this. */
static bool
sqlite_savepoint(struct store_db *db, struct err *err)
{
	return sqlite_known_write(db, err) &&
		sqlite_run_plain(db, SQL_SAVEPOINT, err);
}

static bool
sqlite_release(struct store_db *db, struct err *err)
{
	return sqlite_run_plain(db, SQL_RELEASE, err);
}

static void
sqlite_revert(struct store_db *db)
{
	sqlite_known_forget(db);
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

/* SQLite leaves a journal beside a copy that it could not complete. */
static void
backup_remove(const char *path)
{
	size_t room = strlen(path) + sizeof("-journal");
	char *journal = xmalloc(room);

	snprintf(journal, room, "%s-journal", path);
	unlink(journal);
	unlink(path);
	free(journal);
}

/* What cannot be written is the copy, whose disk may be another one. */
static bool
backup_fail(struct store_db *db, const char *path, struct err *err)
{
	int rc = sqlite3_extended_errcode(db->sql);

	backup_remove(path);
	if (rc == SQLITE_FULL || rc == SQLITE_IOERR_WRITE ||
		rc == SQLITE_IOERR_FSYNC) {
		sqlite_fail(db->sql, path, err);
		err->code = ERR_STORAGE;
	}
	return err_prefix(err, "no backup was made");
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
	if (!sqlite_file_create(path, err)) {
		if (err->code == ERR_CONFLICT)
			err_set(err, ERR_CONFLICT,
				"%.120s exists; name a new file for the backup",
				path);
		return false;
	}
	sqlite_bind_str(st, 1, str_c(path));
	if (!sqlite_run(db, st, err))
		return backup_fail(db, path, err);
	if (sqlite_file_sync(path, err))
		return true;
	backup_remove(path);
	return false;
}

static const struct option options[] = {
	{ .name = "path", .type = OPT_PATH,
		.dflt = STATE_DIR "/antiphon/antiphon.db",
		.off = offsetof(struct sqlite_conf, path),
		.help = "the file of the database" },
	{ .name = NULL },
};

const struct config_driver storage_sqlite = {
	.name = "sqlite",
	.help = "in one file, on a disk of this machine",
	.options = options,
	.conf_size = sizeof(struct sqlite_conf),
};

static const char *
sqlite_path(const void *own)
{
	const struct sqlite_conf *conf = own;

	return conf->path;
}

const struct store_driver store_sqlite = {
	.name = "sqlite",
	.check = sqlite_file_check,
	.path = sqlite_path,
	.open = sqlite_open,
	.open_beside = sqlite_open_beside,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.savepoint = sqlite_savepoint,
	.release = sqlite_release,
	.revert = sqlite_revert,
	.tend = sqlite_tend,
	.set = sqlite_set,
	.del = sqlite_del,
	.clear = sqlite_clear,
	.clear_owner = sqlite_clear_owner,
	.append = sqlite_append,
	.del_entry = sqlite_del_entry,
	.replace_entry = sqlite_replace_entry,
	.index = sqlite_index,
	.trim_to = sqlite_trim_to,
	.trim_age = sqlite_trim_age,
	.trim_count = sqlite_trim_count,
	.trim = sqlite_trim,
	.get = sqlite_get,
	.list = sqlite_list,
	.page = sqlite_page,
	.list_many = sqlite_list_many,
	.owners = sqlite_owners,
	.log_owners = sqlite_log_owners,
	.range = sqlite_range,
	.talks = sqlite_talks,
	.get_entries = sqlite_get_entries,
	.sizes = sqlite_sizes,
	.backup = sqlite_backup,
	.room = sqlite_room,
	.compact = sqlite_compact,
};
