/*
 * room_register.c - users register with a room: they are its members from then on, and
 * have a nickname that is theirs (XEP-0045 §7.10).
 *
 * Owner shard of the room.  A room for members is none to register with: its admins say who
 * is one; nor is that a way to voice, or past a password, since members read what is said
 * there.  Sets come one by one.
 */
#include "config.h"

#include "room.h"

#define VAR_NICK "muc#register_roomnick"

/* --- may he? ------------------------------------------------------------------------------- */

static enum stanza_cond
may_register(const struct room *r, struct jid who)
{
	struct room_standing as = room_standing(r, who);

	if (r->state != ROOM_OPEN)
		return COND_ITEM_NOT_FOUND; /* Example 67 */
	if (as.aff >= AFF_MEMBER)
		return COND_NONE;
	if (as.aff == AFF_OUTCAST || r->config.members_only ||
		(r->config.moderated && as.role < ROLE_PARTICIPANT) ||
		(r->config.has_password && as.role == ROLE_NONE))
		return COND_NOT_ALLOWED; /* Example 68 */
	return COND_NONE;
}

/* --- what is asked for -------------------------------------------------------------------- */

static void
add_form(struct arena *a, struct elem *query)
{
	struct elem *form = form_add(a, query, "form", NS_MUC_REGISTER);
	struct elem *nick = form_add_field(a, form, VAR_NICK, "text-single",
		"Nickname");

	elem_add(a, nick, NS_FORM, "required");
}

enum hook_result
muc_on_register_get(struct module_ctx *m, struct iq *iq)
{
	const struct room *r = room_of(iq->entity);
	const struct room_member *one = members_find(&r->members, iq->st->from);
	enum stanza_cond cond = may_register(r, iq->st->from);
	struct arena *a = iq->st->arena;
	struct elem *query;

	(void)m;
	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
		return HOOK_HANDLED;
	}
	query = iq_payload(iq, NS_REGISTER, "query");
	if (one != NULL && one->nick != NULL) { /* Example 69 */
		elem_add(a, query, NS_REGISTER, "registered");
		elem_add_with_text(a, query, NS_REGISTER, "username",
			str_c(one->nick));
	} else {
		add_form(a, query);
	}
	iq_result(iq, query);
	return HOOK_HANDLED;
}

/* --- it is done ---------------------------------------------------------------------------- */

/* In the arena of st. */
struct registering {
	struct iq *iq;
	struct stanza *st; /* a copy, owned */
	struct str nick;   /* empty: he gives it back */
	enum room_affiliation aff;
};

static void
on_registered(void *arg, bool ok, const struct err *err)
{
	struct registering *g = arg;
	struct entity *e = iq_entity(g->iq);
	struct jid user = jid_bare(g->st->from);
	struct room_note note = { .reason = STR_NONE };
	enum room_affiliation was;

	if (ok)
		iq_result(g->iq, NULL);
	else
		iq_error(g->iq, stanza_cond_of(err->code), NULL);
	if (ok && e != NULL) {
		was = room_affiliation(room_of(e), user);
		members_set(&room_of(e)->members, user, g->aff, g->nick, STR_NONE);
		room_affiliate(room_of(e), user, was, &note, g->st->from);
	}
	stanza_free(g->st);
}

static void
register_him(struct module_ctx *m, struct room *r, struct registering *g)
{
	struct store_tx *tx = store_tx_new();

	members_store(&r->members, tx, entity_place(&r->e, MAP_AFFILIATIONS),
		jid_bare(g->st->from), g->aff, g->nick, STR_NONE);
	iq_keep(g->iq);
	module_commit(m, r->e.shard, tx, on_registered, g);
}

/* The nickname that he wants; an error where there is none, or it is another's. */
static enum stanza_cond
read_nick(const struct room *r, struct registering *g)
{
	struct arena *a = g->st->arena;
	const struct elem *form = form_submitted(stanza_payload(g->st)), *field;
	struct str key;

	field = form != NULL && form_is(a, form, NS_MUC_REGISTER) ?
		form_field(form, VAR_NICK) :
		NULL;
	if (field == NULL)
		return COND_BAD_REQUEST; /* Example 74 */
	g->nick = form_value(a, field);
	if (!jid_prep_resource(&g->nick, a, g->nick, NULL) ||
		!people_key(&key, a, g->nick))
		return COND_BAD_REQUEST;
	if (members_reserved(&r->members, key, g->st->from) != NULL ||
		people_in_the_way(&r->people, key, g->st->from) != NULL)
		return COND_CONFLICT; /* Example 72 */
	return COND_NONE;
}

/* XEP-0077 §3.2: an admin is one still, without a nickname of his own. */
static enum stanza_cond
give_back(const struct room *r, struct registering *g)
{
	const struct room_member *one = members_find(&r->members, g->st->from);

	if (one == NULL || one->aff < AFF_MEMBER)
		return COND_REGISTRATION_REQUIRED;
	g->aff = one->aff == AFF_MEMBER ? AFF_NONE : one->aff;
	g->nick = STR("");
	return COND_NONE;
}

static enum stanza_cond
read_request(const struct room *r, struct registering *g)
{
	const struct room_member *one = members_find(&r->members, g->st->from);
	const struct muc_conf *conf = room_conf(r);

	if (elem_child(stanza_payload(g->st), NS_REGISTER, "remove") != NULL)
		return give_back(r, g);
	if (one == NULL && members_are_full(&r->members, conf->max_affiliations))
		return COND_RESOURCE_CONSTRAINT;
	g->aff = one != NULL ? one->aff : AFF_MEMBER;
	return read_nick(r, g);
}

enum hook_result
muc_on_register_set(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	struct stanza *st = stanza_copy(iq->st);
	struct registering *g = arena_zalloc(st->arena, sizeof(*g));
	enum stanza_cond cond = may_register(r, iq->st->from);

	g->iq = iq;
	g->st = st;
	if (cond == COND_NONE)
		cond = read_request(r, g);
	if (cond == COND_NONE) {
		register_him(m, r, g);
		return HOOK_HANDLED;
	}
	iq_error(iq, cond, NULL);
	stanza_free(st);
	return HOOK_HANDLED;
}
