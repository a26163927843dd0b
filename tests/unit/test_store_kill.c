/*
 * test_store_kill.c - acknowledged means durable: a child writes and says what
 * was acknowledged, is killed, and every bit of that has to be there.
 */
#include "config.h"

#include "store/store.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_suite.h"
#include "test.h"

static const struct suite_kind inline_kind = { "inline", "sqlite", true, false };
static const struct suite_kind threads_kind = { "threads", "sqlite", false, false };

#define MAP PLACE("romeo", "map")

#define OUTSTANDING 16

struct writer {
	struct suite *suite;
	int fd; /* acknowledged numbers go there */
	int number;
};

static void
on_written(void *arg, bool ok, const struct err *err)
{
	struct writer *w = arg;

	(void)err;
	if (!ok || write(w->fd, &w->number, sizeof(w->number)) == -1)
		_exit(3);
	w->suite->waiting--;
	free(w);
}

/* Writes until it is killed. */
static void __attribute__((noreturn))
killed_child(struct suite *su, int fd, int from)
{
	struct pollfd pfd = { .fd = su->mailbox.fd, .events = POLLIN };

	suite_reopen(su);
	for (int i = from;; i++) {
		struct store_tx *tx = store_tx_new();
		struct writer *w = xmalloc(sizeof(*w));
		char key[16];

		*w = (struct writer){ su, fd, i };
		snprintf(key, sizeof(key), "%d", i);
		store_tx_set(tx, MAP, str_c(key), str_c(key));
		store_tx_append(tx, MAP, str_c(key), i, STR_NONE, str_c(key));
		su->waiting++;
		store_commit(su->store, tx, &su->mailbox, on_written, w);
		while (su->waiting >= OUTSTANDING) {
			poll(&pfd, 1, -1);
			mailbox_drain(&su->mailbox, NULL, SIZE_MAX);
		}
	}
}

/* Kills the child after so many numbers; returns the last one that came. */
static int
kill_after(pid_t pid, int fd, int n_acks)
{
	int number, last = -1;

	while (read(fd, &number, sizeof(number)) == sizeof(number)) {
		last = number;
		if (--n_acks == 0)
			kill(pid, SIGKILL);
	}
	CHECK_INT(suite_child_wait(pid), -SIGKILL);
	return last;
}

static void
acknowledged_check(struct suite *su, int last)
{
	const struct store_range all = { .max = 0, .count = true };
	struct suite_result r;
	char key[16], want[40], out[100];

	suite_result_init(su, &r);
	store_range(su->store, MAP, &all, &su->mailbox, suite_on_read, &r);
	suite_wait(su);
	CHECK_INT(r.code, ERR_NONE);
	CHECK(r.total >= (uint64_t)last + 1);
	suite_result_done(&r);
	for (int i = 0; i <= last; i++) {
		snprintf(key, sizeof(key), "%d", i);
		snprintf(want, sizeof(want), "%d=%d", i, i);
		CHECK_CSTR(suite_get(su, MAP, key, out, sizeof(out)), want);
	}
}

/* Numbers that were written but not acknowledged may be there or not. */
static void
after_clear(struct suite *su, int last)
{
	struct store_tx *tx = store_tx_new();
	char key[16];

	for (int i = last + 1; i <= last + OUTSTANDING; i++) {
		snprintf(key, sizeof(key), "%d", i);
		store_tx_delete(tx, MAP, str_c(key));
		store_tx_delete_entry(tx, MAP, str_c(key));
	}
	CHECK_INT(suite_commit(su, tx), ERR_NONE);
}

TEST(what_was_acknowledged_survives_a_kill)
{
	uint64_t state = 7;
	struct suite su;
	int last = -1;

	suite_open(&su, &inline_kind);
	for (int round = 0; round < 20; round++) {
		int fds[2], n;
		struct err err;
		pid_t pid;

		suite_shut(&su);
		state = state * UINT64_C(6364136223846793005) + 1;
		n = 1 + (int)((state >> 33) % 120);
		CHECK(pipe(fds) == 0);
		pid = fork();
		if (pid == 0) {
			close(fds[0]);
			su.kind = &threads_kind;
			killed_child(&su, fds[1], last + 1);
		}
		close(fds[1]);
		n = kill_after(pid, fds[0], n);
		close(fds[0]);
		last = MAX(last, n);
		CHECK(suite_try_open(&su, &err));
		acknowledged_check(&su, last);
		after_clear(&su, last);
	}
	suite_close(&su);
}

TEST_MAIN
