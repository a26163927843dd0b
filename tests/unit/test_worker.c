/*
 * test_worker.c - slow work on a thread of its own.
 */
#include "config.h"

#include "base/worker.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
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
	bool all_right;
};

struct task {
	struct bench *bench;
	size_t number;
	unsigned answer;
	pthread_t thread;
};

static void
bench_init(struct bench *b, unsigned n_threads)
{
	struct err err = ERR_INIT;

	*b = (struct bench){ .all_right = true };
	CHECK(mailbox_init(&b->box, &err));
	b->worker = worker_new(n_threads, &err);
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

	if (t->answer != t->number * 2)
		t->bench->all_right = false;
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

	bench_init(&b, 1);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	bench_wait(&b, 1);
	CHECK(b.all_right);
	CHECK(!pthread_equal(task.thread, pthread_self()));
	bench_done(&b);
}

TEST(whoever_asks_for_much_gets_every_answer)
{
	struct task *tasks = xcalloc(MANY, sizeof(*tasks));
	struct bench b;

	bench_init(&b, 3);
	for (size_t i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
	}
	bench_wait(&b, MANY);
	CHECK(b.all_right);
	CHECK_INT(b.n_done, MANY);
	bench_done(&b);
	free(tasks);
}

struct slow {
	struct task task;
	sem_t go_on;
};

static void
slow_work(void *arg)
{
	struct slow *s = arg;

	while (sem_wait(&s->go_on) != 0)
		;
	task_work(&s->task);
}

static void
slow_done(void *arg)
{
	struct slow *s = arg;

	task_done(&s->task);
}

TEST(a_slow_piece_of_work_holds_up_no_other)
{
	struct bench b;
	struct slow slow = { .task = { .bench = &b } };
	struct task task = { .bench = &b, .number = 1 };

	bench_init(&b, 2);
	sem_init(&slow.go_on, 0, 0);
	worker_run(b.worker, slow_work, &b.box, slow_done, &slow);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	bench_wait(&b, 1);
	CHECK_INT(task.answer, 2);
	while (worker_waiting(b.worker) != 1)
		sched_yield();
	sem_post(&slow.go_on);
	bench_wait(&b, 2);
	CHECK(b.all_right);
	bench_done(&b);
	sem_destroy(&slow.go_on);
}

TEST(whoever_comes_behind_a_slow_piece_is_served_by_the_thread_that_is_free)
{
	struct bench b;
	struct slow slow = { .task = { .bench = &b } };
	struct task tasks[20];

	bench_init(&b, 2);
	sem_init(&slow.go_on, 0, 0);
	worker_run(b.worker, slow_work, &b.box, slow_done, &slow);
	for (size_t i = 0; i < COUNT(tasks); i++) {
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
	}
	bench_wait(&b, COUNT(tasks));
	while (worker_waiting(b.worker) != 1)
		sched_yield();
	sem_post(&slow.go_on);
	bench_wait(&b, COUNT(tasks) + 1);
	bench_done(&b);
	sem_destroy(&slow.go_on);
}

/* Those that are called so, as the system sees it. */
static size_t
count_threads(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	CHECK(dir != NULL);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
		char path[300], text[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(text, sizeof(text), f) != NULL)
			n += strncmp(text, name, strlen(name)) == 0;
		fclose(f);
	}
	closedir(dir);
	return n;
}

/* One has its name a moment later, and one that was joined has it for a moment. */
static void
wait_for_threads(size_t n)
{
	for (int i = 0; i < 100000 && count_threads("slow ") != n; i++)
		sched_yield();
	CHECK_INT(count_threads("slow "), n);
}

TEST(threads_that_begin_at_need_are_there_when_all_others_work)
{
	struct bench b;
	struct slow slow[3];

	bench_init(&b, 0);
	worker_free(b.worker);
	b.worker = worker_new_at_need("slow", 2);
	wait_for_threads(0);
	for (size_t i = 0; i < COUNT(slow); i++) {
		slow[i] = (struct slow){ .task = { .bench = &b } };
		sem_init(&slow[i].go_on, 0, 0);
		worker_run(b.worker, slow_work, &b.box, slow_done, &slow[i]);
		wait_for_threads(MIN(i + 1, (size_t)2));
	}
	for (size_t i = 0; i < COUNT(slow); i++)
		sem_post(&slow[i].go_on);
	bench_wait(&b, COUNT(slow));
	CHECK(b.all_right);
	bench_done(&b);
	wait_for_threads(0);
	for (size_t i = 0; i < COUNT(slow); i++)
		sem_destroy(&slow[i].go_on);
}

TEST(one_after_the_other_is_done_by_the_same_thread)
{
	struct task tasks[20];
	struct bench b;

	bench_init(&b, 4);
	for (size_t i = 0; i < COUNT(tasks); i++) {
		/* they have begun, and who has answered is at rest */
		while (worker_resting(b.worker) < 4)
			sched_yield();
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
		bench_wait(&b, i + 1);
		CHECK(pthread_equal(tasks[i].thread, tasks[0].thread));
	}
	bench_done(&b);
}

TEST(what_was_asked_for_is_done_before_the_worker_ends)
{
	struct task *tasks = xcalloc(MANY, sizeof(*tasks));
	struct bench b;

	bench_init(&b, 3);
	for (size_t i = 0; i < MANY; i++) {
		tasks[i] = (struct task){ .bench = &b, .number = i };
		worker_run(b.worker, task_work, &b.box, task_done, &tasks[i]);
	}
	bench_done(&b);
	CHECK_INT(b.n_done, MANY);
	CHECK(b.all_right);
	free(tasks);
}

TEST(when_none_waits_every_answer_is_in_the_mailbox)
{
	struct bench b;
	struct task task = { .bench = &b };

	bench_init(&b, 1);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	while (worker_waiting(b.worker) != 0)
		sched_yield();
	CHECK_INT(mailbox_drain(&b.box, NULL, MANY), 1);
	CHECK_INT(b.n_done, 1);
	bench_done(&b);
}

TEST(without_threads_it_works_at_once_and_answers_by_mailbox)
{
	struct bench b;
	struct task task = { .bench = &b, .number = 0, .answer = 1 };

	bench_init(&b, 0);
	worker_run(b.worker, task_work, &b.box, task_done, &task);
	CHECK(pthread_equal(task.thread, pthread_self()));
	CHECK_INT(b.n_done, 0);
	CHECK_INT(worker_waiting(b.worker), 0);
	bench_wait(&b, 1);
	CHECK_INT(task.answer, 0);
	bench_done(&b);
}

TEST_MAIN
