/*
 * disco.c - tells what hosts, services and accounts are, can do, and hold (XEP-0030),
 * and sums it up in the stream features (XEP-0115).
 *
 * Features come from the tables of the modules in force, everything else from
 * the disco hooks.  Owner shard of the account; any shard for a host.
 *
 * The summary is computed whenever it is asked for: features are kept by those
 * who send them, and for the rest it is not worth it.
 */
#include "config.h"

#include "module/module.h"

#define DISCO_WHERE (AT_HOST | AT_ACCOUNT | AT_SERVICE | AT_SERVICE_ADDRESS)
#define CAPS_NODE "urn:antiphon:server"
/* Addresses of a service that are told at once. */
#define ITEMS_MAX 1000

/* Is an address at a service asked, and not a domain? */
static bool
asks_address(const struct disco_query *q)
{
	return q->account == NULL && q->entity != NULL &&
		jid_local(q->entity->jid).n != 0;
}

/* --- features ------------------------------------------------------------------- */

struct features VEC(struct str);

static void
features_add(const struct disco_query *q, const char *const *vars)
{
	for (; vars != NULL && *vars != NULL; vars++)
		elem_set_attr(q->arena,
			elem_add(q->arena, q->query, NS_DISCO_INFO, "feature"),
			"var", str_c(*vars));
}

/* Handlers see them, too. */
static void
features_of_modules(const struct disco_query *q)
{
	const struct service *service = q->host->service;

	for (size_t i = 0; i < q->host->n_modules; i++) {
		const struct module *m = q->host->modules[i].module;

		features_add(q,
			q->account != NULL      ? m->account_features :
				asks_address(q) ? m->address_features :
				service != NULL ? m->service_features :
						  m->features);
	}
	if (service != NULL && !asks_address(q))
		features_add(q, service->features);
}

static int
var_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void
features_write(struct features *f, struct arena *a, struct elem *query)
{
	if (f->n != 0)
		qsort(f->p, f->n, sizeof(f->p[0]), var_cmp);
	for (size_t i = 0; i < f->n; i++) {
		if (i == 0 || !str_eq(f->p[i], f->p[i - 1]))
			elem_set_attr(a,
				elem_add(a, query, NS_DISCO_INFO, "feature"),
				"var", f->p[i]);
	}
}

/* --- disco#info ------------------------------------------------------------------- */

/* XEP-0030 §3.1, of the category "account". */
static const char *
account_type(const struct disco_query *q)
{
	if (q->account->anonymous)
		return "anonymous";
	return host_is_admin(q->host, jid_str(q->account->e.jid)) ?
		"admin" :
		"registered";
}

/* name may be NULL. */
static void
identity_add(const struct disco_query *q, const char *category,
	const char *type, const char *name)
{
	struct elem *e =
		elem_add(q->arena, q->query, NS_DISCO_INFO, "identity");

	elem_set_attr(q->arena, e, "category", str_c(category));
	elem_set_attr(q->arena, e, "type", str_c(type));
	if (name != NULL)
		elem_set_attr(q->arena, e, "name", str_c(name));
}

/* Of an address at a service its module may say more. */
static void
info_add_identity(const struct disco_query *q)
{
	const struct service *service = q->host->service;

	if (q->account != NULL)
		identity_add(q, "account", account_type(q), NULL);
	else if (service == NULL)
		identity_add(q, "server", "im", PACKAGE_NAME);
	else if (!asks_address(q))
		identity_add(q, service->category, service->type,
			service->name);
	else if (service->address_category != NULL)
		identity_add(q, service->address_category,
			service->address_type, NULL);
}

/* Fills q->query for the entity itself: identities, features sorted and each
 * once, then forms.  Handlers may add any of them in any order. */
static void
info_fill(struct disco_query *q)
{
	struct elem *query = q->query;
	struct elem *found = elem_new(q->arena, NS_DISCO_INFO, "query");
	struct features features = { .n = 0 };

	info_add_identity(q);
	q->node = STR_NONE;
	q->query = found;
	features_of_modules(q);
	hook_run(q->host, HOOK_DISCO_INFO, q);
	q->query = query;
	elem_each_child(found, e) {
		if (elem_is(e, NS_DISCO_INFO, "feature"))
			*vec_push_in(q->arena, &features) = elem_attr(e, "var");
		else if (elem_is(e, NS_DISCO_INFO, "identity"))
			elem_append(query, elem_copy(q->arena, e));
	}
	features_write(&features, q->arena, query);
	elem_each_child(found, e) {
		if (!elem_is(e, NS_DISCO_INFO, "feature") &&
			!elem_is(e, NS_DISCO_INFO, "identity"))
			elem_append(query, elem_copy(q->arena, e));
	}
}

/* XEP-0115 §5.1, in the arena of a. */
static struct str
caps_ver(struct shard *sh, struct host *host, struct arena *a)
{
	struct disco_query q = {
		.shard = sh,
		.host = host,
		.arena = a,
		.query = elem_new(a, NS_DISCO_INFO, "query"),
	};
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf text = BUF_INIT, ver = BUF_INIT;
	struct str out;

	info_fill(&q);
	caps_string(&text, a, q.query);
	scram_digest(SCRAM_SHA_1, buf_str(&text), digest);
	base64_encode(&ver, digest, scram_digest_size(SCRAM_SHA_1));
	out = arena_str(a, buf_str(&ver));
	buf_done(&text);
	buf_done(&ver);
	return out;
}

/* XEP-0115 §6.2: the node of the summary stands for the host itself. */
static bool
node_is_caps(const struct disco_query *q)
{
	struct str prefix = STR(CAPS_NODE "#");
	struct str node = q->node;

	if (q->account != NULL || q->host->service != NULL ||
		!str_starts(node, prefix))
		return false;
	node.p += prefix.n;
	node.n -= prefix.n;
	return str_eq(node, caps_ver(q->shard, q->host, q->arena));
}

/* --- answering -------------------------------------------------------------------- */

static struct disco_query
disco_query_of(struct iq *iq, const char *ns)
{
	struct disco_query q = {
		.shard = iq->shard,
		.host = iq->host,
		.entity = iq->entity,
		.account = iq_account(iq),
		.from = iq->st->from,
		.iq = iq,
		.node = elem_attr(iq->payload, "node"),
		.arena = iq->st->arena,
		.query = iq_payload(iq, ns, "query"),
	};

	if (q.node.p != NULL)
		elem_set_attr(q.arena, q.query, "node", q.node);
	return q;
}

/* RFC 6121 §8.5.1: others are told what they would be told if there were no such
 * account (XEP-0030 §8): no items, and of all else that it is not available. */
static bool
disco_may_ask(const struct iq *iq)
{
	const struct account *acc = iq_account(iq);

	return acc == NULL || account_shows_presence_to(acc, iq->st->from);
}

static enum hook_result
on_disco_info(struct module_ctx *m, struct iq *iq)
{
	struct disco_query q;

	(void)m;
	if (!disco_may_ask(iq))
		return HOOK_PASS;
	q = disco_query_of(iq, NS_DISCO_INFO);
	if (q.node.p == NULL || node_is_caps(&q)) {
		info_fill(&q);
		q.node_known = true;
	} else if (hook_run(iq->host, HOOK_DISCO_INFO, &q) == HOOK_HANDLED) {
		return HOOK_HANDLED;
	}
	if (q.node_known)
		iq_result(iq, q.query);
	else
		iq_error(iq, COND_ITEM_NOT_FOUND, NULL);
	return HOOK_HANDLED;
}

/* XEP-0030 §4.1: the resources, for those who see them anyway. */
static void
items_add_resources(struct disco_query *q)
{
	const struct session *s = q->account->sessions;

	for (; s != NULL; s = s->next) {
		if (session_is_visible(s))
			elem_set_attr(q->arena,
				elem_add(q->arena, q->query, NS_DISCO_ITEMS,
					"item"),
				"jid", jid_str(session_jid(s)));
	}
}

/* XEP-0030 §4.1: what a host has besides accounts. */
static void
items_add_services(struct disco_query *q)
{
	const struct host *s = q->host->services;

	for (; s != NULL; s = s->next) {
		struct elem *e = elem_add(q->arena, q->query, NS_DISCO_ITEMS,
			"item");

		elem_set_attr(q->arena, e, "jid", s->domain);
		elem_set_attr(q->arena, e, "name", str_c(s->service->name));
	}
}

/* What a service has: its addresses in memory, wherever that is; and a host, of the
 * components that are there, those that are its items. */
struct items {
	struct iq *iq; /* kept */
	struct module_entry *entry;
	struct elem *query;
	struct elem *item; /* that was not one; NULL: make it */
	struct str host;   /* STR_NONE: a service is asked */
	unsigned n;
};

static void
items_add_address(struct entity *e, void *arg)
{
	struct items *items = arg;
	struct arena *a = items->iq->st->arena;

	if (items->n == ITEMS_MAX || (items->host.p != NULL &&
			!component_is_item_of(e, items->host)))
		return;
	if (items->item == NULL)
		items->item = elem_new(a, NS_DISCO_ITEMS, "item");
	if (!e->class->is_item(e, a, items->item))
		return;
	items->n++;
	elem_set_attr(a, items->item, "jid", jid_str(e->jid));
	elem_append(items->query, items->item);
	items->item = NULL;
}

static void
items_end(struct shard *from, void *arg)
{
	struct items items = *(struct items *)arg;

	(void)from;
	iq_result(items.iq, items.query);
	module_release(items.entry);
}

/* What has items that are elsewhere; NULL: nobody. */
static const struct entity_class *
items_class(const struct disco_query *q)
{
	const struct entity_class *class = q->host->address_class;

	if (!q->node_known || q->account != NULL || asks_address(q))
		return NULL;
	if (q->host->service == NULL)
		return q->shard->snap->has_components ? &component_class : NULL;
	return class != NULL && class->is_item != NULL ? class : NULL;
}

/* False: there is nothing to look for. */
static bool
items_visit(struct module_ctx *m, struct iq *iq, const struct disco_query *q)
{
	const struct entity_class *class = items_class(q);
	bool of_host = q->host->service == NULL;
	struct str domain = jid_domain(iq->st->to);
	struct items *items;

	if (class == NULL)
		return false;
	items = arena_alloc(q->arena, sizeof(*items));
	*items = (struct items){ iq, module_hold(m), q->query, NULL,
		of_host ? domain : STR_NONE, 0 };
	iq_keep(iq);
	entity_visit_all(q->shard, class, of_host ? STR_NONE : domain,
		items_add_address, items_end, items);
	return true;
}

static enum hook_result
on_disco_items(struct module_ctx *m, struct iq *iq)
{
	struct disco_query q;

	if (!disco_may_ask(iq))
		return HOOK_PASS;
	q = disco_query_of(iq, NS_DISCO_ITEMS);
	q.node_known = q.node.p == NULL;
	if (q.node_known && q.account != NULL)
		items_add_resources(&q);
	else if (q.node_known)
		items_add_services(&q);
	if (hook_run(iq->host, HOOK_DISCO_ITEMS, &q) == HOOK_HANDLED)
		return HOOK_HANDLED;
	if (items_visit(m, iq, &q))
		return HOOK_HANDLED;
	if (q.node_known)
		iq_result(iq, q.query);
	else
		iq_error(iq, COND_ITEM_NOT_FOUND, NULL);
	return HOOK_HANDLED;
}

/* XEP-0030 §8: whoever may not see the items, or asks where there is no account,
 * learns that there are none. */
static enum hook_result
on_items_of_others(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	iq_result(iq, disco_query_of(iq, NS_DISCO_ITEMS).query);
	return HOOK_HANDLED;
}

/* XEP-0115 §6.3.  Nothing but STARTTLS is offered before TLS. */
static enum hook_result
on_stream_features(struct module_ctx *m, void *arg)
{
	struct stream_features *f = arg;
	struct elem *c;

	(void)m;
	if (!f->secure && !f->authenticated)
		return HOOK_PASS;
	c = elem_add(f->arena, f->features, NS_CAPS, "c");
	elem_set_attr(f->arena, c, "hash", STR("sha-1"));
	elem_set_attr(f->arena, c, "node", STR(CAPS_NODE));
	elem_set_attr(f->arena, c, "ver",
		caps_ver(f->shard, f->host, f->arena));
	return HOOK_PASS;
}

static const char *const disco_features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS,
	NULL };

static const struct iq_handler disco_iqs[] = {
	{ IQ_GET, DISCO_WHERE, NS_DISCO_INFO, "query", on_disco_info },
	{ IQ_GET, DISCO_WHERE, NS_DISCO_ITEMS, "query", on_disco_items },
	{ IQ_GET, AT_OTHERS, NS_DISCO_ITEMS, "query", on_items_of_others },
	{ .fn = NULL },
};

static const struct hook_handler disco_hooks[] = {
	{ HOOK_STREAM_FEATURES, HOOK_CHANGE, on_stream_features },
	{ .fn = NULL },
};

MODULE(disco) = {
	.api = MODULE_API,
	.name = "disco",
	.summary = "tell what hosts and accounts are and can do",
	.specs = "XEP-0030 2.5.0, XEP-0115 1.6.0, XEP-0128 1.0.1",
	.features = (const char *const[]){ NS_DISCO_INFO, NS_DISCO_ITEMS,
		NS_CAPS, NULL },
	.account_features = disco_features,
	.service_features = disco_features,
	.address_features = disco_features,
	.hooks = disco_hooks,
	.iqs = disco_iqs,
};
