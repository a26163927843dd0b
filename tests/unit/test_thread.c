/*
 * test_thread.c - how threads begin.
 */
#include "config.h"

#include "base/thread.h"

#include <signal.h>

#include "base/err.h"

#include "test.h"

struct seen {
	char name[THREAD_NAME_SIZE];
	sigset_t blocked;
};

static void *
look(void *arg)
{
	struct seen *seen = arg;

	pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
	return NULL;
}

/* Who starts a thread names it once it is there. */
static void *
look_at_name(void *arg)
{
	struct seen *seen = arg;

	do
		pthread_getname_np(
			pthread_self(), seen->name, sizeof(seen->name));
	while (strcmp(seen->name, "a name of 15 by") != 0);
	return NULL;
}

TEST(thread_has_its_name)
{
	struct seen seen;
	pthread_t thread;

	CHECK(thread_start(&thread, "a name of 15 by", look_at_name, &seen,
		NULL));
	pthread_join(thread, NULL);
	CHECK(strcmp(seen.name, "a name of 15 by") == 0);
}

TEST(thread_leaves_signals_to_the_main_one)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2,
		SIGCHLD };
	struct err err = ERR_INIT;
	struct seen seen;
	pthread_t thread;
	sigset_t here;

	CHECK(thread_start(&thread, "t", look, &seen, &err));
	pthread_join(thread, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &here);
	for (size_t i = 0; i < COUNT(signals); i++) {
		CHECK_INT(sigismember(&seen.blocked, signals[i]), 1);
		CHECK_INT(sigismember(&here, signals[i]), 0);
	}
}

TEST_MAIN
