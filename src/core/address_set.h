/*
 * address_set.h - addresses, found by the whole of them or by what is bare: to
 * whom presence was sent, for one.
 *
 * Owner shard of whoever has it.  However many there are, a search takes as long
 * as with one.
 */
#ifndef CORE_ADDRESS_SET_H
#define CORE_ADDRESS_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "xmpp/jid.h"

struct server;

struct address {
	struct jid jid;
	uint64_t hash; /* server_hash() of the whole */
	struct address_owner *owner;
	bool marked; /* whatever that means to whom the set belongs; not at first */
	char text[];
};

/* Zeroed memory is an empty set. */
struct address_set {
	struct table all;    /* of struct address */
	struct table owners; /* their bare addresses */
};

/* NULL when it is not there. */
struct address *address_set_find(const struct address_set *set,
	const struct server *srv, struct jid jid);
/* Is there one with the same bare address? */
bool address_set_has_bare(const struct address_set *set,
	const struct server *srv, struct jid jid);
/* jid is copied; it must not be there. */
void address_set_add(struct address_set *set, const struct server *srv,
	struct jid jid);
/* a, of address_set_find() or of a walk through .all, is freed. */
void address_set_remove(struct address_set *set, struct address *a);
/* Removes all. */
void address_set_clear(struct address_set *set);

#endif
