/*
 * store_talks.c - with whom the entries of a log are.
 *
 * The asker's thread, and one of the store with its own handle.
 */
#include "config.h"

#include "store/store_int.h"

#include "base/mem.h"

void
store_talks(struct store *s, struct store_place at, uint32_t max,
	struct mailbox *reply, store_read_fn fn, void *arg)
{
	struct store_read *rd =
		store_read_new(STORE_READ_TALKS, at, STR_NONE, reply, arg);

	rd->max = MIN(max, UINT32_MAX - 1);
	rd->fn = fn;
	store_submit_read(s, rd);
}

/* One more than asked for tells whether there are more. */
bool
store_talks_find(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, store_entry_fn fn, void *arg, struct err *err)
{
	if (!d->talks(db, rd->at, rd->max + 1, fn, arg, err))
		return false;
	rd->complete = rd->found.n <= rd->max;
	rd->found.n = MIN(rd->found.n, rd->max);
	return true;
}
