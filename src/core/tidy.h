/*
 * tidy.h - gives memory back after many have left: what a shard keeps at hand
 * for the next burst, and what malloc keeps.
 *
 * Owner shard.  A server that was flooded once shall not look so for ever after.
 */
#ifndef CORE_TIDY_H
#define CORE_TIDY_H

struct shard;

/* A stream or an entity of sh has left memory. */
void tidy_count(struct shard *sh);

#endif
