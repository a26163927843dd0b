/*
 * memory_trim.c - entries of logs in memory go.
 *
 * Called by the table in memory.c, on the writer's thread.
 */
#include "config.h"

#include "store/memory/memory_int.h"

bool
mem_del_entry(struct store_db *db, struct store_place at, struct str id,
	struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_item *it = pl != NULL ? mem_log_find(pl, id) : NULL;

	(void)err;
	if (it != NULL)
		mem_change_do(db->data, pl, it, true, false);
	return true;
}

/* The first item that stays. */
static size_t
trim_end(const struct mem_place *pl, struct str id)
{
	const struct mem_item *it;
	long long number;

	if (pl->log.n == 0)
		return 0;
	if (pl->log.p[0]->numbered) {
		if (!str_to_int(id, 0, INT64_MAX - 1, &number))
			return 0;
		return mem_list_search(
			&pl->log, true, STR_NONE, (uint64_t)number + 1);
	}
	it = mem_log_find(pl, id);
	return it != NULL ?
		mem_list_search(&pl->log, true, STR_NONE, it->seq + 1) :
		0;
}

bool
mem_trim_to(struct store_db *db, struct store_place at, struct str id,
	struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);

	(void)err;
	for (size_t n = pl != NULL ? trim_end(pl, id) : 0; n > 0; n--)
		mem_change_do(db->data, pl, pl->log.p[0], true, false);
	return true;
}

bool
mem_trim_age(struct store_db *db, struct store_place at, int64_t wall_us,
	struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);

	(void)err;
	for (size_t i = pl != NULL ? pl->log.n : 0; i-- > 0;) {
		if (pl->log.p[i]->wall_us < wall_us)
			mem_change_do(
				db->data, pl, pl->log.p[i], true, false);
	}
	return true;
}

bool
mem_trim_count(struct store_db *db, struct store_place at, uint64_t keep,
	struct err *err)
{
	struct mem_place *pl = mem_place_find(db->data, at);

	(void)err;
	while (pl != NULL && pl->log.n > keep)
		mem_change_do(db->data, pl, pl->log.p[0], true, false);
	return true;
}

/* Is it a value of log? */
static bool
is_named_in(const struct mem_place *log, const struct mem_item *it)
{
	size_t i = 0;

	while (log != NULL && i < log->log.n &&
		!str_eq(log->log.p[i]->value, it->key))
		i++;
	return log != NULL && i < log->log.n;
}

bool
mem_trim_bytes(struct store_db *db, struct store_place at, uint64_t max_bytes,
	struct str spared, struct err *err)
{
	struct store_place other = { at.host, at.owner, spared };
	struct mem_place *pl = mem_place_find(db->data, at);
	const struct mem_place *but =
		spared.n != 0 ? mem_place_find(db->data, other) : NULL;
	uint64_t bytes = 0;
	size_t i = 0;

	(void)err;
	if (pl == NULL)
		return true;
	for (size_t n = 0; n < pl->log.n; n++)
		bytes += pl->log.p[n]->value.n + STORE_ENTRY_BYTES;
	while (bytes > max_bytes && i + 1 < pl->log.n) {
		if (is_named_in(but, pl->log.p[i])) {
			i++;
			continue;
		}
		bytes -= pl->log.p[i]->value.n + STORE_ENTRY_BYTES;
		mem_change_do(db->data, pl, pl->log.p[i], true, false);
	}
	return true;
}
