/*
 * room_say.c - the words of the room itself: presence of occupants, with who they are to
 * whom, and its own messages.
 *
 * What all see alike is one stanza, and goes to the audience once for each view: those
 * who see real addresses, and those who do not.  Invariant: a client is in the audience
 * from when he comes in until he is told that he is gone; for what is said, from when he
 * has been told everything (room_join.h).
 */
#include "config.h"

#include "room.h"

/* --- the x of muc#user ---------------------------------------------------------------- */

/* Who somebody is, as one stanza says it. */
struct words {
	enum room_affiliation aff;
	enum room_role role;
	struct jid real; /* not set: it is not for whoever gets this */
	const struct room_note *note; /* NULL: nothing */
	bool own;
};

static void
add_code(struct stanza *st, struct elem *x, unsigned code)
{
	struct elem *status = elem_add(st->arena, x, NS_MUC_USER, "status");

	elem_set_attr(st->arena, status, "code",
		arena_printf(st->arena, "%u", code));
}

static void
add_codes(struct stanza *st, struct elem *x, const unsigned *codes)
{
	for (size_t i = 0; i < NOTE_CODES && codes[i] != 0; i++)
		add_code(st, x, codes[i]);
}

static void
add_item(struct stanza *st, struct elem *x, const struct words *w)
{
	struct elem *item = elem_add(st->arena, x, NS_MUC_USER, "item");
	struct arena *a = st->arena;

	elem_set_attr(a, item, "affiliation", str_c(affiliation_name(w->aff)));
	elem_set_attr(a, item, "role", str_c(role_name(w->role)));
	if (jid_is_set(w->real))
		elem_set_attr(a, item, "jid", jid_str(w->real));
	if (w->note == NULL)
		return;
	if (w->note->nick.p != NULL)
		elem_set_attr(a, item, "nick", w->note->nick);
	if (w->note->actor.p != NULL)
		elem_set_attr(a, elem_add(a, item, NS_MUC_USER, "actor"), "nick",
			w->note->actor);
	if (w->note->reason.p != NULL)
		elem_add_with_text(a, item, NS_MUC_USER, "reason",
			w->note->reason);
}

static void
add_x(struct stanza *st, const struct words *w)
{
	struct elem *x = elem_add(st->arena, st->root, NS_MUC_USER, "x");

	add_item(st, x, w);
	if (w->note != NULL)
		add_codes(st, x, w->note->codes);
	if (w->own) {
		add_code(st, x, 110);
		if (w->note != NULL)
			add_codes(st, x, w->note->own);
	}
}

/* --- presence ----------------------------------------------------------------------------- */

static struct stanza *
presence_new(const struct room *r, struct str nick, enum stanza_type type)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(type, none, none, STR_NONE);

	stanza_set_from(st, room_occupant_jid(r, st->arena, nick));
	return st;
}

/* What o says of itself, and who it is. */
static struct stanza *
presence_of(const struct room *r, const struct occupant *o,
	const struct room_note *note, bool real, bool own)
{
	struct stanza *st = presence_new(r, occupant_nick(o), PRESENCE_AVAILABLE);
	struct elem *said = people_presence(o, st->arena);
	struct words w = { o->aff, o->role, { .text = NULL }, note, own };

	st->root->first = said->first; /* in the same arena */
	st->root->last = said->last;
	if (real)
		w.real = TAILQ_FIRST(&o->clients)->jid;
	add_x(st, &w);
	room_add_id(r, st->arena, st->root, o->user);
	return st;
}

static struct stanza *
gone_of(const struct room *r, const struct room_gone *gone,
	const struct room_note *note, bool real, bool own)
{
	struct stanza *st = presence_new(r, gone->nick, PRESENCE_UNAVAILABLE);
	struct words w = { gone->aff, gone->role, { .text = NULL }, note, own };

	if (gone->said != NULL) {
		elem_each_child(gone->said, e)
			elem_append(st->root, elem_copy(st->arena, e));
	}
	if (real)
		w.real = gone->user;
	add_x(st, &w);
	room_add_id(r, st->arena, st->root, gone->user);
	return st;
}

/* --- who sees what ---------------------------------------------------------------------- */

static uint8_t
view_of(const struct room *r, const struct occupant *o)
{
	return o->role == ROLE_MODERATOR || r->config.whois == WHOIS_ANYONE ?
		VIEW_REAL :
		VIEW_PLAIN;
}

static uint8_t
flags_of(const struct room *r, const struct room_client *c)
{
	return (uint8_t)(view_of(r, c->occupant) |
		(c->join == NULL ? VIEW_TALK : 0));
}

/* His clients, which are in the audience, do not hear what follows. */
static void
set_aside(struct room *r, const struct occupant *o)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) != 0)
			audience_join(r->audience, c->jid, VIEW_SELF);
}

void
room_hear(struct room *r, const struct room_client *c)
{
	audience_join(r->audience, c->jid, flags_of(r, c));
}

void
room_set_view(struct room *r, const struct occupant *o)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) != 0)
			room_hear(r, c);
}

static void
send_to(struct room *r, struct stanza *st, struct jid to)
{
	stanza_set_to(st, jid_copy(st->arena, to));
	router_send(r->e.shard, st);
}

/* --- occupants are shown ----------------------------------------------------------------- */

/* muc#roomconfig_presencebroadcast */
static bool
is_told_of(const struct room *r, const struct occupant *o)
{
	return (r->config.presence_of & ROLE_BIT(o->role)) != 0;
}

static struct room_gone
gone_now(const struct occupant *o)
{
	return (struct room_gone){ TAILQ_FIRST(&o->clients)->jid,
		occupant_nick(o), o->number, o->aff, ROLE_NONE, NULL };
}

/* Does anybody see nicknames alone?  Where nobody does, a broadcast is spared. */
static bool
is_anonymous(const struct room *r)
{
	return r->config.whois != WHOIS_ANYONE;
}

/* By the two views that there are. */
static void
show_others(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by)
{
	struct room_gone gone = gone_now(o);

	if (is_told_of(r, o)) {
		joins_set_aside(r, o->number, true);
		if (is_anonymous(r))
			audience_send(r->audience,
				presence_of(r, o, note, false, false), VIEW_PLAIN,
				NULL, by);
		audience_send(r->audience, presence_of(r, o, note, true, false),
			VIEW_REAL, NULL, by);
		joins_set_aside(r, o->number, false);
		o->is_shown = true;
	} else if (o->is_shown) {
		room_show_gone(r, &gone, note, by);
		o->is_shown = false;
	}
}

void
room_show(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by)
{
	const struct room_client *c;

	set_aside(r, o);
	show_others(r, o, note, by);
	room_set_view(r, o);
	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) != 0 &&
			!join_is_early(c))
			router_send(r->e.shard,
				room_own_new(r, c, note, STR_NONE));
}

struct stanza *
room_shown_to(struct room *r, const struct occupant *o,
	const struct room_client *to)
{
	struct stanza *st = presence_of(r, o, NULL,
		view_of(r, to->occupant) == VIEW_REAL, false);

	stanza_set_to(st, jid_copy(st->arena, to->jid));
	return st;
}

/* Are there clients of his that have been told nicknames alone? */
static bool
knows_no_addresses(const struct room *r, const struct occupant *o)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if ((audience_flags(r->audience, c->jid) & VIEW_PLAIN) != 0)
			return true;
	return false;
}

void
room_show_role(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by)
{
	bool learns = view_of(r, o) == VIEW_REAL && knows_no_addresses(r, o);
	struct room_client *c;

	room_set_view(r, o);
	room_show(r, o, note, by);
	TAILQ_FOREACH (c, &o->clients, link)
		if (learns)
			join_shown_again(r, c);
}

struct stanza *
room_own_new(struct room *r, const struct room_client *c,
	const struct room_note *note, struct str id)
{
	const struct occupant *o = c->occupant;
	struct stanza *st = presence_of(r, o, note,
		view_of(r, o) == VIEW_REAL, true);

	if (id.p != NULL)
		stanza_set_id(st, id);
	stanza_set_to(st, jid_copy(st->arena, c->jid));
	return st;
}

void
room_show_gone_own(struct room *r, const struct room_client *c,
	const struct room_note *note)
{
	const struct occupant *o = c->occupant;
	bool renamed = note != NULL && note->nick.p != NULL;
	struct room_gone gone = { c->jid, occupant_nick(o), o->number, o->aff,
		renamed ? o->role : ROLE_NONE, NULL };

	if (renamed && join_is_early(c))
		return; /* it has not been told that it has had that */
	send_to(r, gone_of(r, &gone, note, view_of(r, o) == VIEW_REAL, true),
		c->jid);
}

void
room_show_gone(struct room *r, const struct room_gone *gone,
	const struct room_note *note, struct jid by)
{
	joins_set_aside(r, gone->number, true);
	if (is_anonymous(r))
		audience_send(r->audience, gone_of(r, gone, note, false, false),
			VIEW_PLAIN, NULL, by);
	audience_send(r->audience, gone_of(r, gone, note, true, false), VIEW_REAL,
		NULL, by);
	joins_set_aside(r, gone->number, false);
}

/* --- what is said to all -------------------------------------------------------------------- */

/* What has a body, for those who come in (§7.2.13), unless it asks not to be stored. */
static bool
is_history(const struct stanza *st)
{
	return stanza_child(st, NS_CLIENT, "body") != NULL &&
		!stanza_has_hint(st, "no-store");
}

void
room_talk(struct room *r, struct stanza *st, struct jid by)
{
	joins_hear(r, st);
	room_log_said(r, st);
	if (!room_has_archive(r) && is_history(st))
		history_add(&r->history, st, shard_wall_us(r->e.shard),
			r->config.max_history);
	audience_send(r->audience, st, VIEW_TALK, NULL, by);
}

void
room_say_codes(struct room *r, const unsigned *codes)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, none,
		STR_NONE);

	add_codes(st, elem_add(st->arena, st->root, NS_MUC_USER, "x"), codes);
	room_talk(r, st, none);
}

void
room_say_affiliation(struct room *r, struct jid user, struct jid by)
{
	struct jid none = { .text = NULL };
	struct words w = { room_affiliation(r, user), ROLE_NONE, jid_bare(user), NULL,
		false };
	struct stanza *st = stanza_new(MESSAGE_NORMAL, r->e.jid, none, STR_NONE);

	add_item(st, elem_add(st->arena, st->root, NS_MUC_USER, "x"), &w);
	joins_take(r, st, VIEW_REAL);
	audience_send(r->audience, st, VIEW_REAL, NULL, by);
	joins_take(r, NULL, 0);
}
