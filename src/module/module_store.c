/*
 * module_store.c - the store as modules use it: each question counts as pending
 * of its module until it is answered, so that no answer meets code that is gone.
 */
#include "config.h"

#include "module/module.h"
#include "module/module_int.h"

struct question {
	struct module_entry *entry;
	store_read_fn read;
	store_done_fn done;
	store_trim_fn trimmed;
	void *arg;
};

static struct question *
question_new(struct module_ctx *m, store_read_fn read, store_done_fn done,
	void *arg)
{
	struct question *q = xmalloc(sizeof(*q));

	*q = (struct question){
		.entry = module_hold(m),
		.read = read,
		.done = done,
		.arg = arg,
	};
	return q;
}

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct question q = *(struct question *)arg;

	free(arg);
	q.read(q.arg, answer, err);
	module_release(q.entry);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	struct question q = *(struct question *)arg;

	free(arg);
	q.done(q.arg, ok, err);
	module_release(q.entry);
}

static void
on_trimmed(void *arg, bool more, const struct err *err)
{
	struct question q = *(struct question *)arg;

	free(arg);
	q.trimmed(q.arg, more, err);
	module_release(q.entry);
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
module_page(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_page *page, store_read_fn fn, void *arg)
{
	store_page(sh->server->store, at, page, &sh->mailbox, on_read,
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
module_talks(struct module_ctx *m, struct shard *sh, struct store_place at,
	uint32_t max, store_read_fn fn, void *arg)
{
	store_talks(sh->server->store, at, max, &sh->mailbox, on_read,
		question_new(m, fn, NULL, arg));
}

void
module_get_entries(struct module_ctx *m, struct shard *sh,
	struct store_place at, const struct str *ids, size_t n_ids,
	size_t max_bytes, store_read_fn fn, void *arg)
{
	store_get_entries(sh->server->store, at, ids, n_ids, max_bytes,
		&sh->mailbox, on_read, question_new(m, fn, NULL, arg));
}

void
module_list_many(struct module_ctx *m, struct shard *sh, struct str host,
	struct str owner, const struct str *names, size_t n_names,
	store_read_fn fn, void *arg)
{
	store_list_many(sh->server->store, host, owner, names, n_names,
		&sh->mailbox, on_read, question_new(m, fn, NULL, arg));
}

void
module_owners(struct module_ctx *m, struct shard *sh, struct str host,
	struct str name, struct str after, uint32_t max, store_read_fn fn, void *arg)
{
	store_owners(sh->server->store, host, name, after, max, &sh->mailbox,
		on_read, question_new(m, fn, NULL, arg));
}

void
module_trim(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_trim *trim, store_trim_fn fn, void *arg)
{
	struct question *q = question_new(m, NULL, NULL, arg);

	q->trimmed = fn;
	store_trim(sh->server->store, at, trim, &sh->mailbox, on_trimmed, q);
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
