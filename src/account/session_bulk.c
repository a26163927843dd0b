/*
 * session_bulk.c - blocks of in-band bytestreams that wait, each behind those of
 * its sender, until few enough are on their way to the client.
 *
 * Owner shard of the account.  Invariant: a lane begins with a block, and no lane is
 * empty; there are lanes while there is a struct session_bulk.
 */
#include "config.h"

#include "account/session_bulk.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/table.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/router.h"
#include "core/shard.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_flow.h"
#include "account/session_out.h"

/* How often the kernel is asked: at most, and at least. */
#define LOOK_MIN_US (1 * US_PER_MS)
#define LOOK_MAX_US (100 * US_PER_MS)
/* Who takes nothing for so long gets no blocks that wait. */
#define STUCK_US (60 * US_PER_S)
/* Nobody is slowed for less than this part of write_queue_bytes in his lane, as in
 * session_flow.c. */
#define FREE_PART 16

STAILQ_HEAD(bulk_items, out_item);

/* Of one full address, or of two whose hashes are the same. */
struct bulk_lane {
	STAILQ_ENTRY(bulk_lane) link;
	uint64_t hash;
	size_t bytes;
	struct bulk_items items;
};

struct session_bulk {
	struct session *session;
	struct table by_hash;
	STAILQ_HEAD(, bulk_lane) turns; /* the first is next */
	size_t block_bytes, other_bytes;
	uint32_t n;
	uint32_t queued;    /* blocks that the queue has yet to write */
	uint64_t until;     /* session_taken() when the last that was written is
			     * taken */
	struct timer look;
	int64_t look_us;    /* how long until the next */
	uint64_t looked;    /* session_taken() at the last */
	int64_t moved_us;   /* when it was more than before */
	int64_t since_us;   /* the first lane */
	uint64_t since_took;
};

static void on_look(struct timer *t);

bool
session_bulk_look(const struct stanza *st)
{
	elem_each_child(st->root, e) {
		/* other names are told apart by their length, for nothing */
		if (e->ns.n == sizeof(NS_IBB) - 1 && elem_is(e, NS_IBB, "data"))
			return true;
	}
	return false;
}

static struct session_bulk *
bulk_of(const struct session *s)
{
	return s->out != NULL ? s->out->bulk : NULL;
}

static const struct config_limits *
limits_of(const struct session *s)
{
	return &session_shard(s)->snap->config->limits;
}

/* --- what is on its way --------------------------------------------------------- */

/* Of all kinds. */
static size_t
bytes_on_their_way(const struct session *s)
{
	return s->out->waiting_bytes + session_untaken(s);
}

/* Blocks that the queue holds, and has yet to write. */
static uint32_t
blocks_queued(const struct session_out *o)
{
	uint32_t n = 0;

	for (const struct out_item *item = o->next; item != NULL;
		item = STAILQ_NEXT(item, link))
		n += item->block;
	return n;
}

static bool
block_fits(const struct session *s, const struct out_item *item)
{
	const struct session_bulk *b = s->out->bulk;
	size_t before;

	if (s->state != SESSION_ATTACHED)
		return false;
	before = bytes_on_their_way(s);
	return before == 0 ||
		before + item->wire->n <= limits_of(s)->bytestream_bytes ||
		(b != NULL && b->queued == 0 && session_taken(s) >= b->until);
}

void
session_bulk_written(struct session *s)
{
	struct session_bulk *b = bulk_of(s);

	if (b == NULL)
		return;
	b->queued--;
	b->until = session_taken(s) + session_untaken(s);
}

/* --- lanes ------------------------------------------------------------------------ */

static struct session_bulk *
bulk_get(struct session *s)
{
	struct session_out *o = s->out;
	struct session_bulk *b = o->bulk;

	if (b != NULL)
		return b;
	b = xcalloc(1, sizeof(*b));
	memuse_add_part(MEMUSE_SESSION, b);
	b->session = s;
	STAILQ_INIT(&b->turns);
	b->queued = blocks_queued(o);
	b->until = session_taken(s) + session_untaken(s);
	b->looked = b->since_took = session_taken(s);
	b->since_us = b->moved_us = session_shard(s)->now_us;
	b->look_us = LOOK_MIN_US;
	o->bulk = b;
	if (s->state == SESSION_ATTACHED)
		shard_timer(session_shard(s), &b->look, b->look_us, on_look);
	return b;
}

static void
bulk_free(struct session *s)
{
	struct session_bulk *b = s->out->bulk;

	shard_timer_cancel(session_shard(s), &b->look);
	s->out->bulk = NULL;
	table_done(&b->by_hash);
	memuse_remove_part(MEMUSE_SESSION, b);
	free(b);
}

static uint64_t
sender_hash(const struct session *s, const struct stanza *st)
{
	return jid_is_set(st->from) ?
		server_hash(session_shard(s)->server, jid_str(st->from)) :
		0;
}

static struct bulk_lane *
lane_find(const struct session_bulk *b, uint64_t hash)
{
	size_t at = table_start(&b->by_hash, hash);

	return table_next(&b->by_hash, hash, &at);
}

static struct bulk_lane *
lane_get(struct session_bulk *b, uint64_t hash)
{
	struct bulk_lane *l = lane_find(b, hash);

	if (l != NULL)
		return l;
	l = xmalloc(sizeof(*l));
	memuse_add_part(MEMUSE_SESSION, l);
	l->hash = hash;
	l->bytes = 0;
	STAILQ_INIT(&l->items);
	table_add(&b->by_hash, hash, l);
	STAILQ_INSERT_TAIL(&b->turns, l, link);
	return l;
}

/* The first: it is empty. */
static void
lane_close(struct session_bulk *b)
{
	struct bulk_lane *l = STAILQ_FIRST(&b->turns);

	STAILQ_REMOVE_HEAD(&b->turns, link);
	table_remove(&b->by_hash, l->hash, l);
	memuse_remove_part(MEMUSE_SESSION, l);
	free(l);
}

/* item comes (1), or goes (-1). */
static void
bulk_count(struct session_bulk *b, const struct out_item *item, int sign)
{
	struct account *acc = b->session->account;
	struct shard *sh = session_shard(b->session);
	size_t bytes = out_item_bytes(item);
	size_t *sum = item->block ? &b->block_bytes : &b->other_bytes;

	*sum = sign > 0 ? *sum + bytes : *sum - bytes;
	if (sign > 0)
		gauge_add(&sh->stats.bytestream_bytes, bytes);
	else
		gauge_remove(&sh->stats.bytestream_bytes, bytes);
	b->n += (uint32_t)sign;
	share_count(budget_share(sh->server, acc->e.hash),
		sign * (int64_t)(sizeof(*item) + item->n_to));
}

static struct out_item *
lane_pop(struct session_bulk *b, struct bulk_lane *l)
{
	struct out_item *item = STAILQ_FIRST(&l->items);

	STAILQ_REMOVE_HEAD(&l->items, link);
	l->bytes -= out_item_bytes(item);
	bulk_count(b, item, -1);
	return item;
}

/* --- what comes -------------------------------------------------------------------- */

bool
session_bulk_refuses(struct session *s, const struct stanza *st)
{
	struct session_bulk *b = bulk_of(s);
	struct stanza *error;

	if (b == NULL || b->block_bytes <= limits_of(s)->write_queue_bytes ||
		!session_bulk_is(st))
		return false;
	error = stanza_error(st, COND_RESOURCE_CONSTRAINT,
		STR("Too much of bytestreams waits for this client"));
	if (error != NULL)
		router_send(session_shard(s), error);
	session_shard(s)->stats.refused++;
	return true;
}

/* As if each sender had his part of what the client takes. */
static void
bulk_slow(struct session_bulk *b, const struct bulk_lane *l,
	const struct stanza *st, size_t bytes)
{
	struct session *s = b->session;
	size_t least = limits_of(s)->write_queue_bytes / FREE_PART;
	struct flow_pace pace = {
		.behind_us = session_shard(s)->now_us - b->since_us,
		.took = session_taken(s) - b->since_took,
		.fill = (double)l->bytes / (double)least * (double)b->by_hash.n,
	};

	if (s->state == SESSION_ATTACHED && l->bytes > least)
		session_flow_slow(s, st, &pace, bytes);
}

bool
session_bulk_takes(struct session *s, const struct stanza *st,
	struct out_item *item)
{
	struct session_bulk *b = s->out->bulk;
	struct bulk_lane *l;
	uint64_t hash = 0;

	if (b == NULL && !item->block)
		return false;
	/* what is kept elsewhere is from before, is no block, and is found in the
	 * queue alone */
	if (item->kept == 0)
		hash = sender_hash(s, st);
	if ((b == NULL || hash == 0 || lane_find(b, hash) == NULL) &&
		(!item->block || block_fits(s, item))) {
		if (b != NULL && item->block)
			b->queued++;
		return false;
	}
	b = bulk_get(s);
	l = lane_get(b, hash);
	STAILQ_INSERT_TAIL(&l->items, item, link);
	l->bytes += out_item_bytes(item);
	wire_count(item->wire, budget_share(session_shard(s)->server,
		s->account->e.hash));
	bulk_count(b, item, 1);
	bulk_slow(b, l, st, item->wire->n);
	return true;
}

/* --- what goes --------------------------------------------------------------------- */

static void
item_to_queue(struct session_bulk *b, struct out_item *item)
{
	struct session *s = b->session;

	b->queued += item->block;
	out_append(s->out, s->account, item);
	session_flow_moved(s, item);
}

/* A block of the first lane, and what stands between it and the next; then it is
 * the turn of another lane. */
static void
lane_step(struct session_bulk *b)
{
	struct bulk_lane *l = STAILQ_FIRST(&b->turns);
	const struct out_item *next;

	do {
		item_to_queue(b, lane_pop(b, l));
		next = STAILQ_FIRST(&l->items);
	} while (next != NULL && !next->block);
	if (next == NULL) {
		lane_close(b);
	} else {
		STAILQ_REMOVE_HEAD(&b->turns, link);
		STAILQ_INSERT_TAIL(&b->turns, l, link);
	}
}

void
session_bulk_run(struct session *s)
{
	struct session_bulk *b = bulk_of(s);
	struct bulk_lane *l;

	if (b == NULL)
		return;
	while ((l = STAILQ_FIRST(&b->turns)) != NULL &&
		block_fits(s, STAILQ_FIRST(&l->items)))
		lane_step(b);
	if (l == NULL)
		bulk_free(s);
	else if (s->state == SESSION_ATTACHED && !timer_is_set(&b->look))
		shard_timer(session_shard(s), &b->look, b->look_us, on_look);
}

/* All that waits: blocks too, or they are refused. */
static void
bulk_end(struct session *s, bool refuse)
{
	struct session_bulk *b = bulk_of(s);
	struct out_item *item;
	struct bulk_lane *l;

	while ((l = STAILQ_FIRST(&b->turns)) != NULL) {
		while (!STAILQ_EMPTY(&l->items)) {
			item = lane_pop(b, l);
			if (!refuse || !item->block) {
				item_to_queue(b, item);
				continue;
			}
			router_bounce(session_shard(s),
				out_item_stanza(item, s->account),
				COND_RECIPIENT_UNAVAILABLE,
				"This client takes nothing");
			out_item_free(item);
		}
		lane_close(b);
	}
	bulk_free(s);
}

void
session_bulk_flush(struct session *s)
{
	if (bulk_of(s) != NULL)
		bulk_end(s, false);
}

/* --- in time ----------------------------------------------------------------------- */

/* Does the client take nothing at all? */
static bool
bulk_is_stuck(struct session_bulk *b)
{
	int64_t now_us = session_shard(b->session)->now_us;
	uint64_t taken = session_taken(b->session);

	if (taken > b->looked) {
		b->look_us = MAX(b->look_us / 2, LOOK_MIN_US);
		b->moved_us = now_us;
	} else {
		b->look_us = MIN(b->look_us * 2, LOOK_MAX_US);
	}
	b->looked = taken;
	return now_us - b->moved_us >= STUCK_US;
}

static void
on_look(struct timer *t)
{
	struct session_bulk *b = CONTAINER_OF(t, struct session_bulk, look);
	struct session *s = b->session;

	if (bulk_is_stuck(b))
		bulk_end(s, true);
	else
		session_bulk_run(s);
	session_out_run(s, session_late_us(s));
	session_out_settle(s);
}

void
session_bulk_stop(struct session *s)
{
	struct session_bulk *b = bulk_of(s);

	if (b != NULL)
		shard_timer_cancel(session_shard(s), &b->look);
}

/* Another stream counts anew. */
void
session_bulk_rewound(struct session *s)
{
	struct session_bulk *b = bulk_of(s);

	if (b == NULL)
		return;
	b->queued = blocks_queued(s->out);
	b->until = b->looked = b->since_took = 0;
	b->since_us = b->moved_us = session_shard(s)->now_us;
	b->look_us = LOOK_MIN_US;
}

/* --- asking ------------------------------------------------------------------------ */

size_t
session_bulk_bytes(const struct session *s, uint32_t *n_out)
{
	const struct session_bulk *b = bulk_of(s);

	*n_out = b != NULL ? b->n : 0;
	return b != NULL ? b->block_bytes + b->other_bytes : 0;
}

void
session_bulk_items(const struct session *s, struct out_item **out)
{
	const struct session_bulk *b = bulk_of(s);
	struct bulk_lane *l;
	struct out_item *item;

	if (b == NULL)
		return;
	STAILQ_FOREACH (l, &b->turns, link)
		STAILQ_FOREACH (item, &l->items, link)
			*out++ = item;
}

size_t
session_bulk_other_bytes(const struct session *s)
{
	const struct session_bulk *b = bulk_of(s);

	return b != NULL ? b->other_bytes : 0;
}
