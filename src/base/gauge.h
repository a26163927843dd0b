/*
 * gauge.h - how much there is of something now, and how much there was at most.
 *
 * One thread, or under a lock.  Zeroed memory is a gauge that stands at zero.
 */
#ifndef BASE_GAUGE_H
#define BASE_GAUGE_H

#include <assert.h>
#include <stdint.h>

struct gauge {
	uint64_t now;
	uint64_t highest;
};

static inline void
gauge_add(struct gauge *g, uint64_t n)
{
	g->now += n;
	if (g->now > g->highest)
		g->highest = g->now;
}

static inline void
gauge_remove(struct gauge *g, uint64_t n)
{
	assert(g->now >= n);
	g->now -= n;
}

#endif
