/*
 * crash.h - a crash leaves a report: a failed assertion, or a signal that ends
 * the process by its own fault (SEGV, BUS, FPE, ILL, ABRT).
 *
 * Its handler runs on the thread that crashed, on a stack of its own, and does
 * nothing but what signal-safety(7) allows: it writes line by line, to the log
 * and to a file, in this order, what may fail last:
 *
 *     what, when, which build   reason   events (ring.h)   backtrace   builds
 *
 * and lets the signal do what it would have done.  A crash in the handler ends
 * the process at once; one of another thread waits until the first has ended it.
 * A handler that somebody else has set, such as a sanitizer, stays.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stdbool.h>

struct err;

/* --- start-up: the main thread ------------------------------------------- */

/* From here on crashes are reported, in the log alone. */
void crash_init(void);
/* How many files there are at most: before there is one more, the oldest go. */
#define CRASH_FILES 20

struct crash_last {
	char file[512];
	char time[24];
	char reason[256];
	bool is_new; /* nobody has been told of it */
};

/* The newest report whose name begins with prefix, see crash_keep(); false: there
 * is none.  It is not new any more, and those beyond CRASH_FILES - 1 go. */
bool crash_last(const char *prefix, struct crash_last *out);
/* Crashes also go to files whose names begin with prefix (borrowed), which is a path;
 * time and number of the process follow.  False with err: its folder cannot be
 * opened. */
bool crash_keep(const char *prefix, struct err *err);

/* --- any thread ---------------------------------------------------------- */

/* What each thread does first and last (base/thread.c): it gets a stack for the
 * handler, so that the overflow of its own is reported too, and the signals of
 * crashes. */
void crash_thread_begin(void);
void crash_thread_end(void);

#endif
