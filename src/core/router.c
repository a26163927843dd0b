/*
 * router.c - where the recipient lives, and how the stanza gets there.
 */
#include "config.h"

#include "core/router_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/share.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/fanout.h"
#include "core/host.h"
#include "core/iq_ask.h"
#include "core/lane.h"
#include "core/place.h"
#include "core/receipt.h"
#include "core/route.h"
#include "core/shard.h"

/* Stanzas delivered in one turn, before the network is looked at again. */
#define STANZAS_A_TURN 8192
/* The same of members of broadcasts that have not had to wait for another, and of
 * connections that those are written to. */
#define MEMBERS_A_TURN 8192
#define WRITES_A_TURN 512
/* Senders slow down at the bound of a mailbox; what comes all the same, because
 * it was in flight or is an amplification, is refused at so many times that. */
#define MAILBOX_HARD_FACTOR 4

#define NOT_FEDERATED_TEXT "This server does not talk to other servers"

struct stanza_mail {
	struct mail mail;
	struct stanza *st;
};

static void
on_stanza_mail(struct mail *m, void *owner)
{
	struct stanza_mail *sm = CONTAINER_OF(m, struct stanza_mail, mail);
	struct shard *sh = shard_arg(owner);

	STAILQ_INSERT_TAIL(&sh->local, sm->st, link);
}

/* st is taken. */
static void
router_refuse(struct shard *sh, struct stanza *st)
{
	sh->stats.refused++;
	if (st->many != NULL)
		fanout_return(sh, st);
	else
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			"The server is overloaded");
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
		router_refuse(sh, st);
		return;
	}
	sm = arena_alloc(st->arena, sizeof(*sm));
	sm->mail.run = on_stanza_mail;
	sm->mail.bytes = (uint32_t)MIN(stanza_bytes(st) + fanout_bytes(st),
		UINT32_MAX);
	sm->st = st;
	sh->stats.routed_away++;
	place_put(sh, to, &sm->mail);
}

void
router_put(struct shard *sh, struct place to, struct stanza *st)
{
	if (place_is_here(sh, to))
		STAILQ_INSERT_TAIL(&sh->local, st, link);
	else
		router_post(sh, to, st);
}

/* st is taken. */
static void
router_pass(struct shard *sh, struct stanza *st, uint64_t hash, struct place to)
{
	st->to_hash = hash;
	if (place_is_here(sh, to))
		sh->stats.routed_local++;
	router_put(sh, to, st);
}

void
router_send(struct shard *sh, struct stanza *st)
{
	struct route r = route(sh, st->to);

	ASSERT_ON(sh);
	if (r.class != NULL)
		router_pass(sh, st, r.to_hash, r.place);
	else if (r.host == NULL)
		router_bounce(sh, st, COND_REMOTE_SERVER_NOT_FOUND,
			NOT_FEDERATED_TEXT);
	else
		router_bounce(sh, st, COND_ITEM_NOT_FOUND,
			"There are no addresses at this domain");
}

enum stanza_cond
router_forbids(const struct snapshot *snap, struct jid from, struct jid to,
	const char **why_out)
{
	const struct host *local;

	if (snapshot_host(snap, jid_domain(to)) != NULL)
		return COND_NONE;
	local = snapshot_host(snap, jid_domain(from));
	*why_out = "The domain that this came from is not served here";
	if (local == NULL)
		return COND_ITEM_NOT_FOUND;
	*why_out = NOT_FEDERATED_TEXT;
	if (route_class(snap, to) == NULL)
		return COND_REMOTE_SERVER_NOT_FOUND;
	switch (federation_may(snap, local, jid_domain(to))) {
	case FEDERATION_OFF_HERE:
		return COND_REMOTE_SERVER_NOT_FOUND;
	case FEDERATION_FORBIDDEN:
		*why_out = "That domain is not talked to from here";
		return COND_NOT_ALLOWED;
	case FEDERATION_MAY:
		break;
	}
	return COND_NONE;
}

void
router_bounce(struct shard *sh, struct stanza *st, enum stanza_cond cond,
	const char *text)
{
	struct stanza *answer = NULL;
	struct route r = { .class = NULL };

	/* what many should have had comes back in another way (fanout_return()) */
	if (jid_is_set(st->from) && jid_is_set(st->to) && st->many == NULL)
		answer = stanza_error(st, cond, str_c(text));
	if (answer != NULL)
		receipt_move(answer, st);
	fanout_drop(sh, st);
	if (answer != NULL)
		r = route(sh, answer->to);
	/* an address that is nobody's would come back here for ever */
	if (r.class != NULL)
		router_pass(sh, answer, r.to_hash, r.place);
	else
		stanza_free(answer);
}

bool
router_need_not_bounce(const struct shard *sh, const struct stanza *st)
{
	const struct host *host;

	if (st->kind != STANZA_PRESENCE || !st->made_here)
		return false;
	host = snapshot_host(sh->snap, jid_domain(st->from));
	return host == NULL || host->service == NULL;
}

/* --- ahead of delivery --------------------------------------------------- */

/*
 * Where there are many sessions, a message spends more time waiting for memory
 * than on anything else: what it touches of its recipient hangs together by
 * pointers, so that each wait begins when the one before has ended.  Of several
 * recipients the waits can pass together: all are looked up a step further
 * before any of them is delivered to.
 */
void
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

/* --- delivery ---------------------------------------------------------------- */

static void
router_deliver_to(struct shard *sh, struct stanza *st, struct route r)
{
	struct entity *e = entity_get(sh, r.class, r.key, r.hash);

	if (e != NULL)
		entity_deliver(e, st);
	else
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			r.host != NULL ?
				"The server has too many accounts in memory" :
				"The server talks to too many others already");
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

void
router_deliver(struct shard *sh, struct stanza *st)
{
	struct route r;

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

bool
router_step(struct shard *sh, struct stanza *st, struct turn_left *left)
{
	/* what comes of it counts where it does itself */
	share_set(arena_share(st->arena));
	if (st->many != NULL)
		return fanout_deliver(sh, st, left);
	router_deliver(sh, st);
	return true;
}

static size_t
router_run_all(struct shard *sh)
{
	struct turn_left left = { MEMBERS_A_TURN,
		net_work(sh->net) + WRITES_A_TURN };
	struct stanza *st;
	size_t n;

	for (n = 0; n < STANZAS_A_TURN; n++) {
		if (n % AHEAD == 0)
			queue_warm(sh);
		st = STAILQ_FIRST(&sh->local);
		if (st == NULL)
			break;
		STAILQ_REMOVE_HEAD(&sh->local, link);
		if (sh->lanes != NULL && lane_takes(sh, st))
			continue;
		if (!router_step(sh, st, &left))
			lane_open(sh, st);
	}
	return n;
}

size_t
router_run(struct shard *sh)
{
	struct share *outer = share_current();
	size_t n = router_run_all(sh);

	share_set(outer);
	return n;
}
