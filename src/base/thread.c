/*
 * thread.c - how a thread begins.
 */
#include "config.h"

#include "base/thread.h"

#include <errno.h>
#include <signal.h>

#include "base/err.h"

bool
thread_start(pthread_t *out, const char *name, void *(*run)(void *arg),
	void *arg, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(out, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (errno != 0)
		return err_errno(err, "cannot start the thread %s", name);
	pthread_setname_np(*out, name);
	return true;
}
