/*
 * sqlite_sizes.c - which logs there are in SQLite, and how large they are.
 *
 * Called by the table in sqlite.c, on the thread of the handle.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

bool
sqlite_sizes(struct store_db *db, struct str host, struct str owner,
	store_entry_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_SIZES, err);
	struct store_place at = { host, owner, STR_NONE };
	bool row;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	while (sqlite_step(db, st, &row, err)) {
		struct store_entry e = { .wall_us = 0 };

		if (!row)
			return true;
		e.with = sqlite_text(st, 0);
		e.total = (uint64_t)sqlite3_column_int64(st, 1);
		e.bytes = (uint64_t)sqlite3_column_int64(st, 2);
		e.last = (uint64_t)sqlite3_column_int64(st, 3);
		e.wall_us = sqlite3_column_int64(st, 4);
		if (!fn(arg, &e)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}

bool
sqlite_log_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db,
		after.p != NULL ? SQL_LOG_OWNERS : SQL_LOG_OWNERS_ALL, err);
	struct store_place at = { host, after, name };
	bool row = true;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	sqlite3_bind_int64(st, 4, max);
	while (row && sqlite_step(db, st, &row, err)) {
		struct store_entry e = { .value = STR_NONE };

		if (!row)
			return true;
		e.key = sqlite_text(st, 0);
		e.total = (uint64_t)sqlite3_column_int64(st, 1);
		e.bytes = (uint64_t)sqlite3_column_int64(st, 2);
		e.wall_us = sqlite3_column_int64(st, 3);
		if (!fn(arg, &e)) {
			sqlite3_reset(st);
			return true;
		}
	}
	return false;
}
