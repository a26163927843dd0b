/*
 * memory_int.h - what the files of the driver in memory share.
 *
 * All handles share one struct mem_data, whose lock is held from begin to
 * commit or rollback.
 */
#ifndef STORE_MEMORY_MEMORY_INT_H
#define STORE_MEMORY_MEMORY_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "store/driver.h"

struct mem_item {
	uint64_t seq;  /* logs: its number */
	bool numbered; /* and that is its id */
	bool placed;   /* its id says it */
	int64_t wall_us;
	struct str key; /* or the id */
	struct str value;
	struct str with;
	struct str words; /* logs */
	UT_hash_handle hh; /* logs: by id */
	char bytes[];
};

/* Of a map in the order of the keys, of a log in the order of seq. */
struct mem_list VEC(struct mem_item *);

struct mem_place {
	struct str host, owner, name;
	struct mem_list map;
	struct mem_list log;
	struct mem_item *by_id;
	size_t changes; /* in the journal */
	UT_hash_handle hh;
	size_t label_n;
	char label[]; /* host NUL owner NUL name */
};

struct mem_change {
	struct mem_place *place;
	struct mem_item *item;
	bool is_log, put_in;
};

struct mem_data {
	pthread_mutex_t lock;
	struct mem_place *places;
	struct VEC(struct mem_change) journal;
	size_t savepoint; /* length of the journal then */
	/* The writer's: the last that was committed is done, and what parts of
	 * it failed; views do not touch it. */
	bool done;
	struct VEC(struct err) results;
	bool (*loses)(void *arg, enum store_moment at); /* or NULL */
	void *loses_arg;
};

struct store_db {
	struct mem_data *data;
	bool writes;
};

/* Does a test want it to be lost now?  Then err says so. */
bool mem_is_lost(const struct store_db *db, enum store_moment at,
	struct err *err);
/* The first that is not before key, in maps, or seq, in logs. */
size_t mem_list_search(
	const struct mem_list *l, bool is_log, struct str key, uint64_t seq);
/* it is put in, or taken out, until the transaction is taken back. */
void mem_change_do(struct mem_data *d, struct mem_place *pl,
	struct mem_item *it, bool is_log, bool put_in);
/* it becomes one of another value, and with other words. */
void mem_item_change(struct mem_data *d, struct mem_place *pl,
	struct mem_item *it, struct str value, struct str words);
/* NULL if there is none. */
struct mem_place *mem_place_find(struct mem_data *d, struct store_place at);
struct mem_item *mem_map_find(const struct mem_place *pl, struct str key);
struct mem_item *mem_log_find(const struct mem_place *pl, struct str id);

/* --- memory_batch.c -------------------------------------------------- */

bool mem_write_batch(struct store_db *db, struct store_part *const *parts,
	size_t n, struct err *err);
bool mem_was_done(struct store_db *db, struct store_part *const *parts,
	size_t n, bool *done_out, struct err *err);

/* --- memory.c: the table, for memory_batch.c --------------------------- */

bool mem_begin(struct store_db *db, struct err *err);
bool mem_commit(struct store_db *db, struct err *err);
void mem_rollback(struct store_db *db);
bool mem_savepoint(struct store_db *db, struct err *err);
void mem_revert(struct store_db *db);

/* --- memory_trim.c --------------------------------------------------- */

bool mem_del_entry(struct store_db *db, struct store_place at, struct str id,
	struct err *err);
bool mem_trim_to(struct store_db *db, struct store_place at, struct str id,
	struct err *err);
bool mem_trim_age(struct store_db *db, struct store_place at, int64_t wall_us,
	struct err *err);
bool mem_trim_count(struct store_db *db, struct store_place at, uint64_t keep,
	struct err *err);
bool mem_trim_oldest(struct store_db *db, struct store_place at,
	const struct store_trim *trim, bool *more_out, struct err *err);

/* --- memory_read.c --------------------------------------------------- */

bool mem_get(struct store_db *db, struct store_place at, struct str key,
	store_entry_fn fn, void *arg, struct err *err);
bool mem_list_map(struct store_db *db, struct store_place at, store_entry_fn fn,
	void *arg, struct err *err);
bool mem_page(struct store_db *db, struct store_place at,
	const struct store_page *page, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err);
bool mem_list_many(struct store_db *db, struct str host, struct str owner,
	const struct str *names, size_t n, store_entry_fn fn, void *arg,
	struct err *err);
bool mem_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err);
bool mem_log_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err);
bool mem_sizes(struct store_db *db, struct str host, struct str owner,
	store_entry_fn fn, void *arg, struct err *err);
bool mem_get_entries(struct store_db *db, struct store_place at,
	const struct str *ids, size_t n, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err);
bool mem_talks(struct store_db *db, struct store_place at, uint32_t max,
	store_entry_fn fn, void *arg, struct err *err);
bool mem_range(struct store_db *db, struct store_place at,
	const struct store_range *range, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err);

#endif
