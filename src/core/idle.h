/*
 * idle.h - who may stay in memory though nobody needs him: for so many idle
 * entities of a shard there are places, and for as many addresses that are known
 * not to exist, which hold no entity.
 *
 * Owner shard.  Both take the same places, for the same time: whoever asks for
 * an address, and for others in between, cannot tell one kind from the other by
 * how long the answer takes.
 */
#ifndef CORE_IDLE_H
#define CORE_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shard;

/* Of an address, by its hash, which nobody can choose. */
struct idle_place {
	uint64_t hash;           /* 0: free */
	int64_t absent_until_us; /* 0: an idle entity has it */
};

/* Zeroed memory: all are free. */
struct idle_places {
	struct idle_place *all; /* made when first needed */
	size_t hand; /* where idle_next() goes on */
};

void idle_done(struct idle_places *places);

/* Is it known that nothing has this address? */
bool idle_is_absent(const struct shard *sh, uint64_t hash);
/* An idle entity takes the place of its hash.  Returns the hash of the one that
 * had it and has to leave; 0: none. */
uint64_t idle_take(struct shard *sh, uint64_t hash);
/* An entity has left memory; absent: there was nothing behind it. */
void idle_leave(struct shard *sh, uint64_t hash, bool absent);
/* Something has this address now. */
void idle_forget_absent(struct shard *sh, uint64_t hash);
/* One after the other, those that took a place and did not leave since; 0 after
 * none was found. */
uint64_t idle_next(struct shard *sh);

#endif
