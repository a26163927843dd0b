/*
 * room_enter.c - who comes into a room.
 *
 *	presence with <x/> --> may he? --no--> error
 *	                         | no room --> made, and his (§10.1)
 *	                         v
 *	                       occupant --> the others hear of him, and he of all (room_join.h)
 *	                         ^
 *	                         '-- who is in it already is told all of it again (§7.2.1)
 */
#include "config.h"

#include "muc_create.h"
#include "room.h"

/* So many owners and admins come in above the bound (§7.2.9). */
#define USERS_ABOVE 100

/* Who asks, and for what. */
struct entry {
	struct room *r;
	struct stanza *st;
	const struct elem *x;
	struct str nick, key;
	enum room_affiliation aff;
	struct room_client *client; /* NULL: he is not in it yet */
	struct room_note note;
};

/* --- may he? ------------------------------------------------------------------------------- */

static bool
knows_password(const struct entry *e)
{
	const struct elem *password = elem_child(e->x, NS_MUC, "password");
	struct str given = password != NULL ?
		elem_text(e->st->arena, password) :
		STR("");

	return !e->r->config.has_password ||
		secret_eq(given, str_c(e->r->config.secret)) ||
		room_is_ruled_by(e->r, e->st->from);
}

/* Each client of one who has several is one more to be told everything. */
static bool
is_full(const struct entry *e)
{
	const struct room *r = e->r;
	size_t max = r->config.max_users != 0 ? r->config.max_users :
						(size_t)room_conf(r)->max_users;

	if (e->aff >= AFF_ADMIN)
		max += USERS_ABOVE;
	return r->people.n_clients >= max;
}

/* §7.2.8: in use, or reserved, but not with what is his own. */
static bool
is_anothers(const struct entry *e)
{
	return people_in_the_way(&e->r->people, e->key, e->st->from) != NULL ||
		members_reserved(&e->r->members, e->key, e->st->from) != NULL;
}

/* §7.2.5 to §7.2.10; *type_out: other than the condition has. */
static enum stanza_cond
may_enter(const struct entry *e, const char **type_out)
{
	const struct room *r = e->r;

	if (r->state == ROOM_ABSENT)
		return muc_refuses_new(r, e->st->from) != NULL ? COND_NOT_ALLOWED :
								COND_NONE;
	if (e->aff == AFF_OUTCAST)
		return COND_FORBIDDEN;
	if (r->state == ROOM_LOCKED && e->aff != AFF_OWNER)
		return COND_ITEM_NOT_FOUND;
	if (r->config.members_only && e->aff < AFF_MEMBER)
		return COND_REGISTRATION_REQUIRED;
	if (!knows_password(e))
		return COND_NOT_AUTHORIZED;
	if (is_anothers(e))
		return COND_CONFLICT;
	if (is_full(e)) {
		*type_out = "wait";
		return COND_SERVICE_UNAVAILABLE;
	}
	return COND_NONE;
}

/* --- coming in ---------------------------------------------------------------------------- */

static void
note_own(struct entry *e, unsigned code)
{
	size_t i = 0;

	while (e->note.own[i] != 0)
		i++;
	e->note.own[i] = code;
}

static void
create(struct entry *e)
{
	e->r->state = ROOM_LOCKED;
	muc_defaults_apply(room_conf(e->r), &e->r->config);
	members_set(&e->r->members, jid_bare(e->st->from), AFF_OWNER, STR_NONE,
		STR_NONE);
	e->aff = AFF_OWNER;
	note_own(e, 201);
}

/* c is in it.  If it was before, it has lost its picture of the room (§7.2.1), or its
 * coming in was interrupted. */
static void
be_told(struct entry *e, struct room_client *c)
{
	struct room *r = e->r;

	c->missed = false;
	people_say(&r->people, c, e->st->root);
	join_begin(r, c, e->x, e->note.own, e->st->id);
	room_show(r, c->occupant, NULL, e->st->from);
	join_go(c);
	stanza_free(e->st);
}

static void
come_in(struct entry *e)
{
	struct room *r = e->r;
	struct room_client *c;

	if (r->state == ROOM_ABSENT)
		create(e);
	c = people_enter(&r->people, e->st->from, e->nick, e->key);
	if (TAILQ_NEXT(c, link) == NULL) {
		c->occupant->aff = e->aff;
		c->occupant->role = room_first_role(r, e->st->from, e->aff);
	}
	entity_in_use(&r->e);
	room_used(r);
	be_told(e, c);
}

/* Of one who is in it as somebody else already, it is that he takes another name. */
static bool
is_renaming(const struct entry *e)
{
	return e->client != NULL &&
		!str_eq(occupant_nick(e->client->occupant), e->nick);
}

void
room_enter(struct room *r, struct stanza *st)
{
	struct entry e = {
		.r = r,
		.st = st,
		.x = elem_copy(st->arena, stanza_child(st, NS_MUC, "x")),
		.nick = jid_resource(st->to),
		.aff = room_affiliation(r, st->from),
		.client = people_by_address(&r->people, st->from),
	};
	const char *type = NULL;
	enum stanza_cond cond;

	if (jid_is_bare(st->from) || !people_key(&e.key, st->arena, e.nick)) {
		room_refuse(r, st, COND_JID_MALFORMED, NULL); /* §7.2.1, §17.1 */
		return;
	}
	/* who is in it has been let in */
	cond = e.client == NULL ? may_enter(&e, &type) : COND_NONE;
	if (cond != COND_NONE) {
		room_refuse_why(r, st, cond, type, r->state == ROOM_ABSENT ?
				str_c(muc_refuses_new(r, st->from)) :
				STR_NONE);
		return;
	}
	if (!limits_let(r, st, DOING_JOIN) || !limits_let_presence(r, st))
		return;
	room_clean(st);
	if (r->config.whois == WHOIS_ANYONE)
		note_own(&e, 100); /* §7.2.3 */
	if (is_renaming(&e))
		room_presence(r, e.client, st);
	else if (e.client != NULL)
		be_told(&e, e.client);
	else
		come_in(&e);
}
