/*
 * attach.c - the modules of a host, and the tables that they bring.
 */
#include "config.h"

#include "module/attach.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/handler_table.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/server.h"
#include "http/http_route.h"
#include "module/module.h"
#include "module/module_int.h"
#include "module/services.h"

/* --- asking ---------------------------------------------------------------------- */

bool
module_is_at_host(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		if (strcmp(host->modules[i].module->name, name) == 0)
			return true;
	}
	return false;
}

static bool
module_loads(const struct module *m)
{
	const struct hook_handler *h = m->hooks;

	while (h != NULL && h->fn != NULL && h->hook != HOOK_ACCOUNT_LOAD)
		h++;
	return m->account_maps != NULL || (h != NULL && h->fn != NULL);
}

bool
module_loads_more(const struct host *next, const struct host *before)
{
	for (size_t i = 0; next != NULL && i < next->n_modules; i++) {
		const struct module_ctx *m = &next->modules[i];

		if (module_loads(m->module) && (before == NULL ||
				module_at_host(before, m->entry) == NULL))
			return true;
	}
	return false;
}

/* --- modules of a host ---------------------------------------------------------------- */

static bool
host_add_module(struct host *host, struct module_look *look, const char *name,
	const void *conf, struct err *err)
{
	struct module_entry *entry = module_open(look, str_c(name), err);

	if (entry == NULL)
		return false;
	atomic_fetch_add(&entry->refs, 1);
	host->modules[host->n_modules++] = (struct module_ctx){
		.module = entry->module,
		.host = host,
		.conf = conf,
		.entry = entry,
	};
	return true;
}

/* A module that the administrator switched on and no file mentions: as if its
 * options were all left out. */
static const void *
forced_conf(struct snapshot *snap, struct module_look *look, const char *name)
{
	struct module_entry *entry = module_open(look, str_c(name), NULL);
	void *conf;

	if (entry == NULL || entry->module->options == NULL)
		return NULL;
	conf = arena_zalloc(snap->arena, entry->module->conf_size);
	option_defaults(entry->module->options, conf, snap->arena);
	return conf;
}

static bool
host_add_modules(struct host *host, struct snapshot *snap,
	struct module_look *look, struct err *err)
{
	const struct config_host *conf = host->conf;

	host->modules = xcalloc(conf->n_modules + MODULES_MAX,
		sizeof(host->modules[0]));
	for (size_t i = 0; i < conf->n_modules; i++) {
		const struct config_module *m = &conf->modules[i];

		if (!module_is_forced(look, m->name, false) &&
			!host_add_module(host, look, m->name, m->conf, err))
			return false;
	}
	for (size_t i = 0; i < MODULES_MAX; i++) {
		const char *name = look->switches->on[i];

		if (name != NULL && !module_is_at_host(host, name) &&
			!host_add_module(host, look, name,
				forced_conf(snap, look, name), err))
			return false;
	}
	return true;
}

static bool
host_check_needs(const struct host *host, struct err *err)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		const struct module *m = host->modules[i].module;

		for (const char *const *n = m->needs; n != NULL && *n != NULL;
			n++) {
			if (!module_is_at_host(host, *n))
				return err_set(err, ERR_MISSING,
					"hosts: %.*s: module %s needs module %s",
					STR_ARG(host->domain), m->name, *n);
		}
	}
	return true;
}

/* --- tables ----------------------------------------------------------------------- */

static void
hook_list_add(struct hook_list *list, struct module_ctx *ctx,
	const struct hook_handler *h)
{
	enum hook_band band = (enum hook_band)(h->band & ~HOOK_SHARED);
	size_t at = list->n;

	vec_push(list);
	/* behind all of the same band, before those of later ones */
	while (at > 0 && list->p[at - 1].band > band) {
		list->p[at] = list->p[at - 1];
		at--;
	}
	list->p[at] = (struct hook_entry){ ctx, h->fn, band };
}

/* What is read with each account, and with one that is removed. */
static void
host_add_maps(struct host *host, const struct module *m)
{
	const char *const *map = m->account_maps;

	for (; map != NULL && *map != NULL; map++)
		*vec_push(&host->maps) = str_c(*map);
	map = m->account_removal_maps;
	for (; map != NULL && *map != NULL; map++)
		*vec_push(&host->removal_maps) = str_c(*map);
}

static void
host_add_hooks(struct host *host, struct module_ctx *ctx)
{
	const struct hook_handler *h = ctx->module->hooks;

	for (; h != NULL && h->fn != NULL; h++) {
		hook_list_add(&host->hooks[h->hook], ctx, h);
		host->shared = host->shared || (h->band & HOOK_SHARED) != 0;
	}
}

static void
host_add_elements(struct host *host, struct module_ctx *ctx)
{
	const struct element_handler *el = ctx->module->elements;

	for (; el != NULL && el->fn != NULL; el++)
		handler_table_add(&host->elements, el->ns, el->name, ctx, el);
}

static void
host_add_iqs(struct host *host, struct module_ctx *ctx)
{
	const struct iq_handler *iq = ctx->module->iqs;

	for (; iq != NULL && iq->fn != NULL; iq++)
		handler_table_add(&host->iqs, iq->ns, iq->name, ctx, iq);
}

static bool
host_add_routes(struct snapshot *snap, struct host *host,
	struct module_ctx *ctx, struct err *err)
{
	return http_routes_add(&host->routes, snap->arena, ctx->module->routes,
		       ctx, err) ||
		err_prefix(err, "hosts: %.*s: module %s", STR_ARG(host->domain),
			ctx->module->name);
}

/* A port is no host's: a module brings its kinds once. */
static bool
host_add_listeners(struct snapshot *snap, struct module_ctx *ctx,
	struct err *err)
{
	return listen_add_kinds(snap, ctx->module->listeners, ctx, err) ||
		err_prefix(err, "module %s", ctx->module->name);
}

bool
module_attach(struct snapshot *snap, struct host *host,
	struct module_look *look, struct err *err)
{
	if (!host_add_modules(host, snap, look, err) || !host_check_needs(host, err))
		return false;
	for (size_t i = 0; i < host->n_modules; i++) {
		host_add_hooks(host, &host->modules[i]);
		host_add_iqs(host, &host->modules[i]);
		host_add_elements(host, &host->modules[i]);
		host_add_maps(host, host->modules[i].module);
		if (!host_add_listeners(snap, &host->modules[i], err) ||
			!host_add_routes(snap, host, &host->modules[i], err))
			return false;
	}
	snap->shared = snap->shared || host->shared;
	return true;
}

/* --- services ----------------------------------------------------------------------- */

static bool
service_domain(struct str *out, struct snapshot *snap, const struct host *parent,
	const struct module_ctx *m, const struct service *service,
	struct err *err)
{
	const struct option *o = m->module->options;
	const char *text;

	while (strcmp(o->name, service->option) != 0)
		o++;
	memcpy(&text, (const char *)m->conf + o->off, sizeof(text));
	if (!config_service_domain(out, snap->arena, parent->domain, text, err))
		return err_prefix(err, "module %s: %s", m->module->name,
			o->name);
	/* the configuration has no such, but a module may be switched on */
	if (out->p != NULL && snapshot_host(snap, *out) != NULL)
		return err_set(err, ERR_CONFLICT,
			"module %s: %s: %.*s is a domain of this server already",
			m->module->name, o->name, STR_ARG(*out));
	return true;
}

/* Does it answer at services of others? */
static bool
module_serves_others(const struct module *m)
{
	const struct iq_handler *iq = m->iqs;

	while (iq != NULL && iq->fn != NULL &&
		(iq->where & (AT_SERVICE | AT_SERVICE_ADDRESS)) == 0)
		iq++;
	return m->services == NULL && iq != NULL && iq->fn != NULL;
}

static void
service_add_module(struct host *host, const struct module_ctx *m)
{
	struct module_ctx *own = &host->modules[host->n_modules++];

	*own = *m;
	own->host = host;
	atomic_fetch_add(&own->entry->refs, 1);
	host_add_iqs(host, own);
}

/* Taken by the snapshot. */
static struct host *
service_new(struct host *parent, struct str domain, struct module_ctx *m,
	const struct service *service)
{
	struct host *host = xcalloc(1, sizeof(*host));

	host->domain = domain;
	host->conf = parent->conf;
	host->service = service;
	host->domain_class = service->domain_class;
	host->address_class = service->address_class;
	host->parent = parent;
	host->next = parent->services;
	parent->services = host;
	host->modules = xcalloc(parent->n_modules, sizeof(host->modules[0]));
	service_add_module(host, m);
	host_add_hooks(host, &host->modules[0]);
	for (size_t i = 0; i < parent->n_modules; i++) {
		if (module_serves_others(parent->modules[i].module))
			service_add_module(host, &parent->modules[i]);
	}
	return host;
}

bool
module_attach_services(struct snapshot *snap, struct host *host, struct err *err)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		struct module_ctx *m = &host->modules[i];
		const struct service *s = m->module->services;

		for (; s != NULL && s->option != NULL; s++) {
			struct str domain;

			if (!service_is_there(s, snap->config, host->conf,
				    snap->tls))
				continue;
			if (!service_domain(&domain, snap, host, m, s, err))
				return false;
			if (domain.p != NULL)
				snapshot_add(snap,
					service_new(host, domain, m, s));
		}
	}
	return true;
}
