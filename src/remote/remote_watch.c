/*
 * remote_watch.c - who of ours wants to know which users of a domain are there, and
 * what he is told when it cannot be reached, or is again.
 *
 *                 asks for their presence
 *	   nobody ------------------------------> sees
 *	     ^                                    |   it has not got there, or the
 *	     |  it can be reached: is told,       v   domain is lost: is told
 *	     '----- and asks again ------------ waits
 *
 * Who has no contacts there any more, or has gone, watches nobody; that shows when he
 * is told something, and he is asked about it when he sends what may be the last
 * that goes there.
 *
 * A stream that has closed is no loss: the domain is lost when it could not be
 * reached for s2s: unreachable_after, and was before.  Those are told some at a time,
 * so that what they do then is no burden.  Meanwhile one of them asks now and then,
 * which is a trial.
 *
 * The shard of the remote.  Invariant: each watcher is in one of the two lists.
 */
#include "config.h"

#include "remote/remote_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "xmpp/stanza.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/server.h"

/* So many are told at once, and so long passes until the next are. */
#define AT_ONCE 100
#define PAUSE_US (100 * US_PER_MS)
/* Of each account that may be in memory, on the average. */
#define DOMAINS_EACH 4
/* Of one shard, who have yet to answer: questions have a bound for all. */
#define ASKS_MAX 1024

struct watcher {
	TAILQ_ENTRY(watcher) in;
	uint64_t hash; /* server_hash() of jid */
	struct jid jid; /* bare */
	bool waits;
	bool saw; /* waits, and knows who was there */
	bool asked; /* has yet to answer */
	char text[];
};

static void on_watch_due(struct timer *t);
static void watch_settle(struct remote *r, int64_t pause_us);

/* --- the lists --------------------------------------------------------------- */

static struct watcher *
watcher_find(const struct remote_watch *w, struct jid bare, uint64_t hash)
{
	size_t at = table_start(&w->all, hash);
	struct watcher *of;

	while ((of = table_next(&w->all, hash, &at)) != NULL) {
		if (jid_eq(of->jid, bare))
			break;
	}
	return of;
}

static struct watchers *
watcher_list(struct remote_watch *w, const struct watcher *of)
{
	return of->waits ? &w->waits : &w->sees;
}

static void
watcher_move(struct remote_watch *w, struct watcher *of, bool waits)
{
	TAILQ_REMOVE(watcher_list(w, of), of, in);
	of->waits = waits;
	TAILQ_INSERT_TAIL(watcher_list(w, of), of, in);
}

/* NULL: there are too many. */
static struct watcher *
watcher_get(struct remote *r, struct jid jid, bool waits)
{
	struct shard *sh = r->e.shard;
	struct jid bare = jid_bare(jid);
	uint64_t hash = server_hash(sh->server, jid_str(bare));
	struct watcher *of = watcher_find(&r->watch, bare, hash);
	int64_t max = DOMAINS_EACH * sh->snap->config->limits.entities /
		(int64_t)sh->server->n_shards;

	if (of != NULL || sh->remotes->n_watchers >= max)
		return of;
	of = xmalloc(sizeof(*of) + bare.len);
	*of = (struct watcher){ .hash = hash, .jid = bare, .waits = waits };
	of->jid.text = memcpy(of->text, bare.text, bare.len);
	TAILQ_INSERT_TAIL(watcher_list(&r->watch, of), of, in);
	table_add(&r->watch.all, hash, of);
	sh->remotes->n_watchers++;
	return of;
}

static void
watcher_free(struct remote *r, struct watcher *of)
{
	TAILQ_REMOVE(watcher_list(&r->watch, of), of, in);
	table_remove(&r->watch.all, of->hash, of);
	r->e.shard->remotes->n_watchers--;
	free(of);
}

/* --- telling ----------------------------------------------------------------- */

/* He is told what he asked to be told, and no more is known of him. */
static void
watcher_tell(const struct remote *r, const struct watcher *of,
	enum entity_message_kind what)
{
	entity_tell(r->e.shard,
		&(struct entity_message){
			.kind = what,
			.to = of->jid,
			.resource = STR_NONE,
			.text = jid_str(r->e.jid),
		});
}

struct watch_ask {
	struct entity_ref remote;
	enum entity_message_kind what;
	uint64_t hash; /* of the watcher */
	struct jid jid;
	char text[];
};

/* Who watches nobody there is none, and what he was to try is for the next one. */
static void
watch_answered(struct remote *r, const struct watch_ask *ask, bool watches)
{
	struct watcher *of = watcher_find(&r->watch, ask->jid, ask->hash);

	if (of == NULL)
		return;
	of->asked = false;
	if (watches)
		return;
	watcher_free(r, of);
	if (ask->what == TELL_DOMAIN_BACK && r->watch.unreached_us != 0)
		r->watch.quiet_us = 0;
	/* else others, as many as come, would put off what is due */
	if (ask->what == TELL_DOMAIN_BACK || r->watch.all.n == 0)
		watch_settle(r, PAUSE_US);
	entity_check_idle(&r->e);
}

static void
on_watch_answered(void *arg, bool ok, const struct err *err)
{
	struct watch_ask *ask = arg;
	struct entity *e = entity_ref_end(&ask->remote);
	struct remote *r = (struct remote *)(void *)e;

	if (r != NULL) {
		r->watch.n_asks--;
		e->shard->remotes->n_watch_asks--;
		watch_answered(r, ask, ok || err->code != ERR_MISSING);
	}
	free(ask);
}

/* The same, and whether he watches anybody shows; but not while too many have yet to
 * answer. */
static void
watcher_ask(struct remote *r, struct watcher *of, enum entity_message_kind what)
{
	struct remotes *all = r->e.shard->remotes;
	struct watch_ask *ask;

	if (of->asked || all->n_watch_asks >= ASKS_MAX) {
		if (what != TELL_STILL_WATCHES)
			watcher_tell(r, of, what);
		return;
	}
	of->asked = true;
	r->watch.n_asks++;
	all->n_watch_asks++;
	ask = xmalloc(sizeof(*ask) + of->jid.len);
	*ask = (struct watch_ask){ .what = what, .hash = of->hash,
		.jid = of->jid };
	ask->jid.text = memcpy(ask->text, of->jid.text, of->jid.len);
	entity_ref(&ask->remote, &r->e);
	entity_ask(r->e.shard,
		&(struct entity_message){
			.kind = what,
			.to = ask->jid,
			.resource = STR_NONE,
			.text = jid_str(r->e.jid),
		},
		on_watch_answered, ask);
}

/* Then it is not reached by one of the others alone. */
static bool
remote_is_linked(const struct remote *r)
{
	const struct remote_pair *p;

	LIST_FOREACH (p, &r->pairs, in) {
		if (p->link != NULL && !p->ending)
			return true;
	}
	return false;
}

static bool
remote_is_behind(const struct remote *r)
{
	const struct remote_pair *p;

	LIST_FOREACH (p, &r->pairs, in) {
		if (p->link != NULL && p->link->n_waiting != 0)
			return true;
	}
	return r->n_waiting != 0;
}

/* They ask again, and see then. */
static void
watch_tell_back(struct remote *r)
{
	struct watcher *of;

	for (int n = 0; n < AT_ONCE && !remote_is_behind(r) &&
		(of = TAILQ_FIRST(&r->watch.waits)) != NULL;
		n++) {
		watcher_tell(r, of, TELL_DOMAIN_BACK);
		watcher_free(r, of);
	}
}

/* Where it never was reached, nobody has seen anything. */
static void
watch_tell_away(struct remote *r)
{
	struct remote_watch *w = &r->watch;
	struct watcher *of;

	for (int n = 0; n < AT_ONCE && (of = TAILQ_FIRST(&w->sees)) != NULL;
		n++) {
		if (w->reached)
			watcher_ask(r, of, TELL_DOMAIN_AWAY);
		of->saw = false;
		watcher_move(w, of, true);
	}
}

static void
watch_try(struct remote *r)
{
	struct remote_watch *w = &r->watch;
	struct watcher *of = TAILQ_FIRST(&w->waits);

	if (of == NULL)
		of = TAILQ_FIRST(&w->sees);
	w->quiet_us = r->e.shard->now_us + remote_conf(r)->backoff_max_us;
	watcher_move(w, of, of->waits); /* the next time it is another one */
	watcher_ask(r, of, TELL_DOMAIN_BACK);
}

/* --- time -------------------------------------------------------------------- */

/* INT64_MAX: never. */
static int64_t
watch_next_us(const struct remote *r)
{
	const struct remote_watch *w = &r->watch;
	int64_t lost_us = w->unreached_us + remote_conf(r)->unreachable_us;

	if (w->all.n == 0 || r->closed != STREAM_COND_NONE)
		return INT64_MAX;
	if (w->unreached_us == 0)
		return TAILQ_EMPTY(&w->waits) ? INT64_MAX : w->quiet_us;
	if (!w->lost)
		return MIN(w->quiet_us, lost_us);
	return TAILQ_EMPTY(&w->sees) ? w->quiet_us : 0;
}

static void
watch_settle(struct remote *r, int64_t pause_us)
{
	struct shard *sh = r->e.shard;
	int64_t next_us = watch_next_us(r);

	if (next_us == INT64_MAX)
		shard_timer_cancel(sh, &r->watch.timer);
	else
		shard_timer(sh, &r->watch.timer,
			MAX(next_us - sh->now_us, pause_us), on_watch_due);
}

static void
watch_lose(struct remote *r)
{
	struct remote_watch *w = &r->watch;
	struct watcher *of, *next;

	w->lost = true;
	for (of = TAILQ_FIRST(&w->waits); of != NULL; of = next) {
		next = TAILQ_NEXT(of, in);
		if (of->saw)
			watcher_move(w, of, false);
	}
}

static void
on_watch_due(struct timer *t)
{
	struct remote *r = CONTAINER_OF(t, struct remote, watch.timer);
	struct remote_watch *w = &r->watch;
	int64_t now_us = r->e.shard->now_us;

	if (w->unreached_us == 0) {
		watch_tell_back(r);
	} else {
		if (w->unreached_us + remote_conf(r)->unreachable_us <= now_us &&
			!w->lost)
			watch_lose(r);
		if (w->lost)
			watch_tell_away(r);
		if (w->quiet_us <= now_us)
			watch_try(r);
	}
	watch_settle(r, PAUSE_US);
	entity_check_idle(&r->e);
}

/* --- what happens ------------------------------------------------------------ */

void
watch_init(struct remote *r)
{
	TAILQ_INIT(&r->watch.sees);
	TAILQ_INIT(&r->watch.waits);
}

bool
watch_asks(const struct stanza *st)
{
	return st->type == PRESENCE_PROBE || st->type == PRESENCE_SUBSCRIBE;
}

/* Of one session, or for one contact, maybe: only he knows of others. */
static void
watch_leave(struct remote *r, struct jid from)
{
	struct jid bare = jid_bare(from);
	struct watcher *of = watcher_find(&r->watch, bare,
		server_hash(r->e.shard->server, jid_str(bare)));

	if (of != NULL)
		watcher_ask(r, of, TELL_STILL_WATCHES);
}

/* While it is lost, who asks waits, until it is reached by that or otherwise. */
void
watch_pass(struct remote *r, const struct stanza *st)
{
	struct watcher *of;

	if ((st->type == PRESENCE_UNAVAILABLE ||
		    st->type == PRESENCE_UNSUBSCRIBE) &&
		r->watch.all.n != 0)
		watch_leave(r, st->from);
	if (!watch_asks(st) || jid_local(st->from).n == 0)
		return;
	of = watcher_get(r, st->from, r->watch.lost);
	if (of != NULL && of->waits && !r->watch.lost)
		watcher_move(&r->watch, of, false);
	if (!timer_is_set(&r->watch.timer))
		watch_settle(r, PAUSE_US);
}

void
watch_missed(struct remote *r, const struct stanza *st)
{
	struct remote_watch *w = &r->watch;
	struct jid bare = jid_bare(st->from);
	struct watcher *of = NULL;

	if (watch_asks(st))
		of = watcher_find(w, bare,
			server_hash(r->e.shard->server, jid_str(bare)));
	if (of == NULL || of->waits || w->lost)
		return;
	of->saw = true;
	watcher_move(w, of, true);
	if (w->quiet_us <= r->e.shard->now_us)
		w->quiet_us = r->e.shard->now_us +
			remote_conf(r)->backoff_max_us;
	watch_settle(r, PAUSE_US);
}

void
watch_told(struct remote *r, struct entity_message *m)
{
	(void)watcher_get(r, jid_trusted(m->text), true);
	if (!timer_is_set(&r->watch.timer))
		watch_settle(r, PAUSE_US);
	entity_answer(m, NULL);
}

void
watch_reached(struct remote *r)
{
	struct remote_watch *w = &r->watch;

	w->reached = true;
	w->lost = false;
	w->unreached_us = w->quiet_us = 0;
	watch_settle(r, PAUSE_US);
}

void
watch_unreached(struct remote *r)
{
	struct remote_watch *w = &r->watch;

	if (w->unreached_us != 0 || remote_is_linked(r))
		return;
	w->unreached_us = r->e.shard->now_us;
	w->quiet_us = w->unreached_us + remote_conf(r)->backoff_max_us;
	watch_settle(r, PAUSE_US);
}

void
watch_gone(struct remote *r)
{
	const struct watcher *of;

	TAILQ_FOREACH (of, &r->watch.sees, in)
		watcher_tell(r, of, TELL_DOMAIN_AWAY);
	TAILQ_FOREACH (of, &r->watch.waits, in) {
		if (of->saw)
			watcher_tell(r, of, TELL_DOMAIN_AWAY);
	}
	watch_done(r);
}

void
watch_done(struct remote *r)
{
	struct watchers *lists[] = { &r->watch.sees, &r->watch.waits };

	for (size_t i = 0; i < COUNT(lists); i++) {
		while (!TAILQ_EMPTY(lists[i]))
			watcher_free(r, TAILQ_FIRST(lists[i]));
	}
	table_done(&r->watch.all);
	shard_timer_cancel(r->e.shard, &r->watch.timer);
}
