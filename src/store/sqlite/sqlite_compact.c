/*
 * sqlite_compact.c - the file becomes as small as it can be.
 *
 * On the writer's thread.  A database with incremental auto_vacuum gives back all of its
 * free pages in slices, each of which is a commit.  One that was made before there was
 * that is written anew, and has it from then on: VACUUM writes a copy to a file of its
 * own, which goes where SQLite's temporary files go, and from there, as one transaction,
 * through the log of the database.  So it needs room for what it holds twice
 * (sqlite_room.c), and whatever breaks it off, a full disk included, leaves the database
 * as it was.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"

/* PRAGMA auto_vacuum */
#define INCREMENTAL 2
/* Steps of SQLite's machine between two looks at whether it is to end. */
#define STEPS 10000

/* Some of these say what was so when they were prepared, so that none is kept. */
static bool
pragma_get(struct store_db *db, const char *text, uint64_t *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool ok = sqlite3_prepare_v2(db->sql, text, -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW;

	if (ok)
		*out = (uint64_t)MAX(sqlite3_column_int64(st, 0), 0);
	else
		sqlite_fail(db->sql, db->path, err);
	sqlite3_finalize(st);
	return ok;
}

bool
sqlite_room(struct store_db *db, struct store_room *out, struct err *err)
{
	uint64_t page_bytes, pages, free_pages, mode;

	if (!pragma_get(db, "PRAGMA page_size", &page_bytes, err) ||
		!pragma_get(db, "PRAGMA page_count", &pages, err) ||
		!pragma_get(db, "PRAGMA freelist_count", &free_pages, err) ||
		!pragma_get(db, "PRAGMA auto_vacuum", &mode, err) ||
		!sqlite_room_disks(db->path, out, err))
		return false;
	out->file_bytes = pages * page_bytes;
	out->free_bytes = MIN(free_pages, pages) * page_bytes;
	out->in_slices = mode == INCREMENTAL;
	sqlite_room_judge(out);
	return true;
}

/* --- making it smaller -------------------------------------------------------------- */

/* The file is cut when what the log has is in it; readers may hold that up, and then
 * it is when they have ended. */
static void
file_cut(struct store_db *db)
{
	sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_PASSIVE,
		NULL, NULL);
}

static bool
slice_give_back(struct store_db *db, bool *more_out, struct err *err)
{
	if (!store_sqlite.begin(db, err))
		return false;
	if (sqlite_pages_slice(db, more_out, err) && store_sqlite.commit(db, err)) {
		if (!*more_out)
			file_cut(db);
		return true;
	}
	store_sqlite.rollback(db);
	return false;
}

struct watch {
	bool (*stops)(void *arg);
	void *arg;
};

static int
on_steps(void *arg)
{
	const struct watch *w = arg;

	return w->stops(w->arg);
}

static bool
plain_run(struct store_db *db, const char *text, struct err *err)
{
	return sqlite3_exec(db->sql, text, NULL, NULL, NULL) == SQLITE_OK ||
		sqlite_fail(db->sql, db->path, err);
}

static bool
whole_write(struct store_db *db, struct watch *w, struct err *err)
{
	bool ok;

	sqlite3_progress_handler(db->sql, STEPS, on_steps, w);
	ok = plain_run(db, "VACUUM", err);
	if (!ok && w->stops(w->arg))
		err_set(err, ERR_CLOSED,
			"the server stops, the database is as it was");
	sqlite3_progress_handler(db->sql, 0, NULL, NULL);
	return ok;
}

bool
sqlite_compact(struct store_db *db, bool (*stops)(void *arg), void *arg,
	bool *more_out, struct err *err)
{
	struct watch w = { stops, arg };
	uint64_t mode;
	bool ok;

	*more_out = false;
	if (!pragma_get(db, "PRAGMA auto_vacuum", &mode, err))
		return false;
	if (mode == INCREMENTAL)
		return slice_give_back(db, more_out, err);
	if (!sqlite3_get_autocommit(db->sql))
		store_sqlite.rollback(db);
	/* nothing of what the handle holds is temporary */
	if (!plain_run(db, "PRAGMA temp_store = FILE", err))
		return false;
	ok = whole_write(db, &w, err);
	plain_run(db, "PRAGMA temp_store = MEMORY", NULL);
	if (ok)
		file_cut(db);
	return ok;
}
