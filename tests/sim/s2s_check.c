/*
 * s2s_check.c - what must hold between the users of two servers, and in these.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/memuse.h"
#include "xmpp/jid.h"
#include "xmpp/subscription.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "remote/remote_int.h"
#include "../peek.h"
#include "sim_s2s.h"

/* --- messages and questions -------------------------------------------------------- */

static bool
may_be_missing(const struct pair *p, unsigned i)
{
	if (p->asleep[i] || (p->lost[i] && p->unkept[i]))
		return true;
	return p->gone[i] && (!p->acked[i] || p->refused[i]);
}

static void
check_messages(struct sim *s, unsigned u, unsigned v)
{
	const struct pair *p = &s->pairs[u][v];

	for (unsigned i = 0; i < p->sent; i++) {
		s->sum.sent++;
		s->sum.arrived += p->arrived[i];
		s->sum.refused += p->errors[i] != 0;
		s->sum.late += p->late[i];
		if (p->arrived[i] || p->errors[i] != 0)
			continue;
		s->sum.lost += p->lost[i];
		s->sum.untold += !p->lost[i];
		if (!may_be_missing(p, i))
			sim_fail(s, "message %u of u%u never reached u%u%s", i,
				u, v, p->acked[i] ? ", but was acknowledged" : "");
	}
}

static void
check_questions(struct sim *s)
{
	for (unsigned i = 0; i < s->n_questions; i++) {
		const struct question *q = &s->questions[i];

		if (q->answers == 0 && !q->may_miss &&
			!(s->lossy && q->is_there))
			sim_fail(s, "q%u of u%u/r%u was never answered", i,
				q->user, q->index);
	}
}

static void
check_acknowledged(struct sim *s)
{
	for (unsigned i = 0; i < USERS * CLIENTS; i++)
		user_check_acked(&s->clients[i / CLIENTS][i % CLIENTS]);
}

/* --- subscriptions ----------------------------------------------------------------- */

static uint8_t
state_of(const struct sim *s, unsigned u, unsigned v)
{
	return user_state(&s->clients[u][0], &s->clients[v][0]);
}

/*
 * Of u, who wants to see v.  A wish is repeated until it is answered (RFC 6121
 * §3.1.2), and who sees asks whether he still may (§4.3), so that neither is believed
 * for long when it is not so.  That somebody is shown to one who does not ask any
 * more, nothing mends: then the letter is known to have gone astray.
 */
static bool
agree(struct sim *s, unsigned u, unsigned v)
{
	uint8_t mine = state_of(s, u, v), theirs = state_of(s, v, u);
	bool sees = (mine & SUB_TO) != 0, shown = (theirs & SUB_FROM) != 0;
	bool waits = (mine & SUB_PENDING_OUT) != 0;
	bool asked = (theirs & SUB_PENDING_IN) != 0;
	bool excused = s->pairs[u][v].unsure || s->pairs[v][u].denied;

	if (!subscription_is_legal(mine))
		sim_fail(s, "u%u has an illegal state with u%u: %u", u, v, mine);
	if ((sees && !shown) || (waits && !asked) ||
		(shown && !sees && !excused) || (asked && !waits && !excused))
		sim_fail(s, "u%u has %u with u%u, who has %u", u, mine, v,
			theirs);
	return sees == shown;
}

static bool
is_online(const struct sim_client *sc)
{
	return sc->c.conn != NULL && !sc->leaving;
}

static void
check_presence(struct sim *s, unsigned u, unsigned v)
{
	bool entitled = (state_of(s, u, v) & SUB_TO) != 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct sim_client *at = &s->clients[u][i];

		for (unsigned j = 0; j < CLIENTS; j++) {
			const struct sim_client *other = &s->clients[v][j];

			if (is_online(at))
				user_check_sees(at, other, entitled,
					is_online(other));
		}
	}
}

static void
each_pair(struct sim *s, void (*fn)(struct sim *s, unsigned u, unsigned v))
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned v = !world_of(u); v < USERS; v += WORLDS)
			fn(s, u, v);
}

static void
check_seen(struct sim *s, unsigned u, unsigned v)
{
	if (agree(s, u, v))
		check_presence(s, u, v);
}

/* Nothing was lost that would have told, or had been asked for. */
static void
check_still_seen(struct sim *s, unsigned u, unsigned v)
{
	const struct pair *there = &s->pairs[v][u], *back = &s->pairs[u][v];

	if (!there->unshown && !there->unsure && !back->unsure)
		check_seen(s, u, v);
}

void
sim_check_seen(struct sim *s)
{
	each_pair(s, check_still_seen);
}

static bool
all_are_online(struct sim *s)
{
	for (unsigned i = 0; i < USERS * CLIENTS; i++)
		if (s->clients[i / CLIENTS][i % CLIENTS].c.state !=
			CLIENT_ONLINE)
			sim_fail(s, "u%u/r%u did not come online", i / CLIENTS,
				i % CLIENTS);
	return !s->failed;
}

void
sim_check_said(struct sim *s)
{
	if (!all_are_online(s))
		return;
	check_acknowledged(s);
	check_questions(s);
	each_pair(s, check_messages);
}

void
sim_check(struct sim *s)
{
	struct buf differs = BUF_INIT;

	if (!all_are_online(s))
		return;
	each_pair(s, check_seen);
	for (unsigned i = 0; i < WORLDS; i++)
		if (!world_memory_is_disk(s->worlds[i], &differs))
			sim_fail(s, "%s", buf_c(&differs));
	buf_done(&differs);
}

/* --- what is left ------------------------------------------------------------------ */

static void
check_shard(struct sim *s, unsigned world, const struct shard *sh)
{
	const struct shard_stats *st = &sh->stats;
	const struct remotes *r = sh->remotes;
	const struct remote *remote;

	if (st->streams != 0 || st->sessions != 0)
		sim_fail(s, "%u: %u streams and %u sessions are left", world,
			(unsigned)st->streams, (unsigned)st->sessions);
	if (st->link_bytes.now != 0 || st->line_bytes.now != 0 ||
		st->session_bytes.now != 0 || st->inbox_bytes.now != 0)
		sim_fail(s, "%u: something waits for nobody", world);
	if (r != NULL &&
		(r->n_pairs != 0 || r->strangers != 0 || r->askers != NULL))
		sim_fail(s, "%u: %u pairs are left, %u of strangers", world,
			r->n_pairs, r->strangers);
	if (r != NULL)
		LIST_FOREACH (remote, &r->all, in)
			if (remote->n_busy != 0 || remote->n_verifies != 0 ||
				remote->n_waiting != 0 || remote->bytes != 0)
				sim_fail(s, "%u: something is left of a domain",
					world);
	if (sh->iq_asks != 0 || sh->passed.n != 0)
		sim_fail(s, "%u: %u questions are open", world, sh->iq_asks);
}

void
sim_check_nothing_left(struct sim *s)
{
	for (unsigned i = 0; i < WORLDS; i++) {
		const struct world *w = s->worlds[i];

		for (unsigned j = 0; j < w->n_shards; j++)
			check_shard(s, i, w->server->shards[j]);
	}
}
