/*
 * idle.c - places for idle entities, and for what does not exist: each hash has
 * one place, and who comes last has it.
 *
 * Owner shard.  Invariant: a place that does not say absent is that of an entity
 * in memory, idle or in use again.
 */
#include "config.h"

#include "core/idle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "core/shard.h"

/* A power of two; 128 KiB. */
#define PLACES 8192

void
idle_done(struct idle_places *places)
{
	free(places->all);
	*places = (struct idle_places){ .all = NULL };
}

/* Neither the bits that choose the shard nor those that order its table. */
static struct idle_place *
idle_place(const struct shard *sh, uint64_t hash)
{
	return &sh->idle.all[(hash >> 18) % PLACES];
}

bool
idle_is_absent(const struct shard *sh, uint64_t hash)
{
	const struct idle_place *p;

	if (sh->idle.all == NULL)
		return false;
	p = idle_place(sh, hash);
	return p->hash == hash && p->absent_until_us > sh->now_us;
}

uint64_t
idle_take(struct shard *sh, uint64_t hash)
{
	struct idle_place *p, before;

	if (sh->idle.all == NULL)
		sh->idle.all = xcalloc(PLACES, sizeof(sh->idle.all[0]));
	p = idle_place(sh, hash);
	before = *p;
	*p = (struct idle_place){ .hash = hash };
	return before.hash == hash || before.absent_until_us != 0 ?
		0 :
		before.hash;
}

void
idle_leave(struct shard *sh, uint64_t hash, bool absent)
{
	struct idle_place *p;

	if (sh->idle.all == NULL)
		return;
	p = idle_place(sh, hash);
	if (p->hash != hash)
		return;
	p->hash = absent ? hash : 0;
	p->absent_until_us = absent ?
		sh->now_us + sh->snap->config->limits.account_idle_us :
		0;
}

void
idle_forget_absent(struct shard *sh, uint64_t hash)
{
	if (idle_is_absent(sh, hash))
		*idle_place(sh, hash) = (struct idle_place){ .hash = 0 };
}

uint64_t
idle_next(struct shard *sh)
{
	struct idle_places *places = &sh->idle;

	for (size_t i = 0; places->all != NULL && i < PLACES; i++) {
		const struct idle_place *p = &places->all[places->hand];

		places->hand = (places->hand + 1) % PLACES;
		if (p->hash != 0 && p->absent_until_us == 0)
			return p->hash;
	}
	return 0;
}
