/*
 * host.c - finds hosts in a snapshot, and frees them with its last reference.
 */
#include "config.h"

#include "core/host.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "net/tls.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/handler_table.h"
#include "core/module_ctx.h"
#include "core/server.h"

/* --- asking ---------------------------------------------------------------------- */

static struct host *
snapshot_find(const struct snapshot *snap, struct str domain)
{
	struct host *host;

	HASH_FIND(hh, snap->hosts, domain.p, (unsigned)domain.n, host);
	return host;
}

/* The component that domain is below: of those that are, the nearest decides. */
static struct host *
snapshot_above(const struct snapshot *snap, struct str domain)
{
	struct host *host = NULL;
	struct str label, rest = domain;

	while (host == NULL && str_cut(rest, '.', &label, &rest))
		host = snapshot_find(snap, rest);
	return host != NULL && host->component != NULL &&
			host->component->subdomains ?
		host :
		NULL;
}

/* By itself, or else the short way below would save its registers too. */
static __attribute__((noinline)) struct host *
snapshot_search(const struct snapshot *snap, struct str domain)
{
	struct host *host = NULL;

	/* where there is one, it was looked at, and all else is elsewhere */
	if (snap->hosts == NULL || snap->hosts->hh.next != NULL)
		host = snapshot_find(snap, domain);
	return host == NULL && snap->has_subdomains ?
		snapshot_above(snap, domain) :
		host;
}

struct host *
snapshot_host(const struct snapshot *snap, struct str domain)
{
	struct host *host = snap->hosts;

	/* most servers have one: 140 of 170 instructions less, and each
	 * message comes here five times */
	if (host != NULL && str_eq(host->domain, domain))
		return host;
	return snapshot_search(snap, domain);
}

bool
host_is_admin(const struct host *host, struct str bare)
{
	return host->conf != NULL && config_is_admin(host->conf, bare);
}

/* --- life ----------------------------------------------------------------------------------- */

static void
host_free(struct host *host)
{
	handler_table_free(&host->iqs);
	handler_table_free(&host->elements);
	for (size_t i = 0; i < HOOKS; i++)
		vec_done(&host->hooks[i]);
	for (size_t i = 0; i < host->n_modules; i++)
		atomic_fetch_sub(&host->modules[i].entry->refs, 1);
	free(host->modules);
	vec_done(&host->maps);
	vec_done(&host->removal_maps);
	free(host);
}

void
snapshot_add(struct snapshot *snap, struct host *host)
{
	host->hash = server_hash(snap->server, host->domain);
	HASH_ADD_KEYPTR(hh, snap->hosts, host->domain.p,
		(unsigned)host->domain.n, host);
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
	for (size_t i = 0; i < snap->trusts.n; i++)
		tls_trust_unref(snap->trusts.p[i]);
	vec_done(&snap->trusts);
	listen_forget(snap);
	config_unref(snap->config);
	arena_free(snap->arena);
	free(snap);
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
