/*
 * host.c - builds snapshots: for every host the tables of hooks and iq handlers
 * that its modules bring, and the certificates of all.
 *
 * Shard 0 or start-up; a snapshot is immutable once snapshot_new() returns.
 */
#include "config.h"

#include "core/host.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/cert_expiry.h"
#include "core/iq_int.h"
#include "module/module.h"
#include "module/module_int.h"

#define KEY_MAX 1024

/* --- asking ---------------------------------------------------------------------- */

struct host *
snapshot_host(const struct snapshot *snap, struct str domain)
{
	struct host *host = snap->hosts;

	/* most servers have one: 130 of 170 instructions less, and each
	 * message comes here four times */
	if (host != NULL && str_eq(host->domain, domain))
		return host;
	HASH_FIND(hh, snap->hosts, domain.p, (unsigned)domain.n, host);
	return host;
}

bool
host_is_admin(const struct host *host, struct str bare)
{
	return config_is_admin(host->conf, bare);
}

bool
host_has_module(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->n_modules; i++) {
		if (strcmp(host->modules[i].module->name, name) == 0)
			return true;
	}
	return false;
}

static size_t
iq_key(char *out, struct str ns, struct str name)
{
	if (ns.n + 1 + name.n > KEY_MAX)
		return 0;
	memcpy(out, ns.p, ns.n);
	out[ns.n] = ' ';
	memcpy(out + ns.n + 1, name.p, name.n);
	return ns.n + 1 + name.n;
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
host_loads_more(const struct host *next, const struct host *before)
{
	for (size_t i = 0; next != NULL && i < next->n_modules; i++) {
		const struct module_ctx *m = &next->modules[i];

		if (module_loads(m->module) && (before == NULL ||
				module_at_host(before, m->entry) == NULL))
			return true;
	}
	return false;
}

const struct iq_entry *
host_iq_find(const struct host *host, const struct elem *payload)
{
	struct iq_entry *entry = NULL;
	char key[KEY_MAX];
	size_t n;

	if (payload == NULL)
		return NULL;
	n = iq_key(key, payload->ns, payload->name);
	if (n != 0)
		HASH_FIND(hh, host->iqs, key, (unsigned)n, entry);
	return entry;
}

/* --- tables ----------------------------------------------------------------------- */

static void
host_add_iq(struct host *host, struct module_ctx *ctx,
	const struct iq_handler *handler)
{
	char key[KEY_MAX];
	size_t n = iq_key(key, str_c(handler->ns), str_c(handler->name));
	struct iq_entry *entry = xcalloc(1, sizeof(*entry) + n);
	struct iq_entry *first;

	entry->handler = handler;
	entry->ctx = ctx;
	memcpy(entry->key, key, n);
	HASH_FIND(hh, host->iqs, key, (unsigned)n, first);
	if (first == NULL) {
		HASH_ADD_KEYPTR(hh, host->iqs, entry->key, (unsigned)n, entry);
		return;
	}
	while (first->next != NULL)
		first = first->next;
	first->next = entry;
}

static void
hook_list_add(struct hook_list *list, struct module_ctx *ctx,
	const struct hook_handler *h)
{
	size_t at = list->n;

	vec_push(list);
	/* behind all of the same band, before those of later ones */
	while (at > 0 && list->p[at - 1].band > h->band) {
		list->p[at] = list->p[at - 1];
		at--;
	}
	list->p[at] = (struct hook_entry){ ctx, h->fn, h->band };
}

static void
host_attach(struct host *host, struct module_ctx *ctx)
{
	const struct hook_handler *h = ctx->module->hooks;
	const struct iq_handler *iq = ctx->module->iqs;

	for (; h != NULL && h->fn != NULL; h++)
		hook_list_add(&host->hooks[h->hook], ctx, h);
	for (; iq != NULL && iq->fn != NULL; iq++)
		host_add_iq(host, ctx, iq);
}

/* --- modules of a host ---------------------------------------------------------------- */

static bool
host_add_module(struct host *host, struct server *srv, const char *name,
	const void *conf, struct err *err)
{
	struct module_entry *entry =
		module_open(srv->modules, str_c(name), err);

	if (entry == NULL || !module_start(srv->modules, entry, srv, err))
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
forced_conf(struct snapshot *snap, struct server *srv, const char *name)
{
	struct module_entry *entry =
		module_open(srv->modules, str_c(name), NULL);
	void *conf;

	if (entry == NULL || entry->module->options == NULL)
		return NULL;
	conf = arena_zalloc(snap->arena, entry->module->conf_size);
	option_defaults(entry->module->options, conf, snap->arena);
	return conf;
}

static bool
host_add_modules(struct host *host, struct snapshot *snap, struct err *err)
{
	struct server *srv = snap->server;
	const struct config_host *conf = host->conf;

	host->modules = xcalloc(conf->n_modules + MODULES_MAX,
		sizeof(host->modules[0]));
	for (size_t i = 0; i < conf->n_modules; i++) {
		const struct config_module *m = &conf->modules[i];

		if (!module_is_forced(srv->modules, m->name, false) &&
			!host_add_module(host, srv, m->name, m->conf, err))
			return false;
	}
	for (size_t i = 0; i < MODULES_MAX; i++) {
		const char *name = srv->modules->switches->on[i];

		if (name != NULL && !host_has_module(host, name) &&
			!host_add_module(host, srv, name,
				forced_conf(snap, srv, name), err))
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
			if (!host_has_module(host, *n))
				return err_set(err, ERR_MISSING,
					"hosts: %.*s: module %s needs module %s",
					STR_ARG(host->domain), m->name, *n);
		}
	}
	return true;
}

static bool
snapshot_add_host(struct snapshot *snap, const struct config_host *conf,
	struct err *err)
{
	struct host *host = xcalloc(1, sizeof(*host));

	host->domain = str_c(conf->domain);
	host->conf = conf;
	HASH_ADD_KEYPTR(hh, snap->hosts, host->domain.p,
		(unsigned)host->domain.n, host);
	if (!host_add_modules(host, snap, err) || !host_check_needs(host, err))
		return false;
	for (size_t i = 0; i < host->n_modules; i++)
		host_attach(host, &host->modules[i]);
	return true;
}

/* --- certificates ----------------------------------------------------------------------- */

static void
on_tls_warning(void *arg, bool refused, const char *text)
{
	(void)arg;
	(void)refused;
	log_warn(LOG_TLS, LOG_NOBODY, "%s", text);
}

/* What was read, perhaps as root, is used on while no file of it changes: a
 * module is switched without a key that root alone can read. */
static struct tls_set *
tls_set_get(const struct snapshot *before, const struct config *c,
	const struct tls_conf *conf, struct err *err)
{
	if (before != NULL && before->tls != NULL &&
		(before->config == c || tls_set_is_current(before->tls, conf)))
		return tls_set_ref(before->tls);
	return tls_set_new(conf, on_tls_warning, NULL, err);
}

static bool
snapshot_add_tls(struct snapshot *snap, struct err *err)
{
	const struct config *conf = snap->config;
	struct tls_host_conf *hosts = xcalloc(conf->n_hosts, sizeof(*hosts));
	struct tls_conf tls;

	for (size_t i = 0; i < conf->n_hosts; i++)
		if (conf->hosts[i].certificate == NULL &&
			conf->hosts[i].auth.tls_required)
			log_warn(LOG_TLS, LOG_NOBODY,
				"nobody can log in at %s: it has no certificate; set `certificate` there, see antiphonctl cert make",
				conf->hosts[i].domain);
	config_tls_conf(conf, hosts, &tls);
	/* cert_expiry_report() tells, now and each day */
	tls.expiry_warning_us = 0;
	if (tls.n_hosts != 0)
		snap->tls = tls_set_get(snap->server->newest, conf, &tls,
			err);
	free(hosts);
	return tls.n_hosts == 0 || snap->tls != NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
host_free(struct host *host)
{
	struct iq_entry *entry, *next;

	HASH_ITER (hh, host->iqs, entry, next) {
		struct iq_entry *chained = entry->next;

		HASH_DEL(host->iqs, entry);
		free(entry);
		while (chained != NULL) {
			entry = chained->next;
			free(chained);
			chained = entry;
		}
	}
	for (size_t i = 0; i < HOOKS; i++)
		vec_done(&host->hooks[i]);
	for (size_t i = 0; i < host->n_modules; i++)
		atomic_fetch_sub(&host->modules[i].entry->refs, 1);
	free(host->modules);
	free(host);
}

static void
snapshot_free(struct snapshot *snap)
{
	struct host *host, *next;

	HASH_ITER (hh, snap->hosts, host, next) {
		HASH_DEL(snap->hosts, host);
		host_free(host);
	}
	if (snap->tls != NULL)
		tls_set_unref(snap->tls);
	config_unref(snap->config);
	arena_free(snap->arena);
	free(snap);
}

struct snapshot *
snapshot_new(struct server *srv, struct config *conf, struct err *err)
{
	struct snapshot *snap = xcalloc(1, sizeof(*snap));

	atomic_init(&snap->refs, 1);
	snap->serial = ++srv->snapshots;
	snap->server = srv;
	snap->config = conf;
	snap->arena = arena_new();
	for (size_t i = 0; i < conf->n_hosts; i++) {
		if (!snapshot_add_host(snap, &conf->hosts[i], err)) {
			snapshot_free(snap);
			return NULL;
		}
	}
	if (!snapshot_add_tls(snap, err)) {
		snapshot_free(snap);
		return NULL;
	}
	cert_expiry_report(snap);
	return snap;
}

struct snapshot *
snapshot_ref(struct snapshot *snap)
{
	atomic_fetch_add(&snap->refs, 1);
	return snap;
}

void
snapshot_unref(struct snapshot *snap)
{
	if (snap != NULL && atomic_fetch_sub(&snap->refs, 1) == 1)
		snapshot_free(snap);
}
