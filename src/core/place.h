/*
 * place.h - where an entity lives: on which node, and on which of its shards.
 *
 * A place is a value: it may be kept, compared and sent, and says nothing about
 * memory.  There is one node, number 0; what goes to another place goes through
 * the functions here, and they alone know which shard that is.
 */
#ifndef CORE_PLACE_H
#define CORE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/shard.h"

struct mail;

struct place {
	uint16_t node;
	uint16_t shard;
};

/* --- any thread ---------------------------------------------------------- */

/* Where the entity with this hash lives, or whatever else is told apart by a
 * key; hash is server_hash() of the bare address, or of the key. */
static inline struct place
server_place(const struct server *srv, uint64_t hash)
{
	/* the upper half: the lower one orders the shard's own table */
	return (struct place){ .shard = (uint16_t)((hash >> 32) %
				       srv->n_shards) };
}

/* The same of a bare address, or of a key, itself. */
static inline struct place
server_place_of(const struct server *srv, struct str bare)
{
	return server_place(srv, server_hash(srv, bare));
}

static inline struct place
place_of_shard(const struct shard *sh)
{
	return (struct place){ .shard = (uint16_t)sh->index };
}

static inline bool
place_eq(struct place a, struct place b)
{
	return a.node == b.node && a.shard == b.shard;
}

static inline bool
place_is_here(const struct shard *sh, struct place p)
{
	return place_eq(p, place_of_shard(sh));
}

/* As one number, and back. */
static inline uint32_t
place_number(struct place p)
{
	return (uint32_t)p.node << 16 | p.shard;
}

static inline struct place
place_of_number(uint32_t n)
{
	return (struct place){ (uint16_t)(n >> 16), (uint16_t)n };
}

/* Runs fn(its shard, arg) there in one of its next turns, never before this has
 * returned; in order with all else that the caller's thread posts there.  bytes
 * is what arg holds in memory.  For what stays in this process, as connections
 * do, so p is on this node; what is for an entity is a stanza or an
 * entity_message, which could go further. */
void place_post(const struct server *srv, struct place p,
	void (*fn)(struct shard *sh, void *arg), void *arg, size_t bytes);

/* --- owner shard ----------------------------------------------------------- */

/* Posts m (taken), also to this shard: then it comes in one of its next turns.
 * Whose it is, is woken at the end of the turn. */
void place_put(struct shard *sh, struct place p, struct mail *m);
/* Bytes that wait there for their turn, as far as is known here. */
size_t place_waiting(const struct shard *sh, struct place p);
/* n bytes more, or less, of what has come there, or is about to, keep it busy. */
void place_hold(struct shard *sh, struct place p, int64_t n);
/* All such bytes, as far as is known here. */
size_t place_load(const struct shard *sh, struct place p);

#endif
