/*
 * privilege.c - lets components do what users do, each what the administrator has
 * granted it: rosters (XEP-0356 §4), messages (§5), requests (§6), presence (§7).
 *
 * What is granted stands with the component in the configuration, which each shard
 * has; so nothing is kept here, and a reload is in force at once.
 */
#include "config.h"

#include "privilege.h"

const struct config_component *
privilege_of(const struct module_ctx *m, struct shard *sh, struct jid from)
{
	const struct host *host;

	if (!sh->snap->has_components || !jid_is_set(from))
		return NULL;
	host = shard_host(sh, jid_domain(from));
	return host != NULL && host->component != NULL &&
			config_component_is_at(host->component,
				m->host->domain) ?
		host->component :
		NULL;
}

/* --- told what it may do (§4.2, §5.2, §6.2, §7.2) ------------------------------- */

static const char *const accesses[] = { "none", "get", "set", "both" };
static const char *const messages[] = { "none", "outgoing" };
static const char *const presences[] = { "none", "managed_entity", "roster" };

/* What it could do before is said to be gone; what it never could is left out. */
static struct elem *
perm_add(struct arena *a, struct elem *to, const char *access,
	const char *const *types, int now, int before)
{
	struct elem *perm;

	if (now == 0 && before == 0)
		return NULL;
	perm = elem_add(a, to, NS_PRIVILEGE, "perm");
	elem_set_attr(a, perm, "access", str_c(access));
	elem_set_attr(a, perm, "type", str_c(types[now]));
	return perm;
}

static bool
roster_is_pushed(const struct config_component *c)
{
	return (c->roster & ACCESS_GET) != 0 && c->roster_push;
}

static int
iq_access(const struct config_component *c, struct str ns)
{
	return (config_component_asks(c, ACCESS_GET, ns) ? ACCESS_GET : 0) |
		(config_component_asks(c, ACCESS_SET, ns) ? ACCESS_SET : 0);
}

static bool
has_namespace(const struct elem *perm, const char *ns)
{
	elem_each_child(perm, e)
		if (str_is(elem_attr(e, "ns"), ns))
			return true;
	return false;
}

static void
namespaces_add(struct arena *a, struct elem *perm,
	const struct config_component *now, const struct option_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct elem *e;

		if (has_namespace(perm, list->items[i]))
			continue;
		e = elem_add(a, perm, NS_PRIVILEGE, "namespace");
		elem_set_attr(a, e, "ns", str_c(list->items[i]));
		elem_set_attr(a, e, "type",
			str_c(accesses[iq_access(now, str_c(list->items[i]))]));
	}
}

static struct elem *
privilege_elem(struct arena *a, const struct config_component *now,
	const struct config_component *before)
{
	struct elem *all = elem_new(a, NS_PRIVILEGE, "privilege");
	struct elem *perm = perm_add(a, all, "roster", accesses, now->roster,
		before->roster);

	if (perm != NULL && (now->roster & ACCESS_GET) != 0)
		elem_set_attr(a, perm, "push",
			roster_is_pushed(now) ? STR("true") : STR("false"));
	perm_add(a, all, "message", messages, now->message, before->message);
	perm_add(a, all, "presence", presences, now->presence,
		before->presence);
	perm = elem_new(a, NS_PRIVILEGE, "perm");
	elem_set_attr(a, perm, "access", STR("iq"));
	namespaces_add(a, perm, now, &now->iq_get);
	namespaces_add(a, perm, now, &now->iq_set);
	namespaces_add(a, perm, now, &before->iq_get);
	namespaces_add(a, perm, now, &before->iq_set);
	if (elem_count(perm) != 0)
		elem_append(all, perm);
	return all;
}

static struct stanza *
privilege_message(const struct module_ctx *m, struct entity *component,
	const struct config_component *now,
	const struct config_component *before)
{
	char id[RAND_ID_SIZE];
	struct stanza *st = stanza_new(MESSAGE_NORMAL,
		jid_trusted(m->host->domain), component->jid,
		rand_id(component->shard->rand, id));

	elem_append(st->root, privilege_elem(st->arena, now, before));
	return st;
}

static const struct config_component nothing;

/* What component could do at the host of m by that snapshot. */
static const struct config_component *
granted_by(const struct snapshot *snap, const struct module_ctx *m,
	const struct entity *component)
{
	const struct host *host = snapshot_host(snap, m->host->domain);
	const struct host *its = snapshot_host(snap, jid_str(component->jid));

	if (host == NULL || module_at_host(host, m->entry) == NULL ||
		its == NULL || its->component == NULL ||
		!config_component_is_at(its->component, m->host->domain))
		return &nothing;
	return its->component;
}

static bool
is_same(const struct config_component *a, const struct config_component *b)
{
	struct arena *arena = arena_new();
	struct buf texts[2] = { BUF_INIT, BUF_INIT };
	bool same;

	stored_write(&texts[0], privilege_elem(arena, a, &nothing));
	stored_write(&texts[1], privilege_elem(arena, b, &nothing));
	same = str_eq(buf_str(&texts[0]), buf_str(&texts[1]));
	buf_done(&texts[0]);
	buf_done(&texts[1]);
	arena_free(arena);
	return same;
}

static enum hook_result
on_connected(struct module_ctx *m, void *arg)
{
	const struct component_event *event = arg;
	struct entity *e = event->component;
	const struct config_component *now = granted_by(e->shard->snap, m, e);

	if (is_same(now, &nothing))
		return HOOK_PASS;
	link_send(event->link, privilege_message(m, e, now, &nothing));
	privilege_show_presence(m, e, event->link);
	return HOOK_PASS;
}

static enum hook_result
on_reloaded(struct module_ctx *m, void *arg)
{
	const struct component_event *event = arg;
	struct entity *e = event->component;
	const struct config_component *now = granted_by(e->shard->snap, m, e);
	const struct config_component *before =
		granted_by(event->before, m, e);

	if (is_same(now, before))
		return HOOK_PASS;
	component_tell(e, privilege_message(m, e, now, before));
	if (now->presence > before->presence)
		privilege_show_presence(m, e, NULL);
	return HOOK_PASS;
}

/* --- rosters (§4.3, §4.4) --------------------------------------------------------- */

static enum hook_result
on_asked(struct module_ctx *m, void *arg)
{
	const struct account_asked *asked = arg;
	const struct elem *payload = stanza_payload(asked->st);
	int type = asked->st->type == IQ_GET ? ACCESS_GET : ACCESS_SET;

	return payload != NULL && elem_is(payload, NS_ROSTER, "query") &&
			(asked->component->roster & type) != 0 &&
			config_component_is_at(asked->component,
				m->host->domain) ?
		HOOK_HANDLED :
		HOOK_PASS;
}

/* §4.3: of a component that may not, here or at all; of a set, the roster says so
 * itself. */
static enum hook_result
on_roster_get(struct module_ctx *m, struct iq *iq)
{
	const struct host *from =
		shard_host(iq->shard, jid_domain(iq->st->from));

	(void)m;
	if (from == NULL || from->component == NULL)
		return HOOK_PASS;
	iq_error(iq, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}

static enum hook_result
on_pushed(struct module_ctx *m, void *arg)
{
	const struct roster_push *push = arg;
	struct account *acc = push->account;
	struct shard *sh = acc->e.shard;
	const struct config *conf = sh->snap->config;

	for (size_t i = 0; i < conf->n_components; i++) {
		const struct config_component *c = &conf->components[i];
		struct stanza *st;

		if (!roster_is_pushed(c) ||
			!config_component_is_at(c, m->host->domain))
			continue;
		st = stanza_copy(push->st);
		stanza_set_from(st, acc->e.jid);
		stanza_set_to(st, jid_trusted(str_c(c->domain)));
		router_send(sh, st);
	}
	return HOOK_PASS;
}

/* --- what comes for accounts -------------------------------------------------------- */

static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;

	if (in->st->kind == STANZA_MESSAGE)
		return HOOK_PASS;
	if (in->st->kind == STANZA_IQ)
		return privilege_refuses(m, in) ? HOOK_HANDLED : HOOK_PASS;
	/* who is blocked is turned away behind this (XEP-0191 §3.3) */
	if (!account_blocks(in->account, in->st->from))
		privilege_presence_came(m, in->account, in->st);
	return HOOK_PASS;
}

static const struct hook_handler privilege_hooks[] = {
	{ HOOK_COMPONENT_CONNECTED, HOOK_DELIVER, on_connected },
	{ HOOK_COMPONENT_RELOADED, HOOK_DELIVER, on_reloaded },
	{ HOOK_ACCOUNT_ASKED, HOOK_GUARD, on_asked },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD, on_receive },
	{ HOOK_ROSTER_PUSHED, HOOK_WATCH, on_pushed },
	{ HOOK_HOST_MESSAGE, HOOK_DELIVER, privilege_on_message },
	{ HOOK_SESSION_AVAILABLE, HOOK_WATCH, privilege_on_available },
	{ HOOK_SESSION_UNAVAILABLE, HOOK_WATCH, privilege_on_unavailable },
	{ HOOK_SESSION_HIDDEN, HOOK_WATCH, privilege_on_hidden },
	{ HOOK_SESSION_SEND, HOOK_KEEP, privilege_on_send },
	{ .fn = NULL },
};

static const struct iq_handler privilege_iqs[] = {
	{ IQ_GET, AT_OTHERS, NS_ROSTER, "query", on_roster_get },
	{ IQ_GET, AT_OTHERS, NS_PRIVILEGE, "privileged_iq", privilege_on_iq },
	{ IQ_SET, AT_OTHERS, NS_PRIVILEGE, "privileged_iq", privilege_on_iq },
	{ IQ_GET, AT_HOST, NS_PRIVILEGE, "privileged_iq",
		privilege_on_iq_elsewhere },
	{ IQ_SET, AT_HOST, NS_PRIVILEGE, "privileged_iq",
		privilege_on_iq_elsewhere },
	{ .fn = NULL },
};

MODULE(privilege) = {
	.api = MODULE_API,
	.name = "privilege",
	.summary = "let components act as users, as far as that is granted",
	.specs = "XEP-0356 0.4.1, XEP-0297 1.0",
	.hooks = privilege_hooks,
	.iqs = privilege_iqs,
	.entity_state = sizeof(struct privilege_shows),
	.entity_done = privilege_shows_done,
};
