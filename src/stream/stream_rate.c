/*
 * stream_rate.c - who sends too fast is read more slowly, and TCP tells him;
 * nothing is dropped.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/host.h"

/*
 * A token bucket in one number: the time at which all that came would have come
 * at the permitted rate.  It is ahead of the clock by what was taken from the
 * burst.
 */
static void
bucket_take(int64_t *full_us, int64_t now_us, uint64_t n, uint64_t rate)
{
	*full_us = MAX(*full_us, now_us) +
		(int64_t)(n * (uint64_t)US_PER_S / rate);
}

/* When the bucket has room again; not later than now when it has. */
static int64_t
bucket_ready(int64_t full_us, uint64_t rate, uint64_t burst)
{
	return full_us - (int64_t)(burst * (uint64_t)US_PER_S / rate);
}

static const struct config_limits *
limits_of(const struct stream *x)
{
	return &x->shard->snap->config->limits;
}

void
stream_count_element(struct stream *x)
{
	bucket_take(&x->elements_us, x->shard->now_us, 1,
		(uint64_t)limits_of(x)->stanzas_per_second);
}

void
stream_count_bytes(struct stream *x, size_t n)
{
	bucket_take(&x->bytes_us, x->shard->now_us, n,
		limits_of(x)->bytes_per_second);
}

void
stream_judge_rate(struct stream *x)
{
	const struct config_limits *l = limits_of(x);
	int64_t now = x->shard->now_us, ready;

	if (x->stage == STAGE_CLOSED)
		return;
	ready = MAX(bucket_ready(x->bytes_us, l->bytes_per_second,
			l->bytes_burst),
		bucket_ready(x->elements_us, (uint64_t)l->stanzas_per_second,
			(uint64_t)l->stanzas_burst));
	if (ready > now)
		stream_rest_until(x, ready);
}
