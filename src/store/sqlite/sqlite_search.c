/*
 * sqlite_search.c - the words of entries, and entries that have all of some words,
 * through FTS5.
 *
 * On the thread of the handle.  The words of an entry stand in its row, and get into
 * the index "search" when it is digested (sqlite_digest.c): what is not, is looked at
 * one by one.  The index has no text of its own; who takes an entry out has to say
 * what was in it, which its row does.  A term has the place of the log in front, so
 * that a word costs nobody else anything: "1z_hello"; and one says with whom it is:
 * "1z__5".  What is asked for is made of words that hold nothing but letters and
 * digits (store_words_check()), each as a string of its own, so no syntax passes.
 *
 * Why FTS5 is fed behind, and not with each message: there it was 22 us of CPU time
 * and a third more that is written, in runs of 256 of one log 3 to 6 us and a
 * thirtieth.
 */
#include "config.h"

#include "store/sqlite/sqlite_int.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* How many pages, of 1,000 bytes (step 6 of the schema), are merged, and one more for
 * each entry that came or went: a page is written again for each fourfold of all that
 * there is.  Less, and FTS5 does much at once when there are sixteen parts of a size;
 * more, and the log of the database is full, and has to be written into it, all the
 * time. */
#define MERGE_MIN 32
#define MERGE_MAX 4096

static void
base36_add(struct buf *out, int64_t n)
{
	char text[16];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[n % 36];
		n /= 36;
	} while (n > 0);
	buf_add(out, text + at, sizeof(text) - at);
}

/* Terms of the index; quoted, as something to ask for. */
static void
terms_add(struct buf *out, int64_t place, int64_t peer, struct str words,
	const char *quote)
{
	struct buf front = BUF_INIT;
	struct str word;

	base36_add(&front, place);
	buf_add_c(&front, "_");
	if (peer != 0) {
		buf_add_c(out, quote);
		buf_add_str(out, buf_str(&front));
		buf_add_c(out, "_");
		base36_add(out, peer);
		buf_add_c(out, quote);
	}
	while (words.n != 0) {
		str_cut(words, ' ', &word, &words);
		buf_add_c(out, " ");
		buf_add_c(out, quote);
		buf_add_str(out, buf_str(&front));
		buf_add_str(out, word);
		buf_add_c(out, quote);
	}
	buf_done(&front);
}

/* --- in and out ----------------------------------------------------------------- */

static bool
terms_change(struct store_db *db, enum sqlite_sql which, int64_t place,
	int64_t pos, int64_t peer, struct str words, struct err *err)
{
	struct buf text = BUF_INIT;
	sqlite3_stmt *st;
	bool ok;

	if (words.n == 0)
		return true;
	st = sqlite_stmt(db, which, err);
	if (st == NULL)
		return false;
	terms_add(&text, place, peer, words, "");
	sqlite3_bind_int64(st, 1, pos);
	sqlite_bind_str(st, 2, buf_str(&text));
	ok = sqlite_run(db, st, err);
	buf_done(&text);
	db->n_unmerged++;
	return ok;
}

bool
sqlite_search_add(struct store_db *db, int64_t place, int64_t pos, int64_t peer,
	struct str words, struct err *err)
{
	return terms_change(db, SQL_SEARCH_ADD, place, pos, peer, words, err);
}

static bool
search_del(struct store_db *db, int64_t place, int64_t pos, int64_t peer,
	struct str words, struct err *err)
{
	return terms_change(db, SQL_SEARCH_DEL, place, pos, peer, words, err);
}

bool
sqlite_search_merge(struct store_db *db, struct err *err)
{
	uint32_t n = db->n_unmerged;
	sqlite3_stmt *st;

	if (n == 0)
		return true;
	db->n_unmerged = 0;
	st = sqlite_stmt(db, SQL_SEARCH_MERGE, err);
	if (st == NULL)
		return false;
	sqlite3_bind_int64(
		st, 1, MIN(MERGE_MIN + n, MERGE_MAX));
	return sqlite_run(db, st, err);
}

/* What is digested gets out of the index as it was, or in as it is now. */
static bool
entry_reindex(struct store_db *db, const struct sqlite_log *log, int64_t pos,
	bool in, struct err *err)
{
	sqlite3_stmt *st;
	int64_t peer;
	bool row, ok;

	if (pos - log->lo > log->digested)
		return true;
	st = sqlite_span_stmt(db, SQL_ENTRY_WORDS, pos, 0, err);
	if (st == NULL || !sqlite_step(db, st, &row, err))
		return false;
	if (!row)
		return true;
	ok = sqlite_peer_find(db, log, sqlite_text(st, 0), &peer, err) &&
		(in ? sqlite_search_add : search_del)(db, log->place,
			pos, peer, sqlite_text(st, 1), err);
	sqlite3_reset(st);
	return ok;
}

bool
sqlite_words_set(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str words, struct err *err)
{
	sqlite3_stmt *st;

	if (!entry_reindex(db, &k->log, pos, false, err))
		return false;
	st = sqlite_span_stmt(db, SQL_ENTRY_INDEX, pos, 0, err);
	if (st == NULL)
		return false;
	if (words.n != 0)
		sqlite_bind_str(st, 2, words);
	else
		sqlite3_bind_null(st, 2);
	return sqlite_run(db, st, err) &&
		entry_reindex(db, &k->log, pos, true, err);
}

bool
sqlite_index(struct store_db *db, struct store_place at, struct str id,
	struct str words, struct err *err)
{
	struct sqlite_known *k;
	int64_t pos;
	bool found;

	if (!sqlite_known_get(db, at, false, &k, err))
		return false;
	if (k == NULL || k->log.kind != SQLITE_PLACED)
		return true;
	if (!sqlite_entry_pos(db, &k->log, id, &found, &pos, err))
		return false;
	/* those that came before the log had numbers are not searched */
	return !found || !sqlite_log_has(&k->log, pos) ||
		(uint64_t)(pos - k->log.lo) != store_id_number(id) ||
		sqlite_words_set(db, k, pos, words, err);
}

/* Of entries in (lo, hi], which are digested. */
bool
sqlite_search_forget(struct store_db *db, const struct sqlite_log *log,
	int64_t lo, int64_t hi, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, SQL_SPAN_WORDS, lo,
		MIN(hi, log->lo + log->digested), err);
	int64_t peer;
	bool row = true;

	while (st != NULL && sqlite_step(db, st, &row, err)) {
		if (!row)
			return true;
		if (!sqlite_peer_find(db, log, sqlite_text(st, 1), &peer, err) ||
			!search_del(db, log->place,
				sqlite3_column_int64(st, 0), peer,
				sqlite_text(st, 2), err)) {
			sqlite3_reset(st);
			return false;
		}
	}
	return false;
}

/* --- asking --------------------------------------------------------------------- */

/* has_words(of an entry, wanted) */
static void
has_words(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	struct str has, wanted;

	(void)n;
	has.p = (const char *)sqlite3_value_text(values[0]);
	has.n = (size_t)sqlite3_value_bytes(values[0]);
	wanted.p = (const char *)sqlite3_value_text(values[1]);
	wanted.n = (size_t)sqlite3_value_bytes(values[1]);
	sqlite3_result_int(ctx,
		has.p != NULL && wanted.p != NULL &&
			store_has_words(has, wanted));
}

/* The library may be another one than that which configure has seen. */
bool
sqlite_search_check(sqlite3 *sql, struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool has = sqlite3_prepare_v2(sql, "SELECT fts5_source_id()", -1, &st,
			   NULL) == SQLITE_OK;

	sqlite3_finalize(st);
	return has ||
		err_set(err, ERR_REFUSED,
			"the library SQLite %s that is installed here has no "
			"FTS5; install one that was built with it, as "
			"libsqlite3-0 of Debian is",
			sqlite3_libversion());
}

bool
sqlite_search_open(struct store_db *db, struct err *err)
{
	if (!sqlite_search_check(db->sql, err))
		return false;
	if (sqlite3_create_function(db->sql, "has_words", 2,
		    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		    NULL, has_words, NULL, NULL) == SQLITE_OK)
		return true;
	return sqlite_fail(db->sql, db->path, err);
}

/* text: owned by the caller, until st has been run. */
sqlite3_stmt *
sqlite_search_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t peer, struct str words,
	struct buf *text, struct err *err)
{
	sqlite3_stmt *st = sqlite_span_stmt(db, which, log->lo, log->hi, err);

	if (st == NULL)
		return NULL;
	terms_add(text, log->place, peer, words, "\"");
	sqlite_bind_str(st, 4, buf_str(text));
	return st;
}
