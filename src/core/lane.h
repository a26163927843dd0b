/*
 * lane.h - what waits at a shard behind a broadcast that is not finished: of each
 * sender in a queue of its own, so that nobody else waits for it.
 *
 *     sh->local:  A  b  A' c  A"       big broadcasts of A; b and c pass
 *                 |     |     |
 *     lane of A:  A <-- A' <- A"       some members each turn, all three at once
 *                                      where they are for the same (fanout.c)
 *
 * All that one sends to entities of the shard keeps its order, since what comes
 * behind an unfinished broadcast goes into its lane, whatever it is.
 *
 * Owner shard.
 */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include <stdbool.h>
#include <stddef.h>

struct shard;
struct stanza;

/* st is taken, and is the first in a lane of its sender, who has none. */
void lane_open(struct shard *sh, struct stanza *st);
/* There are lanes.  True: st is taken, because its sender has one. */
bool lane_takes(struct shard *sh, struct stanza *st);
/* Delivers from the lanes in turn, to some members: to more where the turn has brought
 * others many stanzas.  Called by shard_turn, and not from within a delivery. */
void lane_run(struct shard *sh, size_t others);
/* Whom broadcasts have not reached by now they do not; the rest goes on. */
void lane_cut(struct shard *sh);
/* The same, and who has sent them is told (fanout_return()). */
void lane_return(struct shard *sh);
/* The end of the shard: drops all. */
void lane_drop_all(struct shard *sh);

#endif
