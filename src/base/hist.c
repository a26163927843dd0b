/*
 * hist.c - log-linear histograms.
 *
 * Values below 32 have a bucket each.  From there on a bucket is as wide as the
 * five leading bits of its values leave open: 32 and 33, 34 and 35, ..., 62 and
 * 63, 64 to 67, ...
 */
#include "config.h"

#include "base/hist.h"

#include <string.h>

#include "base/mem.h"

#define LINEAR 16 /* buckets to a power of two */
#define LINEAR_BITS 4

static unsigned
bucket_of(uint64_t value)
{
	unsigned shift = 0;

	value = MIN(value, HIST_VALUE_MAX);
	if (value >= LINEAR)
		shift = 63u - LINEAR_BITS - (unsigned)__builtin_clzll(value);
	return shift * LINEAR + (unsigned)(value >> shift);
}

/* The largest value that belongs there. */
static uint64_t
bucket_end(unsigned i)
{
	unsigned shift = i < LINEAR ? 0 : i / LINEAR - 1;

	return (((uint64_t)i - shift * LINEAR + 1) << shift) - 1;
}

void
hist_add(struct hist *h, uint64_t value)
{
	h->n++;
	h->sum += value;
	h->max = MAX(h->max, value);
	h->counts[bucket_of(value)]++;
}

void
hist_merge(struct hist *h, const struct hist *from)
{
	h->n += from->n;
	h->sum += from->sum;
	h->max = MAX(h->max, from->max);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		h->counts[i] += from->counts[i];
}

uint64_t
hist_mean(const struct hist *h)
{
	return h->n != 0 ? (h->sum + h->n / 2) / h->n : 0;
}

uint64_t
hist_quantile(const struct hist *h, unsigned permille)
{
	uint64_t rank = (h->n * permille + 999) / 1000;
	uint64_t seen = 0;

	for (unsigned i = 0; i + 1 < HIST_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen >= rank)
			return MIN(bucket_end(i), h->max);
	}
	return h->max;
}

/* --- of late ------------------------------------------------------------ */

void
hist_window_init(struct hist_window *w, int64_t length_us)
{
	memset(w, 0, sizeof(*w));
	w->slot_us = length_us / HIST_SLOTS;
}

/* What is too old by now is forgotten. */
static void
window_advance(struct hist_window *w, int64_t now_us)
{
	int64_t slot = now_us / w->slot_us;
	int64_t fresh = MIN(slot - w->slot, HIST_SLOTS);

	for (int64_t i = 0; i < fresh; i++)
		w->slots[(slot - i) % HIST_SLOTS] = (struct hist){ .n = 0 };
	w->slot = MAX(w->slot, slot);
}

void
hist_window_add(struct hist_window *w, int64_t now_us, uint64_t value)
{
	window_advance(w, now_us);
	hist_add(&w->slots[w->slot % HIST_SLOTS], value);
}

void
hist_window_sum(struct hist_window *w, int64_t now_us, struct hist *out)
{
	window_advance(w, now_us);
	*out = (struct hist){ .n = 0 };
	for (int i = 0; i < HIST_SLOTS; i++)
		hist_merge(out, &w->slots[i]);
}
