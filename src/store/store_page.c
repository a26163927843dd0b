/*
 * store_page.c - part of a map.
 *
 * The asker's thread, and one of the store with its own handle.
 */
#include "config.h"

#include "store/store_int.h"

#include "base/arena.h"

/* A key that cannot be stored is no bound that anybody has been told. */
static void
bound_check(struct store_read *rd, struct str key)
{
	if (!rd->req.failed && !store_key_check(key, &rd->req.err)) {
		rd->req.failed = true;
		rd->req.err.code = ERR_MISSING;
	}
}

void
store_page(struct store *s, struct store_place at, const struct store_page *page,
	struct mailbox *reply, store_read_fn fn, void *arg)
{
	struct store_read *rd =
		store_read_new(STORE_READ_PAGE, at, STR_NONE, reply, arg);
	struct arena *a = rd->req.arena;

	bound_check(rd, page->after);
	bound_check(rd, page->before);
	if (!rd->req.failed) {
		rd->page = *page;
		rd->page.after = arena_str(a, page->after);
		rd->page.before = arena_str(a, page->before);
		rd->range.max_bytes = store_answer_bytes(page->max_bytes);
	}
	rd->fn = fn;
	store_submit_read(s, rd);
}

bool
store_page_find(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, store_entry_fn fn, void *arg, struct err *err)
{
	if (!d->page(db, rd->at, &rd->page, fn, arg, &rd->total, &rd->complete, err))
		return false;
	if (rd->page.backwards)
		store_found_turn_round(rd);
	return true;
}
