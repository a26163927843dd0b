/*
 * rate.h - how often each of many did something in an hour, or any other time.
 *
 * One owner.  Zeroed memory counts nothing.  What is remembered is bounded, and
 * forgotten when its time is over.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct rate_counter;

struct rate {
	struct rate_counter *counters;
};

#define RATE_KEYS_MAX 65536

/*
 * Counts one more of key, whose time began with the first that was counted;
 * false, and nothing is counted, when there were max within window_us already.
 * When more keys than can be remembered are about, the one that began first is
 * forgotten.  window_us is always the same for one rate; now_us never goes
 * back.
 */
bool rate_admit(struct rate *r, struct str key, int64_t max, int64_t window_us,
	int64_t now_us);
void rate_done(struct rate *r);

#endif
