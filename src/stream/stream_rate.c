/*
 * stream_rate.c - who sends too fast is read more slowly, and TCP tells him;
 * nothing is dropped.  So is who sends to where there is too much already.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/budget.h"
#include "core/host.h"

/* How long a sender rests when a mailbox is above its bound, the store behind,
 * or his share of the memory too large. */
#define CONGESTED_US (10 * US_PER_MS)

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

static struct stream_rates
rates_of(const struct stream *x)
{
	const struct config_limits *l = limits_of(x);

	if (x->kind->rates != NULL)
		return x->kind->rates(x);
	return (struct stream_rates){
		.bytes = l->bytes_per_second,
		.bytes_burst = l->bytes_burst,
		.stanzas = (uint64_t)l->stanzas_per_second,
		.stanzas_burst = (uint64_t)l->stanzas_burst,
	};
}

void
stream_count_element(struct stream *x)
{
	bucket_take(&x->elements_us, x->shard->now_us, 1, rates_of(x).stanzas);
}

void
stream_count_bytes(struct stream *x, size_t n)
{
	bucket_take(&x->bytes_us, x->shard->now_us, n, rates_of(x).bytes);
}

void
stream_judge_rate(struct stream *x)
{
	int64_t now = x->shard->now_us, ready;
	struct stream_rates r;

	if (x->stage == STAGE_CLOSED)
		return;
	r = rates_of(x);
	ready = MAX(bucket_ready(x->bytes_us, r.bytes, r.bytes_burst),
		bucket_ready(x->elements_us, r.stanzas, r.stanzas_burst));
	if (ready > now)
		stream_rest_until(x, ready);
}

/* --- giving way ------------------------------------------------------------ */

/* The store is everybody's, and not only his who was the last to write. */
void
stream_give_way(struct stream *x, uint64_t hash)
{
	struct shard *sh = x->shard;

	if (!sh->congested && !store_is_behind(sh->server->store) &&
		budget_judge(sh, hash) == BUDGET_FINE)
		return;
	sh->congested = false;
	stream_rest_until(x, sh->now_us + CONGESTED_US);
}
