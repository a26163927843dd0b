/*
 * store_sqlite_log.c - logs in SQLite.
 *
 * Called by the table in store_sqlite.c, on the thread of the handle.  The
 * entries of a log are those with pos in (lo, hi]; what pos is made of stands
 * in store_sqlite_schema.c.
 */
#include "config.h"

#include "store/sqlite_int.h"

#include "base/err.h"

#define POS_BITS 36
#define PLACE_MAX ((INT64_C(1) << (63 - POS_BITS)) - 1)

struct span {
	int64_t place; /* -1: there is no such log */
	int64_t lo;    /* entries lie behind it, */
	int64_t hi;    /* and up to this one */
};

static bool
span_set(struct store_db *db, struct span *out, int64_t place, struct err *err)
{
	if (place < 0 || place > PLACE_MAX)
		return err_set(err, ERR_STORAGE,
			"%.120s is damaged: a log has the number %lld; restore "
			"a backup",
			db->path, (long long)place);
	out->place = place;
	out->lo = place << POS_BITS;
	out->hi = out->lo + ((INT64_C(1) << POS_BITS) - 1);
	return true;
}

static bool
span_find(struct store_db *db, struct store_place at, struct span *out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_FIND, err);
	bool found;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	if (!sqlite_step(db, st, &found, err))
		return false;
	if (!found) {
		*out = (struct span){ .place = -1 };
		return true;
	}
	found = span_set(db, out, sqlite3_column_int64(st, 0), err);
	sqlite3_reset(st);
	return found;
}

static bool
span_make(struct store_db *db, struct store_place at, struct span *out,
	struct err *err)
{
	sqlite3_stmt *st;

	if (!span_find(db, at, out, err))
		return false;
	if (out->place != -1)
		return true;
	st = sqlite_stmt(db, SQL_LOG_NEW, err);
	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	return sqlite_run(db, st, err) &&
		span_set(db, out, sqlite3_last_insert_rowid(db->sql), err);
}

/* The statement with lo and hi as ?1 and ?2. */
static sqlite3_stmt *
span_stmt(struct store_db *db, enum sqlite_sql which, const struct span *sp,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 1, sp->lo);
		sqlite3_bind_int64(st, 2, sp->hi);
	}
	return st;
}

bool
sqlite_append(struct store_db *db, struct store_place at, struct str id,
	int64_t wall_us, struct str with, struct str value, struct err *err)
{
	struct span sp;
	sqlite3_stmt *st;

	if (!span_make(db, at, &sp, err))
		return false;
	st = span_stmt(db, SQL_ENTRY_ADD, &sp, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, sp.place);
	sqlite_bind_str(st, 4, id);
	sqlite3_bind_int64(st, 5, wall_us);
	sqlite_bind_str(st, 6, with);
	sqlite_bind_str(st, 7, value);
	return sqlite_run(db, st, err);
}

bool
sqlite_del_entry(struct store_db *db, struct store_place at, struct str id,
	struct err *err)
{
	struct span sp;
	sqlite3_stmt *st;

	if (!span_find(db, at, &sp, err))
		return false;
	if (sp.place == -1)
		return true;
	st = sqlite_stmt(db, SQL_ENTRY_DEL, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, sp.place);
	sqlite_bind_str(st, 2, id);
	return sqlite_run(db, st, err);
}

bool
sqlite_trim_age(struct store_db *db, struct store_place at, int64_t wall_us,
	struct err *err)
{
	struct span sp;
	sqlite3_stmt *st;

	if (!span_find(db, at, &sp, err))
		return false;
	if (sp.place == -1)
		return true;
	st = sqlite_stmt(db, SQL_ENTRY_TRIM_AGE, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, sp.place);
	sqlite3_bind_int64(st, 2, wall_us);
	return sqlite_run(db, st, err);
}

/* Deletes from the start of the log up to sp->hi. */
static bool
span_delete(struct store_db *db, const struct span *sp, struct err *err)
{
	sqlite3_stmt *st = span_stmt(db, SQL_ENTRY_TRIM_POS, sp, err);

	return st != NULL && sqlite_run(db, st, err);
}

static bool
number_of(struct store_db *db, sqlite3_stmt *st, bool *found_out, int64_t *out,
	struct err *err)
{
	if (!sqlite_step(db, st, found_out, err))
		return false;
	if (*found_out)
		*out = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return true;
}

/* The entry that is the last of n, counted from the oldest, moves sp->hi. */
static bool
span_first_n(struct store_db *db, struct span *sp, int64_t n, struct err *err)
{
	sqlite3_stmt *st = span_stmt(db, SQL_ENTRY_NTH, sp, err);
	bool found;

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, n - 1);
	return number_of(db, st, &found, &sp->hi, err);
}

bool
sqlite_trim_count(struct store_db *db, struct store_place at, uint64_t keep,
	struct err *err)
{
	struct span sp;
	sqlite3_stmt *st;
	int64_t n = 0;
	bool found;

	if (!span_find(db, at, &sp, err))
		return false;
	if (sp.place == -1)
		return true;
	st = sqlite_stmt(db, SQL_TOTAL, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 4, sp.place);
	if (!number_of(db, st, &found, &n, err))
		return false;
	if ((uint64_t)n <= keep)
		return true;
	return span_first_n(db, &sp, n - (int64_t)keep, err) &&
		span_delete(db, &sp, err);
}

static bool
log_delete(struct store_db *db, const struct span *sp, struct err *err)
{
	sqlite3_stmt *st;

	if (!span_delete(db, sp, err))
		return false;
	st = sqlite_stmt(db, SQL_LOG_DEL, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, sp->place);
	return sqlite_run(db, st, err);
}

bool
sqlite_log_clear(struct store_db *db, struct store_place at, struct err *err)
{
	struct span sp;

	if (!span_find(db, at, &sp, err))
		return false;
	return sp.place == -1 || log_delete(db, &sp, err);
}

bool
sqlite_log_clear_owner(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	struct store_place at = { host, owner, STR_NONE };

	for (;;) {
		sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_OWNED, err);
		struct span sp;
		int64_t place = -1;
		bool found;

		if (st == NULL)
			return false;
		sqlite_bind_place(st, at);
		if (!number_of(db, st, &found, &place, err))
			return false;
		if (!found)
			return true;
		if (!span_set(db, &sp, place, err) || !log_delete(db, &sp, err))
			return false;
	}
}

/* --- ranges ------------------------------------------------------------- */

/* Where the entry lies; ERR_MISSING if there is none. */
static bool
entry_pos(struct store_db *db, const struct span *sp, struct str id,
	int64_t *out, struct err *err)
{
	bool found = false;
	sqlite3_stmt *st;

	if (sp->place != -1) {
		st = sqlite_stmt(db, SQL_ENTRY_POS, err);
		if (st == NULL)
			return false;
		sqlite3_bind_int64(st, 1, sp->place);
		sqlite_bind_str(st, 2, id);
		if (!number_of(db, st, &found, out, err))
			return false;
	}
	if (!found)
		return err_set(err, ERR_MISSING, "no such entry in the log");
	return true;
}

static bool
span_narrow(struct store_db *db, struct span *sp,
	const struct store_range *range, struct err *err)
{
	struct span whole = *sp;

	if (range->after_id.p != NULL &&
		!entry_pos(db, &whole, range->after_id, &sp->lo, err))
		return false;
	if (range->before_id.p == NULL)
		return true;
	if (!entry_pos(db, &whole, range->before_id, &sp->hi, err))
		return false;
	sp->hi -= sp->hi != INT64_MIN; /* in a damaged file */
	return true;
}

static int
range_bits(const struct store_range *range)
{
	return (range->with.p != NULL ? SQL_BIT_WITH : 0) |
		(range->since_us != 0 || range->until_us != 0 ? SQL_BIT_TIME
							      : 0);
}

static sqlite3_stmt *
range_stmt(struct store_db *db, int which, const struct span *sp,
	const struct store_range *range, struct err *err)
{
	sqlite3_stmt *st = span_stmt(db, (enum sqlite_sql)which, sp, err);

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 3, (int64_t)range->max + 1);
	sqlite3_bind_int64(st, 4, sp->place);
	sqlite_bind_str(st, 5, range->with);
	sqlite3_bind_int64(
		st, 6, range->since_us != 0 ? range->since_us : INT64_MIN);
	sqlite3_bind_int64(
		st, 7, range->until_us != 0 ? range->until_us : INT64_MAX);
	return st;
}

static bool
range_total(struct store_db *db, const struct span *sp,
	const struct store_range *range, uint64_t *out, struct err *err)
{
	sqlite3_stmt *st =
		range_stmt(db, SQL_TOTAL + range_bits(range), sp, range, err);
	int64_t n = 0;
	bool found;

	if (st == NULL || !number_of(db, st, &found, &n, err))
		return false;
	*out = (uint64_t)n;
	return true;
}

/* The row behind the last that was asked for tells that there are more. */
static bool
range_pass(struct store_db *db, sqlite3_stmt *st, uint32_t max,
	store_entry_fn fn, void *arg, bool *complete_out, struct err *err)
{
	uint32_t n = 0;
	bool row;

	while (sqlite_step(db, st, &row, err)) {
		struct store_entry e = { .wall_us = 0 };

		*complete_out = !row;
		if (!row)
			return true;
		e.key = sqlite_text(st, 0);
		e.wall_us = sqlite3_column_int64(st, 1);
		e.with = sqlite_text(st, 2);
		e.value = sqlite_text(st, 3);
		if (n++ == max || !fn(arg, &e)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}

bool
sqlite_range(struct store_db *db, struct store_place at,
	const struct store_range *range, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err)
{
	int which = SQL_RANGE + range_bits(range) +
		(range->backwards ? SQL_BIT_BACKWARDS : 0);
	struct span sp;
	sqlite3_stmt *st;

	*complete_out = true;
	if (!span_find(db, at, &sp, err) || !span_narrow(db, &sp, range, err))
		return false;
	if (sp.place == -1)
		return true;
	if (range->count && !range_total(db, &sp, range, total_out, err))
		return false;
	st = range_stmt(db, which, &sp, range, err);
	return st != NULL &&
		range_pass(db, st, range->max, fn, arg, complete_out, err);
}
