/*
 * privilege_presence.c - tells components who is there (XEP-0356 §7).
 *
 * Users of ours are told of by their own account, whoever has them in his roster;
 * other contacts by the account that hears of them.  What is told twice is shown once
 * (core/shown.h).
 */
#include "config.h"

#include "privilege.h"

/* --- who is told ------------------------------------------------------------------ */

/* Is somebody of a host where c sees contacts subscribed to the presence of acc? */
static bool
is_contact_there(const struct module_ctx *m, const struct account *acc,
	const struct config_component *c)
{
	for (uint32_t i = 0; i < acc->roster.n; i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);
		struct str domain = jid_domain(roster_item_jid(it));
		const struct host *host;

		if ((it->state & SUB_FROM) == 0 ||
			!config_component_is_at(c, domain))
			continue;
		host = account_host_of(acc->e.shard->snap, domain);
		if (host != NULL && module_at_host(host, m->entry) != NULL)
			return true;
	}
	return false;
}

static bool
is_told(const struct module_ctx *m, const struct account *acc,
	const struct config_component *c)
{
	if (c->presence == PRESENCE_HIDDEN)
		return false;
	return config_component_is_at(c, m->host->domain) ||
		(c->presence == PRESENCE_OF_CONTACTS &&
			is_contact_there(m, acc, c));
}

/* st (borrowed) comes from acc.  every: it is neither the first nor the last one, and
 * for those alone to whom acc is a contact of users (§7.4), and no user (§7.1). */
static void
tell_components(const struct module_ctx *m, struct account *acc,
	const struct stanza *st, bool every)
{
	const struct config *conf = acc->e.shard->snap->config;

	for (size_t i = 0; i < conf->n_components; i++) {
		const struct config_component *c = &conf->components[i];
		struct stanza *copy;

		if (every && config_component_is_at(c, m->host->domain))
			continue;
		if (!is_told(m, acc, c))
			continue;
		copy = stanza_copy(st);
		copy->made_here = true; /* none of theirs: §2 */
		stanza_set_to(copy, jid_trusted(str_c(c->domain)));
		account_send(acc, copy);
	}
}

/* --- users (§7.1) ------------------------------------------------------------------- */

enum hook_result
privilege_on_available(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	struct stanza *st;

	if (s->invisible || !session_shard(s)->snap->has_components)
		return HOOK_PASS;
	st = session_presence(s);
	tell_components(m, s->account, st, false);
	stanza_free(st);
	return HOOK_PASS;
}

static void
tell_unavailable(struct module_ctx *m, struct session *s)
{
	struct jid nobody = { .text = NULL };
	struct stanza *st;

	if (!session_shard(s)->snap->has_components)
		return;
	st = stanza_new(PRESENCE_UNAVAILABLE, session_jid(s), nobody, STR_NONE);
	tell_components(m, s->account, st, false);
	stanza_free(st);
}

enum hook_result
privilege_on_unavailable(struct module_ctx *m, void *arg)
{
	struct session *s = arg;

	if (!s->invisible)
		tell_unavailable(m, s);
	return HOOK_PASS;
}

enum hook_result
privilege_on_hidden(struct module_ctx *m, void *arg)
{
	const struct session_hidden *hidden = arg;

	if (hidden->shown && session_is_available(hidden->session))
		tell_unavailable(m, hidden->session);
	return HOOK_PASS;
}

enum hook_result
privilege_on_send(struct module_ctx *m, void *arg)
{
	const struct session_stanza *out = arg;
	const struct session *s = out->session;

	if (out->st->type == PRESENCE_AVAILABLE && !jid_is_set(out->st->to) &&
		session_shard(s)->snap->has_components &&
		session_is_visible(s))
		tell_components(m, s->account, out->st, true);
	return HOOK_PASS;
}

/* --- contacts (§7.4) ----------------------------------------------------------------- */

static bool
is_of_contact(const struct account *acc, const struct stanza *st)
{
	return (st->type == PRESENCE_AVAILABLE ||
		       st->type == PRESENCE_UNAVAILABLE) &&
		jid_is_bare(st->to) &&
		(roster_state(&acc->roster, jid_bare_str(st->from)) & SUB_TO) !=
		0;
}

/* Does c not hear of who anyway, as of a user? */
static bool
is_no_user(const struct module_ctx *m, struct shard *sh,
	const struct config_component *c, struct jid who)
{
	const struct host *host = shard_host(sh, jid_domain(who));

	return host_is_remote(host) ||
		(module_at_host(host, m->entry) != NULL &&
			!config_component_is_at(c, host->domain));
}

void
privilege_presence_came(struct module_ctx *m, struct account *acc,
	const struct stanza *st)
{
	struct shard *sh = acc->e.shard;
	const struct config *conf = sh->snap->config;
	const struct config_component *own;

	if (conf->n_components == 0 || !is_of_contact(acc, st))
		return;
	own = privilege_of(m, sh, st->from);
	for (size_t i = 0; i < conf->n_components; i++) {
		const struct config_component *c = &conf->components[i];
		struct stanza *copy;

		/* its own it knows */
		if (c == own || c->presence != PRESENCE_OF_CONTACTS ||
			!config_component_is_at(c, m->host->domain) ||
			!is_no_user(m, sh, c, st->from))
			continue;
		copy = stanza_copy(st);
		copy->made_here = true; /* none of theirs: §2 */
		stanza_set_to(copy, jid_trusted(str_c(c->domain)));
		router_send(sh, copy);
	}
}

/* --- who is there already (§8, 1) ----------------------------------------------------- */

/* Addresses are gathered on all shards, and shown so many at a time, as fast as the
 * component takes what it is sent. */
#define STEP_US (10 * US_PER_MS)
#define STEP_ACCOUNTS 100
#define WAITING_MAX 100

/* While addresses are gathered. */
struct gathering {
	struct entity_ref component;
	struct module_entry *entry;
	struct buf found;
	uint64_t link; /* as of the component's shows */
	size_t n_host;
	char host[];
};

static bool
is_too_slow(const struct entity *component)
{
	int64_t stanzas, bytes;

	component_waiting(component, &stanzas, &bytes);
	return stanzas > WAITING_MAX;
}

static void
shows_end(struct privilege_shows *shows)
{
	shard_timer_cancel(shows->component->shard, &shows->timer);
	shows->component = NULL;
	shows->at = 0;
	buf_done(&shows->all);
}

void
privilege_shows_done(struct entity *e, void *state)
{
	struct privilege_shows *shows = state;

	(void)e;
	if (shows->component != NULL)
		shows_end(shows);
}

/* False: that was the last. */
static bool
show_next(struct privilege_shows *shows)
{
	struct str left = buf_str(&shows->all);
	struct str one, rest;

	if (shows->at == left.n)
		return false;
	left.p += shows->at;
	left.n -= shows->at;
	if (!str_cut(left, '\n', &one, &rest))
		return false;
	shows->at += one.n + 1;
	entity_tell(shows->component->shard,
		&(struct entity_message){
			.kind = TELL_SHOW_PRESENCE,
			.to = jid_trusted(one),
			.text = jid_str(shows->component->jid),
		});
	return true;
}

static void
on_step(struct timer *t)
{
	struct privilege_shows *shows =
		CONTAINER_OF(t, struct privilege_shows, timer);
	struct entity *e = shows->component;
	bool more = !LIST_EMPTY(component_links(e));

	for (int i = 0; more && i < STEP_ACCOUNTS && !is_too_slow(e); i++)
		more = show_next(shows);
	if (more)
		shard_timer(e->shard, t, STEP_US, on_step);
	else
		shows_end(shows);
}

static bool
gather_wants(const struct gathering *g, const struct account *acc)
{
	struct str domain = { g->host, g->n_host };
	const struct host *host = account_host(acc);

	if (str_eq(account_domain(acc), domain))
		return true;
	if (host == NULL || module_at_host(host, g->entry) == NULL)
		return false;
	for (uint32_t i = 0; i < acc->roster.n; i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);

		if ((it->state & SUB_FROM) != 0 &&
			str_eq(jid_domain(roster_item_jid(it)), domain))
			return true;
	}
	return false;
}

static void
gather(struct entity *e, void *arg)
{
	struct gathering *g = arg;
	struct account *acc = account_if(e);

	if (acc == NULL || !account_is_visible(acc) || !gather_wants(g, acc))
		return;
	buf_add_str(&g->found, jid_str(e->jid));
	buf_add_c(&g->found, "\n");
}

/* The component, or the module, may have gone meanwhile. */
static void
gathered(struct shard *sh, void *arg)
{
	struct gathering *g = arg;
	struct module_entry *entry = g->entry;
	struct entity *e = entity_ref_end(&g->component);
	const struct host *host =
		shard_host(sh, (struct str){ g->host, g->n_host });
	struct module_ctx *m =
		host != NULL ? module_at_host(host, entry) : NULL;
	struct privilege_shows *shows =
		e != NULL && m != NULL ? module_entity_state(m, e) : NULL;

	if (shows != NULL && shows->link == g->link) {
		buf_add_str(&shows->all, buf_str(&g->found));
		if (shows->component == NULL)
			shard_timer(sh, &shows->timer, 0, on_step);
		shows->component = e;
	}
	buf_done(&g->found);
	free(g);
	module_release(entry);
}

void
privilege_show_presence(struct module_ctx *m, struct entity *component,
	const struct link *come)
{
	struct str host = m->host->domain;
	const struct config_component *c =
		privilege_of(m, component->shard, component->jid);
	struct privilege_shows *shows = module_entity_state(m, component);
	struct gathering *g;

	if (c == NULL || c->presence == PRESENCE_HIDDEN)
		return;
	/* all hosts begin again, in this turn */
	if (come != NULL) {
		shows->all.n = shows->at = 0;
		shows->link = come->id;
	}
	g = xcalloc(1, sizeof(*g) + host.n + 1);
	g->link = shows->link;
	entity_ref(&g->component, component);
	g->entry = module_hold(m);
	g->n_host = host.n;
	memcpy(g->host, host.p, host.n);
	entity_visit_all(component->shard, &account_class,
		c->presence == PRESENCE_OF_CONTACTS ?
			STR_NONE :
			(struct str){ g->host, host.n },
		gather, gathered, g);
}
