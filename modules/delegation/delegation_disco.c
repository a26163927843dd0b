/*
 * delegation_disco.c - what components say that they can do stands where we would
 * say it ourselves (XEP-0355 §7.2).
 *
 * A component is asked when it has connected, and all shards know its answer while it
 * is there: the host is on each of them.
 */
#include "config.h"

#include "delegation.h"

#define ANSWER_US (30 * US_PER_S)
/* What one answer may take in memory, on each shard. */
#define KNOWN_BYTES ((size_t)64 << 10)

/* What a component can do, of one namespace. */
struct known {
	LIST_ENTRY(known) next;
	struct arena *arena; /* it lies there itself */
	struct str host, component, ns;
	bool bare; /* at bare addresses, not at the host */
	const struct elem *query;
};

/* --- telling all shards ---------------------------------------------------------- */

/* What has been learnt, while it goes round; in an arena of its own. */
struct learnt {
	struct arena *arena;
	struct shard *from;
	struct module_entry *entry;
	struct known what; /* ns STR_NONE: all of that component is forgotten */
};

static void
known_free(struct known *k)
{
	LIST_REMOVE(k, next);
	arena_free(k->arena);
}

static bool
is_replaced(const struct known *k, const struct known *by)
{
	return str_eq(k->host, by->host) &&
		str_eq(k->component, by->component) &&
		(by->ns.p == NULL ||
			(str_eq(k->ns, by->ns) && k->bare == by->bare));
}

static void
known_add(struct known_list *list, const struct known *what)
{
	struct arena *a = arena_new();
	struct known *k = arena_alloc(a, sizeof(*k));

	*k = (struct known){
		.arena = a,
		.host = arena_str(a, what->host),
		.component = arena_str(a, what->component),
		.ns = arena_str(a, what->ns),
		.bare = what->bare,
		.query = elem_copy(a, what->query),
	};
	LIST_INSERT_HEAD(list, k, next);
}

static void
learn_here(struct shard *sh, void *arg)
{
	const struct learnt *l = arg;
	const struct host *host = shard_host(sh, l->what.host);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, l->entry) : NULL;
	struct known_list *list;
	struct known *k, *next;

	if (m == NULL)
		return;
	list = module_shard_state(m, sh);
	for (k = LIST_FIRST(list); k != NULL; k = next) {
		next = LIST_NEXT(k, next);
		if (is_replaced(k, &l->what))
			known_free(k);
	}
	if (l->what.query != NULL)
		known_add(list, &l->what);
	sh->features_told++;
}

static void
learnt_by_all(struct shard *sh, void *arg)
{
	struct learnt *l = arg;
	struct module_entry *entry = l->entry;

	(void)sh;
	arena_free(l->arena);
	module_release(entry);
}

static struct learnt *
learnt_new(struct module_ctx *m, const struct entity *component)
{
	struct arena *a = arena_new();
	struct learnt *l = arena_zalloc(a, sizeof(*l));

	l->arena = a;
	l->from = component->shard;
	l->entry = module_hold(m);
	l->what.host = arena_str(a, m->host->domain);
	l->what.component = arena_str(a, jid_str(component->jid));
	return l;
}

/* --- asking it ------------------------------------------------------------------- */

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct learnt *l = arg;
	const struct elem *query = err == NULL ?
		stanza_child(answer, NS_DISCO_INFO, "query") :
		NULL;

	if (query != NULL && stanza_bytes(answer) <= KNOWN_BYTES)
		l->what.query = elem_copy(l->arena, query);
	/* one who does not answer leaves things as they were: unknown */
	if (l->what.query != NULL)
		shard_visit_all(l->from, learn_here, learnt_by_all, l);
	else
		learnt_by_all(l->from, l);
}

static void
ask(struct module_ctx *m, struct entity *component, const char *ns, bool bare)
{
	struct learnt *l = learnt_new(m, component);
	struct stanza *st = stanza_new(IQ_GET, jid_trusted(m->host->domain),
		component->jid, STR_NONE);
	struct elem *query =
		elem_add(st->arena, st->root, NS_DISCO_INFO, "query");

	l->what.ns = arena_str(l->arena, str_c(ns));
	l->what.bare = bare;
	elem_set_attr(st->arena, query, "node",
		arena_printf(st->arena, NS_DELEGATION "%s%s",
			bare ? ":bare:" : "::", ns));
	module_ask(m, component->shard, st, ANSWER_US, on_answer, l);
}

static bool
is_of_nodes(const char *ns)
{
	return strcmp(ns, BARE_INFO) == 0 || strcmp(ns, BARE_ITEMS) == 0;
}

void
delegation_learn(struct module_ctx *m, struct entity *component)
{
	const struct config *conf = component->shard->snap->config;

	for (size_t i = 0; i < conf->n_delegations; i++) {
		const struct config_delegation *d = &conf->delegations[i];

		if (is_of_nodes(d->ns) ||
			!str_is(jid_str(component->jid), d->component->domain) ||
			!config_component_is_at(d->component, m->host->domain))
			continue;
		ask(m, component, d->ns, false);
		ask(m, component, d->ns, true);
	}
}

enum hook_result
delegation_on_gone(struct module_ctx *m, void *arg)
{
	const struct component_event *event = arg;

	shard_visit_all(event->component->shard, learn_here, learnt_by_all,
		learnt_new(m, event->component));
	return HOOK_PASS;
}

/* --- telling it (§7.2.1 to §7.2.3) -------------------------------------------------- */

/* Features of ns itself, and of its parts: "ns#part". */
static bool
is_feature_of(struct str var, struct str ns)
{
	return str_starts(var, ns) && (var.n == ns.n || var.p[ns.n] == '#');
}

/* STR_NONE: e is no form. */
static struct str
form_type_of(struct arena *a, const struct elem *e)
{
	if (!elem_is(e, NS_FORM, "x"))
		return STR_NONE;
	elem_each_child(e, field)
		if (str_is(elem_attr(field, "var"), "FORM_TYPE") &&
			elem_child(field, NS_FORM, "value") != NULL)
			return elem_text(a, elem_child(field, NS_FORM, "value"));
	return STR_NONE;
}

struct own {
	struct arena *arena;
	struct str ns;
};

static bool
is_own(void *arg, const struct elem *e)
{
	const struct own *own = arg;
	struct str var;

	if (elem_is_text(e))
		return false;
	var = elem_is(e, NS_DISCO_INFO, "feature") ?
		elem_attr(e, "var") :
		form_type_of(own->arena, e);
	return var.p != NULL && is_feature_of(var, own->ns);
}

/* Each identity and each form stands there once (XEP-0115 §5.4). */
static bool
has_same(struct arena *a, const struct elem *query, const struct elem *e)
{
	struct str form = form_type_of(a, e);

	elem_each_child(query, had) {
		if (!str_eq(had->name, e->name))
			continue;
		if (form.p != NULL && str_eq(form_type_of(a, had), form))
			return true;
		if (str_is(e->name, "identity") &&
			str_eq(elem_attr(had, "category"),
				elem_attr(e, "category")) &&
			str_eq(elem_attr(had, "type"), elem_attr(e, "type")))
			return true;
	}
	return false;
}

static bool
may_stand_there(struct arena *a, const struct elem *e)
{
	if (elem_is(e, NS_DISCO_INFO, "feature"))
		return elem_attr(e, "var").p != NULL;
	if (elem_is(e, NS_DISCO_INFO, "identity"))
		return elem_attr(e, "category").p != NULL &&
			elem_attr(e, "type").p != NULL;
	return form_type_of(a, e).p != NULL;
}

static void
info_nest(struct disco_query *q, const struct known *k)
{
	elem_each_child(k->query, e)
		if (may_stand_there(q->arena, e) &&
			!has_same(q->arena, q->query, e))
			elem_append(q->query, elem_copy(q->arena, e));
}

static void
info_of_delegated(struct module_ctx *m, struct disco_query *q)
{
	const struct config *conf = q->shard->snap->config;
	const struct known_list *list = module_shard_state(m, q->shard);
	const struct known *k;

	for (size_t i = 0; i < conf->n_delegations; i++) {
		const struct config_delegation *d = &conf->delegations[i];
		struct own own = { q->arena, str_c(d->ns) };

		if (is_of_nodes(d->ns) ||
			!config_component_is_at(d->component, m->host->domain))
			continue;
		elem_drop(q->query, is_own, &own);
		LIST_FOREACH (k, list, next)
			if (str_eq(k->host, m->host->domain) &&
				str_is(k->ns, d->ns) &&
				str_is(k->component, d->component->domain) &&
				k->bare == (q->account != NULL))
				info_nest(q, k);
	}
}

/* --- nodes of users (§7.2.4, §7.2.5) ------------------------------------------------- */

static enum hook_result
node_pass(struct module_ctx *m, struct disco_query *q, const char *ns)
{
	const struct config_delegation *d = q->account != NULL && q->iq != NULL ?
		delegation_of(m, q->shard, str_c(ns), q->iq->st) :
		NULL;

	if (d == NULL)
		return HOOK_PASS;
	delegation_forward(m, q->iq, d);
	return HOOK_HANDLED;
}

enum hook_result
delegation_on_info(struct module_ctx *m, void *arg)
{
	struct disco_query *q = arg;

	if (q->host->service != NULL)
		return HOOK_PASS;
	if (q->node.p != NULL)
		return q->node_known ? HOOK_PASS : node_pass(m, q, BARE_INFO);
	info_of_delegated(m, q);
	return HOOK_PASS;
}

enum hook_result
delegation_on_items(struct module_ctx *m, void *arg)
{
	struct disco_query *q = arg;

	return q->node.p != NULL && q->node_known ?
		HOOK_PASS :
		node_pass(m, q, BARE_ITEMS);
}

void
delegation_shard_done(struct shard *sh, void *state)
{
	struct known_list *list = state;

	(void)sh;
	while (!LIST_EMPTY(list))
		known_free(LIST_FIRST(list));
}
