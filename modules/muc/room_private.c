/*
 * room_private.c - what is for one occupant: private messages (XEP-0045 §7.5), requests
 * (§17.4), and the question of a client whether it is in the room still (XEP-0410).
 *
 *	client --room/NICK--> occupant NICK: each of his clients, or of a request one
 *
 * Owner shard of the room.  Nothing is remembered of a request: its id says, under a key
 * that nobody else has, which client has asked, and as whom who answers was asked.
 */
#include "config.h"

#include "room.h"

#define MARK_LEN 16 /* of each of the two */

/* --- messages -------------------------------------------------------------------------- */

/* An error may say which address it is by (RFC 6120 §8.3.1), which is a real one. */
static void
be_from(struct room *r, struct stanza *st, const struct occupant *from,
	struct jid to)
{
	struct elem *error = elem_child(st->root, NS_CLIENT, "error");

	if (error != NULL)
		elem_set_attr(st->arena, error, "by", STR_NONE);
	stanza_set_from(st, room_occupant_jid(r, st->arena, occupant_nick(from)));
	stanza_set_to(st, jid_copy(st->arena, to));
}

/* st is taken.  All his clients get it (§7.2.8).  It has an id, so that what comes back
 * because of it is not taken for what the room has said: that would throw him out. */
static void
send_to_all(struct room *r, const struct occupant *from, struct stanza *st,
	struct occupant *whom)
{
	struct room_client *c, *next;
	char id[RAND_ID_SIZE];

	if (st->type != MESSAGE_ERROR && st->id.n == 0)
		stanza_set_id(st, rand_id(r->e.shard->rand, id));
	for (c = TAILQ_FIRST(&whom->clients); c != NULL; c = next) {
		struct stanza *one;

		next = TAILQ_NEXT(c, link);
		one = next != NULL ? stanza_copy(st) : st;
		if (st->type != MESSAGE_ERROR)
			people_note_private(&r->people, c, st->id);
		be_from(r, one, from, c->jid);
		if (!join_takes(c, one))
			router_send(r->e.shard, one);
	}
}

static enum stanza_cond
may_tell(const struct room *r, const struct room_client *c,
	const struct occupant *whom, const struct stanza *st)
{
	if (room_is_absent_for(r, st->from))
		return COND_ITEM_NOT_FOUND; /* §17.2, 3 */
	if (c == NULL)
		return COND_NOT_ACCEPTABLE;
	if (st->type == MESSAGE_GROUPCHAT)
		return COND_BAD_REQUEST;
	if (whom == NULL)
		return COND_ITEM_NOT_FOUND;
	return room_config_lets_pm(&r->config, c->occupant->role) ?
		COND_NONE :
		COND_FORBIDDEN;
}

static bool
is_no_error(void *arg, const struct elem *e)
{
	(void)arg;
	return !elem_is(e, NS_CLIENT, "error");
}

/* An error goes back to whom it is about, or nowhere; and it is no way to say what one may
 * not, or more often than one may. */
static void
pass_message(struct room *r, struct room_client *c, struct occupant *whom,
	struct stanza *st)
{
	enum stanza_cond cond = may_tell(r, c, whom, st);

	if (st->type == MESSAGE_ERROR && cond != COND_NONE &&
		(c == NULL || whom == NULL)) {
		stanza_free(st);
	} else if (st->type != MESSAGE_ERROR && cond != COND_NONE) {
		room_refuse(r, st, cond, NULL);
	} else if (limits_let(r, st, DOING_MESSAGE)) {
		if (st->type == MESSAGE_ERROR)
			elem_drop(st->root, is_no_error, NULL);
		room_clean(st);
		elem_add(st->arena, st->root, NS_MUC_USER, "x");
		room_add_id(r, st->arena, st->root, c->jid);
		send_to_all(r, c->occupant, st, whom);
	}
}

/* --- requests ---------------------------------------------------------------------------- */

/* Under a key of the room, so that it tells nobody who somebody is, here or elsewhere: nor
 * whoever has taken an address for his nickname, whose mark is another one. */
static struct str
mark_of(const struct room *r, struct arena *a, const char *kind, struct str what)
{
	struct str key = { (const char *)r->mark_key, sizeof(r->mark_key) };
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf hex = BUF_INIT;
	struct str mark;

	scram_hmac(SCRAM_SHA_1, key,
		arena_printf(a, "%s%.*s", kind, STR_ARG(what)), digest);
	hex_encode(&hex, digest, MARK_LEN / 2);
	mark = arena_str(a, buf_str(&hex));
	buf_done(&hex);
	return mark;
}

static struct str
mark_of_client(const struct room *r, struct arena *a, const struct room_client *c)
{
	return mark_of(r, a, "client ", jid_str(c->jid));
}

static struct str
mark_of_nick(const struct room *r, struct arena *a, const struct occupant *o)
{
	return mark_of(r, a, "nick ", occupant_nick(o));
}

static bool
is_ping(const struct stanza *st)
{
	return st->type == IQ_GET && stanza_child(st, NS_PING, "ping") != NULL;
}

static bool
is_vcard(const struct stanza *st)
{
	return stanza_child(st, NS_VCARD, "vCard") != NULL;
}

/* What who asks for his card would get (of a client nobody gets one). */
static void
pass_request(struct room *r, const struct room_client *c, struct occupant *whom,
	struct stanza *st)
{
	struct arena *a = st->arena;
	struct jid to = is_vcard(st) ? whom->user :
				       TAILQ_FIRST(&whom->clients)->jid;

	stanza_set_id(st, arena_printf(a, "%.*s%.*s%.*s",
				  STR_ARG(mark_of_client(r, a, c)),
				  STR_ARG(mark_of_nick(r, a, whom)),
				  STR_ARG(st->id)));
	receipt_let_go(st);
	be_from(r, st, c->occupant, to);
	router_send(r->e.shard, st);
}

static void
ask(struct room *r, const struct room_client *c, struct occupant *whom,
	struct stanza *st)
{
	bool disco = stanza_child(st, NS_DISCO_INFO, "query") != NULL ||
		stanza_child(st, NS_DISCO_ITEMS, "query") != NULL;

	if (room_is_absent_for(r, st->from) && !is_ping(st)) {
		room_refuse(r, st, COND_ITEM_NOT_FOUND, NULL);
	} else if (c == NULL && disco) { /* §6.6 */
		room_refuse(r, st, COND_BAD_REQUEST, NULL);
	} else if (c == NULL) { /* XEP-0410 §3.3: also where no room is */
		room_refuse(r, st, COND_NOT_ACCEPTABLE, "cancel");
	} else if (whom == c->occupant && is_ping(st)) { /* XEP-0410 §3.3 */
		router_send(r->e.shard, stanza_result(st));
		stanza_free(st);
	} else if (whom == NULL) {
		room_refuse(r, st, COND_ITEM_NOT_FOUND, NULL);
	} else {
		pass_request(r, c, whom, st);
	}
}

/* --- answers -------------------------------------------------------------------------------- */

/* As whom was he asked? */
static const struct occupant *
asked_as(const struct room *r, const struct stanza *st, struct str mark)
{
	size_t at = people_by_user_start(&r->people, st->from);
	const struct occupant *o;

	while ((o = people_by_user(&r->people, st->from, &at)) != NULL) {
		if (secret_eq(mark, mark_of_nick(r, st->arena, o)))
			break;
	}
	return o;
}

static const struct room_client *
asker_of(const struct room *r, const struct occupant *o,
	const struct stanza *st, struct str mark)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if (secret_eq(mark, mark_of_client(r, st->arena, c)))
			return c;
	return NULL;
}

static void
answer(struct room *r, const struct occupant *to, struct stanza *st)
{
	const struct occupant *from = NULL;
	const struct room_client *c = NULL;
	struct str id = st->id;

	if (to != NULL && id.n >= 2 * MARK_LEN) {
		c = asker_of(r, to, st, (struct str){ id.p, MARK_LEN });
		from = asked_as(r, st,
			(struct str){ id.p + MARK_LEN, MARK_LEN });
	}
	if (c == NULL || from == NULL) {
		stanza_free(st);
		return;
	}
	stanza_set_id(st, (struct str){ id.p + 2 * MARK_LEN,
				  id.n - 2 * MARK_LEN });
	be_from(r, st, from, c->jid);
	router_send(r->e.shard, st);
}

void
room_private(struct room *r, struct stanza *st)
{
	struct room_client *c = people_by_address(&r->people, st->from);
	struct occupant *whom = people_by_nick(&r->people, jid_resource(st->to));

	if (st->kind == STANZA_MESSAGE)
		pass_message(r, c, whom, st);
	else if (st->type == IQ_GET || st->type == IQ_SET)
		ask(r, c, whom, st);
	else
		answer(r, whom, st);
}
