/*
 * test_worker.c - slow work on a thread of its own.
 */
#include "config.h"

#include "base/worker.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "test.h"

#define MANY 1000

struct bench {
	struct worker *worker;
	struct mailbox box;
	size_t n_done;
	bool in_order;
};

struct task {
	struct bench *bench;
	size_t number;
	unsigned answer;
	pthread_t thread;
};

static void
bench_init(struct bench *b, bool threaded)
{
	struct err err = ERR_INIT;

	*b = (struct bench){ .in_order = true };
	CHECK(mailbox_init(&b->box, &err));
	b->worker = worker_new(threaded, &err);
	CHECK(b->worker != NULL);
}

static void
bench_done(struct bench *b)
{
	worker_free(b->worker);
	mailbox_drain(&b->box, NULL, MANY);
	mailbox_done(&b->box);
}

static void
task_work(void *arg)
{
	struct task *t = arg;

	t->thread = pthread_self();
	t->answer = (unsigned)t->number * 2;
}

static void
task_done(void *arg)
{
	struct task *t = arg;

	if (t->number != t->bench->n_done || t->answer != t->number * 2)
		t->bench->in_order = false;
	t->bench->n_done++;
}

static void
bench_wait(struct bench *b, size_t n)
{
	struct pollfd pfd = { .fd = b->box.fd, .events = POLLIN };

	while (b->n_done < n) {
		if (mailbox_drain(&b->box, NULL, MANY) < MANY &&
			b->n_done < n)
			poll(&pfd, 1, -1);
	}
}

TEST(work_is_done_on_another_thread_and_answered_on_the_askers)
{
	struct bench b;
	struct task task = { .bench = &b };

	bench_init(&b, true);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	bench_wait(&b, 1);
	CHECK(b.in_order);
	CHECK(!pthread_equal(task.thread, pthread_self()));
	bench_done(&b);
}

TEST(work_is_done_in_the_order_in_which_it_was_asked_for)
{
	struct task *tasks = xcalloc(MANY, sizeof(*tasks));
	struct bench b;

	bench_init(&b, true);
	for (size_t i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
	}
	bench_wait(&b, MANY);
	CHECK(b.in_order);
	CHECK_INT(b.n_done, MANY);
	bench_done(&b);
	free(tasks);
}

TEST(what_was_asked_for_is_done_before_the_worker_ends)
{
	struct task *tasks = xcalloc(MANY, sizeof(*tasks));
	struct bench b;

	bench_init(&b, true);
	for (size_t i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
	}
	bench_done(&b);
	CHECK_INT(b.n_done, MANY);
	CHECK(b.in_order);
	free(tasks);
}

TEST(when_none_waits_every_answer_is_in_the_mailbox)
{
	struct bench b;
	struct task task = { .bench = &b };

	bench_init(&b, true);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	while (worker_waiting(b.worker) != 0)
		sched_yield();
	CHECK_INT(mailbox_drain(&b.box, NULL, MANY), 1);
	CHECK_INT(b.n_done, 1);
	bench_done(&b);
}

TEST(without_a_thread_it_works_at_once_and_answers_by_mailbox)
{
	struct bench b;
	struct task task = { .bench = &b, .number = 0, .answer = 1 };

	bench_init(&b, false);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	CHECK(pthread_equal(task.thread, pthread_self()));
	CHECK_INT(b.n_done, 0);
	CHECK_INT(worker_waiting(b.worker), 0);
	bench_wait(&b, 1);
	CHECK_INT(task.answer, 0);
	bench_done(&b);
}

TEST_MAIN
