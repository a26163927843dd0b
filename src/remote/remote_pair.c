/*
 * remote_pair.c - what goes from one of our domains to one of others: a link, or
 * what waits for one and the attempt to get it (remote.h draws it).
 *
 * The shard of the remote.  Invariants: where stanzas wait there is no link, or it
 * ends; an attempt beside a link is for keys; it is busy exactly when
 * pair_is_busy(); its timer stands for the first of what pair_next_us() names.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/server.h"

/* A key is asked about in any case, but not more often than that. */
#define VERIFY_PAUSE_US US_PER_S

static const char late_text[] = "did not answer in time";

static void on_pair_due(struct timer *t);

struct str
remote_pair_local(const struct remote_pair *p)
{
	return pair_local(p);
}

struct str
remote_pair_domain(const struct remote_pair *p)
{
	return jid_str(p->remote->e.jid);
}

struct shard *
remote_pair_shard(const struct remote_pair *p)
{
	return pair_shard(p);
}

/* --- those of a remote -------------------------------------------------------- */

struct remote_pair *
pair_find(const struct remote *r, struct str local)
{
	struct remote_pair *p;

	LIST_FOREACH (p, &r->pairs, in) {
		if (str_eq(pair_local(p), local))
			break;
	}
	return p;
}

struct remote_pair *
pair_get(struct remote *r, struct str local)
{
	struct remote_pair *p = pair_find(r, local);

	if (p != NULL)
		return p;
	/* below a component there may be any domain */
	return r->e.shard->remotes->n_pairs < 2 * remotes_max(r->e.shard) ?
		pair_new(r, local) :
		NULL;
}

struct remote_pair *
pair_new(struct remote *r, struct str local)
{
	struct remote_pair *p = xcalloc(1, sizeof(*p) + local.n);

	p->remote = r;
	p->judged = r->e.shard->snap->serial;
	STAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->verifies);
	LIST_INIT(&p->offers);
	p->n_local = local.n;
	memcpy(p->local, local.p, local.n);
	LIST_INSERT_HEAD(&r->pairs, p, in);
	r->e.shard->remotes->n_pairs++;
	return p;
}

void
pair_free(struct remote_pair *p)
{
	assert(p->link == NULL && p->attempt == NULL && !p->busy && !p->guest &&
		p->kept == NULL && p->log == NULL);
	shard_timer_cancel(pair_shard(p), &p->due);
	pair_shard(p)->remotes->n_pairs--;
	LIST_REMOVE(p, in);
	buf_done(&p->steps);
	free(p);
}

/* --- time ---------------------------------------------------------------------- */

static bool
pair_is_busy(const struct remote_pair *p)
{
	return p->link != NULL || p->attempt != NULL || pair_waits(p) ||
		!TAILQ_EMPTY(&p->verifies) || p->tried != NULL ||
		!LIST_EMPTY(&p->offers) || p->log != NULL;
}

/* Is an attempt to begin, as soon as it may? */
static bool
pair_wants(const struct remote_pair *p)
{
	if (p->attempt != NULL)
		return false;
	if (p->link != NULL)
		return p->offer != NULL && verify_waits(p);
	return verify_waits(p) || p->tried != NULL ||
		(pair_waits(p) && !p->in_line && !theirs_awaited(p) &&
			!pair_stops(p));
}

/* It was for keys, and all are judged. */
static bool
attempt_is_done(const struct remote_pair *p)
{
	return p->attempt != NULL && p->for_keys &&
		verify_due(p) == INT64_MAX;
}

/* No attempt before: a key does not wait for the end of a pause, and an
 * administrator for nothing. */
static int64_t
pair_start_us(const struct remote_pair *p)
{
	if (p->tried != NULL)
		return 0;
	return verify_waits(p) ?
		MIN(pause_until_us(p), p->started_us + VERIFY_PAUSE_US) :
		pause_until_us(p);
}

/* When there is something to do; INT64_MAX: never. */
static int64_t
pair_next_us(const struct remote_pair *p)
{
	int64_t next_us = verify_due(p);

	if (!pair_is_busy(p))
		return pause_forgotten_us(p);
	if (p->until_us != 0)
		next_us = MIN(next_us, p->until_us);
	if (p->look_us != 0)
		next_us = MIN(next_us, p->look_us);
	if (p->counts_us != 0)
		next_us = MIN(next_us, p->counts_us);
	if (theirs_awaited(p))
		next_us = MIN(next_us, p->theirs_us);
	if (attempt_is_done(p))
		return 0;
	if (p->link != NULL && !p->ending)
		next_us = MIN(next_us, pair_idle_us(p));
	next_us = MIN(next_us, last_until_us(p));
	if (pair_wants(p))
		next_us = MIN(next_us, pair_start_us(p));
	return next_us;
}

/* --- an attempt ------------------------------------------------------------------ */

void
pair_settle(struct remote_pair *p)
{
	struct remote *r = p->remote;
	struct shard *sh = pair_shard(p);
	bool busy = pair_is_busy(p);
	int64_t next_us;

	if (busy != p->busy) {
		p->busy = busy;
		r->n_busy += busy ? 1 : -1u;
	}
	if (!busy)
		asker_leave(p);
	if (!busy && !pause_is_remembered(p)) {
		if (r->walks == 0)
			pair_free(p);
	} else {
		next_us = pair_next_us(p);
		shard_timer(sh, &p->due, MAX(next_us - sh->now_us, 0),
			on_pair_due);
	}
	remote_settle(r);
}

void
pairs_walk(struct remote *r)
{
	r->walks++;
}

void
pairs_walked(struct remote *r)
{
	struct remote_pair *p, *next;

	if (--r->walks != 0)
		return;
	for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
		next = LIST_NEXT(p, in);
		pair_settle(p);
	}
}

bool
remote_is_for_keys(const struct remote_pair *p)
{
	return p->for_keys;
}

static void
pair_start(struct remote_pair *p)
{
	struct shard *sh = pair_shard(p);

	if (!pair_waits(p))
		asker_take(p, (struct jid){ .text = NULL });
	else if (p->asker == NULL)
		asker_take(p, pair_first_from(p));
	if (!asker_starts(p))
		return;
	p->for_keys = p->link != NULL ||
		((!pair_waits(p) || theirs_awaited(p)) && p->tried == NULL &&
			verify_all_offer(p));
	p->started_us = sh->now_us;
	steps_forget(p);
	if (p->until_us == 0)
		p->until_us = sh->now_us + remote_conf(p->remote)->timeout_us;
	p->attempt = sh->server->remote_streams->start(p);
	assert(p->attempt != NULL);
	verify_give(p);
}

void
pair_go_on(struct remote_pair *p)
{
	if (pair_wants(p) && pair_start_us(p) <= pair_shard(p)->now_us)
		pair_start(p);
	pair_settle(p);
}

void
pair_cancel(struct remote_pair *p)
{
	void *attempt = p->attempt;

	p->attempt = NULL;
	p->asks_again = true;
	pair_shard(p)->server->remote_streams->cancel(attempt);
	p->asks_again = false;
	if (p->asker != NULL)
		asker_started(p);
	else
		asker_leave(p); /* who has shown a key does not count twice */
}

void
pair_needs_link(struct remote_pair *p)
{
	if (p->attempt != NULL && p->for_keys && p->link == NULL &&
		(!theirs_awaited(p) || p->tried != NULL))
		pair_cancel(p);
}

void
remote_down(struct remote_pair *p, enum remote_failed what, const char *why)
{
	struct remote *r = p->remote;
	struct remote_pause *at;

	ASSERT_ON(pair_shard(p));
	assert(p->attempt != NULL);
	p->attempt = NULL;
	failure_note(p, what, why);
	at = pause_begin(p, what);
	pairs_walk(r);
	if (!offer_take_at_last(p)) {
		try_answer(p, ERR_CLOSED, why);
		if (p->link != NULL) /* it was for keys */
			pair_go_on(p);
		else
			pair_wait_or_give_up(p, at);
	}
	if (at == &r->pause)
		pause_spread(r);
	pairs_walked(r);
}

/* What it has waited for, in words.  Its attempt ends. */
static struct remote_pause *
pair_late_pause(struct remote_pair *p, struct buf *text)
{
	const struct remote_streams *streams =
		pair_shard(p)->server->remote_streams;
	enum remote_failed what = REMOTE_OF_PAIR;
	const char *why = NULL;

	/* it is in the middle of one that all have to wait for */
	if (p->attempt == NULL && !p->in_line &&
		p->remote->pause.until_us > pair_shard(p)->now_us)
		return &p->remote->pause;
	if (p->attempt != NULL) {
		what = streams->late(p->attempt);
		why = streams->waits_for(p->attempt);
	}
	if (p->attempt != NULL || p->in_line) {
		buf_printf(text, "%s: it took too long",
			why != NULL ? why : "no stream came up in time");
		failure_note(p, what, buf_c(text));
		remote_step(p, "time", "failed", "%s%s",
			why != NULL ? "waited in vain for " : "",
			why != NULL ? why : buf_c(text));
	}
	if (p->attempt != NULL)
		streams->cancel(p->attempt);
	p->attempt = NULL;
	return pause_begin(p, what);
}

/* The limit, of all that it has taken together. */
static void
pair_is_late(struct remote_pair *p)
{
	struct buf text = BUF_INIT;
	struct remote *r = p->remote;
	struct remote_pause *at = pair_late_pause(p, &text);

	pairs_walk(r);
	if (!offer_take_at_last(p)) {
		try_answer(p, ERR_TIMEOUT, buf_c(&text));
		if (p->link == NULL || pair_waits(p)) {
			pair_give_up(p, at, late_text);
		} else { /* a key was late, and that is all */
			p->until_us = 0;
			pair_go_on(p);
		}
	}
	if (at == &r->pause)
		pause_spread(r);
	pairs_walked(r);
	buf_done(&text);
}

void
pair_forgive(struct remote_pair *p)
{
	p->pause = (struct remote_pause){ .failures = 0 };
	pair_go_on(p);
}

/* --- its end ---------------------------------------------------------------------- */

void
pair_close(struct remote_pair *p)
{
	if (p->link != NULL)
		pair_end_link(p, STREAM_COND_NONE, NULL);
}

void
pair_stop(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	if (p->attempt != NULL)
		pair_shard(p)->server->remote_streams->cancel(p->attempt);
	p->attempt = NULL;
	p->pause.failures = 0;
	p->started_us = 0; /* nothing of it is remembered */
	asker_leave(p);
	if (pair_stops(p))
		pair_stop_refuse(p, cond, why);
	else
		pair_refuse_waiting(p, cond, why);
	verify_refuse_all(p, why);
	try_answer(p, ERR_REFUSED, why);
	if (p->link != NULL) {
		p->end_cond = cond;
		p->end_why = why;
	}
	pair_settle(p);
}

void
pair_end(struct remote_pair *p, enum stanza_cond cond, const char *why,
	enum stream_cond stream_cond, const char *text)
{
	bool linked = p->link != NULL;

	pair_stop(p, cond, why);
	if (linked)
		pair_end_link(p, stream_cond, text);
}

/* --- stanzas --------------------------------------------------------------------- */

/* One alone may be larger. */
static bool
waiting_has_room(const struct remote *r, const struct stanza *st)
{
	const struct config_s2s *conf = remote_conf(r);

	return r->n_waiting == 0 || (r->n_waiting < conf->queue_stanzas &&
			r->bytes + stanza_bytes(st) <= conf->queue_bytes);
}

/* st is taken. */
static void
pair_wait(struct remote_pair *p, struct stanza *st)
{
	struct shard *sh = pair_shard(p);

	asker_take(p, st->from);
	if (last_only(p)) {
		p->until_us = sh->now_us + remote_conf(p->remote)->timeout_us;
		pause_is_over(p);
	}
	pair_add_waiting(p, st);
	pair_needs_link(p);
}

void
pair_send(struct remote_pair *p, struct stanza *st)
{
	struct shard *sh = pair_shard(p);
	struct remote *r = p->remote;
	const struct remote_pause *at;
	bool receipt;

	if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR)
		receipt_at_peer(st); /* it waits there, and nowhere else */
	receipt = st->receipt != NULL;
	if (p->link != NULL && !p->ending) {
		if (p->stranger != NULL)
			asker_leave(p);
		guest_leave(p);
		p->used_us = sh->now_us;
		link_send(p->link, st);
		log_came(p, receipt);
		return;
	}
	at = pause_answers(p);
	if (at != NULL) {
		pause_refuse(r, st, at);
	} else if (!waiting_has_room(r, st)) {
		sh->stats.refused++;
		remote_refuse(r, st, COND_RESOURCE_CONSTRAINT,
			"has not answered yet, and too much waits for it");
	} else if (!asker_lets(p, st->from)) {
		sh->stats.refused++;
		remote_refuse(r, st, COND_RESOURCE_CONSTRAINT,
			"Too many other servers that you have asked for have not answered yet");
	} else {
		pair_wait(p, st);
		log_came(p, receipt);
	}
	pair_go_on(p);
}

/* --- its timer ------------------------------------------------------------------- */

static void
on_pair_due(struct timer *t)
{
	struct remote_pair *p = CONTAINER_OF(t, struct remote_pair, due);
	int64_t now_us = pair_shard(p)->now_us;

	verify_expire(p);
	if (p->look_us != 0 && p->look_us <= now_us)
		log_look(p);
	if (p->counts_us != 0 && p->counts_us <= now_us)
		asker_started(p);
	last_expire(p);
	if (p->until_us != 0 && p->until_us <= now_us) {
		if (p->attempt != NULL || pair_waits(p)) {
			pair_is_late(p);
			return;
		}
		p->until_us = 0;
	}
	if (attempt_is_done(p))
		pair_cancel(p);
	if (p->theirs_us != 0)
		pair_needs_link(p);
	if (p->link != NULL && !p->ending && pair_link_is_idle(p))
		pair_end_link(p, STREAM_COND_NONE, NULL);
	else
		pair_go_on(p);
}
