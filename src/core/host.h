/*
 * host.h - a domain that we serve, and the snapshot that holds them all.
 *
 * A snapshot is immutable: configuration, certificates, hook and iq tables of
 * every host.  A reload builds a new one and posts it to every shard, which
 * swaps it between two turns; the last to let go frees it.  What comes from a
 * snapshot is valid until the turn ends, and is never kept.
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/str.h"
#include "core/hook.h"

struct arena;
struct config;
struct config_host;
struct err;
struct iq_entry;
struct module_ctx;
struct server;
struct tls_set;

struct host {
	UT_hash_handle hh; /* by domain */
	struct str domain; /* prepared */
	const struct config_host *conf;
	struct module_ctx *modules; /* in the order of the configuration */
	size_t n_modules;
	struct hook_list hooks[HOOKS];
	struct iq_entry *iqs; /* uthash by type, namespace and name */
};

struct snapshot {
	atomic_uint refs;
	uint64_t serial;       /* of no other snapshot of this process; not 0 */
	struct server *server;
	struct config *config; /* a reference */
	struct tls_set *tls;   /* a reference; NULL when there is no certificate */
	struct host *hosts;    /* uthash */
	struct arena *arena;   /* what lives as long */
};

/* --- shard 0, or start-up --------------------------------------------------- */

/* conf is a reference, taken.  One reference, owned by the caller.  NULL with
 * err, when a certificate cannot be used or a module is missing. */
struct snapshot *snapshot_new(struct server *srv, struct config *conf,
	struct err *err);

/* --- any thread ---------------------------------------------------------- */

struct snapshot *snapshot_ref(struct snapshot *snap);
void snapshot_unref(struct snapshot *snap);
/* NULL when we do not serve domain (prepared). */
struct host *snapshot_host(const struct snapshot *snap, struct str domain);

/* Is bare (prepared) among the admins of host? */
bool host_is_admin(const struct host *host, struct str bare);
/* Is a module of this name in force at host? */
bool host_has_module(const struct host *host, const char *name);
/* Is there one at next that makes something of accounts when they are loaded, and
 * was not there before?  Both may be NULL. */
bool host_loads_more(const struct host *next, const struct host *before);

#endif
