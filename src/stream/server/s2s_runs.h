/*
 * s2s_runs.h - whose stanzas a stream has written that is the link of several pairs:
 * numbers are those of the stream (XEP-0198 §4), and each link counts for itself.
 *
 *   acked    | 3 of 1 | 1 of 2 | 5 of 1 | 2 of 3 |    acked + wrote
 *            '------ s2s_runs_take() ----> one link has so many
 *
 * Owner shard of the stream.  Of one link there is one run, which needs no memory of
 * its own.
 */
#ifndef STREAM_SERVER_S2S_RUNS_H
#define STREAM_SERVER_S2S_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct s2s_run {
	uint32_t whose, n;
};

struct s2s_runs {
	uint32_t acked; /* the number before the first */
	uint32_t wrote; /* stanzas behind that */
	struct s2s_run last;
	struct VEC(struct s2s_run) all; /* those before it, */
	uint32_t first;                 /* but what is before that is over */
};

/* One more was written. */
void s2s_runs_add(struct s2s_runs *r, uint32_t whose);
/* The peer says that it has all up to h: how many s2s_runs_take() is to take, which is
 * none where it has said that before.  False: it was not sent so much. */
bool s2s_runs_count(const struct s2s_runs *r, uint32_t h, uint32_t *n_out);
/* The first, or most (not 0, and not more than there are) of its stanzas, is over. */
struct s2s_run s2s_runs_take(struct s2s_runs *r, uint32_t most);
/* The i-th that there is; NULL: there are not so many. */
struct s2s_run *s2s_runs_at(struct s2s_runs *r, uint32_t i);
/* What all of it takes, beside itself. */
size_t s2s_runs_bytes(const struct s2s_runs *r);
/* There are none any more. */
void s2s_runs_done(struct s2s_runs *r);

#endif
