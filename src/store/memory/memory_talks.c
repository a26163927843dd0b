/*
 * memory_talks.c - with whom the entries of a log are, in memory.
 *
 * Called by the table in memory.c, with the lock.
 */
#include "config.h"

#include "store/memory/memory_int.h"

#include <stdlib.h>

#include "base/mem.h"

/* An entry with somebody, by his address. */
struct talk {
	struct str with;
	UT_hash_handle hh;
};

/* Is it the first of these? */
static bool
talk_add(struct talk **talks, struct str with)
{
	struct talk *t;

	HASH_FIND(hh, *talks, with.p, with.n, t);
	if (t != NULL)
		return false;
	t = xcalloc(1, sizeof(*t));
	t->with = with;
	HASH_ADD_KEYPTR(hh, *talks, with.p, with.n, t);
	return true;
}

static void
talks_free(struct talk **talks)
{
	struct talk *t, *next;

	HASH_ITER (hh, *talks, t, next) {
		HASH_DEL(*talks, t);
		free(t);
	}
}

bool
mem_talks(struct store_db *db, struct store_place at, uint32_t max,
	store_entry_fn fn, void *arg, struct err *err)
{
	const struct mem_place *pl = mem_place_find(db->data, at);
	size_t i = pl != NULL ? pl->log.n : 0;
	struct talk *talks = NULL;
	uint32_t n = 0;

	if (mem_is_lost(db, STORE_AT_READ, err))
		return false;
	if (i == 0 || !pl->log.p[i - 1]->placed)
		return true;
	while (i-- > 0 && n < max) {
		const struct mem_item *it = pl->log.p[i];
		const struct store_entry e = { .key = it->key,
			.with = it->with,
			.wall_us = it->wall_us };

		if (it->with.n == 0 || !talk_add(&talks, it->with))
			continue;
		n++;
		if (!fn(arg, &e))
			break;
	}
	talks_free(&talks);
	return true;
}
