/*
 * session_flow.c - a session whose client takes less than it is sent.
 *
 * Owner shard of the account.  Invariant: it is there while s->full, or while
 * the session rests, and only while there is a stream.
 */
#include "config.h"

#include "account/session_flow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/timer.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/shard.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_out.h"

/* Progress is measured over that long. */
#define WINDOW_US (60 * US_PER_S)
/* How long a sender rests at least, and at most at a time. */
#define REST_MIN_US (20 * US_PER_MS)
#define REST_MAX_US (10 * US_PER_S)
#define LATE_US (30 * US_PER_S)
/* Nobody is slowed for less than this part of the bound, which waits from his
 * account; each has a bucket, found by its hash, which he may have to share. */
#define FREE_PART 16
#define SENDERS 64

struct session_flow {
	struct session *session;
	size_t of_sender[SENDERS]; /* bytes that wait */
	struct timer window;  /* set while more than the bound waits */
	uint64_t window_took; /* flow_taken() at its beginning */
	uint64_t above_took;  /* at the beginning of the first window */
	int64_t above_us;
	uint64_t seen_took;   /* when session_takes_anything() was asked */
	struct timer rest;    /* set while the session rests */
	bool rests_as_sender; /* for another reader, and not only by its asking */
	bool gone;
};

static struct session_flow *
flow_get(struct session *s)
{
	struct session_out *o = session_out_get(s);

	if (o->flow != NULL)
		return o->flow;
	o->flow = xcalloc(1, sizeof(*o->flow));
	memuse_add_part(MEMUSE_SESSION, o->flow);
	o->flow->session = s;
	for (const struct out_item *item = o->next; item != NULL;
		item = STAILQ_NEXT(item, link))
		o->flow->of_sender[item->sender] += out_item_bytes(item);
	return o->flow;
}

static struct session_flow *
flow_of(const struct session *s)
{
	return s->out != NULL ? s->out->flow : NULL;
}

void
session_flow_free(struct session *s)
{
	struct session_flow *f = flow_of(s);

	if (f == NULL)
		return;
	shard_timer_cancel(session_shard(s), &f->window);
	shard_timer_cancel(session_shard(s), &f->rest);
	s->out->flow = NULL;
	memuse_remove_part(MEMUSE_SESSION, f);
	free(f);
}

static const struct config_limits *
limits_of(const struct session *s)
{
	return &session_shard(s)->snap->config->limits;
}

static const struct config_limits *
flow_limits(const struct session_flow *f)
{
	return limits_of(f->session);
}

/* Nothing of it is in use any more. */
static void
flow_settle(struct session *s)
{
	struct session_flow *f = flow_of(s);

	if (s->full)
		return;
	if (f != NULL && !timer_is_set(&f->rest))
		session_flow_free(s);
	session_out_settle(s);
}

/* --- progress ------------------------------------------------------------------- */

static uint64_t
flow_taken(const struct session_flow *f)
{
	return session_taken(f->session);
}

/* Found out in the middle of something: its stream ends at the end of the turn,
 * and what comes until then waits behind the rest. */
static void
flow_cut(struct session_flow *f, const char *why)
{
	struct session *s = f->session;

	if (f->gone)
		return;
	f->gone = true;
	session_shard(s)->stats.refused++;
	s->ops->cut(s->stream, why);
}

static void
on_window_end(struct timer *t)
{
	struct session_flow *f = CONTAINER_OF(t, struct session_flow, window);
	const struct config_limits *l = flow_limits(f);
	uint64_t taken = flow_taken(f);

	if (session_queued(f->session) <= l->write_queue_bytes)
		return;
	if (taken - f->window_took <
		l->write_bytes_per_second * (WINDOW_US / US_PER_S)) {
		flow_cut(f, "takes too little of what it is sent");
		return;
	}
	f->window_took = taken;
	shard_timer(session_shard(f->session), &f->window, WINDOW_US, on_window_end);
}

/* True while more than the bound waits. */
static bool
flow_is_above(struct session_flow *f)
{
	if (session_queued(f->session) <= flow_limits(f)->write_queue_bytes)
		return false;
	if (timer_is_set(&f->window) || f->gone)
		return true;
	f->window_took = f->above_took = flow_taken(f);
	f->above_us = session_shard(f->session)->now_us;
	shard_timer(session_shard(f->session), &f->window, WINDOW_US, on_window_end);
	return true;
}

/* --- slowing those who send ------------------------------------------------------- */

static void
on_rested(struct timer *t)
{
	struct session_flow *f = CONTAINER_OF(t, struct session_flow, rest);
	struct session *s = f->session;

	f->rests_as_sender = false;
	session_go_on(s, SESSION_REST_READER);
	flow_settle(s);
}

/* Rests add up, so that the mean is right whatever is read at once; and who asks
 * for a short one does not end a long one of somebody else.  max_us of 0 does. */
static void
session_slow(struct session *s, int64_t rest_us, int64_t max_us)
{
	struct shard *sh = session_shard(s);
	struct session_flow *f = flow_get(s);
	int64_t left_us = timer_is_set(&f->rest) && max_us != 0 ?
		f->rest.at_us - sh->now_us :
		0;

	rest_us = MAX(left_us, MIN(left_us + rest_us, max_us));
	shard_timer(sh, &f->rest, rest_us, on_rested);
	session_rest(s, SESSION_REST_READER);
}

void
session_flow_told(struct account *acc, struct entity_message *m)
{
	struct session *s = session_find(acc, m->resource);

	/* who sleeps sends nothing, and takes nothing that could be measured */
	if (s != NULL && s->state == SESSION_ATTACHED) {
		session_slow(s, m->number[0], m->number[1]);
		flow_of(s)->rests_as_sender = true;
	}
	entity_answer(m, NULL);
}

/*
 * As long as the client takes for so many bytes, at its pace until now: then a
 * sender sends no faster than the client reads.  Longer as more waits, since
 * there may be several senders; and never longer than it has been behind.
 */
static int64_t
pace_rest_us(const struct session *to, const struct flow_pace *p, size_t bytes,
	int64_t *max_us_out)
{
	double s = (double)MAX(p->behind_us, US_PER_MS) / US_PER_S;
	double rate = MAX((double)p->took / s,
		(double)limits_of(to)->write_bytes_per_second);

	*max_us_out = MIN(MAX(p->behind_us, REST_MIN_US), REST_MAX_US);
	return MAX((int64_t)MIN((double)bytes / rate * p->fill * US_PER_S,
			   (double)REST_MAX_US),
		REST_MIN_US);
}

static struct flow_pace
flow_pace(const struct session_flow *f)
{
	return (struct flow_pace){
		.behind_us = session_shard(f->session)->now_us - f->above_us,
		.took = flow_taken(f) - f->above_took,
		.fill = (double)session_queued(f->session) /
			(double)flow_limits(f)->write_queue_bytes,
	};
}

static void
flow_slow_from(const struct session *to, struct jid from, int64_t rest_us,
	int64_t max_us)
{
	struct shard *sh = session_shard(to);

	if (!jid_is_set(from) || jid_is_bare(from) ||
		shard_host(sh, jid_domain(from)) == NULL)
		return;
	entity_tell(sh,
		&(struct entity_message){
			.kind = TELL_REST,
			.to = from,
			.resource = jid_resource(from),
			.number = { rest_us, max_us },
		});
}

/* Of a copy, who has sent what it forwards. */
static struct jid
sender_of(const struct stanza *st)
{
	return st->copy ?
		jid_trusted(elem_attr(stanza_forwarded(st), "from")) :
		st->from;
}

/* To what the client itself has sent: what another client says is an answer may
 * be none, and a copy of one is for another. */
static bool
is_answer(const struct stanza *st, const struct out_item *item)
{
	return st->made_here && !item->wire->copy &&
		(st->type == IQ_RESULT || st->type == IQ_ERROR ||
			st->type == MESSAGE_ERROR ||
			st->type == PRESENCE_ERROR);
}

/* Those who made st come: the client itself, where it has asked, else who sent it
 * if much of what waits is his: one who reads nothing must not be able to slow
 * all who have a word for him.  And nobody for one who is slowed himself, so that
 * two who flood each other do not wait for each other. */
static void
flow_slow_senders(struct session_flow *f, const struct stanza *st,
	const struct out_item *item)
{
	struct flow_pace pace = flow_pace(f);
	int64_t max_us, rest_us = pace_rest_us(
				f->session, &pace, item->wire->n, &max_us);

	if (is_answer(st, item))
		session_slow(f->session, rest_us, max_us);
	else if (!f->rests_as_sender &&
		f->of_sender[item->sender] >
			flow_limits(f)->write_queue_bytes / FREE_PART)
		flow_slow_from(f->session, sender_of(st), rest_us, max_us);
}

/* Nobody rests for one who rests himself, as above. */
void
session_flow_slow(struct session *s, const struct stanza *st,
	const struct flow_pace *pace, size_t bytes)
{
	const struct session_flow *f = flow_of(s);
	int64_t max_us, rest_us = pace_rest_us(s, pace, bytes, &max_us);

	if (f == NULL || !f->rests_as_sender)
		flow_slow_from(s, sender_of(st), rest_us, max_us);
}

/* --- for session_out.c ------------------------------------------------------------ */

uint8_t
session_flow_bucket(const struct session *s, const struct stanza *st)
{
	struct jid from = sender_of(st);

	if (!jid_is_set(from))
		return 0;
	return server_hash(session_shard(s)->server, jid_bare_str(from)) %
		SENDERS;
}

/* One that is larger than all that may wait has to arrive too: the largest does
 * not count. */
void
session_flow_make_room(struct session *s)
{
	const struct session_out *o = s->out;
	size_t bytes = o->waiting_bytes + o->kept_bytes +
		session_bulk_other_bytes(s);

	if (bytes - MIN(bytes, o->largest) <=
		limits_of(s)->write_queue_max_bytes)
		return;
	if (s->state == SESSION_ASLEEP)
		session_out_end_in(s, 0);
	else if (s->state == SESSION_ATTACHED)
		flow_cut(flow_get(s), o->waiting_bytes != 0 ?
			"does not read what it is sent" :
			"does not acknowledge what it is sent");
}

void
session_flow_waits(struct session *s, const struct stanza *st,
	const struct out_item *item)
{
	struct session_flow *f = flow_of(s);

	if (f == NULL)
		return;
	f->of_sender[item->sender] += out_item_bytes(item);
	if (s->full && flow_is_above(f) && !f->gone)
		flow_slow_senders(f, st, item);
}

void
session_flow_moved(struct session *s, const struct out_item *item)
{
	struct session_flow *f = flow_of(s);

	if (f != NULL)
		f->of_sender[item->sender] += out_item_bytes(item);
}

void
session_flow_written(struct session *s, const struct out_item *item)
{
	struct session_flow *f = flow_of(s);

	if (f != NULL)
		f->of_sender[item->sender] -= out_item_bytes(item);
}

/* --- for streams ------------------------------------------------------------------ */

void
session_full(struct session *s)
{
	struct session_flow *f = flow_get(s);

	s->full = true;
	(void)flow_is_above(f);
}

bool
session_takes_anything(struct session *s)
{
	struct session_flow *f = flow_of(s);
	uint64_t before;

	if (!s->full)
		return false;
	before = f->seen_took;
	f->seen_took = flow_taken(f);
	return f->seen_took > before;
}

int64_t
session_late_us(const struct session *s)
{
	return shard_wall_us(session_shard(s)) - LATE_US;
}

void
session_flow_run(struct session *s)
{
	struct session_flow *f;

	s->full = false; /* until the stream says so again */
	session_bulk_run(s);
	session_out_run(s, session_late_us(s));
	if (s->full)
		return;
	f = flow_of(s);
	if (f != NULL)
		shard_timer_cancel(session_shard(s), &f->window);
	flow_settle(s);
	session_out_told(s);
}

void
session_drained(struct session *s)
{
	if (s->full && !flow_of(s)->gone)
		session_flow_run(s);
}
