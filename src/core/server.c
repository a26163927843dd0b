/*
 * server.c - what finds an entity: the hash of its address.
 */
#include "config.h"

#include "core/server.h"

#include "base/hash.h"

uint64_t
server_hash(const struct server *srv, struct str bare)
{
	return hash_bytes(&srv->hash_key, bare.p, bare.n);
}
