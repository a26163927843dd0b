/*
 * thread.h - the threads of the process, which all begin alike: with a name,
 * ready to report a crash, and without other signals, which are the main
 * thread's.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

struct err;

/* With its NUL: what the kernel keeps of it. */
#define THREAD_NAME_SIZE 16

/* Any thread: run(arg) on a new one, under a name (borrowed, shorter than
 * THREAD_NAME_SIZE) that debuggers and ps(1) show.  False with err. */
bool thread_start(pthread_t *out, const char *name, void *(*run)(void *arg),
	void *arg, struct err *err);

#endif
