/*
 * component.c - the entity that all addresses of a component are, and its links; what
 * waits while it has none is in component_away.c.
 *
 * Owner shard.
 */
#include "config.h"

#include "core/component_int.h"

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

/* Requests of several links whose answers are known, the last ones. */
#define ASKED 256

struct asked {
	uint64_t hash; /* of id and addresses */
	uint64_t link;
};

static struct component *
component_of(const struct entity *e)
{
	assert(e->class == &component_class);
	return (struct component *)(uintptr_t)e;
}

const struct config_component *
component_conf(const struct component *c)
{
	const struct host *host =
		component_host(c->e.shard, jid_str(c->e.jid));

	return host != NULL ? host->component : NULL;
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
		receipt_at_peer(st);
		link_send(l, st);
	} else {
		component_away(c, st);
	}
}

/* st has waited, and there can be many of it. */
static void
component_give(struct component *c, struct stanza *st)
{
	struct link *l = component_link(c, st);

	if (l != NULL)
		link_give(l, st);
	else
		component_away_again(c, st);
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
		component_give(c, component_away_take(c));
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
	component_away_refuse(c,
		cond == STREAM_HOST_GONE ? COMPONENT_AWAY_STEP : SIZE_MAX);
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
		stanza_free(component_away_take(c));
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
