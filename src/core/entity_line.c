/*
 * entity_line.c - the line of an entity: its turns, one after the other.
 *
 * Owner shard.  Invariant: a turn is in the queue until it was run, and is freed when
 * its commit has been answered, too; commits of one chain are answered in order, and
 * when one has failed all behind it do.
 */
#include "config.h"

#include "core/entity_line.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/receipt.h"
#include "core/route.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"

/* Of what is being stored; it outlives the line. */
struct turn_chain {
	struct store_chain chain;
	unsigned commits; /* that have not been answered */
	bool ended;       /* one has failed, or there is no line any more */
};

struct turn {
	STAILQ_ENTRY(turn) link;
	uint32_t tag;
	struct entity_line *line; /* NULL: it was run, or its line is gone */
	struct turn_chain *chain; /* NULL: nothing is stored */
	struct stanza *st;
	entity_turn_fn fn;
	size_t bytes;
	bool ready;
	bool committing;
	struct err err; /* code ERR_NONE: it worked */
};

struct entity_line {
	struct entity *e;
	STAILQ_HEAD(turns, turn) turns;
	struct turn_end end;      /* some may be ready */
	struct turn_chain *chain; /* of what is stored next; NULL: nothing is */
	size_t bytes;
	bool running;
};

/* --- chains ----------------------------------------------------------------- */

static struct turn_chain *
line_chain(struct entity_line *l)
{
	if (l->chain == NULL)
		l->chain = xcalloc(1, sizeof(*l->chain));
	return l->chain;
}

/* Nobody has it any more. */
static void
chain_check(struct turn_chain *c)
{
	if (c->ended && c->commits == 0)
		free(c);
}

/* What is stored from now on does not rest on what was before. */
static void
line_end_chain(struct entity_line *l)
{
	struct turn_chain *c = l->chain;

	l->chain = NULL;
	if (c == NULL)
		return;
	c->ended = true;
	chain_check(c);
}

/* --- turns ------------------------------------------------------------------ */

/* It is in no queue. */
static void
turn_check(struct turn *t)
{
	if (t->line != NULL || t->committing)
		return;
	TAG_CLEAR(t);
	memuse_remove_part(MEMUSE_QUEUE, t);
	free(t);
}

static struct turn *
line_take_first(struct entity_line *l)
{
	struct turn *t = STAILQ_FIRST(&l->turns);

	STAILQ_REMOVE_HEAD(&l->turns, link);
	l->bytes -= t->bytes;
	gauge_remove(&l->e->shard->stats.line_bytes, t->bytes);
	t->line = NULL;
	return t;
}

static void
turn_run(struct entity_line *l)
{
	struct turn *t = line_take_first(l);

	t->fn(l->e, t->st, t->err.code == ERR_NONE ? NULL : &t->err);
	turn_check(t);
}

static void
line_run(struct entity_line *l)
{
	struct entity *e = l->e;

	if (l->running)
		return;
	l->running = true;
	e->calls++;
	while (!STAILQ_EMPTY(&l->turns) && STAILQ_FIRST(&l->turns)->ready)
		turn_run(l);
	e->calls--;
	l->running = false;
	entity_check_idle(e);
}

static void
on_line_end(struct turn_end *end)
{
	line_run(CONTAINER_OF(end, struct entity_line, end));
}

/* t has failed, and what was asked for behind it will. */
static void
line_fail_from(struct entity_line *l, struct turn *t, const struct err *err)
{
	struct turn_chain *c = t->chain;

	for (; t != NULL; t = STAILQ_NEXT(t, link)) {
		if (t->chain != c)
			continue;
		t->err = *err;
		t->ready = true;
	}
	if (l->chain == c)
		line_end_chain(l);
}

static void
on_committed(void *arg, bool ok, const struct err *err)
{
	struct turn *t = arg;
	struct entity_line *l;
	struct turn_chain *c;

	TAG_CHECK(t, "turn");
	c = t->chain;
	l = t->line;
	t->committing = false;
	t->ready = true;
	if (l == NULL)
		turn_check(t);
	else if (!ok)
		line_fail_from(l, t, err);
	c->commits--;
	chain_check(c);
	if (l != NULL)
		line_run(l);
}

/* --- the line --------------------------------------------------------------- */

struct entity_line *
entity_line_new(struct entity *e)
{
	struct entity_line *l = xcalloc(1, sizeof(*l));

	ASSERT_OWNER(e);
	l->e = e;
	l->end.fn = on_line_end;
	STAILQ_INIT(&l->turns);
	return l;
}

void
entity_line_free(struct entity_line *l)
{
	struct turn *t;

	if (l == NULL)
		return;
	while (!STAILQ_EMPTY(&l->turns)) {
		t = line_take_first(l);
		router_bounce(l->e->shard, t->st, COND_ITEM_NOT_FOUND,
			"This address is no longer served here");
		turn_check(t);
	}
	line_end_chain(l);
	shard_not_at_end(&l->end);
	free(l);
}

bool
entity_line_is_empty(const struct entity_line *l)
{
	return STAILQ_EMPTY(&l->turns);
}

bool
entity_line_takes(struct entity_line *l, struct stanza *st, bool stores)
{
	struct shard *sh = l->e->shard;

	if (stores && shard_refuses_writes(sh)) {
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			SHARD_REFUSES_TEXT);
		return false;
	}
	/* one alone may be larger */
	if (l->bytes == 0 ||
		l->bytes + stanza_bytes(st) <= entity_line_most(sh, st))
		return true;
	sh->stats.refused++;
	router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
		"Too much is waiting to be stored");
	return false;
}

static void
turn_commit(struct turn *t, struct store_tx *tx)
{
	t->chain = line_chain(t->line);
	t->chain->commits++;
	t->committing = true;
	/* memory shows it already, and the line bounds how much there is */
	store_tx_insist(tx);
	store_tx_chain(tx, &t->chain->chain);
	shard_commit(t->line->e->shard, tx, on_committed, t);
}

void
entity_turn(struct entity_line *l, struct stanza *st, struct store_tx *tx,
	entity_turn_fn fn)
{
	struct turn *t = xcalloc(1, sizeof(*t));

	ASSERT_OWNER(l->e);
	TAG_SET(t, "turn");
	memuse_add_part(MEMUSE_QUEUE, t);
	t->line = l;
	t->st = st;
	t->fn = fn;
	t->bytes = stanza_bytes(st) + (tx != NULL ? store_tx_bytes(tx) : 0);
	l->bytes += t->bytes;
	gauge_add(&l->e->shard->stats.line_bytes, t->bytes);
	STAILQ_INSERT_TAIL(&l->turns, t, link);
	entity_in_use(l->e);
	if (tx != NULL) {
		turn_commit(t, tx);
	} else {
		t->ready = true;
		shard_at_end(l->e->shard, &l->end);
	}
}

void
entity_turn_refuse(struct entity *e, struct stanza *st, const struct err *err)
{
	bool full = err->code == ERR_DISK;

	e->shard->stats.refused++;
	router_bounce(e->shard, st, full ? COND_RESOURCE_CONSTRAINT :
					   stanza_cond_of(err->code),
		full ? SHARD_REFUSES_TEXT : "This could not be stored");
}

/* --- who is slowed ------------------------------------------------------------ */

size_t
entity_line_most(const struct shard *sh, const struct stanza *st)
{
	const struct config_limits *l = &sh->snap->config->limits;

	return st->bounded ? l->mailbox_bytes : l->inbox_bytes;
}

bool
entity_line_is_for(const struct shard *sh, const struct stanza *st)
{
	const struct entity_class *class;

	if (st->type != MESSAGE_GROUPCHAT || !jid_is_set(st->to))
		return false;
	class = route_class(sh->snap, st->to);
	return class != NULL && class->has_line;
}

void
entity_line_weigh(struct receipt_line *line, struct stanza *st)
{
	if (st->receipt == NULL) {
		receipt_line_next(line);
		receipt_give(line, st);
	}
	receipt_weigh(line, st);
	st->bounded = true;
}

static size_t
part_of(const struct receipt_line *line, unsigned part)
{
	return line->home->snap->config->limits.inbox_bytes / part;
}

bool
entity_line_is_heavy(const struct receipt_line *line, unsigned part)
{
	return line->bytes >= part_of(line, part);
}

bool
entity_line_is_light(const struct receipt_line *line, unsigned part)
{
	return line->bytes <= part_of(line, part) / 2;
}
