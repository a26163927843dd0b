/*
 * stats.h - what shards count, as columns with names: added up, and turned into
 * rates.
 */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "core/shard.h"

enum stats_kind {
	STATS_NOW,     /* of this moment */
	STATS_TOTAL,   /* since the start, so that there is a rate */
	STATS_HIGHEST, /* since the start; of all shards: the highest of one */
};

struct stats_column {
	const char *name;
	enum stats_kind kind;
	size_t off; /* of a uint64_t in struct shard_stats */
};

/* Ends with a name of NULL. */
extern const struct stats_column stats_columns[];

/* --- any thread ---------------------------------------------------------- */

uint64_t stats_value(const struct shard_stats *s, const struct stats_column *c);
/* Adds the columns of one to those of sum. */
void stats_add(struct shard_stats *sum, const struct shard_stats *one);
/* Totals become what they grew by in a second, rounded, since before, and all
 * other columns 0. */
struct shard_stats stats_rate(const struct shard_stats *now,
	const struct shard_stats *before);

/* --- owner shard ------------------------------------------------------------ */

/* What sh has counted, up to date. */
struct shard_stats stats_take(struct shard *sh);
/* Once a turn: sh->before is what was counted between 5 and 10 seconds ago, or
 * longer ago when there was nothing to do. */
void stats_keep(struct shard *sh);

#endif
