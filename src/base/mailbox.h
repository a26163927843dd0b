/*
 * mailbox.h - the queue through which threads hand work to one thread:
 * liburcu's wait-free queue and an eventfd.
 *
 * Any thread posts; the owner's thread drains.  Between one sender and one
 * mailbox order is kept.  Wake-ups are coalesced: the eventfd is written only
 * by the post that finds the mailbox asleep.  What waits is counted in mails
 * and in bytes, by one word, so that it costs one atomic operation.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <urcu/wfcqueue.h>

struct err;

/* Lies inside what is posted.  run() is called by the draining thread, and
 * owns the mail from then on. */
struct mail {
	struct cds_wfcq_node node;
	uint32_t bytes; /* what it holds in memory, counted against the bound */
	void (*run)(struct mail *m, void *owner);
};

struct mailbox_depth {
	uint64_t mails;
	uint64_t bytes;
};

enum mailbox_state {
	MAILBOX_ASLEEP, /* the next post writes the eventfd */
	MAILBOX_WOKEN,  /* a post has written it, or is about to */
	MAILBOX_AWAKE,  /* the owner looks again without that */
};

struct mailbox {
	struct cds_wfcq_tail tail __attribute__((aligned(64)));
	_Atomic uint64_t waiting; /* posted and not yet run, see mailbox.c */
	atomic_int state;  /* enum mailbox_state */
	_Atomic int64_t held; /* bytes, see mailbox_hold() */
	struct __cds_wfcq_head head __attribute__((aligned(64)));
	int fd;            /* eventfd, readable when there may be mail */
	struct mailbox_depth highest; /* the owner's */
};

bool mailbox_init(struct mailbox *mb, struct err *err);
/* Runs nothing: the mailbox must be empty, and nobody posts any more. */
void mailbox_done(struct mailbox *mb);

/* --- any thread ---------------------------------------------------------- */

/* m is taken. */
void mailbox_post(struct mailbox *mb, struct mail *m);
/* The same in two steps: who puts several in wakes the owner once, behind the
 * last one, and soon. */
void mailbox_put(struct mailbox *mb, struct mail *m);
void mailbox_wake(struct mailbox *mb);
/* What is waiting, in bytes: senders slow down above their bound. */
size_t mailbox_bytes(const struct mailbox *mb);
/* n bytes more, or less, that a mail has to do with longer than until it is run:
 * the owner is not done with it. */
void mailbox_hold(struct mailbox *mb, int64_t n);
size_t mailbox_held(const struct mailbox *mb);

/* --- the owner's thread -------------------------------------------------- */

/* Runs at most max mails with owner as the second argument; returns how many.
 * When fewer than max were run, the mailbox is asleep and will write its
 * eventfd for the next post; else the caller has to come again. */
size_t mailbox_drain(struct mailbox *mb, void *owner, size_t max);

/*
 * For an owner who has more to do than mail, and who is told of each write to
 * the eventfd (EPOLLET), so that it need not be read.  Runs at most max mails
 * and stays awake: nobody writes the eventfd until mailbox_rest().
 */
size_t mailbox_run(struct mailbox *mb, void *owner, size_t max);
/* Before waiting.  False when there is mail: run it first.  (Rarely, when its
 * poster is not quite done yet; it takes some instructions.) */
bool mailbox_rest(struct mailbox *mb);

/* --- any thread ---------------------------------------------------------- */

/* What waits now. */
struct mailbox_depth mailbox_depth(const struct mailbox *mb);
/* The most that the owner has found waiting, ever. */
struct mailbox_depth mailbox_highest(const struct mailbox *mb);

#endif
