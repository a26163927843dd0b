/*
 * store_read.c - questions, from being asked to being answered.
 *
 * The first half runs on the asker's thread, store_read_batch() on a thread of
 * the store with its own handle, the callback on the asker's thread again.
 */
#include "config.h"

#include "store/store_int.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/share.h"

/* --- asking ------------------------------------------------------------- */

static struct str
copy(struct arena *a, struct str s)
{
	return s.p != NULL ? arena_str(a, s) : STR("");
}

/* Mailbox owner's thread. */
static void
on_read_answered(struct mail *m, void *owner)
{
	struct store_req *req = CONTAINER_OF(m, struct store_req, mail);
	struct store_read *rd = CONTAINER_OF(req, struct store_read, req);
	struct store_answer answer = {
		.entries = rd->found.p,
		.n = rd->found.n,
		.total = rd->total,
		.complete = rd->complete,
	};

	(void)owner;
	/* and what is made of it */
	share_set(arena_share(req->arena));
	if (req->failed)
		answer = (struct store_answer){ .n = 0 };
	if (rd->kind != STORE_READ_BACKUP)
		rd->fn(req->arg, &answer, req->failed ? &req->err : NULL);
	else if (rd->done != NULL)
		rd->done(
			req->arg, !req->failed, req->failed ? &req->err : NULL);
	share_set(NULL);
	arena_free(req->arena);
}

struct store_read *
store_read_new(enum store_read_kind kind, struct store_place at, struct str key,
	struct mailbox *reply, void *arg)
{
	struct arena *a = arena_new();
	struct store_read *rd = arena_zalloc(a, sizeof(*rd));

	rd->kind = kind;
	rd->complete = true;
	rd->range.max_bytes = SIZE_MAX;
	rd->req.arena = a;
	rd->req.mail.run = on_read_answered;
	rd->req.reply = reply;
	rd->req.arg = arg;
	if (kind != STORE_READ_BACKUP &&
		(!store_place_check(at, &rd->req.err) ||
			!store_key_check(key, &rd->req.err))) {
		rd->req.failed = true;
		return rd;
	}
	rd->at.host = copy(a, at.host);
	rd->at.owner = copy(a, at.owner);
	rd->at.name = copy(a, at.name);
	rd->key = arena_str(a, key);
	return rd;
}

void
store_get(struct store *s, struct store_place at, struct str key,
	struct mailbox *reply, store_read_fn fn, void *arg)
{
	struct store_read *rd = store_read_new(STORE_READ_GET, at, key, reply, arg);

	if (rd->key.p == NULL)
		rd->key = STR("");
	rd->fn = fn;
	store_submit_read(s, rd);
}

void
store_list(struct store *s, struct store_place at, struct mailbox *reply,
	store_read_fn fn, void *arg)
{
	struct store_read *rd =
		store_read_new(STORE_READ_LIST, at, STR_NONE, reply, arg);

	rd->fn = fn;
	store_submit_read(s, rd);
}

void
store_list_many(struct store *s, struct str host, struct str owner,
	const struct str *names, size_t n_names, struct mailbox *reply,
	store_read_fn fn, void *arg)
{
	struct store_place at = { host, owner, STR_NONE };
	struct store_read *rd =
		store_read_new(STORE_READ_LIST_MANY, at, STR_NONE, reply, arg);
	struct arena *a = rd->req.arena;

	rd->names = arena_alloc(a, n_names * sizeof(*rd->names));
	rd->n_names = n_names;
	for (size_t i = 0; i < n_names; i++) {
		if (!store_key_check(names[i], &rd->req.err))
			rd->req.failed = true;
		rd->names[i] = copy(a, names[i]);
	}
	rd->fn = fn;
	store_submit_read(s, rd);
}

void
store_owners(struct store *s, struct str host, struct str name,
	struct str after, uint32_t max, struct mailbox *reply, store_read_fn fn,
	void *arg)
{
	struct store_place at = { host, STR_NONE, name };
	struct store_read *rd =
		store_read_new(STORE_READ_OWNERS, at, after, reply, arg);

	rd->max = max;
	rd->fn = fn;
	store_submit_read(s, rd);
}

void
store_log_owners(struct store *s, struct str host, struct str name,
	struct str after, uint32_t max, struct mailbox *reply, store_read_fn fn,
	void *arg)
{
	struct store_place at = { host, STR_NONE, name };
	struct store_read *rd =
		store_read_new(STORE_READ_LOG_OWNERS, at, after, reply, arg);

	rd->max = max;
	rd->fn = fn;
	store_submit_read(s, rd);
}

/* An id that cannot be stored is unknown; one who pages with it must learn the
 * same as with any other unknown id. */
static void
id_check(struct store_read *rd, struct str id)
{
	if (!rd->req.failed && !store_key_check(id, &rd->req.err)) {
		rd->req.failed = true;
		rd->req.err.code = ERR_MISSING;
	}
}

size_t
store_answer_bytes(size_t max_bytes)
{
	return max_bytes == 0 ? STORE_RANGE_MAX :
				MIN(max_bytes, STORE_RANGE_MAX);
}

void
store_range(struct store *s, struct store_place at,
	const struct store_range *range, struct mailbox *reply,
	store_read_fn fn, void *arg)
{
	struct store_read *rd =
		store_read_new(STORE_READ_RANGE, at, range->with, reply, arg);
	struct arena *a = rd->req.arena;

	if (!rd->req.failed && range->by_time &&
		(range->with.p != NULL || range->words.p != NULL ||
			range->before_id.p != NULL || range->backwards))
		rd->req.failed = !err_set(&rd->req.err, ERR_INVALID,
			"the order of times is asked for with something else");
	id_check(rd, range->after_id);
	id_check(rd, range->before_id);
	if (!rd->req.failed && !store_wanted_check(range->words, &rd->req.err))
		rd->req.failed = true;
	if (!rd->req.failed) {
		rd->range = *range;
		rd->range.words = arena_str(a, range->words);
		rd->range.max_bytes = store_answer_bytes(range->max_bytes);
		rd->range.with = rd->key;
		rd->range.after_id = arena_str(a, range->after_id);
		rd->range.before_id = arena_str(a, range->before_id);
	}
	rd->fn = fn;
	store_submit_read(s, rd);
}

/* An id that cannot be stored is found nowhere. */
void
store_get_entries(struct store *s, struct store_place at, const struct str *ids,
	size_t n_ids, size_t max_bytes, struct mailbox *reply, store_read_fn fn,
	void *arg)
{
	struct store_read *rd =
		store_read_new(STORE_READ_ENTRIES, at, STR_NONE, reply, arg);
	struct arena *a = rd->req.arena;

	rd->names = arena_alloc(a, n_ids * sizeof(*rd->names));
	rd->n_names = n_ids;
	for (size_t i = 0; i < n_ids; i++)
		rd->names[i] = copy(a, ids[i]);
	rd->range.max_bytes = store_answer_bytes(max_bytes);
	rd->fn = fn;
	store_submit_read(s, rd);
}

void
store_backup(struct store *s, const char *path, struct mailbox *reply,
	store_done_fn done, void *arg)
{
	struct store_place at = { .name = STR_NONE };
	struct store_read *rd =
		store_read_new(STORE_READ_BACKUP, at, STR_NONE, reply, arg);

	rd->key = arena_str(rd->req.arena, str_c(path));
	rd->done = done;
	store_submit_read(s, rd);
}

/* --- finding ------------------------------------------------------------ */

struct finder {
	struct store_read *rd;
	bool too_much;
};

static bool
is_list(const struct store_read *rd)
{
	return rd->kind == STORE_READ_LIST || rd->kind == STORE_READ_LIST_MANY;
}

static bool
on_entry_found(void *arg, const struct store_entry *found)
{
	struct finder *f = arg;
	struct store_read *rd = f->rd;
	struct arena *a = rd->req.arena;
	struct store_entry *e;

	rd->bytes += sizeof(*e) + found->key.n + found->value.n + found->with.n;
	if (is_list(rd) && rd->bytes > STORE_ANSWER_MAX) {
		f->too_much = true;
		return false;
	}
	e = vec_push_in(a, &rd->found);
	e->key = arena_str(a, found->key);
	e->value = arena_str(a, found->value);
	/* the names of maps are the request's own */
	e->with = rd->kind == STORE_READ_LIST_MANY ? found->with
						   : arena_str(a, found->with);
	e->wall_us = found->wall_us;
	e->total = found->total;
	e->bytes = found->bytes;
	e->last = found->last;
	return rd->bytes < rd->range.max_bytes;
}

static bool
too_large(struct str name, struct err *err)
{
	return err_set(err, ERR_LIMIT,
		"the map %.200s is too large to be read whole", name.p);
}

static bool
map_list(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, struct err *err)
{
	struct finder f = { .rd = rd };

	if (!d->list(db, rd->at, on_entry_found, &f, err))
		return false;
	return !f.too_much || too_large(rd->at.name, err);
}

/* Drivers find the maps in an order of theirs. */
static void
entries_sort(struct store_read *rd)
{
	struct arena *a = rd->req.arena;
	struct store_entries found = rd->found;

	rd->found = (struct store_entries){ .n = 0 };
	for (size_t i = 0; i < rd->n_names; i++) {
		for (size_t j = 0; j < found.n; j++) {
			if (found.p[j].with.p == rd->names[i].p)
				*vec_push_in(a, &rd->found) = found.p[j];
		}
	}
}

/* Of logs that were asked for. */
static bool
on_size_found(void *arg, const struct store_entry *found)
{
	struct finder *f = arg;
	struct store_entry e = *found;

	for (size_t i = 0; i < f->rd->n_names; i++) {
		if (str_eq(f->rd->names[i], found->with)) {
			e.with = f->rd->names[i];
			return on_entry_found(f, &e);
		}
	}
	return true;
}

static bool
maps_list(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, struct err *err)
{
	struct finder f = { .rd = rd };

	if (!d->list_many(db, rd->at.host, rd->at.owner, rd->names, rd->n_names,
		    on_entry_found, &f, err))
		return false;
	if (f.too_much)
		return too_large(rd->found.p[rd->found.n - 1].with, err);
	entries_sort(rd);
	return d->sizes(db, rd->at.host, rd->at.owner, on_size_found, &f, err);
}

void
store_found_turn_round(struct store_read *rd)
{
	struct store_entry *entries = rd->found.p;

	for (size_t i = 0, j = rd->found.n; i + 1 < j; i++) {
		struct store_entry e = entries[i];

		entries[i] = entries[--j];
		entries[j] = e;
	}
}

static bool
log_range(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, struct err *err)
{
	struct finder f = { .rd = rd };

	if (!d->range(db, rd->at, &rd->range, on_entry_found, &f, &rd->total,
		    &rd->complete, err))
		return false;
	if (rd->range.backwards)
		store_found_turn_round(rd);
	return true;
}

/* One more than asked for tells whether there are more. */
static bool
owners_list(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, struct err *err)
{
	struct finder f = { .rd = rd };
	uint32_t max = MIN(rd->max, UINT32_MAX - 1);
	bool logs = rd->kind == STORE_READ_LOG_OWNERS;

	if (!(logs ? d->log_owners : d->owners)(db, rd->at.host,
		    rd->at.name, rd->key, max + 1, on_entry_found, &f, err))
		return false;
	rd->complete = rd->found.n <= max;
	rd->found.n = MIN(rd->found.n, max);
	return true;
}

static bool
read_find(const struct store_driver *d, struct store_db *db,
	struct store_read *rd, struct err *err)
{
	struct finder f = { .rd = rd };

	switch (rd->kind) {
	case STORE_READ_GET:
		return d->get(db, rd->at, rd->key, on_entry_found, &f, err);
	case STORE_READ_LIST:
		return map_list(d, db, rd, err);
	case STORE_READ_PAGE:
		return store_page_find(d, db, rd, on_entry_found, &f, err);
	case STORE_READ_LIST_MANY:
		return maps_list(d, db, rd, err);
	case STORE_READ_OWNERS:
	case STORE_READ_LOG_OWNERS:
		return owners_list(d, db, rd, err);
	case STORE_READ_RANGE:
		return log_range(d, db, rd, err);
	case STORE_READ_ENTRIES:
		return d->get_entries(db, rd->at, rd->names, rd->n_names,
			on_entry_found, &f, &rd->complete, err);
	case STORE_READ_TALKS:
		return store_talks_find(d, db, rd, on_entry_found, &f, err);
	case STORE_READ_BACKUP:
		break;
	}
	return err_set(err, ERR_INVALID, "not a read");
}

static void
read_failed(struct store_read *rd, const struct err *why)
{
	rd->req.failed = true;
	rd->req.err = *why;
	/* it makes sense to ask again */
	if (why->code == ERR_LOST)
		rd->req.err.code = ERR_BUSY;
}

/* What was found until it was lost goes, and its memory: that of each try would
 * be as much as the whole answer. */
static void
read_reset(struct store_read *rd, struct arena_mark asked)
{
	arena_rewind(rd->req.arena, asked);
	rd->found = (struct store_entries){ .n = 0 };
	rd->bytes = 0;
	rd->total = 0;
	rd->complete = true;
}

/* Answers as many from one view as fit into memory; done gets them.  False with
 * err when the database is gone: what is left in batch was not read. */
static bool
view_run(struct store *s, struct store_db *db, struct store_req_list *batch,
	struct store_req_list *done, struct err *err)
{
	const struct store_driver *d = s->driver;
	bool begun = !store_is_to_fail(s, false, err) && d->begin(db, err);
	bool lost = !begun && err->code == ERR_LOST;
	size_t bytes = 0;
	struct store_req *req;

	while (!lost && (req = STAILQ_FIRST(batch)) != NULL &&
		bytes < STORE_BATCH_BYTES) {
		struct store_read *rd =
			CONTAINER_OF(req, struct store_read, req);
		struct arena_mark asked = arena_mark(req->arena);
		bool ok = begun && read_find(d, db, rd, err);

		lost = !ok && err->code == ERR_LOST;
		if (lost) {
			read_reset(rd, asked);
			break;
		}
		if (!ok)
			read_failed(rd, err);
		STAILQ_REMOVE_HEAD(batch, link);
		STAILQ_INSERT_TAIL(done, req, link);
		bytes += rd->bytes;
	}
	if (begun)
		d->rollback(db);
	return !lost;
}

static void
answer_all(struct store *s, struct store_req_list *done)
{
	struct store_req *req;

	store_finished(s, done);
	while ((req = STAILQ_FIRST(done)) != NULL) {
		STAILQ_REMOVE_HEAD(done, link);
		store_req_answer(s, req);
	}
}

/* Those that were tried long enough have failed; the others wait again, before
 * all that came after them. */
static void
reads_lost(struct store *s, struct store_req_list *batch, const struct err *why)
{
	struct store_req_list again = STAILQ_HEAD_INITIALIZER(again);
	struct store_req_list failed = STAILQ_HEAD_INITIALIZER(failed);
	struct store_req *req;
	int64_t due_us = 0;
	unsigned n = 0;

	while ((req = STAILQ_FIRST(batch)) != NULL) {
		STAILQ_REMOVE_HEAD(batch, link);
		if (store_loss_again(&req->loss)) {
			STAILQ_INSERT_TAIL(&again, req, link);
			due_us = MAX(due_us, req->loss.retry_us);
			n++;
		} else {
			read_failed(
				CONTAINER_OF(req, struct store_read, req), why);
			STAILQ_INSERT_TAIL(&failed, req, link);
		}
	}
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&again, &s->reads);
	STAILQ_CONCAT(&s->reads, &again);
	s->n_reads += n;
	s->reads_due_us = due_us;
	pthread_mutex_unlock(&s->lock);
	answer_all(s, &failed);
}

bool
store_read_batch(
	struct store *s, struct store_db *db, struct store_req_list *batch)
{
	struct store_req_list done = STAILQ_HEAD_INITIALIZER(done);
	bool ok = true;

	while (ok && !STAILQ_EMPTY(batch)) {
		struct err err = ERR_INIT;

		ok = view_run(s, db, batch, &done, &err);
		answer_all(s, &done);
		if (!ok)
			reads_lost(s, batch, &err);
	}
	return ok;
}

void
store_backup_run(struct store *s, struct store_db *db, struct store_read *rd)
{
	struct store_req_list done = STAILQ_HEAD_INITIALIZER(done);
	struct err err = rd->req.err;

	if (rd->req.failed || !s->driver->backup(db, rd->key.p, &err))
		read_failed(rd, &err);
	STAILQ_INSERT_TAIL(&done, &rd->req, link);
	answer_all(s, &done);
}
