/*
 * sqlite_int.h - what the files of the SQLite driver share: the handle, its
 * prepared statements, and the way to run one.
 *
 * Statements are the only way in: no text of SQL is ever put together.
 */
#ifndef STORE_SQLITE_SQLITE_INT_H
#define STORE_SQLITE_SQLITE_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>
#include <uthash.h>

#include "base/str.h"
#include "store/driver.h"

struct buf;
struct err;

enum sqlite_sql {
	SQL_BEGIN_WRITE,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVEPOINT,
	SQL_RELEASE,
	SQL_REVERT,
	SQL_BACKUP,
	SQL_DATA_VERSION,
	SQL_FREE_PAGES,
	SQL_PAGES,
	SQL_GIVE_BACK,

	SQL_MAP_GET,
	SQL_MAP_LIST,
	SQL_MAP_PAGE,
	SQL_MAP_PAGE_BACK,
	SQL_MAP_COUNT,
	SQL_MAP_WALK,
	SQL_MAP_ANY,
	SQL_MAP_CHANGE,
	SQL_MAP_CREATE,
	SQL_MAP_DEL,
	SQL_MAP_CLEAR,
	SQL_MAP_CLEAR_OWNER,
	SQL_HOLDER_ADD,
	SQL_HOLDER_DEL,
	SQL_HOLDER_LIST,
	SQL_HOLDER_LIST_ALL,
	SQL_OWNER_MAPS,

	SQL_LOG_FIND,
	SQL_LOG_NEW,
	SQL_LOG_SET,
	SQL_LOG_DEL,
	SQL_LOG_MARK,
	SQL_LOG_MARKED,
	SQL_LOG_OWNED,
	SQL_LOG_SIZES,
	SQL_LOG_OWNERS,
	SQL_LOG_OWNERS_ALL,
	SQL_LOG_LAST,
	SQL_ENTRY_ADD,
	SQL_ENTRY_CHANGE,
	SQL_ENTRY_POS,
	SQL_ENTRY_AT,
	SQL_ENTRY_NAMED,
	SQL_ENTRY_TIME,
	SQL_ENTRY_NEXT,
	SQL_ENTRY_NTH,
	SQL_ENTRY_GROW,
	SQL_ENTRY_TAKE,
	SQL_SPAN_SIZES,
	SQL_SPAN_NAMES,
	SQL_SPAN_SUM,
	SQL_SPAN_DEL,
	SQL_SPAN_PEERS,
	SQL_AGE_SUM,
	SQL_AGE_DEL,
	SQL_AGE_SUM_SCAN,
	SQL_AGE_DEL_SCAN,

	/* SQL_RANGE + bits */
	SQL_RANGE,
	SQL_RANGE_END = SQL_RANGE + 7,
	SQL_RANGE_SCAN,
	SQL_RANGE_SCAN_DESC,
	SQL_RANGE_MOMENT,
	SQL_RANGE_BY_TIME,
	/* SQL_TOTAL + bits, without SQL_BIT_BACKWARDS */
	SQL_TOTAL,
	SQL_TOTAL_END = SQL_TOTAL + 3,
	SQL_TOTAL_SCAN,

	SQL_PEER_FIND,
	SQL_PEER_ADD,
	SQL_PEER_DEL,
	SQL_PEER_CLEAR,
	SQL_TALK_ADD,
	SQL_TALK_DEL,
	SQL_TALK_ANY,
	SQL_TALK_CLEAR,
	SQL_TALK_SLICE,
	SQL_PEER_SLICE,
	SQL_TALK_RANGE,
	SQL_TALK_RANGE_DESC,
	SQL_TALK_TOTAL,
	SQL_TALKS,
	SQL_TALKS_LATE,
	SQL_PEER_NTH,
	SQL_SEARCH_ADD,
	SQL_SEARCH_DEL,
	SQL_SEARCH_MERGE,
	SQL_SEARCH_RANGE,
	SQL_SEARCH_RANGE_DESC,
	SQL_SEARCH_TOTAL,
	SQL_ENTRY_WORDS,
	SQL_ENTRY_INDEX,
	SQL_SPAN_WORDS,
	SQL_LOG_NAMES,
	SQL_LOG_AFTER,
	SQL_TASK_GET,
	SQL_TASK_SET,
	SQL_TASK_DEL,
	SQL_COUNT,
};

#define SQL_BIT_WITH 1
#define SQL_BIT_TIME 2
#define SQL_BIT_BACKWARDS 4

extern const char *const sqlite_texts[SQL_COUNT];

struct sqlite_known;
struct sqlite_due;

/* pos is place << SQLITE_POS_BITS | number. */
#define SQLITE_POS_BITS 36

/* Which file it is, whatever it is called. */
struct sqlite_file {
	dev_t dev;
	ino_t ino;
};

struct store_db {
	sqlite3 *sql;
	char *path;
	bool writes;
	int lock; /* writer: its descriptor; else -1 */
	struct sqlite_file file, wal; /* writer: that are open */
	/* writer: the logs whose rows it knows, and those of them whose rows
	 * are out of date; see sqlite_known.c */
	struct sqlite_known *known, *changed;
	struct sqlite_due *due; /* writer: logs to be digested */
	bool has_walked;        /* writer: there is no task */
	bool all_cleared; /* writer: no log is marked */
	unsigned n_tended; /* writer */
	uint32_t n_unmerged; /* writer: entries in and out of "search" */
	bool gives_back;   /* writer: there are too many free pages */
	int64_t data_version;
	sqlite3_stmt *stmts[SQL_COUNT]; /* prepared when first used */
};

/* The statement, reset and without values; NULL with err. */
sqlite3_stmt *sqlite_stmt(struct store_db *db, enum sqlite_sql which,
	struct err *err);
void sqlite_bind_str(sqlite3_stmt *st, int i, struct str s);
/* host, owner, name as ?1, ?2, ?3. */
void sqlite_bind_place(sqlite3_stmt *st, struct store_place at);
/* The text is borrowed until the next step; never NULL. */
struct str sqlite_text(sqlite3_stmt *st, int column);
/* One step: *row_out tells whether there is a row.  Without a row, or with an
 * error, the statement is reset. */
bool sqlite_step(struct store_db *db, sqlite3_stmt *st, bool *row_out,
	struct err *err);
/* The one step of a statement without rows. */
bool sqlite_run(struct store_db *db, sqlite3_stmt *st, struct err *err);
/* Fills in err from what SQLite says; false. */
bool sqlite_fail(sqlite3 *sql, const char *path, struct err *err);
/* The same where it is us who have found damage. */
bool sqlite_damaged(const struct store_db *db, struct err *err);

/* ERR_REFUSED when the database is not ours, or newer than we are, or empty. */
bool sqlite_schema_check(sqlite3 *sql, const char *path, bool may_be_empty,
	struct err *err);
/* Creates what is missing and brings what is old up to date. */
bool sqlite_schema_migrate(sqlite3 *sql, const char *path, struct err *err);

/* --- sqlite_file.c ------------------------------------------------ */

/* Takes the lock, and makes the file if there is none: *made_out.  ERR_REFUSED
 * when somebody has the lock, or there was a file before.  *lock_out is the
 * caller's to close, also after false, if it was set. */
bool sqlite_file_ready(const char *path, bool may_be_new, int *lock_out,
	bool *made_out, struct err *err);
/* See struct store_driver. */
void sqlite_file_check(const void *options, const struct store_check *check);
/* Which files are open; from now on it is noticed when they go. */
bool sqlite_file_note(struct store_db *db, struct err *err);
/* Any thread: has nobody deleted or replaced what the writer has open?  ERR_DISK:
 * what is written then is lost when the server ends. */
bool sqlite_file_is_there(const struct store_db *writer, struct err *err);
/* The database is complete: from now on it is missed when it is gone. */
bool sqlite_file_mark(const char *path, int lock, struct err *err);
/* Returns false: there was a database, and it is gone or empty. */
bool sqlite_file_missed(const char *path, struct err *err);
/* For the owner alone; ERR_CONFLICT if there is one. */
bool sqlite_file_create(const char *path, struct err *err);
bool sqlite_file_sync(const char *path, struct err *err);

/* --- sqlite_map.c ------------------------------------------------- */

bool sqlite_set(struct store_db *db, struct store_place at, struct str key,
	struct str value, bool must_be_new, struct err *err);
bool sqlite_del(struct store_db *db, struct store_place at, struct str key,
	struct err *err);
bool sqlite_map_clear(struct store_db *db, struct store_place at,
	struct err *err);
bool sqlite_map_clear_owner(struct store_db *db, struct str host,
	struct str owner, struct err *err);
bool sqlite_get(struct store_db *db, struct store_place at, struct str key,
	store_entry_fn fn, void *arg, struct err *err);
bool sqlite_list(struct store_db *db, struct store_place at, store_entry_fn fn,
	void *arg, struct err *err);
bool sqlite_page(struct store_db *db, struct store_place at,
	const struct store_page *page, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err);
bool sqlite_list_many(struct store_db *db, struct str host, struct str owner,
	const struct str *names, size_t n, store_entry_fn fn, void *arg,
	struct err *err);
bool sqlite_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err);

/* --- sqlite_known.c ----------------------------------------------- */

/* How the entries of a log are found. */
enum sqlite_kind {
	SQLITE_IDS,	/* all by indexes */
	SQLITE_NUMBERS, /* they have no ids */
	/* by the numbers that their ids say, or by an index those that came
	 * before the first of these; times do not go back */
	SQLITE_PLACED,
};

/* The row of a log. */
struct sqlite_log {
	int64_t place; /* -1: there is no such log */
	int64_t lo;    /* entries lie behind it, */
	int64_t hi;    /* and up to this one */
	int64_t n;     /* entries */
	int64_t bytes; /* of their values */
	int64_t digested; /* all up to this number are in "talk" */
	int64_t peers;    /* the last no that was given */
	enum sqlite_kind kind;
};

/* Is it a position of the log?  In a damaged file an index may say another. */
static inline bool
sqlite_log_has(const struct sqlite_log *log, int64_t pos)
{
	return pos > log->lo && pos <= log->hi;
}

/* Any handle: reads the row. */
bool sqlite_log_find(struct store_db *db, struct store_place at,
	struct sqlite_log *out, struct err *err);
/* Sets place, lo and hi; ERR_STORAGE if there can be no such place. */
bool sqlite_log_at(struct store_db *db, int64_t place, struct sqlite_log *out,
	struct err *err);

/* What the writer knows of a log. */
struct sqlite_known {
	struct sqlite_log log;
	int64_t last; /* the position of the last entry; -1: to be looked up */
	/* Up to this position nothing waits under the name of an entry of the log
	 * with this place; 0: nobody has looked (see sqlite_trim.c). */
	int64_t settled, settled_of;
	struct sqlite_known *next_changed;
	bool is_changed;
	UT_hash_handle hh;
	size_t label_n;
	char label[]; /* host NUL owner NUL name */
};

/* The writer's handle, in a transaction.  The log, borrowed until the end of the
 * transaction or sqlite_known_forget(); *out is NULL when there is none, unless
 * it is to be made. */
bool sqlite_known_get(struct store_db *db, struct store_place at, bool make,
	struct sqlite_known **out, struct err *err);
/* Its row has to be written. */
void sqlite_known_changed(struct store_db *db, struct sqlite_known *k);
bool sqlite_known_write(struct store_db *db, struct err *err);
/* At the beginning of a transaction: has somebody else written? */
bool sqlite_known_check(struct store_db *db, struct err *err);
void sqlite_known_forget(struct store_db *db);

/* --- sqlite_talks.c ----------------------------------------------- */

bool sqlite_talks(struct store_db *db, struct store_place at, uint32_t max,
	store_entry_fn fn, void *arg, struct err *err);

/* --- sqlite_talk.c ------------------------------------------------ */

/* Writer: the entry of k (PLACED) at pos is with with, and has these words. */
bool sqlite_talk_add(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str with, struct str words, struct err *err);
/* Writer: entries of k in (lo, hi] are about to go. */
bool sqlite_talk_forget(struct store_db *db, struct sqlite_known *k, int64_t lo,
	int64_t hi, struct err *err);
/* Writer: all of the log. */
bool sqlite_talk_clear(
	struct store_db *db, const struct sqlite_log *log, struct err *err);
/* The no of the address; 0: none of what is digested is with it. */
bool sqlite_peer_find(struct store_db *db, const struct sqlite_log *log,
	struct str with, int64_t *out, struct err *err);

/* Entries of log, which may be narrowed, with range->with and range->words. */
bool sqlite_talk_range(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err);
/* How many of those that are digested; *tail_out: the others. */
bool sqlite_talk_total(struct store_db *db, const struct sqlite_log *log,
	const struct store_range *range, int64_t *out,
	struct sqlite_log *tail_out, struct err *err);

/* --- sqlite_search.c ---------------------------------------------- */

/* Has the library what a search needs?  False with err. */
bool sqlite_search_check(sqlite3 *sql, struct err *err);
bool sqlite_search_open(struct store_db *db, struct err *err);
/* Writer: an entry that is digested; peer: the no of whom it is with, or 0. */
bool sqlite_search_add(struct store_db *db, int64_t place, int64_t pos,
	int64_t peer, struct str words, struct err *err);
/* Writer: those of (lo, hi] that are digested are about to go. */
bool sqlite_search_forget(struct store_db *db, const struct sqlite_log *log,
	int64_t lo, int64_t hi, struct err *err);
/* Writer: a slice of what is to be done from time to time. */
bool sqlite_search_merge(struct store_db *db, struct err *err);
/* Writer: the entry at pos has these words from now on, or none. */
bool sqlite_words_set(struct store_db *db, struct sqlite_known *k, int64_t pos,
	struct str words, struct err *err);
bool sqlite_index(struct store_db *db, struct store_place at, struct str id,
	struct str words, struct err *err);
/* which: one of the SQL_SEARCH_RANGE, or _TOTAL.  text is the caller's, until the
 * statement has been run. */
sqlite3_stmt *sqlite_search_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, int64_t peer, struct str words,
	struct buf *text, struct err *err);

/* --- sqlite_digest.c ---------------------------------------------- */

/* Writer: an entry was added to k, a PLACED log, at pos. */
bool sqlite_digest_added(struct store_db *db, struct sqlite_known *k,
	int64_t pos, struct str with, struct str words, struct err *err);
bool sqlite_tend(struct store_db *db, uint32_t max, bool *more_out,
	struct err *err);
/* Writer: the transaction has ended, so or so. */
void sqlite_digest_end(struct store_db *db, bool committed);
void sqlite_digest_forget(struct store_db *db);

/* --- sqlite_log.c ------------------------------------------------- */

/* Sets k->last: the position of the last entry, or the one before the first. */
bool sqlite_last_find(struct store_db *db, struct sqlite_known *k,
	struct err *err);
bool sqlite_append(struct store_db *db, const struct store_op *op,
	struct err *err);
bool sqlite_replace_entry(struct store_db *db, struct store_place at,
	struct str id, struct str value, struct err *err);

/* --- sqlite_clear.c ----------------------------------------------- */

/* Does it go at once, and not in slices? */
bool sqlite_log_is_small(const struct sqlite_log *log);
/* Both forget what is known of any log. */
bool sqlite_log_clear(struct store_db *db, struct store_place at,
	struct err *err);
bool sqlite_log_clear_owner(struct store_db *db, struct str host,
	struct str owner, struct err *err);
/* Writer: some of what logs that were cleared have left, which costs as much as
 * *left_io entries that are digested, at most; sets db->all_cleared. */
bool sqlite_clear_slice(struct store_db *db, uint32_t *left_io,
	struct err *err);

/* --- sqlite_trim.c ------------------------------------------------ */

bool sqlite_del_entry(struct store_db *db, struct store_place at, struct str id,
	struct err *err);
bool sqlite_trim_to(struct store_db *db, struct store_place at, struct str id,
	struct err *err);
bool sqlite_trim_age(struct store_db *db, struct store_place at,
	int64_t wall_us, struct err *err);
bool sqlite_trim_count(struct store_db *db, struct store_place at,
	uint64_t keep, struct err *err);
bool sqlite_trim(struct store_db *db, struct store_place at,
	const struct store_trim *trim, bool *more_out, struct err *err);

/* --- sqlite_range.c ----------------------------------------------- */

/* The statement with lo and hi as ?1 and ?2. */
sqlite3_stmt *sqlite_span_stmt(struct store_db *db, enum sqlite_sql which,
	int64_t lo, int64_t hi, struct err *err);
/* One step of a statement that answers with one number, or with nothing. */
bool sqlite_number(struct store_db *db, sqlite3_stmt *st, bool *found_out,
	int64_t *out, struct err *err);
/* How many entries there are. */
bool sqlite_log_count(struct store_db *db, const struct sqlite_log *log,
	int64_t *out, struct err *err);
/* Where the entry lies, if there is one. */
bool sqlite_entry_pos(struct store_db *db, const struct sqlite_log *log,
	struct str id, bool *found_out, int64_t *out, struct err *err);
/* PLACED: the entries of log behind *out are those at or after time_us. */
bool sqlite_time_find(struct store_db *db, const struct sqlite_log *log,
	int64_t time_us, int64_t *out, struct err *err);
/* which: one of the SQL_RANGE or SQL_TOTAL. */
sqlite3_stmt *sqlite_range_stmt(struct store_db *db, enum sqlite_sql which,
	const struct sqlite_log *log, const struct store_range *range,
	struct err *err);
/* Rows of st, at most max.  log: any part of it. */
bool sqlite_range_pass(struct store_db *db, sqlite3_stmt *st,
	const struct sqlite_log *log, uint32_t max, store_entry_fn fn,
	void *arg, bool *complete_out, struct err *err);
bool sqlite_range(struct store_db *db, struct store_place at,
	const struct store_range *range, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err);
bool sqlite_get_entries(struct store_db *db, struct store_place at,
	const struct str *ids, size_t n, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err);

/* --- sqlite_pages.c ----------------------------------------------- */

/* Writer: gives back some of the free pages, if there are too many; sets
 * db->gives_back. */
bool sqlite_pages_give_back(struct store_db *db, struct err *err);
/* Writer: a slice of them, if there are any; *more_out: others are left. */
bool sqlite_pages_slice(struct store_db *db, bool *more_out, struct err *err);

/* --- sqlite_compact.c --------------------------------------------- */

/* See struct store_driver. */
bool sqlite_room(struct store_db *db, struct store_room *out, struct err *err);
bool sqlite_compact(struct store_db *db, bool (*stops)(void *arg), void *arg,
	bool *more_out, struct err *err);

/* --- sqlite_room.c ------------------------------------------------ */

/* How much room the disks have, of those that would need it. */
bool sqlite_room_disks(const char *path, struct store_room *room,
	struct err *err);
/* How much they need for what else stands in room, and what is missing. */
void sqlite_room_judge(struct store_room *room);

/* --- sqlite_sizes.c ----------------------------------------------- */

bool sqlite_sizes(struct store_db *db, struct str host, struct str owner,
	store_entry_fn fn, void *arg, struct err *err);

bool sqlite_log_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err);

#endif
