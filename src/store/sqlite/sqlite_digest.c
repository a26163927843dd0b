/*
 * sqlite_digest.c - the entries of logs get into the indexes that follow behind.
 *
 * On the writer's thread.  A log is due when so many have come since it was digested;
 * its run is done with one of the next commits, or when the writer has nothing else to
 * do.  What is due is known in memory alone: a log that a crash leaves so is due again
 * with the next that comes.  Those that came before there were such indexes are walked
 * through once ("task").  When nothing is due, what was cleared goes (sqlite_clear.c).
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

/* Who asks looks at as many one by one, and somewhat more. */
#define RUN 256
/* More are due again with the next that comes. */
#define DUE_MAX 65536
/* Logs that are looked at cost as much as entries that are digested. */
#define WALK_COST 4

struct sqlite_due {
	int64_t place;
	bool done; /* by the transaction under way */
	UT_hash_handle hh;
};

static void
due_add(struct store_db *db, int64_t place)
{
	struct sqlite_due *due;

	HASH_FIND(hh, db->due, &place, sizeof(place), due);
	if (due != NULL)
		due->done = false;
	if (due != NULL || HASH_COUNT(db->due) == DUE_MAX)
		return;
	due = xcalloc(1, sizeof(*due));
	due->place = place;
	HASH_ADD(hh, db->due, place, sizeof(place), due);
}

static void
due_remove(struct store_db *db, struct sqlite_due *due)
{
	HASH_DEL(db->due, due);
	free(due);
}

void
sqlite_digest_forget(struct store_db *db)
{
	struct sqlite_due *due, *next;

	HASH_ITER (hh, db->due, due, next)
		due_remove(db, due);
}

/* A commit may still fail, and then nothing of it was done. */
void
sqlite_digest_end(struct store_db *db, bool committed)
{
	struct sqlite_due *due, *next;

	/* whether it has, the task says, and the rows of logs */
	if (!committed)
		db->has_walked = db->all_cleared = false;
	/* those that are done are in front */
	HASH_ITER (hh, db->due, due, next) {
		if (!due->done)
			break;
		if (committed)
			due_remove(db, due);
		else
			due->done = false;
	}
}

/* A number may come again below what was digested, when a log has become empty. */
bool
sqlite_digest_added(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str with, struct str words, struct err *err)
{
	int64_t behind = pos - k->log.lo - k->log.digested;

	if (behind <= 0)
		return sqlite_talk_add(db, k, pos, with, words, err);
	if (behind >= RUN)
		due_add(db, k->log.place);
	return true;
}

/* --- digesting ------------------------------------------------------------ */

/* NULL without an error: there is no such log any more, or it is another one. */
static bool
log_of_place(struct store_db *db, int64_t place, struct sqlite_known **out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_NAMES, err);
	struct store_place at;
	struct arena *a;
	bool found;

	*out = NULL;
	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, place);
	if (!sqlite_step(db, st, &found, err))
		return false;
	if (!found)
		return true;
	a = arena_new();
	at.host = arena_str(a, sqlite_text(st, 0));
	at.owner = arena_str(a, sqlite_text(st, 1));
	at.name = arena_str(a, sqlite_text(st, 2));
	sqlite3_reset(st);
	found = sqlite_known_get(db, at, false, out, err);
	arena_free(a);
	if (*out != NULL && (*out)->log.kind != SQLITE_PLACED)
		*out = NULL;
	return found;
}

static bool
entries_digest(struct store_db *db, struct sqlite_known *k, uint32_t max,
	uint32_t *n_out, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, SQL_SPAN_PEERS,
		k->log.lo + k->log.digested, k->log.hi, err);
	bool row = true;

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 3, max);
	for (*n_out = 0; sqlite_step(db, st, &row, err); ++*n_out) {
		int64_t pos;

		if (!row)
			return true;
		pos = sqlite3_column_int64(st, 0);
		if (!sqlite_talk_add(db, k, pos, sqlite_text(st, 1),
			    sqlite_text(st, 2), err)) {
			sqlite3_reset(st);
			return false;
		}
		k->log.digested = pos - k->log.lo;
		sqlite_known_changed(db, k);
	}
	return false;
}

/* *left_io: how many more it may be; at 0 there may be more of this one. */
static bool
place_digest(struct store_db *db, int64_t place, uint32_t *left_io,
	struct err *err)
{
	struct sqlite_known *k;
	uint32_t n;

	if (!log_of_place(db, place, &k, err))
		return false;
	if (k == NULL)
		return true;
	if (!entries_digest(db, k, *left_io, &n, err))
		return false;
	*left_io -= n;
	return true;
}

/* In order, so that those that are done are in front; *more_out: others are left. */
static bool
due_digest(struct store_db *db, uint32_t *left_io, bool *more_out,
	struct err *err)
{
	struct sqlite_due *due, *next;

	*more_out = false;
	HASH_ITER (hh, db->due, due, next) {
		if (due->done)
			continue;
		if (!place_digest(db, due->place, left_io, err))
			return false;
		*more_out = *left_io == 0;
		if (*more_out)
			break;
		due->done = true;
	}
	return true;
}

/* --- those that came before ------------------------------------------------- */

static bool
task_set(struct store_db *db, int64_t at, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(
		db, at == INT64_MAX ? SQL_TASK_DEL : SQL_TASK_SET, err);

	if (st == NULL)
		return false;
	if (at != INT64_MAX)
		sqlite3_bind_int64(st, 1, at);
	return sqlite_run(db, st, err);
}

/* The next log behind *at_io, INT64_MAX: none; of those that are digested. */
static bool
walk_next(struct store_db *db, int64_t *at_io, bool *placed_out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_AFTER, err);
	bool found;

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, *at_io);
	if (!sqlite_step(db, st, &found, err))
		return false;
	*at_io = INT64_MAX;
	*placed_out = false;
	if (found) {
		*at_io = sqlite3_column_int64(st, 0);
		*placed_out = sqlite3_column_int64(st, 1) == SQLITE_PLACED;
		sqlite3_reset(st);
	}
	return true;
}

static bool
walk(struct store_db *db, uint32_t left, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_TASK_GET, err);
	int64_t at = 0, next;
	bool found, placed;

	if (st == NULL || !sqlite_number(db, st, &found, &at, err))
		return false;
	while (found && left > 0 && at != INT64_MAX) {
		next = at;
		if (!walk_next(db, &next, &placed, err) ||
			(placed && !place_digest(db, next, &left, err)))
			return false;
		if (left > 0)
			at = next;
		left -= MIN(left, WALK_COST);
	}
	db->has_walked = !found || at == INT64_MAX;
	return !found || task_set(db, at, err);
}

bool
sqlite_tend(struct store_db *db, uint32_t max, bool *more_out, struct err *err)
{
	uint32_t left = max;
	bool more;

	if (!due_digest(db, &left, &more, err))
		return false;
	if (left > 0 && !db->has_walked && !walk(db, left, err))
		return false;
	if (left > 0 && !sqlite_clear_slice(db, &left, err))
		return false;
	if (!sqlite_search_merge(db, err))
		return false;
	if (left == max && !sqlite_pages_give_back(db, err))
		return false;
	*more_out = more || !db->has_walked || !db->all_cleared ||
		db->gives_back;
	return true;
}
