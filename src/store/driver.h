/*
 * driver.h - what a store driver does: plain, blocking functions on one handle.
 * Threads, batches, sizes and mailboxes are the business of store*.c, so that a
 * driver is small: what it is given is well-formed and within its bounds.
 *
 * Store threads: one handle (struct store_db) for each thread; the writer's is
 * the only one that is written through.  Everything but open, close and backup
 * is called between begin and commit or rollback, but where it says otherwise.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include <sys/queue.h>

#include "base/err.h"
#include "store/store.h"

struct store_db;

/* --- what is written ---------------------------------------------------- */

enum store_op_kind {
	STORE_OP_SET,
	STORE_OP_CREATE,
	STORE_OP_REQUIRE,
	STORE_OP_REQUIRE_ENTRY,
	STORE_OP_DELETE,
	STORE_OP_CLEAR,
	STORE_OP_CLEAR_OWNER,
	STORE_OP_APPEND,
	STORE_OP_DELETE_ENTRY,
	STORE_OP_REPLACE_ENTRY,
	STORE_OP_INDEX,
	STORE_OP_TRIM_TO,
	STORE_OP_TRIM_AGE,
	STORE_OP_TRIM_COUNT,
	STORE_OP_TRIM,
};

struct store_op {
	STAILQ_ENTRY(store_op) link;
	enum store_op_kind kind;
	unsigned slot; /* the store's own */
	struct store_place at;
	struct str key; /* or the id */
	struct str value;
	struct str with;
	int64_t wall_us;
	uint64_t keep; /* entries */
	struct store_trim trim;
	bool *more; /* of a trim: for the asker; or NULL */
	uint64_t number; /* of an entry; 0: behind the last */
	struct str words; /* of an entry with a number; STR_NONE: none */
};

STAILQ_HEAD(store_ops, store_op);

/* One transaction of a batch. */
struct store_part {
	const struct store_ops *ops;
	/* An earlier one of the batch; when that fails, this one fails too, with
	 * ERR_STORAGE.  May be NULL. */
	const struct store_part *rests_on;
	/* ERR_NONE; or the driver says why nothing of this one is done. */
	struct err *err;
};

/* --- what a driver does ------------------------------------------------- */

/* Called for each entry found, which is borrowed.  False: no more of them. */
typedef bool (*store_entry_fn)(void *arg, const struct store_entry *entry);

/* Who tries a configuration, and tells of mistakes. */
struct store_check {
	/* option: of the driver */
	void (*fail)(void *arg, const char *option, const char *text);
	/* Can such a file be made, or written to?  Fails if it cannot. */
	void (*place)(void *arg, const char *option, const char *file);
	void *arg;
};

/* Functions that return bool fill in err when they return false. */
struct store_driver {
	const char *name;

	/* Tries what open does, as far as that leaves no trace, also when a
	 * server has the database; options as in struct store_conf.  NULL:
	 * nothing to try. */
	void (*check)(const void *options, const struct store_check *check);
	/* The file that it has, or will have: what belongs to the server may lie
	 * beside it.  options as above.  NULL: it has none. */
	const char *(*path)(const void *options);
	/* The writer's handle is opened first: it creates or migrates the
	 * database.  The others are opened beside it, by any thread, and closed
	 * before it.  NULL with err. */
	struct store_db *(*open)(const struct store_conf *conf,
		struct err *err);
	struct store_db *(*open_beside)(const struct store_db *writer,
		struct err *err);
	void (*close)(struct store_db *db);

	/* writer: a transaction around a batch, and inside it a savepoint
	 * around each store_tx that has changed something before it fails.  An
	 * operation that fails changes nothing.
	 *
	 * ERR_STORAGE  the whole batch has failed, for good
	 * ERR_DISK     the same, and the disk takes no writes at all
	 * ERR_LOST     the database is gone for now: nothing of the batch is
	 *              done, and all of it is tried again, from begin on,
	 *              which connects anew; see also was_done
	 * any other    the one store_tx has failed
	 *
	 * A begin that fails leaves nothing open; after anything else that
	 * fails comes a rollback or a revert.
	 * Others: begin to rollback is one view of the database, in which no
	 * write of another handle appears.  What is asked in a view that is
	 * ERR_LOST is asked again in another one. */
	bool (*begin)(struct store_db *db, struct err *err);
	bool (*commit)(struct store_db *db, struct err *err); /* durable */
	void (*rollback)(struct store_db *db);
	bool (*savepoint)(struct store_db *db, struct err *err);
	bool (*release)(struct store_db *db, struct err *err);
	void (*revert)(struct store_db *db); /* to the savepoint */

	/* writer: does some of what it has put off, such as an index that
	 * follows behind, or what logs that were cleared still hold: about
	 * max entries of it, or as much as these cost.  *more_out: there is more.
	 * What fails is put off again; NULL: it puts off nothing. */
	bool (*tend)(struct store_db *db, uint32_t max, bool *more_out,
		struct err *err);

	/* writer, instead of begin to commit: all transactions of a batch at
	 * once, in order, each of which succeeds or fails by itself; it is
	 * durable when it returns.  False: nothing of any of them is done.
	 * For drivers that save round trips so; may be NULL. */
	bool (*write_batch)(struct store_db *db,
		struct store_part *const *parts, size_t n, struct err *err);
	/* writer, outside of begin: a commit, or write_batch with these parts,
	 * was ERR_LOST, and nothing was written since, though something may
	 * have been read; is it done?  Then the parts get the errors that they
	 * had.  A driver has to write something along that it finds again; and
	 * from here on, or from a begin of any handle that succeeds, what is
	 * not done is never done late.  ERR_LOST: not to be told yet.
	 * NULL: what is ERR_LOST is not done, for certain. */
	bool (*was_done)(struct store_db *db, struct store_part *const *parts,
		size_t n, bool *done_out, struct err *err);

	bool (*set)(struct store_db *db, struct store_place at, struct str key,
		struct str value, bool must_be_new, struct err *err);
	bool (*del)(struct store_db *db, struct store_place at, struct str key,
		struct err *err);
	bool (*clear)(struct store_db *db, struct store_place at,
		struct err *err);
	bool (*clear_owner)(struct store_db *db, struct str host,
		struct str owner, struct err *err);
	/* An entry as op says; its key is STR_NONE: it is numbered */
	bool (*append)(struct store_db *db, const struct store_op *op,
		struct err *err);
	bool (*del_entry)(struct store_db *db, struct store_place at,
		struct str id, struct err *err);
	bool (*replace_entry)(struct store_db *db, struct store_place at,
		struct str id, struct str value, struct err *err);
	bool (*index)(struct store_db *db, struct store_place at,
		struct str id, struct str words, struct err *err);
	bool (*trim_to)(struct store_db *db, struct store_place at,
		struct str id, struct err *err);
	bool (*trim_age)(struct store_db *db, struct store_place at,
		int64_t wall_us, struct err *err);
	bool (*trim_count)(struct store_db *db, struct store_place at,
		uint64_t keep, struct err *err);
	/* a slice of it, as store_trim() says; waits may be empty */
	bool (*trim)(struct store_db *db, struct store_place at,
		const struct store_trim *trim, bool *more_out, struct err *err);

	/* any handle */
	bool (*get)(struct store_db *db, struct store_place at, struct str key,
		store_entry_fn fn, void *arg, struct err *err);
	bool (*list)(struct store_db *db, struct store_place at,
		store_entry_fn fn, void *arg, struct err *err);
	/* as struct store_page says; backwards: the last comes first, the caller turns
	 * them round.  complete is false when fn stopped it, or max did before the
	 * end. */
	bool (*page)(struct store_db *db, struct store_place at,
		const struct store_page *page, store_entry_fn fn, void *arg,
		uint64_t *total_out, bool *complete_out, struct err *err);
	/* with is the name of the map, one of names; in any order of names */
	bool (*list_many)(struct store_db *db, struct str host,
		struct str owner, const struct str *names, size_t n,
		store_entry_fn fn, void *arg, struct err *err);
	bool (*owners)(struct store_db *db, struct str host, struct str name,
		struct str after, uint32_t max, store_entry_fn fn, void *arg,
		struct err *err);
	/* as store_log_owners() says */
	bool (*log_owners)(struct store_db *db, struct str host,
		struct str name, struct str after, uint32_t max,
		store_entry_fn fn, void *arg, struct err *err);
	/* backwards: the newest comes first; the caller turns them round.
	 * by_time: with is any, before_id and backwards are not set.
	 * complete is false when fn stopped it, or max did before the end. */
	bool (*range)(struct store_db *db, struct store_place at,
		const struct store_range *range, store_entry_fn fn, void *arg,
		uint64_t *total_out, bool *complete_out, struct err *err);
	/* of a log, in the order of ids, what there is; the writer is told of what it
	 * has written in the same transaction; complete is false when fn
	 * stopped it before the last of ids */
	bool (*get_entries)(struct store_db *db, struct store_place at,
		const struct str *ids, size_t n, store_entry_fn fn, void *arg,
		bool *complete_out, struct err *err);
	/* as store_talks() says */
	bool (*talks)(struct store_db *db, struct store_place at, uint32_t max,
		store_entry_fn fn, void *arg, struct err *err);
	/* each log of the owner that is not empty: with is its name; as
	 * store_list_many() says */
	bool (*sizes)(struct store_db *db, struct str host, struct str owner,
		store_entry_fn fn, void *arg, struct err *err);
	/* outside of begin and rollback, on a handle of its own */
	bool (*backup)(struct store_db *db, const char *path, struct err *err);
	/* writer, outside of begin and rollback: what store_compact() says; and
	 * it, or a slice of it, if room says in_slices.  stops is asked now and
	 * then, and what it answers true to fails with ERR_CLOSED.  Both are
	 * NULL: it has no file. */
	bool (*room)(struct store_db *db, struct store_room *out,
		struct err *err);
	bool (*compact)(struct store_db *db, bool (*stops)(void *arg), void *arg,
		bool *more_out, struct err *err);
	/* for store_lose_when(); may be NULL */
	void (*lose_when)(struct store_db *db,
		bool (*fn)(void *arg, enum store_moment at), void *arg);
};

#define DRIVER(name) extern const struct store_driver store_##name;
#include "conf/drivers.def"
#undef DRIVER

/* --- any thread: store.c ------------------------------------------------ */

/* NULL with err: there is none of this name. */
const struct store_driver *store_driver_find(const char *name, struct err *err);

/* --- any thread: store_words.c ------------------------------------------ */

/* Are all that are wanted in it? */
bool store_has_words(struct str words, struct str wanted);

/* --- the writer's thread: store_write.c --------------------------------- */

/* Does op by the function of d that is meant. */
bool store_op_apply(const struct store_driver *d, struct store_db *db,
	const struct store_op *op, struct err *err);

#endif
