/*
 * sqlite_talks.c - with whom the entries of a log are, in SQLite.
 *
 * Called by the table in sqlite.c, on the thread of the handle.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"

bool
sqlite_talks(struct store_db *db, struct store_place at, uint32_t max,
	store_entry_fn fn, void *arg, struct err *err)
{
	struct sqlite_log log;
	sqlite3_stmt *st;
	bool complete;

	if (!sqlite_log_find(db, at, &log, err))
		return false;
	if (log.place == -1 || log.kind != SQLITE_PLACED)
		return true;
	st = sqlite_stmt(db, SQL_TALKS, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, log.lo);
	sqlite3_bind_int64(st, 2, MIN(log.lo + log.digested, log.hi));
	sqlite3_bind_int64(st, 3, max);
	sqlite3_bind_int64(st, 4, log.place);
	sqlite3_bind_int64(st, 5, log.hi);
	return sqlite_range_pass(db, st, &log, max, fn, arg, &complete, err);
}
