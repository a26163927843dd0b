/*
 * sqlite_known.c - the rows of logs, and what the writer remembers of
 * them so that a message that is stored is one statement: where its log lies,
 * which position comes next, and how much there is.
 *
 * Called by the files of the SQLite driver; all that is remembered belongs to
 * the writer's handle.  What has changed is written to the rows before a
 * commit, once for each log, however many entries came.  Invariant: what is
 * remembered is true of the open transaction; it is forgotten whenever
 * something is taken back, and when another program has written.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define PLACE_MAX ((INT64_C(1) << (63 - SQLITE_POS_BITS)) - 1)
/* Some 200 bytes each. */
#define KNOWN_MAX 4096

bool
sqlite_log_at(struct store_db *db, int64_t place, struct sqlite_log *out,
	struct err *err)
{
	if (place < 0 || place > PLACE_MAX)
		return err_set(err, ERR_STORAGE,
			"%.120s is damaged: a log has the number %lld; restore "
			"a backup",
			db->path, (long long)place);
	*out = (struct sqlite_log){ .place = place };
	out->lo = place << SQLITE_POS_BITS;
	out->hi = out->lo + ((INT64_C(1) << SQLITE_POS_BITS) - 1);
	return true;
}

static enum sqlite_kind
kind_of(int64_t column)
{
	return column == SQLITE_NUMBERS || column == SQLITE_PLACED ?
		(enum sqlite_kind)column :
		SQLITE_IDS;
}

bool
sqlite_log_find(struct store_db *db, struct store_place at,
	struct sqlite_log *out, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_FIND, err);
	bool found, ok;

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	if (!sqlite_step(db, st, &found, err))
		return false;
	if (!found) {
		*out = (struct sqlite_log){ .place = -1 };
		return true;
	}
	ok = sqlite_log_at(db, sqlite3_column_int64(st, 0), out, err);
	out->n = sqlite3_column_int64(st, 1);
	out->bytes = sqlite3_column_int64(st, 2);
	out->kind = kind_of(sqlite3_column_int64(st, 3));
	out->digested = sqlite3_column_int64(st, 4);
	out->peers = sqlite3_column_int64(st, 5);
	/* in a file that somebody has edited */
	out->digested = MIN(MAX(out->digested, 0), out->hi - out->lo);
	out->peers = MAX(out->peers, 0);
	sqlite3_reset(st);
	return ok;
}

static bool
log_make(struct store_db *db, struct store_place at, struct sqlite_log *out,
	struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_NEW, err);

	if (st == NULL)
		return false;
	sqlite_bind_place(st, at);
	return sqlite_run(db, st, err) &&
		sqlite_log_at(db, sqlite3_last_insert_rowid(db->sql), out, err);
}

/* --- what is known ------------------------------------------------------ */

static char *
put(char *at, struct str s)
{
	if (s.n != 0)
		at = mempcpy(at, s.p, s.n);
	*at++ = '\0';
	return at;
}

bool
sqlite_known_get(struct store_db *db, struct store_place at, bool make,
	struct sqlite_known **out, struct err *err)
{
	char label[3 * (STORE_KEY_MAX + 1)];
	size_t n = (size_t)(put(put(put(label, at.host), at.owner), at.name) -
		label);
	struct sqlite_known *k;
	struct sqlite_log log;

	HASH_FIND(hh, db->known, label, n, k);
	*out = k;
	if (k != NULL)
		return true;
	if (!sqlite_log_find(db, at, &log, err))
		return false;
	if (log.place == -1 && !make)
		return true;
	if (log.place == -1 && !log_make(db, at, &log, err))
		return false;
	k = xcalloc(1, sizeof(*k) + n);
	k->log = log;
	k->last = -1;
	k->label_n = n;
	memcpy(k->label, label, n);
	HASH_ADD_KEYPTR(hh, db->known, k->label, n, k);
	*out = k;
	return true;
}

void
sqlite_known_changed(struct store_db *db, struct sqlite_known *k)
{
	/* in a file that somebody has edited the row may count too few */
	k->log.n = MAX(k->log.n, 0);
	k->log.bytes = MAX(k->log.bytes, 0);
	if (k->is_changed)
		return;
	k->is_changed = true;
	k->next_changed = db->changed;
	db->changed = k;
}

static bool
row_write(struct store_db *db, const struct sqlite_log *log, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_LOG_SET, err);

	if (st == NULL)
		return false;
	sqlite3_bind_int64(st, 1, log->place);
	sqlite3_bind_int64(st, 2, log->n);
	sqlite3_bind_int64(st, 3, log->bytes);
	sqlite3_bind_int64(st, 4, log->kind);
	sqlite3_bind_int64(st, 5, log->digested);
	sqlite3_bind_int64(st, 6, log->peers);
	return sqlite_run(db, st, err);
}

bool
sqlite_known_write(struct store_db *db, struct err *err)
{
	struct sqlite_known *k;

	while ((k = db->changed) != NULL) {
		if (!row_write(db, &k->log, err))
			return false;
		db->changed = k->next_changed;
		k->is_changed = false;
	}
	return true;
}

void
sqlite_known_forget(struct store_db *db)
{
	struct sqlite_known *k, *next;

	db->changed = NULL;
	HASH_ITER (hh, db->known, k, next) {
		HASH_DEL(db->known, k);
		free(k);
	}
}

bool
sqlite_known_check(struct store_db *db, struct err *err)
{
	sqlite3_stmt *st = sqlite_stmt(db, SQL_DATA_VERSION, err);
	int64_t version = 0;
	bool found;

	if (st == NULL || !sqlite_number(db, st, &found, &version, err))
		return false;
	if (version != db->data_version || HASH_COUNT(db->known) > KNOWN_MAX)
		sqlite_known_forget(db);
	db->data_version = version;
	return true;
}
