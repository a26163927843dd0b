/*
 * rooms_acts.c - what clients do in rooms: they come in, take other nicknames, talk, kick,
 * ban, configure, forget what they knew, and go.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "xmpp/ns.h"
#include "sim_rooms.h"

#define ROOM "room%u@" ROOM_HOST

/* Some read the same (RFC 8266). */
static const char *const nicks[] = { "ann", "Ann", "bob", "BOB", "cid", "dee", "eve" };

/* --- in a room ---------------------------------------------------------------------- */

void
person_join(struct person *p, unsigned room, const char *nick)
{
	struct scene *s = p->scene;
	struct view *v = &p->views[room];
	static const char *const histories[] = { "", "", "<history maxstanzas='0'/>",
		"<history maxstanzas='3'/>", "<history maxchars='400'/>",
		"<history seconds='20'/>" };

	if (s->n_came == CAME_MAX || v->joining != 0)
		return;
	seeds_say("p%u comes into room%u as %s (j%u)", p->index, room, nick,
		s->n_came);
	v->joining = s->n_came;
	v->may_miss = false;
	s->came[s->n_came] = (struct came){ .person = p->index, .room = room,
		.asked = s->moment };
	person_send(p, "<presence id='j%u' to='" ROOM "/%s'><status>j%u</status>"
		"<x xmlns='" NS_MUC "'>%s</x></presence>", s->n_came, room, nick,
		s->n_came, histories[scene_draw(s, COUNT(histories))]);
	s->n_came++;
}

/* As one who has lost his picture, or who only wants it again. */
static void
do_join_again(struct person *p, unsigned room)
{
	struct view *v = &p->views[room];
	char nick[NICK];

	if (v->joining != 0 || v->renaming != 0)
		return;
	snprintf(nick, sizeof(nick), "%s", v->nick);
	if (v->doubt || scene_draw(p->scene, 2) == 0) {
		view_forgets(v);
		v->lost = true;
	}
	person_join(p, room, nick);
}

static void
do_rename(struct person *p, unsigned room)
{
	struct view *v = &p->views[room];
	const char *nick = nicks[scene_draw(p->scene, COUNT(nicks))];

	if (v->joining != 0 || v->renaming != 0 || strcmp(nick, v->nick) == 0)
		return;
	seeds_say("p%u wants to be %s in room%u", p->index, nick, room);
	v->renaming++;
	v->may_miss = false;
	person_send(p, "<presence id='n1' to='" ROOM "/%s'/>", room, nick);
}

static void
do_show(struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];

	if (v->renaming == 0)
		person_send(p, "<presence to='" ROOM "/%s'><show>away</show>"
			"</presence>", room, v->nick);
}

static void
do_go(struct person *p, unsigned room)
{
	seeds_say("p%u goes from room%u", p->index, room);
	p->views[room].going = true;
	person_send(p, "<presence type='unavailable' to='" ROOM "/%s'><status>"
		"bye</status></presence>", room, p->views[room].nick);
}

bool
person_may_haunt(const struct person *p)
{
	return p->scene->stops && strcmp(person_domain(p), OTHER) == 0;
}

void
person_flees(struct person *p, unsigned room)
{
	p->scene->counts->haunted++;
	p->views[room].stale = true;
	person_send(p, "<presence type='unavailable' to='" ROOM "/ann'/>", room);
}

static unsigned
said_new(struct person *p, unsigned room)
{
	struct scene *s = p->scene;

	if (s->n_said == SAID_MAX)
		return 0;
	s->said[s->n_said] = (struct said){ .room = room, .person = p->index };
	s->counts->said++;
	return s->n_said++;
}

unsigned
person_says(struct person *p, unsigned room)
{
	unsigned id = said_new(p, room);

	if (id == 0)
		return 0;
	seeds_say("p%u says m%u in room%u", p->index, id, room);
	person_send(p, "<message type='groupchat' id='m%u' to='" ROOM "'><body>"
		"m%u</body></message>", id, room, id);
	return id;
}

static void
do_subject(struct person *p, unsigned room)
{
	unsigned id = said_new(p, room);

	if (id == 0)
		return;
	seeds_say("p%u sets s%u in room%u", p->index, id, room);
	person_send(p, "<message type='groupchat' id='s%u' to='" ROOM "'><subject>"
		"s%u</subject></message>", id, room, id);
}

static const struct seen *
any_seen(struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];

	return v->sees.n != 0 ? &v->sees.p[scene_draw(p->scene, v->sees.n)] : NULL;
}

static void
do_private(struct person *p, unsigned room)
{
	const struct seen *to = any_seen(p, room);
	unsigned id = to != NULL ? said_new(p, room) : 0;

	if (id == 0)
		return;
	p->scene->said[id].is_private = true;
	snprintf(p->scene->said[id].nick, NICK, "%s", to->nick);
	seeds_say("p%u says p%u to %s in room%u", p->index, id, to->nick, room);
	person_send(p, "<message type='chat' id='p%u' to='" ROOM "/%s'><body>p%u"
		"</body></message>", id, room, to->nick, id);
}

void
person_pings(struct person *p, unsigned room)
{
	const struct view *v = &p->views[room];

	if (v->renaming == 0 && v->joining == 0)
		person_send(p, "<iq type='get' id='ping' to='" ROOM "/%s'><ping "
			"xmlns='" NS_PING "'/></iq>", room, v->nick);
}

/* --- what some may ------------------------------------------------------------------ */

static void
do_role(struct person *p, unsigned room)
{
	static const char *const roles[] = { "none", "none", "visitor",
		"participant", "moderator" };
	const struct seen *whom = any_seen(p, room);
	const char *role = roles[scene_draw(p->scene, COUNT(roles))];

	if (whom == NULL)
		return;
	seeds_say("p%u makes %s %s in room%u", p->index, whom->nick, role, room);
	person_send(p, "<iq type='set' id='r' to='" ROOM "'><query xmlns='"
		NS_MUC_ADMIN "'><item nick='%s' role='%s'/></query></iq>", room,
		whom->nick, role);
}

void
person_affiliates(struct person *p, unsigned room)
{
	static const char *const affs[] = { "outcast", "none", "none", "member",
		"member", "admin", "owner", "owner" };
	struct scene *s = p->scene;
	unsigned user = scene_draw(s, USERS);
	const char *name = affs[scene_draw(s, COUNT(affs))];
	struct affiliated *aff = &s->aff[room][user];

	seeds_say("p%u makes u%u %s of room%u", p->index, user, name, room);
	aff->kept = 0;
	aff->asked = AFF_OF(name);
	s->changed[room] = s->moment;
	aff->mixed = aff->mixed || aff->on_its_way != 0;
	aff->on_its_way++;
	person_send(p, "<iq type='set' id='a%u-%u' to='" ROOM "'><query xmlns='"
		NS_MUC_ADMIN "'><item jid='u%u@%s' affiliation='%s'/></query></iq>",
		room, user, room, user, user >= REMOTE ? OTHER : HOST, name);
}

static void
add_field(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "<field var='muc#roomconfig_%s'><value>%s</value></field>",
		name, value);
}

static void
do_configure(struct person *p, unsigned room)
{
	static const char *const flags[] = { "membersonly", "moderatedroom",
		"persistentroom", "changesubject" };
	struct buf form = BUF_INIT;

	for (unsigned i = 0; i < COUNT(flags); i++)
		if (scene_draw(p->scene, 2) == 0)
			add_field(&form, flags[i], scene_draw(p->scene,
				i == 0 ? 4 : 2) == 0 ? "1" : "0");
	if (scene_draw(p->scene, 2) == 0)
		add_field(&form, "whois", scene_draw(p->scene, 2) == 0 ?
			"anyone" : "moderators");
	seeds_say("p%u configures room%u: %s", p->index, room, buf_c(&form));
	person_send(p, "<iq type='set' id='c' to='" ROOM "'><query xmlns='"
		NS_MUC_OWNER "'><x xmlns='" NS_FORM "' type='submit'><field "
		"var='FORM_TYPE'><value>" NS_MUC_ROOMCONFIG "</value></field>%s"
		"</x></query></iq>", room, buf_c(&form));
	buf_done(&form);
}

void
scene_is_anew(struct scene *s, unsigned room)
{
	for (unsigned u = 0; u < USERS; u++) {
		struct affiliated *aff = &s->aff[room][u];

		aff->kept = 0;
		aff->mixed = aff->on_its_way != 0;
	}
}

/* Unless it is said since, nobody has one but he who has made it. */
void
scene_is_made(struct person *p, unsigned room, unsigned came)
{
	struct scene *s = p->scene;

	scene_is_anew(s, room);
	/* who has slept may hear of one that has gone since */
	if (came == 0 || came >= s->n_came || s->changed[room] >= s->came[came].asked ||
		p->woke >= s->came[came].asked)
		return;
	for (unsigned u = 0; u < USERS; u++)
		s->aff[room][u].kept = u == p->user ? OWNER : AFF_OF("none");
}

static void
do_destroy(struct person *p, unsigned room)
{
	seeds_say("p%u destroys room%u", p->index, room);
	scene_is_anew(p->scene, room);
	person_send(p, "<iq type='set' id='d' to='" ROOM "'><query xmlns='"
		NS_MUC_OWNER "'><destroy><reason>enough</reason></destroy>"
		"</query></iq>", room);
}

/* --- something ---------------------------------------------------------------------- */

/* One that has more to say there than others. */
void
person_rules(struct person *p, unsigned room)
{
	switch (scene_draw(p->scene, 8)) {
	case 0:
		if (scene_draw(p->scene, 4) == 0)
			do_destroy(p, room);
		break;
	case 1:
	case 2:
		do_configure(p, room);
		break;
	case 3:
	case 4:
		do_role(p, room);
		break;
	default:
		person_affiliates(p, room);
	}
}

void
person_acts_inside(struct person *p, unsigned room)
{
	switch (scene_draw(p->scene, 20)) {
	case 0:
		do_go(p, room);
		break;
	case 1:
	case 2:
		do_rename(p, room);
		break;
	case 3:
		do_join_again(p, room);
		break;
	case 4:
		do_show(p, room);
		break;
	case 5:
	case 6:
		person_rules(p, room);
		break;
	case 7:
		do_subject(p, room);
		break;
	case 8:
	case 9:
		do_private(p, room);
		break;
	case 10:
		person_pings(p, room);
		break;
	case 11:
		for (unsigned n = scene_draw(p->scene, 12); n > 0; n--)
			(void)person_says(p, room);
		break;
	default:
		(void)person_says(p, room);
	}
}

/* Whoever thinks that it is in is told. */
void
person_acts_outside(struct person *p, unsigned room)
{
	switch (scene_draw(p->scene, 8)) {
	case 0:
		(void)person_says(p, room);
		break;
	case 1:
		person_send(p, "<presence to='" ROOM "/ann'/>", room);
		break;
	default:
		person_join(p, room, nicks[scene_draw(p->scene, COUNT(nicks))]);
	}
}
