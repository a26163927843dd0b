/*
 * lane.c - unfinished broadcasts, and what their senders have said since.
 *
 * Invariants: a lane is not empty but while it is being run, or was cut; who has one has
 * nothing in sh->local that came before what is in it.
 */
#include "config.h"

#include "core/lane.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/share.h"
#include "base/table.h"
#include "core/fanout.h"
#include "core/router_int.h"
#include "core/shard.h"

/* What is done in one turn, whoever's it is: about a thousandth of a second; but as
 * much as for others, who would hold it up for long where they are many, up to that. */
#define MEMBERS_A_TURN 2048
#define WRITES_A_TURN 128
#define WRITES_MAX 512

/* Two senders of one hash share it: order is kept all the same. */
struct lane {
	STAILQ_ENTRY(lane) link;
	uint64_t hash; /* server_hash() of the sender's bare address */
	struct stanza_queue queue;
};

struct lanes {
	struct table by_hash;
	STAILQ_HEAD(, lane) turns; /* the first is run next */
};

static uint64_t
sender_hash(const struct shard *sh, const struct stanza *st)
{
	return server_hash(sh->server, jid_bare_str(st->from));
}

void
lane_open(struct shard *sh, struct stanza *st)
{
	struct lane *l = xmalloc(sizeof(*l));

	if (sh->lanes == NULL) {
		sh->lanes = xcalloc(1, sizeof(*sh->lanes));
		STAILQ_INIT(&sh->lanes->turns);
	}
	l->hash = sender_hash(sh, st);
	STAILQ_INIT(&l->queue);
	STAILQ_INSERT_TAIL(&l->queue, st, link);
	table_add(&sh->lanes->by_hash, l->hash, l);
	STAILQ_INSERT_TAIL(&sh->lanes->turns, l, link);
}

bool
lane_takes(struct shard *sh, struct stanza *st)
{
	const struct table *t;
	struct lane *l;
	uint64_t hash;
	size_t at;

	t = &sh->lanes->by_hash;
	hash = sender_hash(sh, st);
	at = table_start(t, hash);
	l = table_next(t, hash, &at);
	if (l == NULL)
		return false;
	STAILQ_INSERT_TAIL(&l->queue, st, link);
	return true;
}

/* --- running ------------------------------------------------------------------- */

/* The first one goes: it is empty. */
static void
lane_close(struct shard *sh)
{
	struct lanes *all = sh->lanes;
	struct lane *l = STAILQ_FIRST(&all->turns);

	STAILQ_REMOVE_HEAD(&all->turns, link);
	table_remove(&all->by_hash, l->hash, l);
	free(l);
	if (STAILQ_EMPTY(&all->turns)) {
		table_done(&all->by_hash);
		free(all);
		sh->lanes = NULL;
	}
}

/* A single stanza counts as one member. */
static void
lane_step(struct shard *sh, struct lane *l, struct turn_left *left)
{
	struct stanza *st = STAILQ_FIRST(&l->queue);

	if (st->many != NULL) {
		fanout_run(sh, &l->queue, left);
		return;
	}
	STAILQ_REMOVE_HEAD(&l->queue, link);
	left->members--;
	router_step(sh, st, left);
}

void
lane_run(struct shard *sh, size_t others)
{
	struct share *outer = share_current();
	struct turn_left left = { MEMBERS_A_TURN,
		net_work(sh->net) +
			MIN(MAX(others, WRITES_A_TURN), WRITES_MAX) };
	struct lane *l;

	while (sh->lanes != NULL && !turn_is_full(sh, &left)) {
		l = STAILQ_FIRST(&sh->lanes->turns);
		while (!turn_is_full(sh, &left) && !STAILQ_EMPTY(&l->queue))
			lane_step(sh, l, &left);
		if (STAILQ_EMPTY(&l->queue)) {
			lane_close(sh);
		} else {
			STAILQ_REMOVE_HEAD(&sh->lanes->turns, link);
			STAILQ_INSERT_TAIL(&sh->lanes->turns, l, link);
		}
	}
	share_set(outer);
}

/* What is left behind them is run next. */
static void
lane_end(struct shard *sh, void (*end)(struct shard *sh, struct stanza *st))
{
	struct stanza_queue queue;
	struct stanza *st;
	struct lane *l;

	if (sh->lanes == NULL)
		return;
	STAILQ_FOREACH(l, &sh->lanes->turns, link) {
		STAILQ_INIT(&queue);
		STAILQ_CONCAT(&queue, &l->queue);
		while ((st = STAILQ_FIRST(&queue)) != NULL) {
			STAILQ_REMOVE_HEAD(&queue, link);
			if (st->many != NULL)
				end(sh, st);
			else
				STAILQ_INSERT_TAIL(&l->queue, st, link);
		}
	}
}

void
lane_cut(struct shard *sh)
{
	lane_end(sh, fanout_drop);
}

void
lane_return(struct shard *sh)
{
	lane_end(sh, fanout_return);
}

void
lane_drop_all(struct shard *sh)
{
	struct stanza *st;
	struct lane *l;

	while (sh->lanes != NULL) {
		l = STAILQ_FIRST(&sh->lanes->turns);
		while ((st = STAILQ_FIRST(&l->queue)) != NULL) {
			STAILQ_REMOVE_HEAD(&l->queue, link);
			fanout_drop(sh, st);
		}
		lane_close(sh);
	}
}
