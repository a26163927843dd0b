/*
 * store_outage.c - the disk takes no writes, or the database is gone: what is
 * asked is refused, until as much as has failed can be written.
 *
 *   takes writes --(a commit fails with ERR_DISK,--> takes none <--.
 *        ^          or twice with ERR_LOST)            |           | it fails
 *        `---------------(it is on disk)------------ probe --------'
 *
 * The writer thread, or store_turn(), but where it says otherwise.  Invariant:
 * while the disk takes no writes, nothing but the probe is written; and the batch
 * that was lost, as long as that is tried again, which is a probe too.
 */
#include "config.h"

#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

#define PROBE_US (3 * US_PER_S)
/* What is lost is tried again at once, then after 50 ms, and after twice as long
 * each time up to two seconds: nine seconds in all, if a try takes none. */
#define LOSS_TRIES 10
#define LOSS_US (10 * US_PER_S)
#define LOSS_WAIT_US (50 * US_PER_MS)
#define LOSS_WAIT_MAX_US (2 * US_PER_S)
/* Of what it writes.  A few bytes find room on a full disk, in what its files
 * hold already. */
#define PROBE_MIN ((size_t)4 << 10)
#define PROBE_MAX ((size_t)1 << 20)

static struct store_place
probe_place(void)
{
	return (struct store_place){ STR("."), STR(""), STR("probe") };
}

/* --- any thread --------------------------------------------------------- */

bool
store_takes_writes(const struct store *s)
{
	return !atomic_load_explicit(
		&s->takes_no_writes, memory_order_relaxed);
}

void
store_note_refused(struct store *s)
{
	atomic_fetch_add(&s->refused, 1);
}

/* With the lock. */
static void
outage_describe(struct store *s, struct store_outage *out)
{
	const struct outage *o = &s->outage;

	*out = (struct store_outage){
		.now = !store_takes_writes(s),
		.why = o->why,
		.for_us = clock_mono_us(&clock_system) - o->since_us,
		.refused = atomic_load(&s->refused) - o->refused_before,
		.is_wanted = o->is_wanted,
	};
}

void
store_outage(struct store *s, struct store_outage *out)
{
	*out = (struct store_outage){ .now = false };
	pthread_mutex_lock(&s->lock);
	if (!store_takes_writes(s))
		outage_describe(s, out);
	pthread_mutex_unlock(&s->lock);
}

bool
store_outage_refuse(struct store *s, struct err *err)
{
	store_note_refused(s);
	*err = s->outage.why;
	return false;
}

/* --- any store thread --------------------------------------------------- */

bool
store_loss_again(struct store_loss *l)
{
	int64_t now_us = clock_mono_us(&clock_system);
	int64_t wait_us = 0;

	if (l->tries == 0)
		l->since_us = now_us;
	else
		wait_us = MIN(LOSS_WAIT_US << (l->tries - 1), LOSS_WAIT_MAX_US);
	l->tries++;
	l->retry_us = now_us + wait_us;
	return l->tries < LOSS_TRIES && now_us - l->since_us < LOSS_US;
}

/* --- the writer --------------------------------------------------------- */

bool
store_outage_is_due(const struct store *s)
{
	return !store_takes_writes(s) &&
		clock_mono_us(&clock_system) >= s->outage.probe_us;
}

static void
outage_tell(struct store *s, bool now)
{
	struct store_outage out;

	pthread_mutex_lock(&s->lock);
	atomic_store(&s->takes_no_writes, now);
	outage_describe(s, &out);
	pthread_mutex_unlock(&s->lock);
	if (s->conf.on_outage != NULL)
		s->conf.on_outage(s->conf.on_outage_arg, &out);
}

static void
outage_start(struct store *s, const struct err *why, size_t bytes, bool wanted)
{
	int64_t now_us = clock_mono_us(&clock_system);

	pthread_mutex_lock(&s->lock);
	s->stats.outages += !wanted;
	s->outage = (struct outage){
		.why = *why, /* whatever it was, to all others it is one thing */
		.since_us = now_us,
		.probe_us = now_us + PROBE_US,
		.probe_bytes = MIN(MAX(bytes, PROBE_MIN), PROBE_MAX),
		.refused_before = atomic_load(&s->refused),
		.is_wanted = wanted,
	};
	s->outage.why.code = ERR_DISK;
	pthread_mutex_unlock(&s->lock);
	outage_tell(s, true);
}

void
store_outage_begin(struct store *s, const struct err *why, size_t bytes)
{
	outage_start(s, why, bytes, false);
}

void
store_outage_want(struct store *s, const struct err *why)
{
	outage_start(s, why, 0, true);
}

void
store_outage_end(struct store *s)
{
	outage_tell(s, false);
}

/* value is absent: it is deleted. */
static bool
probe_commit(struct store *s, struct str value)
{
	struct store_tx *tx = store_tx_new();
	struct store_batch b = { .n = 0 };
	struct err err = ERR_INIT; /* who is refused hears of the first one */
	bool ok;

	if (value.p != NULL)
		store_tx_set(tx, probe_place(), STR(""), value);
	else
		store_tx_delete(tx, probe_place(), STR(""));
	STAILQ_INIT(&b.reqs);
	STAILQ_INSERT_TAIL(&b.reqs, &tx->req, link);
	ok = store_batch_try(s, &b, &err) && !tx->req.failed;
	vec_done(&b.parts);
	store_tx_free(tx);
	return ok;
}

/* In two commits: what is deleted before it is committed is never written. */
bool
store_outage_probe(struct store *s)
{
	struct str value = { NULL, s->outage.probe_bytes };
	char *text = xmalloc(value.n);
	bool ok;

	memset(text, 'x', value.n);
	value.p = text;
	ok = probe_commit(s, value) && probe_commit(s, STR_NONE);
	free(text);
	if (ok) {
		store_outage_end(s);
		return true;
	}
	pthread_mutex_lock(&s->lock);
	s->outage.probe_us = clock_mono_us(&clock_system) + PROBE_US;
	pthread_mutex_unlock(&s->lock);
	return false;
}
