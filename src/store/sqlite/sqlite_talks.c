/*
 * sqlite_talks.c - with whom the entries of a log are, in SQLite.
 *
 * Called by the table in sqlite.c, on the thread of the handle.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/mem.h"

/* Of a log that knows more addresses, nobody looks at each: anybody may write to an
 * account. */
static bool
has_many(struct store_db *db, const struct sqlite_log *log, bool *many_out,
	struct err *err)
{
	sqlite3_stmt *st;
	int64_t one;

	*many_out = false;
	if (log->peers <= STORE_TALKS_MAX)
		return true;
	st = sqlite_stmt(db, SQL_PEER_NTH, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, log->place);
	sqlite3_bind_int64(st, 2, STORE_TALKS_MAX);
	return sqlite_number(db, st, many_out, &one, err);
}

static sqlite3_stmt *
talks_stmt(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_TALKS, err);

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 1, log->lo);
	sqlite3_bind_int64(st, 2, MIN(log->lo + log->digested, log->hi));
	sqlite3_bind_int64(st, 4, log->place);
	sqlite3_bind_int64(st, 5, log->hi);
	return st;
}

static sqlite3_stmt *
late_stmt(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(
		db, SQL_TALKS_LATE, log->lo, log->hi, err);

	if (st != NULL)
		sqlite3_bind_int64(st, 4, STORE_TALKS_MAX);
	return st;
}

bool
sqlite_talks(struct store_db *db, struct store_place at, uint32_t max,
	store_entry_fn fn, void *arg, struct err *err)
{
	struct sqlite_log log;
	sqlite3_stmt *st;
	bool complete, many;

	if (!sqlite_log_find(db, at, &log, err))
		return false;
	if (log.place == -1 || log.kind != SQLITE_PLACED)
		return true;
	if (!has_many(db, &log, &many, err))
		return false;
	st = many ? late_stmt(db, &log, err) : talks_stmt(db, &log, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, max);
	return sqlite_range_pass(db, st, &log, max, fn, arg, &complete, err);
}
