/*
 * peek.h - for tests that look at a server from beside it, where all its shards
 * are in one thread, or do not turn.
 */
#ifndef TESTS_PEEK_H
#define TESTS_PEEK_H

#include "core/place.h"

/* The shard on which the entity with this bare address lives. */
static inline struct shard *
peek_owner(const struct server *srv, struct str bare)
{
	return srv->shards[server_place_of(srv, bare).shard];
}

#endif
