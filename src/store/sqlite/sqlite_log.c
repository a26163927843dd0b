/*
 * sqlite_log.c - logs in SQLite: entries come, and change.
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

bool
sqlite_last_find(struct store_db *db, struct sqlite_known *k, struct err *err)
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
	const struct store_op *op, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_ENTRY_ADD, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, pos);
	sqlite3_bind_int64(st, 2, k->log.place);
	if (op->key.p != NULL)
		sqlite_bind_str(st, op->number != 0 ? 7 : 3, op->key);
	sqlite3_bind_int64(st, 4, op->wall_us);
	sqlite_bind_str(st, 5, op->with);
	sqlite_bind_str(st, 6, op->value);
	if (op->words.n != 0)
		sqlite_bind_str(st, 8, op->words);
	return sqlite_run(db, st, err);
}

bool
sqlite_append(struct store_db *db, const struct store_op *op, struct err *err)
{
	struct sqlite_known *k;
	int64_t pos;

	if (!sqlite_known_get(db, op->at, true, &k, err) ||
		!kind_check(k, op->key, op->number, err) ||
		!sqlite_last_find(db, k, err))
		return false;
	if (k->log.n == 0)
		k->log.digested = 0; /* and nothing is in the index */
	pos = op->number != 0 ? k->log.lo + (int64_t)op->number : k->last + 1;
	if (!entry_add(db, k, pos, op, err))
		return false;
	k->last = MAX(k->last, pos);
	k->settled = MIN(k->settled, pos - 1);
	k->log.n++;
	k->log.bytes += (int64_t)op->value.n;
	sqlite_known_changed(db, k);
	return k->log.kind != SQLITE_PLACED ||
		sqlite_digest_added(db, k, pos, op->with, op->words, err);
}

/* --- changing ----------------------------------------------------------- */

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
	k->settled = MIN(k->settled, pos - 1);
	sqlite_known_changed(db, k);
	/* what it was found by has gone with it */
	if (k->log.kind == SQLITE_PLACED &&
		!sqlite_words_set(db, k, pos, STR_NONE, err))
		return false;
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
	return !found || !sqlite_log_has(&k->log, pos) ||
		value_change(db, k, pos, value, err);
}
