/*
 * conf_grants.c - what components may do at hosts: with which users (XEP-0356), and
 * which requests they answer for us (XEP-0355).
 *
 * Called while a configuration is built, behind all components.
 */
#include "config.h"

#include "conf/conf.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "xmpp/ns.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

#define BARE_INFO NS_DELEGATION ":bare:disco#info:*"
#define BARE_ITEMS NS_DELEGATION ":bare:disco#items:*"

/* --- asking ---------------------------------------------------------------- */

bool
config_component_is_at(const struct config_component *c, struct str host)
{
	if (c->hosts.n != 0)
		return option_list_has(&c->hosts, host);
	return c->host == NULL || str_is(host, c->host);
}

bool
config_component_asks(const struct config_component *c,
	enum component_access type, struct str ns)
{
	return option_list_has(type == ACCESS_GET ? &c->iq_get : &c->iq_set, ns);
}

const struct config_delegation *
config_delegation(const struct config *c, struct str host, struct str ns)
{
	for (size_t i = 0; i < c->n_delegations; i++) {
		const struct config_delegation *d = &c->delegations[i];

		if (str_is(ns, d->ns) &&
			config_component_is_at(d->component, host))
			return d;
	}
	return NULL;
}

/* --- checking -------------------------------------------------------------- */

/* What is looked at: a component, and where it stands. */
struct grant {
	struct config_whole *w;
	const struct config_component *c;
	const struct yaml_node *node;
	const char *path;
	struct conf_errors *m;
};

static void
hosts_check(const struct grant *g)
{
	const struct config *c = &g->w->c;
	const struct yaml_node *list = yaml_get(g->node, "hosts");
	const struct yaml_node *at = list != NULL ? list->first : NULL;
	const char *path = arena_printf(g->w->arena, "%s: hosts", g->path).p;

	for (size_t i = 0; i < g->c->hosts.n && at != NULL; i++, at = at->next)
		if (config_host(c, str_c(g->c->hosts.items[i])) == NULL)
			conf_error_unknown(g->m, at, path, "host",
				g->c->hosts.items[i], c->host_order,
				c->n_hosts);
}

static bool
host_has_module(const struct config_host *host, const char *name)
{
	for (size_t i = 0; i < host->n_modules; i++)
		if (strcmp(host->modules[i].name, name) == 0)
			return true;
	return false;
}

/* Somebody has to do what the option says. */
static void
module_check(const struct grant *g, const char *option, const char *module)
{
	const struct config *c = &g->w->c;
	const struct config_host *host = NULL;

	for (size_t i = 0; i < c->n_hosts; i++) {
		if (!config_component_is_at(g->c, str_c(c->hosts[i].domain)))
			continue;
		host = &c->hosts[i];
		if (host_has_module(host, module))
			return;
	}
	/* what is wrong with its hosts is said elsewhere */
	if (host != NULL)
		conf_error_add(g->m, yaml_get(g->node, option), g->path,
			"%s needs the module %s, which is off; switch it on with `modules: { %s: yes }'",
			option, module, module);
}

/* In what is no namespace there is no request; unlike those of delegate, these have
 * no attributes. */
static void
namespaces_check(const struct grant *g, const char *option,
	const struct option_list *list)
{
	const struct yaml_node *node = yaml_get(g->node, option);
	const struct yaml_node *at = node != NULL ? node->first : NULL;
	const char *path =
		arena_printf(g->w->arena, "%s: %s", g->path, option).p;

	for (size_t i = 0; i < list->n && at != NULL; i++, at = at->next)
		if (*list->items[i] == '\0' ||
			strchr(list->items[i], ' ') != NULL)
			conf_error_add(g->m, at, path,
				"\"%.100s\" is no namespace; expected one such as http://jabber.org/protocol/pubsub",
				list->items[i]);
}

static void
privileges_check(const struct grant *g)
{
	const struct config_component *c = g->c;
	const struct {
		const char *option;
		bool is_set;
	} all[] = {
		{ "roster", c->roster != ACCESS_NONE },
		{ "message", c->message != MESSAGES_NONE },
		{ "presence", c->presence != PRESENCE_HIDDEN },
		{ "iq_get", c->iq_get.n != 0 },
		{ "iq_set", c->iq_set.n != 0 },
	};

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i].is_set)
			module_check(g, all[i].option, "privilege");
	namespaces_check(g, "iq_get", &c->iq_get);
	namespaces_check(g, "iq_set", &c->iq_set);
	/* XEP-0356 §7.4 */
	if (c->presence == PRESENCE_OF_CONTACTS &&
		(c->roster & ACCESS_GET) == 0)
		conf_error_add(g->m, yaml_get(g->node, "presence"), g->path,
			"presence: roster needs to read rosters, too: `roster: get' or `roster: both'");
}

/* --- delegations ----------------------------------------------------------- */

/* What nobody but the server itself can answer, or what says so. */
static const char *const own_namespaces[] = { NS_CLIENT, NS_SERVER,
	NS_COMPONENT, NS_STREAM, NS_STREAMS, NS_STANZAS, NS_TLS, NS_SASL, NS_BIND,
	NS_SESSION, NS_SM, NS_FORWARD, NS_PRIVILEGE };

static bool
is_own_namespace(struct str ns)
{
	for (size_t i = 0; i < COUNT(own_namespaces); i++)
		if (str_is(ns, own_namespaces[i]))
			return true;
	/* XEP-0355 §8, 5 */
	return str_starts(ns, STR(NS_DELEGATION)) && !str_is(ns, BARE_INFO) &&
		!str_is(ns, BARE_ITEMS);
}

static bool
namespace_check(const struct grant *g, struct str ns, const struct yaml_node *at,
	const char *path)
{
	if (ns.n == 0)
		return conf_error_add(g->m, at, path,
			"expected a namespace, such as urn:xmpp:mam:2");
	if (is_own_namespace(ns))
		return conf_error_add(g->m, at, path,
			"%.*s is the server's own, and cannot be delegated",
			STR_ARG(ns));
	if (str_is(ns, NS_DISCO_INFO) || str_is(ns, NS_DISCO_ITEMS))
		return conf_error_add(g->m, at, path,
			"the server answers %.*s itself, with what the component says; for nodes of users delegate %s",
			STR_ARG(ns),
			str_is(ns, NS_DISCO_INFO) ? BARE_INFO : BARE_ITEMS);
	return true;
}

static bool
share_a_host(const struct config *c, const struct config_component *a,
	const struct config_component *b)
{
	for (size_t i = 0; i < c->n_hosts; i++) {
		struct str host = str_c(c->hosts[i].domain);

		if (config_component_is_at(a, host) &&
			config_component_is_at(b, host))
			return true;
	}
	return false;
}

/* Each has one who answers it. */
static bool
manager_check(const struct grant *g, struct str ns, const struct yaml_node *at,
	const char *path)
{
	const struct config *c = &g->w->c;

	for (size_t i = 0; i < c->n_delegations; i++) {
		const struct config_delegation *d = &c->delegations[i];

		if (str_is(ns, d->ns) && share_a_host(c, d->component, g->c))
			return conf_error_add(g->m, at, path,
				"%.*s is delegated to %s already", STR_ARG(ns),
				d->component->domain);
	}
	return true;
}

/* The next word of rest, which it is cut from; empty: there is none. */
static struct str
word_next(struct str *rest)
{
	struct str word;

	*rest = str_trim(*rest);
	if (!str_cut(*rest, ' ', &word, rest))
		*rest = STR_NONE;
	return word;
}

/* "urn:xmpp:mam:2 node" */
static void
delegation_add(const struct grant *g, struct config_delegation *out,
	struct str text, const struct yaml_node *at, const char *path)
{
	struct arena *a = g->w->arena;
	struct VEC(const char *) attributes = { .n = 0 };
	struct str ns = word_next(&text), word;

	if (!namespace_check(g, ns, at, path) ||
		!manager_check(g, ns, at, path))
		return;
	while ((word = word_next(&text)).n != 0)
		*vec_push_in(a, &attributes) = arena_str(a, word).p;
	*vec_push_in(a, &attributes) = NULL;
	*out = (struct config_delegation){ arena_str(a, ns).p, attributes.p,
		g->c };
	g->w->c.n_delegations++;
}

static void
delegations_apply(const struct grant *g, struct config_delegation *all)
{
	const struct option_list *list = &g->c->delegate;
	const struct yaml_node *node = yaml_get(g->node, "delegate");
	const struct yaml_node *at = node != NULL ? node->first : NULL;
	const char *path = arena_printf(g->w->arena, "%s: delegate", g->path).p;

	if (list->n != 0)
		module_check(g, "delegate", "delegation");
	for (size_t i = 0; i < list->n && at != NULL; i++, at = at->next)
		delegation_add(g, &all[g->w->c.n_delegations],
			str_c(list->items[i]), at, path);
}

void
config_grants_apply(struct config_whole *w,
	const struct yaml_node *const *nodes, struct conf_errors *m)
{
	struct config_delegation *all;
	size_t n = 0;

	/* nothing is known of modules */
	if (w->modules == NULL)
		return;
	for (size_t i = 0; i < w->c.n_components; i++)
		n += w->c.components[i].delegate.n;
	all = arena_zalloc(w->arena, (n + 1) * sizeof(*all));
	w->c.delegations = all;
	for (size_t i = 0; i < w->c.n_components; i++) {
		const struct config_component *c = &w->c.components[i];
		struct grant g = { w, c, nodes[i],
			arena_printf(w->arena, "components: %s", c->domain).p,
			m };

		hosts_check(&g);
		privileges_check(&g);
		delegations_apply(&g, all);
	}
}
