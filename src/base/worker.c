/*
 * worker.c - worker threads, and one queue from which all of them take.
 *
 * So what is slow holds up nobody while another thread is free.  Of those that are, the
 * one takes a job that has rested least: what it needs is in the caches of its
 * processor yet, which is half of what it costs to send a file.  A job travels as the
 * mail that answers it.  Invariant: it counts as waiting until its answer is in a
 * mailbox, so whoever sees none waiting and then drains its mailbox has seen them all.
 */
#include "config.h"

#include "base/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"

struct job {
	STAILQ_ENTRY(job) link;
	struct mail mail;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	struct mailbox *reply;
};

struct thread {
	pthread_t id;
	pthread_cond_t changed;
	LIST_ENTRY(thread) link; /* while it rests */
	bool rests;
	struct worker *worker;
};

struct worker {
	atomic_size_t waiting;
	unsigned max_threads;
	const char *name;
	struct thread *threads;

	pthread_mutex_t lock; /* of all below */
	LIST_HEAD(, thread) resting; /* the last one first */
	STAILQ_HEAD(, job) queue;
	size_t n_queued;
	unsigned n_threads;
	unsigned n_free; /* that wait for a job, or are about to take one */
	bool stop;
};

static const struct ring_kind ring_job = { "job", ring_describe_function };

static void
job_answer(struct mail *m, void *owner)
{
	struct job job = *CONTAINER_OF(m, struct job, mail);

	(void)owner;
	free(CONTAINER_OF(m, struct job, mail));
	job.done(job.arg);
}

static void
job_work(struct worker *w, struct job *job)
{
	ring_note(&ring_job, NULL, (uintptr_t)job->work, 0, 0);
	job->work(job->arg);
	mailbox_post(job->reply, &job->mail);
	/* job is its reader's now */
	atomic_fetch_sub(&w->waiting, 1);
}

/* --- threads -------------------------------------------------------------- */

/* Under lock, as what follows. */
static void
thread_rest(struct thread *t)
{
	if (!t->rests)
		LIST_INSERT_HEAD(&t->worker->resting, t, link);
	t->rests = true;
	pthread_cond_wait(&t->changed, &t->worker->lock);
}

/* It may be NULL. */
static void
thread_rouse(struct thread *t)
{
	if (t != NULL && t->rests) {
		LIST_REMOVE(t, link);
		t->rests = false;
	}
}

/* NULL: there is none, and there will not be. */
static struct job *
thread_take(struct thread *t)
{
	struct worker *w = t->worker;
	struct job *job;

	pthread_mutex_lock(&w->lock);
	w->n_free++;
	while (STAILQ_EMPTY(&w->queue) && !w->stop)
		thread_rest(t);
	thread_rouse(t); /* nobody else has, perhaps */
	w->n_free--;
	job = STAILQ_FIRST(&w->queue);
	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&w->queue, link);
		w->n_queued--;
	}
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void *
worker_main(void *arg)
{
	struct thread *t = arg;
	struct job *job;

	while ((job = thread_take(t)) != NULL)
		job_work(t->worker, job);
	return NULL;
}

/* One more; under lock, or before anybody else has w. */
static bool
worker_start_thread(struct worker *w, struct err *err)
{
	struct thread *t = &w->threads[w->n_threads];
	char name[THREAD_NAME_SIZE];

	snprintf(name, sizeof(name), "%s %u", w->name, w->n_threads);
	if (!thread_start(&t->id, name, worker_main, t, err))
		return false;
	w->n_threads++;
	return true;
}

/* --- the whole ------------------------------------------------------------ */

struct worker *
worker_new_at_need(const char *name, unsigned n_threads)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	atomic_init(&w->waiting, 0);
	w->name = name;
	w->max_threads = n_threads;
	w->threads = xcalloc(MAX(n_threads, 1), sizeof(w->threads[0]));
	for (unsigned i = 0; i < n_threads; i++) {
		w->threads[i].worker = w;
		pthread_cond_init(&w->threads[i].changed, NULL);
	}
	pthread_mutex_init(&w->lock, NULL);
	LIST_INIT(&w->resting);
	STAILQ_INIT(&w->queue);
	return w;
}

struct worker *
worker_new(unsigned n_threads, struct err *err)
{
	struct worker *w = worker_new_at_need("worker", n_threads);

	while (w->n_threads < n_threads) {
		if (!worker_start_thread(w, err)) {
			worker_free(w);
			return NULL;
		}
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	for (unsigned i = 0; i < w->n_threads; i++)
		pthread_cond_signal(&w->threads[i].changed);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i].id, NULL);
	for (unsigned i = 0; i < w->max_threads; i++)
		pthread_cond_destroy(&w->threads[i].changed);
	pthread_mutex_destroy(&w->lock);
	free(w->threads);
	free(w);
}

/* False when no thread will ever take it. */
static bool
worker_queue(struct worker *w, struct job *job)
{
	struct thread *next = NULL;
	bool taken;

	pthread_mutex_lock(&w->lock);
	if (w->n_queued >= w->n_free && w->n_threads < w->max_threads)
		(void)worker_start_thread(w, NULL); /* the next one tries again */
	taken = w->n_threads > 0;
	if (taken) {
		STAILQ_INSERT_TAIL(&w->queue, job, link);
		w->n_queued++;
		/* without one, who is about to take a job finds it */
		next = LIST_FIRST(&w->resting);
		thread_rouse(next);
	}
	pthread_mutex_unlock(&w->lock);
	/* who is woken before that waits for the lock again */
	if (next != NULL)
		pthread_cond_signal(&next->changed);
	return taken;
}

void
worker_run(struct worker *w, void (*work)(void *arg), struct mailbox *reply,
	void (*done)(void *arg), void *arg)
{
	struct job *job = xmalloc(sizeof(*job));

	*job = (struct job){
		.mail = { .bytes = sizeof(*job), .run = job_answer },
		.work = work,
		.done = done,
		.arg = arg,
		.reply = reply,
	};
	atomic_fetch_add(&w->waiting, 1);
	if (w->max_threads == 0 || !worker_queue(w, job))
		job_work(w, job);
}

size_t
worker_resting(struct worker *w)
{
	const struct thread *t;
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	LIST_FOREACH(t, &w->resting, link)
		n++;
	pthread_mutex_unlock(&w->lock);
	return n;
}

size_t
worker_waiting(const struct worker *w)
{
	return atomic_load(&w->waiting);
}
