/*
 * throttle.h - how often something has happened to a key within a minute:
 * failed logins of an address, or to an account.
 *
 * Any thread.  The memory is fixed: where a crowd of keys does not fit, those
 * with the fewest events are forgotten, so that who fails often is remembered
 * longest.
 */
#ifndef BASE_THROTTLE_H
#define BASE_THROTTLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* The minute of a key begins with its first event, and after it the count
 * begins anew. */
#define THROTTLE_WINDOW_US (INT64_C(60) * 1000000)

struct throttle;

/* Remembers about n_keys keys.  Owned by the caller; throttle_free copes with
 * NULL. */
struct throttle *throttle_new(size_t n_keys);
void throttle_free(struct throttle *t);

/* now_us is monotonic.  Both return the events of key within its minute, the
 * one that throttle_add reports included. */
uint32_t throttle_add(struct throttle *t, struct str key, int64_t now_us);
uint32_t throttle_count(struct throttle *t, struct str key, int64_t now_us);

/*
 * A turn for key, which has events: gap_us after the turn before, or after now.
 * How long it is until then; or -1, and there is none, when that is more than
 * max_us.  So what has happened too often goes on, but one at a time.
 */
int64_t throttle_turn(struct throttle *t, struct str key, int64_t gap_us,
	int64_t max_us, int64_t now_us);

#endif
