/*
 * requests.c - the requests of a session, in two lines: those to the own
 * account, and those to all others.
 *
 *   session_receive --may it?--> sent --account_receive--> answered
 *            `--no--> waiting --(on_turn)--^
 *
 * In each line, gets are under way beside gets and sets beside sets, but not one
 * beside the other: a get shows all that was set before it, and nothing that was
 * set after.  How many gets is measured by what their answers took so far, and
 * begins with one; an answer is under way until it has come back to the session.
 * While the client does not take what it is sent, there are no more:
 * session_drained() goes on.
 *
 * Invariant: while something waits, its session's timer is set.
 */
#include "config.h"

#include "account/requests.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity_message.h"
#include "core/entity_ring.h"
#include "core/host.h"
#include "core/route.h"
#include "account/account_int.h"
#include "account/recent.h"
#include "account/session.h"

/* Of one line of one session: of answers to gets, and of sets. */
#define UNDER_WAY_BYTES ((size_t)1 << 20)
#define GETS_MAX 16
/* The stream rests when more waits. */
#define WAITING_BYTES ((size_t)64 << 10)
/* An answer is lost where a mailbox was far too full: as long we wait for it. */
#define LOST_US (30 * US_PER_S)

struct line {
	struct stanza_queue waiting;
	size_t waiting_bytes;
	size_t answer_bytes; /* of one, by those that came; the last count most */
	size_t sets_bytes;   /* sent since there was none under way */
	int64_t heard_us;    /* when one was sent or answered */
	unsigned under_way;
	bool sets; /* those that are under way are sets */
};

struct requests {
	struct session *session;
	struct timer timer;
	struct line own, others;
	uint64_t counted_of; /* serial of the snapshot by which others are ours */
	bool stops;          /* with the server: see requests_stop() */
};

static void on_turn(struct timer *t);

/* --- one line ----------------------------------------------------------------- */

static void
line_init(struct line *l)
{
	*l = (struct line){ .answer_bytes = UNDER_WAY_BYTES };
	STAILQ_INIT(&l->waiting);
}

static bool
line_is_empty(const struct line *l)
{
	return l->under_way == 0 && STAILQ_EMPTY(&l->waiting);
}

static void
line_append(struct shard *sh, struct line *l, struct stanza *st)
{
	size_t bytes = stanza_bytes(st);

	STAILQ_INSERT_TAIL(&l->waiting, st, link);
	l->waiting_bytes += bytes;
	gauge_add(&sh->stats.line_bytes, bytes);
}

static struct stanza *
line_pop(struct shard *sh, struct line *l)
{
	struct stanza *st = STAILQ_FIRST(&l->waiting);
	size_t bytes = stanza_bytes(st);

	STAILQ_REMOVE_HEAD(&l->waiting, link);
	l->waiting_bytes -= bytes;
	gauge_remove(&sh->stats.line_bytes, bytes);
	return st;
}

static void
line_drop(struct shard *sh, struct line *l)
{
	while (!STAILQ_EMPTY(&l->waiting))
		stanza_free(line_pop(sh, l));
}

/* gets_bytes: of answers that may be under way. */
static bool
line_takes_request(
	const struct line *l, const struct stanza *st, size_t gets_bytes)
{
	bool set = st->type == IQ_SET;

	if (l->under_way == 0)
		return true;
	if (set != l->sets)
		return false;
	if (set)
		return l->sets_bytes + stanza_bytes(st) <= UNDER_WAY_BYTES;
	return l->under_way < GETS_MAX &&
		(l->under_way + 1) * l->answer_bytes <= gets_bytes;
}

/* --- which line ----------------------------------------------------------------- */

/* Behind the full address of an account, or of somebody in a room, stands a client, which
 * answers, and behind a component whoever that is. */
static bool
is_client(const struct host *host, struct jid jid)
{
	return host->component != NULL || (!jid_is_bare(jid) &&
			jid_local(jid).n != 0 &&
			host->address_class != NULL &&
			host->address_class->has_clients);
}

/* Will we answer st, whatever it is? */
static bool
is_request(const struct session *s, const struct stanza *st)
{
	const struct host *host;
	struct str domain;

	if (st->kind != STANZA_IQ ||
		(st->type != IQ_GET && st->type != IQ_SET))
		return false;
	if (!jid_is_set(st->to))
		return true;
	domain = jid_domain(st->to);
	/* the own one is most often meant, and need not be looked up */
	if (jid_is_bare(st->to) && str_eq(domain, account_domain(s->account)))
		return true;
	host = shard_host(session_shard(s), domain);
	return host != NULL && !is_client(host, st->to);
}

static struct line *
requests_line(struct requests *r, struct jid other)
{
	bool own = !jid_is_set(other) ||
		jid_eq(other, r->session->account->e.jid);

	return own ? &r->own : &r->others;
}

static struct requests *
requests_get(struct session *s)
{
	struct requests *r = s->requests;

	struct shard *sh = session_shard(s);

	if (r != NULL)
		return r;
	r = sh->spare_requests;
	sh->spare_requests = NULL;
	if (r == NULL)
		r = xmalloc(sizeof(*r));
	r->session = s;
	r->timer = (struct timer){ .index = 0 };
	r->counted_of = sh->snap->serial;
	r->stops = false;
	line_init(&r->own);
	line_init(&r->others);
	s->requests = r;
	return r;
}

/* --- what may be sent ----------------------------------------------------------- */

/* What was sent again waits until it is known whether it is there already; and what
 * was known may be forgotten while it waits for something else. */
static bool
account_sends(struct account *acc, const struct stanza *st)
{
	if (st->again)
		recent_look(acc, st);
	return !account_hold_waits(acc);
}

/* May st, the first that waits in l or nothing does, be sent?  Nothing overtakes
 * a change; and presence, which changes what a roster shows, and who is sent
 * something, does not overtake a get either (RFC 6120 §10.1, 1). */
static bool
requests_take(const struct requests *r, const struct line *l,
	const struct stanza *st)
{
	const struct config_limits *limits =
		&session_shard(r->session)->snap->config->limits;

	if (!is_request(r->session, st))
		return l->under_way == 0 ||
			(!l->sets && st->kind != STANZA_PRESENCE);
	/* a large answer more may come, and what others send; but what one who
	 * sleeps has asked before waits for nobody, or else it would when he
	 * comes back, and asks what of it was done.  But for a stop,
	 * behind whose last word nobody ends what would wait for its client */
	return (!session_is_full(r->session) ||
		       (r->session->state == SESSION_ASLEEP && !r->stops)) &&
		line_takes_request(l, st,
			MIN(UNDER_WAY_BYTES, limits->write_queue_bytes / 4));
}

static void
line_rest(struct requests *r, const struct line *l)
{
	enum session_rest why = l == &r->own ? SESSION_REST_OWN :
					       SESSION_REST_OTHERS;

	if (l->waiting_bytes > WAITING_BYTES)
		session_rest(r->session, why);
	else if (l->waiting_bytes <= WAITING_BYTES / 2)
		session_go_on(r->session, why);
}

static void
line_run(struct requests *r, struct line *l)
{
	struct shard *sh = session_shard(r->session);
	const struct stanza *st;

	if (sh->now_us - l->heard_us >= LOST_US)
		l->under_way = 0;
	while ((st = STAILQ_FIRST(&l->waiting)) != NULL &&
		account_sends(r->session->account, st) &&
		requests_take(r, l, st))
		session_send(r->session, line_pop(sh, l));
	line_rest(r, l);
}

/* Frees r when there is nothing left of it; else an answer may be lost. */
static void
requests_settle(struct requests *r)
{
	bool waits = !STAILQ_EMPTY(&r->own.waiting) ||
		!STAILQ_EMPTY(&r->others.waiting);

	if (line_is_empty(&r->own) && line_is_empty(&r->others))
		requests_done(r->session);
	else if (waits && !timer_is_set(&r->timer))
		shard_timer(session_shard(r->session), &r->timer,
			LOST_US, on_turn);
}

static void
requests_run(struct requests *r)
{
	line_run(r, &r->own);
	line_run(r, &r->others);
	requests_settle(r);
}

static void
on_turn(struct timer *t)
{
	struct requests *r = CONTAINER_OF(t, struct requests, timer);

	entity_note(&ring_due, &r->session->account->e, 0);
	requests_run(r);
}

void
requests_drained(struct session *s)
{
	if (s->requests != NULL)
		requests_run(s->requests);
}

void
requests_look(struct session *s)
{
	if (s->requests != NULL)
		shard_timer(session_shard(s), &s->requests->timer, 0, on_turn);
}

void
requests_stop(struct session *s)
{
	if (s->requests != NULL)
		s->requests->stops = true;
}

void
requests_go_on(struct account *acc)
{
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		requests_look(s);
}

/* --- from and to the session --------------------------------------------------- */

bool
requests_keep(struct session *s, struct stanza *st)
{
	struct requests *r = s->requests;
	struct line *l;
	bool sends = account_sends(s->account, st), asks;

	if (r == NULL && sends && (st->kind != STANZA_IQ || !session_is_full(s)))
		return false;
	asks = is_request(s, st);
	if (r == NULL && sends && !asks)
		return false;
	r = requests_get(s);
	l = asks ? requests_line(r, st->to) : &r->own;
	if (sends && STAILQ_EMPTY(&l->waiting) && requests_take(r, l, st))
		return false;
	line_append(session_shard(s), l, st);
	line_rest(r, l);
	requests_settle(r);
	return true;
}

void
requests_sent(struct session *s, const struct stanza *st)
{
	struct line *l;

	if (!is_request(s, st))
		return;
	l = requests_line(requests_get(s), st->to);
	if (l->under_way++ == 0) {
		l->sets = st->type == IQ_SET;
		l->sets_bytes = 0;
	}
	l->sets_bytes += stanza_bytes(st);
	l->heard_us = session_shard(s)->now_us;
}

bool
requests_is_answer(const struct account *acc, const struct stanza *st)
{
	const struct snapshot *snap = acc->e.shard->snap;
	const struct host *host;

	if ((st->type != IQ_RESULT && st->type != IQ_ERROR) ||
		jid_is_bare(st->to))
		return false;
	host = snapshot_host(snap, jid_domain(st->from));
	/* a domain that has gone since is refused by us, too */
	return host != NULL ? !is_client(host, st->from) :
			      route_class(snap, st->from) == NULL;
}

/* One that was under way in l is not any more; r may be freed. */
static void
line_ends_one(struct requests *r, struct line *l)
{
	struct shard *sh = session_shard(r->session);

	l->under_way--;
	l->heard_us = sh->now_us;
	/* not from within whoever gives the answer */
	if (!STAILQ_EMPTY(&l->waiting))
		shard_timer(sh, &r->timer, 0, on_turn);
	else
		requests_settle(r);
}

/* Behind a reload what was asked of a domain of ours may be answered by somebody
 * else: so nobody waits for what was asked before. */
static void
requests_begin_anew(struct requests *r)
{
	struct shard *sh = session_shard(r->session);

	r->counted_of = sh->snap->serial;
	r->others.under_way = 0;
	shard_timer(sh, &r->timer, 0, on_turn);
}

void
requests_answered(struct account *acc, const struct stanza *st)
{
	struct session *s;
	struct requests *r;
	struct line *l;

	if (st->passed_on || st->kind != STANZA_IQ || jid_is_bare(st->to) ||
		(st->type != IQ_RESULT && st->type != IQ_ERROR))
		return;
	s = session_find_one(acc, jid_resource(st->to), st->session);
	r = s != NULL ? s->requests : NULL;
	if (r == NULL)
		return;
	if (r->counted_of != acc->e.shard->snap->serial)
		requests_begin_anew(r);
	if (!requests_is_answer(acc, st))
		return;
	l = requests_line(r, st->from);
	if (l->under_way == 0)
		return;
	l->answer_bytes = MAX(stanza_bytes(st),
		l->answer_bytes - l->answer_bytes / 4);
	line_ends_one(r, l);
}

void
requests_let_go(struct session *s, struct jid to)
{
	struct requests *r = s->requests;
	struct line *l = r != NULL ? requests_line(r, to) : NULL;

	if (l != NULL && l->under_way != 0)
		line_ends_one(r, l);
}

void
requests_told(struct account *acc, struct entity_message *m)
{
	struct session *s = session_find_one(acc, m->resource,
		(uint32_t)m->number[0]);

	if (s != NULL)
		requests_let_go(s, jid_trusted(m->text));
	entity_answer(m, NULL);
}

/* --- the end ------------------------------------------------------------------- */

/* What nobody would see, or only until the goodbye that follows: that it is available,
 * perhaps behind a request that nobody is to see it (XEP-0186), which is on its way. */
static bool
is_vain(const struct session *s, const struct stanza *st)
{
	return (st->type == IQ_GET && is_request(s, st)) ||
		(st->type == PRESENCE_AVAILABLE && !jid_is_set(st->to));
}

static bool
line_flush(struct session *s, struct line *l)
{
	struct stanza *st;

	while ((st = STAILQ_FIRST(&l->waiting)) != NULL) {
		if (!account_sends(s->account, st))
			return false;
		(void)line_pop(session_shard(s), l);
		if (is_vain(s, st))
			stanza_free(st);
		else
			session_send(s, st);
	}
	return true;
}

bool
requests_flush(struct session *s)
{
	struct requests *r = s->requests;

	return r == NULL || (line_flush(s, &r->own) && line_flush(s, &r->others));
}

void
requests_done(struct session *s)
{
	struct requests *r = s->requests;
	struct shard *sh = session_shard(s);

	if (r == NULL)
		return;
	s->requests = NULL;
	shard_timer_cancel(sh, &r->timer);
	line_drop(sh, &r->own);
	line_drop(sh, &r->others);
	if (sh->spare_requests == NULL)
		sh->spare_requests = r;
	else
		free(r);
}
