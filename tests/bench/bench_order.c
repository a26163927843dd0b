/*
 * bench_order.c - tells lost, doubled and reordered messages of one sender to
 * one recipient by their numbers, in constant memory.
 *
 * Invariant: every number up to newest has arrived, or is one of the 64 that
 * `seen` still knows, or counts as missing for good.
 */
#include "config.h"

#include "bench.h"

#include "base/mem.h"

static void
order_advance(struct order *o, uint32_t n)
{
	uint32_t step = n - o->newest;

	/* those that are skipped, and may be missing */
	if (o->excused > o->newest)
		o->forgiven += MIN(o->excused, n - 1) - o->newest;
	o->seen = step < 64 ? o->seen << step : 0;
	o->seen |= 1;
	o->newest = n;
	o->arrived++;
}

void
order_arrived(struct bench *b, struct order *o, uint32_t n)
{
	uint32_t behind;

	if (n > o->newest) {
		order_advance(o, n);
		return;
	}
	behind = o->newest - n;
	if (behind >= 64 || (o->seen >> behind & 1) != 0) {
		b->doubled++; /* or later than 64 others, which is as bad */
		return;
	}
	b->reordered++;
	o->seen |= UINT64_C(1) << behind;
	o->arrived++;
	if (n <= o->excused && o->forgiven > 0)
		o->forgiven--;
}

void
order_end(struct bench *b, struct order *o)
{
	if (o->excused > o->newest) {
		o->forgiven += o->excused - o->newest;
		o->newest = o->excused;
	}
	b->lost += o->sent - o->arrived - o->forgiven;
}
