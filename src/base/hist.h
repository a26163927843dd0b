/*
 * hist.h - how values are distributed: mean, largest, and quantiles within one
 * sixteenth of the truth, in two kilobytes, whatever the range.
 *
 * Buckets are log-linear: sixteen of equal width to each power of two, so that
 * adding a value is a few instructions.  One thread, or under a lock.  Zeroed
 * memory is an empty histogram.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

/* Values beyond are counted in the last bucket; sum and max stay exact. */
#define HIST_VALUE_MAX UINT32_MAX
#define HIST_BUCKETS 464

struct hist {
	uint64_t n;
	uint64_t sum;
	uint64_t max;
	uint32_t counts[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
/* Adds all that from has. */
void hist_merge(struct hist *h, const struct hist *from);
/* Rounded; 0 when there is none. */
uint64_t hist_mean(const struct hist *h);
/* The value that permille of 1000 do not exceed: at least the true one, and at
 * most a sixteenth above it.  0 when there is none. */
uint64_t hist_quantile(const struct hist *h, unsigned permille);

/* The same for what came of late: the slot that is being filled, and the whole
 * ones before it. */
#define HIST_SLOTS 6

struct hist_window {
	int64_t slot_us; /* the length of one */
	int64_t slot;    /* the newest, counted from time 0 */
	struct hist slots[HIST_SLOTS];
};

/* length_us is covered at most, and five sixths of it at least. */
void hist_window_init(struct hist_window *w, int64_t length_us);
/* now_us >= 0; one that lies before the newest slot counts as that. */
void hist_window_add(struct hist_window *w, int64_t now_us, uint64_t value);
void hist_window_sum(struct hist_window *w, int64_t now_us, struct hist *out);

#endif
