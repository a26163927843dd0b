/*
 * worker.c - worker threads: each has a mailbox, and does what it finds there.
 *
 * A job travels as a mail to the thread that has least to do, and the same mail
 * travels on as the answer.  Invariant: a job counts as waiting until its
 * answer is in a mailbox, so whoever sees none waiting and then drains its
 * mailbox has seen them all.
 */
#include "config.h"

#include "base/worker.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"

#define JOBS_A_TURN 64

struct worker_thread {
	struct mailbox mailbox;
	struct worker *worker;
	pthread_t thread;
	atomic_size_t n_jobs;
	bool stop; /* its thread only */
};

struct worker {
	atomic_size_t waiting; /* at all threads */
	unsigned n_threads;
	struct worker_thread **threads;
};

struct job {
	struct mail mail;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	struct mailbox *reply;
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
	job->mail.run = job_answer;
	mailbox_post(job->reply, &job->mail);
	/* job is its reader's now */
	atomic_fetch_sub(&w->waiting, 1);
}

/* --- threads -------------------------------------------------------------- */

static void
worker_thread_work(struct mail *m, void *owner)
{
	struct worker_thread *h = owner;

	job_work(h->worker, CONTAINER_OF(m, struct job, mail));
	atomic_fetch_sub(&h->n_jobs, 1);
}

static void
worker_thread_end(struct mail *m, void *owner)
{
	struct worker_thread *h = owner;

	free(m);
	h->stop = true;
}

static void *
worker_thread_main(void *arg)
{
	struct worker_thread *h = arg;
	struct pollfd pfd = { .fd = h->mailbox.fd, .events = POLLIN };

	while (!h->stop) {
		/* a full turn leaves the mailbox awake: its eventfd says
		 * nothing then */
		if (mailbox_drain(&h->mailbox, h, JOBS_A_TURN) < JOBS_A_TURN &&
			!h->stop)
			poll(&pfd, 1, -1);
	}
	return NULL;
}

/* NULL with err. */
static struct worker_thread *
worker_thread_new(struct worker *w, struct err *err)
{
	struct worker_thread *h = xcalloc(1, sizeof(*h));
	char name[THREAD_NAME_SIZE];

	h->worker = w;
	atomic_init(&h->n_jobs, 0);
	if (!mailbox_init(&h->mailbox, err)) {
		free(h);
		return NULL;
	}
	snprintf(name, sizeof(name), "worker %u", w->n_threads);
	if (!thread_start(&h->thread, name, worker_thread_main, h, err)) {
		mailbox_done(&h->mailbox);
		free(h);
		return NULL;
	}
	return h;
}

static void
worker_thread_tell_end(struct worker_thread *h)
{
	struct mail *end = xcalloc(1, sizeof(*end));

	end->run = worker_thread_end;
	mailbox_post(&h->mailbox, end);
}

static void
worker_thread_free(struct worker_thread *h)
{
	pthread_join(h->thread, NULL);
	mailbox_done(&h->mailbox);
	free(h);
}

/* --- the whole ------------------------------------------------------------ */

struct worker *
worker_new(unsigned n_threads, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct worker_thread *h;

	atomic_init(&w->waiting, 0);
	w->threads = xcalloc(MAX(n_threads, 1), sizeof(struct worker_thread *));
	while (w->n_threads < n_threads) {
		h = worker_thread_new(w, err);
		if (h == NULL) {
			worker_free(w);
			return NULL;
		}
		w->threads[w->n_threads++] = h;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n_threads; i++)
		worker_thread_tell_end(w->threads[i]);
	for (unsigned i = 0; i < w->n_threads; i++)
		worker_thread_free(w->threads[i]);
	free(w->threads);
	free(w);
}

/* Two who ask at the same time may take the same: that costs a little time. */
static struct worker_thread *
worker_idlest(const struct worker *w)
{
	struct worker_thread *best = w->threads[0];

	for (unsigned i = 1; i < w->n_threads; i++) {
		if (atomic_load(&w->threads[i]->n_jobs) <
			atomic_load(&best->n_jobs))
			best = w->threads[i];
	}
	return best;
}

void
worker_run(struct worker *w, void (*work)(void *arg), struct mailbox *reply,
	void (*done)(void *arg), void *arg)
{
	struct job *job = xmalloc(sizeof(*job));
	struct worker_thread *h;

	*job = (struct job){
		.mail = { .bytes = sizeof(*job), .run = worker_thread_work },
		.work = work,
		.done = done,
		.arg = arg,
		.reply = reply,
	};
	atomic_fetch_add(&w->waiting, 1);
	if (w->n_threads == 0) {
		job_work(w, job);
		return;
	}
	h = worker_idlest(w);
	atomic_fetch_add(&h->n_jobs, 1);
	mailbox_post(&h->mailbox, &job->mail);
}

size_t
worker_waiting(const struct worker *w)
{
	return atomic_load(&w->waiting);
}
