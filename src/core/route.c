/*
 * route.c - the class of a domain that no module brings one for, and domains that
 * are one entity.
 */
#include "config.h"

#include "core/route.h"

/* It has no state: it answers on whatever shard it is asked, as anybody would
 * who has no mind of his own. */
const struct entity_class host_class = {
	.name = "host",
	.size = sizeof(struct entity),
	.everywhere = true,
};

/* NULL: none. */
static const struct entity_class *
class_of_others(const struct snapshot *snap)
{
	const struct server *srv = snap->server;

	return snap->federates && srv->remote_streams != NULL ?
		srv->remote_class :
		NULL;
}

const struct entity_class *
route_class(const struct snapshot *snap, struct jid jid)
{
	const struct host *host = snapshot_host(snap, jid_domain(jid));

	return host != NULL ? host_class_of(host, jid) : class_of_others(snap);
}

/* hash is kept as it is: a reload can make accounts of its addresses while a stanza
 * is on its way. */
struct route
route_whole(struct shard *sh, struct host *host, uint64_t hash)
{
	return (struct route){
		.class = host->domain_class,
		.host = host,
		.key = jid_trusted(host->domain),
		.hash = host->hash,
		.to_hash = hash,
		.place = server_place(sh->server, host->hash),
	};
}

/* Its hash is that of an account at the domain, which may become ours too. */
struct route
route_remote(struct shard *sh, struct jid jid, uint64_t hash)
{
	struct route r = { .class = class_of_others(sh->snap) };

	if (r.class == NULL)
		return r;
	r.key = jid_trusted(jid_domain(jid));
	r.hash = server_hash(sh->server, jid_domain(jid));
	r.to_hash = hash;
	r.place = server_place(sh->server, r.hash);
	return r;
}

static bool
host_is_whole(const struct host *host, struct jid jid)
{
	const struct entity_class *class = host_class_of(host, jid);

	return class != NULL && class->whole_domain;
}

bool
route_find_whole(struct shard *sh, struct jid jid, struct place *out)
{
	const struct host *host = shard_host(sh, jid_domain(jid));
	struct route r;

	if (host == NULL) {
		r = route_remote(sh, jid, 0);
		*out = r.place;
		return r.class != NULL;
	}
	if (!host_is_whole(host, jid))
		return false;
	*out = server_place(sh->server, host->hash);
	return true;
}
