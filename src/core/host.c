/*
 * host.c - finds hosts in a snapshot and handlers of requests at a host, and
 * frees both with their last reference.
 */
#include "config.h"

#include "core/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/iq_int.h"
#include "core/module_ctx.h"
#include "core/server.h"

#define KEY_MAX 1024

/* --- asking ---------------------------------------------------------------------- */

/* By itself, or else the short way below would save its registers too. */
static __attribute__((noinline)) struct host *
snapshot_search(const struct snapshot *snap, struct str domain)
{
	struct host *host;

	HASH_FIND(hh, snap->hosts, domain.p, (unsigned)domain.n, host);
	return host;
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
	return config_is_admin(host->conf, bare);
}

/* --- who answers ----------------------------------------------------------------- */

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

void
host_iq_add(struct host *host, struct module_ctx *ctx,
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
	vec_done(&host->maps);
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
