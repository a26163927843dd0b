/*
 * server_snapshot.c - makes snapshots of a configuration: its hosts with their
 * modules, and the certificates of all.
 */
#include "config.h"

#include "server/server_snapshot.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/component.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/server.h"
#include "account/account.h"
#include "module/attach.h"
#include "module/module_int.h"
#include "module/services.h"
#include "server/server_federation.h"

/* --- hosts ------------------------------------------------------------------------------ */

static bool
snapshot_add_host(struct snapshot *snap, const struct config_host *conf,
	struct module_look *look, struct err *err)
{
	struct host *host = xcalloc(1, sizeof(*host));

	host->domain = str_c(conf->domain);
	account_serve(host);
	host->conf = conf;
	snapshot_add(snap, host);
	return module_attach(snap, host, look, err);
}

static bool
snapshot_add_hosts(struct snapshot *snap, struct module_look *look,
	struct err *err)
{
	const struct config *conf = snap->config;

	for (size_t i = 0; i < conf->n_hosts; i++) {
		if (!snapshot_add_host(snap, &conf->hosts[i], look, err))
			return false;
	}
	for (size_t i = 0; i < conf->n_hosts; i++) {
		struct host *host =
			snapshot_host(snap, str_c(conf->hosts[i].domain));

		if (!module_attach_services(snap, host, err))
			return false;
	}
	return true;
}

/* Behind the services, of which a module that was switched on by hand may have
 * brought one more. */
static bool
snapshot_add_component(struct snapshot *snap,
	const struct config_component *conf, struct err *err)
{
	struct host *host;

	if (snapshot_host(snap, str_c(conf->domain)) != NULL)
		return err_set(err, ERR_CONFLICT,
			"components: %s is a domain of this server already",
			conf->domain);
	host = xcalloc(1, sizeof(*host));
	host->domain = str_c(conf->domain);
	component_serve(host, conf);
	snapshot_add(snap, host);
	return true;
}

static bool
snapshot_add_components(struct snapshot *snap, struct err *err)
{
	const struct config *conf = snap->config;
	bool below = false;

	for (size_t i = 0; i < conf->n_components; i++) {
		if (!snapshot_add_component(snap, &conf->components[i], err))
			return false;
		below = below || conf->components[i].subdomains;
	}
	snap->has_components = conf->n_components != 0;
	snap->has_subdomains = below;
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
snapshot_add_tls(struct snapshot *snap, const struct snapshot *before,
	struct err *err)
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
		snap->tls = tls_set_get(before, conf, &tls, err);
	free(hosts);
	return tls.n_hosts == 0 || snap->tls != NULL;
}

/* --- the whole ---------------------------------------------------------------------------- */

struct snapshot *
snapshot_new(struct server *srv, const struct snapshot *before,
	struct config *conf, struct module_look *look, struct err *err)
{
	struct snapshot *snap = xcalloc(1, sizeof(*snap));

	atomic_init(&snap->refs, 1);
	snap->server = srv;
	snap->config = conf;
	snap->arena = arena_new_lasting();
	if (listen_add_kinds(snap, srv->kinds, NULL, err) &&
		snapshot_add_tls(snap, before, err) &&
		snapshot_add_hosts(snap, look, err) &&
		snapshot_add_components(snap, err) &&
		snapshot_federate(snap, before, err))
		return snap;
	snapshot_unref(snap);
	return NULL;
}

static void
on_review(void *arg, const char *text)
{
	(void)arg;
	log_info(LOG_SERVER, LOG_NOBODY, "%s", text);
}

void
snapshot_review(const struct snapshot *snap)
{
	services_review(snap->config, snap->server->modules, snap->tls,
		on_review, NULL);
}

bool
snapshot_take(struct snapshot *snap, struct module_look *look, struct err *err)
{
	struct server *srv = snap->server;

	module_look_take(look, srv->modules, false);
	if (!module_start_used(srv->modules, srv, err))
		return false;
	snap->serial = ++srv->snapshots;
	return true;
}
