/*
 * s2s_users.c - users of two servers: they come and go, talk, ask, and want to see
 * each other, always those of the other server.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sim_s2s.h"

/* --- coming and going -------------------------------------------------------------- */

static void
do_connect(struct sim_client *sc)
{
	client_read(&sc->c); /* who said goodbye reads to the end */
	seeds_say("u%u/r%u connects", sc->user, sc->index);
	user_connect(sc, (int)sim_draw(sc->sim, 5));
}

/* Of what it has said it hears no more. */
static void
user_goes(struct sim_client *sc)
{
	struct sim *s = sc->sim;

	sc->leaving = true;
	for (unsigned to = 0; to < USERS; to++) {
		struct pair *p = &s->pairs[sc->user][to];

		for (unsigned i = 0; i < p->sent; i++)
			if (p->by[i] == sc->index && !p->arrived[i] &&
				p->errors[i] == 0)
				p->gone[i] = true;
		p->unsure = p->unsure || (s->any_trouble && sc->wished[to]);
	}
	for (unsigned i = 0; i < s->n_questions; i++) {
		struct question *q = &s->questions[i];

		if (q->user == sc->user && q->index == sc->index)
			q->may_miss = true;
	}
}

static void
do_leave(struct sim_client *sc)
{
	seeds_say("u%u/r%u leaves", sc->user, sc->index);
	user_ends(sc);
	user_goes(sc);
	client_leave(&sc->c);
}

/* To return to its session. */
static void
do_break(struct sim_client *sc)
{
	seeds_say("u%u/r%u breaks", sc->user, sc->index);
	sc->leaving = true;
	client_break(&sc->c);
}

void
users_connect(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			struct sim_client *sc = &s->clients[u][i];

			if (sc->c.state == CLIENT_FAILED)
				client_break(&sc->c);
			if (sc->c.conn == NULL)
				do_connect(sc);
		}
	}
}

/* Nobody knows what became of what it says again, nor hears of what else it has
 * said. */
static void
on_begins(struct sim_client *sc)
{
	struct sim *s = sc->sim;

	seeds_say("u%u/r%u begins anew", sc->user, sc->index);
	user_goes(sc);
	sc->leaving = false;
	for (unsigned to = 0; to < USERS; to++) {
		struct pair *p = &s->pairs[sc->user][to];

		for (unsigned i = 0; i < p->sent; i++) {
			if (p->by[i] != sc->index ||
				!user_may_repeat(sc, to, i))
				continue;
			p->gone[i] = false;
			p->again[i]++;
		}
	}
}

void
users_leave(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < CLIENTS; i++)
			if (s->clients[u][i].c.conn != NULL &&
				!s->clients[u][i].leaving)
				do_leave(&s->clients[u][i]);
}

/* What waits in its session for its return is in memory alone; and what it had, but has
 * not acknowledged, may be kept for whoever comes next. */
static void
user_forgets(struct sim_client *sc)
{
	struct sim *s = sc->sim;

	s->forgets[sc->user] = true;
	for (unsigned from = 0; from < USERS; from++) {
		struct pair *p = &s->pairs[from][sc->user];

		for (unsigned i = 0; i < p->sent && !device_is_on(&sc->d); i++)
			p->asleep[i] = p->asleep[i] || !p->arrived[i];
	}
}

static void
user_of_world_goes(struct sim_client *sc, bool killed)
{
	client_read(&sc->c);
	if (killed && sc->managed)
		user_forgets(sc);
	if (!sc->managed)
		user_goes(sc);
	else if (sc->c.conn != NULL && !killed)
		sc->sim->sum.slept++;
	sc->leaving = sc->leaving || killed;
	if (killed)
		client_break(&sc->c);
}

void
users_of_world_go(struct sim *s, unsigned world, bool killed)
{
	for (unsigned u = world; u < USERS; u += WORLDS)
		for (unsigned i = 0; i < CLIENTS; i++)
			user_of_world_goes(&s->clients[u][i], killed);
	/* whoever was asked there may be gone as well */
	for (unsigned i = 0; i < s->n_questions; i++)
		s->questions[i].may_miss = true;
}

/* --- what they do ------------------------------------------------------------------ */

static void
do_message(struct sim_client *sc, unsigned to)
{
	struct sim *s = sc->sim;
	struct pair *p = &s->pairs[sc->user][to];
	unsigned number = s->next[sc->user][sc->index][to];

	if (p->sent == MESSAGES_MAX)
		return;
	seeds_say("u%u/r%u says %u (%u) to u%u", sc->user, sc->index, number,
		p->sent, to);
	user_send(sc,
		"<message type='chat' id='m%u-%u-%u' to='u%u@%s'><body>%u %u %u "
		"%u%*s</body></message>",
		sc->user, to, p->sent, to, domain_of(to), sc->user, sc->index,
		number, p->sent, 
		sim_draw(s, s->heavy ? 2 : 8) == 0 ? (int)s->long_bytes : 0,
		"");
	s->next[sc->user][sc->index][to]++;
	user_said(sc, to, p->sent);
	p->by[p->sent] = (uint8_t)sc->index;
	p->sent++;
}

static void
do_question(struct sim_client *sc, unsigned to)
{
	struct sim *s = sc->sim;
	char who[64];

	if (s->n_questions == ASKED_MAX)
		return;
	switch (sim_draw(s, 4)) {
	case 0:
		snprintf(who, sizeof(who), "%s", domain_of(to));
		break;
	case 1:
		snprintf(who, sizeof(who), "u%u@%s", to, domain_of(to));
		break;
	default:
		snprintf(who, sizeof(who), "u%u@%s/r%u", to, domain_of(to),
			(unsigned)sim_draw(s, CLIENTS));
	}
	seeds_say("u%u/r%u asks q%u of %s", sc->user, sc->index, s->n_questions,
		who);
	s->questions[s->n_questions] =
		(struct question){ .user = sc->user, .index = sc->index };
	user_send(sc,
		"<iq type='get' id='q%u' to='%s'><query xmlns="
		"'jabber:iq:version'/></iq>",
		s->n_questions++, who);
}

static const char *const subscription_acts[] = { "subscribe", "subscribe",
	"subscribe", "subscribed", "unsubscribe", "unsubscribed" };

static void
do_subscription(struct sim_client *sc, unsigned to)
{
	struct sim *s = sc->sim;
	const char *act =
		subscription_acts[sim_draw(s, COUNT(subscription_acts))];
	struct pair *p = &s->pairs[sc->user][to];

	/* a wish that is repeated while its denial is on the way is a new one
	 * there, but denied here: so the tables have it */
	if (strcmp(act, "subscribe") == 0) {
		if (p->asked && (s->wires.slow || s->any_trouble))
			return;
		if (p->asked)
			sim_settle(s);
		if (sc->c.state != CLIENT_ONLINE || sc->leaving)
			return;
		p->asked = true;
	}
	if (strcmp(act, "unsubscribed") == 0)
		p->denied = true;
	sc->wished[to] = true;
	seeds_say("u%u/r%u sends %s to u%u", sc->user, sc->index, act, to);
	user_send(sc, "<presence type='%s' to='u%u@%s'/>", act, to,
		domain_of(to));
}

static void
do_roster(struct sim_client *sc, unsigned to)
{
	struct pair *p = &sc->sim->pairs[sc->user][to];

	seeds_say("u%u/r%u removes u%u", sc->user, sc->index, to);
	p->denied = true;
	p->unsure = p->unsure || sc->sim->any_trouble;
	user_send(sc,
		"<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item "
		"jid='u%u@%s' subscription='remove'/></query></iq>",
		to, domain_of(to));
}

static void
do_presence(struct sim_client *sc)
{
	user_send(sc,
		"<presence><show>%s</show><priority>%u</priority></presence>",
		sim_draw(sc->sim, 2) == 0 ? "away" : "dnd",
		(unsigned)sim_draw(sc->sim, 3));
}

static void
user_does(struct sim_client *sc, unsigned to)
{
	struct sim *s = sc->sim;

	switch (sim_draw(s, 16)) {
	case 0:
		if (sc->managed && s->cuts)
			do_break(sc);
		else if (!sc->managed && s->leaves)
			do_leave(sc);
		break;
	case 1:
	case 2:
	case 3:
		do_subscription(sc, to);
		break;
	case 4:
		if (sim_draw(s, 3) == 0)
			do_roster(sc, to);
		break;
	case 5:
		do_presence(sc);
		break;
	case 6:
	case 7:
	case 8:
		do_question(sc, to);
		break;
	case 9:
		for (uint64_t n = sim_draw(s, 20); n > 0; n--)
			do_message(sc, to);
		break;
	default:
		do_message(sc, to);
	}
}

void
users_act(struct sim *s)
{
	struct sim_client *sc = &s->clients[sim_draw(s, USERS)]
					   [sim_draw(s, CLIENTS)];
	/* one of the other server */
	unsigned to = (unsigned)(sim_draw(s, USERS / WORLDS) * WORLDS) +
		!world_of(sc->user);

	if (sc->c.conn == NULL) {
		do_connect(sc);
		return;
	}
	if (sc->c.state != CLIENT_ONLINE || sc->leaving)
		return;
	if (!sc->asked || sim_draw(s, 4) == 0)
		user_ask(sc);
	if (user_is_counted(sc))
		user_does(sc, to);
}

/* --- all of them -------------------------------------------------------------------- */

void
users_ask(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < CLIENTS; i++)
			user_ask(&s->clients[u][i]);
}

void
users_init(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		char local[8];

		snprintf(local, sizeof(local), "u%u", u);
		world_add_account_at(s->worlds[world_of(u)], local,
			domain_of(u));
		for (unsigned i = 0; i < CLIENTS; i++) {
			user_init(&s->clients[u][i], s,
				s->worlds[world_of(u)], u, i, domain_of(u));
			s->clients[u][i].c.on_stanza = users_on_stanza;
			s->clients[u][i].got = users_on_got;
			s->clients[u][i].begins = on_begins;
			if (s->sleeps && i == 0)
				user_manage(&s->clients[u][i]);
		}
	}
}

void
users_done(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			if (s->clients[u][i].managed)
				s->sum.woken += s->clients[u][i].d.resumed;
			client_done(&s->clients[u][i].c);
			user_done(&s->clients[u][i]);
		}
	}
}
