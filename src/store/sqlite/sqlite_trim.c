/*
 * sqlite_trim.c - logs in SQLite: entries go.
 *
 * Called by the table in sqlite.c, on the writer's thread.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"

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

	if (k->log.digested != 0 &&
		!(all ? sqlite_talk_clear(db, &k->log, err) :
			sqlite_talk_forget(db, k, lo, hi, err)))
		return false;
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
	return sqlite_last_find(db, k, err) && end_find(db, &k->log, id, &end, err) &&
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
	return sqlite_last_find(db, k, err) &&
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
	return sqlite_last_find(db, k, err) &&
		nth_find(db, &k->log, n - (int64_t)keep, &end, err) &&
		span_delete(db, k, k->log.lo, end, err);
}

/* --- a slice of the oldest --------------------------------------------------- */

/* What of a log has to go, and what has been found of it. */
struct slice {
	struct sqlite_known *k;
	const struct store_trim *trim;
	int64_t up_to; /* all up to this one go; or the one before the first */
	int64_t end;   /* the last of those that go now */
	int64_t n, bytes;
};

/* Is what is left too large? */
static bool
is_too_large(const struct slice *s)
{
	uint64_t n = (uint64_t)MAX(s->k->log.n - s->n, 0);
	uint64_t bytes = (uint64_t)MAX(s->k->log.bytes - s->bytes, 0);

	return s->trim->max_bytes != 0 &&
		bytes + n * STORE_ENTRY_BYTES > s->trim->max_bytes;
}

/* Then no entry need be looked at. */
static bool
nothing_goes(const struct slice *s)
{
	return s->trim->before_us == 0 && s->trim->up_to.p == NULL &&
		!is_too_large(s);
}

static bool
first_goes(const struct slice *s, int64_t pos, int64_t time_us)
{
	return pos <= s->up_to ||
		(s->trim->before_us != 0 && time_us < s->trim->before_us) ||
		(pos != s->k->last && is_too_large(s));
}

static bool
slice_find(struct store_db *db, struct slice *s, bool *more_out, struct err *err)
{
	const struct sqlite_log *log = &s->k->log;
	sqlite3_stmt *st =
		sqlite_span_stmt(db, SQL_SPAN_SIZES, log->lo, log->hi, err);
	bool row = true;

	*more_out = false;
	if (st == NULL)
		return false;
	while (row) {
		int64_t pos;

		if (!sqlite_step(db, st, &row, err))
			return false;
		if (!row)
			break;
		pos = sqlite3_column_int64(st, 0);
		if (!first_goes(s, pos, sqlite3_column_int64(st, 2)))
			break;
		*more_out = s->n == STORE_TRIM_MAX || s->bytes >= STORE_TRIM_BYTES;
		if (*more_out)
			break;
		s->end = pos;
		s->n++;
		s->bytes += sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return true;
}

/* An entry that names one which goes. */
struct heir {
	int64_t pos, from;
};

struct heirs VEC(struct heir);

/* Names wait in the order of their entries, where times do not go back either.  So
 * those that go wait in front, behind what was moved before, which waits->settled
 * saves; and the first that stays ends the search. */
static bool
has_order(const struct slice *s)
{
	return s->k->log.kind == SQLITE_PLACED;
}

static int64_t
heirs_begin(const struct sqlite_known *waits, const struct slice *s)
{
	return has_order(s) && waits->settled_of == s->k->log.place ?
		MAX(waits->settled, waits->log.lo) :
		waits->log.lo;
}

/* At most max of them.  Behind *settled_out something may wait under a name that stays,
 * or is one too many.  Texts that are no ids are told by their length. */
static bool
heirs_find(struct store_db *db, const struct sqlite_known *waits,
	const struct slice *s, size_t max, struct heirs *out,
	int64_t *settled_out, struct err *err)
{
	int64_t lo = heirs_begin(waits, s);
	sqlite3_stmt *st = sqlite_span_stmt(
		db, SQL_SPAN_NAMES, lo, waits->log.hi, err);
	bool row = true, found = false, stays = false;

	*settled_out = lo;
	while (st != NULL && !stays && sqlite_step(db, st, &row, err)) {
		struct heir h = { .from = s->end };

		if (!row || out->n == max) {
			sqlite3_reset(st);
			return true;
		}
		h.pos = sqlite3_column_int64(st, 0);
		if (!sqlite_entry_pos(db, &s->k->log, sqlite_text(st, 1), &found,
			    &h.from, err))
			break;
		stays = found && h.from > s->end && has_order(s);
		if (!stays)
			*settled_out = h.pos;
		if (found && h.from > s->k->log.lo && h.from <= s->end)
			*vec_push(out) = h;
	}
	if (st != NULL)
		sqlite3_reset(st);
	return stays;
}

static bool
heir_take(struct store_db *db, struct sqlite_known *waits,
	const struct heir *h, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, SQL_ENTRY_GROW, h->from, h->pos,
		err);
	bool found;
	int64_t more = 0;

	if (st == NULL || !sqlite_number(db, st, &found, &more, err))
		return false;
	waits->log.bytes += more;
	sqlite_known_changed(db, waits);
	st = sqlite_span_stmt(db, SQL_ENTRY_TAKE, h->from, h->pos, err);
	return st != NULL && sqlite_run(db, st, err);
}

/* What waits somewhere under the name of an entry gets its value; *more_out: max of
 * these have, and others may have to. */
static bool
slice_move(struct store_db *db, const struct slice *s, struct store_place at,
	size_t max, bool *more_out, struct err *err)
{
	struct heirs heirs = { .n = 0 };
	struct sqlite_known *waits;
	int64_t settled;
	bool ok;

	*more_out = false;
	at.name = s->trim->waits;
	if (at.name.n == 0)
		return true;
	if (!sqlite_known_get(db, at, false, &waits, err))
		return false;
	if (waits == NULL || waits == s->k || waits->log.n == 0)
		return true;
	ok = heirs_find(db, waits, s, max, &heirs, &settled, err);
	for (size_t i = 0; ok && i < heirs.n; i++)
		ok = heir_take(db, waits, &heirs.p[i], err);
	*more_out = heirs.n == max;
	vec_done(&heirs);
	if (ok && has_order(s)) {
		waits->settled = settled;
		waits->settled_of = s->k->log.place;
	}
	return ok;
}

static bool
slice_delete(struct store_db *db, const struct slice *s, struct err *err)
{
	struct sqlite_known *k = s->k;
	sqlite3_stmt *st;

	if (!sqlite_talk_forget(db, k, k->log.lo, s->end, err))
		return false;
	st = sqlite_span_stmt(db, SQL_SPAN_DEL, k->log.lo, s->end, err);
	if (st == NULL || !sqlite_run(db, st, err))
		return false;
	k->log.n -= s->n;
	k->log.bytes -= s->bytes;
	if (s->end >= k->last)
		k->last = k->log.lo;
	sqlite_known_changed(db, k);
	return true;
}

/* Where all of a long log go, it is cleared, and nobody looks at any of it; but first
 * what waits is moved, some at a time. */
static bool
all_go(struct store_db *db, struct slice *s, struct store_place at,
	bool *more_out, struct err *err)
{
	s->end = s->k->log.hi;
	return slice_move(db, s, at, STORE_TRIM_MAX, more_out, err) &&
		(*more_out || sqlite_log_clear(db, at, err));
}

static bool
some_go(struct store_db *db, struct slice *s, struct store_place at,
	bool *more_out, struct err *err)
{
	bool others;

	return slice_find(db, s, more_out, err) &&
		(s->n == 0 ||
			(slice_move(db, s, at, SIZE_MAX, &others, err) &&
				slice_delete(db, s, err)));
}

bool
sqlite_trim(struct store_db *db, struct store_place at,
	const struct store_trim *trim, bool *more_out, struct err *err)
{
	struct slice s = { .trim = trim };

	*more_out = false;
	if (!sqlite_known_get(db, at, false, &s.k, err))
		return false;
	if (s.k == NULL || nothing_goes(&s))
		return true;
	s.end = s.up_to = s.k->log.lo;
	if (!sqlite_last_find(db, s.k, err) ||
		(trim->up_to.p != NULL &&
			!end_find(db, &s.k->log, trim->up_to, &s.up_to, err)))
		return false;
	if (s.up_to >= s.k->last && !sqlite_log_is_small(&s.k->log))
		return all_go(db, &s, at, more_out, err);
	return some_go(db, &s, at, more_out, err);
}
