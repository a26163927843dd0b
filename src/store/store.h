/*
 * store.h - where things last: two shapes only.
 *
 *   map  (host, owner, map, key) -> value
 *   log  (host, owner, log), an ordered sequence of (id, time, with, value)
 *
 * Any thread asks; the work is done on the store's own threads, and the answer
 * comes back as a mail in the mailbox that the asker names, on whose thread the
 * callback runs, never before the call has returned.  A write is answered when
 * it is durable: whatever gathered while the last commit ran is committed as one
 * transaction.  A read sees every write to the same (host, owner) that was asked
 * for before it.
 *
 * host, owner, map, key, id are UTF-8 without NUL, at most 3071 bytes each
 * (an address), and host is not empty; values are serialised XML elements or short text, at most
 * STORE_VALUE_MAX bytes, with no NUL.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/gauge.h"
#include "base/hist.h"
#include "base/str.h"

struct clock;
struct mailbox;
struct store;

#define STORE_KEY_MAX 3071u
/* Holds the largest stanza that can be configured, 4 MiB and as much of
 * namespaces where they change, which is up to six times as long when it is
 * written; and fits into what may wait. */
#define STORE_VALUE_MAX (49u << 20)
/* What may wait: above it requests are refused with ERR_BUSY, but for
 * transactions that insist. */
#define STORE_QUEUE_MAX ((size_t)64 << 20)
/* A whole map that is larger fails with ERR_LIMIT. */
#define STORE_ANSWER_MAX ((size_t)256 << 20)
/* What an entry of a log takes beside its value, about: its row, and where its id
 * says no number, three indexes, with the address of the other side. */
#define STORE_ENTRY_BYTES 256u
/* A range ends with the entry that reaches this; complete is then false. */
#define STORE_RANGE_MAX ((size_t)32 << 20)

/* While the disk takes no writes. */
struct store_outage {
	bool now;
	struct err why;   /* which file, and what to do */
	int64_t for_us;   /* how long already, or how long it was */
	uint64_t refused; /* writes, since it began */
	bool is_wanted;   /* by store_compact() */
};

struct store_conf {
	const char *driver;  /* "sqlite", "memory" */
	const void *options; /* the struct that its own options fill; borrowed
			      * until it is open */
	unsigned readers;    /* threads; 0 with inline_work */
	bool may_be_new;     /* even where there was a database before */
	/* No threads: work is done by store_turn(), for simulations. */
	bool inline_work;
	/* It begins, or it is over.  The writer thread; may be NULL. */
	void (*on_outage)(void *arg, const struct store_outage *outage);
	void *on_outage_arg;
};

/* One map or log of one owner. */
struct store_place {
	struct str host;
	struct str owner; /* a localpart, or "" for the host itself */
	struct str name;  /* "roster", "offline", ... */
};

/* --- start-up, before threads ------------------------------------------- */

/*
 * Opens the database, creates or migrates it (forwards only; a newer one is
 * refused), and starts the threads.  One process has it at a time.  NULL with
 * err, whose text says what to do.
 */
struct store *store_open(const struct store_conf *conf, struct err *err);
/* Waits until everything asked for is done, then closes.  Answers that are
 * posted during the wait go to their mailboxes as always. */
void store_close(struct store *s);
/* Any thread: has everything that was asked for been answered (the answers may
 * still wait in their mailboxes)? */
bool store_is_idle(struct store *s);
/* Any thread: the file that it has, beside which what belongs to the server may lie;
 * NULL: it has none. */
const char *store_path(const struct store *s);
/* Any thread: is more than half of STORE_QUEUE_MAX waiting?  Then who asks for
 * more should rest, before requests are refused. */
bool store_is_behind(struct store *s);
/* inline_work: does what has been asked for; true if there was anything. */
bool store_turn(struct store *s);
/* inline_work, for simulations of a bad disk: fn is asked before each commit, or
 * each view for reading, and what it answers true to fails with ERR_STORAGE.
 * NULL: nothing fails. */
void store_fail_when(struct store *s, bool (*fn)(void *arg, bool writes),
	void *arg);
/* The same for a database that is gone for a while: fn is asked at each of these
 * moments, and what it answers true to is lost.  The memory driver only; from a
 * thread of the store, if there are any. */
enum store_moment {
	STORE_AT_BEGIN,
	STORE_AT_READ,
	STORE_AT_WRITE,
	STORE_AT_COMMIT, /* before it is done */
	STORE_AT_ANSWER, /* it is done, and nobody hears of it */
	STORE_AT_ASKED,  /* whether it is done */
};
void store_lose_when(struct store *s,
	bool (*fn)(void *arg, enum store_moment at), void *arg);
/* inline_work: do batches go to the driver as a whole, if it takes them? */
void store_set_whole(struct store *s, bool whole);
/* The same for too much that waits: fn is asked for each request, and what it
 * answers true to is refused with ERR_BUSY, unless it insists. */
void store_busy_when(struct store *s, bool (*fn)(void *arg, bool writes),
	void *arg);
/* inline_work, for simulations: the disk takes no writes from now on, or does
 * again, which each turn finds out. */
void store_set_full(struct store *s, bool full);

/* --- any thread: a disk that takes no writes ---------------------------- */

/*
 * A disk that is full, read-only or broken is a state of the store.  It begins
 * when a commit fails for such a reason.  From then on writes are refused at
 * once, with ERR_DISK, and reads go on.  Every few seconds the store tries to
 * write as much as has failed; when that is on disk, it is over.
 *
 * A database that is gone (another machine, a lock) is tried again for some
 * seconds before anything fails: what was asked for waits in its order, and is
 * answered when it is stored.  If the second try is in vain, that is the same
 * state, so that no more comes to it.
 *
 * Who asks before he changes anything in memory has nothing to take back.
 */
bool store_takes_writes(const struct store *s);
/* Counts one that was refused without asking the store. */
void store_note_refused(struct store *s);
void store_outage(struct store *s, struct store_outage *out);

/* --- any thread: writing ------------------------------------------------ */

/*
 * An id that says a number from 1 to STORE_NUMBER_MAX.  Nobody can guess it, and it
 * is never given again, if that is true of secret (of RAND_ID_SIZE at most): a
 * number may come again when a log has become empty.
 */
#define STORE_NUMBER_MAX ((UINT64_C(1) << 36) - 1)
#define STORE_ID_SIZE 40
struct str store_id_make(uint64_t number, struct str secret,
	char out[STORE_ID_SIZE]);
/* 0: it says none. */
uint64_t store_id_number(struct str id);

/* A list of operations that is applied as one: all or nothing, in order. */
struct store_tx;
struct store_tx *store_tx_new(void);
/* For one that is not committed after all. */
void store_tx_free(struct store_tx *tx);

/* What it takes in memory. */
size_t store_tx_bytes(const struct store_tx *tx);

/* All strings are copied. */
void store_tx_set(struct store_tx *tx, struct store_place at, struct str key,
	struct str value);
/* Fails the whole transaction with ERR_CONFLICT if the key exists. */
void store_tx_create(struct store_tx *tx, struct store_place at, struct str key,
	struct str value);
/* Fails the whole transaction with ERR_MISSING if the key does not exist. */
void store_tx_require(struct store_tx *tx, struct store_place at,
	struct str key);
/* The same for an entry of a log. */
void store_tx_require_entry(struct store_tx *tx, struct store_place at,
	struct str id);
/* No error if there is none. */
void store_tx_delete(struct store_tx *tx, struct store_place at,
	struct str key);
/* The whole map, or the whole log: nobody finds any of it from then on, and what is
 * written there later is another one.  A driver may delete it by and by. */
void store_tx_clear(struct store_tx *tx, struct store_place at);
/* Every map and log of (host, owner): an account is removed. */
void store_tx_clear_owner(struct store_tx *tx, struct str host,
	struct str owner);

/*
 * Behind the last entry of the log.  id must be new in this log (else
 * ERR_CONFLICT); with is the address of the other side, or empty.
 *
 * Without id (STR_NONE) the entry is called by a number, written in decimal,
 * that is larger than those of all entries there are.  Such a log costs a
 * fraction of one with ids to write and to delete; but a range with with,
 * since_us or until_us looks at every entry.  A log has either ids or numbers,
 * else ERR_INVALID.
 */
void store_tx_append(struct store_tx *tx, struct store_place at, struct str id,
	int64_t wall_us, struct str with, struct str value);
/*
 * The entry with this number, which its id says (store_id_make()), else
 * ERR_INVALID; ERR_CONFLICT if there is one of it.  It costs as little as one
 * without an id, and is found by id and by time as fast as in a log with ids, and
 * as fast by with, but for some hundreds of the last, which are looked at one by
 * one, because the index follows behind.  Whoever gives numbers
 * knows the last (store_list_many()), and gives times that never go back from one
 * number to the next.  A log with ids may go on like this.
 */
void store_tx_append_at(struct store_tx *tx, struct store_place at,
	struct str id, int64_t wall_us, struct str with, struct str value);
void store_tx_delete_entry(struct store_tx *tx, struct store_place at,
	struct str id);
/* The value of an entry becomes another; its id, its place, its time and the address
 * stay.  No error if there is none. */
void store_tx_replace_entry(struct store_tx *tx, struct store_place at,
	struct str id, struct str value);
/* The words by which an entry of store_tx_append_at() is found from now on
 * (store_range.words); none: by none.  With a blank between, and of the ASCII
 * characters only a to z and 0 to 9, else ERR_INVALID.  They go with the entry, or
 * when it gets another value.  No error if there is none. */
void store_tx_index(struct store_tx *tx, struct store_place at, struct str id,
	struct str words);
/* The entry id and all before it.  Nothing if there is no such entry; but with
 * numbers, all up to this one. */
void store_tx_trim_to(struct store_tx *tx, struct store_place at, struct str id);
/* Entries older than wall_us. */
void store_tx_trim_age(struct store_tx *tx, struct store_place at,
	int64_t wall_us);
/* All but the newest keep. */
void store_tx_trim_count(struct store_tx *tx, struct store_place at,
	uint64_t keep);

/* Which of the oldest entries of a log are too many: from the front on, as long as
 * one of these says so. */
struct store_trim {
	int64_t before_us;  /* what is older than this; 0: nothing is too old */
	uint64_t max_bytes; /* until the values of those that are left, and
			     * STORE_ENTRY_BYTES for each, are no more; the newest
			     * stays; 0: no bound */
	struct str up_to;   /* this one and all before it, as store_tx_trim_to() */
	/* Another log of the same owner, or STR_NONE.  What goes and is a value
	 * there is moved: that value becomes the one of the entry that goes.  Of a
	 * log of store_tx_append_at() ids stand there in the order of the log. */
	struct str waits;
};
/* A slice of them goes, so that no commit takes long: at most STORE_TRIM_MAX, and
 * none behind the one with which STORE_TRIM_BYTES of values have gone.  It costs
 * nothing when none is too many, and as much as goes and is moved; but where something
 * waits for a log with other ids, or the first slice comes, that whole log is looked
 * through.  Where up_to is the last, and there is more than a slice, all of them go at
 * once, as by store_tx_clear(), when what waits has been moved, as many at a time. */
#define STORE_TRIM_MAX 64
#define STORE_TRIM_BYTES (1 << 20)
void store_tx_trim(struct store_tx *tx, struct store_place at,
	const struct store_trim *trim);

/* For what memory shows already, so that it is late to refuse it: never ERR_BUSY.
 * Whoever uses it bounds how much he asks for while store_is_behind(). */
void store_tx_insist(struct store_tx *tx);

/*
 * Transactions of which each rests on those asked for before it: when one of a
 * chain has failed, all behind it fail too, with ERR_STORAGE.  Zeroed memory is
 * a chain; borrowed until the last of them is answered.
 */
struct store_chain {
	atomic_uint_least64_t broken; /* from which ticket on; 0: it is not */
};
void store_tx_chain(struct store_tx *tx, struct store_chain *chain);

/*
 * ok, or why nothing of it was done (err; NULL when ok):
 * ERR_CONFLICT, ERR_MISSING  as the operations say
 * ERR_INVALID, ERR_LIMIT     what breaks the rules or sizes above
 * ERR_BUSY, ERR_CLOSED       too much is waiting (for reads also: the database
 *                            is gone); the store is being closed
 * ERR_DISK                   the disk takes no writes, see above
 * ERR_STORAGE                the text is for the log; it says so where it could
 *                            not be found out whether it was done
 */
typedef void (*store_done_fn)(void *arg, bool ok, const struct err *err);

/* tx is taken.  done (may be NULL, and reply with it) is called when the
 * transaction is durable, or has failed. */
void store_commit(struct store *s, struct store_tx *tx, struct mailbox *reply,
	store_done_fn done, void *arg);

/* more: there are others that are too many.  err is NULL when it worked. */
typedef void (*store_trim_fn)(void *arg, bool more, const struct err *err);

/* The same as a transaction of its own, for whoever goes on until it is all done. */
void store_trim(struct store *s, struct store_place at,
	const struct store_trim *trim, struct mailbox *reply, store_trim_fn fn,
	void *arg);

/* --- any thread: reading ------------------------------------------------ */

struct store_entry {
	struct str key;   /* maps: the key; logs: the id, or the number;
			   * owners: the owner */
	struct str value; /* owners: STR_NONE */
	struct str with;  /* logs only */
	int64_t wall_us;  /* logs only */
	uint64_t total, bytes; /* store_list_many: of a log */
	uint64_t last;         /* the same: the number of its last entry */
};

/* What a read found.  Borrowed until the callback returns. */
struct store_answer {
	const struct store_entry *entries;
	size_t n;
	/* with count, store_range: how many there are with, since and until,
	 * whatever after_id, before_id and max are (XEP-0059 §2.7); store_page: in
	 * the whole map */
	uint64_t total;
	bool complete;   /* no more in the direction that was asked */
};

/* err is NULL when it worked; finding nothing is no error: n is 0.  Else it is as
 * for a commit, ERR_LIMIT also for a map larger than STORE_ANSWER_MAX; or
 * ERR_MISSING: a range begins or ends at an unknown id. */
typedef void (*store_read_fn)(void *arg, const struct store_answer *answer,
	const struct err *err);

/* One key. */
void store_get(struct store *s, struct store_place at, struct str key,
	struct mailbox *reply, store_read_fn fn, void *arg);
/* A whole map, in byte order of the keys. */
void store_list(struct store *s, struct store_place at, struct mailbox *reply,
	store_read_fn fn, void *arg);
/* Part of a map, in byte order of its keys; an empty key is in none. */
struct store_page {
	struct str after;  /* behind this key, there or not; STR_NONE: from the first */
	struct str before; /* up to this one; STR_NONE: no bound */
	uint32_t skip;     /* so many of them are passed over, which costs a look at
			    * each */
	uint32_t max;      /* entries in the answer; 0: none, for counting */
	size_t max_bytes;  /* it ends with the entry that reaches this; 0:
			    * STORE_RANGE_MAX */
	bool backwards;    /* the last of them, still in order */
	bool count;        /* total: how many keys the map has, which costs a look at
			    * each */
};
void store_page(struct store *s, struct store_place at,
	const struct store_page *page, struct mailbox *reply, store_read_fn fn,
	void *arg);
/* Several whole maps of one (host, owner), as one read: what an entity needs to
 * be loaded.  fn is called once with the entries of all of them; entry.with is
 * the name of the map.  A log of one of these names that is not empty has an
 * entry too, behind those of the maps: its key is STR_NONE, total says how many
 * entries it has, and bytes how large their values are together; last and wall_us
 * are of its last entry.  names are copied. */
void store_list_many(struct store *s, struct str host, struct str owner,
	const struct str *names, size_t n_names, struct mailbox *reply,
	store_read_fn fn, void *arg);
/* The owners that have a map of this name at host, in byte order, at most max,
 * behind after (STR_NONE: from the start). */
void store_owners(struct store *s, struct str host, struct str name,
	struct str after, uint32_t max, struct mailbox *reply, store_read_fn fn,
	void *arg);

/*
 * The same of those that have a log of this name which is not empty: total and bytes
 * are of the log, and wall_us is the time of its first entry.  So whoever trims what
 * is old, or too much, learns from a walk of them, in parts, where there is any; it
 * reads a row and an entry for each.
 */
void store_log_owners(struct store *s, struct str host, struct str name,
	struct str after, uint32_t max, struct mailbox *reply, store_read_fn fn,
	void *arg);

#define STORE_WORDS_MAX 32

struct store_range {
	struct str with;     /* STR_NONE: any */
	struct str words;    /* that an entry has to have, all of them, at least one
			      * and at most STORE_WORDS_MAX, as in
			      * store_tx_index(); STR_NONE: any */
	int64_t since_us;    /* at or after; 0: no bound */
	int64_t until_us;    /* at or before; 0: no bound */
	struct str after_id; /* STR_NONE: no bound; unknown: ERR_MISSING */
	struct str before_id;
	uint32_t max;        /* entries in the answer; 0: none, for counting */
	size_t max_bytes;    /* it ends with the entry that reaches this; 0:
			      * STORE_RANGE_MAX */
	bool backwards;      /* the last max of the range, still oldest first */
	bool count;          /* fill in total */
	/* In the order of their times, and of one time in that in which they came;
	 * after_id is where that order goes on.  It costs what is in the answer,
	 * however many there are.  ERR_INVALID: beside with, words, before_id or
	 * backwards, and for a log whose entries have no ids. */
	bool by_time;
};

/* Part of a log, in the order in which it was written, but by_time. */
void store_range(struct store *s, struct store_place at,
	const struct store_range *range, struct mailbox *reply,
	store_read_fn fn, void *arg);
/*
 * The entries of a log that ids (copied) name, in the order of ids; one that is
 * not there is left out.  As much as max_bytes, as in a range: when complete is
 * false, nobody has looked for what stands behind the last entry of the answer.
 */
void store_get_entries(struct store *s, struct store_place at,
	const struct str *ids, size_t n_ids, size_t max_bytes,
	struct mailbox *reply, store_read_fn fn, void *arg);

/*
 * With whom the entries of a log are, those with the last entry first, at most max: for
 * each the id and the time of that entry, in key and wall_us, and with; no value.  One
 * whose last entry has gone has gone with it.  It costs a look into the index for each
 * of whom the log knows, however many entries are with him, and some hundreds of the
 * last entries; where those are more than STORE_TALKS_MAX it is asked of so many of the
 * last entries alone, and who is in none of them is left out.  Of a log whose last entry
 * store_tx_append_at() has not added: none.
 */
#define STORE_TALKS_MAX 10000
void store_talks(struct store *s, struct store_place at, uint32_t max,
	struct mailbox *reply, store_read_fn fn, void *arg);

/* --- any thread: the whole ---------------------------------------------- */

/*
 * Makes a consistent copy of the database in a new file, while running; it
 * holds all that was asked to be written before, and is durable when done is
 * called.  ERR_CONFLICT if path exists, ERR_REFUSED if the driver has no files.
 */
void store_backup(struct store *s, const char *path, struct mailbox *reply,
	store_done_fn done, void *arg);

struct store_disk {
	char folder[256];
	uint64_t needs_bytes, has_bytes; /* of room */
};

struct store_room {
	uint64_t file_bytes; /* of the database */
	uint64_t free_bytes; /* of these, what holds nothing */
	/* It gives that back beside all else; else it is written anew, and takes no
	 * writes meanwhile. */
	bool in_slices;
	struct store_disk own, temporary; /* else; where the copies go */
	bool one_disk;      /* and then own says what both need */
	uint64_t about_s;   /* how long it may take */
	struct err missing; /* ERR_NONE, or which room is */
};

/* room is NULL where it did not work, and err where it did. */
typedef void (*store_compact_fn)(void *arg, const struct store_room *room,
	const struct err *err);

/*
 * How much room the database takes, and what it would need to take less; with go, it is
 * made as small as it can be, and room says what there is then.  ERR_REFUSED: there is no
 * file, or too little room (room.missing); ERR_CONFLICT: it is being done already;
 * ERR_CLOSED: the store was closed meanwhile, or store_compact_end() called, and all is
 * as it was.
 */
void store_compact(struct store *s, bool go, struct mailbox *reply,
	store_compact_fn fn, void *arg);
/* Breaks off what has begun, and no more begins: for a server that stops, and has much
 * to store yet.  It is over when that is answered. */
void store_compact_end(struct store *s);

struct store_stats {
	uint64_t reads, writes, failures;
	uint64_t outages; /* how often the disk took no writes */
	uint64_t refused; /* because of that */
	struct gauge queued;       /* transactions that wait */
	struct gauge queued_bytes; /* of all requests that wait */
	/* One value for each commit, since the start and in the last minute. */
	struct hist batches, late_batches; /* transactions in it */
	struct hist commit_us, late_commit_us; /* how long it took */
};
void store_stats(struct store *s, struct store_stats *out);

#endif
