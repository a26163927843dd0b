/*
 * router_int.h - what the router does for broadcasts, between router.c,
 * fanout.c and lane.c.
 */
#ifndef CORE_ROUTER_INT_H
#define CORE_ROUTER_INT_H

#include "net/net.h"
#include "core/place.h"
#include "core/router.h"
#include "core/shard.h"

/* Recipients whose memory is asked for together, ahead of delivery. */
#define AHEAD 16

/* st (taken) to a place: into the queue of this shard, or the mailbox of
 * another. */
void router_put(struct shard *sh, struct place to, struct stanza *st);
/* st (taken), whose to and to_hash are set, and which has arrived. */
void router_deliver(struct shard *sh, struct stanza *st);
/* What broadcasts may do yet in a turn, so that nobody waits for long.  A member to
 * whose connection nothing else is written costs a system call at the end of it, which
 * takes as long as ten members do of whom that is not so. */
struct turn_left {
	size_t members;
	size_t work; /* net_work() until then */
};

static inline bool
turn_is_full(const struct shard *sh, const struct turn_left *left)
{
	return left->members == 0 || net_work(sh->net) >= left->work;
}

/* st (taken) has its turn.  False: it is a broadcast, still the caller's, and waits in
 * a lane. */
bool router_step(struct shard *sh, struct stanza *st, struct turn_left *left);
/* Of at most AHEAD recipients. */
void router_warm(struct shard *sh, const uint64_t *hashes, size_t n);

#endif
