/*
 * rooms_heard.c - what clients are told by rooms: what is said, and answers; who is in them
 * is for rooms_seen.c.
 *
 * Here stands what must hold of each stanza as it comes: history only between one's own
 * presence and the subject, nothing from a room in which one is not, nothing twice, and no
 * real address to somebody who may not see it.
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

/* --- reading ------------------------------------------------------------------------ */

static void
copy(char *out, size_t size, struct str text)
{
	snprintf(out, size, "%.*s", STR_ARG(text));
}

/* "room1@conference.a.example/nick"; nick is empty where there is none.  False: it is no
 * room's. */
static bool
room_parse(struct str from, unsigned *room_out, char *nick_out)
{
	char text[128];
	const char *slash;

	copy(text, sizeof(text), from);
	slash = strchr(text, '/');
	snprintf(nick_out, NICK, "%s", slash != NULL ? slash + 1 : "");
	return sscanf(text, "room%u@", room_out) == 1 && *room_out < ROOMS;
}

unsigned
heard_id(struct str text, char letter)
{
	char id[16];

	copy(id, sizeof(id), text);
	return id[0] == letter ? (unsigned)strtoul(id + 1, NULL, 10) : 0;
}

bool
heard_code(const struct elem *x, const char *code)
{
	elem_each_child(x, e)
		if (str_is(e->name, "status") &&
			str_is(elem_attr(e, "code"), code))
			return true;
	return false;
}

struct str
heard_text(struct arena *a, const struct elem *e, const char *child)
{
	const struct elem *c = elem_child(e, NULL, child);

	return c != NULL ? elem_text(a, c) : STR_NONE;
}

/* --- what is said ------------------------------------------------------------------- */

static bool
has_heard(const struct stay *stay, unsigned id)
{
	for (size_t i = 0; stay != NULL && i < stay->heard.n; i++)
		if (stay->heard.p[i].id == id)
			return true;
	return false;
}

static void
hear(struct person *p, unsigned room, unsigned id, int as)
{
	struct scene *s = p->scene;
	struct view *v = &p->views[room];
	struct stay *stay = v->stay;

	if (v->lost || (v->stale && stay == NULL))
		return; /* it belongs to what it has forgotten */
	if (id == 0 || id >= s->n_said || s->said[id].room != room) {
		scene_fail(s, "p%u hears in room%u what nobody has said there",
			p->index, room);
		return;
	}
	if (stay == NULL && person_may_haunt(p)) {
		person_flees(p, room);
		return;
	}
	if (stay == NULL) {
		scene_fail(s, "p%u hears m%u in room%u, in which it is not",
			p->index, id, room);
		return;
	}
	if (v->repeats && has_heard(stay, id))
		return;
	if ((as == AS_HISTORY) != (v->phase == TOLD_HISTORY))
		scene_fail(s, "p%u hears m%u in room%u %s", p->index, id, room,
			as == AS_HISTORY ? "as history, behind the subject" :
					   "before the subject");
	if (has_heard(stay, id))
		scene_fail(s, "p%u hears m%u in room%u twice", p->index, id,
			room);
	*vec_push(&stay->heard) = (struct heard){ id, as };
	s->said[id].heard = true;
	s->counts->heard++;
	s->counts->history += as == AS_HISTORY;
}

/* The first one that comes ends what is told to who comes in. */
static void
hears_subject(struct person *p, unsigned room, struct str text)
{
	struct view *v = &p->views[room];
	unsigned id = heard_id(text, 's');

	if (v->phase == TOLD_HISTORY) {
		v->phase = INSIDE;
		v->told = id;
	} else if (v->repeats && (id == v->told || has_heard(v->stay, id))) {
		return;
	} else {
		hear(p, room, id, AS_SUBJECT);
		p->scene->counts->subjects++;
	}
	v->subject = id;
}

static void
hears_codes(struct view *v, const struct elem *x)
{
	if (heard_code(x, "172"))
		v->open = true;
	if (heard_code(x, "173"))
		v->open = false;
}

static void
message_error(struct person *p, unsigned room, const struct elem *e)
{
	struct scene *s = p->scene;
	struct str id = elem_attr(e, "id");
	unsigned no = id.p != NULL ? heard_id(id, id.p[0]) : 0;
	struct view *v = &p->views[room];

	if (no == 0 || no >= s->n_said)
		return;
	s->said[no].told = true;
	s->counts->errors++;
	if (str_starts(id, STR("p")) || elem_child(e, NS_CLIENT, "error") == NULL ||
		elem_child(elem_child(e, NS_CLIENT, "error"), NS_STANZAS,
			"not-acceptable") == NULL)
		return;
	/* he is told that he is not in it */
	if (v->stay != NULL && v->doubt) {
		s->counts->lost++;
		view_forgets(v);
	} else if (v->stay != NULL && v->joining == 0 && !v->going) {
		scene_fail(s, "p%u is not in room%u, and was not told", p->index,
			room);
	}
}

static void
hears_private(struct person *p, unsigned id, const struct elem *e)
{
	struct scene *s = p->scene;
	struct said *said = &s->said[id < s->n_said ? id : 0];
	const struct person *other = &s->persons[p->index == AUDITOR ?
		AUDITOR : p->index ^ 1];
	const struct view *v = &p->views[said->room];

	if (id == 0 || id >= s->n_said) {
		scene_fail(s, "p%u hears what nobody has said", p->index);
		return;
	}
	/* what was for a client of his that has gone comes to another one */
	if ((said->by >> p->index & 1) != 0 && !said->unsure &&
		person_is_on(other) && other->views[said->room].stay != NULL)
		scene_fail(s, "p%u hears p%u twice", p->index, id);
	for (unsigned i = 0; i < PERSONS; i++)
		if ((said->by >> i & 1) != 0 && s->persons[i].user != p->user)
			scene_fail(s, "p%u hears p%u, and so does another",
				p->index, id);
	if (elem_child(e, NS_MUC_USER, "x") == NULL)
		scene_fail(s, "a private message without its x");
	if (!said->unsure && v->stay != NULL && v->joining == 0 &&
		strcmp(v->nick, said->nick) != 0 &&
		strcmp(other->views[said->room].nick, said->nick) != 0)
		scene_fail(s, "p%u is %s, and hears p%u, which was for %s", p->index,
			v->nick, id, said->nick);
	said->by |= 1u << p->index;
	said->heard = true;
	s->counts->private++;
}

static bool
is_delayed_by(const struct elem *e, unsigned room)
{
	char text[64];

	snprintf(text, sizeof(text), "room%u@" ROOM_HOST, room);
	elem_each_child(e, d)
		if (str_is(d->ns, NS_DELAY) && str_is(elem_attr(d, "from"), text))
			return true;
	return false;
}

/* It is the same for all, and in history (XEP-0359). */
static void
note_stanza_id(struct scene *s, unsigned room, unsigned id, const struct elem *e)
{
	char text[64], *known = s->said[id % SAID_MAX].stanza_id;

	snprintf(text, sizeof(text), "room%u@" ROOM_HOST, room);
	elem_each_child(e, one) {
		if (id == 0 || !elem_is(one, NS_SID, "stanza-id") ||
			!str_is(elem_attr(one, "by"), text))
			continue;
		if (known[0] == '\0')
			copy(known, STORE_ID_SIZE, elem_attr(one, "id"));
		else if (!str_is(elem_attr(one, "id"), known))
			scene_fail(s, "m%u has two ids", id);
	}
}

static void
hears_message(struct person *p, unsigned room, const struct elem *e)
{
	struct arena *a = arena_new();
	struct str type = elem_attr(e, "type"), body = heard_text(a, e, "body");
	const struct elem *x = elem_child(e, NS_MUC_USER, "x");
	unsigned id = heard_id(body, 'm');

	seeds_say("  p%u hears %.*s in room%u", p->index,
		STR_ARG(elem_attr(e, "id")), room);
	if (str_is(type, "error"))
		message_error(p, room, e);
	else if (!str_is(type, "groupchat") && body.p == NULL)
		p->scene->counts->notes++; /* he is invited, or is a member now */
	else if (!str_is(type, "groupchat"))
		hears_private(p, heard_id(body, 'p'), e);
	else if (body.p != NULL) {
		note_stanza_id(p->scene, room, id, e);
		hear(p, room, id, is_delayed_by(e, room) ? AS_HISTORY : LIVE);
	} else if (elem_child(e, NS_CLIENT, "subject") != NULL)
		hears_subject(p, room, heard_text(a, e, "subject"));
	else if (x != NULL)
		hears_codes(&p->views[room], x);
	arena_free(a);
}

/* --- answers ------------------------------------------------------------------------ */

/* "ping": is it in the room still (XEP-0410 §3.3)? */
static void
on_pong(struct person *p, unsigned room, const struct elem *e)
{
	struct view *v = &p->views[room];
	const struct elem *error = elem_child(e, NS_CLIENT, "error");

	if (v->stay == NULL || v->joining != 0 || v->renaming != 0)
		return;
	if (error == NULL && !v->repeats) /* not of before a server ended */
		v->doubt = false;
	if (error == NULL || elem_child(error, NS_STANZAS, "not-acceptable") == NULL)
		return;
	if (!v->doubt)
		scene_fail(p->scene, "p%u is not in room%u, and was not told",
			p->index, room);
	p->scene->counts->lost++;
	view_forgets(v);
}

static void
on_affiliated(struct scene *s, struct str id, bool ok)
{
	char text[16];
	unsigned room, user;
	struct affiliated *aff;

	copy(text, sizeof(text), id);
	if (sscanf(text, "a%u-%u", &room, &user) != 2)
		return;
	aff = &s->aff[room][user];
	if (aff->on_its_way != 0)
		aff->on_its_way--;
	aff->kept = ok && aff->on_its_way == 0 && !aff->mixed ? aff->asked : 0;
	aff->mixed = aff->mixed && aff->on_its_way != 0;
}

static void
keep_answer(struct scene *s, const struct elem *e)
{
	struct arena *a = arena_new();

	s->answered = true;
	elem_each_child(elem_first_child(e), one) {
		if (str_is(one->name, "item"))
			buf_printf(&s->answer, "%.*s=%.*s\n",
				STR_ARG(elem_attr(one, "jid")),
				STR_ARG(elem_attr(one, "affiliation")));
		elem_each_child(one, field)
			elem_each_child(field, value)
				buf_printf(&s->answer, "%.*s=%.*s\n",
					STR_ARG(elem_attr(field, "var")),
					STR_ARG(elem_text(a, value)));
	}
	arena_free(a);
}

static struct str
error_of(const struct elem *e)
{
	const struct elem *error = elem_child(e, NS_CLIENT, "error");
	const struct elem *cond = error != NULL ? elem_first_child(error) : NULL;

	return cond != NULL ? cond->name : STR("");
}

static void
hears_iq(struct person *p, unsigned room, const struct elem *e)
{
	struct str id = elem_attr(e, "id"), type = elem_attr(e, "type");

	if (str_is(type, "error"))
		seeds_say("  p%u is refused %.*s by room%u: %.*s", p->index,
			STR_ARG(id), room, STR_ARG(error_of(e)));
	if (str_is(type, "get") || str_is(type, "set"))
		person_send(p, "<iq type='result' id='%.*s' to='%.*s'/>",
			STR_ARG(id), STR_ARG(elem_attr(e, "from")));
	else if (str_is(id, "ping"))
		on_pong(p, room, e);
	else if (str_starts(id, STR("a")))
		on_affiliated(p->scene, id, str_is(type, "result"));
	else if (str_is(id, "look"))
		keep_answer(p->scene, e);
}

void
person_hears(struct person *p, const struct elem *e)
{
	char nick[NICK];
	unsigned room;

	p->scene->moment++;
	if (!room_parse(elem_attr(e, "from"), &room, nick)) {
		if (str_is(e->name, "iq") && (str_is(elem_attr(e, "type"), "get") ||
			str_is(elem_attr(e, "type"), "set")))
			hears_iq(p, 0, e);
		return;
	}
	if (str_is(e->name, "presence"))
		person_sees(p, room, nick, e);
	else if (str_is(e->name, "message"))
		hears_message(p, room, e);
	else
		hears_iq(p, room, e);
}
