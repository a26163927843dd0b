/*
 * link.c - a stream to somebody who is no client: what is written to it, and what
 * waits.
 *
 * Owner shard.  Invariant: something waits only while the link stops, or while
 * link_go_on() runs.
 */
#include "config.h"

#include "core/link.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/link_kept.h"
#include "core/wire.h"

/* Progress is measured over that long. */
#define WINDOW_US (60 * US_PER_S)
/* Nobody is slowed for less than this part of write_queue_bytes. */
#define FREE_PART 16
/* So long a sender rests for each such part that waits, and at most. */
#define REST_US (20 * US_PER_MS)
#define REST_MAX_US US_PER_S

static const struct config_limits *
limits_of(const struct link *l)
{
	return &l->entity->shard->snap->config->limits;
}

struct link *
link_new(struct entity *e, const struct link_stream *ops, void *stream)
{
	struct link *l = xcalloc(1, sizeof(*l));

	ASSERT_OWNER(e);
	l->entity = e;
	l->ops = ops;
	l->stream = stream;
	l->id = ++e->shard->links;
	l->since_us = shard_wall_us(e->shard);
	l->full = true;
	STAILQ_INIT(&l->waiting);
	return l;
}

/* --- what waits ------------------------------------------------------------ */

static void
waiting_add(struct link *l, struct stanza *st)
{
	size_t bytes = stanza_bytes(st);

	STAILQ_INSERT_TAIL(&l->waiting, st, link);
	l->n_waiting++;
	l->bytes += bytes;
	gauge_add(&l->entity->shard->stats.link_bytes, bytes);
}

static struct stanza *
waiting_take(struct link *l)
{
	struct stanza *st = STAILQ_FIRST(&l->waiting);
	size_t bytes = stanza_bytes(st);

	STAILQ_REMOVE_HEAD(&l->waiting, link);
	l->n_waiting--;
	l->bytes -= bytes;
	gauge_remove(&l->entity->shard->stats.link_bytes, bytes);
	return st;
}

void
link_cut(struct link *l, const char *why)
{
	if (l->gone)
		return;
	l->gone = l->full = true;
	l->entity->shard->stats.refused++;
	l->ops->cut(l->stream, why, l->bytes);
}

static void
on_window_end(struct timer *t)
{
	struct link *l = CONTAINER_OF(t, struct link, window);
	const struct config_limits *limits = limits_of(l);
	uint64_t taken = l->ops->taken(l->stream);

	if (l->bytes <= limits->write_queue_bytes)
		return;
	if (taken - l->window_took < limits->write_bytes_per_second *
			(WINDOW_US / US_PER_S)) {
		link_cut(l, "takes too little of what it is sent");
		return;
	}
	l->window_took = taken;
	shard_timer(l->entity->shard, t, WINDOW_US, on_window_end);
}

static void
link_watch(struct link *l)
{
	if (l->gone || timer_is_set(&l->window) ||
		l->bytes <= limits_of(l)->write_queue_bytes)
		return;
	l->window_took = l->ops->taken(l->stream);
	shard_timer(l->entity->shard, &l->window, WINDOW_US, on_window_end);
}

/* For a time that is computed, so that nobody waits for one who waits for him.  A
 * component rests as a whole, whatever address of its it was. */
static void
link_slow(const struct link *l, struct jid from)
{
	size_t part = limits_of(l)->write_queue_bytes / FREE_PART;
	int64_t rest_us = REST_US * (int64_t)(l->bytes / part);
	const struct host *host;

	if (rest_us == 0 || !jid_is_set(from))
		return;
	host = shard_host(l->entity->shard, jid_domain(from));
	if (host == NULL || (jid_is_bare(from) && host->component == NULL))
		return;
	if (host->component != NULL)
		from = jid_trusted(host->domain);
	entity_tell(l->entity->shard,
		&(struct entity_message){
			.kind = TELL_REST,
			.to = from,
			.resource = jid_resource(from),
			.number = { MIN(rest_us, REST_MAX_US), REST_MAX_US },
		});
}

/* --- sending --------------------------------------------------------------- */

static bool
link_stops(const struct link *l)
{
	return l->full || (l->kept != NULL && kept_is_full(l->kept));
}

static void
link_write(struct link *l, struct stanza *st)
{
	bool wrote;

	l->sent++;
	wrote = l->ops->write(l->stream, st);
	if (wrote && l->kept != NULL)
		kept_add(l->kept, st);
	else
		stanza_free(st);
}

/* One that is larger than all that may wait has to arrive, too. */
void
link_send(struct link *l, struct stanza *st)
{
	/* a reload may have made room for what waits */
	if (!STAILQ_EMPTY(&l->waiting))
		link_go_on(l);
	if (!link_stops(l)) {
		link_write(l, st);
		return;
	}
	if (l->bytes > l->given + limits_of(l)->write_queue_max_bytes)
		link_cut(l, "does not read what it is sent");
	else
		link_slow(l, st->from);
	waiting_add(l, st);
	link_watch(l);
}

bool
link_send_shared(struct link *l, const struct stanza *st, struct str to,
	struct wire **wire_io)
{
	if (link_stops(l) || !STAILQ_EMPTY(&l->waiting) ||
		l->ops->write_wire == NULL)
		return false;
	/* a message that is kept is found by link_each(): it may have to outlast us */
	if (l->kept != NULL && st->kind != STANZA_PRESENCE)
		return false;
	if (*wire_io == NULL)
		*wire_io = wire_new(st);
	if (!l->ops->write_wire(l->stream, *wire_io, to))
		return false;
	l->sent++;
	if (l->kept != NULL)
		kept_add_shared(l->kept, st, *wire_io, to);
	return true;
}

void
link_give(struct link *l, struct stanza *st)
{
	if (!link_stops(l)) {
		link_write(l, st);
		return;
	}
	l->given += stanza_bytes(st);
	waiting_add(l, st);
	link_watch(l);
}

void
link_give_first(struct link *l, struct stanza_queue *queue)
{
	struct stanza_queue later = STAILQ_HEAD_INITIALIZER(later);
	struct stanza *st;

	STAILQ_CONCAT(&later, &l->waiting);
	while ((st = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, link);
		l->given += stanza_bytes(st);
		waiting_add(l, st);
	}
	STAILQ_CONCAT(&l->waiting, &later);
	link_watch(l);
}

void
link_full(struct link *l)
{
	l->full = true;
}

void
link_go_on(struct link *l)
{
	if (l->gone) {
		link_end_look(l);
		return;
	}
	while (!link_stops(l) && !STAILQ_EMPTY(&l->waiting))
		link_write(l, waiting_take(l));
	/* they are the first to be written */
	l->given = MIN(l->given, l->bytes);
}

void
link_drained(struct link *l)
{
	l->full = l->gone;
	link_go_on(l);
}

bool
link_each(struct link *l, stanza_fn fn, void *arg)
{
	struct stanza *st;

	if (l->kept != NULL && !link_kept_each(l->kept, fn, arg))
		return false;
	STAILQ_FOREACH (st, &l->waiting, link)
		if (!fn(arg, st))
			return false;
	return true;
}

size_t
link_unacked(const struct link *l, size_t *bytes_out)
{
	*bytes_out = l->kept != NULL ? l->kept->bytes : 0;
	return l->kept != NULL ? l->kept->n : 0;
}

void
link_take_back(struct link *l, struct stanza_queue *back)
{
	while (!STAILQ_EMPTY(&l->waiting)) {
		struct stanza *st = waiting_take(l);

		STAILQ_INSERT_TAIL(back, st, link);
	}
	l->given = 0;
}

struct link_kept *
link_leave(struct link *l, struct stanza_queue *back)
{
	struct link_kept *k = l->kept;

	shard_timer_cancel(l->entity->shard, &l->window);
	link_end_free(l);
	link_take_back(l, back);
	if (k != NULL)
		kept_detach(k);
	free(l);
	return k;
}
