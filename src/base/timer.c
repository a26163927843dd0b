/*
 * timer.c - a binary heap of the timers of one thread.
 *
 * Invariant: heap[t->index - 1] == t for each timer that waits; during a run,
 * those that are due have left the heap for the list `due`, and their index
 * has DUE set and is 1 + the place there.
 */
#include "config.h"

#include "base/timer.h"

#include <assert.h>

#include "base/mem.h"

#define DUE UINT32_C(0x80000000)

void
timer_queue_done(struct timer_queue *q)
{
	free(q->heap);
	free(q->due);
	*q = (struct timer_queue){ .heap = NULL };
}

static void
heap_put(struct timer_queue *q, uint32_t place, struct timer *t)
{
	q->heap[place] = t;
	t->index = place + 1;
}

/* Finds the place for t at or above the free one, towards the root. */
static void
heap_rise(struct timer_queue *q, uint32_t place, struct timer *t)
{
	while (place > 0) {
		uint32_t parent = (place - 1) / 2;

		if (q->heap[parent]->at_us <= t->at_us)
			break;
		heap_put(q, place, q->heap[parent]);
		place = parent;
	}
	heap_put(q, place, t);
}

/* Finds the place for t at or below the free one, towards the leaves. */
static void
heap_sink(struct timer_queue *q, uint32_t place, struct timer *t)
{
	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= q->n)
			break;
		if (child + 1 < q->n &&
			q->heap[child + 1]->at_us < q->heap[child]->at_us)
			child++;
		if (t->at_us <= q->heap[child]->at_us)
			break;
		heap_put(q, place, q->heap[child]);
		place = child;
	}
	heap_put(q, place, t);
}

static void
heap_remove(struct timer_queue *q, uint32_t place)
{
	struct timer *last = q->heap[--q->n];

	if (place == q->n)
		return;
	if (place > 0 && q->heap[(place - 1) / 2]->at_us > last->at_us)
		heap_rise(q, place, last);
	else
		heap_sink(q, place, last);
}

void
timer_cancel(struct timer_queue *q, struct timer *t)
{
	if (t->index == 0)
		return;
	if (t->index & DUE)
		q->due[(t->index & ~DUE) - 1] = NULL;
	else
		heap_remove(q, t->index - 1);
	t->index = 0;
}

void
timer_set(struct timer_queue *q, struct timer *t, int64_t at_us,
	void (*fire)(struct timer *t))
{
	timer_cancel(q, t);
	if (q->n == q->cap) {
		assert(q->cap < DUE / 2);
		q->cap = MAX(16, 2 * q->cap);
		q->heap = xrealloc(q->heap, q->cap * sizeof(struct timer *));
	}
	t->at_us = at_us;
	t->fire = fire;
	heap_rise(q, q->n++, t);
}

/* The earliest timer leaves the heap for the list of those that are due. */
static void
due_add(struct timer_queue *q)
{
	struct timer *t = q->heap[0];

	if (q->n_due == q->cap_due) {
		q->cap_due = MAX(16, 2 * q->cap_due);
		q->due = xrealloc(q->due, q->cap_due * sizeof(struct timer *));
	}
	heap_remove(q, 0);
	q->due[q->n_due++] = t;
	t->index = DUE | q->n_due;
}

int64_t
timer_queue_run(struct timer_queue *q, int64_t now_us)
{
	assert(q->n_due == 0); /* fire() does not run the queue */
	while (q->n > 0 && q->heap[0]->at_us <= now_us)
		due_add(q);
	for (uint32_t i = 0; i < q->n_due; i++) {
		struct timer *t = q->due[i];

		if (t == NULL) /* cancelled or moved by an earlier one */
			continue;
		t->index = 0;
		t->fire(t);
	}
	q->n_due = 0;
	return timer_queue_next(q);
}

int64_t
timer_queue_next(const struct timer_queue *q)
{
	return q->n > 0 ? q->heap[0]->at_us : INT64_MAX;
}
