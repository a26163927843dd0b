/*
 * worker.c - a mailbox whose owner is a thread that does what it finds there.
 *
 * A job travels as a mail to the worker, and the same mail travels on as the
 * answer.  Invariant: a job counts as waiting until its answer is in a mailbox,
 * so whoever sees none waiting and then drains its mailbox has seen them all.
 */
#include "config.h"

#include "base/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"

#define JOBS_A_TURN 64

struct worker {
	struct mailbox mailbox;
	pthread_t thread;
	atomic_size_t waiting;
	bool threaded;
	bool stop; /* the worker's thread only */
};

struct job {
	struct mail mail;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	struct mailbox *reply;
};

static void
job_answer(struct mail *m, void *owner)
{
	struct job job = *CONTAINER_OF(m, struct job, mail);

	(void)owner;
	free(CONTAINER_OF(m, struct job, mail));
	job.done(job.arg);
}

static void
job_work(struct mail *m, void *owner)
{
	struct job *job = CONTAINER_OF(m, struct job, mail);
	struct worker *w = owner;

	job->work(job->arg);
	job->mail.run = job_answer;
	mailbox_post(job->reply, &job->mail);
	/* job is its reader's now */
	atomic_fetch_sub(&w->waiting, 1);
}

static void
worker_end(struct mail *m, void *owner)
{
	struct worker *w = owner;

	free(m);
	w->stop = true;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct pollfd pfd = { .fd = w->mailbox.fd, .events = POLLIN };

	while (!w->stop) {
		/* a full turn leaves the mailbox awake: its eventfd says
		 * nothing then */
		if (mailbox_drain(&w->mailbox, w, JOBS_A_TURN) < JOBS_A_TURN &&
			!w->stop)
			poll(&pfd, 1, -1);
	}
	return NULL;
}

static bool
worker_start(struct worker *w, struct err *err)
{
	sigset_t all, before;
	int code;

	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return code == 0 || err_errno(err, "thread for slow work");
}

struct worker *
worker_new(bool threaded, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->threaded = threaded;
	atomic_init(&w->waiting, 0);
	if (!mailbox_init(&w->mailbox, err)) {
		free(w);
		return NULL;
	}
	if (threaded && !worker_start(w, err)) {
		mailbox_done(&w->mailbox);
		free(w);
		return NULL;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	struct mail *end;

	if (w == NULL)
		return;
	if (w->threaded) {
		end = xcalloc(1, sizeof(*end));
		end->run = worker_end;
		mailbox_post(&w->mailbox, end);
		pthread_join(w->thread, NULL);
	}
	mailbox_done(&w->mailbox);
	free(w);
}

void
worker_run(struct worker *w, void (*work)(void *arg), struct mailbox *reply,
	void (*done)(void *arg), void *arg)
{
	struct job *job = xmalloc(sizeof(*job));

	*job = (struct job){
		.mail = { .bytes = sizeof(*job), .run = job_work },
		.work = work,
		.done = done,
		.arg = arg,
		.reply = reply,
	};
	atomic_fetch_add(&w->waiting, 1);
	if (w->threaded)
		mailbox_post(&w->mailbox, &job->mail);
	else
		job_work(&job->mail, w);
}

size_t
worker_waiting(const struct worker *w)
{
	return atomic_load(&w->waiting);
}
