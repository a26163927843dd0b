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

const struct entity_class *
route_class(const struct snapshot *snap, struct jid jid)
{
	const struct host *host = snapshot_host(snap, jid_domain(jid));

	return host != NULL ? host_class_of(host, jid) : NULL;
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

	if (host == NULL || !host_is_whole(host, jid))
		return false;
	*out = server_place(sh->server, host->hash);
	return true;
}
