/*
 * store_sqlite_map.c - maps in SQLite.
 *
 * Called by the table in store_sqlite.c, on the thread of the handle.
 * Invariant: "holder" has a row for exactly those maps that have a key.
 */
#include "config.h"

#include "store/sqlite_int.h"

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

/* Adding one that is there dirties no page. */
bool
sqlite_set(struct store_db *db, struct store_place at, struct str key,
	struct str value, bool must_be_new, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(
		db, must_be_new ? SQL_MAP_CREATE : SQL_MAP_SET, err);

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite_bind_str(st, 4, key);
	sqlite_bind_str(st, 5, value);
	return sqlite_run(db, st, err) &&
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

bool
sqlite_count_owners(struct store_db *db, struct str host, struct str name,
	uint64_t *out, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_HOLDER_COUNT, err);
	bool row;

	if (st == NULL)
		return false;
	sqlite_bind_str(st, 1, host);
	sqlite_bind_str(st, 3, name);
	if (!sqlite_step(db, st, &row, err))
		return false;
	if (row)
		*out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return true;
}
