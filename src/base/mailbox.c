/*
 * mailbox.c - a wait-free queue into one thread, and the eventfd that wakes it.
 *
 * Any thread posts, the owner's drains.  Invariant: whenever mail is waiting,
 * the owner will look (AWAKE), or a poster has written the eventfd or is about
 * to (WOKEN), or has put it in and will call mailbox_wake().  To each change
 * from ASLEEP to WOKEN belongs one write, and one read by an owner who uses
 * mailbox_drain(), who therefore makes no system call when nothing came.
 *
 * The queue is used through the functions of liburcu-common.so, not through
 * its inlines: those are plain and volatile accesses with barriers in assembly,
 * which ThreadSanitizer takes for races.  What orders the contents of a mail
 * is therefore stated in C11, by the counter of what waits: mailbox_post() adds
 * to it (release) before it enqueues, mailbox_drain() reads it (acquire) after
 * it has dequeued.  All changes in between are read-modify-writes, so that they
 * belong to the release sequence of that post.
 *
 * The lower 37 bits of the counter are bytes, what is above counts mails: 64 GiB,
 * four times the largest bound there is, and as much in mails of a kilobyte.
 */
#include "config.h"

#include "base/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <urcu/arch.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/ring.h"

#define BYTES_BITS 37
#define ONE_MAIL (UINT64_C(1) << BYTES_BITS)

static const struct ring_kind ring_mail = { "mail", ring_describe_function };

bool
mailbox_init(struct mailbox *mb, struct err *err)
{
	mb->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mb->fd == -1)
		return err_errno(err, "eventfd for a mailbox");
	__cds_wfcq_init(&mb->head, &mb->tail);
	atomic_init(&mb->waiting, 0);
	atomic_init(&mb->held, 0);
	mb->highest = (struct mailbox_depth){ 0 };
	atomic_init(&mb->state, MAILBOX_ASLEEP);
	return true;
}

void
mailbox_done(struct mailbox *mb)
{
	if (mb->fd != -1)
		close(mb->fd);
	mb->fd = -1;
}

/* Fails only when the counter is full, and then the eventfd is readable. */
static void
wake(struct mailbox *mb)
{
	uint64_t one = 1;

	while (write(mb->fd, &one, sizeof(one)) == -1 && errno == EINTR)
		;
}

static bool
change(struct mailbox *mb, int from, int to)
{
	int seen = from;

	return atomic_load_explicit(&mb->state, memory_order_relaxed) == from &&
		atomic_compare_exchange_strong(&mb->state, &seen, to);
}

void
mailbox_put(struct mailbox *mb, struct mail *m)
{
	atomic_fetch_add_explicit(
		&mb->waiting, ONE_MAIL + m->bytes, memory_order_release);
	cds_wfcq_node_init(&m->node);
	cds_wfcq_enqueue(&mb->head, &mb->tail, &m->node);
}

void
mailbox_wake(struct mailbox *mb)
{
	/* what was put in is in the queue before state is read; who falls
	 * asleep has the two the other way round */
	cmm_smp_mb();
	if (change(mb, MAILBOX_ASLEEP, MAILBOX_WOKEN))
		wake(mb);
}

void
mailbox_post(struct mailbox *mb, struct mail *m)
{
	mailbox_put(mb, m);
	/* m may be gone by now */
	mailbox_wake(mb);
}

static struct mailbox_depth
depth_of(uint64_t waiting)
{
	return (struct mailbox_depth){
		.mails = waiting >> BYTES_BITS,
		.bytes = waiting & (ONE_MAIL - 1),
	};
}

struct mailbox_depth
mailbox_depth(const struct mailbox *mb)
{
	return depth_of(
		atomic_load_explicit(&mb->waiting, memory_order_relaxed));
}

size_t
mailbox_bytes(const struct mailbox *mb)
{
	return mailbox_depth(mb).bytes;
}

void
mailbox_hold(struct mailbox *mb, int64_t n)
{
	atomic_fetch_add_explicit(&mb->held, n, memory_order_relaxed);
}

size_t
mailbox_held(const struct mailbox *mb)
{
	return (size_t)atomic_load_explicit(&mb->held, memory_order_relaxed);
}

struct mailbox_depth
mailbox_highest(const struct mailbox *mb)
{
	return mb->highest;
}

/* NULL when there is none, or when the next one is still being enqueued: its
 * poster will find the mailbox asleep, so there is no need to wait for it. */
static struct mail *
take(struct mailbox *mb)
{
	struct cds_wfcq_node *node;
	struct mailbox_depth depth;

	node = __cds_wfcq_dequeue_nonblocking(&mb->head, &mb->tail);
	if (node == NULL || node == CDS_WFCQ_WOULDBLOCK)
		return NULL;
	depth = depth_of(
		atomic_load_explicit(&mb->waiting, memory_order_acquire));
	mb->highest.mails = MAX(mb->highest.mails, depth.mails);
	mb->highest.bytes = MAX(mb->highest.bytes, depth.bytes);
	return (struct mail *)(void *)node;
}

/* False when the write that woke us is still to come: it will do so again. */
static bool
answer_wakeup(struct mailbox *mb)
{
	uint64_t count;
	ssize_t got;

	if (atomic_load(&mb->state) != MAILBOX_WOKEN)
		return true;
	do
		got = read(mb->fd, &count, sizeof(count));
	while (got == -1 && errno == EINTR);
	return got != -1;
}

/* Returns a mail that came in meanwhile: the mailbox is awake again. */
static struct mail *
fall_asleep(struct mailbox *mb)
{
	struct mail *m;

	/* before the state changes: a wake-up after that must not be lost */
	if (!answer_wakeup(mb))
		return NULL;
	atomic_store(&mb->state, MAILBOX_ASLEEP);
	cmm_smp_mb();
	m = take(mb);
	if (m != NULL)
		change(mb, MAILBOX_ASLEEP, MAILBOX_AWAKE);
	return m;
}

static void
run(struct mailbox *mb, struct mail *m, void *owner)
{
	atomic_fetch_sub_explicit(
		&mb->waiting, ONE_MAIL + m->bytes, memory_order_relaxed);
	ring_note(&ring_mail, NULL, (uintptr_t)m->run, 0, 0);
	m->run(m, owner);
}

size_t
mailbox_drain(struct mailbox *mb, void *owner, size_t max)
{
	size_t n = 0;

	if (atomic_load(&mb->state) == MAILBOX_ASLEEP)
		return 0;
	while (n < max) {
		struct mail *m = take(mb);

		if (m == NULL)
			m = fall_asleep(mb);
		if (m == NULL)
			break;
		run(mb, m, owner);
		n++;
	}
	return n;
}

size_t
mailbox_run(struct mailbox *mb, void *owner, size_t max)
{
	size_t n = 0;
	struct mail *m;

	/* in whatever state it was: a write that is still to come wakes the
	 * owner once for nothing */
	atomic_store_explicit(
		&mb->state, MAILBOX_AWAKE, memory_order_relaxed);
	while (n < max && (m = take(mb)) != NULL) {
		run(mb, m, owner);
		n++;
	}
	return n;
}

bool
mailbox_rest(struct mailbox *mb)
{
	atomic_store_explicit(
		&mb->state, MAILBOX_ASLEEP, memory_order_relaxed);
	cmm_smp_mb();
	if (mailbox_depth(mb).mails == 0)
		return true;
	atomic_store_explicit(
		&mb->state, MAILBOX_AWAKE, memory_order_relaxed);
	return false;
}
