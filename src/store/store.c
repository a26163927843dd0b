/*
 * store.c - the store as a whole: its queues, its opening and closing.
 *
 * Invariant: a read is in a queue only when every write to its (host, owner)
 * that was asked for before it is committed; else it is parked.  The lock is
 * held for a few pointer operations at a time, never across a call of the
 * driver.
 */
#include "config.h"

#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/store_int.h"

/* What the late_ figures cover. */
#define LATE_US (60 * US_PER_S)

/* --- requests, on the asker's thread ------------------------------------ */

/* Whoever finds names that share a slot makes reads wait for one more commit,
 * which gains nothing: the key needs no secret. */
unsigned
store_slot(struct str host, struct str owner)
{
	static const struct hash_key key = { 0, 0 };
	uint64_t h = hash_bytes(&key, host.p, host.n) * 31 +
		hash_bytes(&key, owner.p, owner.n);

	return (unsigned)(h % STORE_SLOTS);
}

void
store_req_answer(struct store *s, struct store_req *req)
{
	size_t bytes = arena_bytes(req->arena);

	req->mail.bytes = (uint32_t)MIN(bytes, UINT32_MAX);
	if (req->reply != NULL)
		mailbox_post(req->reply, &req->mail);
	else
		arena_free(req->arena);
	atomic_fetch_sub(&s->unanswered, 1);
}

bool
store_is_idle(struct store *s)
{
	return atomic_load(&s->unanswered) == 0;
}

bool
store_is_behind(struct store *s)
{
	return atomic_load_explicit(&s->is_behind, memory_order_relaxed);
}

void
store_note_queued(struct store *s)
{
	atomic_store_explicit(&s->is_behind,
		s->stats.queued_bytes.now > STORE_QUEUE_MAX / 2,
		memory_order_relaxed);
}

static bool
queue_is_full(const struct store *s, bool writes)
{
	return s->stats.queued_bytes.now > STORE_QUEUE_MAX ||
		(s->is_busy != NULL && s->is_busy(s->is_busy_arg, writes));
}

/* With the lock. */
static bool
req_accept(struct store *s, struct store_req *req, const struct store_tx *tx)
{
	if (req->failed)
		return false;
	if (s->closing)
		return err_set(
			&req->err, ERR_CLOSED, "the store is being closed");
	if ((tx == NULL || !tx->insists) && queue_is_full(s, tx != NULL))
		return err_set(&req->err, ERR_BUSY,
			"the store is behind: %llu bytes are waiting",
			(unsigned long long)s->stats.queued_bytes.now);
	gauge_add(&s->stats.queued_bytes, req->bytes);
	store_note_queued(s);
	return true;
}

/* With the lock. */
static bool
write_accept(struct store *s, struct store_req *req, const struct store_tx *tx)
{
	if (!req->failed && !s->closing && !store_takes_writes(s))
		return store_outage_refuse(s, &req->err);
	return req_accept(s, req, tx);
}

static void
req_refuse(struct store *s, struct store_req *req)
{
	s->stats.failures++;
	pthread_mutex_unlock(&s->lock);
	req->failed = true;
	store_req_answer(s, req);
}

void
store_submit_tx(struct store *s, struct store_tx *tx)
{
	struct store_req *req = &tx->req;
	const struct store_op *op;
	bool wake;

	req->bytes = arena_bytes(req->arena);
	atomic_fetch_add(&s->unanswered, 1);
	pthread_mutex_lock(&s->lock);
	if (!write_accept(s, req, tx)) {
		store_chain_break(tx->chain, s->asked + 1);
		req_refuse(s, req);
		return;
	}
	req->ticket = ++s->asked;
	STAILQ_FOREACH (op, &tx->ops, link)
		s->slots[op->slot] = req->ticket;
	STAILQ_INSERT_TAIL(&s->writes, req, link);
	gauge_add(&s->stats.queued, 1);
	wake = s->writer_asleep;
	s->writer_asleep = false;
	pthread_mutex_unlock(&s->lock);
	/* behind the lock, else it is the first thing that he waits for */
	if (wake)
		pthread_cond_signal(&s->writes_changed);
}

/* With the lock. */
static uint64_t
read_ticket(const struct store *s, const struct store_read *rd, unsigned slot)
{
	switch (rd->kind) {
	case STORE_READ_GET:
	case STORE_READ_LIST:
	case STORE_READ_PAGE:
	case STORE_READ_LIST_MANY:
	case STORE_READ_RANGE:
	case STORE_READ_ENTRIES:
	case STORE_READ_TALKS:
		return s->slots[slot];
	case STORE_READ_OWNERS:
	case STORE_READ_LOG_OWNERS:
	case STORE_READ_BACKUP:
		break; /* of all owners */
	}
	return s->asked;
}

void
store_submit_read(struct store *s, struct store_read *rd)
{
	struct store_req *req = &rd->req;
	unsigned slot = store_slot(rd->at.host, rd->at.owner);
	bool wake = false;

	req->bytes = arena_bytes(req->arena);
	atomic_fetch_add(&s->unanswered, 1);
	pthread_mutex_lock(&s->lock);
	if (!req_accept(s, req, NULL)) {
		req_refuse(s, req);
		return;
	}
	req->ticket = read_ticket(s, rd, slot);
	if (req->ticket > s->committed) {
		STAILQ_INSERT_TAIL(&s->parked, req, link);
	} else if (rd->kind == STORE_READ_BACKUP) {
		STAILQ_INSERT_TAIL(&s->copies, req, link);
		pthread_cond_signal(&s->copies_changed);
	} else {
		STAILQ_INSERT_TAIL(&s->reads, req, link);
		s->n_reads++;
		wake = store_wakes_reader(s);
	}
	pthread_mutex_unlock(&s->lock);
	if (wake)
		pthread_cond_signal(&s->reads_changed);
}

void
store_finished(struct store *s, const struct store_req_list *reqs)
{
	const struct store_req *req;

	pthread_mutex_lock(&s->lock);
	STAILQ_FOREACH (req, reqs, link) {
		gauge_remove(&s->stats.queued_bytes, req->bytes);
		if (req->failed)
			s->stats.failures++;
		else
			s->stats.reads++;
	}
	store_note_queued(s);
	pthread_mutex_unlock(&s->lock);
}

void
store_stats(struct store *s, struct store_stats *out)
{
	int64_t now_us = clock_mono_us(&clock_system);

	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	out->refused = atomic_load(&s->refused);
	hist_window_sum(&s->late_batches, now_us, &out->late_batches);
	hist_window_sum(&s->late_commit_us, now_us, &out->late_commit_us);
	pthread_mutex_unlock(&s->lock);
}

/* --- no threads --------------------------------------------------------- */

void
store_fail_when(struct store *s, bool (*fn)(void *arg, bool writes), void *arg)
{
	assert(s->conf.inline_work);
	s->fails = fn;
	s->fails_arg = arg;
}

void
store_set_full(struct store *s, bool full)
{
	assert(s->conf.inline_work);
	s->is_full = full;
}

void
store_lose_when(struct store *s,
	bool (*fn)(void *arg, enum store_moment at), void *arg)
{
	s->driver->lose_when(s->writer.db, fn, arg);
}

void
store_set_whole(struct store *s, bool whole)
{
	assert(s->conf.inline_work);
	s->whole = whole && s->driver->write_batch != NULL;
}

void
store_busy_when(struct store *s, bool (*fn)(void *arg, bool writes), void *arg)
{
	assert(s->conf.inline_work);
	s->is_busy = fn;
	s->is_busy_arg = arg;
}

bool
store_is_to_fail(const struct store *s, bool writes, struct err *err)
{
	if (writes && s->is_full) {
		err_set(err, ERR_DISK, "the disk is full, as a test wants it");
		return true;
	}
	if (s->fails == NULL || !s->fails(s->fails_arg, writes))
		return false;
	err_set(err, ERR_STORAGE, "the disk fails, as a test wants it");
	return true;
}

static bool
turn_reads(struct store *s)
{
	struct store_req_list reads = STAILQ_HEAD_INITIALIZER(reads);
	struct store_req_list copies = STAILQ_HEAD_INITIALIZER(copies);
	struct store_req *req;
	bool any;

	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&reads, &s->reads);
	s->n_reads = 0;
	STAILQ_CONCAT(&copies, &s->copies);
	pthread_mutex_unlock(&s->lock);
	any = !STAILQ_EMPTY(&reads) || !STAILQ_EMPTY(&copies);
	store_read_batch(s, s->writer.db, &reads);
	while ((req = STAILQ_FIRST(&copies)) != NULL) {
		STAILQ_REMOVE_HEAD(&copies, link);
		store_backup_run(s, s->writer.db,
			CONTAINER_OF(req, struct store_read, req));
	}
	return any;
}

bool
store_turn(struct store *s)
{
	bool any, lost = false;

	assert(s->conf.inline_work);
	/* these are ready because no write before them is left */
	any = turn_reads(s);
	if (!store_takes_writes(s) && STAILQ_EMPTY(&s->batch.reqs))
		any = store_outage_probe(s) || any;
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&s->waiting, &s->writes);
	pthread_mutex_unlock(&s->lock);
	while (!lost && (!STAILQ_EMPTY(&s->batch.reqs) ||
				!STAILQ_EMPTY(&s->waiting))) {
		lost = !store_write_batch(s);
		any = true;
	}
	if (!any && s->has_more && store_takes_writes(s)) {
		store_tend(s);
		any = true;
	}
	any = (!lost && store_compact_turn(s)) || any;
	return turn_reads(s) || any;
}

/* --- opening and closing ------------------------------------------------ */

const struct store_driver *
store_driver_find(const char *name, struct err *err)
{
	static const struct store_driver *const drivers[] = {
#define DRIVER(name) &store_##name,
#include "conf/drivers.def"
#undef DRIVER
	};

	for (size_t i = 0; i < COUNT(drivers); i++) {
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	}
	err_set(err, ERR_INVALID, "unknown storage driver \"%.80s\"", name);
	return NULL;
}

static bool
handles_open(struct store *s, const struct store_conf *conf, struct err *err)
{
	s->writer.db = s->driver->open(conf, err);
	s->has_more = s->driver->tend != NULL; /* from the last time */
	if (s->writer.db == NULL)
		return false;
	for (unsigned i = 0; i < s->n_readers; i++) {
		s->readers[i].db = s->driver->open_beside(s->writer.db, err);
		if (s->readers[i].db == NULL)
			return false;
	}
	return true;
}

static void
store_free(struct store *s)
{
	for (unsigned i = 0; i < s->n_readers; i++) {
		if (s->readers[i].db != NULL)
			s->driver->close(s->readers[i].db);
	}
	if (s->writer.db != NULL)
		s->driver->close(s->writer.db);
	pthread_cond_destroy(&s->copies_changed);
	pthread_cond_destroy(&s->reads_changed);
	pthread_cond_destroy(&s->writes_changed);
	pthread_mutex_destroy(&s->lock);
	free(s->readers);
	free(s->path);
	free(s);
}

static struct store *
store_new(const struct store_conf *conf, const struct store_driver *driver)
{
	struct store *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->driver = driver;
	s->whole = driver->write_batch != NULL;
	s->conf = *conf;
	s->conf.driver = driver->name;
	s->conf.options = NULL;
	s->n_readers = conf->inline_work ? 0 : MAX(conf->readers, 1);
	s->readers = xcalloc(MAX(s->n_readers, 1), sizeof(*s->readers));
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->writes_changed, &attr);
	pthread_cond_init(&s->reads_changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&s->copies_changed, NULL);
	hist_window_init(&s->late_batches, LATE_US);
	hist_window_init(&s->late_commit_us, LATE_US);
	STAILQ_INIT(&s->waiting);
	STAILQ_INIT(&s->batch.reqs);
	STAILQ_INIT(&s->writes);
	STAILQ_INIT(&s->reads);
	STAILQ_INIT(&s->copies);
	STAILQ_INIT(&s->compacts);
	STAILQ_INIT(&s->parked);
	return s;
}

struct store *
store_open(const struct store_conf *conf, struct err *err)
{
	const struct store_driver *driver = store_driver_find(conf->driver, err);
	struct store *s;

	if (driver == NULL)
		return NULL;
	s = store_new(conf, driver);
	if (driver->path != NULL && driver->path(conf->options) != NULL)
		s->path = xstrdup(driver->path(conf->options));
	if (!handles_open(s, conf, err)) {
		store_free(s);
		return NULL;
	}
	if (!conf->inline_work && !store_threads_start(s, err)) {
		store_close(s);
		return NULL;
	}
	return s;
}

const char *
store_path(const struct store *s)
{
	return s->path;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->writes_changed);
	pthread_mutex_unlock(&s->lock);
	if (s->conf.inline_work) {
		while (store_turn(s))
			continue;
	} else {
		store_threads_stop(s);
	}
	store_free(s);
}
