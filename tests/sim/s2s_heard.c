/*
 * s2s_heard.c - what users of two servers get, and what is heard of that on the way.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "sim_s2s.h"

void
sim_acked(struct sim *s, unsigned user, const struct said *m)
{
	s->pairs[user][m->to].acked[m->serial] = true;
}

/* --- what arrives ------------------------------------------------------------------ */

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
	seeds_say("  u%u/r%u hears that %.*s was refused", at->user, at->index,
		STR_ARG(elem_attr(e, "id")));
	if ((p->errors[serial]++ != 0 || p->arrived[serial]) &&
		!p->again[serial] && !s->any_trouble)
		sim_fail(s, "u%u/r%u hears of %.*s what is not so", at->user,
			at->index, STR_ARG(elem_attr(e, "id")));
}

/* Then what waited for it has come elsewhere, or comes again. */
static bool
has_lost_session(const struct sim_client *to)
{
	const struct sim *s = to->sim;

	for (unsigned i = 0; i < CLIENTS; i++)
		if (s->clients[to->user][i].managed &&
			s->clients[to->user][i].d.failed != 0)
			return true;
	return s->forgets[to->user];
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
	seeds_say("  u%u/r%u gets %u/%u #%u (%u)", to->user, to->index, user,
		index, number, serial);
	p = &s->pairs[user][to->user];
	if (p->errors[serial] != 0 && !p->again[serial] && !s->any_trouble)
		sim_fail(s, "u%u gets %u of u%u, who was told that it was refused",
			to->user, serial, user);
	p->arrived[serial] = true;
	/* nor is one in order that was refused, as it was not acknowledged */
	if (p->late[serial] || p->again[serial] || p->errors[serial] != 0 ||
		has_lost_session(to))
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

	if (!user_parse(from, &user, &index))
		return;
	seeds_say("  u%u/r%u: %.*s is %s", at->user, at->index, STR_ARG(from),
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
	} else if (!user_parse(from, &user, &index)) {
		sim_fail(s, "presence of a stranger");
	} else if (str_is(type, "error")) {
		seeds_say("  u%u/r%u: presence to u%u was refused", at->user,
			at->index, user);
		s->pairs[at->user][user].unsure = true;
	} else if (str_is(type, "subscribe") && !at->leaving) {
		lets = sim_draw(s, 4) != 0;
		if (!lets)
			s->pairs[at->user][user].denied = true;
		at->wished[user] = true;
		seeds_say("u%u/r%u %s u%u", at->user, at->index,
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
user_gets(struct sim_client *sc, struct arena *a, const struct elem *e)
{
	if (str_is(e->name, "message"))
		user_message(sc, a, e);
	else if (str_is(e->name, "presence"))
		user_presence(sc, e);
	else if (str_is(e->name, "counted"))
		user_counted(sc, e);
	else if (str_is(e->name, "iq"))
		user_iq(sc, a, e);
}

void
users_on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	user_gets(CONTAINER_OF(c, struct sim_client, c), a, e);
	arena_free(a);
}

void
users_on_got(struct sim_client *sc, const struct elem *e)
{
	struct arena *a = arena_new();

	user_gets(sc, a, e);
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
			/* a session that sleeps is cut */
			sc->leaving = true;
			if (sc->managed && s->stopping[world_of(u)])
				continue;
			sim_fail(s, "u%u/r%u was cut off", u, i);
		}
	}
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

	seeds_say("  on the way %s %s %s of %s to %s may be lost", l->name,
		l->type, l->id, l->from, l->to);
	if (parse_message_id(s, l->id, &p, &serial))
		p->lost[serial] = true;
	q = question_of(s, l->id);
	if (q != NULL)
		q->may_miss = true;
	if (strcmp(l->name, "presence") != 0 ||
		!user_parse(str_c(l->from), &from, &index) ||
		!user_parse(str_c(l->to), &to, &index))
		return;
	wish = strstr(l->type, "subscribe") != NULL;
	s->pairs[from][to].unsure |= wish;
	s->pairs[from][to].unshown |= !wish;
	/* nobody answers what has not come */
	s->pairs[to][from].unshown |= strcmp(l->type, "probe") == 0;
}

void
users_on_refused(struct sim *s, const struct stanza *error)
{
	struct str id = elem_attr(error->root, "id");
	struct pair *p;
	unsigned serial;
	char text[24];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(id));
	if (error->kind == STANZA_MESSAGE &&
		parse_message_id(s, text, &p, &serial))
		p->refused[serial] = true;
}

void
users_on_again(void *arg, const struct letter *l)
{
	struct question *q = question_of(arg, l->id);
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->again[serial]++;
	if (q != NULL)
		q->again++;
}

void
users_on_once(void *arg, const struct letter *l)
{
	struct question *q = question_of(arg, l->id);
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->again[serial]--;
	if (q != NULL)
		q->again--;
}

void
users_on_unkept(void *arg, const struct letter *l)
{
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->unkept[serial] = true;
}

void
users_on_late(void *arg, const struct letter *l)
{
	struct pair *p;
	unsigned serial;

	if (parse_message_id(arg, l->id, &p, &serial))
		p->late[serial] = true;
}
