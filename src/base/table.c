/*
 * table.c - linear probing, without marks for what was removed.
 *
 * Invariant: between the slot where the search for an item begins and the slot
 * that holds it, none is free.
 */
#include "config.h"

#include "base/table.h"

#include <assert.h>

#include "base/mem.h"

/* At least; it is halved no further. */
#define SIZE_MIN 16
/* It grows when more than 3/4 are taken.  It shrinks, when something is added,
 * if less than 1/8 are: not while it is walked through. */
#define FULL(n) ((n) + (n) / 3)
#define SPARSE 8

void
table_done(struct table *t)
{
	free(t->slots);
	*t = (struct table){ .slots = NULL };
}

static void
slot_fill(struct table *t, uint64_t hash, void *item)
{
	size_t at = table_start(t, hash);

	while (t->slots[at].item != NULL)
		at = (at + 1) & (t->size - 1);
	t->slots[at] = (struct table_slot){ hash, item };
}

static void
table_resize(struct table *t, size_t size)
{
	struct table old = *t;

	t->slots = xcalloc(size, sizeof(t->slots[0]));
	t->size = size;
	for (size_t i = 0; i < old.size; i++) {
		if (old.slots[i].item != NULL)
			slot_fill(t, old.slots[i].hash, old.slots[i].item);
	}
	free(old.slots);
}

void
table_add(struct table *t, uint64_t hash, void *item)
{
	t->n++;
	if (FULL(t->n) > t->size)
		table_resize(t, MAX(2 * t->size, SIZE_MIN));
	else if (t->size > SIZE_MIN && t->n < t->size / SPARSE)
		table_resize(t, t->size / 2);
	slot_fill(t, hash, item);
}

/* Slots behind the one that became free move up to where a search for them would
 * end otherwise. */
static void
slot_close(struct table *t, size_t gap)
{
	size_t mask = t->size - 1;

	for (size_t at = (gap + 1) & mask; t->slots[at].item != NULL;
		at = (at + 1) & mask) {
		size_t start = table_start(t, t->slots[at].hash);

		/* is its start at or before the gap, around the end? */
		if (((at - start) & mask) >= ((at - gap) & mask)) {
			t->slots[gap] = t->slots[at];
			gap = at;
		}
	}
	t->slots[gap].item = NULL;
}

void
table_remove(struct table *t, uint64_t hash, const void *item)
{
	size_t at = table_start(t, hash);

	while (t->slots[at].item != item) {
		assert(t->slots[at].item != NULL);
		at = (at + 1) & (t->size - 1);
	}
	slot_close(t, at);
	t->n--;
	if (t->n == 0)
		table_done(t);
}

/* Downwards from a free slot: what a removal moves comes from behind, and has
 * been seen. */
struct table_walk
table_walk(const struct table *t)
{
	struct table_walk walk = { .at = 0, .left = t->size };

	while (walk.at < t->size && t->slots[walk.at].item != NULL)
		walk.at++;
	return walk;
}

void *
table_step(const struct table *t, struct table_walk *walk)
{
	while (walk->left > 0 && t->size != 0) {
		walk->at = (walk->at - 1) & (t->size - 1);
		walk->left--;
		if (t->slots[walk->at].item != NULL)
			return t->slots[walk->at].item;
	}
	return NULL;
}
