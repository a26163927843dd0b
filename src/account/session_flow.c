/*
 * session_flow.c - a session whose client takes less than it is sent.
 *
 * Owner shard of the account.  Invariant: stanzas wait only while s->full, and
 * bytes is what they come to.
 */
#include "config.h"

#include "account/session_flow.h"

#include <sys/queue.h>

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

/* Progress is measured over that long. */
#define WINDOW_US (60 * US_PER_S)
/* How long a sender rests at least, and at most at a time. */
#define REST_MIN_US (20 * US_PER_MS)
#define REST_MAX_US (10 * US_PER_S)
/* Nobody is slowed for less than this part of the bound, which waits from his
 * account; each has a bucket, found by its hash, which he may have to share. */
#define FREE_PART 16
#define SENDERS 64

struct waiting {
	STAILQ_ENTRY(waiting) link;
	struct wire *wire; /* reference */
	int64_t wall_us;   /* when it came */
	enum stanza_type type;
	uint16_t n_to;
	uint8_t sender; /* its bucket */
	char to[];
};

struct session_flow {
	struct shard *shard;
	struct session *session;
	struct share *share; /* of the account, in which it counts */
	STAILQ_HEAD(, waiting) queue;
	size_t bytes;
	size_t of_sender[SENDERS];
	size_t largest;       /* of what has waited */
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
	struct session_flow *f = s->flow;

	if (f != NULL)
		return f;
	f = xcalloc(1, sizeof(*f));
	memuse_add_part(MEMUSE_SESSION, f);
	f->shard = session_shard(s);
	f->session = s;
	f->share = budget_share(f->shard->server, s->account->e.hash);
	STAILQ_INIT(&f->queue);
	s->flow = f;
	return f;
}

static const struct config_limits *
flow_limits(const struct session_flow *f)
{
	return &f->shard->snap->config->limits;
}

/* Nothing of it is in use any more. */
static void
flow_check_done(struct session_flow *f)
{
	struct session *s = f->session;

	if (s->full || timer_is_set(&f->rest))
		return;
	s->flow = NULL;
	session_flow_free(f);
}

/* --- what waits ---------------------------------------------------------------- */

static size_t
waiting_bytes(const struct waiting *w)
{
	return sizeof(*w) + w->n_to + sizeof(*w->wire) + w->wire->n;
}

static struct waiting *
flow_pop(struct session_flow *f)
{
	struct waiting *w = STAILQ_FIRST(&f->queue);

	if (w == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&f->queue, link);
	f->bytes -= waiting_bytes(w);
	f->of_sender[w->sender] -= waiting_bytes(w);
	share_count(f->share, -(int64_t)waiting_bytes(w));
	gauge_remove(&f->shard->stats.session_bytes, waiting_bytes(w));
	return w;
}

static void
waiting_free(struct waiting *w)
{
	wire_unref(w->wire);
	memuse_remove_part(MEMUSE_SESSION, w);
	free(w);
}

static struct str
waiting_to(const struct waiting *w)
{
	return w->n_to != 0 ? (struct str){ w->to, w->n_to } : STR_NONE;
}

static uint8_t
sender_bucket(const struct session_flow *f, const struct stanza *st)
{
	if (!jid_is_set(st->from))
		return 0;
	return server_hash(f->shard->server, jid_bare_str(st->from)) % SENDERS;
}

static void
flow_push(struct session_flow *f, const struct stanza *st, struct wire *wire,
	struct str to)
{
	struct waiting *w = xmalloc(sizeof(*w) + to.n);
	size_t bytes;

	memuse_add_part(MEMUSE_SESSION, w);
	w->wire = wire_ref(wire);
	w->wall_us = shard_wall_us(f->shard);
	w->type = st->type;
	w->sender = sender_bucket(f, st);
	w->n_to = (uint16_t)to.n;
	if (to.n != 0)
		memcpy(w->to, to.p, to.n);
	STAILQ_INSERT_TAIL(&f->queue, w, link);
	bytes = waiting_bytes(w);
	f->bytes += bytes;
	f->of_sender[w->sender] += bytes;
	f->largest = MAX(f->largest, bytes);
	share_count(f->share, (int64_t)bytes);
	gauge_add(&f->shard->stats.session_bytes, bytes);
}

size_t
session_queued(const struct session *s)
{
	size_t n = s->flow != NULL ? s->flow->bytes : 0;

	if (s->stream != NULL && s->ops->queued != NULL)
		n += s->ops->queued(s->stream);
	return n;
}

/* --- progress ------------------------------------------------------------------- */

static uint64_t
flow_taken(const struct session_flow *f)
{
	const struct session *s = f->session;

	return s->stream != NULL && s->ops->taken != NULL ?
		s->ops->taken(s->stream) :
		0;
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
	f->shard->stats.refused++;
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
	shard_timer(f->shard, &f->window, WINDOW_US, on_window_end);
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
	f->above_us = f->shard->now_us;
	shard_timer(f->shard, &f->window, WINDOW_US, on_window_end);
	return true;
}

/* --- slowing those who send ------------------------------------------------------- */

static void
on_rested(struct timer *t)
{
	struct session_flow *f = CONTAINER_OF(t, struct session_flow, rest);

	f->rests_as_sender = false;
	session_go_on(f->session, SESSION_REST_READER);
	flow_check_done(f);
}

/* Rests add up, so that the mean is right whatever is read at once. */
static void
session_slow(struct session *s, int64_t rest_us, int64_t max_us)
{
	struct shard *sh = session_shard(s);
	struct session_flow *f = flow_get(s);

	if (timer_is_set(&f->rest))
		rest_us += f->rest.at_us - sh->now_us;
	shard_timer(sh, &f->rest, MIN(rest_us, max_us), on_rested);
	session_rest(s, SESSION_REST_READER);
}

void
session_flow_told(struct account *acc, struct entity_message *m)
{
	struct session *s = session_find(acc, m->resource);

	if (s != NULL) {
		session_slow(s, m->number[0], m->number[1]);
		s->flow->rests_as_sender = true;
	}
	entity_answer(m, NULL);
}

/*
 * As long as the client takes for so many bytes, at its pace until now: then a
 * sender sends no faster than the client reads.  Longer as more waits, since
 * there may be several senders; and never longer than it has been behind.
 */
static int64_t
flow_rest_us(const struct session_flow *f, size_t bytes, int64_t *max_us_out)
{
	const struct config_limits *l = flow_limits(f);
	int64_t behind_us = f->shard->now_us - f->above_us;
	double s = (double)MAX(behind_us, US_PER_MS) / US_PER_S;
	double rate = (double)(flow_taken(f) - f->above_took) / s;
	double fill = (double)session_queued(f->session) /
		(double)l->write_queue_bytes;

	rate = MAX(rate, (double)l->write_bytes_per_second);
	*max_us_out = MIN(MAX(behind_us, REST_MIN_US), REST_MAX_US);
	return MAX((int64_t)MIN((double)bytes / rate * fill * US_PER_S,
			   (double)REST_MAX_US),
		REST_MIN_US);
}

static void
flow_slow_from(const struct session_flow *f, struct jid from, int64_t rest_us,
	int64_t max_us)
{
	if (!jid_is_set(from) || jid_is_bare(from) ||
		shard_host(f->shard, jid_domain(from)) == NULL)
		return;
	entity_tell(f->shard,
		&(struct entity_message){
			.kind = TELL_REST,
			.to = from,
			.resource = jid_resource(from),
			.number = { rest_us, max_us },
		});
}

/* To what the client itself has sent: what another client says is an answer may
 * be none. */
static bool
is_answer(const struct stanza *st)
{
	return st->made_here &&
		(st->type == IQ_RESULT || st->type == IQ_ERROR ||
			st->type == MESSAGE_ERROR ||
			st->type == PRESENCE_ERROR);
}

/* Those who made st come: the client itself, where it has asked, else who sent it
 * if much of what waits is his: one who reads nothing must not be able to slow
 * all who have a word for him.  And nobody for one who is slowed himself, so that
 * two who flood each other do not wait for each other. */
static void
flow_slow_senders(struct session_flow *f, const struct stanza *st, size_t bytes)
{
	int64_t max_us, rest_us = flow_rest_us(f, bytes, &max_us);

	if (is_answer(st))
		session_slow(f->session, rest_us, max_us);
	else if (!f->rests_as_sender &&
		f->of_sender[sender_bucket(f, st)] >
			flow_limits(f)->write_queue_bytes / FREE_PART)
		flow_slow_from(f, st->from, rest_us, max_us);
}

/* --- for session.c --------------------------------------------------------------- */

/* One that is larger than all that may wait has to arrive too: the largest does
 * not count. */
void
session_flow_add(struct session *s, const struct stanza *st, struct wire *wire,
	struct str to)
{
	struct session_flow *f = s->flow;

	if (f->bytes - MIN(f->bytes, f->largest) >
		flow_limits(f)->write_queue_max_bytes)
		flow_cut(f, "does not read what it is sent");
	flow_push(f, st, wire, to);
	if (flow_is_above(f) && !f->gone)
		flow_slow_senders(f, st, wire->n);
}

void
session_flow_free(struct session_flow *f)
{
	struct waiting *w;

	if (f == NULL)
		return;
	while ((w = flow_pop(f)) != NULL)
		waiting_free(w);
	shard_timer_cancel(f->shard, &f->window);
	shard_timer_cancel(f->shard, &f->rest);
	memuse_remove_part(MEMUSE_SESSION, f);
	free(f);
}

/* Messages find another place; who asked learns that there is no answer; the rest
 * means nothing without the session. */
static void
waiting_return(const struct waiting *w, struct account *acc)
{
	struct stanza *st;

	/* another session has taken it, or keeps it */
	if (w->wire->taken || w->wire->refs > 1)
		return;
	if (w->type == MESSAGE_ERROR || w->type == IQ_RESULT ||
		w->type == IQ_ERROR ||
		stanza_type_kind(w->type) == STANZA_PRESENCE)
		return;
	st = wire_stanza(w->wire);
	stanza_set_to(st, w->n_to != 0 ? jid_trusted(waiting_to(w)) :
					 acc->e.jid);
	account_take_back(acc, st, w->wall_us);
}

void
session_flow_return(struct session_flow *f, struct account *acc)
{
	struct waiting *w;

	while (f != NULL && (w = flow_pop(f)) != NULL) {
		waiting_return(w, acc);
		waiting_free(w);
	}
	session_flow_free(f);
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
	uint64_t before, now;

	if (!s->full)
		return false;
	before = s->flow->seen_took;
	now = s->flow->seen_took = flow_taken(s->flow);
	return now > before;
}

void
session_drained(struct session *s)
{
	struct session_flow *f = s->flow;
	struct waiting *w;

	if (!s->full || f->gone)
		return;
	s->full = false; /* until the stream says so again */
	while (!s->full && (w = flow_pop(f)) != NULL) {
		w->wire->taken = true;
		s->ops->write_wire(s->stream, w->wire, waiting_to(w));
		waiting_free(w);
	}
	if (s->full)
		return;
	shard_timer_cancel(f->shard, &f->window);
	f->largest = 0;
	flow_check_done(f);
	requests_drained(s);
	hook_run(account_host(s->account), HOOK_SESSION_DRAINED, s);
}
