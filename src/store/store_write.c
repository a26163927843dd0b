/*
 * store_write.c - the writer's work: many transactions, one commit.
 *
 * On the writer thread (or in store_turn()).  Invariant: nothing is answered
 * before the commit it belongs to, and no read that waits for a ticket runs
 * before it either.
 */
#include "config.h"

#include "store/store_int.h"

#include "base/clock.h"
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
	bool found = false;

	if (!d->get(db, op->at, op->key, on_entry_found, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_MISSING, "no such key in %.*s",
			STR_ARG(op->at.name));
	return true;
}

static bool
op_apply(const struct store_driver *d, struct store_db *db,
	const struct store_op *op, struct err *err)
{
	switch (op->kind) {
	case STORE_OP_SET:
		return d->set(db, op->at, op->key, op->value, false, err);
	case STORE_OP_CREATE:
		return d->set(db, op->at, op->key, op->value, true, err);
	case STORE_OP_REQUIRE:
		return key_require(d, db, op, err);
	case STORE_OP_DELETE:
		return d->del(db, op->at, op->key, err);
	case STORE_OP_CLEAR:
		return d->clear(db, op->at, err);
	case STORE_OP_CLEAR_OWNER:
		return d->clear_owner(db, op->at.host, op->at.owner, err);
	case STORE_OP_APPEND:
		return d->append(db, op->at, op->key, op->wall_us, op->with,
			op->value, err);
	case STORE_OP_DELETE_ENTRY:
		return d->del_entry(db, op->at, op->key, err);
	case STORE_OP_TRIM_TO:
		return d->trim_to(db, op->at, op->key, err);
	case STORE_OP_TRIM_AGE:
		return d->trim_age(db, op->at, op->wall_us, err);
	case STORE_OP_TRIM_COUNT:
		return d->trim_count(db, op->at, op->keep, err);
	}
	return err_set(err, ERR_INVALID, "unknown operation");
}

/* Those that leave everything as it was when they fail. */
static bool
op_may_fail(const struct store_op *op)
{
	return op->kind == STORE_OP_CREATE || op->kind == STORE_OP_REQUIRE ||
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
		changed = changed || op->kind != STORE_OP_REQUIRE;
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

/* False when the whole batch is lost; a transaction that fails alone says so
 * in its request. */
static bool
tx_apply(const struct store_driver *d, struct store_db *db, struct store_tx *tx,
	struct err *err)
{
	bool savepoint = tx_needs_savepoint(tx);
	const struct store_op *op;

	if (tx_is_orphan(tx)) {
		err_set(err, ERR_STORAGE,
			"a change before it could not be stored");
		tx_fail(tx, err);
		return true;
	}
	if (savepoint && !d->savepoint(db, err))
		return false;
	STAILQ_FOREACH (op, &tx->ops, link) {
		if (op_apply(d, db, op, err))
			continue;
		if (savepoint)
			d->revert(db);
		if (err->code == ERR_STORAGE || err->code == ERR_DISK)
			return false;
		tx_fail(tx, err);
		return true;
	}
	return !savepoint || d->release(db, err);
}

static bool
batch_commit(struct store *s, struct store_req_list *batch, struct err *err)
{
	const struct store_driver *d = s->driver;
	struct store_db *db = s->writer.db;
	struct store_req *req;

	if (!d->begin(db, err))
		return false;
	STAILQ_FOREACH (req, batch, link) {
		if (!tx_apply(d, db, tx_of(req), err))
			goto lost;
	}
	if (!store_is_to_fail(s, true, err) && d->commit(db, err))
		return true;
lost:
	d->rollback(db);
	return false;
}

static void
batch_fail(struct store *s, struct store_req_list *batch, struct err *why)
{
	struct store_req *req;

	if (why->code != ERR_DISK)
		why->code = ERR_STORAGE;
	STAILQ_FOREACH (req, batch, link) {
		tx_fail(tx_of(req), why);
		if (why->code == ERR_DISK)
			store_note_refused(s);
	}
}

/* All of them fail together with why.  What waited while the disk ceased to take
 * writes need not be tried. */
static void
batch_run(struct store *s, struct store_req_list *batch)
{
	const struct store_req *req;
	struct err err = ERR_INIT;
	size_t bytes = 0;

	if (!store_takes_writes(s)) {
		err = s->outage.why;
		batch_fail(s, batch, &err);
	} else if (!batch_commit(s, batch, &err)) {
		STAILQ_FOREACH (req, batch, link)
			bytes += req->bytes;
		if (err.code == ERR_DISK)
			store_outage_begin(s, &err, bytes);
		batch_fail(s, batch, &err);
	}
}

/* Takes at least one; the last ticket comes out. */
static uint64_t
batch_take(struct store_req_list *waiting, struct store_req_list *batch,
	size_t *n_out)
{
	struct store_req *req;
	size_t n = 0, bytes = 0;
	uint64_t last = 0;

	STAILQ_INIT(batch);
	while ((req = STAILQ_FIRST(waiting)) != NULL && n < STORE_BATCH_TX &&
		bytes < STORE_BATCH_BYTES) {
		STAILQ_REMOVE_HEAD(waiting, link);
		STAILQ_INSERT_TAIL(batch, req, link);
		n++;
		bytes += req->bytes;
		last = req->ticket;
	}
	*n_out = n;
	return last;
}

/* With the lock. */
static void
batch_count(struct store *s, const struct store_req_list *batch, size_t n,
	int64_t now_us, int64_t took_us)
{
	struct store_stats *st = &s->stats;
	const struct store_req *req;

	STAILQ_FOREACH (req, batch, link) {
		gauge_remove(&st->queued_bytes, req->bytes);
		if (req->failed)
			st->failures++;
		else
			st->writes++;
	}
	store_note_queued(s);
	gauge_remove(&st->queued, n);
	hist_add(&st->batches, n);
	hist_add(&st->commit_us, (uint64_t)took_us);
	hist_window_add(&s->late_batches, now_us, n);
	hist_window_add(&s->late_commit_us, now_us, (uint64_t)took_us);
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

void
store_write_batch(struct store *s, struct store_req_list *waiting)
{
	struct store_req_list batch;
	struct store_req_list parked = STAILQ_HEAD_INITIALIZER(parked);
	size_t n;
	uint64_t last = batch_take(waiting, &batch, &n);
	int64_t start_us = clock_mono_us(&clock_system), end_us;
	struct store_req *req;

	batch_run(s, &batch);
	end_us = clock_mono_us(&clock_system);
	pthread_mutex_lock(&s->lock);
	s->committed = last;
	batch_count(s, &batch, n, end_us, end_us - start_us);
	STAILQ_CONCAT(&parked, &s->parked);
	pthread_mutex_unlock(&s->lock);
	if (!STAILQ_EMPTY(&parked))
		parked_release(s, &parked, last);
	while ((req = STAILQ_FIRST(&batch)) != NULL) {
		STAILQ_REMOVE_HEAD(&batch, link);
		store_req_answer(s, req);
	}
}
