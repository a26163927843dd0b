/*
 * sqlite_range.c - questions about logs in SQLite.
 *
 * Called by the table in sqlite.c, on the thread of the handle, and by
 * sqlite_log.c.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"

sqlite3_stmt *
sqlite_span_stmt(struct store_db *db, enum sqlite_sql which, int64_t lo,
	int64_t hi, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 1, lo);
		sqlite3_bind_int64(st, 2, hi);
	}
	return st;
}

bool
sqlite_number(struct store_db *db, sqlite3_stmt *st, bool *found_out,
	int64_t *out, struct err *err)
{
	if (!sqlite_step(db, st, found_out, err))
		return false;
	if (*found_out) {
		*out = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return true;
}

/* --- entries ------------------------------------------------------------ */

static sqlite3_stmt *
id_stmt(struct store_db *db, const struct sqlite_log *log, struct str id,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_ENTRY_POS, err);

	if (st != NULL) {
		sqlite3_bind_int64(st, 1, log->place);
		sqlite_bind_str(st, 2, id);
	}
	return st;
}

static sqlite3_stmt *
number_stmt(struct store_db *db, const struct sqlite_log *log, long long number,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_ENTRY_AT, err);

	if (st != NULL)
		sqlite3_bind_int64(st, 1, log->lo + number);
	return st;
}

/* Where its number says, if that one is called so. */
static bool
placed_find(struct store_db *db, const struct sqlite_log *log, struct str id,
	bool *found_out, int64_t *out, struct err *err)
{
	uint64_t number = store_id_number(id);
	sqlite3_stmt *st;

	if (number == 0)
		return true;
	st = sqlite_stmt(db, SQL_ENTRY_NAMED, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, log->lo + (int64_t)number);
	sqlite_bind_str(st, 2, id);
	return sqlite_number(db, st, found_out, out, err);
}

bool
sqlite_entry_pos(struct store_db *db, const struct sqlite_log *log,
	struct str id, bool *found_out, int64_t *out, struct err *err)
{
	long long number;
	sqlite3_stmt *st;

	*found_out = false;
	if (log->place == -1)
		return true;
	if (log->kind == SQLITE_PLACED &&
		!placed_find(db, log, id, found_out, out, err))
		return false;
	if (*found_out)
		return true;
	if (log->kind != SQLITE_NUMBERS)
		st = id_stmt(db, log, id, err);
	else if (str_to_int(id, 1, log->hi - log->lo, &number))
		st = number_stmt(db, log, number, err);
	else
		return true;
	return st != NULL && sqlite_number(db, st, found_out, out, err);
}

/* ERR_MISSING if there is none. */
static bool
bound_find(struct store_db *db, const struct sqlite_log *log, struct str id,
	int64_t *out, struct err *err)
{
	bool found;

	if (!sqlite_entry_pos(db, log, id, &found, out, err))
		return false;
	if (!found)
		return err_set(err, ERR_MISSING, "no such entry in the log");
	return true;
}

static bool
ids_narrow(struct store_db *db, struct sqlite_log *log,
	const struct sqlite_log *whole, const struct store_range *range,
	struct err *err)
{
	int64_t lo = log->lo, hi = log->hi;

	if (range->after_id.p != NULL &&
		!bound_find(db, whole, range->after_id, &lo, err))
		return false;
	if (range->before_id.p != NULL) {
		if (!bound_find(db, whole, range->before_id, &hi, err))
			return false;
		hi -= hi != INT64_MIN; /* in a damaged file */
	}
	log->lo = MAX(log->lo, lo);
	log->hi = MIN(log->hi, hi);
	return true;
}

bool
sqlite_time_find(struct store_db *db, const struct sqlite_log *log,
	int64_t time_us, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(
		db, SQL_LOG_LAST, log->lo, log->hi, err);
	int64_t lo = log->lo, hi = lo, mid, pos;
	bool found;

	if (st == NULL || !sqlite_number(db, st, &found, &hi, err))
		return false;
	/* up to lo all are before time_us, behind hi none is */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		st = sqlite_span_stmt(db, SQL_ENTRY_NEXT, mid, hi, err);
		if (st == NULL || !sqlite_step(db, st, &found, err))
			return false;
		pos = found ? sqlite3_column_int64(st, 0) : mid;
		if (found && sqlite3_column_int64(st, 1) < time_us)
			lo = pos;
		else
			hi = mid;
		sqlite3_reset(st);
	}
	*out = lo;
	return true;
}

static bool
times_narrow(struct store_db *db, struct sqlite_log *log,
	const struct store_range *range, struct err *err)
{
	int64_t lo = log->lo, hi = log->hi;

	if (range->since_us != 0 &&
		!sqlite_time_find(db, log, range->since_us, &lo, err))
		return false;
	if (range->until_us != 0 && range->until_us != INT64_MAX &&
		!sqlite_time_find(db, log, range->until_us + 1, &hi, err))
		return false;
	log->lo = lo;
	log->hi = hi;
	return true;
}

/* --- ranges ------------------------------------------------------------- */

static int
range_bits(const struct store_range *range)
{
	return (range->with.p != NULL ? SQL_BIT_WITH : 0) |
		(range->since_us != 0 || range->until_us != 0 ? SQL_BIT_TIME
							      : 0);
}

static enum sqlite_sql
range_sql(const struct sqlite_log *log, const struct store_range *range)
{
	int bits = range_bits(range);

	if (range->words.p != NULL || (log->kind != SQLITE_IDS && bits != 0))
		return range->backwards ? SQL_RANGE_SCAN_DESC : SQL_RANGE_SCAN;
	return (enum sqlite_sql)(
		SQL_RANGE + bits + (range->backwards ? SQL_BIT_BACKWARDS : 0));
}

sqlite3_stmt *
sqlite_range_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, const struct store_range *range,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, which, log->lo, log->hi, err);

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 3, (int64_t)range->max + 1);
	if (which == SQL_RANGE || which == SQL_RANGE + SQL_BIT_BACKWARDS)
		return st;
	sqlite3_bind_int64(st, 4, log->place);
	sqlite_bind_str(st, 5, range->with);
	sqlite3_bind_int64(
		st, 6, range->since_us != 0 ? range->since_us : INT64_MIN);
	sqlite3_bind_int64(
		st, 7, range->until_us != 0 ? range->until_us : INT64_MAX);
	sqlite3_bind_int64(st, 8, range->with.p == NULL);
	if (range->words.p != NULL)
		sqlite_bind_str(st, 9, range->words);
	return st;
}

static bool
range_total(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = sqlite_range_stmt(db,
		log->kind != SQLITE_IDS || range->words.p != NULL
			? SQL_TOTAL_SCAN
			: (enum sqlite_sql)(SQL_TOTAL + range_bits(range)),
		log, range, err);
	bool found;

	*out = 0;
	return st != NULL && sqlite_number(db, st, &found, out, err);
}

static bool
has_index(const struct sqlite_log *log, const struct store_range *range)
{
	return log->kind == SQLITE_PLACED && log->digested != 0 &&
		(range->with.n != 0 ||
			(range->words.p != NULL && range->with.p == NULL));
}

/* What is digested is counted by the index, and the rest is looked at. */
static bool
log_total(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, int64_t *out, struct err *err)
{
	struct sqlite_log tail = *log;
	int64_t n = 0;

	if (has_index(log, range) &&
		!sqlite_talk_total(db, log, range, &n, &tail, err))
		return false;
	if (!range_total(db, &tail, range, out, err))
		return false;
	*out += n;
	return true;
}

bool
sqlite_log_count(struct store_db *db, const struct sqlite_log *log,
	int64_t *out, struct err *err)
{
	static const struct store_range all = { .max = 0 };

	return range_total(db, log, &all, out, err);
}

/* printf takes longer than all the rest that is done for a row. */
static struct str
number_text(int64_t number, char out[24])
{
	char *at = out + 24;

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return (struct str){ at, (size_t)(out + 24 - at) };
}

static bool
entry_pass(sqlite3_stmt *st, const struct sqlite_log *whole, store_entry_fn fn,
	void *arg)
{
	struct store_entry e = {
		.wall_us = sqlite3_column_int64(st, 1),
		.with = sqlite_text(st, 2),
		.value = sqlite_text(st, 3),
	};
	char number[24];

	if (sqlite3_column_type(st, 0) != SQLITE_NULL)
		e.key = sqlite_text(st, 0);
	else
		e.key = number_text(
			sqlite3_column_int64(st, 4) - whole->lo, number);
	return fn(arg, &e);
}

/* The row behind the last that was asked for tells that there are more. */
bool
sqlite_range_pass(struct store_db *db, sqlite3_stmt *st,
	const struct sqlite_log *whole, uint32_t max, store_entry_fn fn,
	void *arg, bool *complete_out, struct err *err)
{
	uint32_t n = 0;
	bool row;

	while (sqlite_step(db, st, &row, err)) {
		*complete_out = !row;
		if (!row)
			return true;
		if (n++ == max || !entry_pass(st, whole, fn, arg)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}

/* --- in the order of times ------------------------------------------------ */

/* What is left of a range. */
struct rest {
	int64_t since_us, until_us; /* whatever they are */
	uint32_t max;
	store_entry_fn fn;
	void *arg;
};

static bool
rest_pass(void *arg, const struct store_entry *e)
{
	struct rest *rest = arg;

	rest->max--;
	return rest->fn(rest->arg, e);
}

/* There are none. */
static void
rest_end(struct rest *rest)
{
	rest->since_us = INT64_MAX;
	rest->until_us = INT64_MIN;
}

/* pos: behind which entry, of those of a moment. */
static bool
rest_ask(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t pos, struct rest *rest,
	bool *complete_out, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st == NULL)
		return false;
	if (which == SQL_RANGE_MOMENT)
		sqlite3_bind_int64(st, 1, pos);
	sqlite3_bind_int64(st, 3, (int64_t)rest->max + 1);
	sqlite3_bind_int64(st, 4, log->place);
	sqlite3_bind_int64(st, 6, rest->since_us);
	if (which == SQL_RANGE_BY_TIME)
		sqlite3_bind_int64(st, 7, rest->until_us);
	return sqlite_range_pass(
		db, st, log, rest->max, rest_pass, rest, complete_out, err);
}

static bool
time_of(struct store_db *db, int64_t pos, bool *found_out, int64_t *out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_ENTRY_TIME, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, pos);
	return sqlite_number(db, st, found_out, out, err);
}

/* Those of the moment of the entry id, behind it; what is left is later. */
static bool
moment_pass(struct store_db *db, const struct sqlite_log *log, struct str id,
	struct rest *rest, bool *complete_out, struct err *err)
{
	int64_t pos, time_us;
	bool found;

	if (!bound_find(db, log, id, &pos, err) ||
		!time_of(db, pos, &found, &time_us, err))
		return false;
	if (!found || time_us < rest->since_us)
		return true;
	rest->since_us = time_us;
	if (time_us <= rest->until_us &&
		!rest_ask(db, SQL_RANGE_MOMENT, log, pos, rest, complete_out,
			err))
		return false;
	if (time_us < rest->until_us)
		rest->since_us++;
	else
		rest_end(rest);
	return true;
}

static bool
by_time_pass(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err)
{
	struct rest rest = {
		.since_us = range->since_us != 0 ? range->since_us : INT64_MIN,
		.until_us = range->until_us != 0 ? range->until_us : INT64_MAX,
		.max = range->max,
		.fn = fn,
		.arg = arg,
	};

	if (range->after_id.p != NULL &&
		!moment_pass(db, log, range->after_id, &rest, complete_out, err))
		return false;
	return !*complete_out ||
		rest_ask(db, SQL_RANGE_BY_TIME, log, 0, &rest, complete_out,
			err);
}

/* --- all of it -------------------------------------------------------------- */

bool
sqlite_range(struct store_db *db, struct store_place at,
	const struct store_range *range, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err)
{
	struct sqlite_log whole, timed, log;
	struct store_range left = *range;
	sqlite3_stmt *st;
	int64_t total = 0;

	*complete_out = true;
	if (!sqlite_log_find(db, at, &whole, err))
		return false;
	if (range->by_time && whole.kind == SQLITE_NUMBERS && whole.n != 0)
		return err_set(err, ERR_INVALID,
			"the entries of a log without ids have no order of times");
	timed = whole;
	if (whole.kind == SQLITE_PLACED) {
		if (!times_narrow(db, &timed, range, err))
			return false;
		left.since_us = left.until_us = 0;
	}
	log = timed;
	if (!ids_narrow(db, &log, &whole, range, err))
		return false;
	if (log.place == -1)
		return true;
	if (range->count && !log_total(db, &timed, &left, &total, err))
		return false;
	*total_out = (uint64_t)total;
	/* where numbers are given, times go with them */
	if (range->by_time && whole.kind == SQLITE_IDS)
		return by_time_pass(
			db, &whole, range, fn, arg, complete_out, err);
	if (has_index(&log, &left))
		return sqlite_talk_range(db, &log, &left, fn, arg,
			complete_out, err);
	st = sqlite_range_stmt(db, range_sql(&log, &left), &log, &left, err);
	return st != NULL &&
		sqlite_range_pass(
			db, st, &whole, range->max, fn, arg, complete_out, err);
}

/* *more_out: fn wants more. */
static bool
entry_find(struct store_db *db, const struct sqlite_log *log, struct str id,
	store_entry_fn fn, void *arg, bool *more_out, struct err *err)
{
	sqlite3_stmt *st;
	int64_t pos;
	bool found;

	*more_out = true;
	if (!sqlite_entry_pos(db, log, id, &found, &pos, err))
		return false;
	if (!found || pos == INT64_MIN) /* in a damaged file */
		return true;
	st = sqlite_span_stmt(db, SQL_RANGE, pos - 1, pos, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, 1);
	return sqlite_range_pass(db, st, log, 1, fn, arg, more_out, err);
}

bool
sqlite_get_entries(struct store_db *db, struct store_place at,
	const struct str *ids, size_t n, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err)
{
	struct sqlite_log log;
	bool more = true;
	size_t i;

	/* the writer asks within its transaction, too */
	if (!sqlite_known_write(db, err) || !sqlite_log_find(db, at, &log, err))
		return false;
	for (i = 0; i < n && more; i++) {
		if (!entry_find(db, &log, ids[i], fn, arg, &more, err))
			return false;
	}
	*complete_out = i == n;
	return true;
}
