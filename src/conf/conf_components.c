/*
 * conf_components.c - `components`: domains that programs connect for, each nobody
 * else's.
 *
 * Called while a configuration is built, behind the hosts and their services.
 */
#include "config.h"

#include "conf/conf.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xmpp/jid.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

#define COMPONENTS_MAX 1000

/* --- each once ------------------------------------------------------------- */

static const struct config_service *
service_at(const struct config_whole *w, struct str domain)
{
	for (size_t i = 0; i < w->services.n; i++)
		if (str_eq(w->services.p[i].domain, domain))
			return &w->services.p[i];
	return NULL;
}

/* before: where those stand that there are already. */
static bool
component_is_free(const struct config_whole *w, struct str domain,
	const struct yaml_node *node, const struct yaml_node *const *before,
	struct conf_errors *m)
{
	const struct config_service *service = service_at(w, domain);

	if (config_host(&w->c, domain) != NULL)
		return conf_error_add(m, node, "components",
			"%.*s is one of the hosts; a component has a domain of its own, such as irc.%.*s",
			STR_ARG(domain), STR_ARG(domain));
	if (service != NULL)
		return conf_error_add(m, node, "components",
			"%.*s is the domain of a service, that of %s at %s",
			STR_ARG(domain), service->module, service->host);
	/* different spellings may be the same domain */
	for (size_t i = 0; i < w->c.n_components; i++)
		if (str_is(domain, w->c.components[i].domain))
			return conf_error_add(m, node, "components",
				"%.*s is given twice; the other one is in %s:%d",
				STR_ARG(domain), before[i]->file,
				before[i]->line);
	return true;
}

/* --- one ------------------------------------------------------------------- */

/* The nearest host that domain is below; NULL: there is none. */
static const char *
host_above(const struct config *c, struct str domain)
{
	const struct config_host *host = NULL;
	struct str label, rest = domain;

	while (host == NULL && str_cut(rest, '.', &label, &rest))
		host = config_host(c, rest);
	return host != NULL ? host->domain : NULL;
}

static bool
domain_prepare(struct config_whole *w, const struct yaml_node *node,
	struct str *out, struct conf_errors *m)
{
	struct err err = ERR_INIT;

	return jid_prep_domain(out, w->arena, node->key, &err) ||
		conf_error_add(m, node, "components",
			"\"%.64s\" is not a domain (%.100s); expected one such "
			"as irc.example.org",
			node->key.p, err.text);
}

/* It is filled in though there are mistakes in it: the rest is looked at, too. */
static void
component_apply(struct config_whole *w, struct config_component *out,
	struct str domain, const struct yaml_node *node, struct conf_errors *m)
{
	const char *path = arena_printf(w->arena, "components: %.*s",
		STR_ARG(domain)).p;
	const struct yaml_node *secret = yaml_get(node, "secret");

	option_apply(config_component_options, node, path, out, w->arena, m);
	out->domain = arena_str(w->arena, domain).p;
	out->host = host_above(&w->c, domain);
	if (secret != NULL && out->secret != NULL && *out->secret == '\0')
		conf_error_add(m, secret, path, "secret: it is empty");
}

void
config_components_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m)
{
	const struct yaml_node **nodes;
	struct config_component *all;
	struct str domain;

	if (node == NULL || yaml_is_empty(node))
		return;
	if (node->kind != YAML_MAP || node->n > COMPONENTS_MAX) {
		conf_error_add(m, node, "components",
			"expected a map of at most %d domains, such as { irc.example.org: { secret: ... } }",
			COMPONENTS_MAX);
		return;
	}
	all = arena_zalloc(w->arena, (node->n + 1) * sizeof(*all));
	nodes = arena_zalloc(w->arena, (node->n + 1) * sizeof(*nodes));
	w->c.components = all;
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next) {
		if (!domain_prepare(w, c, &domain, m) ||
			!component_is_free(w, domain, c, nodes, m))
			continue;
		nodes[w->c.n_components] = c;
		component_apply(w, &all[w->c.n_components], domain, c, m);
		w->c.n_components++;
	}
	config_grants_apply(w, nodes, m);
}
