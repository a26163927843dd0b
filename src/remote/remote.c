/*
 * remote.c - the entity that all addresses of a domain of another server are.
 *
 * Its shard.  Invariant: it rests exactly while none of its pairs is busy.
 */
#include "config.h"

#include "remote/remote.h"

#include <ctype.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/entity_message.h"
#include "core/fanout.h"
#include "core/route.h"
#include "core/router.h"
#include "remote/remote_int.h"

/* Of a shard, however few there may be in all. */
#define SHARE_MIN 10
/* So long it is remembered that there was a link, and why there was none. */
#define REMEMBERED_US (3600 * US_PER_S)

const char remote_stops_text[] = "The server stops";

static struct remote *
remote_of(const struct entity *e)
{
	assert(e->class == &remote_class);
	return (struct remote *)(uintptr_t)e;
}

/* --- how many ---------------------------------------------------------------- */

unsigned
remotes_max(const struct shard *sh)
{
	int64_t share = sh->snap->config->s2s.domains /
		(int64_t)sh->server->n_shards;

	return (unsigned)MAX(share, SHARE_MIN);
}

/* Those who have rested longest leave first: of whom they know least that is of
 * use. */
static bool
remotes_have_room(struct shard *sh)
{
	struct remotes *all = sh->remotes;
	struct remote *r;

	if (all == NULL || all->n < remotes_max(sh))
		return true;
	TAILQ_FOREACH (r, &all->at_rest, rest) {
		if (r->e.calls == 0 && r->e.waiters == NULL)
			break;
	}
	if (r != NULL)
		entity_drop(&r->e);
	else if (log_limit_ok(&all->told, LOG_ROUTER))
		log_warn(LOG_ROUTER, LOG_NOBODY,
			"too many domains of other servers are in use, others are refused domains=%u",
			all->n);
	return r != NULL;
}

/* --- rest -------------------------------------------------------------------- */

static int64_t
remembered_until_us(const struct remote *r)
{
	int64_t last_us = MAX(r->linked_us, r->failed_us);

	return last_us != 0 ? last_us + REMEMBERED_US : 0;
}

/* Is the domain one of ours now, or are there none of others? */
static bool
remote_is_none(const struct remote *r)
{
	return route_class(r->e.shard->snap, r->e.jid) != &remote_class;
}

static void
on_forget(struct timer *t)
{
	struct remote *r = CONTAINER_OF(t, struct remote, forget);

	if (r->rests && remote_is_none(r))
		entity_drop(&r->e);
	else
		entity_check_idle(&r->e);
}

static void
remote_rest(struct remote *r)
{
	struct shard *sh = r->e.shard;

	TAILQ_INSERT_TAIL(&sh->remotes->at_rest, r, rest);
	r->rests = true;
	if (remote_is_none(r))
		shard_timer(sh, &r->forget, 0, on_forget);
	else if (remembered_until_us(r) != 0)
		shard_timer(sh, &r->forget,
			MAX(remembered_until_us(r) - sh->now_us, 0),
			on_forget);
	entity_check_idle(&r->e);
}

void
remote_settle(struct remote *r)
{
	struct shard *sh = r->e.shard;

	if ((r->n_busy == 0) == r->rests) {
		/* the last pair that was remembered may have gone */
		if (r->rests && LIST_EMPTY(&r->pairs))
			entity_check_idle(&r->e);
		return;
	}
	if (r->n_busy == 0) {
		remote_rest(r);
		return;
	}
	TAILQ_REMOVE(&sh->remotes->at_rest, r, rest);
	r->rests = false;
	shard_timer_cancel(sh, &r->forget);
	entity_in_use(&r->e);
}

/* --- what may go out --------------------------------------------------------- */

enum stanza_cond
remote_judge(const struct remote *r, struct str local, const char **why_out)
{
	return router_forbids(r->e.shard->snap, jid_trusted(local), r->e.jid,
		why_out);
}

/* Once the server stops, nobody waits until an answer has come for what it answers to
 * leave the log. */
static void
remote_forget(const struct remote *r, struct stanza *st)
{
	const struct remote_pair *p = r->closed == STREAM_SYSTEM_SHUTDOWN ?
		pair_find(r, jid_domain(st->from)) :
		NULL;

	if (p != NULL && log_has(p, st))
		receipt_let_go(st);
}

void
remote_refuse(struct remote *r, struct stanza *st, enum stanza_cond cond,
	const char *why)
{
	const char *text = why;

	remote_forget(r, st);
	/* of what only we have told, nobody else hears */
	watch_missed(r, st);
	if (router_need_not_bounce(r->e.shard, st)) {
		stanza_free(st);
		return;
	}
	if (!isupper((unsigned char)*why))
		text = arena_printf(st->arena, "%.*s %s",
			STR_ARG(jid_str(r->e.jid)), why).p;
	router_bounce(r->e.shard, st, cond, text);
}

/* A pair that was judged by this snapshot may. */
static enum stanza_cond
remote_admits(const struct remote *r, struct str local, struct remote_pair *p,
	const char **why_out)
{
	const struct shard *sh = r->e.shard;
	enum stanza_cond cond;

	if (p != NULL && p->judged == sh->snap->serial)
		return COND_NONE;
	cond = remote_judge(r, local, why_out);
	if (cond == COND_NONE && p != NULL)
		p->judged = sh->snap->serial;
	return cond;
}

static void
remote_receive(struct entity *e, struct stanza *st)
{
	struct remote *r = remote_of(e);
	struct str local = jid_domain(st->from);
	struct remote_pair *p = pair_find(r, local);
	enum stanza_cond cond;
	const char *why;

	if (r->closed != STREAM_COND_NONE &&
		(p == NULL || p->link == NULL || p->ending)) {
		remote_refuse(r, st, COND_REMOTE_SERVER_TIMEOUT, remote_stops_text);
		return;
	}
	cond = remote_admits(r, local, p, &why);
	if (cond == COND_NONE && p == NULL)
		p = pair_get(r, local);
	if (cond != COND_NONE) {
		remote_refuse(r, st, cond, why);
	} else if (p == NULL) {
		e->shard->stats.refused++;
		remote_refuse(r, st, COND_RESOURCE_CONSTRAINT,
			"The server talks to too many others already");
	} else {
		watch_pass(r, st);
		pair_send(p, st);
	}
}

/* What cannot be written at once goes the way of all stanzas, as what is answered,
 * or watched, does. */
static bool
remote_receive_shared(struct entity *e, struct stanza *st,
	struct fanout_one *one)
{
	struct remote *r = remote_of(e);
	struct remote_pair *p;

	if (one->filtered) /* nobody there can be asked */
		return true;
	if (watch_asks(st))
		return false;
	p = pair_find(r, jid_domain(st->from));
	if (p == NULL || p->judged != e->shard->snap->serial ||
		p->link == NULL || p->ending)
		return false;
	if (p->stranger != NULL)
		asker_leave(p);
	guest_leave(p);
	p->used_us = e->shard->now_us;
	watch_pass(r, st);
	return link_send_shared(p->link, st, jid_str(one->to), &one->wire);
}

/* --- what it is told --------------------------------------------------------- */

static void
remote_forgive(struct remote *r)
{
	struct remote_pair *p, *next;

	r->pause = (struct remote_pause){ .failures = 0 };
	for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
		next = LIST_NEXT(p, in);
		pair_forgive(p);
	}
}

/* What waits goes to the next ones.  False: there was none. */
static bool
remote_close_links(struct remote *r)
{
	struct remote_pair *p, *next;
	bool any = false;

	pairs_walk(r);
	for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
		next = LIST_NEXT(p, in);
		any = any || p->link != NULL;
		pair_close(p);
	}
	pairs_walked(r);
	return any;
}

static void
remote_told(struct entity *e, struct entity_message *m)
{
	struct remote *r = remote_of(e);

	if (m->kind == TELL_VERIFY) {
		verify_told(r, m);
	} else if (m->kind == TELL_TRY) {
		try_told(r, m);
	} else if (m->kind == TELL_CAME) {
		remote_forgive(r);
		watch_reached(r);
		entity_answer(m, NULL);
	} else if (m->kind == TELL_WATCH) {
		watch_told(r, m);
	} else if (m->kind != TELL_KICK) {
		entity_refuse(m, ERR_REFUSED, "it is a domain of another server");
	} else if (remote_close_links(r)) {
		entity_answer(m, NULL);
	} else {
		entity_refuse(m, ERR_MISSING, "there is no stream to it");
	}
}

void
remote_came(struct shard *sh, struct str remote)
{
	entity_tell(sh,
		&(struct entity_message){
			.kind = TELL_CAME,
			.to = jid_trusted(remote),
			.resource = STR_NONE,
			.text = STR_NONE,
		});
}

/* A pair that is forbidden from now on, or whose domain has gone, ends. */
static void
pair_follow(struct remote_pair *p)
{
	const char *why;
	struct remote *r = p->remote;
	enum stanza_cond cond = remote_judge(r, pair_local(p), &why);

	if (cond == COND_NONE) {
		p->judged = pair_shard(p)->snap->serial;
		p->end_why = NULL; /* if its link has yet to end for that */
		pair_forgive(p);
	} else {
		pair_end(p, cond, why,
			cond == COND_ITEM_NOT_FOUND ? STREAM_HOST_GONE :
						      STREAM_POLICY_VIOLATION,
			NULL);
		watch_unreached(r);
	}
}

void
remotes_reloaded(struct shard *sh)
{
	struct remote *r, *next_r;
	struct remote_pair *p, *next;

	if (sh->remotes == NULL)
		return;
	for (r = LIST_FIRST(&sh->remotes->all); r != NULL; r = next_r) {
		next_r = LIST_NEXT(r, in);
		r->pause = (struct remote_pause){ .failures = 0 };
		pairs_walk(r);
		for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
			next = LIST_NEXT(p, in);
			pair_follow(p);
		}
		pairs_walked(r);
	}
}

/* --- the class --------------------------------------------------------------- */

/* False: there was none. */
static bool
remote_end_all(struct remote *r, enum stanza_cond cond, const char *why,
	enum stream_cond stream_cond, const char *text)
{
	struct remote_pair *p, *next;
	bool any = false;

	pairs_walk(r);
	for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
		next = LIST_NEXT(p, in);
		any = any || p->link != NULL;
		pair_end(p, cond, why, stream_cond, text);
	}
	pairs_walked(r);
	return any;
}

/* The server stops, or the domain is nobody's that we talk to. */
static bool
remote_close(struct entity *e, enum stream_cond cond, const char *text)
{
	struct remote *r = remote_of(e);
	bool gone = cond == STREAM_HOST_GONE, any;

	r->closed = cond;
	r->pause = (struct remote_pause){ .failures = 0 };
	any = remote_end_all(r,
		gone ? COND_REMOTE_SERVER_NOT_FOUND :
		       COND_REMOTE_SERVER_TIMEOUT,
		gone ? "cannot be reached any more" : remote_stops_text,
		cond, text);
	if (gone) {
		watch_gone(r);
		/* another reload may bring it back */
		r->closed = STREAM_COND_NONE;
		r->linked_us = r->failed_us = 0;
	}
	return any;
}

void
remotes_stop(struct shard *sh)
{
	struct remote_pair *p, *next;
	struct remote *r;

	if (sh->remotes == NULL)
		return;
	LIST_FOREACH (r, &sh->remotes->all, in) {
		r->closed = STREAM_SYSTEM_SHUTDOWN;
		for (p = LIST_FIRST(&r->pairs); p != NULL; p = next) {
			next = LIST_NEXT(p, in);
			pair_stop(p, COND_REMOTE_SERVER_TIMEOUT, remote_stops_text);
		}
	}
}

static bool
remote_is_idle(const struct entity *e)
{
	const struct remote *r = remote_of(e);

	return r->rests && LIST_EMPTY(&r->pairs) && r->watch.all.n == 0 &&
		r->closed == STREAM_COND_NONE &&
		remembered_until_us(r) <= e->shard->now_us;
}

void
remote_begin(struct remote *r)
{
	struct shard *sh = r->e.shard;

	if (sh->remotes == NULL) {
		sh->remotes = xcalloc(1, sizeof(*sh->remotes));
		TAILQ_INIT(&sh->remotes->at_rest);
	}
	LIST_INSERT_HEAD(&sh->remotes->all, r, in);
	r->serial = ++sh->remotes->last_serial;
	sh->remotes->n++;
	TAILQ_INSERT_TAIL(&sh->remotes->at_rest, r, rest);
	r->rests = true;
	watch_init(r);
}

static void
remote_load(struct entity *e)
{
	struct remote *r = remote_of(e);

	if (remote_wakes(r))
		return;
	remote_begin(r);
	entity_loaded(e);
}

/* Pairs that are left have failed, and nothing else. */
static void
remote_unload(struct entity *e)
{
	struct remote *r = remote_of(e);
	struct remotes *all = e->shard->remotes;

	while (!LIST_EMPTY(&r->pairs))
		pair_free(LIST_FIRST(&r->pairs));
	assert(r->rests && r->n_waiting == 0 && r->bytes == 0);
	TAILQ_REMOVE(&all->at_rest, r, rest);
	LIST_REMOVE(r, in);
	shard_timer_cancel(e->shard, &r->forget);
	watch_done(r);
	all->n_watch_asks -= r->watch.n_asks; /* their answers find nobody */
	failures_free(r);
	if (--all->n != 0)
		return;
	assert(all->askers == NULL && all->addresses == NULL &&
		all->n_pairs == 0 && all->strangers == 0 && all->guests == 0);
	e->shard->remotes = NULL;
	free(all);
}

const struct entity_class remote_class = {
	.name = "remote",
	.size = sizeof(struct remote),
	.whole_domain = true,
	.has_room = remotes_have_room,
	.load = remote_load,
	.receive = remote_receive,
	.receive_shared = remote_receive_shared,
	.told = remote_told,
	.close = remote_close,
	.is_idle = remote_is_idle,
	.unload = remote_unload,
};
