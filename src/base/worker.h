/*
 * worker.h - a thread for slow, pure work, such as deriving keys from passwords,
 * with the answer by mailbox.
 *
 * Work is done one piece after the other, in the order in which it was asked
 * for.  It sees nothing but its argument.  Without a thread (in a simulation) it
 * is done while worker_run() is called, and answered by mailbox all the same.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct mailbox;
struct worker;

/* --- the thread that owns the whole -------------------------------------- */

/* NULL with err. */
struct worker *worker_new(bool threaded, struct err *err);
/* What was asked for is still done and posted; nobody asks any more, and the
 * mailboxes of the answers are there until this returns.  NULL is accepted. */
void worker_free(struct worker *w);

/* --- any thread ---------------------------------------------------------- */

/* Calls work(arg) on the worker's thread, and then done(arg) on the thread that
 * drains reply.  arg is work's, then done's, to change and to free. */
void worker_run(struct worker *w, void (*work)(void *arg),
	struct mailbox *reply, void (*done)(void *arg), void *arg);
/* Pieces of work that are not answered yet: who takes orders from strangers
 * refuses them above some bound. */
size_t worker_waiting(const struct worker *w);

#endif
