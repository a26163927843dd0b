/*
 * sqlite_pages.c - what has been deleted makes the file smaller.
 *
 * On the writer's thread, when there is nothing to digest (sqlite_digest.c).  Free
 * pages are used again; so as many stay as may be needed soon, and what is more is
 * given back in slices: the last pages of the file take the place of free ones.  A
 * database that was made before there was this (auto_vacuum, which the first table
 * decides) keeps its size until it is written anew (sqlite_compact.c).
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"
#include "base/mem.h"

/* To look for it costs little, but not nothing. */
#define LOOK_EACH 64
/* Of 4 KiB, in any file; and one page of so many. */
#define FREE_MIN 1024
#define FREE_PART 8
/* It goes on until half of that is left. */
#define FREE_LESS 2

static bool
pages_count(struct store_db *db, enum sqlite_sql which, int64_t *out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);
	bool found;

	*out = 0;
	return st != NULL && sqlite_number(db, st, &found, out, err);
}

/* Whether a file can be made smaller is known when it did not work. */
static bool
pages_free(struct store_db *db, int64_t n_before, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_GIVE_BACK, err);
	int64_t n;
	bool row = true;

	if (st == NULL)
		return false;
	while (row) {
		if (!sqlite_step(db, st, &row, err))
			return false;
	}
	if (!pages_count(db, SQL_FREE_PAGES, &n, err))
		return false;
	db->gives_back = n < n_before;
	return true;
}

bool
sqlite_pages_slice(struct store_db *db, bool *more_out, struct err *err)
{
	int64_t n;

	*more_out = false;
	if (!pages_count(db, SQL_FREE_PAGES, &n, err))
		return false;
	if (n == 0)
		return true;
	if (!pages_free(db, n, err) || !pages_count(db, SQL_FREE_PAGES, &n, err))
		return false;
	*more_out = db->gives_back && n != 0;
	db->gives_back = false;
	return true;
}

bool
sqlite_pages_give_back(struct store_db *db, struct err *err)
{
	int64_t n_free, n, most;

	if (!db->gives_back && db->n_tended++ % LOOK_EACH != 0)
		return true;
	if (!pages_count(db, SQL_FREE_PAGES, &n_free, err) ||
		!pages_count(db, SQL_PAGES, &n, err))
		return false;
	most = MAX(n / FREE_PART, FREE_MIN);
	if (db->gives_back)
		most /= FREE_LESS;
	db->gives_back = n_free > most;
	return !db->gives_back || pages_free(db, n_free, err);
}
