/*
 * store_outage.c - the disk takes no writes: what is asked is refused, until as
 * much as has failed can be written.
 *
 *   takes writes --(a commit fails with ERR_DISK)--> takes none <--.
 *        ^                                             |           | it fails
 *        `---------------(it is on disk)------------ probe --------'
 *
 * The writer thread, or store_turn(), but where it says otherwise.  Invariant:
 * while the disk takes no writes, nothing but the probe is written.
 */
#include "config.h"

#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define PROBE_US (3 * US_PER_S)
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

void
store_outage_begin(struct store *s, const struct err *why, size_t bytes)
{
	int64_t now_us = clock_mono_us(&clock_system);

	pthread_mutex_lock(&s->lock);
	s->stats.outages++;
	s->outage = (struct outage){
		.why = *why,
		.since_us = now_us,
		.probe_us = now_us + PROBE_US,
		.probe_bytes = MIN(MAX(bytes, PROBE_MIN), PROBE_MAX),
		.refused_before = atomic_load(&s->refused),
	};
	pthread_mutex_unlock(&s->lock);
	outage_tell(s, true);
}

/* value is absent: it is deleted. */
static bool
probe_commit(struct store *s, struct str value)
{
	const struct store_driver *d = s->driver;
	struct store_db *db = s->writer.db;
	struct err err = ERR_INIT; /* who is refused hears of the first one */
	bool ok;

	if (!d->begin(db, &err))
		return false;
	ok = value.p != NULL ?
		d->set(db, probe_place(), STR(""), value, false, &err) :
		d->del(db, probe_place(), STR(""), &err);
	ok = ok && !store_is_to_fail(s, true, &err) && d->commit(db, &err);
	if (!ok)
		d->rollback(db);
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
		outage_tell(s, false);
		return true;
	}
	pthread_mutex_lock(&s->lock);
	s->outage.probe_us = clock_mono_us(&clock_system) + PROBE_US;
	pthread_mutex_unlock(&s->lock);
	return false;
}
