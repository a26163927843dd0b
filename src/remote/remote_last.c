/*
 * remote_last.c - messages that have outlived a stop or a kill: they wait for an hour, or
 * as the option s2s.keep says, from when they came.
 *
 *   waiting:  lasting, lasting, ... | what has come since
 *                 |                      '--the limit, or nothing left to try: answered
 *                 | attempts, as long as any is there
 *                 '--its time is over: answered
 *
 * The shard of the remote.  Invariant: they stand ahead of all else, and alone have
 * away_us, of the wall clock.
 */
#include "config.h"

#include "remote/remote_int.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "xmpp/datetime.h"

/* What waited for less is shown as of now, as that of a session that slept. */
#define LATE_US (30 * US_PER_S)

static const char over_text[] = "could not be reached for too long";

static int64_t
keep_us(const struct remote_pair *p)
{
	return remote_conf(p->remote)->keep_us;
}

/* The first of those that wait; NULL: none does. */
static const struct stanza *
last_first(const struct remote_pair *p)
{
	const struct stanza *st = STAILQ_FIRST(&p->waiting);

	return st != NULL && st->away_us != 0 ? st : NULL;
}

int64_t
last_until_us(const struct remote_pair *p)
{
	const struct shard *sh = pair_shard(p);
	const struct stanza *st = last_first(p);

	if (st == NULL || p->link != NULL || pair_stops(p))
		return INT64_MAX;
	return sh->now_us +
		MAX(st->away_us + keep_us(p) - shard_wall_us(sh), 0);
}

void
last_expire(struct remote_pair *p)
{
	while (last_until_us(p) <= pair_shard(p)->now_us)
		remote_refuse(p->remote, pair_take_waiting(p),
			COND_REMOTE_SERVER_TIMEOUT, over_text);
}

void
last_show(const struct remote_pair *p, char *out, size_t size)
{
	const struct stanza *st = last_first(p);
	char since[DATETIME_SIZE], until[DATETIME_SIZE];

	*out = '\0';
	if (st == NULL)
		return;
	snprintf(out, size,
		"%zu messages from before the start, the first since %s, until %s",
		p->n_last, datetime_format(since, st->away_us).p,
		datetime_format(until, st->away_us + keep_us(p)).p);
}

bool
last_only(const struct remote_pair *p)
{
	return p->kept == NULL && p->n_waiting == p->n_last;
}

/* Whoever gets it may have had it before the stop, and knows it by its id; but when it
 * was sent is not now (XEP-0203). */
void
last_stamp(struct remote_pair *p, struct stanza *st)
{
	int64_t wall_us = shard_wall_us(pair_shard(p));

	if (st->away_us == 0 || wall_us - st->away_us < LATE_US ||
		stanza_child(st, NS_DELAY, "delay") != NULL)
		return;
	stanza_add_delay(st, pair_local(p), st->away_us);
}
