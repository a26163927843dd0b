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
#include "base/ring.h"

static const struct ring_kind ring_timer = { "timer", ring_describe_function };

#define DUE UINT32_C(0x80000000)

void
timer_queue_done(struct timer_queue *q)
{
	vec_done(&q->heap);
	vec_done(&q->due);
}

static void
heap_put(struct timer_queue *q, uint32_t place, struct timer *t)
{
	q->heap.p[place] = t;
	t->index = place + 1;
}

/* Finds the place for t at or above the free one, towards the root. */
static void
heap_rise(struct timer_queue *q, uint32_t place, struct timer *t)
{
	while (place > 0) {
		uint32_t parent = (place - 1) / 2;

		if (q->heap.p[parent]->at_us <= t->at_us)
			break;
		heap_put(q, place, q->heap.p[parent]);
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

		if (child >= q->heap.n)
			break;
		if (child + 1 < q->heap.n &&
			q->heap.p[child + 1]->at_us < q->heap.p[child]->at_us)
			child++;
		if (t->at_us <= q->heap.p[child]->at_us)
			break;
		heap_put(q, place, q->heap.p[child]);
		place = child;
	}
	heap_put(q, place, t);
}

static void
heap_remove(struct timer_queue *q, uint32_t place)
{
	struct timer *last = q->heap.p[--q->heap.n];

	if (place == q->heap.n)
		return;
	if (place > 0 && q->heap.p[(place - 1) / 2]->at_us > last->at_us)
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
		q->due.p[(t->index & ~DUE) - 1] = NULL;
	else
		heap_remove(q, t->index - 1);
	t->index = 0;
}

void
timer_set(struct timer_queue *q, struct timer *t, int64_t at_us,
	void (*fire)(struct timer *t))
{
	timer_cancel(q, t);
	assert(q->heap.n < DUE - 1);
	t->at_us = at_us;
	t->fire = fire;
	vec_push(&q->heap);
	heap_rise(q, q->heap.n - 1, t);
}

/* The earliest timer leaves the heap for the list of those that are due. */
static void
due_add(struct timer_queue *q)
{
	struct timer *t = q->heap.p[0];

	heap_remove(q, 0);
	*vec_push(&q->due) = t;
	t->index = DUE | q->due.n;
}

int64_t
timer_queue_run(struct timer_queue *q, int64_t now_us)
{
	assert(q->due.n == 0); /* fire() does not run the queue */
	while (q->heap.n > 0 && q->heap.p[0]->at_us <= now_us)
		due_add(q);
	for (uint32_t i = 0; i < q->due.n; i++) {
		struct timer *t = q->due.p[i];

		if (t == NULL) /* cancelled or moved by an earlier one */
			continue;
		t->index = 0;
		ring_note(&ring_timer, NULL, (uintptr_t)t->fire, 0, 0);
		t->fire(t);
	}
	q->due.n = 0;
	return timer_queue_next(q);
}

int64_t
timer_queue_next(const struct timer_queue *q)
{
	return q->heap.n > 0 ? q->heap.p[0]->at_us : INT64_MAX;
}
