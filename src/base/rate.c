/*
 * rate.c - counters by key, in the order in which their times began, so that
 * those that are over stand at the front.
 */
#include "config.h"

#include "base/rate.h"

#include <string.h>

#include <uthash.h>

#include "base/mem.h"

struct rate_counter {
	UT_hash_handle hh;
	int64_t since_us;
	int64_t n;
	char key[];
};

static void
rate_drop(struct rate *r, struct rate_counter *c)
{
	HASH_DEL(r->counters, c);
	free(c);
}

static void
rate_expire(struct rate *r, int64_t window_us, int64_t now_us)
{
	struct rate_counter *c, *next;

	HASH_ITER (hh, r->counters, c, next) {
		if (now_us - c->since_us < window_us)
			break;
		rate_drop(r, c);
	}
}

static struct rate_counter *
rate_add(struct rate *r, struct str key, int64_t now_us)
{
	struct rate_counter *c = xmalloc(sizeof(*c) + key.n);

	c->since_us = now_us;
	c->n = 0;
	memcpy(c->key, key.p, key.n);
	HASH_ADD_KEYPTR(hh, r->counters, c->key, (unsigned)key.n, c);
	return c;
}

bool
rate_admit(struct rate *r, struct str key, int64_t max, int64_t window_us,
	int64_t now_us)
{
	struct rate_counter *c;

	rate_expire(r, window_us, now_us);
	HASH_FIND(hh, r->counters, key.p, (unsigned)key.n, c);
	/* a crowd of keys makes us forget some, but refuses nobody */
	if (c == NULL && HASH_COUNT(r->counters) == RATE_KEYS_MAX)
		rate_drop(r, r->counters);
	if (c == NULL)
		c = rate_add(r, key, now_us);
	if (c->n >= max)
		return false;
	c->n++;
	return true;
}

void
rate_done(struct rate *r)
{
	struct rate_counter *c, *next;

	HASH_ITER (hh, r->counters, c, next)
		rate_drop(r, c);
}
