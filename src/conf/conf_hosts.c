/*
 * conf_hosts.c - the hosts of a configuration: what each says of its own over
 * what is said for all, and how they are found again.
 *
 * Called by conf.c while a configuration is built; the look-ups by any thread.
 * Invariant: hosts are sorted by domain, each there once.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xmpp/jid.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

/* A host while it is read. */
struct host_place {
	struct config_host host;
	const struct yaml_node *node;
};

static bool
domain_prepare(struct config_whole *w, struct host_place *p,
	struct conf_errors *m)
{
	struct err err = ERR_INIT;
	struct str domain;

	if (!jid_prep_domain(&domain, w->arena, p->node->key, &err))
		return conf_error_add(m, p->node, "hosts",
			"\"%.64s\" is not a domain (%.100s); expected one such "
			"as example.org",
			p->node->key.p, err.text);
	p->host.domain = arena_str(w->arena, domain).p;
	return true;
}

static void
host_check(const struct config_host *h, const struct yaml_node *node,
	const char *path, struct conf_errors *m)
{
	if (h->key != NULL && h->certificate == NULL)
		conf_error_add(m, node, path,
			"\"key\" is of no use without \"certificate\"");
	config_web_check(h, node, path, m);
	for (size_t i = 0; i < h->admins.n; i++)
		if (strchr(h->admins.items[i], '/') != NULL)
			conf_error_add(m, node, path,
				"admins: \"%.100s\" has a resource; expected "
				"an address such as anna@example.org",
				h->admins.items[i]);
		else if (strchr(h->admins.items[i], '@') == NULL)
			conf_error_add(m, node, path,
				"admins: \"%.100s\" is a domain; expected an "
				"address such as anna@example.org",
				h->admins.items[i]);
}

static void
host_apply(struct config_whole *w, struct host_place *p, struct conf_errors *m)
{
	static const char *const own[] = { "auth", "federation",
		"modules", NULL };
	const struct yaml_node *node = p->node;
	struct config_host *h = &p->host;
	const char *path = arena_printf(w->arena, "hosts: %s", h->domain).p;

	option_apply_beside(config_host_options, own, node, path, h, w->arena,
		m);
	h->auth = w->c.auth;
	option_overlay(config_auth_options, yaml_get(node, "auth"), NULL,
		arena_printf(w->arena, "%s: auth", path).p, &h->auth, w->arena,
		m);
	h->federation = w->c.federation;
	config_federation_apply(w, yaml_get(node, "federation"),
		arena_printf(w->arena, "%s: federation", path).p, true,
		&h->federation, m);
	config_modules_host(w, h, node, m);
	host_check(h, node, path, m);
}

static int
host_cmp(const void *a, const void *b)
{
	const struct host_place *x = a, *y = b;

	return strcmp(x->host.domain, y->host.domain);
}

/* Different spellings in the file may be the same domain. */
static void
hosts_check_twice(const struct host_place *places, size_t n,
	struct conf_errors *m)
{
	for (size_t i = 1; i < n; i++)
		if (host_cmp(&places[i - 1], &places[i]) == 0)
			conf_error_add(m, places[i].node, "hosts",
				"%s is given twice; the other one is in %s:%d",
				places[i].host.domain, places[i - 1].node->file,
				places[i - 1].node->line);
}

static void
hosts_keep(struct config_whole *w, struct host_place *places, size_t n,
	struct conf_errors *m)
{
	struct config_host *hosts = arena_zalloc(w->arena,
		(n + 1) * sizeof(*hosts));
	const char **order = arena_zalloc(w->arena, (n + 1) * sizeof(*order));
	const struct yaml_node **nodes =
		arena_zalloc(w->arena, (n + 1) * sizeof(*nodes));

	for (size_t i = 0; i < n; i++)
		order[i] = places[i].host.domain;
	qsort(places, n, sizeof(*places), host_cmp);
	hosts_check_twice(places, n, m);
	for (size_t i = 0; i < n; i++) {
		hosts[i] = places[i].host;
		nodes[i] = places[i].node;
	}
	w->c.hosts = hosts;
	w->c.host_order = order;
	w->c.n_hosts = n;
	config_services_check(w, nodes, m);
}

bool
config_hosts_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m)
{
	const struct yaml_node *node = yaml_get(root, "hosts");
	size_t before = m->n, n = 0;
	struct host_place *places;

	config_modules_general(w, yaml_get(root, "modules"), m);
	if (node == NULL || node->kind != YAML_MAP || node->n == 0)
		return conf_error_add(m, node != NULL ? node : root, "hosts",
			"no host is given; expected a map of domains, such as "
			"{ example.org: {} }");
	places = xcalloc(node->n, sizeof(*places));
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next) {
		places[n].node = c;
		if (!domain_prepare(w, &places[n], m))
			continue;
		host_apply(w, &places[n], m);
		n++;
	}
	hosts_keep(w, places, n, m);
	free(places);
	return m->n == before;
}

/* --- looking up ---------------------------------------------------------- */

static int
domain_cmp(const void *key, const void *element)
{
	const struct str *domain = key;
	const struct config_host *h = element;

	return str_cmp(*domain, str_c(h->domain));
}

const struct config_host *
config_host(const struct config *c, struct str domain)
{
	return bsearch(&domain, c->hosts, c->n_hosts, sizeof(*c->hosts),
		domain_cmp);
}

bool
config_is_admin(const struct config_host *h, struct str bare)
{
	return option_list_has(&h->admins, bare);
}
