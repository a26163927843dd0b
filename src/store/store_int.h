/*
 * store_int.h - what the files of the store share: requests, queues, and the
 * store itself.
 *
 * A request and all that belongs to it, its answer included, is one arena,
 * which travels: asker, queue, store thread, mailbox, asker; there it ends.
 */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/vec.h"
#include "store/driver.h"
#include "store/store.h"

struct arena;

/* What a reader takes together, at most, and how many reads have to wait for a
 * second reader to be woken: each one that is costs two switches of threads. */
#define STORE_BATCH_READS 64
#define STORE_READS_EACH 8
/* What a commit takes together, at most. */
#define STORE_BATCH_TX 4096
#define STORE_BATCH_BYTES ((size_t)8 << 20)
/* Of logs: each takes two others along into the indexes (below), which is most of the
 * time: with 4,000 a commit took a second, and what came meanwhile waited for it. */
#define STORE_BATCH_ENTRIES 1024
/* What the driver has put off, of which so many entries go with a commit, beside two
 * for each that comes; and so many at once when there is nothing else to do: some
 * milliseconds, for which what comes meanwhile has to wait. */
#define STORE_TEND_MIN 256
#define STORE_TEND_IDLE 512
/* Slots of last-write tickets, by hash of (host, owner).  A collision costs a
 * read the wait for one commit. */
#define STORE_SLOTS 1024

/* How long something is tried already, while the database is gone. */
struct store_loss {
	unsigned tries;
	int64_t since_us, retry_us; /* monotonic */
};

struct store_req {
	STAILQ_ENTRY(store_req) link;
	struct mail mail;
	struct arena *arena; /* in which the request lies */
	struct mailbox *reply;
	void *arg;
	size_t bytes; /* counted while it waits */
	/* Writes: their own.  Reads: what has to be committed before. */
	uint64_t ticket;
	struct store_loss loss; /* reads */
	bool failed;            /* err tells why */
	struct err err;
};

STAILQ_HEAD(store_req_list, store_req);

/* --- writing ------------------------------------------------------------ */

struct store_tx {
	struct store_req req;
	struct store_part part; /* of its batch, for write_batch */
	struct store_ops ops;
	struct store_op *last;
	struct store_chain *chain; /* or NULL */
	bool insists;
	store_done_fn done;
	store_trim_fn trimmed; /* instead of done */
	bool more;             /* is left, for trimmed */
};

/* What one commit takes; it stays as it is until that has worked or failed for
 * good. */
struct store_batch {
	struct store_req_list reqs; /* empty: there is none */
	size_t n, bytes;
	uint32_t entries; /* that are appended */
	uint64_t last;    /* ticket */
	int64_t start_us; /* monotonic */
	struct store_loss loss;
	bool in_doubt; /* its commit was lost, and may have been done */
	struct VEC(struct store_part *) parts; /* with write_batch */
};

/* --- reading ------------------------------------------------------------ */

enum store_read_kind {
	STORE_READ_GET,
	STORE_READ_LIST,
	STORE_READ_PAGE,
	STORE_READ_LIST_MANY,
	STORE_READ_OWNERS,
	STORE_READ_LOG_OWNERS,
	STORE_READ_RANGE,
	STORE_READ_ENTRIES,
	STORE_READ_TALKS,
	STORE_READ_BACKUP,
};

struct store_entries VEC(struct store_entry);

struct store_read {
	struct store_req req;
	enum store_read_kind kind;
	struct store_place at;
	struct str *names; /* of the maps to list, or ids of entries */
	size_t n_names;
	struct str key; /* or after which owner, or the path of a backup */
	uint32_t max;
	struct store_range range; /* max_bytes: of all kinds */
	struct store_page page;
	store_read_fn fn;
	store_done_fn done; /* backups */

	/* the answer */
	struct store_entries found; /* in the arena of req */
	size_t bytes;
	uint64_t total;
	bool complete;
};

/* --- the whole ---------------------------------------------------------- */

struct store_thread {
	struct store *store;
	struct store_db *db;
	pthread_t id;
	bool started;
};

/* The disk takes no writes; see store_outage.c. */
struct outage {
	struct err why;
	int64_t since_us, probe_us; /* monotonic; the next try */
	size_t probe_bytes;         /* what it writes */
	uint64_t refused_before;    /* it began */
	bool is_wanted;             /* see store_compact.c */
};

struct store {
	const struct store_driver *driver;
	struct store_conf conf; /* without options */
	bool whole;             /* batches go to write_batch */
	char *path;             /* or NULL */
	struct store_thread writer;
	/* The writer's own: what it has taken from writes. */
	struct store_req_list waiting;
	struct store_batch batch;
	bool has_more;    /* the driver has put off something */
	bool tend_failed; /* and cannot do it */
	struct store_thread copier; /* makes backups; opens a handle for each */
	struct store_thread *readers;
	unsigned n_readers;

	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t writes_changed, reads_changed, copies_changed;
	struct store_req_list writes, reads, copies, compacts;
	unsigned n_reads;     /* in reads */
	int64_t reads_due_us; /* not before; monotonic */
	bool writer_asleep;
	/* How many wait for reads_changed, and how many of these have been
	 * signalled already. */
	unsigned readers_asleep, readers_called;
	struct store_req_list parked; /* reads whose ticket is not committed */
	uint64_t asked;               /* the last ticket given out */
	uint64_t committed;           /* all up to this one are answered for */
	uint64_t slots[STORE_SLOTS];
	bool closing;        /* takes no more requests */
	bool compact_ends;   /* see store_compact_end() */
	bool writer_is_done; /* and so will the readers, when nothing waits */
	struct outage outage;
	struct store_stats stats;     /* those of the last minute: */
	struct hist_window late_batches, late_commit_us;

	/* inline_work; may be NULL */
	bool (*fails)(void *arg, bool writes);
	void *fails_arg;
	bool (*is_busy)(void *arg, bool writes);
	void *is_busy_arg;
	bool is_full;

	/* without the lock */
	atomic_size_t unanswered; /* asked, and the answer not yet posted */
	atomic_bool is_behind;    /* follows stats.queued_bytes */
	atomic_bool takes_no_writes; /* set and cleared with the lock */
	atomic_uint_least64_t refused; /* since the start */
};

/* --- store.c ------------------------------------------------------------ */

unsigned store_slot(struct str host, struct str owner);
/* Both are taken. */
void store_submit_tx(struct store *s, struct store_tx *tx);
void store_submit_read(struct store *s, struct store_read *rd);
/* With the lock, after queued_bytes has changed. */
void store_note_queued(struct store *s);
/* Counts them out. */
void store_finished(struct store *s, const struct store_req_list *reqs);
/* Posts the answer; req is taken. */
void store_req_answer(struct store *s, struct store_req *req);

/* Is the disk to fail now, for a test?  Then err says so. */
bool store_is_to_fail(const struct store *s, bool writes, struct err *err);
/* All of the chain (or NULL) from ticket on fail. */
void store_chain_break(struct store_chain *chain, uint64_t ticket);

/* --- store_threads.c ---------------------------------------------------- */

bool store_threads_start(struct store *s, struct err *err);
/* When all that was asked for is answered. */
void store_threads_stop(struct store *s);
/* With the lock, after there is more in reads: is one to be woken?  Then signal
 * reads_changed, without the lock. */
bool store_wakes_reader(struct store *s);

/* --- store_outage.c ----------------------------------------------------- */

/* Fills in err; false.  Counts it. */
bool store_outage_refuse(struct store *s, struct err *err);
/* With the lock: is it time to try again? */
bool store_outage_is_due(const struct store *s);
/* Writer thread: a commit of that many bytes has failed with why. */
void store_outage_begin(struct store *s, const struct err *why, size_t bytes);
/* The same where it is wanted, until store_outage_end(): no disk has failed. */
void store_outage_want(struct store *s, const struct err *why);
/* Writer thread: something was written. */
void store_outage_end(struct store *s);
/* Writer thread: tries again.  True when it is over. */
bool store_outage_probe(struct store *s);
/* Any store thread: one more try was lost.  False when it was the last, else
 * loss says when to try again. */
bool store_loss_again(struct store_loss *loss);

/* --- store_tx.c --------------------------------------------------------- */

/* ERR_INVALID or ERR_LIMIT for what may not be a key. */
bool store_key_check(struct str key, struct err *err);
bool store_place_check(struct store_place at, struct err *err);

/* --- store_words.c ------------------------------------------------------ */

/* ERR_INVALID for what store_tx_index() does not take. */
bool store_words_check(struct str words, struct err *err);
/* The same, and ERR_LIMIT, for those of a range. */
bool store_wanted_check(struct str words, struct err *err);

/* --- store_write.c ------------------------------------------------------ */

/* Writer thread: commits the front of what it has waiting as one transaction,
 * releases the reads that waited for it, and answers.  False when the database
 * is gone, and the batch stays, to be tried again. */
bool store_write_batch(struct store *s);
/* Writer thread, with nothing else to do: some of what the driver has put off. */
void store_tend(struct store *s);
/* Writer thread: one try of it.  What fails by itself says so in its request;
 * false with err when none of it is done, or that is in doubt. */
bool store_batch_try(struct store *s, struct store_batch *b, struct err *err);

/* --- store_compact.c ------------------------------------------------- */

/* Writer thread, when no batch is tried: what is first in line, or a slice of it.
 * False: there is nothing. */
bool store_compact_turn(struct store *s);

/* --- store_read.c ------------------------------------------------------- */

/* A question, for store_submit_read(); failed already where at or key is not allowed.
 * Any thread. */
struct store_read *store_read_new(enum store_read_kind kind, struct store_place at,
	struct str key, struct mailbox *reply, void *arg);

/* More bytes than an answer may have: that many. */
size_t store_answer_bytes(size_t max_bytes);
/* A store thread: what was found from the last on is as it is wanted. */
void store_found_turn_round(struct store_read *rd);

/* A store thread, with its own handle: answers all of them, which are not
 * backups, from one view of the database.  They are taken.  False when the
 * database is gone; what was not read then is in reads again, for later. */
bool store_read_batch(struct store *s, struct store_db *db,
	struct store_req_list *batch);
/* The same for one backup. */
void store_backup_run(struct store *s, struct store_db *db,
	struct store_read *rd);

/* --- store_page.c ------------------------------------------------------- */

/* A store thread: the page that rd asks for, to fn, and what else is told of it. */
bool store_page_find(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, store_entry_fn fn, void *arg, struct err *err);

/* --- store_talks.c ------------------------------------------------------ */

/* A store thread: those that rd asks for, to fn, and whether they are all, in rd. */
bool store_talks_find(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, store_entry_fn fn, void *arg, struct err *err);

#endif
