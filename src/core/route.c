/*
 * route.c - the class of a domain that no module brings one for.
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
