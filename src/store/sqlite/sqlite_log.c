/*
 * sqlite_log.c - logs in SQLite: entries come, and go.
 *
 * Called by the table in sqlite.c, on the writer's thread.  The entries
 * of a log are those with pos in (lo, hi]; what pos is made of stands in
 * sqlite_schema.c.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"

/* --- adding ------------------------------------------------------------- */

/* The position of the last entry, or the one before the first. */
static bool
last_find(struct store_db *db, struct sqlite_known *k, struct err *err)
{
	sqlite3_stmt *st;
	bool found;

	if (k->last != -1)
		return true;
	st = sqlite_span_stmt(db, SQL_LOG_LAST, k->log.lo, k->log.hi, err);
	if (st == NULL || !sqlite_number(db, st, &found, &k->last, err))
		return false;
	k->last = MAX(k->last, k->log.lo); /* of none: NULL, which is 0 */
	return true;
}

static bool
kind_check(struct sqlite_known *k, struct str id, uint64_t number,
	struct err *err)
{
	bool numbered = id.p == NULL;

	if (k->log.n != 0 && (k->log.kind == SQLITE_NUMBERS) != numbered)
		return err_set(
			err, ERR_INVALID, "a log has either ids or numbers");
	if (numbered)
		k->log.kind = SQLITE_NUMBERS;
	else if (number != 0)
		k->log.kind = SQLITE_PLACED;
	else if (k->log.n == 0)
		k->log.kind = SQLITE_IDS;
	return true;
}

static bool
entry_add(struct store_db *db, const struct sqlite_known *k, int64_t pos,
	bool is_placed, struct str id, int64_t wall_us, struct str with,
	struct str value, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_ENTRY_ADD, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, pos);
	sqlite3_bind_int64(st, 2, k->log.place);
	if (id.p != NULL)
		sqlite_bind_str(st, is_placed ? 7 : 3, id);
	sqlite3_bind_int64(st, 4, wall_us);
	sqlite_bind_str(st, 5, with);
	sqlite_bind_str(st, 6, value);
	return sqlite_run(db, st, err);
}

bool
sqlite_append(struct store_db *db, struct store_place at, struct str id,
	uint64_t number, int64_t wall_us, struct str with, struct str value,
	struct err *err)
{
	struct sqlite_known *k;
	int64_t pos;

	if (!sqlite_known_get(db, at, true, &k, err) ||
		!kind_check(k, id, number, err) || !last_find(db, k, err))
		return false;
	pos = number != 0 ? k->log.lo + (int64_t)number : k->last + 1;
	if (!entry_add(db, k, pos, number != 0, id, wall_us, with, value, err))
		return false;
	k->last = MAX(k->last, pos);
	k->log.n++;
	k->log.bytes += (int64_t)value.n;
	sqlite_known_changed(db, k);
	return true;
}

/* --- deleting ----------------------------------------------------------- */

/* What st says is to go leaves the counts. */
static bool
counts_lower(struct store_db *db, struct sqlite_known *k, sqlite3_stmt *st,
	struct err *err)
{
	bool row;

	if (!sqlite_step(db, st, &row, err))
		return false;
	if (row) {
		k->log.n -= sqlite3_column_int64(st, 0);
		k->log.bytes -= sqlite3_column_int64(st, 1);
		sqlite3_reset(st);
	}
	sqlite_known_changed(db, k);
	return true;
}

/* Entries in (lo, hi].  Where all go nobody has to look what they were. */
static bool
span_delete(struct store_db *db, struct sqlite_known *k, int64_t lo, int64_t hi,
	struct err *err)
{
	bool all = lo == k->log.lo && k->last != -1 && hi >= k->last;
	sqlite3_stmt *st;

	if (all) {
		k->log.n = k->log.bytes = 0;
		k->last = lo;
		sqlite_known_changed(db, k);
	} else {
		st = sqlite_span_stmt(db, SQL_SPAN_SUM, lo, hi, err);
		if (st == NULL || !counts_lower(db, k, st, err))
			return false;
		if (hi >= k->last)
			k->last = -1;
	}
	st = sqlite_span_stmt(db, SQL_SPAN_DEL, lo, hi, err);
	return st != NULL && sqlite_run(db, st, err);
}

bool
sqlite_del_entry(struct store_db *db, struct store_place at, struct str id,
	struct err *err)
{
	struct sqlite_known *k;
	int64_t pos;
	bool found;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL)
		return true;
	if (!sqlite_entry_pos(db, &k->log, id, &found, &pos, err))
		return false;
	return !found || span_delete(db, k, pos - 1, pos, err);
}

/* The rest of its row is in the indexes, and stays. */
static bool
value_change(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str value, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, SQL_SPAN_SUM, pos - 1, pos, err);
	bool row;

	if (st == NULL || !sqlite_step(db, st, &row, err))
		return false;
	if (row) {
		k->log.bytes += (int64_t)value.n - sqlite3_column_int64(st, 1);
		sqlite3_reset(st);
	}
	sqlite_known_changed(db, k);
	st = sqlite_stmt(db, SQL_ENTRY_CHANGE, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, pos);
	sqlite_bind_str(st, 2, value);
	return sqlite_run(db, st, err);
}

bool
sqlite_replace_entry(struct store_db *db, struct store_place at, struct str id,
	struct str value, struct err *err)
{
	struct sqlite_known *k;
	int64_t pos;
	bool found;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL)
		return true;
	if (!sqlite_entry_pos(db, &k->log, id, &found, &pos, err))
		return false;
	return !found || pos == INT64_MIN || /* in a damaged file */
		value_change(db, k, pos, value, err);
}

/* All before a number are to go, whether or not there is an entry of it. */
static bool
end_find(struct store_db *db, const struct sqlite_log *log, struct str id,
	int64_t *out, struct err *err)
{
	long long number;
	bool found;

	*out = log->lo;
	if (log->kind != SQLITE_NUMBERS)
		return sqlite_entry_pos(db, log, id, &found, out, err);
	if (str_to_int(id, 0, log->hi - log->lo, &number))
		*out += number;
	return true;
}

bool
sqlite_trim_to(struct store_db *db, struct store_place at, struct str id,
	struct err *err)
{
	struct sqlite_known *k;
	int64_t end;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL)
		return true;
	return last_find(db, k, err) && end_find(db, &k->log, id, &end, err) &&
		(end == k->log.lo || span_delete(db, k, k->log.lo, end, err));
}

static sqlite3_stmt *
age_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t wall_us, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, which, log->lo, log->hi, err);

	if (st != NULL) {
		if (log->kind == SQLITE_IDS)
			sqlite3_bind_int64(st, 3, log->place);
		sqlite3_bind_int64(st, 4, wall_us);
	}
	return st;
}

/* Of those whose times come as they like. */
static bool
older_delete(struct store_db *db, struct sqlite_known *k, int64_t wall_us,
	struct err *err)
{
	bool scan = k->log.kind == SQLITE_NUMBERS;
	sqlite3_stmt *st;

	st = age_stmt(db, scan ? SQL_AGE_SUM_SCAN : SQL_AGE_SUM, &k->log,
		wall_us, err);
	if (st == NULL || !counts_lower(db, k, st, err))
		return false;
	k->last = -1;
	st = age_stmt(db, scan ? SQL_AGE_DEL_SCAN : SQL_AGE_DEL, &k->log,
		wall_us, err);
	return st != NULL && sqlite_run(db, st, err);
}

bool
sqlite_trim_age(struct store_db *db, struct store_place at, int64_t wall_us,
	struct err *err)
{
	struct sqlite_known *k;
	int64_t end;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL)
		return true;
	if (k->log.kind != SQLITE_PLACED)
		return older_delete(db, k, wall_us, err);
	return last_find(db, k, err) &&
		sqlite_time_find(db, &k->log, wall_us, &end, err) &&
		(end == k->log.lo || span_delete(db, k, k->log.lo, end, err));
}

/* The last of the first n entries. */
static bool
nth_find(struct store_db *db, const struct sqlite_log *log, int64_t n,
	int64_t *out, struct err *err)
{
	sqlite3_stmt *st =
		sqlite_span_stmt(db, SQL_ENTRY_NTH, log->lo, log->hi, err);
	bool found;

	*out = log->hi;
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, n - 1);
	return sqlite_number(db, st, &found, out, err);
}

bool
sqlite_trim_count(struct store_db *db, struct store_place at, uint64_t keep,
	struct err *err)
{
	struct sqlite_known *k;
	int64_t n, end;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL)
		return true;
	if (!sqlite_log_count(db, &k->log, &n, err))
		return false;
	if ((uint64_t)n <= keep)
		return true;
	return last_find(db, k, err) &&
		nth_find(db, &k->log, n - (int64_t)keep, &end, err) &&
		span_delete(db, k, k->log.lo, end, err);
}

/* Its oldest entries, which are too much. */
struct excess {
	int64_t end;
	int64_t n;
	int64_t bytes;
};

/* How much larger the log is. */
static int64_t
log_excess(const struct sqlite_log *log, uint64_t max_bytes)
{
	uint64_t bytes = (uint64_t)MAX(log->bytes, 0) +
		(uint64_t)MAX(log->n, 0) * STORE_ENTRY_BYTES;

	return bytes > max_bytes ? (int64_t)(bytes - max_bytes) : 0;
}

/* Entries up to hi, but for those that spared names. */
static sqlite3_stmt *
but_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t hi,
	const struct sqlite_log *spared, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, which, log->lo, hi, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 3, spared->lo);
		sqlite3_bind_int64(st, 4, spared->hi);
	}
	return st;
}

/* The first entries of st that together have so many bytes: which is the last of
 * them, how many they are, and how large their values. */
static bool
excess_find(struct store_db *db, sqlite3_stmt *st, int64_t excess,
	struct excess *out, struct err *err)
{
	bool row = true;

	if (st == NULL)
		return false;
	while (excess > 0 && row) {
		if (!sqlite_step(db, st, &row, err))
			return false;
		if (!row)
			return true;
		out->end = sqlite3_column_int64(st, 0);
		out->n++;
		out->bytes += sqlite3_column_int64(st, 1);
		excess -= sqlite3_column_int64(st, 1) + STORE_ENTRY_BYTES;
	}
	sqlite3_reset(st);
	return true;
}

/* The newest stays, and need not be looked for. */
static bool
excess_delete(struct store_db *db, struct sqlite_known *k, int64_t excess,
	struct err *err)
{
	struct excess e = { .end = k->log.lo };

	return excess_find(db,
		       sqlite_span_stmt(db, SQL_SPAN_SIZES, k->log.lo,
			       k->last - 1, err),
		       excess, &e, err) &&
		(e.n == 0 || span_delete(db, k, k->log.lo, e.end, err));
}

static bool
excess_delete_but(struct store_db *db, struct sqlite_known *k, int64_t excess,
	const struct sqlite_log *spared, struct err *err)
{
	struct excess e = { .end = k->log.lo };
	sqlite3_stmt *st = but_stmt(db, SQL_SPAN_SIZES_BUT, &k->log, k->last - 1,
		spared, err);

	if (!excess_find(db, st, excess, &e, err))
		return false;
	if (e.n == 0)
		return true;
	st = but_stmt(db, SQL_SPAN_DEL_BUT, &k->log, e.end, spared, err);
	if (st == NULL || !sqlite_run(db, st, err))
		return false;
	k->log.n -= e.n;
	k->log.bytes -= e.bytes;
	sqlite_known_changed(db, k);
	return true;
}

bool
sqlite_trim_bytes(struct store_db *db, struct store_place at,
	uint64_t max_bytes, struct str spared, struct err *err)
{
	struct store_place other = { at.host, at.owner, spared };
	struct sqlite_known *k, *but = NULL;
	int64_t excess;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	excess = k != NULL ? log_excess(&k->log, max_bytes) : 0;
	if (excess == 0)
		return true;
	if (!last_find(db, k, err) ||
		(spared.n != 0 &&
			!sqlite_known_get(db, other, false, &but, err)))
		return false;
	return but != NULL && but->log.n != 0 ?
		excess_delete_but(db, k, excess, &but->log, err) :
		excess_delete(db, k, excess, err);
}

/* --- whole logs --------------------------------------------------------- */

static bool
log_delete(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	sqlite3_stmt *st =
		sqlite_span_stmt(db, SQL_SPAN_DEL, log->lo, log->hi, err);

	if (st == NULL || !sqlite_run(db, st, err))
		return false;
	st = sqlite_stmt(db, SQL_LOG_DEL, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, log->place);
	return sqlite_run(db, st, err);
}

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
	return log.place == -1 || log_delete(db, &log, err);
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
		int64_t place = -1;
		bool found;

		if (st == NULL)
			return false;
		sqlite_bind_place(st, at);
		if (!sqlite_number(db, st, &found, &place, err))
			return false;
		if (!found)
			return true;
		if (!sqlite_log_at(db, place, &log, err) ||
			!log_delete(db, &log, err))
			return false;
	}
}
