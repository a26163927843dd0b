/*
 * sleepers.c - entities that have yet to be woken, a few at a time.
 *
 * Invariant: who waits is in the list, and who is in no list is being loaded; or
 * that has failed, and failed says so.
 */
#include "config.h"

#include "core/sleepers.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/route.h"

/* At once, of one shard: what they had may take as many times the bytes that may
 * wait for a client, and what they ask to be stored is gathered in one commit. */
#define LOADING_MAX 64
/* Those that could not be loaded are tried again. */
#define AGAIN_US (2 * US_PER_S)

static void on_sleepers_due(struct timer *t);

static void
sleepers_soon(struct sleepers *all, int64_t in_us)
{
	if (!timer_is_set(&all->timer) ||
		all->timer.at_us > all->shard->now_us + in_us)
		shard_timer(all->shard, &all->timer, in_us, on_sleepers_due);
}

static void
sleeper_wait(struct sleepers *all, struct sleeper *s)
{
	TAILQ_INSERT_TAIL(&all->waiting, s, link);
	s->waits = true;
}

static void
sleeper_wait_no_more(struct sleepers *all, struct sleeper *s)
{
	if (s->waits)
		TAILQ_REMOVE(&all->waiting, s, link);
	s->waits = false;
}

struct sleeper *
sleepers_add(struct shard *sh, const struct entity_class *class, struct jid jid,
	void (*done)(struct shard *sh))
{
	struct sleepers *all = sh->sleepers;
	struct str map = str_c(class->asleep);
	struct sleeper *s = xcalloc(1, sizeof(*s) + jid.bare_len + map.n);

	if (all == NULL) {
		all = xcalloc(1, sizeof(*all));
		all->shard = sh;
		all->done = done;
		TAILQ_INIT(&all->waiting);
		sh->sleepers = all;
	}
	s->class = class;
	s->jid = jid_bare(jid);
	s->jid.text = memcpy(s->text, jid.text, jid.bare_len);
	s->map = (struct str){ s->text + jid.bare_len, map.n };
	if (map.n != 0)
		memcpy(s->text + jid.bare_len, map.p, map.n);
	s->hash = server_hash(sh->server, jid_str(s->jid));
	table_add(&all->all, s->hash, s);
	sleeper_wait(all, s);
	return s;
}

struct sleeper *
sleepers_search(const struct sleepers *all, struct str bare, uint64_t hash)
{
	size_t at = table_start(&all->all, hash);
	struct sleeper *s;

	do
		s = table_next(&all->all, hash, &at);
	while (s != NULL && !str_eq(jid_str(s->jid), bare));
	return s;
}

/* --- loading ---------------------------------------------------------------- */

/* All may be done by now. */
static void
on_sleeper_loaded(struct entity *e, void *arg)
{
	struct shard *sh = arg;
	struct sleepers *all = sh->sleepers;

	if (all == NULL)
		return;
	all->loading--;
	all->failed |= e == NULL;
	sleepers_soon(all, e != NULL ? 0 : AGAIN_US);
}

/* False: later. */
static bool
sleeper_load(struct sleepers *all, struct sleeper *s)
{
	struct entity *e = entity_get(all->shard, s->class, s->jid, s->hash);

	if (e == NULL)
		return false;
	sleeper_wait_no_more(all, s);
	all->loading++;
	entity_when_loaded(e, on_sleeper_loaded, all->shard);
	return true;
}

/* Those in no list that nobody loads, wherever that has failed. */
static void
sleepers_look_again(struct sleepers *all)
{
	struct table_walk walk = table_walk(&all->all);
	struct sleeper *s;

	all->failed = false;
	while ((s = table_step(&all->all, &walk)) != NULL) {
		if (!s->waits && entity_find_by_hash(all->shard,
					 jid_str(s->jid), s->hash) == NULL)
			sleeper_wait(all, s);
	}
}

/* A reload may have made it another one's, or nobody's: then nobody asks for what
 * was stored of it. */
static bool
is_served(const struct sleepers *all, const struct sleeper *s)
{
	return route(all->shard, s->jid).class == s->class;
}

static void
on_sleepers_due(struct timer *t)
{
	struct sleepers *all = CONTAINER_OF(t, struct sleepers, timer);
	struct shard *sh = all->shard;
	struct sleeper *s;

	if (all->rests)
		return;
	if (all->failed && all->loading == 0)
		sleepers_look_again(all);
	while (all->loading < LOADING_MAX &&
		(s = TAILQ_FIRST(&all->waiting)) != NULL) {
		if (!is_served(all, s)) {
			sleeper_done(sh, s);
			if (sh->sleepers == NULL)
				return;
		} else if (!sleeper_load(all, s)) {
			sleepers_soon(all, AGAIN_US);
			return;
		}
	}
}

void
sleepers_run(struct shard *sh)
{
	if (sh->sleepers != NULL)
		sleepers_soon(sh->sleepers, 0);
}

void
sleepers_rest(struct shard *sh)
{
	if (sh->sleepers != NULL)
		sh->sleepers->rests = true;
}

/* --- the end ---------------------------------------------------------------- */

static void
sleeper_free(struct sleepers *all, struct sleeper *s)
{
	sleeper_wait_no_more(all, s);
	table_remove(&all->all, s->hash, s);
	arena_free(s->arena);
	free(s);
}

void
sleepers_free(struct shard *sh)
{
	struct sleepers *all = sh->sleepers;
	struct table_walk walk;
	struct sleeper *s;

	if (all == NULL)
		return;
	walk = table_walk(&all->all);
	while ((s = table_step(&all->all, &walk)) != NULL)
		sleeper_free(all, s);
	table_done(&all->all);
	shard_timer_cancel(sh, &all->timer);
	sh->sleepers = NULL;
	free(all);
}

void
sleeper_done(struct shard *sh, struct sleeper *s)
{
	struct sleepers *all = sh->sleepers;
	void (*done)(struct shard *) = all->done;

	sleeper_free(all, s);
	if (all->all.n != 0)
		return;
	sleepers_free(sh);
	done(sh);
}
