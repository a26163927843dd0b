/*
 * thread.c - how a thread begins.
 */
#include "config.h"

#include "base/thread.h"

#include <errno.h>
#include <signal.h>

#include "base/crash.h"
#include "base/err.h"
#include "base/mem.h"

struct start {
	void *(*run)(void *arg);
	void *arg;
};

static void *
thread_main(void *arg)
{
	struct start start = *(struct start *)arg;
	void *result;

	free(arg);
	crash_thread_begin();
	result = start.run(start.arg);
	crash_thread_end();
	return result;
}

bool
thread_start(pthread_t *out, const char *name, void *(*run)(void *arg),
	void *arg, struct err *err)
{
	struct start *start = xmalloc(sizeof(*start));
	sigset_t all, before;

	*start = (struct start){ run, arg };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(out, NULL, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (errno != 0) {
		free(start);
		return err_errno(err, "cannot start the thread %s", name);
	}
	pthread_setname_np(*out, name);
	return true;
}
