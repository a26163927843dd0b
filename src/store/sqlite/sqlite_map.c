/*
 * sqlite_map.c - maps in SQLite.
 *
 * Called by the table in sqlite.c, on the thread of the handle.
 * Invariant: "holder" has a row for exactly those maps that have a key.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/err.h"

static bool
holder_run(struct store_db *db, enum sqlite_sql which, struct store_place at,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	return sqlite_run(db, st, err);
}

static bool
map_run(struct store_db *db, enum sqlite_sql which, struct store_place at,
	struct str key, struct str value, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, which, err);

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite_bind_str(st, 4, key);
	sqlite_bind_str(st, 5, value);
	return sqlite_run(db, st, err);
}

/* Most sets change what is there: these are one statement, and leave "holder"
 * as it is. */
bool
sqlite_set(struct store_db *db, struct store_place at, struct str key,
	struct str value, bool must_be_new, struct err *err)
{
	if (!must_be_new) {
		if (!map_run(db, SQL_MAP_CHANGE, at, key, value, err))
			return false;
		if (sqlite3_changes64(db->sql) != 0)
			return true;
	}
	return map_run(db, SQL_MAP_CREATE, at, key, value, err) &&
		holder_run(db, SQL_HOLDER_ADD, at, err);
}

bool
sqlite_del(struct store_db *db, struct store_place at, struct str key,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_MAP_DEL, err);
	bool left;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite_bind_str(st, 4, key);
	if (!sqlite_run(db, st, err))
		return false;
	if (sqlite3_changes64(db->sql) == 0)
		return true;
	st = sqlite_stmt(db, SQL_MAP_ANY, err);
	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	if (!sqlite_step(db, st, &left, err))
		return false;
	sqlite3_reset(st);
	return left || holder_run(db, SQL_HOLDER_DEL, at, err);
}

bool
sqlite_map_clear(struct store_db *db, struct store_place at, struct err *err)
{
	return holder_run(db, SQL_MAP_CLEAR, at, err) &&
		holder_run(db, SQL_HOLDER_DEL, at, err);
}

/* The names of the owner's maps are found by jumping from one to the next. */
static bool
holders_del(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_OWNER_MAPS, err);
	struct store_place at = { host, owner, STR_NONE };
	bool more;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	while (sqlite_step(db, st, &more, err)) {
		if (!more)
			return true;
		at.name = sqlite_text(st, 0);
		if (!holder_run(db, SQL_HOLDER_DEL, at, err)) {
			sqlite3_reset(st);
			return false;
		}
	}
	return false;
}

bool
sqlite_map_clear_owner(
	struct store_db *db, struct str host, struct str owner, struct err *err)
{
	struct store_place at = { host, owner, STR_NONE };

	return holders_del(db, host, owner, err) &&
		holder_run(db, SQL_MAP_CLEAR_OWNER, at, err);
}

bool
sqlite_get(struct store_db *db, struct store_place at, struct str key,
	store_entry_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_MAP_GET, err);
	struct store_entry e = { .key = key };
	bool found;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite_bind_str(st, 4, key);
	if (!sqlite_step(db, st, &found, err))
		return false;
	if (found) {
		e.value = sqlite_text(st, 0);
		fn(arg, &e);
	}
	sqlite3_reset(st);
	return true;
}

/* Hands out the rows of st: a key, and a value if there is a second column. */
static bool
rows_pass(struct store_db *db, sqlite3_stmt *st, store_entry_fn fn, void *arg,
	struct err *err)
{
	bool with_value = sqlite3_column_count(st) > 1;
	bool more;

	while (sqlite_step(db, st, &more, err)) {
		struct store_entry e = { .value = STR_NONE };

		if (!more)
			return true;
		e.key = sqlite_text(st, 0);
		if (with_value)
			e.value = sqlite_text(st, 1);
		if (!fn(arg, &e)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}

bool
sqlite_list(struct store_db *db, struct store_place at, store_entry_fn fn,
	void *arg, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_MAP_LIST, err);

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	return rows_pass(db, st, fn, arg, err);
}

/* --- part of one -------------------------------------------------------- */

static bool
map_count(struct store_db *db, struct store_place at, uint64_t *out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_MAP_COUNT, err);
	bool found;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	if (!sqlite_step(db, st, &found, err))
		return false;
	*out = found ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return true;
}

/* The row behind the last one tells that there are more. */
static bool
page_pass(struct store_db *db, sqlite3_stmt *st, uint32_t max,
	store_entry_fn fn, void *arg, bool *complete_out, struct err *err)
{
	uint32_t n = 0;
	bool more;

	while (sqlite_step(db, st, &more, err)) {
		struct store_entry e = { .with = STR_NONE };

		*complete_out = !more;
		if (!more)
			return true;
		e.key = sqlite_text(st, 0);
		e.value = sqlite_text(st, 1);
		if (n++ == max || !fn(arg, &e)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}

bool
sqlite_page(struct store_db *db, struct store_place at,
	const struct store_page *page, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err)
{
	sqlite3_stmt *st;

	if (page->count && !map_count(db, at, total_out, err))
		return false;
	st = sqlite_stmt(db,
		page->backwards ? SQL_MAP_PAGE_BACK : SQL_MAP_PAGE, err);
	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite_bind_str(st, 4, page->after.p != NULL ? page->after : STR(""));
	/* nothing in UTF-8 is behind it */
	sqlite_bind_str(st, 5,
		page->before.p != NULL ? page->before : STR("\xff"));
	sqlite3_bind_int64(st, 6, (int64_t)page->max + 1);
	sqlite3_bind_int64(st, 7, page->skip);
	return page_pass(db, st, page->max, fn, arg, complete_out, err);
}

/* --- several maps at once ----------------------------------------------- */

/* The first of the names, in byte order, that is not before from; NULL if there
 * is none. */
static const struct str *
name_at_or_after(const struct str *names, size_t n, struct str from)
{
	const struct str *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (str_cmp(names[i], from) >= 0 &&
			(best == NULL || str_cmp(names[i], *best) < 0))
			best = &names[i];
	}
	return best;
}

struct walk {
	const struct str *names;
	size_t n;
	const struct str *name; /* where we are; NULL: at the end */
	store_entry_fn fn;
	void *arg;
};

/* Is it in a map that is wanted?  Then that is where we are, else w->name is
 * where to go on. */
static bool
walk_wants(struct walk *w, struct str found)
{
	if (!str_eq(found, *w->name))
		w->name = name_at_or_after(w->names, w->n, found);
	return w->name != NULL && str_eq(found, *w->name);
}

/* Rows up to the first that is not wanted. */
static bool
walk_rows(
	struct store_db *db, sqlite3_stmt *st, struct walk *w, struct err *err)
{
	bool row;

	while (sqlite_step(db, st, &row, err)) {
		struct str found = row ? sqlite_text(st, 2) : STR("");
		struct store_entry e = { .key = STR_NONE };

		if (!row) {
			w->name = NULL;
			return true;
		}
		/* in a damaged file, where it would go on for ever */
		if (str_cmp(found, *w->name) < 0)
			return sqlite_damaged(db, err);
		if (!walk_wants(w, found))
			return true;
		e.key = sqlite_text(st, 0);
		e.value = sqlite_text(st, 1);
		e.with = *w->name;
		if (!w->fn(w->arg, &e)) {
			w->name = NULL;
			return true;
		}
	}
	return false;
}

/*
 * The maps of an owner lie one behind the other, and most of them are wanted
 * when he is loaded: one statement walks over them, and jumps where one is not.
 */
bool
sqlite_list_many(struct store_db *db, struct str host, struct str owner,
	const struct str *names, size_t n, store_entry_fn fn, void *arg,
	struct err *err)
{
	struct walk w = { names, n, name_at_or_after(names, n, STR("")), fn,
		arg };
	struct store_place at = { host, owner, STR_NONE };
	sqlite3_stmt *st;
	bool ok;

	while (w.name != NULL) {
		at.name = *w.name;
		st = sqlite_stmt(db, SQL_MAP_WALK, err);
		if (st == NULL)
			return false;
		sqlite_bind_place(st, at);
		ok = walk_rows(db, st, &w, err);
		sqlite3_reset(st);
		if (!ok)
			return false;
	}
	return true;
}

bool
sqlite_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db,
		after.p != NULL ? SQL_HOLDER_LIST : SQL_HOLDER_LIST_ALL, err);
	struct store_place at = { host, after, name };

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite3_bind_int64(st, 4, max);
	return rows_pass(db, st, fn, arg, err);
}
