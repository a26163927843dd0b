/*
 * upload_delete.c - a file goes: because it is due, its user or an operator says so,
 * he has retracted the message that carried it, or his account has gone.
 *
 * The file goes first, then its record, with what it counted for its user and what is
 * noted of messages with it, in one transaction.  So what a crash leaves is a record
 * without a file, which is found again by its time, or by whoever asks again.
 */
#include "config.h"

#include "upload.h"

struct delete_job {
	struct upload_job job; /* first */
	struct upload_going going;
	bool is_going;
	bool counted;  /* off what the user has */
	struct module_entry *entry; /* held until the file has gone */
	struct shard *shard;
	struct arena *arena;        /* of host, and of the texts of record */
	struct str host;
	struct upload_record record;
	struct err why;
	upload_done_fn fn;
	void *arg;
};

static struct delete_job *
delete_of(struct upload_job *job)
{
	return CONTAINER_OF(job, struct delete_job, job);
}

/* --- the record, at the place of the user ----------------------------------------------- */

static void
delete_end(struct delete_job *d)
{
	if (d->is_going)
		LIST_REMOVE(&d->going, link);
	upload_job_end(&d->job);
}

/* err NULL: the module has gone. */
static void
delete_fail(struct delete_job *d, const struct err *err)
{
	if (err != NULL)
		d->why = *err;
	else
		err_set(&d->why, ERR_CLOSED, "the module has gone");
	delete_end(d);
}

static void
on_deleted(void *arg, bool ok, const struct err *err)
{
	struct delete_job *d = arg;

	if (!ok) {
		d->why = *err;
		if (d->counted)
			upload_usage_more(&d->job.user->usage, d->record.bytes);
	}
	delete_end(d);
}

/* Of an account before this one nothing counts. */
static bool
counts_for(const struct upload_user *u, const struct upload_record *r)
{
	return !u->gone && u->stored && str_is(r->series, u->series);
}

/* The module at the host, while it is in force there. */
static struct module_ctx *
delete_module(const struct delete_job *d, struct shard *sh)
{
	return upload_module(sh, d->host, d->entry);
}

static void
on_messages(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct delete_job *d = arg;
	struct upload_user *u = d->job.user;
	struct module_ctx *m = delete_module(d, u->here->shard);
	struct store_tx *tx;

	if (err != NULL || m == NULL) {
		delete_fail(d, err);
		return;
	}
	tx = store_tx_new();
	store_tx_delete_entry(tx, upload_log(d->host), d->record.id);
	d->counted = counts_for(u, &d->record);
	if (d->counted) {
		upload_usage_less(&u->usage, d->record.bytes);
		upload_user_write(u, tx);
		upload_sent_forget(tx,
			upload_sent_place(u, d->arena, d->record.id), answer);
	}
	module_commit(m, u->here->shard, tx, on_deleted, d);
}

static void
on_still_there(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct delete_job *d = arg;
	struct upload_user *u = d->job.user;
	struct module_ctx *m = delete_module(d, u->here->shard);

	if (err != NULL || m == NULL)
		delete_fail(d, err);
	else if (answer->n == 0)
		delete_end(d);
	else
		module_list(m, u->here->shard,
			upload_sent_place(u, d->arena, d->record.id),
			on_messages, d);
}

bool
upload_is_going(const struct upload_user *u, struct str id)
{
	const struct upload_going *g;

	LIST_FOREACH (g, &u->going, link)
		if (str_is(id, g->id))
			return true;
	return false;
}

/* Two may say so at once: it counts once. */
static void
delete_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct delete_job *d = delete_of(job);

	if (upload_is_going(u, d->record.id)) {
		upload_job_end(job);
		return;
	}
	memcpy(d->going.id, d->record.id.p, UPLOAD_ID_BYTES);
	LIST_INSERT_HEAD(&u->going, &d->going, link);
	d->is_going = true;
	module_get_entries(m, u->here->shard, upload_log(str_c(u->host)),
		&d->record.id, 1, STORE_RANGE_MAX, on_still_there, d);
}

/* --- at home ---------------------------------------------------------------------------- */

static void
delete_tell(struct delete_job *d)
{
	d->fn(d->arg, d->why.code != ERR_NONE ? &d->why : NULL);
	arena_free(d->arena);
}

static void
on_delete_home(struct shard *sh, struct upload_job *job)
{
	struct delete_job *d = delete_of(job);

	(void)sh;
	if (job->err.code != ERR_NONE)
		d->why = job->err;
	delete_tell(d);
}

/* --- the file ----------------------------------------------------------------------------- */

static void
on_file_removed(void *arg, const struct err *why)
{
	struct delete_job *d = arg;
	struct module_entry *entry = d->entry;
	struct module_ctx *m = delete_module(d, d->shard);

	if (why == NULL && m != NULL) {
		upload_ask(m, d->shard, &d->job, d->host, d->record.user);
	} else {
		if (why != NULL)
			d->why = *why;
		else
			err_set(&d->why, ERR_CLOSED, "the module has gone");
		delete_tell(d);
		free(d);
	}
	module_release(entry);
}

static void
record_copy(struct delete_job *d, const struct upload_record *r)
{
	d->record = *r;
	d->record.id = arena_str(d->arena, r->id);
	d->record.user = arena_str(d->arena, r->user);
	d->record.series = arena_str(d->arena, r->series);
	d->record.name = STR_NONE;
	d->record.type = STR_NONE;
}

/* Called by a mail: no answer comes before upload_delete() has returned. */
static void
on_no_storage(struct shard *sh, void *arg)
{
	struct delete_job *d = arg;
	struct err err = d->why;

	(void)sh;
	d->why.code = ERR_NONE;
	on_file_removed(d, &err);
}

void
upload_delete(struct module_ctx *m, struct shard *sh, struct str host,
	const struct upload_record *record, upload_done_fn fn, void *arg)
{
	struct delete_job *d = xcalloc(1, sizeof(*d));
	struct upload_storage *s = upload_storage_of(m, sh, &d->why);

	d->arena = arena_new();
	d->entry = module_hold(m);
	d->shard = sh;
	d->host = arena_str(d->arena, host);
	d->fn = fn;
	d->arg = arg;
	d->job.run = delete_run;
	d->job.done = on_delete_home;
	record_copy(d, record);
	if (s == NULL || !STORAGE->remove(s, d->host, d->record.id,
				 on_file_removed, d, &d->why))
		shard_post(sh, on_no_storage, d, 0);
}
