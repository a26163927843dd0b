/*
 * store_write.c - the writer's work: many transactions, one commit.
 *
 * On the writer thread (or in store_turn()).  Invariant: nothing is answered
 * before the commit it belongs to, and no read that waits for a ticket runs
 * before it either.
 *
 *   taken --> tried --(worked, or failed for good)--> answered
 *              ^ |
 *              | | the database is gone
 *              '-'
 *
 * What is tried again is the same batch, at its place: nothing overtakes it, and
 * a commit whose answer was lost is asked for before it is done again.
 */
#include "config.h"

#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static struct store_tx *
tx_of(struct store_req *req)
{
	return CONTAINER_OF(req, struct store_tx, req);
}

static bool
on_entry_found(void *arg, const struct store_entry *entry)
{
	bool *found = arg;

	(void)entry;
	*found = true;
	return false;
}

static bool
key_require(const struct store_driver *d, struct store_db *db,
	const struct store_op *op, struct err *err)
{
	bool found = false, complete,
	     ok = op->kind == STORE_OP_REQUIRE ?
		     d->get(db, op->at, op->key, on_entry_found, &found, err) :
		     d->get_entries(db, op->at, &op->key, 1, on_entry_found,
			     &found, &complete, err);

	if (!ok)
		return false;
	if (!found)
		return err_set(err, ERR_MISSING, "no such key in %.*s",
			STR_ARG(op->at.name));
	return true;
}

bool
store_op_apply(const struct store_driver *d, struct store_db *db,
	const struct store_op *op, struct err *err)
{
	bool more;

	switch (op->kind) {
	case STORE_OP_SET:
		return d->set(db, op->at, op->key, op->value, false, err);
	case STORE_OP_CREATE:
		return d->set(db, op->at, op->key, op->value, true, err);
	case STORE_OP_REQUIRE:
	case STORE_OP_REQUIRE_ENTRY:
		return key_require(d, db, op, err);
	case STORE_OP_DELETE:
		return d->del(db, op->at, op->key, err);
	case STORE_OP_CLEAR:
		return d->clear(db, op->at, err);
	case STORE_OP_CLEAR_OWNER:
		return d->clear_owner(db, op->at.host, op->at.owner, err);
	case STORE_OP_APPEND:
		return d->append(db, op, err);
	case STORE_OP_DELETE_ENTRY:
		return d->del_entry(db, op->at, op->key, err);
	case STORE_OP_REPLACE_ENTRY:
		return d->replace_entry(db, op->at, op->key, op->value, err);
	case STORE_OP_INDEX:
		return d->index(db, op->at, op->key, op->value, err);
	case STORE_OP_TRIM_TO:
		return d->trim_to(db, op->at, op->key, err);
	case STORE_OP_TRIM_AGE:
		return d->trim_age(db, op->at, op->wall_us, err);
	case STORE_OP_TRIM_COUNT:
		return d->trim_count(db, op->at, op->keep, err);
	case STORE_OP_TRIM:
		return d->trim(db, op->at, &op->trim,
			op->more != NULL ? op->more : &more, err);
	}
	return err_set(err, ERR_INVALID, "unknown operation");
}

static bool
op_only_looks(const struct store_op *op)
{
	return op->kind == STORE_OP_REQUIRE ||
		op->kind == STORE_OP_REQUIRE_ENTRY;
}

/* Those that leave everything as it was when they fail. */
static bool
op_may_fail(const struct store_op *op)
{
	return op->kind == STORE_OP_CREATE || op_only_looks(op) ||
		op->kind == STORE_OP_APPEND;
}

/* Only what fails after it has changed something has to be taken back.  With a
 * savepoint SQLite keeps a copy of each page that is changed: a seventh of all
 * the CPU time that a message took to be stored (27 us, 23 without). */
static bool
tx_needs_savepoint(const struct store_tx *tx)
{
	const struct store_op *op;
	bool changed = false;

	STAILQ_FOREACH (op, &tx->ops, link) {
		if (changed && op_may_fail(op))
			return true;
		changed = changed || !op_only_looks(op);
	}
	return false;
}

/* Has one failed that it rests on? */
static bool
tx_is_orphan(const struct store_tx *tx)
{
	uint64_t broken =
		tx->chain != NULL ? atomic_load(&tx->chain->broken) : 0;

	return broken != 0 && tx->req.ticket >= broken;
}

static void
tx_fail(struct store_tx *tx, const struct err *why)
{
	tx->req.failed = true;
	tx->req.err = *why;
	store_chain_break(tx->chain, tx->req.ticket);
}

static void
tx_orphan(struct store_tx *tx)
{
	struct err why;

	err_set(&why, ERR_STORAGE, "a change before it could not be stored");
	tx_fail(tx, &why);
}

/* --- one after the other ------------------------------------------------ */

static bool
fails_all(const struct err *err)
{
	return err->code == ERR_STORAGE || err->code == ERR_DISK ||
		err->code == ERR_LOST;
}

/* False when the whole batch has failed; a transaction that fails alone says so
 * in its request, and would fail again. */
static bool
tx_apply(const struct store_driver *d, struct store_db *db, struct store_tx *tx,
	struct err *err)
{
	bool savepoint = tx_needs_savepoint(tx);
	const struct store_op *op;

	if (!tx->req.failed && tx_is_orphan(tx))
		tx_orphan(tx);
	if (tx->req.failed)
		return true;
	if (savepoint && !d->savepoint(db, err))
		return false;
	STAILQ_FOREACH (op, &tx->ops, link) {
		if (store_op_apply(d, db, op, err))
			continue;
		if (savepoint)
			d->revert(db);
		if (fails_all(err))
			return false;
		tx_fail(tx, err);
		return true;
	}
	return !savepoint || d->release(db, err);
}

/* What follows behind gets on with each commit, by more than what comes. */
static bool
batch_tend(struct store *s, const struct store_batch *b, struct err *err)
{
	if (s->driver->tend == NULL || s->tend_failed ||
		s->driver->tend(s->writer.db,
			STORE_TEND_MIN + 2 * b->entries, &s->has_more,
			err))
		return true;
	s->has_more = false;
	s->tend_failed = err->code == ERR_STORAGE;
	return false;
}

static bool
batch_apply(struct store *s, struct store_batch *b, struct err *err)
{
	const struct store_driver *d = s->driver;
	struct store_db *db = s->writer.db;
	struct store_req *req;

	if (!d->begin(db, err))
		return false;
	STAILQ_FOREACH (req, &b->reqs, link) {
		if (!tx_apply(d, db, tx_of(req), err))
			goto failed;
	}
	if (batch_tend(s, b, err) && !store_is_to_fail(s, true, err)) {
		if (d->commit(db, err))
			return true;
		b->in_doubt = err->code == ERR_LOST && d->was_done != NULL;
	}
failed:
	d->rollback(db);
	return false;
}

/* That something cannot be put in order is no reason to store nothing: it stays
 * behind until the next start. */
static bool
batch_one_by_one(struct store *s, struct store_batch *b, struct err *err)
{
	bool failed = s->tend_failed;

	if (batch_apply(s, b, err))
		return true;
	if (s->tend_failed == failed)
		return false;
	log_error(LOG_STORE, LOG_NOBODY,
		"an index is not kept up until the next start reason=\"%s\"",
		err->text);
	return batch_apply(s, b, err);
}

void
store_tend(struct store *s)
{
	const struct store_driver *d = s->driver;
	struct err err = ERR_INIT;

	s->has_more = false;
	if (d->tend == NULL || s->tend_failed || !d->begin(s->writer.db, &err))
		return;
	if (d->tend(s->writer.db, STORE_TEND_IDLE, &s->has_more, &err) &&
		d->commit(s->writer.db, &err))
		return;
	s->has_more = false;
	d->rollback(s->writer.db);
}

/* --- all at once -------------------------------------------------------- */

static struct store_tx *
tx_of_part(const struct store_part *part)
{
	return CONTAINER_OF(part, struct store_tx, part);
}

static int
chain_compare(const void *a, const void *b)
{
	const struct store_tx *x = tx_of_part(*(struct store_part *const *)a);
	const struct store_tx *y = tx_of_part(*(struct store_part *const *)b);

	if (x->chain != y->chain)
		return (uintptr_t)x->chain < (uintptr_t)y->chain ? -1 : 1;
	return x->req.ticket < y->req.ticket ? -1 : 1;
}

static void
parts_link(struct store_batch *b)
{
	size_t n = b->parts.n;
	struct store_part **sorted = xmalloc((n + 1) * sizeof(*sorted));

	if (n != 0)
		memcpy(sorted, b->parts.p, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), chain_compare);
	for (size_t i = 1; i < n; i++) {
		const struct store_chain *chain = tx_of_part(sorted[i])->chain;

		if (chain != NULL && chain == tx_of_part(sorted[i - 1])->chain)
			sorted[i]->rests_on = sorted[i - 1];
	}
	free(sorted);
}

/* Once for each batch: what is tried again is the same. */
static void
parts_make(struct store_batch *b)
{
	struct store_req *req;

	STAILQ_FOREACH (req, &b->reqs, link) {
		struct store_tx *tx = tx_of(req);

		if (tx_is_orphan(tx)) {
			tx_orphan(tx);
			continue;
		}
		tx->part = (struct store_part){ &tx->ops, NULL, &req->err };
		*vec_push(&b->parts) = &tx->part;
	}
	parts_link(b);
}

static void
parts_reset(struct store_batch *b)
{
	for (size_t i = 0; i < b->parts.n; i++)
		b->parts.p[i]->err->code = ERR_NONE;
}

/* It is done; some of it may have failed. */
static void
parts_settle(struct store_batch *b)
{
	for (size_t i = 0; i < b->parts.n; i++) {
		struct store_part *part = b->parts.p[i];

		if (part->err->code != ERR_NONE)
			tx_fail(tx_of_part(part), part->err);
	}
}

static bool
batch_whole(struct store *s, struct store_batch *b, struct err *err)
{
	const struct store_driver *d = s->driver;

	if (b->parts.p == NULL)
		parts_make(b);
	parts_reset(b);
	if (b->parts.n == 0)
		return true;
	if (store_is_to_fail(s, true, err))
		return false;
	if (!d->write_batch(s->writer.db, b->parts.p, b->parts.n, err)) {
		parts_reset(b);
		b->in_doubt = err->code == ERR_LOST && d->was_done != NULL;
		return false;
	}
	parts_settle(b);
	return true;
}

/* --- trying ------------------------------------------------------------- */

/* Was it done after all?  False with err: nobody can tell. */
static bool
batch_ask(struct store *s, struct store_batch *b, bool *done_out,
	struct err *err)
{
	*done_out = false;
	if (!b->in_doubt)
		return true;
	if (!s->driver->was_done(s->writer.db, b->parts.p, b->parts.n, done_out,
		    err))
		return false;
	b->in_doubt = false;
	if (*done_out)
		parts_settle(b);
	return true;
}

/* Never twice: what may be done is asked for first. */
bool
store_batch_try(struct store *s, struct store_batch *b, struct err *err)
{
	bool done;

	if (!batch_ask(s, b, &done, err))
		return false;
	return done ||
		(s->whole ? batch_whole(s, b, err) :
			    batch_one_by_one(s, b, err));
}

static void
batch_fail(struct store *s, struct store_batch *b, struct err *why)
{
	bool disk = why->code == ERR_DISK || why->code == ERR_LOST;
	struct store_req *req;

	if (b->in_doubt) {
		err_prefix(why, "it is not known whether it was stored");
		disk = false;
	}
	why->code = disk ? ERR_DISK : ERR_STORAGE;
	STAILQ_FOREACH (req, &b->reqs, link) {
		tx_fail(tx_of(req), why);
		if (disk)
			store_note_refused(s);
	}
}

/* Whoever has lost the database once, for a moment, need not say so. */
static bool
batch_lost(struct store *s, struct store_batch *b, const struct err *why)
{
	bool again = store_loss_again(&b->loss);

	if (b->loss.tries > 1 && store_takes_writes(s))
		store_outage_begin(s, why, b->bytes);
	return again;
}

/* All of them fail together with why.  What waited while the disk ceased to take
 * writes need not be tried.  False: it is to be tried again. */
static bool
batch_run(struct store *s, struct store_batch *b)
{
	struct err err = ERR_INIT;
	bool done;

	if (!store_takes_writes(s) && b->loss.tries == 0) {
		err = s->outage.why;
		batch_fail(s, b, &err);
		return true;
	}
	if (store_batch_try(s, b, &err)) {
		if (!store_takes_writes(s))
			store_outage_end(s);
		return true;
	}
	if (err.code == ERR_LOST && batch_lost(s, b, &err))
		return false;
	if (err.code == ERR_DISK && store_takes_writes(s))
		store_outage_begin(s, &err, b->bytes);
	if (!batch_ask(s, b, &done, NULL) || !done)
		batch_fail(s, b, &err);
	return true;
}

static uint32_t
tx_entries(const struct store_tx *tx)
{
	const struct store_op *op;
	uint32_t n = 0;

	STAILQ_FOREACH (op, &tx->ops, link)
		n += op->kind == STORE_OP_APPEND;
	return n;
}

/* Takes at least one. */
static void
batch_take(struct store *s, struct store_batch *b)
{
	struct store_req *req;

	while ((req = STAILQ_FIRST(&s->waiting)) != NULL &&
		b->n < STORE_BATCH_TX && b->bytes < STORE_BATCH_BYTES &&
		b->entries < STORE_BATCH_ENTRIES) {
		STAILQ_REMOVE_HEAD(&s->waiting, link);
		STAILQ_INSERT_TAIL(&b->reqs, req, link);
		b->n++;
		b->bytes += req->bytes;
		b->entries += tx_entries(tx_of(req));
		b->last = req->ticket;
	}
	b->start_us = clock_mono_us(&clock_system);
}

/* --- answering ---------------------------------------------------------- */

/* With the lock. */
static void
batch_count(struct store *s, const struct store_batch *b, int64_t now_us)
{
	struct store_stats *st = &s->stats;
	uint64_t took_us = (uint64_t)(now_us - b->start_us);
	const struct store_req *req;

	STAILQ_FOREACH (req, &b->reqs, link) {
		gauge_remove(&st->queued_bytes, req->bytes);
		if (req->failed)
			st->failures++;
		else
			st->writes++;
	}
	store_note_queued(s);
	gauge_remove(&st->queued, b->n);
	hist_add(&st->batches, b->n);
	hist_add(&st->commit_us, took_us);
	hist_window_add(&s->late_batches, now_us, b->n);
	hist_window_add(&s->late_commit_us, now_us, took_us);
}

/* What waits for a ticket after committed stays parked.  It is sorted without
 * the lock: only this thread takes from the parked ones. */
static void
parked_release(
	struct store *s, struct store_req_list *parked, uint64_t committed)
{
	struct store_req_list later = STAILQ_HEAD_INITIALIZER(later);
	struct store_req_list reads = STAILQ_HEAD_INITIALIZER(reads);
	struct store_req_list copies = STAILQ_HEAD_INITIALIZER(copies);
	struct store_req *req;
	unsigned n = 0;
	bool wake;

	while ((req = STAILQ_FIRST(parked)) != NULL) {
		STAILQ_REMOVE_HEAD(parked, link);
		if (req->ticket > committed)
			STAILQ_INSERT_TAIL(&later, req, link);
		else if (CONTAINER_OF(req, struct store_read, req)->kind ==
			STORE_READ_BACKUP)
			STAILQ_INSERT_TAIL(&copies, req, link);
		else {
			STAILQ_INSERT_TAIL(&reads, req, link);
			n++;
		}
	}
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&later, &s->parked);
	STAILQ_CONCAT(&s->parked, &later);
	STAILQ_CONCAT(&s->reads, &reads);
	STAILQ_CONCAT(&s->copies, &copies);
	s->n_reads += n;
	wake = n != 0 && store_wakes_reader(s);
	pthread_cond_signal(&s->copies_changed);
	pthread_mutex_unlock(&s->lock);
	if (wake)
		pthread_cond_signal(&s->reads_changed);
}

static void
batch_reset(struct store_batch *b)
{
	vec_done(&b->parts);
	*b = (struct store_batch){ .n = 0 };
	STAILQ_INIT(&b->reqs);
}

static void
batch_settle(struct store *s, struct store_batch *b)
{
	struct store_req_list parked = STAILQ_HEAD_INITIALIZER(parked);
	uint64_t last = b->last;
	struct store_req *req;

	pthread_mutex_lock(&s->lock);
	s->committed = last;
	batch_count(s, b, clock_mono_us(&clock_system));
	STAILQ_CONCAT(&parked, &s->parked);
	pthread_mutex_unlock(&s->lock);
	if (!STAILQ_EMPTY(&parked))
		parked_release(s, &parked, last);
	while ((req = STAILQ_FIRST(&b->reqs)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->reqs, link);
		store_req_answer(s, req);
	}
	batch_reset(b);
}

bool
store_write_batch(struct store *s)
{
	struct store_batch *b = &s->batch;

	if (STAILQ_EMPTY(&b->reqs))
		batch_take(s, b);
	if (!batch_run(s, b))
		return false;
	batch_settle(s, b);
	return true;
}
