/*
 * store_threads.c - the threads of the store.
 *
 * One writer takes whatever has gathered and commits it as one transaction;
 * readers beside it take what waits and answer it from one view; one more
 * thread makes backups, so that a long copy keeps no reader busy.  Who asks
 * wakes a thread only when it sleeps.
 */
#include "config.h"

#include "store/store_int.h"

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"

static const struct ring_kind ring_commit = { "commit", NULL };
static const struct ring_kind ring_read = { "read", NULL };
static const struct ring_kind ring_backup = { "backup", NULL };

/* --- writing ------------------------------------------------------------ */

/* With the lock, which is free meanwhile. */
static void
sleep_until(struct store *s, pthread_cond_t *cond, int64_t us)
{
	struct timespec until = {
		.tv_sec = us / US_PER_S,
		.tv_nsec = us % US_PER_S * 1000,
	};

	pthread_cond_timedwait(cond, &s->lock, &until);
}

/* With the lock.  What was lost is tried before anything else. */
static bool
writer_is_due(const struct store *s)
{
	if (!STAILQ_EMPTY(&s->batch.reqs))
		return clock_mono_us(&clock_system) >= s->batch.loss.retry_us;
	return !STAILQ_EMPTY(&s->waiting) || !STAILQ_EMPTY(&s->writes) ||
		!STAILQ_EMPTY(&s->compacts) || s->closing || store_outage_is_due(s) ||
		(s->has_more && store_takes_writes(s));
}

/* With the lock.  Until somebody wakes it; or until it is time to try again, or
 * to see whether the disk takes writes again. */
static void
writer_sleep(struct store *s)
{
	s->writer_asleep = true;
	if (!STAILQ_EMPTY(&s->batch.reqs))
		sleep_until(s, &s->writes_changed, s->batch.loss.retry_us);
	else if (!store_takes_writes(s))
		sleep_until(s, &s->writes_changed, s->outage.probe_us);
	else
		pthread_cond_wait(&s->writes_changed, &s->lock);
	s->writer_asleep = false;
}

static void *
writer_main(void *arg)
{
	struct store_thread *t = arg;
	struct store *s = t->store;
	bool closing;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		while (!writer_is_due(s))
			writer_sleep(s);
		STAILQ_CONCAT(&s->waiting, &s->writes);
		closing = s->closing;
		pthread_mutex_unlock(&s->lock);
		ring_note(&ring_commit, NULL, 0, 0, 0);
		if (!STAILQ_EMPTY(&s->batch.reqs) || !STAILQ_EMPTY(&s->waiting))
			store_write_batch(s);
		else if (!closing && !store_takes_writes(s))
			store_outage_probe(s);
		else if (!closing && s->has_more)
			store_tend(s);
		if (STAILQ_EMPTY(&s->batch.reqs) && !store_compact_turn(s) &&
			closing && STAILQ_EMPTY(&s->waiting))
			return NULL;
	}
}

/* --- reading ------------------------------------------------------------ */

/* With the lock.  One reader takes what waits; another one is called when that
 * is much. */
bool
store_wakes_reader(struct store *s)
{
	unsigned asleep = s->readers_asleep - s->readers_called;
	bool wake = asleep == s->n_readers ||
		(asleep != 0 && s->n_reads > STORE_READS_EACH);

	if (s->n_readers == 0)
		return false;
	s->readers_called += wake;
	return wake;
}

/* With the lock. */
static bool
reads_are_due(const struct store *s)
{
	return STAILQ_EMPTY(&s->reads) ?
		s->writer_is_done :
		clock_mono_us(&clock_system) >= s->reads_due_us;
}

/* With the lock. */
static void
reader_sleep(struct store *s)
{
	s->readers_asleep++;
	if (STAILQ_EMPTY(&s->reads))
		pthread_cond_wait(&s->reads_changed, &s->lock);
	else
		sleep_until(s, &s->reads_changed, s->reads_due_us);
	s->readers_asleep--;
	s->readers_called -= s->readers_called != 0;
}

/* False when the store is closed and nothing waits any more. */
static bool
reads_take(struct store *s, struct store_req_list *batch)
{
	struct store_req *req;
	bool wake;

	STAILQ_INIT(batch);
	pthread_mutex_lock(&s->lock);
	while (!reads_are_due(s))
		reader_sleep(s);
	for (unsigned n = 0; n < STORE_BATCH_READS; n++) {
		req = STAILQ_FIRST(&s->reads);
		if (req == NULL)
			break;
		STAILQ_REMOVE_HEAD(&s->reads, link);
		STAILQ_INSERT_TAIL(batch, req, link);
		s->n_reads--;
	}
	wake = s->n_reads != 0 && store_wakes_reader(s);
	pthread_mutex_unlock(&s->lock);
	if (wake)
		pthread_cond_signal(&s->reads_changed);
	return !STAILQ_EMPTY(batch);
}

static void *
reader_main(void *arg)
{
	struct store_thread *t = arg;
	struct store *s = t->store;
	struct store_req_list batch;

	while (reads_take(s, &batch)) {
		ring_note(&ring_read, NULL, 0, 0, 0);
		store_read_batch(s, t->db, &batch);
	}
	return NULL;
}

/* --- backups ------------------------------------------------------------ */

/* NULL when the store is closed and nothing waits any more. */
static struct store_read *
copy_take(struct store *s)
{
	struct store_req *req;

	pthread_mutex_lock(&s->lock);
	while (STAILQ_EMPTY(&s->copies) && !s->writer_is_done)
		pthread_cond_wait(&s->copies_changed, &s->lock);
	req = STAILQ_FIRST(&s->copies);
	if (req != NULL)
		STAILQ_REMOVE_HEAD(&s->copies, link);
	pthread_mutex_unlock(&s->lock);
	return req != NULL ? CONTAINER_OF(req, struct store_read, req) : NULL;
}

/* Backups are rare: their handle, and the memory it takes, goes each time. */
static void
backup_run(struct store *s, struct store_read *rd)
{
	struct store_db *db =
		s->driver->open_beside(s->writer.db, &rd->req.err);

	if (db == NULL)
		rd->req.failed = true;
	store_backup_run(s, db, rd);
	if (db != NULL)
		s->driver->close(db);
}

static void *
copier_main(void *arg)
{
	struct store_thread *t = arg;
	struct store *s = t->store;
	struct store_read *rd;

	while ((rd = copy_take(s)) != NULL) {
		ring_note(&ring_backup, NULL, 0, 0, 0);
		backup_run(s, rd);
	}
	return NULL;
}

/* --- starting and stopping ---------------------------------------------- */

static bool
thread_begin(struct store *s, struct store_thread *t, const char *name,
	void *(*run)(void *), struct err *err)
{
	t->store = s;
	t->started = thread_start(&t->id, name, run, t, err);
	return t->started;
}

bool
store_threads_start(struct store *s, struct err *err)
{
	bool ok = thread_begin(s, &s->writer, "store-write", writer_main, err) &&
		thread_begin(s, &s->copier, "store-copy", copier_main, err);

	for (unsigned i = 0; ok && i < s->n_readers; i++)
		ok = thread_begin(
			s, &s->readers[i], "store-read", reader_main, err);
	return ok;
}

static void
thread_join(struct store_thread *t)
{
	if (t->started)
		pthread_join(t->id, NULL);
	t->started = false;
}

/* The writer first: its last commit releases the last parked reads. */
void
store_threads_stop(struct store *s)
{
	thread_join(&s->writer);
	pthread_mutex_lock(&s->lock);
	s->writer_is_done = true;
	pthread_cond_broadcast(&s->reads_changed);
	pthread_cond_broadcast(&s->copies_changed);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->n_readers; i++)
		thread_join(&s->readers[i]);
	thread_join(&s->copier);
}
