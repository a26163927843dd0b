/*
 * sqlite_clear.c - whole logs go.
 *
 * On the writer's thread.  What has few entries is deleted where it is said.  The row of
 * any other log is marked: it has no host, owner and name any more, so that nobody finds
 * it, and a log of the same name that begins meanwhile is another one, at another
 * place.  What it holds goes in slices, with what follows behind (sqlite_digest.c): the
 * entries, and their words; then what "talk" and "peer" have of them, in the order in
 * which it lies there; then the row.  So a crash leaves nothing that is not found again.
 *
 *	log --many--> marked --slice--> ... --slice--> no entries, ... --> no row
 *	  `--few------------------------------------------------------------^
 *
 * Invariant: as long as there is anything at a place, it has a row in "log".
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"

/* An entry that goes, with its words, costs as much as so many that are digested. */
#define ENTRY_COST 8

/* --- what is marked ---------------------------------------------------------- */

bool
sqlite_log_is_small(const struct sqlite_log *log)
{
	return log->n <= STORE_TRIM_MAX && log->bytes <= STORE_TRIM_BYTES;
}

static bool
place_run(struct store_db *db, enum sqlite_sql which, int64_t place,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, place);
	return sqlite_run(db, st, err);
}

/* Rows of "talk" or "peer", at most max. */
static bool
rows_delete(struct store_db *db, enum sqlite_sql which, int64_t place,
	int64_t max, int64_t *n_out, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, place);
	sqlite3_bind_int64(st, 2, max);
	if (!sqlite_run(db, st, err))
		return false;
	*n_out = sqlite3_changes64(db->sql);
	return true;
}

static bool
log_delete(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	sqlite3_stmt *st;

	if (!sqlite_talk_clear(db, log, err))
		return false;
	st = sqlite_span_stmt(db, SQL_SPAN_DEL, log->lo, log->hi, err);
	return st != NULL && sqlite_run(db, st, err) &&
		place_run(db, SQL_LOG_DEL, log->place, err);
}

static bool
log_mark(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	db->all_cleared = false;
	return place_run(db, SQL_LOG_MARK, log->place, err);
}

static bool
log_clear(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	return (sqlite_log_is_small(log) ? log_delete : log_mark)(db, log, err);
}

/* --- clearing ------------------------------------------------------------------ */

/* Logs are cleared so rarely that all are forgotten for it. */
static bool
known_end(struct store_db *db, struct err *err)
{
	if (!sqlite_known_write(db, err))
		return false;
	sqlite_known_forget(db);
	return true;
}

bool
sqlite_log_clear(struct store_db *db, struct store_place at, struct err *err)
{
	struct sqlite_log log;

	if (!known_end(db, err) || !sqlite_log_find(db, at, &log, err))
		return false;
	return log.place == -1 || log_clear(db, &log, err);
}

/* The log that st says, by its place and how much there is of it, if there is one. */
static bool
row_take(struct store_db *db, sqlite3_stmt *st, bool *found_out,
	struct sqlite_log *out, struct err *err)
{
	bool ok;

	if (!sqlite_step(db, st, found_out, err))
		return false;
	if (!*found_out)
		return true;
	ok = sqlite_log_at(db, sqlite3_column_int64(st, 0), out, err);
	out->n = sqlite3_column_int64(st, 1);
	out->bytes = sqlite3_column_int64(st, 2);
	out->digested = sqlite3_column_int64(st, 3);
	/* in a file that somebody has edited */
	out->digested = MIN(MAX(out->digested, 0), out->hi - out->lo);
	sqlite3_reset(st);
	return ok;
}

bool
sqlite_log_clear_owner(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	struct store_place at = { host, owner, STR_NONE };

	if (!known_end(db, err))
		return false;
	for (;;) {
		sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_OWNED, err);
		struct sqlite_log log;
		bool found;

		if (st == NULL)
			return false;
		sqlite_bind_place(st, at);
		if (!row_take(db, st, &found, &log, err))
			return false;
		if (!found)
			return true;
		if (!log_clear(db, &log, err))
			return false;
	}
}

/* --- slices ---------------------------------------------------------------------- */

/* The last of the first entries, at most max, of which none is behind the one with
 * which STORE_TRIM_BYTES have come together; *n_out: how many that are. */
static bool
slice_find(struct store_db *db, const struct sqlite_log *log, uint32_t max,
	int64_t *end_out, uint32_t *n_out, struct err *err)
{
	sqlite3_stmt *st =
		sqlite_span_stmt(db, SQL_SPAN_SIZES, log->lo, log->hi, err);
	int64_t bytes = 0;
	bool row = true;

	if (st == NULL)
		return false;
	for (*n_out = 0; *n_out < max && bytes < STORE_TRIM_BYTES; ++*n_out) {
		if (!sqlite_step(db, st, &row, err))
			return false;
		if (!row)
			break;
		*end_out = sqlite3_column_int64(st, 0);
		bytes += sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return true;
}

/* What "talk" has of them goes later, in its own order. */
static bool
entries_clear(struct store_db *db, const struct sqlite_log *log,
	uint32_t *left_io, bool *any_out, struct err *err)
{
	uint32_t max = MIN(MAX(*left_io / ENTRY_COST, 1), STORE_TRIM_MAX), n;
	int64_t end = log->lo;
	sqlite3_stmt *st;

	if (!slice_find(db, log, max, &end, &n, err))
		return false;
	*any_out = n != 0;
	if (n == 0)
		return true;
	if (!sqlite_search_forget(db, log, log->lo, end, err))
		return false;
	st = sqlite_span_stmt(db, SQL_SPAN_DEL, log->lo, end, err);
	if (st == NULL || !sqlite_run(db, st, err))
		return false;
	/* or it would never end */
	if (sqlite3_changes64(db->sql) == 0)
		return sqlite_damaged(db, err);
	*left_io -= MIN(*left_io, n * ENTRY_COST);
	return true;
}

static bool
rest_clear(struct store_db *db, const struct sqlite_log *log, uint32_t *left_io,
	struct err *err)
{
	static const enum sqlite_sql which[] = { SQL_TALK_SLICE,
		SQL_PEER_SLICE };

	for (size_t i = 0; i < COUNT(which); i++) {
		int64_t n;

		if (!rows_delete(db, which[i], log->place, *left_io, &n, err))
			return false;
		*left_io -= MIN(*left_io, (uint32_t)n);
		if (*left_io == 0)
			return true;
	}
	return place_run(db, SQL_LOG_DEL, log->place, err);
}

bool
sqlite_clear_slice(struct store_db *db, uint32_t *left_io, struct err *err)
{
	struct sqlite_log log;
	sqlite3_stmt *st;
	bool found, any;

	if (db->all_cleared)
		return true;
	st = sqlite_stmt(db, SQL_LOG_MARKED, err);
	if (st == NULL || !row_take(db, st, &found, &log, err))
		return false;
	db->all_cleared = !found;
	if (!found)
		return true;
	if (!entries_clear(db, &log, left_io, &any, err))
		return false;
	return any || *left_io == 0 || rest_clear(db, &log, left_io, err);
}
