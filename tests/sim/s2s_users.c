/*
 * s2s_users.c - users of two servers: they come and go, talk, ask, and want to see
 * each other, always those of the other server.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "xml/elem.h"
#include "sim_s2s.h"

/* --- what is sent, and acknowledged ----------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void
user_send(struct sim_client *sc, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	va_end(ap);
	client_send(&sc->c, "%s", text);
	free(text);
	sc->n_sent++;
}

/* Begins to count, or says how far it is. */
static void
user_ask(struct sim_client *sc)
{
	client_send(&sc->c, "<count xmlns='urn:antiphon:test:resume'/>");
	if (!sc->asked)
		sc->n_sent = 0;
	sc->asked = true;
}

static void
user_counted(struct sim_client *sc, const struct elem *e)
{
	struct sim *s = sc->sim;
	long long h;
	size_t n = 0;

	sc->counted = true;
	if (!str_to_int(elem_attr(e, "h"), 0, sc->n_sent, &h)) {
		sim_fail(s, "u%u/r%u is counted wrongly", sc->user, sc->index);
		return;
	}
	while (n < sc->said.n && sc->said.p[n].number <= h) {
		const struct said *said = &sc->said.p[n++];

		s->pairs[sc->user][said->to].acked[said->serial] = true;
	}
	if (n == 0)
		return;
	sc->said.n -= n;
	memmove(sc->said.p, sc->said.p + n, sc->said.n * sizeof(*sc->said.p));
}

void
users_ask(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < CLIENTS; i++)
			user_ask(&s->clients[u][i]);
}

/* --- what arrives ------------------------------------------------------------------ */

/* "u3@sim.example/r1"; *index_out is CLIENTS where there is no resource. */
static bool
parse_who(struct str from, unsigned *user_out, unsigned *index_out)
{
	if (from.n < 4 || from.p[0] != 'u')
		return false;
	*user_out = (unsigned)(from.p[1] - '0');
	*index_out = memchr(from.p, '/', from.n) != NULL ?
		(unsigned)(from.p[from.n - 1] - '0') :
		CLIENTS;
	return *user_out < USERS && *index_out <= CLIENTS;
}

static bool
parse_message_id(struct sim *s, const char *id, struct pair **pair_out,
	unsigned *serial_out)
{
	unsigned user, to;

	if (sscanf(id, "m%u-%u-%u", &user, &to, serial_out) != 3 ||
		user >= USERS || to >= USERS || *serial_out >= MESSAGES_MAX)
		return false;
	*pair_out = &s->pairs[user][to];
	return true;
}

static void
user_error(struct sim_client *at, struct arena *a, const struct elem *e)
{
	struct sim *s = at->sim;
	struct pair *p;
	unsigned serial;

	if (!parse_message_id(s, arena_str(a, elem_attr(e, "id")).p, &p,
		    &serial)) {
		sim_fail(s, "u%u/r%u gets an error about nothing", at->user,
			at->index);
		return;
	}
	sim_say("  u%u/r%u hears that %.*s was refused", at->user, at->index,
		STR_ARG(elem_attr(e, "id")));
	if ((p->errors[serial]++ != 0 || p->arrived[serial]) &&
		!p->again[serial] && !s->any_trouble)
		sim_fail(s, "u%u/r%u hears of %.*s what is not so", at->user,
			at->index, STR_ARG(elem_attr(e, "id")));
}

/*
 * What was not acknowledged comes again, or its sender is told that it was refused,
 * though it may have arrived: so that both is no fault where there was trouble, and
 * twice is none where it was written to a second wire.
 *
 * The body is "USER INDEX NUMBER SERIAL": number counts what this client sent to
 * this user, serial what the whole user sent to it.
 */
static void
user_message(struct sim_client *to, struct arena *a, const struct elem *e)
{
	const struct elem *body = elem_child(e, NULL, "body");
	struct sim *s = to->sim;
	unsigned user, index, number, serial;
	struct pair *p;

	if (str_eq(elem_attr(e, "type"), STR("error"))) {
		user_error(to, a, e);
		return;
	}
	if (body == NULL)
		return;
	if (sscanf(arena_str(a, elem_text(a, body)).p, "%u %u %u %u", &user,
		&index, &number, &serial) != 4) {
		sim_fail(s, "a body of another form");
		return;
	}
	sim_say("  u%u/r%u gets %u/%u #%u (%u)", to->user, to->index, user,
		index, number, serial);
	p = &s->pairs[user][to->user];
	if (p->errors[serial] != 0 && !p->again[serial] && !s->any_trouble)
		sim_fail(s, "u%u gets %u of u%u, who was told that it was refused",
			to->user, serial, user);
	p->arrived[serial] = true;
	/* nor is one in order that was refused, as it was not acknowledged */
	if (p->late[serial] || p->again[serial] || p->errors[serial] != 0)
		return;
	if ((int)number <= to->last[user][index])
		sim_fail(s, "u%u/r%u: message %u of u%u/r%u came after %d",
			to->user, to->index, number, user, index,
			to->last[user][index]);
	to->last[user][index] = (int)number;
}

static void
user_sees(struct sim_client *at, struct str from, bool there)
{
	unsigned user, index;

	if (!parse_who(from, &user, &index))
		return;
	sim_say("  u%u/r%u: %.*s is %s", at->user, at->index, STR_ARG(from),
		there ? "there" : "gone");
	/* RFC 6121 §4.5.4: all of them */
	for (unsigned i = 0; index == CLIENTS && !there && i < CLIENTS; i++)
		at->sees[user][i] = false;
	if (index < CLIENTS)
		at->sees[user][index] = there;
}

static void
user_presence(struct sim_client *at, const struct elem *e)
{
	struct str type = elem_attr(e, "type"), from = elem_attr(e, "from");
	struct sim *s = at->sim;
	unsigned user, index;
	bool lets;

	if (type.p == NULL || str_is(type, "unavailable")) {
		user_sees(at, from, type.p == NULL);
	} else if (!parse_who(from, &user, &index)) {
		sim_fail(s, "presence of a stranger");
	} else if (str_is(type, "error")) {
		sim_say("  u%u/r%u: presence to u%u was refused", at->user,
			at->index, user);
		s->pairs[at->user][user].unsure = true;
	} else if (str_is(type, "subscribe") && !at->leaving) {
		lets = sim_draw(s, 4) != 0;
		if (!lets)
			s->pairs[at->user][user].denied = true;
		at->wished[user] = true;
		sim_say("u%u/r%u %s u%u", at->user, at->index,
			lets ? "lets see" : "denies", user);
		user_send(at, "<presence type='%s' to='%.*s'/>",
			lets ? "subscribed" : "unsubscribed", STR_ARG(from));
	}
}

static struct question *
question_of(struct sim *s, const char *id)
{
	unsigned n;

	return sscanf(id, "q%u", &n) == 1 && n < s->n_questions ?
		&s->questions[n] :
		NULL;
}

static void
user_iq(struct sim_client *at, struct arena *a, const struct elem *e)
{
	struct str type = elem_attr(e, "type"), id = elem_attr(e, "id");
	struct question *q = question_of(at->sim, arena_str(a, id).p);
	struct str from = elem_attr(e, "from");

	if (str_is(type, "set")) { /* the server's */
		user_send(at, "<iq type='result' id='%.*s'/>", STR_ARG(id));
	} else if (str_is(type, "get") && at->leaving) {
		if (q != NULL)
			q->may_miss = true;
	} else if (str_is(type, "get")) {
		user_send(at, "<iq type='result' id='%.*s' to='%.*s'/>",
			STR_ARG(id), STR_ARG(from));
	} else if (q != NULL) {
		if (q->user != at->user || q->index != at->index)
			sim_fail(at->sim, "u%u/r%u is answered what u%u/r%u asked",
				at->user, at->index, q->user, q->index);
		if (q->answers++ != 0 && !q->again && !at->sim->any_trouble)
			sim_fail(at->sim, "%.*s is answered twice", STR_ARG(id));
	}
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct sim_client *sc = CONTAINER_OF(c, struct sim_client, c);

	if (str_is(e->name, "message"))
		user_message(sc, a, e);
	else if (str_is(e->name, "presence"))
		user_presence(sc, e);
	else if (str_is(e->name, "counted"))
		user_counted(sc, e);
	else if (str_is(e->name, "iq"))
		user_iq(sc, a, e);
	arena_free(a);
}

void
users_read(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			struct sim_client *sc = &s->clients[u][i];

			client_read(&sc->c);
			if (!sc->c.closed || sc->leaving ||
				sc->c.state != CLIENT_ONLINE)
				continue;
			sim_fail(s, "u%u/r%u was cut off", u, i);
			sc->leaving = true;
		}
	}
}

/* --- coming and going -------------------------------------------------------------- */

static void
do_connect(struct sim_client *sc)
{
	client_read(&sc->c); /* who said goodbye reads to the end */
	sim_say("u%u/r%u connects", sc->user, sc->index);
	sc->leaving = sc->asked = sc->counted = false;
	sc->said.n = 0;
	memset(sc->sees, 0, sizeof(sc->sees));
	memset(sc->wished, 0, sizeof(sc->wished));
	sc->c.priority = (int)sim_draw(sc->sim, 5);
	client_connect(&sc->c);
}

/* Of what it has said it hears no more; what was acknowledged to it may be known to
 * have an end all the same. */
static void
user_goes(struct sim_client *sc, bool acked_too)
{
	struct sim *s = sc->sim;

	sc->leaving = true;
	for (unsigned to = 0; to < USERS; to++) {
		struct pair *p = &s->pairs[sc->user][to];

		for (unsigned i = 0; i < p->sent; i++)
			if (!p->arrived[i] && p->errors[i] == 0 &&
				(acked_too || !p->acked[i]))
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
	sim_say("u%u/r%u leaves", sc->user, sc->index);
	user_goes(sc, true);
	client_leave(&sc->c);
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

void
users_leave(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++)
		for (unsigned i = 0; i < CLIENTS; i++)
			if (s->clients[u][i].c.conn != NULL &&
				!s->clients[u][i].leaving)
				do_leave(&s->clients[u][i]);
}

void
users_of_world_go(struct sim *s, unsigned world, bool killed)
{
	for (unsigned u = world; u < USERS; u += WORLDS) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			struct sim_client *sc = &s->clients[u][i];

			client_read(&sc->c);
			user_goes(sc, killed && !STRICT);
			if (killed)
				client_break(&sc->c);
		}
	}
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
	sim_say("u%u/r%u says %u (%u) to u%u", sc->user, sc->index, number,
		p->sent, to);
	user_send(sc,
		"<message type='chat' id='m%u-%u-%u' to='u%u@%s'><body>%u %u %u "
		"%u%*s</body></message>",
		sc->user, to, p->sent, to, domain_of(to), sc->user, sc->index,
		number, p->sent, 
		sim_draw(s, s->heavy ? 2 : 8) == 0 ? (int)s->long_bytes : 0,
		"");
	s->next[sc->user][sc->index][to]++;
	*vec_push(&sc->said) = (struct said){ to, p->sent, sc->n_sent };
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
	sim_say("u%u/r%u asks q%u of %s", sc->user, sc->index, s->n_questions,
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
	sim_say("u%u/r%u sends %s to u%u", sc->user, sc->index, act, to);
	user_send(sc, "<presence type='%s' to='u%u@%s'/>", act, to,
		domain_of(to));
}

static void
do_roster(struct sim_client *sc, unsigned to)
{
	struct pair *p = &sc->sim->pairs[sc->user][to];

	sim_say("u%u/r%u removes u%u", sc->user, sc->index, to);
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
		if (s->leaves)
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
	if (sc->counted)
		user_does(sc, to);
}

/* --- what is lost on the way ------------------------------------------------------- */

void
users_on_handed(void *arg, const struct letter *l)
{
	struct question *q = question_of(arg, l->id);

	if (q != NULL && strcmp(l->type, "get") == 0)
		q->is_there = true;
}

void
users_on_lost(void *arg, const struct letter *l)
{
	struct sim *s = arg;
	unsigned from, to, index, serial;
	struct question *q;
	struct pair *p;
	bool wish;

	sim_say("  on the way %s %s %s of %s to %s may be lost", l->name,
		l->type, l->id, l->from, l->to);
	if (parse_message_id(s, l->id, &p, &serial))
		p->lost[serial] = true;
	q = question_of(s, l->id);
	if (q != NULL)
		q->may_miss = true;
	if (strcmp(l->name, "presence") != 0 ||
		!parse_who(str_c(l->from), &from, &index) ||
		!parse_who(str_c(l->to), &to, &index))
		return;
	wish = strstr(l->type, "subscribe") != NULL;
	s->pairs[from][to].unsure |= wish;
	s->pairs[from][to].unshown |= !wish;
	/* nobody answers what has not come */
	s->pairs[to][from].unshown |= strcmp(l->type, "probe") == 0;
}

void
users_on_again(void *arg, const struct letter *l)
{
	struct question *q = question_of(arg, l->id);
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->again[serial] = true;
	if (q != NULL)
		q->again = true;
}

void
users_on_late(void *arg, const struct letter *l)
{
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->late[serial] = true;
}

/* --- all of them -------------------------------------------------------------------- */

void
users_init(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		char local[8];

		snprintf(local, sizeof(local), "u%u", u);
		world_add_account_at(s->worlds[world_of(u)], local,
			domain_of(u));
		for (unsigned i = 0; i < CLIENTS; i++) {
			struct sim_client *sc = &s->clients[u][i];
			char resource[8];

			snprintf(resource, sizeof(resource), "r%u", i);
			client_init(&sc->c, s->worlds[world_of(u)], local,
				resource);
			sc->c.domain = domain_of(u);
			sc->c.on_stanza = on_stanza;
			sc->sim = s;
			sc->user = u;
			sc->index = i;
			memset(sc->last, -1, sizeof(sc->last));
		}
	}
}

void
users_done(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			client_done(&s->clients[u][i].c);
			vec_done(&s->clients[u][i].said);
		}
	}
}
