/*
 * room_subject.c - the subject of a room: who has set it, when, and what it is (XEP-0045
 * §7.2.15, §8.1).
 *
 * Owner shard of the room.  It is in the store before it is set: room_message.c says when.
 */
#include "config.h"

#include "room.h"

/* §8.1: with a body or a thread it is something else. */
bool
room_is_subject(const struct stanza *st)
{
	return stanza_child(st, NS_CLIENT, "subject") != NULL &&
		stanza_child(st, NS_CLIENT, "body") == NULL &&
		stanza_child(st, NS_CLIENT, "thread") == NULL;
}

static bool
is_empty_body(void *arg, const struct elem *e)
{
	(void)arg;
	return !elem_is_text(e) && elem_is(e, NS_CLIENT, "body") &&
		e->first == NULL;
}

void
room_subject_clean(struct stanza *st)
{
	if (stanza_child(st, NS_CLIENT, "subject") != NULL)
		elem_drop(st->root, is_empty_body, NULL);
}

static struct str
text_of(const struct stanza *st)
{
	return elem_text(st->arena, stanza_child(st, NS_CLIENT, "subject"));
}

/* --- in memory ------------------------------------------------------------------------------ */

void
room_subject_done(struct room *r)
{
	free(r->subject.text);
	free(r->subject.nick);
	free(r->subject.user);
	r->subject = (struct room_subject){ .us = 0 };
}

static void
take(struct room *r, struct str text, struct str nick, struct str user, int64_t us)
{
	room_subject_done(r);
	r->subject.text = text.n != 0 ? str_dup(text) : NULL;
	r->subject.nick = str_dup(nick);
	r->subject.user = user.n != 0 ? str_dup(user) : NULL;
	r->subject.us = us;
	room_count_texts(r);
}

void
room_subject_set(struct room *r, const struct stanza *st, struct jid by)
{
	take(r, text_of(st), jid_resource(st->from), jid_bare_str(by),
		shard_wall_us(r->e.shard));
}

/* --- in the store ---------------------------------------------------------------------------- */

static struct elem *
subject_elem(struct arena *a, const struct room_subject *s)
{
	struct elem *e = elem_new(a, NS_CLIENT, "subject");
	char stamp[DATETIME_SIZE];

	elem_set_attr(a, e, "nick", str_c(s->nick));
	elem_set_attr(a, e, "user", str_c(s->user));
	elem_set_attr(a, e, "stamp",
		arena_str(a, datetime_format(stamp, s->us)));
	elem_add_text(a, e, str_c(s->text));
	return e;
}

static void
add_to_tx(const struct room *r, struct store_tx *tx, const struct room_subject *s)
{
	struct arena *a = arena_new();
	struct buf value = BUF_INIT;

	stored_write(&value, subject_elem(a, s));
	store_tx_set(tx, entity_place(&r->e, MAP_ROOM), STR("subject"),
		buf_str(&value));
	buf_done(&value);
	arena_free(a);
}

struct elem *
room_subject_elem(const struct room *r, struct arena *a)
{
	return r->subject.nick != NULL ? subject_elem(a, &r->subject) : NULL;
}

void
room_subject_store(const struct room *r, struct store_tx *tx)
{
	if (r->subject.nick != NULL)
		add_to_tx(r, tx, &r->subject);
}

void
room_subject_add(const struct room *r, struct store_tx *tx, const struct stanza *st)
{
	struct room_subject s = {
		.text = str_dup(text_of(st)),
		.nick = str_dup(jid_resource(st->to)),
		.user = str_dup(jid_bare_str(st->from)),
		.us = shard_wall_us(r->e.shard),
	};

	add_to_tx(r, tx, &s);
	free(s.text);
	free(s.nick);
	free(s.user);
}

void
room_subject_read(struct room *r, struct arena *a, const struct elem *e)
{
	struct str nick = elem_attr(e, "nick");
	int64_t us;

	if (nick.p != NULL && datetime_parse(elem_attr(e, "stamp"), &us))
		take(r, elem_text(a, e), nick, elem_attr(e, "user"), us);
}

void
room_subject_take(struct room *r, struct str value)
{
	struct arena *a = arena_new();
	const struct elem *e = stored_read(a, value);

	if (e != NULL)
		room_subject_read(r, a, e);
	arena_free(a);
}

/* --- who comes in ----------------------------------------------------------------------------- */

/* Also where there is none. */
struct stanza *
room_subject_new(const struct room *r, struct jid to)
{
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, to, STR_NONE);
	const struct room_subject *s = &r->subject;

	if (s->nick != NULL)
		stanza_set_from(st, room_occupant_jid(r, st->arena, str_c(s->nick)));
	elem_add_with_text(st->arena, st->root, NS_CLIENT, "subject",
		s->text != NULL ? str_c(s->text) : STR(""));
	if (s->us != 0)
		stanza_add_delay(st, jid_str(r->e.jid), s->us);
	if (s->user != NULL)
		room_add_id(r, st->arena, st->root, jid_trusted(str_c(s->user)));
	return st;
}
