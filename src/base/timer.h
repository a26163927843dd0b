/*
 * timer.h - many timers over one clock: a binary heap of intrusive entries.
 *
 * One queue belongs to one thread.  A timer lives inside the object it is for;
 * zeroed memory is a timer that is not set.  An object that is freed cancels
 * its timers first.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct timer {
	int64_t at_us;
	uint32_t index; /* where the queue keeps it; 0: not set */
	void (*fire)(struct timer *t);
};

struct timers VEC(struct timer *);

struct timer_queue {
	struct timers heap;
	struct timers due; /* during a run: those that fire in it */
};

/* Frees the queue's memory, not the timers. */
void timer_queue_done(struct timer_queue *q);

/* Sets or moves t.  fire() is called once, by timer_queue_run, when at_us of
 * the monotonic clock has come. */
void timer_set(struct timer_queue *q, struct timer *t, int64_t at_us,
	void (*fire)(struct timer *t));
/* Does nothing for a timer that is not set. */
void timer_cancel(struct timer_queue *q, struct timer *t);

static inline bool
timer_is_set(const struct timer *t)
{
	return t->index != 0;
}

/* Fires what is due at now_us, in order of time; a timer set meanwhile for a
 * time that has passed waits for the next run.  Returns when the next one is
 * due, INT64_MAX for none. */
int64_t timer_queue_run(struct timer_queue *q, int64_t now_us);
/* When the next one is due, INT64_MAX for none. */
int64_t timer_queue_next(const struct timer_queue *q);

#endif
