/*
 * router.c - where the recipient lives, and how the stanza gets there.
 */
#include "config.h"

#include "core/router.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/share.h"
#include "xml/elem.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/iq_ask.h"
#include "core/place.h"
#include "core/route.h"
#include "core/shard.h"
#include "core/wire.h"

/* Stanzas delivered in one turn, before the network is looked at again. */
#define STANZAS_A_TURN 8192
/* Senders slow down at the bound of a mailbox; what comes all the same, because
 * it was in flight or is an amplification, is refused at so many times that. */
#define MAILBOX_HARD_FACTOR 4

/* Recipients whose memory is asked for together, ahead of delivery. */
#define AHEAD 16

/* The recipients of a fan-out at one shard; in the arena of the stanza. */
struct recipients {
	size_t n;
	struct recipient {
		struct jid to;
		uint64_t hash; /* server_hash() of to */
	} all[];
};

struct stanza_mail {
	struct mail mail;
	struct stanza *st;
};

static void
on_stanza_mail(struct mail *m, void *owner)
{
	struct stanza_mail *sm = CONTAINER_OF(m, struct stanza_mail, mail);
	struct shard *sh = owner;

	STAILQ_INSERT_TAIL(&sh->local, sm->st, link);
}

/* st is taken; its mail lies in its own arena. */
static void
router_post(struct shard *sh, struct place to, struct stanza *st)
{
	size_t bound = sh->snap->config->limits.mailbox_bytes;
	size_t full = place_waiting(sh, to);
	struct stanza_mail *sm;

	if (full > bound)
		sh->congested = true;
	if (full > MAILBOX_HARD_FACTOR * bound) {
		sh->stats.refused++;
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			"The server is overloaded");
		return;
	}
	sm = arena_alloc(st->arena, sizeof(*sm));
	sm->mail.run = on_stanza_mail;
	sm->mail.bytes = (uint32_t)MIN(stanza_bytes(st), UINT32_MAX);
	sm->st = st;
	sh->stats.routed_away++;
	place_put(sh, to, &sm->mail);
}

/* st is taken. */
static void
router_pass(struct shard *sh, struct stanza *st, uint64_t hash, struct place to)
{
	st->to_hash = hash;
	if (!place_is_here(sh, to)) {
		router_post(sh, to, st);
		return;
	}
	sh->stats.routed_local++;
	STAILQ_INSERT_TAIL(&sh->local, st, link);
}

void
router_send(struct shard *sh, struct stanza *st)
{
	struct route r = route(sh, st->to);

	ASSERT_ON(sh);
	if (r.class != NULL)
		router_pass(sh, st, r.hash, r.place);
	else if (r.host == NULL)
		router_bounce(sh, st, COND_REMOTE_SERVER_NOT_FOUND,
			"This server does not talk to other servers");
	else
		router_bounce(sh, st, COND_ITEM_NOT_FOUND,
			"There are no addresses at this domain");
}

void
router_bounce(struct shard *sh, struct stanza *st, enum stanza_cond cond,
	const char *text)
{
	struct stanza *answer = NULL;
	struct route r = { .class = NULL };

	if (jid_is_set(st->from) && jid_is_set(st->to))
		answer = stanza_error(st, cond, str_c(text));
	stanza_free(st);
	if (answer != NULL)
		r = route(sh, answer->to);
	/* an address that is not ours would come back here for ever */
	if (r.class != NULL)
		router_pass(sh, answer, r.hash, r.place);
	else
		stanza_free(answer);
}

/* --- fan-out ----------------------------------------------------------------- */

static void
fanout_give(struct shard *sh, struct place to, struct stanza *st,
	const struct recipient *all, size_t n, size_t count)
{
	struct recipients *r = arena_alloc(st->arena,
		sizeof(*r) + count * sizeof(r->all[0]));

	r->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (place_eq(server_place(sh->server, all[i].hash), to))
			r->all[r->n++] = (struct recipient){
				jid_copy(st->arena, all[i].to), all[i].hash
			};
	}
	st->many = r;
	if (place_is_here(sh, to))
		STAILQ_INSERT_TAIL(&sh->local, st, link);
	else
		router_post(sh, to, st);
}

void
router_fanout(struct shard *sh, struct stanza *st, const struct jid *to, size_t n)
{
	struct server *srv = sh->server;
	struct recipient *all = xmalloc(n * sizeof(*all));
	size_t *counts = xcalloc(srv->n_shards, sizeof(*counts));
	struct place last = { 0 };
	size_t served = 0;

	ASSERT_ON(sh);
	for (size_t i = 0; i < n; i++) {
		struct route r = route(sh, to[i]);

		/* what has no state makes nothing of it */
		if (r.class == NULL || r.class->everywhere)
			continue;
		all[served++] = (struct recipient){ to[i], r.hash };
		last = r.place;
		counts[last.shard]++;
	}
	for (uint16_t i = 0; i < srv->n_shards; i++) {
		if (counts[i] != 0 && i != last.shard)
			fanout_give(sh, (struct place){ .shard = i },
				stanza_copy(st), all, served, counts[i]);
	}
	if (served != 0)
		fanout_give(sh, last, st, all, served, counts[last.shard]);
	else
		stanza_free(st);
	sh->stats.fanouts++;
	free(all);
	free(counts);
}

/* --- ahead of delivery --------------------------------------------------- */

/*
 * Where there are many sessions, a message spends more time waiting for memory
 * than on anything else: what it touches of its recipient hangs together by
 * pointers, so that each wait begins when the one before has ended.  Of several
 * recipients the waits can pass together: all are looked up a step further
 * before any of them is delivered to.
 */
static void
router_warm(struct shard *sh, const uint64_t *hashes, size_t n)
{
	struct entity *found[AHEAD];

	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++)
		table_warm(&sh->entities, hashes[i]);
	for (size_t i = 0; i < n; i++)
		found[i] = entity_warm(sh, hashes[i]);
	for (unsigned step = 0; step < WARM_STEPS; step++) {
		for (size_t i = 0; i < n; i++) {
			if (found[i] != NULL && found[i]->class->warm != NULL)
				found[i]->class->warm(found[i], step);
		}
	}
}

/* For an entity that is still loading. */
static struct stanza *
stanza_copy_for(const struct stanza *st, struct jid to)
{
	struct stanza *copy = stanza_copy(st);

	copy->many = NULL;
	stanza_set_to(copy, to);
	return copy;
}

static void
fanout_warm(struct shard *sh, const struct recipient *all, size_t n)
{
	uint64_t hashes[AHEAD];

	n = MIN(n, AHEAD);
	for (size_t i = 0; i < n; i++)
		hashes[i] = all[i].hash;
	router_warm(sh, hashes, n);
}

static void
fanout_deliver(struct shard *sh, struct stanza *st)
{
	struct wire *wire = NULL;

	for (size_t i = 0; i < st->many->n; i++) {
		const struct recipient *r = &st->many->all[i];
		struct entity *e;

		if (i % AHEAD == 0)
			fanout_warm(sh, r, st->many->n - i);
		e = entity_find_by_hash(sh, jid_bare_str(r->to), r->hash);
		if (e != NULL && e->state == ENTITY_LOADED &&
			e->class->receive_shared != NULL)
			e->class->receive_shared(e, st, &wire);
		else if (e != NULL)
			entity_deliver(e, stanza_copy_for(st, e->jid));
	}
	wire_unref(wire);
	stanza_free(st);
}

/* --- delivery ---------------------------------------------------------------- */

static void
router_deliver_to(struct shard *sh, struct stanza *st, struct route r)
{
	struct entity *e = entity_get(sh, r.class, r.key, r.hash);

	if (e != NULL)
		entity_deliver(e, st);
	else
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			"The server has too many accounts in memory");
}

/* What the server has asked itself is for whoever asked, on the shard where he
 * did: a host is on every shard.  True: st is taken. */
static bool
router_answers(struct shard *sh, struct stanza *st)
{
	struct place asker;

	if (!iq_ask_place(sh, st, &asker))
		return false;
	if (place_is_here(sh, asker))
		iq_ask_answered(sh, st);
	else
		router_post(sh, asker, st);
	return true;
}

static void
router_deliver(struct shard *sh, struct stanza *st)
{
	struct route r;

	if (st->many != NULL) {
		fanout_deliver(sh, st);
		return;
	}
	if (st->type >= IQ_RESULT && router_answers(sh, st))
		return;
	r = route_by_hash(sh, st->to, st->to_hash);
	if (r.class == NULL)
		router_bounce(sh, st, COND_ITEM_NOT_FOUND,
			"This domain is no longer served here");
	else if (!place_is_here(sh, r.place))
		/* a reload has made something else of it on its way */
		router_post(sh, r.place, st);
	else
		router_deliver_to(sh, st, r);
}

static void
queue_warm(struct shard *sh)
{
	uint64_t hashes[AHEAD];
	const struct stanza *st;
	size_t n = 0;

	STAILQ_FOREACH(st, &sh->local, link) {
		if (n == AHEAD)
			break;
		hashes[n++] = st->to_hash;
	}
	router_warm(sh, hashes, n);
}

static void
router_run_all(struct shard *sh)
{
	struct stanza *st;

	for (int i = 0; i < STANZAS_A_TURN; i++) {
		if (i % AHEAD == 0)
			queue_warm(sh);
		st = STAILQ_FIRST(&sh->local);
		if (st == NULL)
			return;
		STAILQ_REMOVE_HEAD(&sh->local, link);
		/* what comes of it counts where it does itself */
		share_set(arena_share(st->arena));
		router_deliver(sh, st);
	}
}

void
router_run(struct shard *sh)
{
	struct share *outer = share_current();

	router_run_all(sh);
	share_set(outer);
}
