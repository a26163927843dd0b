/*
 * rooms_seen.c - what clients are told of who is in rooms, themselves among them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "sim_rooms.h"

static void
copy(char *out, size_t size, struct str text)
{
	snprintf(out, size, "%.*s", STR_ARG(text));
}

/* "u3@a.example/r1"; -1: nobody's. */
static int
person_parse(struct str jid)
{
	char text[128];
	const char *slash;
	unsigned user;

	copy(text, sizeof(text), jid);
	slash = strchr(text, '/');
	if (strncmp(text, "admin@", 6) == 0)
		return AUDITOR;
	if (sscanf(text, "u%u@", &user) != 1 || user >= USERS || slash == NULL)
		return -1;
	return (int)(user * CLIENTS) + (slash[2] - '0');
}

/* --- whom it sees ------------------------------------------------------------------- */

static struct seen *
seen_find(const struct view *v, const char *nick)
{
	for (size_t i = 0; i < v->sees.n; i++)
		if (strcmp(v->sees.p[i].nick, nick) == 0)
			return &v->sees.p[i];
	return NULL;
}

static void
seen_gone(struct view *v, const char *nick)
{
	struct seen *one = seen_find(v, nick);

	if (one != NULL)
		*one = v->sees.p[--v->sees.n];
}

void
view_forgets(struct view *v)
{
	v->phase = OUTSIDE;
	v->doubt = v->open = v->going = false;
	v->renaming = 0;
	v->stay = NULL;
	v->sees.n = 0;
}

void
person_forgets(struct person *p)
{
	for (unsigned i = 0; i < ROOMS; i++) {
		struct view *v = &p->views[i];

		v->stale = v->stale || v->stay != NULL || v->joining != 0;
		view_forgets(v);
		v->joining = 0;
		v->lost = false;
	}
}

static bool
sees_real(const struct view *v)
{
	return v->role == MODERATOR || v->open;
}

static void
begin_stay(struct person *p, unsigned room, struct str token)
{
	struct view *v = &p->views[room];
	struct stay *stay = xcalloc(1, sizeof(*stay));

	stay->room = room;
	stay->person = p->index;
	stay->came = v->came = heard_id(token, 'j');
	stay->begun = p->scene->moment;
	*vec_push(&p->scene->stays) = stay;
	v->stay = stay;
	v->phase = TOLD_HISTORY;
	v->stale = false;
	v->subject = 0;
	v->doubt = v->repeats; /* it may have been told so before a server ended */
	v->lost = false;
	p->scene->counts->came++;
}

/* Who was there before he asked to come in hears of it at the moment that counts. */
static void
note_came(struct person *p, unsigned room, unsigned came)
{
	struct scene *s = p->scene;
	const struct stay *stay = p->views[room].stay;
	struct came *c = &s->came[came];
	unsigned last = 0;

	if (came == 0 || came >= s->n_came || (c->seen_by >> p->index & 1) != 0)
		return;
	c->seen_by |= 1u << p->index; /* more than once when another one goes */
	if (c->room != room || stay == NULL ||
		p->views[room].phase != INSIDE || stay->begun >= c->asked ||
		p->views[room].joining != 0 || p->index == c->person ||
		p->woke >= c->asked) /* it missed what another one replaced */
		return;
	for (size_t i = 0; i < stay->heard.n; i++)
		if (stay->heard.p[i].as != AS_SUBJECT)
			last = stay->heard.p[i].id;
	if (last == 0)
		return;
	if (c->seen && c->after != last)
		scene_fail(s, "p%u sees p%u come behind m%u, another one behind m%u",
			p->index, c->person, last, c->after);
	c->seen = true;
	c->after = last;
	s->counts->anchored++;
}

static void
check_early(struct person *p, unsigned room)
{
	struct view *v = &p->views[room];

	for (size_t i = 0; i < v->sees.n; i++) {
		struct seen *one = &v->sees.p[i];

		if (one->early && one->real >= 0 && !sees_real(v) &&
			p->scene->persons[one->real].user != p->user)
			scene_fail(p->scene, "p%u may not see who %s in room%u is",
				p->index, one->nick, room);
		one->early = false;
	}
}

static void
sees(struct person *p, unsigned room, const char *nick, const struct elem *e,
	const struct elem *x)
{
	struct view *v = &p->views[room];
	const struct elem *item = elem_child(x, NS_MUC_USER, "item");
	struct arena *a = arena_new();
	struct str jid = elem_attr(item, "jid"), id = elem_attr(e, "id");
	struct str token = heard_text(a, e, "status");
	bool own = heard_code(x, "110");
	struct seen *one = seen_find(v, nick);

	if (one == NULL) {
		one = vec_push(&v->sees);
		*one = (struct seen){ .real = -1 };
	}
	snprintf(one->nick, NICK, "%s", nick);
	one->role = elem_attr(item, "role").p[0];
	one->aff = AFF_OF(elem_attr(item, "affiliation").p);
	one->real = jid.p != NULL ? person_parse(jid) : -1;
	if (own && heard_id(id, 'j') != 0 && (heard_id(id, 'j') == v->joining ||
			(v->repeats && heard_id(id, 'j') == v->came))) {
		v->open = heard_code(x, "100");
		snprintf(v->nick, NICK, "%s", nick);
		v->joining = 0;
		begin_stay(p, room, token);
	} else if (own && v->phase != OUTSIDE && strcmp(v->nick, nick) != 0) {
		scene_fail(p->scene, "p%u is %s in room%u without 303", p->index,
			nick, room);
	} else {
		note_came(p, room, heard_id(token, 'j'));
	}
	if (own && (v->phase != OUTSIDE || v->lost)) {
		v->role = one->role;
		v->aff = one->aff;
		if (v->phase == TOLD_HISTORY)
			check_early(p, room);
	} else if (own && person_may_haunt(p)) {
		person_flees(p, room);
	} else if (own && !v->stale) {
		scene_fail(p->scene, "p%u gets its own presence from room%u, "
			"in which it is not", p->index, room);
	}
	one->early = v->joining != 0; /* it is seen then what it may see */
	if (jid.p != NULL && !own && v->phase == INSIDE && v->joining == 0) {
		p->scene->counts->real++;
		if (!sees_real(v))
			scene_fail(p->scene, "p%u may not see who %s is in room%u",
				p->index, nick, room);
	}
	arena_free(a);
}

static void
own_gone(struct person *p, unsigned room, const char *nick, const struct elem *x)
{
	struct scene *s = p->scene;
	struct view *v = &p->views[room];
	const struct elem *item = elem_child(x, NS_MUC_USER, "item");

	seeds_say("  p%u is out of room%u (%s)", p->index, room, nick);
	if (heard_code(x, "303")) {
		s->counts->renamed++;
		seen_gone(v, nick);
		v->renaming -= v->renaming != 0;
		copy(v->nick, NICK, elem_attr(item, "nick"));
		return;
	}
	s->counts->kicked += heard_code(x, "307") && !heard_code(x, "333");
	s->counts->banned += heard_code(x, "301");
	s->counts->closed += heard_code(x, "321") || heard_code(x, "322");
	s->counts->told += heard_code(x, "333") || heard_code(x, "332");
	s->counts->destroyed +=
		elem_child(x, NS_MUC_USER, "destroy") != NULL;
	view_forgets(v);
	v->lost = false;
	/* what waited there for the store the others hear, if there are any */
	for (unsigned i = 1; i < s->n_said; i++)
		if (s->said[i].person == p->index && s->said[i].room == room)
			s->said[i].unsure = true;
}

/* What is asked for and refused. */
static void
presence_error(struct person *p, unsigned room, const struct elem *e)
{
	struct view *v = &p->views[room];
	struct str id = elem_attr(e, "id");

	if (v->joining != 0 && heard_id(id, 'j') == v->joining) {
		v->joining = 0;
		if (v->lost)
			view_forgets(v);
		v->lost = false;
		p->scene->counts->refused++;
	} else if (str_starts(id, STR("n")) && v->renaming != 0) {
		v->renaming--;
		p->scene->counts->conflicts++;
	}
}

void
person_sees(struct person *p, unsigned room, const char *nick,
	const struct elem *e)
{
	struct view *v = &p->views[room];
	const struct elem *x = elem_child(e, NS_MUC_USER, "x");
	struct str type = elem_attr(e, "type");

	if (str_is(type, "error")) {
		seeds_say("  p%u is refused by room%u: %.*s", p->index, room,
			STR_ARG(elem_attr(e, "id")));
		presence_error(p, room, e);
		return;
	}
	if (x == NULL) {
		scene_fail(p->scene, "presence of a room without its x");
		return;
	}
	seeds_say("  p%u sees %s %.*s in room%u%s", p->index, nick,
		type.p != NULL ? (int)type.n : 5, type.p != NULL ? type.p : "there",
		room, heard_code(x, "110") ? ", itself" : "");
	if (v->phase == OUTSIDE && v->joining == 0 && !v->stale &&
		!heard_code(x, "110") && !person_may_haunt(p))
		scene_fail(p->scene, "p%u sees %s in room%u, in which it is not",
			p->index, nick, room);
	else if (type.p == NULL)
		sees(p, room, nick, e, x);
	else if (heard_code(x, "110"))
		own_gone(p, room, nick, x);
	else
		seen_gone(v, nick);
	if (type.p == NULL && heard_code(x, "201"))
		scene_is_made(p, room, heard_id(elem_attr(e, "id"), 'j'));
	if (type.p == NULL && heard_code(x, "201") &&
		(p->index == AUDITOR || scene_draw(p->scene, 4) != 0))
		person_send(p, "<iq type='set' id='c' to='room%u@" ROOM_HOST
			"'><query xmlns='" NS_MUC_OWNER "'><x xmlns='" NS_FORM
			"' type='submit'/></query></iq>", room);
}
