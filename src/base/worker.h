/*
 * worker.h - threads for slow, pure work, such as deriving keys from passwords,
 * with the answer by mailbox.
 *
 * A piece of work sees nothing but its argument.  Between two pieces no order
 * is kept: who needs one asks for the second when the first is answered.  What comes
 * first is begun first, by the free thread that has rested least.
 * Without threads (in a simulation) work is done while worker_run() is called,
 * and answered by mailbox all the same.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include <stddef.h>

struct err;
struct mailbox;
struct worker;

/* --- the thread that owns the whole -------------------------------------- */

/* n_threads 0: without.  NULL with err. */
struct worker *worker_new(unsigned n_threads, struct err *err);
/* The same, but each thread begins with the first work for which none is free; what
 * none can be had for is done by who asks.  Threads are called name (static, of up to
 * ten letters) and have a number. */
struct worker *worker_new_at_need(const char *name, unsigned n_threads);
/* What was asked for is still done and posted; nobody asks any more, and the
 * mailboxes of the answers are there until this returns.  NULL is accepted. */
void worker_free(struct worker *w);

/* --- any thread ---------------------------------------------------------- */

/* Calls work(arg) on one of the threads, and then done(arg) on the thread that
 * drains reply, after this has returned.  arg is work's, then done's, to change
 * and to free. */
void worker_run(struct worker *w, void (*work)(void *arg),
	struct mailbox *reply, void (*done)(void *arg), void *arg);
/* Pieces of work that are not answered yet: who takes orders from strangers
 * refuses them above some bound. */
size_t worker_waiting(const struct worker *w);
/* Threads that have nothing to do; for tests. */
size_t worker_resting(struct worker *w);

#endif
