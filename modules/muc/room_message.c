/*
 * room_message.c - what is said to all in a room (XEP-0045 §7.4).
 *
 *	groupchat --may he?--> line --durable, and all before it--> all, in one turn
 *	            | no         | the disk takes no writes, or it fails
 *	            v            v
 *	          error        error
 *
 * Owner shard of the room.  What is archived, or sets the subject, waits until it is on
 * disk, and what need not be stored waits only where something is before it that has to
 * be; so all hear everything in one order, and nobody what is lost again.  His own copy
 * tells the sender that it was taken: his receipt is let go with it.
 *
 * In the line a message is from its author, and to what he was called when he said it.
 * Who leaves does so behind what he has said.
 */
#include "config.h"

#include "room.h"

#define SUBJECT_BYTES 4096

/* --- saying it --------------------------------------------------------------------------- */

/* The sender's receipt is that of the last copy. */
static void
say(struct room *r, struct stanza *st)
{
	struct jid none = { .text = NULL }, by = st->from, as = st->to;

	stanza_set_to(st, none);
	stanza_set_from(st, as);
	if (room_is_subject(st))
		room_subject_set(r, st, by);
	room_retracted(r, st);
	room_talk(r, st, by);
}

static void
on_turn(struct entity *e, struct stanza *st, const struct err *err)
{
	struct room *r = room_of(e);

	if (err != NULL) {
		stanza_set_to(st, e->jid);
		entity_turn_refuse(e, st, err);
	} else if (r->state == ROOM_ABSENT) { /* nobody is there to hear it */
		stanza_free(st);
	} else {
		say(r, st);
	}
}

/* --- may he? -------------------------------------------------------------------------------- */

static enum stanza_cond
may_say(const struct room *r, const struct room_client *c,
	const struct stanza *st)
{
	enum room_role role;

	if (room_is_absent_for(r, st->from))
		return COND_ITEM_NOT_FOUND; /* §17.2, 3 */
	if (c == NULL || c->leaving)
		return COND_NOT_ACCEPTABLE; /* §7.4 */
	role = c->occupant->role;
	if (role < ROLE_PARTICIPANT)
		return COND_FORBIDDEN;
	if (!room_is_subject(st))
		return COND_NONE;
	if (role < ROLE_MODERATOR && !r->config.change_subject)
		return COND_FORBIDDEN;
	return elem_text(st->arena, stanza_child(st, NS_CLIENT, "subject")).n >
			SUBJECT_BYTES ?
		COND_NOT_ACCEPTABLE :
		COND_NONE;
}

/* --- it is stored ---------------------------------------------------------------------------- */

/* Without what the room alone says, and with what it says of who it is. */
static void
dress(const struct room *r, struct stanza *st, const struct room_client *c)
{
	room_clean(st);
	room_add_id(r, st->arena, st->root, c->jid);
	stanza_set_to(st, room_occupant_jid(r, st->arena,
				  occupant_nick(c->occupant)));
}

/* As all will hear it. */
static void
archive(struct room *r, struct store_tx *tx, struct stanza *st,
	const struct room_client *c)
{
	const struct room_author author = { c->jid, c->occupant->role,
		c->occupant->aff };
	struct jid none = { .text = NULL }, by = st->from, as = st->to;
	char id[STORE_ID_SIZE];

	stanza_set_to(st, none);
	stanza_set_from(st, as);
	room_log_add(r, tx, st, &author, by, id);
	stanza_add_id(st, r->e.jid, str_c(id));
	stanza_set_from(st, by);
	stanza_set_to(st, as);
}

/* XEP-0359: by which it can be meant, though no archive has it. */
static void
add_id(const struct room *r, struct stanza *st)
{
	char id[RAND_ID_SIZE];

	if (room_log_wants(st))
		stanza_add_id(st, r->e.jid, rand_id(r->e.shard->rand, id));
}

/* tx (taken): what else comes of it; or NULL. */
static void
accept(struct room *r, struct stanza *st, const struct room_client *c,
	struct store_tx *tx)
{
	/* what takes something back is there, whatever it asks for (XEP-0424 §5) */
	bool archived = room_has_archive(r) && (tx != NULL || room_log_wants(st));
	bool sets = room_is_subject(st) && r->state == ROOM_OPEN;

	dress(r, st, c);
	if (tx == NULL && (archived || sets))
		tx = store_tx_new();
	if (sets)
		room_subject_add(r, tx, st);
	if (archived)
		archive(r, tx, st, c);
	else
		add_id(r, st);
	if (tx != NULL || !entity_line_is_empty(r->line))
		entity_turn(r->line, st, tx, on_turn);
	else
		say(r, st);
}

void
room_message_with(struct room *r, struct stanza *st, struct store_tx *tx)
{
	const struct room_client *c = people_by_address(&r->people, st->from);
	enum stanza_cond cond = may_say(r, c, st);

	if (cond == COND_NONE) {
		accept(r, st, c, tx);
		return;
	}
	store_tx_free(tx);
	room_refuse(r, st, cond, NULL);
}

void
room_message_new(struct room *r, struct stanza *st)
{
	const struct room_client *c = people_by_address(&r->people, st->from);
	enum stanza_cond cond;
	bool stores;

	room_subject_clean(st);
	cond = may_say(r, c, st);
	if (cond != COND_NONE) {
		room_refuse(r, st, cond, NULL);
		return;
	}
	stores = r->state == ROOM_OPEN && (room_is_subject(st) ||
		(room_has_archive(r) && room_log_wants(st)));
	if (entity_line_takes(r->line, st, stores) &&
		limits_let(r, st, DOING_MESSAGE) && !room_retracts(r, st))
		accept(r, st, c, NULL);
}

void
room_message(struct room *r, struct stanza *st)
{
	const struct room_client *c = people_by_address(&r->people, st->from);

	/* what is there already no bound is to refuse */
	if (!st->again || may_say(r, c, st) != COND_NONE || !room_sent_again(r, st))
		room_message_new(r, st);
}

/* --- who leaves ------------------------------------------------------------------------------- */

static void
on_leaving(struct entity *e, struct stanza *st, const struct err *err)
{
	struct room *r = room_of(e);
	struct room_client *c = people_by_address(&r->people, st->from);

	(void)err; /* nothing was stored */
	if (c != NULL && c->leaving)
		room_presence(r, c, st);
	else
		stanza_free(st); /* he has gone, or come again */
}

bool
room_leaves_in_turn(struct room *r, struct room_client *c, struct stanza *st)
{
	if (entity_line_is_empty(r->line))
		return false;
	c->leaving = true;
	entity_turn(r->line, st, NULL, on_leaving);
	return true;
}
