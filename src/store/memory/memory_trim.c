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

/* Whatever waits in log under the name of it gets its value. */
static void
heirs_take(struct mem_data *d, struct mem_place *log, const struct mem_item *it)
{
	for (size_t i = 0; i < log->log.n; i++) {
		if (str_eq(log->log.p[i]->value, it->key))
			mem_item_change(
				d, log, log->log.p[i], it->value, STR_NONE);
	}
}

/* Of those that wait under the name of any entry, at most STORE_TRIM_MAX; were there
 * so many? */
static bool
heirs_move(struct mem_data *d, const struct mem_place *pl,
	struct mem_place *waits)
{
	size_t n = 0;

	for (size_t i = 0; i < waits->log.n && n < STORE_TRIM_MAX; i++) {
		struct mem_item *heir = waits->log.p[i];
		const struct mem_item *it = mem_log_find(pl, heir->value);

		if (it == NULL)
			continue;
		n++;
		mem_item_change(d, waits, heir, it->value, STR_NONE);
	}
	return n == STORE_TRIM_MAX;
}

static void
all_go(struct mem_data *d, struct mem_place *pl, struct mem_place *waits,
	bool *more_out)
{
	*more_out = waits != NULL && heirs_move(d, pl, waits);
	while (!*more_out && pl->log.n != 0)
		mem_change_do(d, pl, pl->log.p[pl->log.n - 1], true, false);
}

static uint64_t
log_bytes(const struct mem_place *pl)
{
	uint64_t bytes = pl->log.n * STORE_ENTRY_BYTES;

	for (size_t i = 0; i < pl->log.n; i++)
		bytes += pl->log.p[i]->value.n;
	return bytes;
}

/* Then all of it goes at once, or in slices. */
static bool
is_long(const struct mem_place *pl, uint64_t bytes)
{
	return pl->log.n > STORE_TRIM_MAX ||
		bytes - pl->log.n * STORE_ENTRY_BYTES > STORE_TRIM_BYTES;
}

bool
mem_trim_oldest(struct store_db *db, struct store_place at,
	const struct store_trim *trim, bool *more_out, struct err *err)
{
	struct store_place other = { at.host, at.owner, trim->waits };
	struct mem_place *pl = mem_place_find(db->data, at);
	struct mem_place *waits =
		trim->waits.n != 0 ? mem_place_find(db->data, other) : NULL;
	size_t n = 0, n_up_to;
	uint64_t bytes = 0, left;

	*more_out = false;
	if (mem_is_lost(db, STORE_AT_WRITE, err))
		return false;
	if (pl == NULL)
		return true;
	if (waits == pl)
		waits = NULL;
	left = log_bytes(pl);
	n_up_to = trim->up_to.p != NULL ? trim_end(pl, trim->up_to) : 0;
	if (n_up_to == pl->log.n && is_long(pl, left)) {
		all_go(db->data, pl, waits, more_out);
		return true;
	}
	while (pl->log.n != 0) {
		struct mem_item *it = pl->log.p[0];

		if (n >= n_up_to &&
			(trim->before_us == 0 ||
				it->wall_us >= trim->before_us) &&
			(trim->max_bytes == 0 || pl->log.n == 1 ||
				left <= trim->max_bytes))
			return true;
		*more_out = n == STORE_TRIM_MAX || bytes >= STORE_TRIM_BYTES;
		if (*more_out)
			return true;
		if (waits != NULL)
			heirs_take(db->data, waits, it);
		n++;
		bytes += it->value.n;
		left -= it->value.n + STORE_ENTRY_BYTES;
		mem_change_do(db->data, pl, it, true, false);
	}
	return true;
}
