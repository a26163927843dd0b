/*
 * memory_batch.c - a whole batch at once, and what became of it: in memory
 * there are no round trips to save, but there is the contract to show.
 *
 * The writer's thread; called by the table in memory.c.
 */
#include "config.h"

#include "store/memory/memory_int.h"

#include "base/err.h"
#include "base/mem.h"

/* False when all of the batch is lost. */
static bool
part_apply(struct store_db *db, const struct store_part *part, struct err *err)
{
	const struct store_op *op;

	if (part->rests_on != NULL && part->rests_on->err->code != ERR_NONE) {
		err_set(part->err, ERR_STORAGE,
			"a change before it could not be stored");
		return true;
	}
	mem_savepoint(db, err);
	STAILQ_FOREACH (op, part->ops, link) {
		if (store_op_apply(&store_memory, db, op, err))
			continue;
		mem_revert(db);
		if (err->code == ERR_LOST)
			return false;
		*part->err = *err;
		return true;
	}
	return true;
}

static void
results_keep(struct mem_data *d, struct store_part *const *parts, size_t n)
{
	d->results.n = 0;
	for (size_t i = 0; i < n; i++)
		*vec_push(&d->results) = *parts[i]->err;
}

bool
mem_write_batch(struct store_db *db, struct store_part *const *parts, size_t n,
	struct err *err)
{
	bool ok = true;

	/* the writer's own; also if it does not even begin */
	db->data->done = false;
	if (!mem_begin(db, err))
		return false;
	for (size_t i = 0; ok && i < n; i++)
		ok = part_apply(db, parts[i], err);
	if (ok && mem_commit(db, err))
		return true;
	/* nobody else has heard of it */
	if (db->data->done)
		results_keep(db->data, parts, n);
	mem_rollback(db);
	return false;
}

bool
mem_was_done(struct store_db *db, struct store_part *const *parts, size_t n,
	bool *done_out, struct err *err)
{
	struct mem_data *d = db->data;
	bool lost;

	pthread_mutex_lock(&d->lock);
	lost = mem_is_lost(db, STORE_AT_ASKED, err);
	*done_out = d->done;
	for (size_t i = 0; !lost && d->done && i < n; i++)
		*parts[i]->err = d->results.p[i];
	pthread_mutex_unlock(&d->lock);
	return !lost;
}
