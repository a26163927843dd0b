/*
 * router_int.h - what the router does for broadcasts, between router.c and
 * fanout.c.
 */
#ifndef CORE_ROUTER_INT_H
#define CORE_ROUTER_INT_H

#include "core/place.h"
#include "core/router.h"

/* Recipients whose memory is asked for together, ahead of delivery. */
#define AHEAD 16

/* st (taken) to a place: into the queue of this shard, or the mailbox of
 * another. */
void router_put(struct shard *sh, struct place to, struct stanza *st);
/* st (taken), whose to and to_hash are set, and which has arrived. */
void router_deliver(struct shard *sh, struct stanza *st);
/* Of at most AHEAD recipients. */
void router_warm(struct shard *sh, const uint64_t *hashes, size_t n);

#endif
