/*
 * router_int.h - what the router does for broadcasts, between router.c,
 * fanout.c and lane.c.
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
/* st (taken) has its turn.  False: it is a broadcast, still the caller's, and goes
 * on when it has a turn again.  *members_io: to how many it may go, and what is
 * left of that. */
bool router_step(struct shard *sh, struct stanza *st, size_t *members_io);
/* Of at most AHEAD recipients. */
void router_warm(struct shard *sh, const uint64_t *hashes, size_t n);

#endif
