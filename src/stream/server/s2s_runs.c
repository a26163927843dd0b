/*
 * s2s_runs.c - whose stanzas a stream has written that is the link of several pairs.
 *
 * Owner shard of the stream.  Invariants: two runs that follow each other are not of
 * the same link, as long as none was renamed; the last has stanzas, where any has.
 */
#include "config.h"

#include "stream/server/s2s_runs.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/memuse.h"

/* So much stays for the next ones, when there are none. */
#define KEEP_RUNS 64

/* What is over gives its place to others, before more is asked for. */
static void
runs_push(struct s2s_runs *r, struct s2s_run run)
{
	if (r->all.n == r->all.room && r->first > r->all.n / 2) {
		r->all.n -= r->first;
		memmove(r->all.p, r->all.p + r->first,
			r->all.n * sizeof(*r->all.p));
		r->first = 0;
	}
	memuse_remove_part(MEMUSE_STREAM, r->all.p);
	*vec_push(&r->all) = run;
	memuse_add_part(MEMUSE_STREAM, r->all.p);
}

void
s2s_runs_add(struct s2s_runs *r, uint32_t whose)
{
	r->wrote++;
	if (r->last.n != 0 && r->last.whose != whose) {
		runs_push(r, r->last);
		r->last.n = 0;
	}
	r->last.whose = whose;
	r->last.n++;
}

/* Numbers go round: what is not between both is nearer to either. */
bool
s2s_runs_count(const struct s2s_runs *r, uint32_t h, uint32_t *n_out)
{
	uint32_t n = h - r->acked;

	*n_out = n <= r->wrote ? n : 0;
	return n <= r->wrote || (int32_t)(h - (r->acked + r->wrote)) <= 0;
}

static void
runs_shrink(struct s2s_runs *r)
{
	r->first = r->all.n = 0;
	if (r->all.room <= KEEP_RUNS)
		return;
	memuse_remove_part(MEMUSE_STREAM, r->all.p);
	vec_done(&r->all);
}

struct s2s_run
s2s_runs_take(struct s2s_runs *r, uint32_t most)
{
	struct s2s_run *first = s2s_runs_at(r, 0);
	struct s2s_run taken = { first->whose, MIN(first->n, most) };

	assert(taken.n != 0);
	r->acked += taken.n;
	r->wrote -= taken.n;
	first->n -= taken.n;
	if (first != &r->last && first->n == 0 && ++r->first == r->all.n)
		runs_shrink(r);
	return taken;
}

struct s2s_run *
s2s_runs_at(struct s2s_runs *r, uint32_t i)
{
	uint32_t n = r->all.n - r->first;

	if (i < n)
		return &r->all.p[r->first + i];
	return i == n && r->last.n != 0 ? &r->last : NULL;
}

size_t
s2s_runs_bytes(const struct s2s_runs *r)
{
	return r->all.room * sizeof(*r->all.p);
}

void
s2s_runs_done(struct s2s_runs *r)
{
	memuse_remove_part(MEMUSE_STREAM, r->all.p);
	vec_done(&r->all);
	*r = (struct s2s_runs){ .acked = r->acked };
}
