/*
 * component_away.c - what waits for a component while nobody is there: so much, for so
 * long, and then it goes back to who sent it.
 *
 * Owner shard.  Invariant: the timer is set while something waits.
 */
#include "config.h"

#include "core/component_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/receipt.h"
#include "core/router.h"

/* A million can wait, and to answer one takes some microseconds. */
#define STEP_US (10 * US_PER_MS)

struct stanza *
component_away_take(struct component *c)
{
	struct stanza *st = STAILQ_FIRST(&c->away);
	size_t bytes = stanza_bytes(st);

	STAILQ_REMOVE_HEAD(&c->away, link);
	c->away_bytes -= bytes;
	c->n_away--;
	gauge_remove(&c->e.shard->stats.link_bytes, bytes);
	if (STAILQ_EMPTY(&c->away))
		shard_timer_cancel(c->e.shard, &c->oldest);
	return st;
}

static void
away_bounce(struct component *c, struct stanza *st, enum stanza_cond cond,
	const char *why)
{
	const char *text = arena_printf(st->arena, "%.*s %s",
		STR_ARG(jid_str(c->e.jid)), why).p;

	/* of what only we have told, nobody else hears */
	if (router_need_not_bounce(c->e.shard, st)) {
		stanza_free(st);
		return;
	}
	router_bounce(c->e.shard, st, cond, text);
}

static void on_oldest_due(struct timer *t);

static void
away_watch(struct component *c, int64_t until_us)
{
	struct shard *sh = c->e.shard;

	shard_timer(sh, &c->oldest, MAX(until_us - sh->now_us, 0),
		on_oldest_due);
}

/* Why nothing waits for c; NULL: something may. */
static const char *
away_why_not(const struct component *c, const struct config_component *conf,
	enum stanza_cond *cond_out)
{
	*cond_out = COND_REMOTE_SERVER_TIMEOUT;
	if (conf == NULL || c->closed == STREAM_HOST_GONE) {
		*cond_out = COND_ITEM_NOT_FOUND;
		return "is no longer served here";
	}
	return conf->queue_bytes == 0 || c->closed != STREAM_COND_NONE ?
		"is not connected" :
		NULL;
}

void
component_away_refuse(struct component *c, size_t most)
{
	const struct config_component *conf = component_conf(c);
	int64_t now_us = c->e.shard->now_us;
	enum stanza_cond cond;
	const char *why = away_why_not(c, conf, &cond);
	const struct stanza *st;

	while ((st = STAILQ_FIRST(&c->away)) != NULL && most != 0 &&
		(why != NULL || st->away_us + conf->queue_time_us <= now_us)) {
		away_bounce(c, component_away_take(c), cond,
			why != NULL ? why : "has not connected in time");
		most--;
	}
	if (st != NULL)
		away_watch(c, most == 0 ? now_us + STEP_US :
					  st->away_us + conf->queue_time_us);
}

static void
on_oldest_due(struct timer *t)
{
	struct component *c = CONTAINER_OF(t, struct component, oldest);

	component_away_refuse(c, COMPONENT_AWAY_STEP);
	entity_check_idle(&c->e);
}

/* XEP-0203: when it was sent.  What one has had that went without taking it has
 * waited before. */
static void
away_begin(const struct component *c, struct stanza *st)
{
	struct shard *sh = c->e.shard;

	if (st->away_us != 0)
		return;
	st->away_us = sh->now_us;
	if (st->kind == STANZA_MESSAGE)
		stanza_add_delay(st, STR_NONE, shard_wall_us(sh));
}

static void
away_put(struct component *c, struct stanza *st, int64_t until_us)
{
	size_t bytes = stanza_bytes(st);

	receipt_at_peer(st);
	STAILQ_INSERT_TAIL(&c->away, st, link);
	c->away_bytes += bytes;
	c->n_away++;
	gauge_add(&c->e.shard->stats.link_bytes, bytes);
	if (!timer_is_set(&c->oldest))
		away_watch(c, until_us);
	entity_in_use(&c->e);
}

/* A request of a host: it has told whoever has asked it that there is no answer long
 * before the component is back, and what it asks is not to be done then. */
static bool
is_asked_by_host(const struct stanza *st)
{
	return st->made_here && (st->type == IQ_GET || st->type == IQ_SET) &&
		jid_local(st->from).n == 0;
}

void
component_away(struct component *c, struct stanza *st)
{
	const struct config_component *conf = component_conf(c);
	enum stanza_cond cond;
	const char *why = away_why_not(c, conf, &cond);

	if (why != NULL || is_asked_by_host(st)) {
		away_bounce(c, st, cond,
			why != NULL ? why : "is not connected");
	} else if (c->n_away >= conf->queue_stanzas ||
		c->away_bytes + stanza_bytes(st) > conf->queue_bytes) {
		c->e.shard->stats.refused++;
		away_bounce(c, st, COND_RESOURCE_CONSTRAINT,
			"is not connected, and too much waits for it");
	} else {
		away_begin(c, st);
		away_put(c, st, st->away_us + conf->queue_time_us);
	}
}

void
component_away_again(struct component *c, struct stanza *st)
{
	enum stanza_cond cond;

	if (c->closed != STREAM_SYSTEM_SHUTDOWN &&
		away_why_not(c, component_conf(c), &cond) != NULL)
		away_put(c, st, c->e.shard->now_us);
	else
		component_away(c, st);
}
