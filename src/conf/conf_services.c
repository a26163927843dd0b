/*
 * conf_services.c - the domains that modules give to hosts: each is nobody else's.
 *
 * Called by conf_hosts.c while a configuration is built; config_service_domain()
 * by any thread.
 */
#include "config.h"

#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "xmpp/jid.h"
#include "conf/conf_error.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

bool
config_service_domain(struct str *out, struct arena *a, struct str host,
	const char *text, struct err *err)
{
	*out = STR_NONE;
	if (text == NULL || *text == '\0')
		return true;
	if (strchr(text, '.') != NULL)
		return jid_prep_domain(out, a, str_c(text), err);
	return jid_prep_domain(out, a,
		arena_printf(a, "%s.%.*s", text, STR_ARG(host)), err);
}

/* --- each once ------------------------------------------------------------- */

struct service_place {
	struct str domain;
	const struct config_host *host;
	const struct config_module *module;
	const struct option *option;
	const struct yaml_node *node;
	const char *path; /* "hosts: example.org: modules: echo: domain" */
};

struct services VEC(struct service_place);

/* Where the option stands, or else what is nearest to it. */
static const struct yaml_node *
service_node(const struct config_whole *w, const struct yaml_node *host,
	const struct service_place *p)
{
	const struct yaml_node *here = yaml_get(yaml_get(host, "modules"),
		p->module->name);
	const struct yaml_node *general =
		yaml_get(w->general_modules, p->module->name);
	const struct yaml_node *all[] = { yaml_get(here, p->option->name),
		yaml_get(general, p->option->name), here, general };

	for (size_t i = 0; i < COUNT(all); i++) {
		if (all[i] != NULL)
			return all[i];
	}
	return host;
}

static void
services_add(struct services *all, struct config_whole *w,
	struct service_place p, const struct yaml_node *host,
	struct conf_errors *m)
{
	struct err err = ERR_INIT;
	const char *text;

	memcpy(&text, (const char *)p.module->conf + p.option->off,
		sizeof(text));
	p.node = service_node(w, host, &p);
	p.path = arena_printf(w->arena, "hosts: %s: modules: %s: %s",
		p.host->domain, p.module->name, p.option->name).p;
	if (!config_service_domain(&p.domain, w->arena, str_c(p.host->domain),
		    text, &err))
		conf_error_add(m, p.node, p.path, "%.200s", err.text);
	else if (p.domain.p == NULL)
		return;
	else if (config_host(&w->c, p.domain) != NULL)
		conf_error_add(m, p.node, p.path, "%.*s is one of the hosts",
			STR_ARG(p.domain));
	else
		*vec_push_in(w->arena, all) = p;
}

static void
services_of_host(struct services *all, struct config_whole *w,
	const struct config_host *h, const struct yaml_node *node,
	struct conf_errors *m)
{
	for (size_t i = 0; i < h->n_modules; i++) {
		struct service_place p = { .host = h, .module = &h->modules[i] };

		p.option = p.module->options;
		for (; p.option != NULL && p.option->name != NULL; p.option++) {
			if (p.option->service)
				services_add(all, w, p, node, m);
		}
	}
}

static int
service_cmp(const void *a, const void *b)
{
	const struct service_place *x = a, *y = b;
	int cmp = str_cmp(x->domain, y->domain);

	return cmp != 0 ? cmp : strcmp(x->host->domain, y->host->domain);
}

void
config_services_check(struct config_whole *w,
	const struct yaml_node *const *nodes, struct conf_errors *m)
{
	struct services all = { .n = 0 };

	for (size_t i = 0; i < w->c.n_hosts; i++)
		services_of_host(&all, w, &w->c.hosts[i], nodes[i], m);
	if (all.n != 0)
		qsort(all.p, all.n, sizeof(all.p[0]), service_cmp);
	for (size_t i = 0; i < all.n; i++)
		*vec_push_in(w->arena, &w->services) = (struct config_service){
			all.p[i].domain, all.p[i].host->domain,
			all.p[i].module->name };
	for (size_t i = 1; i < all.n; i++) {
		const struct service_place *p = &all.p[i], *q = p - 1;

		if (str_eq(q->domain, p->domain))
			conf_error_add(m, p->node, p->path,
				"%.*s is the domain of another service, that of %s at %s",
				STR_ARG(p->domain), q->module->name,
				q->host->domain);
	}
}
