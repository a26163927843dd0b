/*
 * component.c - the entity that all addresses of a component are: its links, and
 * what waits while it has none.
 *
 * Owner shard.  Invariant: nothing waits here while there is a link.
 */
#include "config.h"

#include "core/component.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/link.h"
#include "core/receipt.h"
#include "core/route.h"
#include "core/router.h"
#include "core/shown.h"

#define KICK_TEXT "Closed by an administrator"

/* A million can wait, and to answer one takes some microseconds. */
#define REFUSED_A_STEP 500
#define STEP_US (10 * US_PER_MS)

/* Requests of several links whose answers are known, the last ones. */
#define ASKED 256

struct asked {
	uint64_t hash; /* of id and addresses */
	uint64_t link;
};

struct component {
	struct entity e;
	struct link_list links;
	struct asked *asked; /* a ring of ASKED; NULL: none share */
	uint32_t n_asked;    /* that there were */
	struct shown *shown; /* of those who are there, to whoever is connected */
	enum stream_cond closed; /* why nobody may come; or none */
	int64_t gone_us; /* of the wall clock, when the last link has left; 0: there
			  * is one, or was none */
	struct stanza_queue away; /* while there is none */
	size_t away_bytes;
	int64_t n_away;
	struct timer oldest; /* set while something waits there */
};

static struct component *
component_of(const struct entity *e)
{
	assert(e->class == &component_class);
	return (struct component *)(uintptr_t)e;
}

/* NULL: a reload has removed it. */
static const struct config_component *
component_conf(const struct component *c)
{
	const struct host *host =
		component_host(c->e.shard, jid_str(c->e.jid));

	return host != NULL ? host->component : NULL;
}

/* --- what waits while nobody is there --------------------------------------- */

static struct stanza *
away_take(struct component *c)
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
component_refuse(struct component *c, struct stanza *st, enum stanza_cond cond,
	const char *why)
{
	const char *text = arena_printf(st->arena, "%.*s %s",
		STR_ARG(jid_str(c->e.jid)), why).p;

	/* of what only we have told, nobody else hears */
	if (st->kind == STANZA_PRESENCE && st->made_here) {
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

/* Of what waits no longer, most at once, and the others soon. */
static void
away_refuse(struct component *c, size_t most)
{
	const struct config_component *conf = component_conf(c);
	int64_t now_us = c->e.shard->now_us;
	enum stanza_cond cond;
	const char *why = away_why_not(c, conf, &cond);
	const struct stanza *st;

	while ((st = STAILQ_FIRST(&c->away)) != NULL && most != 0 &&
		(why != NULL || st->away_us + conf->queue_time_us <= now_us)) {
		component_refuse(c, away_take(c), cond,
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

	away_refuse(c, REFUSED_A_STEP);
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

	receipt_let_go(st); /* it waits for the peer */
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

/* st is taken. */
static void
component_is_away(struct component *c, struct stanza *st)
{
	const struct config_component *conf = component_conf(c);
	enum stanza_cond cond;
	const char *why = away_why_not(c, conf, &cond);

	if (why != NULL || is_asked_by_host(st)) {
		component_refuse(c, st, cond,
			why != NULL ? why : "is not connected");
	} else if (c->n_away >= conf->queue_stanzas ||
		c->away_bytes + stanza_bytes(st) > conf->queue_bytes) {
		c->e.shard->stats.refused++;
		component_refuse(c, st, COND_RESOURCE_CONSTRAINT,
			"is not connected, and too much waits for it");
	} else {
		away_begin(c, st);
		away_put(c, st, st->away_us + conf->queue_time_us);
	}
}

/* --- links ----------------------------------------------------------------- */

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
asked_hash(const struct component *c, struct str id, struct jid who,
	struct jid whom)
{
	const struct server *srv = c->e.shard->server;

	return mix(mix(server_hash(srv, id)) + server_hash(srv, jid_str(who))) +
		server_hash(srv, jid_str(whom));
}

void
component_asks(struct link *l, const struct stanza *st)
{
	struct component *c = component_of(l->entity);

	if (LIST_NEXT(LIST_FIRST(&c->links), in) == NULL)
		return;
	if (c->asked == NULL)
		c->asked = xcalloc(ASKED, sizeof(c->asked[0]));
	c->asked[c->n_asked++ % ASKED] = (struct asked){
		asked_hash(c, st->id, st->from, st->to), l->id };
}

/* NULL: nobody who is there. */
static struct link *
link_that_asked(const struct component *c, const struct stanza *st)
{
	uint64_t hash = asked_hash(c, st->id, st->to, st->from);
	const struct asked *asked = NULL;
	struct link *l = NULL;
	uint32_t i = 0;

	/* the last one first */
	do
		asked = &c->asked[(c->n_asked - ++i) % ASKED];
	while (asked->hash != hash && i < ASKED);
	if (asked->hash == hash)
		LIST_FOREACH (l, &c->links, in)
			if (l->id == asked->link)
				break;
	return l;
}

/* One who sends has the same link as long as that is there, so that what he sends
 * keeps its order, whoever else comes or goes: the highest of what the two of them
 * make. */
static struct link *
link_of_sender(const struct component *c, struct jid from)
{
	uint64_t sender = server_hash(c->e.shard->server, jid_bare_str(from));
	struct link *l, *best = NULL;
	uint64_t most = 0, n;

	LIST_FOREACH (l, &c->links, in) {
		n = mix(sender + l->id * UINT64_C(0x9e3779b97f4a7c15));
		if (n >= most) {
			most = n;
			best = l;
		}
	}
	return best;
}

/* NULL: there is none. */
static struct link *
component_link(const struct component *c, const struct stanza *st)
{
	bool answers = st->type == IQ_RESULT || st->type == IQ_ERROR;
	struct link *l = LIST_FIRST(&c->links);

	if (l == NULL || LIST_NEXT(l, in) == NULL)
		return l;
	l = answers && c->asked != NULL ? link_that_asked(c, st) : NULL;
	return l != NULL ? l : link_of_sender(c, st->from);
}

/* XEP-0356 §8, 2: of one who has several contacts here, all of them tell. */
static bool
component_was_shown(struct component *c, const struct stanza *st)
{
	return st->made_here &&
		(st->type == PRESENCE_AVAILABLE ||
			st->type == PRESENCE_UNAVAILABLE) &&
		shown_before(&c->shown, c->e.shard->server, st);
}

static void
component_receive(struct entity *e, struct stanza *st)
{
	struct component *c = component_of(e);
	struct link *l = component_link(c, st);

	if (component_was_shown(c, st)) {
		stanza_free(st);
	} else if (l != NULL) {
		receipt_let_go(st); /* it may wait for the peer */
		link_send(l, st);
	} else {
		component_is_away(c, st);
	}
}

/* st has waited, and there can be many of it. */
static void
component_give(struct component *c, struct stanza *st)
{
	struct link *l = component_link(c, st);
	enum stanza_cond cond;

	if (l != NULL)
		link_give(l, st);
	else if (c->closed != STREAM_SYSTEM_SHUTDOWN &&
		away_why_not(c, component_conf(c), &cond) != NULL)
		away_put(c, st, c->e.shard->now_us);
	else
		component_is_away(c, st);
}

/* All but one that is to stay, or NULL.  False: there was none. */
static bool
links_end(struct component *c, const struct link *stays, enum stream_cond cond,
	const char *text)
{
	struct link *l = LIST_FIRST(&c->links), *next;
	bool any = false;

	for (; l != NULL; l = next) {
		next = LIST_NEXT(l, in);
		if (l == stays)
			continue;
		any = true;
		l->ops->end(l->stream, cond, text);
	}
	return any;
}

/* --- for streams ------------------------------------------------------------- */

struct link *
component_attach(struct shard *sh, const struct host *host,
	const struct link_stream *ops, void *stream)
{
	struct entity *e = entity_get(sh, &component_class,
		jid_trusted(host->domain), host->hash);
	struct component *c = e != NULL ? component_of(e) : NULL;
	struct link *l;

	/* a service had the domain, and has not left it yet */
	if (c == NULL)
		return NULL;
	if (host->component->conflict == COMPONENT_REFUSE &&
		!LIST_EMPTY(&c->links))
		return NULL;
	l = link_new(e, ops, stream);
	LIST_INSERT_HEAD(&c->links, l, in);
	c->gone_us = 0;
	entity_in_use(e);
	if (host->component->conflict == COMPONENT_REPLACE)
		links_end(c, l, STREAM_CONFLICT,
			"The component has connected once more");
	return l;
}

void
component_ready(struct link *l)
{
	struct component *c = component_of(l->entity);

	component_show_anew(l->entity);
	component_run_hooks(&c->e, HOOK_COMPONENT_CONNECTED, l, NULL);
	link_drained(l);
	while (!STAILQ_EMPTY(&c->away))
		component_give(c, away_take(c));
}

void
component_leave(struct link *l)
{
	struct component *c = component_of(l->entity);
	struct stanza_queue back = STAILQ_HEAD_INITIALIZER(back);
	struct stanza *st;

	LIST_REMOVE(l, in);
	(void)link_leave(l, &back); /* it does not count */
	while ((st = STAILQ_FIRST(&back)) != NULL) {
		STAILQ_REMOVE_HEAD(&back, link);
		component_give(c, st);
	}
	component_show_anew(&c->e);
	if (LIST_EMPTY(&c->links)) {
		if (c->closed == STREAM_COND_NONE && component_conf(c) != NULL)
			c->gone_us = shard_wall_us(c->e.shard);
		component_run_hooks(&c->e, HOOK_COMPONENT_GONE, NULL, NULL);
	}
	entity_check_idle(&c->e);
}

/* --- the class --------------------------------------------------------------- */

/* What waited goes back to who sent it, in order, so that nothing is lost; so does
 * what comes behind the end of the server, which takes no turns for anybody else. */
static bool
component_close(struct entity *e, enum stream_cond cond, const char *text)
{
	struct component *c = component_of(e);
	bool any;

	c->closed = cond;
	away_refuse(c, cond == STREAM_HOST_GONE ? REFUSED_A_STEP : SIZE_MAX);
	any = links_end(c, NULL, cond, text);
	/* another reload may bring it back */
	if (cond == STREAM_HOST_GONE) {
		c->closed = STREAM_COND_NONE;
		c->gone_us = 0;
		entity_check_idle(e);
	}
	return any;
}

static void
component_told(struct entity *e, struct entity_message *m)
{
	struct component *c = component_of(e);
	struct link *l;

	if (m->kind == TELL_REST) {
		LIST_FOREACH (l, &c->links, in)
			l->ops->rest(l->stream, m->number[0], m->number[1]);
		entity_answer(m, NULL);
	} else if (m->kind != TELL_KICK) {
		entity_refuse(m, ERR_REFUSED, "it is a component");
	} else if (links_end(c, NULL, STREAM_POLICY_VIOLATION, KICK_TEXT)) {
		entity_answer(m, NULL);
	} else {
		entity_refuse(m, ERR_MISSING, "it is not connected");
	}
}

/* One that was there stays while it is served: since when it is away is asked. */
static bool
component_is_idle(const struct entity *e)
{
	const struct component *c = component_of(e);

	return LIST_EMPTY(&c->links) && STAILQ_EMPTY(&c->away) &&
		c->closed == STREAM_COND_NONE && c->gone_us == 0;
}

static bool
component_is_item(const struct entity *e, struct arena *a, struct elem *item)
{
	const struct component *c = component_of(e);
	const struct config_component *conf = component_conf(c);

	(void)a;
	(void)item;
	return !LIST_EMPTY(&c->links) && conf != NULL && conf->disco;
}

/* Zeroed memory is all there is to read. */
static void
component_load(struct entity *e)
{
	struct component *c = component_of(e);

	STAILQ_INIT(&c->away);
	entity_loaded(e);
}

static void
component_unload(struct entity *e)
{
	struct component *c = component_of(e);

	assert(LIST_EMPTY(&c->links));
	free(c->asked);
	free(c->shown);
	while (!STAILQ_EMPTY(&c->away))
		stanza_free(away_take(c));
}

const struct entity_class component_class = {
	.name = "component",
	.size = sizeof(struct component),
	.whole_domain = true,
	.load = component_load,
	.receive = component_receive,
	.told = component_told,
	.close = component_close,
	.is_idle = component_is_idle,
	.is_item = component_is_item,
	.unload = component_unload,
};

/* --- asking ------------------------------------------------------------------ */

void
component_serve(struct host *host, const struct config_component *conf)
{
	host->component = conf;
	host->domain_class = &component_class;
	host->address_class = &component_class;
}

struct host *
component_host(struct shard *sh, struct str domain)
{
	struct host *host = shard_host(sh, domain);

	return host != NULL && host->component != NULL &&
			str_eq(host->domain, domain) ?
		host :
		NULL;
}

bool
component_has(const struct shard *sh, const struct host *host,
	struct str domain)
{
	return str_eq(domain, host->domain) ||
		(host->component->subdomains &&
			snapshot_host(sh->snap, domain) == host);
}

void
component_show_anew(struct entity *e)
{
	struct component *c = component_of(e);

	free(c->shown);
	c->shown = NULL;
}

const struct link_list *
component_links(const struct entity *e)
{
	return &component_of(e)->links;
}

int64_t
component_away_us(const struct entity *e)
{
	return component_of(e)->gone_us;
}

void
component_waiting(const struct entity *e, int64_t *stanzas_out,
	int64_t *bytes_out)
{
	const struct component *c = component_of(e);
	const struct link *l;

	*stanzas_out = c->n_away;
	*bytes_out = (int64_t)c->away_bytes;
	LIST_FOREACH (l, &c->links, in) {
		*stanzas_out += l->n_waiting;
		*bytes_out += (int64_t)l->bytes;
	}
}

bool
component_is_item_of(const struct entity *e, struct str host)
{
	const struct config_component *conf = component_conf(component_of(e));

	return conf != NULL &&
		(conf->host == NULL || str_is(host, conf->host));
}
