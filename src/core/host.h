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
#include "base/vec.h"
#include "core/hook.h"

struct arena;
struct config;
struct config_host;
struct entity_class;
struct iq_entry;
struct module_ctx;
struct server;
struct tls_set;

struct host {
	UT_hash_handle hh; /* by domain */
	struct str domain; /* prepared */
	uint64_t hash;     /* server_hash() of it */
	const struct config_host *conf;
	const struct entity_class *domain_class;  /* NULL: one without state */
	const struct entity_class *address_class; /* NULL: there are none */
	struct module_ctx *modules; /* in the order of the configuration */
	size_t n_modules;
	struct hook_list hooks[HOOKS];
	struct VEC(struct str) maps; /* that its modules have read with each
				      * account */
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

/* --- any thread ---------------------------------------------------------- */

struct snapshot *snapshot_ref(struct snapshot *snap);
void snapshot_unref(struct snapshot *snap);
/* NULL when we do not serve domain (prepared). */
struct host *snapshot_host(const struct snapshot *snap, struct str domain);

/* Is bare (prepared) among the admins of host? */
bool host_is_admin(const struct host *host, struct str bare);

#endif
