/*
 * table.h - a hash table of pointers, for millions of objects: open addressing,
 * with the whole hash beside each pointer.
 *
 * One thread.  A search touches one line of the cache in the table, and the one
 * object that it finds; growing touches no object at all.  Of uthash, which
 * keeps chains through the objects, a search among a million was six times as
 * slow.  The caller hashes, with a key that strangers do not know, and compares.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t hash;
	void *item; /* NULL: free */
};

/* Zeroed memory is an empty table. */
struct table {
	struct table_slot *slots;
	size_t size; /* 0, or a power of two */
	size_t n;    /* items */
};

/* Frees the table's memory, not the items. */
void table_done(struct table *t);
void table_add(struct table *t, uint64_t hash, void *item);
/* item must be there. */
void table_remove(struct table *t, uint64_t hash, const void *item);

/* Where the search for hash begins. */
static inline size_t
table_start(const struct table *t, uint64_t hash)
{
	return t->size != 0 ? hash & (t->size - 1) : 0;
}

/* The next item with this hash, NULL when there are no more; *at_io is where to
 * go on. */
static inline void *
table_next(const struct table *t, uint64_t hash, size_t *at_io)
{
	while (t->size != 0 && t->slots[*at_io].item != NULL) {
		const struct table_slot *slot = &t->slots[*at_io];

		*at_io = (*at_io + 1) & (t->size - 1);
		if (slot->hash == hash)
			return slot->item;
	}
	return NULL;
}

/* A search for hash is soon to come. */
static inline void
table_warm(const struct table *t, uint64_t hash)
{
	if (t->size != 0)
		__builtin_prefetch(&t->slots[table_start(t, hash)]);
}

/* --- all of them ------------------------------------------------------------ */

struct table_walk {
	size_t at, left;
};

struct table_walk table_walk(const struct table *t);
/* NULL at the end.  The item that was returned last may be removed; no others,
 * and none may be added. */
void *table_step(const struct table *t, struct table_walk *walk);

#endif
