/*
 * route.h - to whom an address belongs: the one function that says so, for all
 * that sends, refuses, fans out and delivers.
 *
 *	                address          class               lives
 *	   romeo@example.org             of accounts         at its hash
 *	         example.org             host                on every shard
 *	        echo.example.org         what the module     at its hash, or
 *	    one@echo.example.org          says (struct        on every shard
 *	                                  service)
 *	         irc.example.org         component           at the hash of the
 *	     any@irc.example.org          the same one        domain
 *	   x@elsewhere.example           remote              at the hash of the
 *	     elsewhere.example            the same one        domain
 *
 * Where the server does not talk to others, the last ones are nobody's.
 */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "xmpp/jid.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/place.h"
#include "core/shard.h"

struct route {
	const struct entity_class *class; /* NULL: nobody of ours has it */
	struct host *host; /* of its domain; NULL: not one of ours */
	struct jid key;    /* the bare address of the entity; borrowed */
	uint64_t hash;     /* server_hash() of it */
	uint64_t to_hash;  /* the same of the bare address that was asked for */
	struct place place;
};

extern const struct entity_class host_class;

static inline const struct entity_class *
host_class_of(const struct host *host, struct jid jid)
{
	if (jid_local(jid).n != 0)
		return host->address_class;
	return host->domain_class != NULL ? host->domain_class : &host_class;
}

/* --- any thread ---------------------------------------------------------- */

/* Whose jid is, or will be, as snap has it; NULL: nobody's. */
const struct entity_class *route_class(const struct snapshot *snap,
	struct jid jid);

/* --- any shard: sh is the caller's; valid for this turn -------------------- */

/* To the one entity that has all addresses of host. */
struct route route_whole(struct shard *sh, struct host *host, uint64_t hash);
/* The same of a domain that is not ours. */
struct route route_remote(struct shard *sh, struct jid jid, uint64_t hash);
bool route_find_whole(struct shard *sh, struct jid jid, struct place *out);

/* Is jid one of those of such an entity?  Then *out is where that lives. */
static inline bool
route_is_whole(struct shard *sh, struct jid jid, struct place *out)
{
	return sh->snap->has_whole && route_find_whole(sh, jid, out);
}

/* Of the one before: borrowed, until the next is asked about.  Zeroed: there is none. */
struct route_last {
	struct str domain; /* STR_NONE: that alone, and not an address of it */
	struct place place;
	bool whole;
};

/* The same, and where, in last_io->place, of several one after the other: most are of
 * the domain of the one before. */
static inline bool
route_is_whole_too(struct shard *sh, struct jid jid, struct route_last *last_io)
{
	struct str domain = jid_domain(jid);

	if (!sh->snap->has_whole)
		return false;
	/* the domain itself may be somebody else's than its addresses are */
	if (jid_local(jid).n == 0 || !str_eq(domain, last_io->domain)) {
		last_io->whole = route_find_whole(sh, jid, &last_io->place);
		last_io->domain = jid_local(jid).n != 0 ? domain : STR_NONE;
	}
	return last_io->whole;
}

/* Inline, for each message comes here twice: it costs half of what it would. */
static inline struct route
route_at(struct shard *sh, struct host *host, struct jid jid, uint64_t hash)
{
	const struct entity_class *class = host_class_of(host, jid);

	if (class != NULL && class->whole_domain)
		return route_whole(sh, host, hash);
	return (struct route){
		.class = class,
		.host = host,
		.key = jid_bare(jid),
		.hash = hash,
		.to_hash = hash,
		.place = class != NULL && class->everywhere ?
			place_of_shard(sh) :
			server_place(sh->server, hash),
	};
}

static inline __attribute__((always_inline)) struct route
route(struct shard *sh, struct jid jid)
{
	struct host *host = shard_host(sh, jid_domain(jid));

	if (host == NULL)
		return route_remote(sh, jid,
			server_hash(sh->server, jid_bare_str(jid)));
	return route_at(sh, host, jid,
		jid_local(jid).n == 0 && host->component == NULL ?
			host->hash :
			server_hash(sh->server, jid_bare_str(jid)));
}

/* The same for who knows the hash of the bare address already. */
static inline struct route
route_by_hash(struct shard *sh, struct jid jid, uint64_t hash)
{
	struct host *host = shard_host(sh, jid_domain(jid));

	return host != NULL ? route_at(sh, host, jid, hash) :
			      route_remote(sh, jid, hash);
}

#endif
