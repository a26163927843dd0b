/*
 * room_say.c - the words of the room itself: presence of occupants, with who they are to
 * whom, and its own messages.
 *
 * What all see alike is one stanza, and goes to the audience once for each view: those
 * who see real addresses, and those who do not.  Invariant: a client is in the audience
 * from when he has got the presence of the others until he is told that he is gone.
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

static void
set_flags(struct room *r, const struct occupant *o, uint8_t flags)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) != 0)
			audience_join(r->audience, c->jid, flags);
}

void
room_hear(struct room *r, const struct room_client *c)
{
	audience_join(r->audience, c->jid, view_of(r, c->occupant));
}

void
room_set_view(struct room *r, const struct occupant *o)
{
	set_flags(r, o, view_of(r, o));
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
		occupant_nick(o), o->aff, ROLE_NONE, NULL };
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
		if (is_anonymous(r))
			audience_send(r->audience,
				presence_of(r, o, note, false, false), VIEW_PLAIN,
				NULL, by);
		audience_send(r->audience, presence_of(r, o, note, true, false),
			VIEW_REAL, NULL, by);
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

	set_flags(r, o, VIEW_SELF);
	show_others(r, o, note, by);
	room_set_view(r, o);
	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) != 0)
			room_show_own(r, c, note, STR_NONE);
}

void
room_show_to(struct room *r, const struct occupant *o, struct jid to)
{
	const struct room_client *c = people_by_address(&r->people, to);

	if (o->is_shown)
		send_to(r, presence_of(r, o, NULL,
			view_of(r, c->occupant) == VIEW_REAL, false), to);
}

/* Are there clients of his that have been told nicknames alone? */
static bool
knows_no_addresses(const struct room *r, const struct occupant *o)
{
	const struct room_client *c;

	TAILQ_FOREACH (c, &o->clients, link)
		if (audience_flags(r->audience, c->jid) == VIEW_PLAIN)
			return true;
	return false;
}

/* To those that come in just now, they are told so anyway. */
static void
show_addresses(struct room *r, const struct occupant *to)
{
	const struct room_client *c;
	const struct occupant *o;

	TAILQ_FOREACH (c, &to->clients, link) {
		if (audience_flags(r->audience, c->jid) == 0)
			continue;
		TAILQ_FOREACH (o, &r->people.occupants, link)
			if (o != to)
				room_show_to(r, o, c->jid);
	}
}

void
room_show_role(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by)
{
	bool learns = view_of(r, o) == VIEW_REAL && knows_no_addresses(r, o);

	room_set_view(r, o);
	room_show(r, o, note, by);
	if (learns)
		show_addresses(r, o);
}

void
room_show_own(struct room *r, const struct room_client *c,
	const struct room_note *note, struct str id)
{
	const struct occupant *o = c->occupant;
	struct stanza *st = presence_of(r, o, note,
		view_of(r, o) == VIEW_REAL, true);

	if (id.p != NULL)
		stanza_set_id(st, id);
	send_to(r, st, c->jid);
}

void
room_show_gone_own(struct room *r, const struct room_client *c,
	const struct room_note *note)
{
	const struct occupant *o = c->occupant;
	bool renamed = note != NULL && note->nick.p != NULL;
	struct room_gone gone = { c->jid, occupant_nick(o), o->aff,
		renamed ? o->role : ROLE_NONE, NULL };

	send_to(r, gone_of(r, &gone, note, view_of(r, o) == VIEW_REAL, true),
		c->jid);
}

void
room_show_gone(struct room *r, const struct room_gone *gone,
	const struct room_note *note, struct jid by)
{
	if (is_anonymous(r))
		audience_send(r->audience, gone_of(r, gone, note, false, false),
			VIEW_PLAIN, NULL, by);
	audience_send(r->audience, gone_of(r, gone, note, true, false), VIEW_REAL,
		NULL, by);
}

/* --- messages of the room ---------------------------------------------------------------- */

void
room_say_codes(struct room *r, const unsigned *codes)
{
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, none,
		STR_NONE);

	add_codes(st, elem_add(st->arena, st->root, NS_MUC_USER, "x"), codes);
	audience_send(r->audience, st, VIEW_ANY, NULL, none);
}

void
room_say_affiliation(struct room *r, struct jid user, struct jid by)
{
	struct jid none = { .text = NULL };
	struct words w = { room_affiliation(r, user), ROLE_NONE, jid_bare(user), NULL,
		false };
	struct stanza *st = stanza_new(MESSAGE_NORMAL, r->e.jid, none, STR_NONE);

	add_item(st, elem_add(st->arena, st->root, NS_MUC_USER, "x"), &w);
	audience_send(r->audience, st, VIEW_REAL, NULL, by);
}
