/*
 * memory_read.c - questions to the store in memory.
 *
 * Called by the table in memory.c, with the lock of the data.
 */
#include "config.h"

#include "store/memory/memory_int.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

bool
mem_get(struct store_db *db, struct store_place at, struct str key,
	store_entry_fn fn, void *arg, struct err *err)
{
	const struct mem_place *pl = mem_place_find(db->data, at);
	const struct mem_item *it = pl != NULL ? mem_map_find(pl, key) : NULL;

	if (mem_is_lost(db, STORE_AT_READ, err))
		return false;
	if (it != NULL) {
		struct store_entry e = { .key = it->key, .value = it->value };

		fn(arg, &e);
	}
	return true;
}

bool
mem_list_map(struct store_db *db, struct store_place at, store_entry_fn fn,
	void *arg, struct err *err)
{
	const struct mem_place *pl = mem_place_find(db->data, at);

	if (mem_is_lost(db, STORE_AT_READ, err))
		return false;
	for (size_t i = 0; pl != NULL && i < pl->map.n; i++) {
		const struct mem_item *it = pl->map.p[i];
		struct store_entry e = { .key = it->key, .value = it->value };

		if (!fn(arg, &e))
			break;
	}
	return true;
}

/* The items [*lo, *hi) of the map that lie within the bounds. */
static void
page_bounds(const struct mem_list *map, const struct store_page *page, size_t *lo,
	size_t *hi)
{
	struct str after = page->after.p != NULL ? page->after : STR("");

	*lo = mem_list_search(map, false, after, 0);
	if (*lo < map->n && str_eq(map->p[*lo]->key, after))
		++*lo;
	*hi = page->before.p != NULL ?
		mem_list_search(map, false, page->before, 0) :
		map->n;
	if (*hi < *lo)
		*hi = *lo;
}

bool
mem_page(struct store_db *db, struct store_place at,
	const struct store_page *page, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err)
{
	const struct mem_place *pl = mem_place_find(db->data, at);
	size_t lo, hi, skip;

	if (mem_is_lost(db, STORE_AT_READ, err))
		return false;
	*complete_out = true;
	*total_out = page->count && pl != NULL ? pl->map.n : 0;
	if (pl == NULL)
		return true;
	page_bounds(&pl->map, page, &lo, &hi);
	skip = MIN(page->skip, hi - lo);
	for (size_t i = 0; i < hi - lo - skip; i++) {
		const struct mem_item *it = pl->map.p[page->backwards ?
				hi - 1 - skip - i :
				lo + skip + i];
		struct store_entry e = { .key = it->key, .value = it->value };

		if (i == page->max || !fn(arg, &e)) {
			*complete_out = false;
			break;
		}
	}
	return true;
}

bool
mem_list_many(struct store_db *db, struct str host, struct str owner,
	const struct str *names, size_t n, store_entry_fn fn, void *arg,
	struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct store_place at = { host, owner, names[i] };
		const struct mem_place *pl = mem_place_find(db->data, at);

		if (mem_is_lost(db, STORE_AT_READ, err))
			return false;
		for (size_t j = 0; pl != NULL && j < pl->map.n; j++) {
			struct store_entry e = {
				.key = pl->map.p[j]->key,
				.value = pl->map.p[j]->value,
				.with = names[i],
			};

			if (!fn(arg, &e))
				return true;
		}
	}
	return true;
}

static uint64_t
values_bytes(const struct mem_place *pl)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < pl->log.n; i++)
		bytes += pl->log.p[i]->value.n;
	return bytes;
}

static int
place_compare(const void *a, const void *b)
{
	const struct mem_place *left = *(struct mem_place *const *)a;
	const struct mem_place *right = *(struct mem_place *const *)b;

	return str_cmp(left->owner, right->owner);
}

/* Which places of this name, in the order of their owners: at most max are passed. */
static void
owners_pass(struct mem_data *d, struct store_place after, bool logs,
	uint32_t max, store_entry_fn fn, void *arg)
{
	struct mem_place *pl, *next, **found;
	size_t n = 0;

	found = xmalloc((HASH_COUNT(d->places) + 1) * sizeof(*found));
	HASH_ITER (hh, d->places, pl, next) {
		if ((logs ? pl->log.n : pl->map.n) != 0 &&
			str_eq(pl->host, after.host) &&
			str_eq(pl->name, after.name) &&
			(after.owner.p == NULL ||
				str_cmp(pl->owner, after.owner) > 0))
			found[n++] = pl;
	}
	qsort(found, n, sizeof(struct mem_place *), place_compare);
	for (size_t i = 0; i < MIN(n, max); i++) {
		struct store_entry e = { .key = found[i]->owner };

		if (logs) {
			e.total = found[i]->log.n;
			e.bytes = values_bytes(found[i]);
			e.wall_us = found[i]->log.p[0]->wall_us;
		}
		if (!fn(arg, &e))
			break;
	}
	free(found);
}

bool
mem_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err)
{
	(void)err;
	owners_pass(db->data, (struct store_place){ host, after, name }, false,
		max, fn, arg);
	return true;
}

bool
mem_log_owners(struct store_db *db, struct str host, struct str name,
	struct str after, uint32_t max, store_entry_fn fn, void *arg,
	struct err *err)
{
	(void)err;
	owners_pass(db->data, (struct store_place){ host, after, name }, true,
		max, fn, arg);
	return true;
}

static bool
item_matches(const struct mem_item *it, const struct store_range *range)
{
	return (range->with.p == NULL || str_eq(it->with, range->with)) &&
		(range->words.p == NULL ||
			(it->words.n != 0 &&
				store_has_words(it->words, range->words))) &&
		(range->since_us == 0 || it->wall_us >= range->since_us) &&
		(range->until_us == 0 || it->wall_us <= range->until_us);
}

/* The items [*lo, *hi) of the log; false when an id is unknown. */
static bool
range_narrow(const struct mem_place *pl, const struct store_range *range,
	size_t *lo, size_t *hi)
{
	const struct mem_item *it;

	*lo = 0;
	*hi = pl->log.n;
	if (range->after_id.p != NULL) {
		it = mem_log_find(pl, range->after_id);
		if (it == NULL)
			return false;
		*lo = mem_list_search(&pl->log, true, STR_NONE, it->seq + 1);
	}
	if (range->before_id.p != NULL) {
		it = mem_log_find(pl, range->before_id);
		if (it == NULL)
			return false;
		*hi = mem_list_search(&pl->log, true, STR_NONE, it->seq);
	}
	return true;
}

static bool
item_pass(const struct mem_item *it, store_entry_fn fn, void *arg)
{
	struct store_entry e = {
		.key = it->key,
		.value = it->value,
		.with = it->with,
		.wall_us = it->wall_us,
	};

	return fn(arg, &e);
}

/* Whether there are no more. */
static bool
range_pass(const struct mem_place *pl, const struct store_range *range,
	size_t lo, size_t hi, store_entry_fn fn, void *arg)
{
	uint32_t n = 0;

	while (lo < hi) {
		const struct mem_item *it =
			pl->log.p[range->backwards ? --hi : lo++];

		if (!item_matches(it, range))
			continue;
		if (n++ == range->max || !item_pass(it, fn, arg))
			return false;
	}
	return true;
}

static int
item_compare(const void *a, const void *b)
{
	const struct mem_item *left = *(struct mem_item *const *)a;
	const struct mem_item *right = *(struct mem_item *const *)b;

	if (left->wall_us != right->wall_us)
		return left->wall_us < right->wall_us ? -1 : 1;
	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

static bool
range_pass_by_time(const struct mem_place *pl, const struct store_range *range,
	store_entry_fn fn, void *arg)
{
	const struct mem_item *after = range->after_id.p != NULL ?
		mem_log_find(pl, range->after_id) : NULL;
	struct mem_list found = { .n = 0 };
	bool complete = true;

	for (size_t i = 0; i < pl->log.n; i++)
		if (item_matches(pl->log.p[i], range) && (after == NULL ||
				item_compare(&after, &pl->log.p[i]) < 0))
			*vec_push(&found) = pl->log.p[i];
	if (found.n != 0)
		qsort(found.p, found.n, sizeof(*found.p), item_compare);
	for (size_t i = 0; i < found.n && complete; i++)
		complete = i < range->max && item_pass(found.p[i], fn, arg);
	vec_done(&found);
	return complete;
}

bool
mem_sizes(struct store_db *db, struct str host, struct str owner,
	store_entry_fn fn, void *arg, struct err *err)
{
	struct mem_place *pl, *next;

	(void)err;
	HASH_ITER (hh, db->data->places, pl, next) {
		struct store_entry e = { .with = pl->name, .total = pl->log.n };

		if (pl->log.n == 0 || !str_eq(pl->host, host) ||
			!str_eq(pl->owner, owner))
			continue;
		e.bytes = values_bytes(pl);
		e.last = pl->log.p[pl->log.n - 1]->seq;
		e.wall_us = pl->log.p[pl->log.n - 1]->wall_us;
		if (!fn(arg, &e))
			break;
	}
	return true;
}

bool
mem_range(struct store_db *db, struct store_place at,
	const struct store_range *range, store_entry_fn fn, void *arg,
	uint64_t *total_out, bool *complete_out, struct err *err)
{
	static const struct mem_place none = { .label_n = 0 };
	const struct mem_place *pl = mem_place_find(db->data, at);
	size_t lo, hi;

	if (pl == NULL)
		pl = &none;
	if (mem_is_lost(db, STORE_AT_READ, err))
		return false;
	if (!range_narrow(pl, range, &lo, &hi))
		return err_set(err, ERR_MISSING, "no such entry in the log");
	if (range->by_time && pl->log.n != 0 && pl->log.p[0]->numbered)
		return err_set(err, ERR_INVALID,
			"the entries of a log without ids have no order of times");
	for (size_t i = 0; range->count && i < pl->log.n; i++)
		*total_out += item_matches(pl->log.p[i], range);
	*complete_out = range->by_time ?
		range_pass_by_time(pl, range, fn, arg) :
		range_pass(pl, range, lo, hi, fn, arg);
	return true;
}

bool
mem_get_entries(struct store_db *db, struct store_place at,
	const struct str *ids, size_t n, store_entry_fn fn, void *arg,
	bool *complete_out, struct err *err)
{
	const struct mem_place *pl = mem_place_find(db->data, at);
	bool more = true;
	size_t i;

	for (i = 0; i < n && more; i++) {
		const struct mem_item *it =
			pl != NULL ? mem_log_find(pl, ids[i]) : NULL;

		if (mem_is_lost(db, STORE_AT_READ, err))
			return false;
		if (it != NULL)
			more = item_pass(it, fn, arg);
	}
	*complete_out = i == n;
	return true;
}
