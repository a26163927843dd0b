/*
 * host.h - a domain that we serve, be it of the configuration, a service of a
 * module, or that of a component, and the snapshot that holds them all.
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
#include "core/listen.h"

struct arena;
struct buf;
struct config;
struct config_component;
struct config_federation;
struct config_host;
struct entity_class;
struct handler_entry;
struct http_routes;
struct module_ctx;
struct server;
struct tls_set;
struct tls_judgement;
struct tls_trust;

/*
 * A domain that a module gives to each host where it is in force, and of what it
 * and its addresses are.  One row of a module's table, which ends with
 * { .option = NULL }.
 */
struct service {
	const char *option; /* of the module, OPT_DOMAIN and .service: its domain,
			     * see config_service_domain() */
	const char *const *kinds; /* of ports: it is there while some port has one
				   * of them; NULL-terminated; NULL: always */
	const char *category, *type, *name; /* what it is (XEP-0030 §3.1) */
	const char *address_category, *address_type; /* what addresses there are;
						      * NULL: handlers of
						      * HOOK_DISCO_INFO say it */
	const char *const *features; /* NULL-terminated; may be NULL */
	/* Why it cannot be there at the host h, in words, with what would help; NULL: it
	 * can.  NULL: it always can. */
	const char *(*hindrance)(const struct config *c,
		const struct config_host *h, const struct tls_set *tls);
	/* Is it, as its module is configured, for our users alone, so that it does
	 * not talk to other servers?  NULL: it is not. */
	bool (*is_local)(const void *conf);
	const struct entity_class *domain_class;  /* NULL: one without state */
	const struct entity_class *address_class; /* NULL: there are none */
};

/* Argument of HOOK_HOST_KEEPS. */
struct host_keeps {
	struct buf *out; /* phrases, with a comma between */
};

struct host {
	UT_hash_handle hh; /* by domain */
	struct str domain; /* prepared */
	uint64_t hash;     /* server_hash() of it */
	const struct config_host *conf; /* NULL: it is that of a component */
	const struct config_component *component; /* NULL: it is none */
	const struct entity_class *domain_class;  /* NULL: one without state */
	const struct entity_class *address_class; /* NULL: there are none */
	const struct service *service; /* NULL: it is one of the configuration */
	struct host *parent;   /* whose service it is; NULL */
	struct host *services; /* the first of its own */
	struct host *next;     /* of the same parent */
	struct module_ctx *modules; /* in the order of the configuration; of a
				     * service, first the one that brings it */
	size_t n_modules;
	struct hook_list hooks[HOOKS];
	bool shared; /* a handler says so, see hook.h */
	bool federates; /* with other servers: `auto' is resolved */
	const struct config_federation *federation; /* in force for it: a host's; of a
				 * service its host's; of a component those of the
				 * nearest host above, or the general ones */
	struct VEC(struct str) maps; /* that its modules have read with each
				      * account */
	struct VEC(struct str) removal_maps; /* and when one is removed */
	struct handler_entry *iqs;      /* struct iq_handler */
	struct handler_entry *elements; /* struct element_handler */
	struct http_routes *routes; /* of its modules, see http_route.h; in the arena of
				     * the snapshot; or NULL */
};

struct snapshot {
	atomic_uint refs;
	uint64_t serial;       /* of no other snapshot of this process; not 0 */
	struct server *server;
	struct config *config; /* a reference */
	struct tls_set *tls;   /* a reference; NULL when there is no certificate */
	struct VEC(struct tls_trust *) trusts; /* references; none when no host
						* federates */
	struct host *hosts;    /* uthash */
	struct VEC(struct listen_row) kinds; /* of ports, see listen.h */
	struct listen_port **ports; /* references, of config->listen; NULL:
				     * none is bound */
	struct arena *arena;   /* what lives as long */
	bool shared;           /* a host says so */
	bool has_components;   /* a host is one; */
	bool has_subdomains;   /* and has those below it, too */
	bool federates;        /* a host talks to other servers */
	bool has_whole;        /* some domains are one entity: components, and
				* those of others */
};

/* --- while a snapshot is made ------------------------------------------------ */

/* host is taken; its domain is there for the first time. */
void snapshot_add(struct snapshot *snap, struct host *host);

/* --- any thread ---------------------------------------------------------- */

struct snapshot *snapshot_ref(struct snapshot *snap);
void snapshot_unref(struct snapshot *snap);
/* NULL when we do not serve domain (prepared).  Of a component it may be one that
 * domain is below. */
struct host *snapshot_host(const struct snapshot *snap, struct str domain);

/* Does somebody else keep the rosters of its addresses?  NULL: not one of ours. */
static inline bool
host_is_remote(const struct host *host)
{
	return host == NULL || host->component != NULL;
}

/* --- other servers: any thread (federation.c) ----------------------------- */

enum federation_verdict {
	FEDERATION_MAY,
	FEDERATION_OFF_HERE,  /* local talks to nobody */
	FEDERATION_FORBIDDEN, /* not to this one */
};

/* May local and remote (prepared, a domain of others) talk, in either direction?
 * A domain that is an address needs `s2s: ip_literals'. */
enum federation_verdict federation_may(const struct snapshot *snap,
	const struct host *local, struct str remote);
/* How remote has to show local that it is who it says: enum federation_policy. */
int federation_policy_of(const struct snapshot *snap, const struct host *local,
	struct str remote);
/* Is a certificate enough by that policy, with dialback where it lets that be?  One
 * that signed records of the DNS say is another's never is (RFC 6698 §4.1). */
bool federation_believes(int policy, const struct tls_judgement *j);
/* Whom local (a domain of ours) trusts to say so of remote.  NULL: nobody. */
const struct tls_trust *snapshot_trust(const struct snapshot *snap,
	struct str local, struct str remote);
/* That of path; NULL: the system's. */
struct tls_trust *snapshot_trust_at(const struct snapshot *snap,
	const char *path);

/* Is bare (prepared) among the admins of host? */
bool host_is_admin(const struct host *host, struct str bare);

#endif
