/*
 * delegation.c - has components answer requests that are for the host or its users
 * (XEP-0355, admin mode).
 *
 *   client --iq--> host, or account --<delegation/>--> component
 *      ^              ^   | looked at: what was asked, by whom, of whom
 *      `--- result ---'   `<------------<delegation/>-----'
 *
 * Who answers what stands in the configuration, which each shard has.
 */
#include "config.h"

#include "delegation.h"

const struct config_delegation *
delegation_of(const struct module_ctx *m, struct shard *sh, struct str ns,
	const struct stanza *st)
{
	const struct config_delegation *d =
		config_delegation(sh->snap->config, m->host->domain, ns);
	const struct host *host = NULL;

	if (d == NULL || m->host->service != NULL)
		return NULL;
	/* §4.3.1: what the manager asks, also as a user, he is not asked himself */
	if (st->behind.p != NULL)
		host = shard_host(sh, st->behind);
	else if (jid_is_set(st->from))
		host = shard_host(sh, jid_domain(st->from));
	return host == NULL || host->component != d->component ? d : NULL;
}

/* --- told what it answers (§4.2) ------------------------------------------------- */

static bool
is_there(const struct snapshot *snap, const struct module_ctx *m)
{
	const struct host *host = snapshot_host(snap, m->host->domain);

	return host != NULL && module_at_host(host, m->entry) != NULL;
}

/* What component answers by that snapshot; empty: nothing. */
static struct elem *
delegation_elem(struct arena *a, const struct snapshot *snap,
	const struct module_ctx *m, const struct entity *component)
{
	struct elem *all = elem_new(a, NS_DELEGATION, "delegation");
	const struct config *conf = snap->config;

	for (size_t i = 0; i < conf->n_delegations && is_there(snap, m); i++) {
		const struct config_delegation *d = &conf->delegations[i];
		struct elem *e;

		if (!str_is(jid_str(component->jid), d->component->domain) ||
			!config_component_is_at(d->component, m->host->domain))
			continue;
		e = elem_add(a, all, NS_DELEGATION, "delegated");
		elem_set_attr(a, e, "namespace", str_c(d->ns));
		for (size_t k = 0; d->attributes[k] != NULL; k++)
			elem_set_attr(a,
				elem_add(a, e, NS_DELEGATION, "attribute"),
				"name", str_c(d->attributes[k]));
	}
	return all;
}

static struct stanza *
delegation_message(const struct module_ctx *m, const struct entity *component)
{
	char id[RAND_ID_SIZE];
	struct stanza *st = stanza_new(MESSAGE_NORMAL,
		jid_trusted(m->host->domain), component->jid,
		rand_id(component->shard->rand, id));

	elem_append(st->root,
		delegation_elem(st->arena, component->shard->snap, m,
			component));
	return st;
}

static enum hook_result
on_connected(struct module_ctx *m, void *arg)
{
	const struct component_event *event = arg;
	struct stanza *st = delegation_message(m, event->component);

	if (elem_first_child(elem_first_child(st->root)) == NULL) {
		stanza_free(st);
		return HOOK_PASS;
	}
	link_send(event->link, st);
	delegation_learn(m, event->component);
	return HOOK_PASS;
}

static bool
has_changed(const struct module_ctx *m, const struct component_event *event)
{
	const struct snapshot *now = event->component->shard->snap;
	struct arena *a = arena_new();
	struct buf texts[2] = { BUF_INIT, BUF_INIT };
	bool changed;

	stored_write(&texts[0],
		delegation_elem(a, event->before, m, event->component));
	stored_write(&texts[1],
		delegation_elem(a, now, m, event->component));
	changed = !str_eq(buf_str(&texts[0]), buf_str(&texts[1]));
	buf_done(&texts[0]);
	buf_done(&texts[1]);
	arena_free(a);
	return changed;
}

static enum hook_result
on_reloaded(struct module_ctx *m, void *arg)
{
	const struct component_event *event = arg;

	if (!has_changed(m, event))
		return HOOK_PASS;
	component_tell(event->component,
		delegation_message(m, event->component));
	delegation_learn(m, event->component);
	return HOOK_PASS;
}

/* --- its answer (§4.3) -------------------------------------------------------------- */

static bool
is_address(struct arena *a, struct str text, struct jid jid)
{
	struct jid parsed;

	return jid_parse(&parsed, a, text, NULL) && jid_eq(parsed, jid);
}

/* The <iq/> in answer, when it is the result of what was asked; else NULL.  COMPAT:
 * without a from, as the examples of the text have it. */
static const struct elem *
answered(const struct iq *iq, const struct stanza *answer)
{
	const struct elem *e =
		stanza_child(answer, NS_DELEGATION, "delegation");
	struct arena *a = iq->st->arena;
	struct str from;

	e = e != NULL ? elem_child(e, NS_FORWARD, "forwarded") : NULL;
	e = e != NULL ? elem_child(e, NS_CLIENT, "iq") : NULL;
	if (e == NULL || elem_count(e) > 1 ||
		!str_is(elem_attr(e, "type"), "result") ||
		!str_eq(elem_attr(e, "id"), iq->st->id) ||
		!is_address(a, elem_attr(e, "to"), iq->st->from))
		return NULL;
	from = elem_attr(e, "from");
	return from.p == NULL || is_address(a, from, iq->st->to) ? e : NULL;
}

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct iq *iq = arg;
	const struct elem *e = err == NULL ? answered(iq, answer) : NULL;

	if (e != NULL)
		iq_result(iq, elem_first_child(e));
	else
		iq_error(iq, COND_SERVICE_UNAVAILABLE, NULL);
}

/* --- asking it ---------------------------------------------------------------------- */

void
delegation_forward(struct module_ctx *m, struct iq *iq,
	const struct config_delegation *d)
{
	const struct delegation_conf *conf = m->conf;
	struct shard *sh = iq->shard;
	struct stanza *st;
	struct elem *e;

	if (!iq_pass_on(iq))
		return;
	st = stanza_new(IQ_SET, jid_trusted(m->host->domain),
		jid_trusted(str_c(d->component->domain)), STR_NONE);
	e = elem_add(st->arena, st->root, NS_DELEGATION, "delegation");
	e = elem_add(st->arena, e, NS_FORWARD, "forwarded");
	elem_append(e, elem_copy(st->arena, iq->st->root));
	module_ask(m, sh, st, conf->timeout_us, on_answer, iq);
}

static bool
has_attributes(const struct elem *e, const char *const *names)
{
	for (; *names != NULL; names++)
		if (elem_attr(e, *names).p == NULL)
			return false;
	return true;
}

/* What a stranger asks of a node of a user (§7.2.4, §7.2.5): the server itself says
 * nothing of that, so that nobody learns whether there is such an account, and those
 * that there are not are asked in the same way.  Who is no stranger hears of our own
 * nodes first (delegation_disco.c). */
static struct str
delegated_ns(const struct iq *iq)
{
	const struct account *acc = iq_account(iq);
	struct str ns = iq->payload->ns;

	if (acc == NULL || account_shows_presence_to(acc, iq->st->from))
		return ns;
	if (str_is(ns, NS_DISCO_ITEMS))
		return STR(BARE_ITEMS);
	return str_is(ns, NS_DISCO_INFO) &&
			elem_attr(iq->payload, "node").p != NULL ?
		STR(BARE_INFO) :
		ns;
}

static enum hook_result
on_received(struct module_ctx *m, void *arg)
{
	struct iq *iq = arg;
	const struct config_delegation *d;

	if (iq->payload == NULL)
		return HOOK_PASS;
	d = delegation_of(m, iq->shard, delegated_ns(iq), iq->st);
	if (d == NULL || !has_attributes(iq->payload, d->attributes))
		return HOOK_PASS;
	delegation_forward(m, iq, d);
	return HOOK_HANDLED;
}

static const struct option delegation_options[] = {
	{ .name = "timeout", .type = OPT_DURATION, .dflt = "30s", .min = "1s",
		.max = "5m", .off = offsetof(struct delegation_conf, timeout_us),
		.help = "how long a component may take to answer a request that "
			"was delegated to it; then who has asked gets "
			"<service-unavailable/>" },
	{ .name = NULL },
};

static const struct hook_handler delegation_hooks[] = {
	{ HOOK_COMPONENT_CONNECTED, HOOK_DELIVER, on_connected },
	{ HOOK_COMPONENT_RELOADED, HOOK_DELIVER, on_reloaded },
	{ HOOK_COMPONENT_GONE, HOOK_DELIVER, delegation_on_gone },
	{ HOOK_IQ_RECEIVED, HOOK_DELIVER, on_received },
	{ HOOK_DISCO_INFO, HOOK_DELIVER, delegation_on_info },
	{ HOOK_DISCO_ITEMS, HOOK_DELIVER, delegation_on_items },
	{ .fn = NULL },
};

MODULE(delegation) = {
	.api = MODULE_API,
	.name = "delegation",
	.summary = "have components answer requests to the host and its users",
	.specs = "XEP-0355 0.5, XEP-0297 1.0",
	.features = (const char *const[]){ NS_DELEGATION, NULL },
	.needs = (const char *const[]){ "disco", NULL },
	.options = delegation_options,
	.conf_size = sizeof(struct delegation_conf),
	.hooks = delegation_hooks,
	.shard_state = sizeof(struct known_list),
	.shard_done = delegation_shard_done,
};
