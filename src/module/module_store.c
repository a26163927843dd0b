/*
 * module_store.c - the store as modules use it: each question counts as pending
 * of its module until it is answered, so that no answer meets code that is gone;
 * and the same for questions to others.
 */
#include "config.h"

#include "module/module.h"
#include "module/module_int.h"

struct question {
	struct module_entry *entry;
	store_read_fn read;
	store_done_fn done;
	void *arg;
};

static struct question *
question_new(struct module_ctx *m, store_read_fn read, store_done_fn done,
	void *arg)
{
	struct question *q = xmalloc(sizeof(*q));

	*q = (struct question){ m->entry, read, done, arg };
	atomic_fetch_add(&m->entry->pending, 1);
	return q;
}

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct question q = *(struct question *)arg;

	free(arg);
	q.read(q.arg, answer, err);
	atomic_fetch_sub(&q.entry->pending, 1);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	struct question q = *(struct question *)arg;

	free(arg);
	q.done(q.arg, ok, err);
	atomic_fetch_sub(&q.entry->pending, 1);
}

void
module_get(struct module_ctx *m, struct shard *sh, struct store_place at,
	struct str key, store_read_fn fn, void *arg)
{
	store_get(sh->server->store, at, key, &sh->mailbox, on_read,
		question_new(m, fn, NULL, arg));
}

void
module_list(struct module_ctx *m, struct shard *sh, struct store_place at,
	store_read_fn fn, void *arg)
{
	store_list(sh->server->store, at, &sh->mailbox, on_read,
		question_new(m, fn, NULL, arg));
}

void
module_range(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_range *range, store_read_fn fn, void *arg)
{
	store_range(sh->server->store, at, range, &sh->mailbox, on_read,
		question_new(m, fn, NULL, arg));
}

void
module_commit(struct module_ctx *m, struct shard *sh, struct store_tx *tx,
	store_done_fn fn, void *arg)
{
	if (fn == NULL)
		shard_commit(sh, tx, NULL, NULL);
	else
		shard_commit(sh, tx, on_done,
			question_new(m, NULL, fn, arg));
}

/* --- other answers ---------------------------------------------------------------- */

struct module_entry *
module_hold(struct module_ctx *m)
{
	atomic_fetch_add(&m->entry->pending, 1);
	return m->entry;
}

/* Closing visits every shard before, this one among them, so that the caller has
 * returned by then. */
void
module_release(struct module_entry *entry)
{
	atomic_fetch_sub(&entry->pending, 1);
}

struct module_ctx *
module_at_host(const struct host *host, const struct module_entry *entry)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		if (host->modules[i].entry == entry)
			return &host->modules[i];
	}
	return NULL;
}
