/*
 * bench_hist.c - durations in constant memory: a histogram whose cells grow
 * with what they hold.
 *
 * Values below 64 have a cell each; above, each doubling is cut into 32.
 */
#include "config.h"

#include "bench.h"

#include "base/mem.h"

static unsigned
hist_cell(uint64_t v)
{
	unsigned shift;

	if (v < 64)
		return (unsigned)v;
	shift = 58 - (unsigned)__builtin_clzll(v); /* v >> shift is 32 to 63 */
	return 32 * shift + (unsigned)(v >> shift);
}

/* The largest value in it. */
static uint64_t
hist_value(unsigned cell)
{
	unsigned shift;

	if (cell < 64)
		return cell;
	shift = cell / 32 - 1;
	return ((UINT64_C(32) + cell % 32 + 1) << shift) - 1;
}

void
hist_add(struct hist *h, int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0;

	h->cells[MIN(hist_cell(v), HIST_CELLS - 1)]++;
	h->n++;
	h->max_us = MAX(h->max_us, v);
}

uint64_t
hist_at(const struct hist *h, unsigned permyriad)
{
	uint64_t wanted = (h->n * permyriad + 9999) / 10000, seen = 0;

	for (unsigned i = 0; i < HIST_CELLS; i++) {
		seen += h->cells[i];
		if (seen >= wanted)
			return MIN(hist_value(i), h->max_us);
	}
	return h->max_us;
}

void
hist_result(struct bench *b, const char *name, const struct hist *h)
{
	static const struct {
		const char *suffix;
		unsigned permyriad;
	} shares[] = {
		{ "p50_ms", 5000 }, { "p90_ms", 9000 }, { "p99_ms", 9900 },
		{ "p999_ms", 9990 }, { "max_ms", 10000 },
	};
	char key[64];

	for (size_t i = 0; i < COUNT(shares); i++) {
		snprintf(key, sizeof(key), "%s_%s", name, shares[i].suffix);
		result_add(b, key, "%.3f",
			(double)hist_at(h, shares[i].permyriad) / 1000);
	}
}
