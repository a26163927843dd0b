/*
 * room_message.c - what is said to all in a room, and its subject (XEP-0045 §7.4, §8.1).
 *
 *	groupchat --may he?--> line --durable, and all before it--> history, all in one turn
 *	            | no
 *	            v
 *	          error
 *
 * Owner shard of the room.  What need not be stored is in the line only where something
 * is before it that has to be; so all hear everything in one order.
 */
#include "config.h"

#include "room.h"

#define SUBJECT_BYTES 4096

/* One that waits: st is from the occupant, and has no to. */
struct room_line {
	TAILQ_ENTRY(room_line) link;
	struct stanza *st; /* owned; it holds its receipt */
	struct jid by;     /* who has sent it, in its arena */
	bool is_subject, waits;
};

/* --- saying it --------------------------------------------------------------------------- */

static void
set_subject(struct room *r, const struct stanza *st)
{
	struct str text = elem_text(st->arena,
		stanza_child(st, NS_CLIENT, "subject"));

	free(r->subject);
	free(r->subject_nick);
	r->subject = text.n != 0 ? str_dup(text) : NULL;
	r->subject_nick = str_dup(jid_resource(st->from));
	r->subject_us = shard_wall_us(r->e.shard);
}

/* The first of the line; the sender's receipt is that of the last copy. */
static void
say_first(struct room *r)
{
	struct room_line *l = TAILQ_FIRST(&r->lines);

	TAILQ_REMOVE(&r->lines, l, link);
	if (r->state == ROOM_ABSENT) { /* nobody is there to hear it */
		stanza_free(l->st);
		free(l);
		return;
	}
	if (l->is_subject)
		set_subject(r, l->st);
	else if (elem_child(l->st->root, NS_CLIENT, "body") != NULL)
		history_add(&r->history, l->st, shard_wall_us(r->e.shard),
			r->config.max_history);
	audience_send(r->audience, l->st, VIEW_ANY, NULL, l->by);
	free(l);
}

static void
say_what_may(struct room *r)
{
	while (!TAILQ_EMPTY(&r->lines) && !TAILQ_FIRST(&r->lines)->waits)
		say_first(r);
	if (TAILQ_EMPTY(&r->lines))
		entity_check_idle(&r->e);
}

void
room_lines_done(struct room *r)
{
	struct room_line *l;

	while ((l = TAILQ_FIRST(&r->lines)) != NULL) {
		TAILQ_REMOVE(&r->lines, l, link);
		stanza_free(l->st);
		free(l);
	}
}

/* --- the subject is stored ---------------------------------------------------------------- */

struct subject_job {
	struct entity_ref ref;
	struct room_line *line; /* of the room, while that is in memory */
};

/* Refused for the reason that the store gives: to who has set it. */
static void
drop_line(struct room *r, struct room_line *l, const struct err *err)
{
	TAILQ_REMOVE(&r->lines, l, link);
	stanza_set_to(l->st, r->e.jid);
	stanza_set_from(l->st, l->by);
	router_bounce(r->e.shard, l->st, stanza_cond_of(err->code), NULL);
	free(l);
}

static void
on_subject_stored(void *arg, bool ok, const struct err *err)
{
	struct subject_job *job = arg;
	struct entity *e = entity_ref_end(&job->ref);

	if (e != NULL) {
		job->line->waits = false;
		if (!ok)
			drop_line(room_of(e), job->line, err);
		say_what_may(room_of(e));
	}
	free(job);
}

static void
add_to_tx(const struct room *r, struct store_tx *tx, struct str nick,
	struct str text, int64_t wall_us)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_CLIENT, "subject");
	struct buf value = BUF_INIT;
	char stamp[DATETIME_SIZE];

	elem_set_attr(a, e, "nick", nick);
	elem_set_attr(a, e, "stamp", datetime_format(stamp, wall_us));
	elem_add_text(a, e, text);
	stored_write(&value, e);
	store_tx_set(tx, entity_place(&r->e, MAP_ROOM), STR("subject"),
		buf_str(&value));
	buf_done(&value);
	arena_free(a);
}

void
room_subject_store(const struct room *r, struct store_tx *tx)
{
	if (r->subject_nick != NULL)
		add_to_tx(r, tx, str_c(r->subject_nick), str_c(r->subject),
			r->subject_us);
}

static void
store_subject(struct room *r, struct room_line *l)
{
	const struct elem *subject = stanza_child(l->st, NS_CLIENT, "subject");
	struct subject_job *job = xcalloc(1, sizeof(*job));
	struct store_tx *tx = store_tx_new();

	add_to_tx(r, tx, jid_resource(l->st->from),
		elem_text(l->st->arena, subject), shard_wall_us(r->e.shard));
	job->line = l;
	entity_ref(&job->ref, &r->e);
	module_commit(module_of_entity(&r->e), r->e.shard, tx, on_subject_stored,
		job);
}

void
room_subject_take(struct room *r, struct str value)
{
	struct arena *a = arena_new();
	const struct elem *e = stored_read(a, value);
	struct str text = e != NULL ? elem_text(a, e) : STR_NONE;

	if (e != NULL && elem_attr(e, "nick").p != NULL &&
		datetime_parse(elem_attr(e, "stamp"), &r->subject_us)) {
		r->subject = text.n != 0 ? str_dup(text) : NULL;
		r->subject_nick = str_dup(elem_attr(e, "nick"));
	}
	arena_free(a);
}

/* §7.2.15: also where there is none. */
void
room_tell_subject(struct room *r, struct jid to)
{
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, to, STR_NONE);

	if (r->subject_nick != NULL)
		stanza_set_from(st, room_occupant_jid(r, st->arena,
					    str_c(r->subject_nick)));
	elem_add_with_text(st->arena, st->root, NS_CLIENT, "subject",
		r->subject != NULL ? str_c(r->subject) : STR(""));
	if (r->subject_us != 0)
		stanza_add_delay(st, jid_str(r->e.jid), r->subject_us);
	router_send(r->e.shard, st);
}

/* --- may he? -------------------------------------------------------------------------------- */

/* §8.1: with a body or a thread it is something else. */
static bool
is_subject(const struct stanza *st)
{
	return stanza_child(st, NS_CLIENT, "subject") != NULL &&
		stanza_child(st, NS_CLIENT, "body") == NULL &&
		stanza_child(st, NS_CLIENT, "thread") == NULL;
}

static enum stanza_cond
may_say(const struct room *r, const struct room_client *c,
	const struct stanza *st)
{
	enum room_role role;

	if (room_is_absent_for(r, st->from))
		return COND_ITEM_NOT_FOUND; /* §17.2, 3 */
	if (c == NULL)
		return COND_NOT_ACCEPTABLE; /* §7.4 */
	role = c->occupant->role;
	if (role < ROLE_PARTICIPANT)
		return COND_FORBIDDEN;
	if (!is_subject(st))
		return COND_NONE;
	if (role < ROLE_MODERATOR && !r->config.change_subject)
		return COND_FORBIDDEN;
	return elem_text(st->arena, stanza_child(st, NS_CLIENT, "subject")).n >
			SUBJECT_BYTES ?
		COND_NOT_ACCEPTABLE :
		COND_NONE;
}

void
room_message(struct room *r, struct stanza *st)
{
	struct room_client *c = people_by_address(&r->people, st->from);
	enum stanza_cond cond = may_say(r, c, st);
	struct jid none = { .text = NULL };
	struct room_line *l;

	if (cond == COND_NONE && is_subject(st) && r->state == ROOM_OPEN &&
		shard_refuses_writes(r->e.shard))
		cond = COND_RESOURCE_CONSTRAINT;
	if (cond != COND_NONE) {
		room_refuse(r, st, cond, NULL);
		return;
	}
	if (!limits_let(r, st, DOING_MESSAGE))
		return;
	l = xcalloc(1, sizeof(*l));
	l->st = st;
	l->by = jid_copy(st->arena, st->from);
	l->is_subject = is_subject(st);
	l->waits = l->is_subject && r->state == ROOM_OPEN;
	room_clean(st);
	stanza_drop_ids_by(st, r->e.jid);
	room_add_id(r, st->arena, st->root, l->by);
	stanza_set_from(st, room_occupant_jid(r, st->arena,
				    occupant_nick(c->occupant)));
	stanza_set_to(st, none);
	TAILQ_INSERT_TAIL(&r->lines, l, link);
	if (l->waits)
		store_subject(r, l);
	say_what_may(r);
}
