/*
 * memory_trim.h - gives memory back after much of it was let go: what a shard
 * keeps at hand for the next burst, and what malloc keeps.
 *
 * Owner shard.  A server that was flooded once shall not look so for ever after.
 */
#ifndef CORE_MEMORY_TRIM_H
#define CORE_MEMORY_TRIM_H

#include <stdint.h>

#include "base/timer.h"

struct shard;

/* Bytes that the whole process holds, as a shard has seen them. */
struct memory_trim {
	struct timer timer;
	int64_t looked_us;
	int64_t most; /* since memory was given back */
	int64_t seen; /* when the timer fired last */
};

/* Once a turn. */
void memory_trim_look(struct shard *sh);

#endif
