/*
 * server_federation.c - which domains of ours talk to other servers.
 *
 * With `auto', a host does when others can believe its certificate: the DNS and the
 * firewall are not asked, for who has such a certificate means to be found.  Any
 * thread, while a snapshot is made; shard 0, when it is put in force.
 */
#include "config.h"

#include "server/server_federation.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/module_ctx.h"

/* As contrib/quickstart.sh calls it. */
#define TEST_AUTHORITY "Antiphon test authority"

/* --- who does ------------------------------------------------------------------- */

static const struct config_federation *
options_of(const struct config *c, const struct host *host)
{
	const struct config_host *conf = host->conf;

	if (conf == NULL && host->component->host != NULL)
		conf = config_host(c, str_c(host->component->host));
	return conf != NULL ? &conf->federation : &c->federation;
}

const char *
federation_obstacle(const struct config_federation *f, bool bare,
	const struct tls_shown *shown)
{
	switch ((enum federation_mode)f->mode) {
	case FEDERATION_ON:
		return NULL;
	case FEDERATION_OFF:
		return "it is switched off";
	case FEDERATION_AUTO:
		break;
	}
	/* that of the host above does not speak for one that could have its own */
	if (shown->host == NULL || (bare && !shown->named))
		return "it has no certificate";
	if (shown->by_itself)
		return "its certificate is signed by itself";
	if (strcmp(shown->issuer, TEST_AUTHORITY) == 0)
		return "its certificate is signed by the test authority of quickstart";
	return NULL;
}

static bool
is_kept_local(const struct host *host)
{
	const char *above;

	if (host->parent == NULL && host->component == NULL)
		return false;
	if (host->service != NULL && host->service->is_local != NULL &&
		host->service->is_local(host->modules[0].conf))
		return true;
	above = host->parent != NULL ? host->parent->conf->domain :
				       host->component->host;
	return config_keeps_local(host->federation, above, host->domain);
}

const char *
federation_hindrance(const struct snapshot *snap, const struct host *host)
{
	bool bare = host->parent == NULL && host->conf != NULL &&
		host->conf->certificate == NULL;
	struct tls_shown shown;

	if (is_kept_local(host))
		return "it is kept local";
	tls_set_shown(snap->tls, host->domain, &shown);
	return federation_obstacle(host->federation, bare, &shown);
}

/* --- whom they trust -------------------------------------------------------------- */

static bool
trust_add(struct snapshot *snap, const struct snapshot *before,
	const char *path, struct err *err)
{
	struct tls_trust *t = NULL;

	if (snapshot_trust_at(snap, path) != NULL)
		return true;
	if (before != NULL)
		t = snapshot_trust_at(before, path);
	if (t != NULL && (before->config == snap->config ||
				 tls_trust_is_current(t)))
		t = tls_trust_ref(t);
	else
		t = tls_trust_new(path, err);
	if (t == NULL)
		return err_prefix(err, "authorities");
	*vec_push(&snap->trusts) = t;
	return true;
}

static bool
trusts_add(struct snapshot *snap, const struct snapshot *before,
	struct err *err)
{
	const struct config *c = snap->config;
	const struct host *host, *next;

	HASH_ITER (hh, snap->hosts, host, next) {
		if (host->federates && !trust_add(snap, before,
			    host->federation->authorities, err))
			return false;
	}
	for (size_t i = 0; i < c->n_remotes && snap->federates; i++) {
		if (c->remotes[i].authorities != NULL && !trust_add(snap, before,
			    c->remotes[i].authorities, err))
			return false;
	}
	return true;
}

bool
snapshot_federate(struct snapshot *snap, const struct snapshot *before,
	struct err *err)
{
	struct host *host, *next;

	HASH_ITER (hh, snap->hosts, host, next) {
		host->federation = options_of(snap->config, host);
		host->federates = federation_hindrance(snap, host) == NULL;
		snap->federates = snap->federates || host->federates;
	}
	snap->has_whole = snap->has_components || snap->federates;
	return trusts_add(snap, before, err);
}

/* --- what is said of it ------------------------------------------------------------- */

static bool
is_news(const struct host *host, const struct snapshot *before)
{
	const struct host *was =
		before != NULL ? snapshot_host(before, host->domain) : NULL;

	return was == NULL || was->federates != host->federates;
}

static void
host_report(const struct snapshot *snap, const struct host *host)
{
	const char *why = federation_hindrance(snap, host);
	struct tls_shown shown;

	tls_set_shown(snap->tls, host->domain, &shown);
	if (why != NULL)
		log_info(LOG_SERVER, LOG_NOBODY,
			"does not talk to other servers host=%.*s reason=\"%s\"",
			STR_ARG(host->domain), why);
	else if (shown.host == NULL)
		log_warn(LOG_SERVER, LOG_NOBODY,
			"talks to other servers, which cannot connect to it: it has no certificate host=%.*s",
			STR_ARG(host->domain));
	else if (!shown.named)
		log_warn(LOG_SERVER, LOG_NOBODY,
			"talks to other servers, which may refuse it: the certificate that they are shown does not name it host=%.*s certificate_of=%s",
			STR_ARG(host->domain), shown.host);
	else
		log_info(LOG_SERVER, LOG_NOBODY,
			"talks to other servers host=%.*s",
			STR_ARG(host->domain));
}

/* What goes for a host goes for its services. */
static bool
goes_without_saying(const struct host *host)
{
	return host->parent != NULL && !host->federates &&
		!host->parent->federates;
}

/* Then none of them can find out by dialback whether it is we who connect. */
static void
port_report(const struct snapshot *snap, const struct snapshot *before)
{
	if (snap->federates && !config_listens(snap->config, "server") &&
		(before == NULL || !before->federates ||
			config_listens(before->config, "server")))
		log_warn(LOG_SERVER, LOG_NOBODY, FEDERATION_NO_PORT);
}

/* Such a system has no list of them. */
static void
trust_report(const struct snapshot *snap, const struct snapshot *before)
{
	const struct tls_trust *t = snapshot_trust_at(snap, NULL);

	if (t == NULL || tls_trust_count(t) != 0 ||
		(before != NULL && snapshot_trust_at(before, NULL) == t))
		return;
	log_warn(LOG_SERVER, LOG_NOBODY,
		"this system trusts no authority, and so no certificate of another server: install its list of them (the package ca-certificates), or name some in `federation: authorities'");
}

void
federation_report(const struct snapshot *snap, const struct snapshot *before)
{
	const struct host *host, *next;

	HASH_ITER (hh, snap->hosts, host, next) {
		if (is_news(host, before) && !goes_without_saying(host))
			host_report(snap, host);
	}
	port_report(snap, before);
	trust_report(snap, before);
}
