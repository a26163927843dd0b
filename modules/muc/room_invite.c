/*
 * room_invite.c - invitations that the room passes on, those who decline (XEP-0045 §7.8.2),
 * and visitors who ask for voice (§7.13, §8.6).
 *
 *	occupant --invite--> may he? --for members alone, and a stranger--> a member, durable
 *	                       `--else--> message to whom he names <--------'
 *	visitor --asks--> form, to each moderator --submits--> role
 *
 * Owner shard of the room.  What is passed on is made anew: nothing but the reason is what
 * somebody has written.
 */
#include "config.h"

#include "room.h"

#define REASON_BYTES 1024

/* What comes back because of st, if whom it is for is in the room, is not taken for what
 * all hear: who has caused it would throw him out (§11.1). */
static void
send_apart(struct room *r, struct stanza *st)
{
	size_t at = people_by_user_start(&r->people, st->to);
	char id[RAND_ID_SIZE];
	const struct occupant *o;
	struct room_client *c;

	if (st->id.n == 0)
		stanza_set_id(st, rand_id(r->e.shard->rand, id));
	while ((o = people_by_user(&r->people, st->to, &at)) != NULL)
		TAILQ_FOREACH (c, &o->clients, link)
			people_note_private(&r->people, c, st->id);
	router_send(r->e.shard, st);
}

/* --- one invitation --------------------------------------------------------------------- */

static void
add_reason(struct arena *a, struct elem *to, const struct elem *from)
{
	const struct elem *reason = elem_child(from, NS_MUC_USER, "reason");

	if (reason != NULL)
		elem_add_with_text(a, to, NS_MUC_USER, "reason",
			elem_text(a, reason));
}

/* The inviter is whom the other one knows, as he wants to be known to him. */
static struct stanza *
invite_new(const struct room *r, struct jid by, struct jid to, struct str id,
	struct elem **invite_out)
{
	struct stanza *out = stanza_new(MESSAGE_NORMAL, r->e.jid, to, id);
	struct elem *x = elem_add(out->arena, out->root, NS_MUC_USER, "x");

	*invite_out = elem_add(out->arena, x, NS_MUC_USER, "invite");
	elem_set_attr(out->arena, *invite_out, "from", jid_bare_str(by));
	if (r->config.has_password)
		elem_add_with_text(out->arena, x, NS_MUC_USER, "password",
			str_c(r->config.secret));
	return out;
}

static void
send_invite(struct room *r, const struct stanza *st, const struct elem *invite,
	struct jid to)
{
	const struct elem *thread = elem_child(invite, NS_MUC_USER, "continue");
	struct elem *e;
	struct stanza *out = invite_new(r, st->from, to, st->id, &e);

	add_reason(out->arena, e, invite);
	if (thread != NULL) /* §7.9 */
		elem_set_attr(out->arena,
			elem_add(out->arena, e, NS_MUC_USER, "continue"),
			"thread", elem_attr(thread, "thread"));
	send_apart(r, out);
}

void
room_invite_member(struct room *r, struct jid user, struct str reason, struct jid by)
{
	struct elem *e;
	struct stanza *out = invite_new(r, by, user, STR_NONE, &e);

	if (reason.n != 0)
		elem_add_with_text(out->arena, e, NS_MUC_USER, "reason", reason);
	send_apart(r, out);
}

/* Of a room for members: whom its members may invite is one (§9.5). */
struct granting {
	struct entity_ref ref;
	struct stanza *st; /* owned: what was sent */
	const struct elem *invite;
	struct jid to;     /* whom he has named: a client perhaps */
};

/* With an affiliation that he has got meanwhile, he keeps that. */
static void
on_granted(void *arg, bool ok, const struct err *err)
{
	struct granting *g = arg;
	struct entity *e = entity_ref_end(&g->ref);
	struct room *r = e != NULL ? room_of(e) : NULL;
	struct room_note note = { .reason = STR_NONE };
	enum room_affiliation was;

	if (r != NULL && ok && members_find(&r->members, g->to) == NULL) {
		was = room_affiliation(r, g->to);
		members_set(&r->members, jid_bare(g->to), AFF_MEMBER, STR_NONE,
			STR_NONE);
		room_affiliate(r, jid_bare(g->to), was, &note, g->st->from);
	}
	if (r != NULL && (ok || err->code == ERR_CONFLICT)) {
		send_invite(r, g->st, g->invite, g->to);
		stanza_free(g->st);
	} else if (r != NULL) {
		room_refuse(r, g->st, stanza_cond_of(err->code), NULL);
	} else {
		stanza_free(g->st);
	}
	free(g);
}

/* st is borrowed. */
static void
grant_and_invite(struct room *r, const struct stanza *st, struct str to)
{
	struct granting *g = xcalloc(1, sizeof(*g));
	struct store_tx *tx = store_tx_new();

	g->st = stanza_copy(st);
	elem_each_child(stanza_child(g->st, NS_MUC_USER, "x"), invite)
		if (str_eq(elem_attr(invite, "to"), to))
			g->invite = invite;
	/* it borrows from the copy, which stays */
	jid_parse(&g->to, g->st->arena, elem_attr(g->invite, "to"), NULL);
	members_create(&r->members, tx, entity_place(&r->e, MAP_AFFILIATIONS),
		jid_bare(g->to), AFF_MEMBER);
	entity_ref(&g->ref, &r->e);
	module_commit(module_of_entity(&r->e), r->e.shard, tx, on_granted, g);
}

/* --- may he? ------------------------------------------------------------------------------- */

static bool
must_be_member(const struct room *r, struct jid whom)
{
	return r->config.members_only && room_affiliation(r, whom) < AFF_MEMBER;
}

static enum stanza_cond
may_invite(const struct room *r, const struct stanza *st,
	const struct elem *invite, struct jid *to_out)
{
	struct room_standing by = room_standing(r, st->from);
	const struct muc_conf *conf = room_conf(r);
	const struct elem *reason = elem_child(invite, NS_MUC_USER, "reason");
	enum room_affiliation least =
		r->config.allow_invites ? AFF_MEMBER : AFF_ADMIN;

	if (by.role == ROLE_NONE && by.aff < AFF_ADMIN)
		return COND_NOT_ACCEPTABLE;
	if (!jid_parse(to_out, st->arena, elem_attr(invite, "to"), NULL))
		return COND_JID_MALFORMED;
	if (reason != NULL && elem_text(st->arena, reason).n > REASON_BYTES)
		return COND_NOT_ACCEPTABLE;
	if (room_affiliation(r, *to_out) == AFF_OUTCAST ||
		(r->config.members_only && by.aff < least))
		return COND_FORBIDDEN; /* Example 135 */
	if (!must_be_member(r, *to_out))
		return COND_NONE;
	if (jid_local(*to_out).n == 0)
		return COND_NOT_ALLOWED; /* all of a domain, admins let in */
	if (shard_refuses_writes(r->e.shard) ||
		members_are_full(&r->members, conf->max_affiliations))
		return COND_RESOURCE_CONSTRAINT;
	return COND_NONE;
}

/* All of them, or none (st is taken). */
static void
invite_all(struct room *r, struct stanza *st, const struct elem *x)
{
	struct jid to;
	size_t n = 0;

	elem_each_child(x, invite) {
		enum stanza_cond cond = COND_NOT_ACCEPTABLE;

		if (!elem_is(invite, NS_MUC_USER, "invite"))
			continue;
		if (n++ < ROOM_INVITES_MAX)
			cond = may_invite(r, st, invite, &to);
		if (cond != COND_NONE) {
			room_refuse(r, st, cond, NULL);
			return;
		}
	}
	elem_each_child(x, invite) {
		if (!elem_is(invite, NS_MUC_USER, "invite"))
			continue;
		jid_parse(&to, st->arena, elem_attr(invite, "to"), NULL);
		if (must_be_member(r, to))
			grant_and_invite(r, st, elem_attr(invite, "to"));
		else
			send_invite(r, st, invite, to);
	}
	stanza_free(st);
}

/* --- who declines ------------------------------------------------------------------------- */

/* Of somebody who is in the room alone: it carries nobody's words to strangers. */
static struct occupant *
inviter_of(const struct room *r, struct jid to)
{
	size_t at;

	if (jid_eq_bare(to, r->e.jid))
		return people_by_nick(&r->people, jid_resource(to));
	at = people_by_user_start(&r->people, to);
	return people_by_user(&r->people, to, &at);
}

/* That he is not there is for those alone who could come in and see who is (§14.4); others
 * would look for somebody so.  st is taken. */
static void
decline_to_nobody(struct room *r, struct stanza *st)
{
	if (room_is_open_to(r, st->from) && room_shows_real(r, st->from))
		room_refuse(r, st, COND_ITEM_NOT_FOUND, NULL);
	else
		stanza_free(st);
}

static bool
may_decline(const struct room *r, const struct stanza *st, const struct elem *e)
{
	const struct elem *reason = elem_child(e, NS_MUC_USER, "reason");

	return room_affiliation(r, st->from) != AFF_OUTCAST && (reason == NULL ||
		elem_text(st->arena, reason).n <= REASON_BYTES);
}

static void
decline(struct room *r, struct stanza *st, const struct elem *e)
{
	struct occupant *o = NULL;
	const struct room_client *c;
	struct jid to;

	if (!may_decline(r, st, e)) {
		room_refuse(r, st, COND_NOT_ACCEPTABLE, NULL);
		return;
	}
	if (jid_parse(&to, st->arena, elem_attr(e, "to"), NULL))
		o = inviter_of(r, to);
	if (o == NULL) {
		decline_to_nobody(r, st);
		return;
	}
	TAILQ_FOREACH (c, &o->clients, link) {
		struct stanza *out = stanza_new(MESSAGE_NORMAL, r->e.jid, c->jid,
			st->id);
		struct elem *x = elem_add(out->arena, out->root, NS_MUC_USER,
			"x");
		struct elem *d = elem_add(out->arena, x, NS_MUC_USER, "decline");

		elem_set_attr(out->arena, d, "from", jid_bare_str(st->from));
		add_reason(out->arena, d, e);
		send_apart(r, out);
	}
	stanza_free(st);
}

/* --- voice --------------------------------------------------------------------------------- */

static struct str
field_value(const struct elem *form, struct arena *a, const char *var)
{
	const struct elem *field = form_field(form, var);

	return field != NULL ? form_value(a, field) : STR_NONE;
}

static void
add_field(struct arena *a, struct elem *form, const char *var, const char *type,
	const char *label, struct str value)
{
	form_add_value(a, form_add_field(a, form, var, type, label), value);
}

/* Example 108 */
static void
ask_moderator(struct room *r, const struct room_client *who, struct jid to)
{
	struct stanza *st = stanza_new(MESSAGE_NORMAL, r->e.jid, to, STR_NONE);
	struct arena *a = st->arena;
	struct elem *form = form_add(a, st->root, "form", NS_MUC_REQUEST);

	elem_add_with_text(a, form, NS_FORM, "title", STR("Voice request"));
	add_field(a, form, "muc#role", "list-single", "Requested role",
		STR("participant"));
	add_field(a, form, "muc#jid", "jid-single", "Address",
		jid_str(who->jid));
	add_field(a, form, "muc#roomnick", "text-single", "Nickname",
		occupant_nick(who->occupant));
	add_field(a, form, "muc#request_allow", "boolean",
		"Is he to have voice?", STR("false"));
	send_apart(r, st);
}

static void
ask_for_voice(struct room *r, const struct room_client *who)
{
	const struct occupant *o;
	const struct room_client *c;

	TAILQ_FOREACH (o, &r->people.occupants, link) {
		if (o->role != ROLE_MODERATOR)
			continue;
		TAILQ_FOREACH (c, &o->clients, link)
			ask_moderator(r, who, c->jid);
	}
}

/* Example 109; of one who is a visitor no more, nothing is left to be said. */
static enum stanza_cond
give_voice(struct room *r, const struct stanza *st, const struct elem *form)
{
	struct str allow = field_value(form, st->arena, "muc#request_allow");
	struct occupant *o = people_by_nick(&r->people,
		field_value(form, st->arena, "muc#roomnick"));
	struct room_note note = { .reason = STR_NONE };
	enum stanza_cond cond;

	if (!str_is(allow, "1") && !str_is(allow, "true"))
		return COND_NONE;
	if (o == NULL)
		return COND_ITEM_NOT_FOUND;
	cond = rights_set_role(room_standing(r, st->from),
		(struct room_standing){ o->role, o->aff }, ROLE_PARTICIPANT);
	if (cond == COND_NONE && o->role == ROLE_VISITOR)
		room_set_role(r, o, ROLE_PARTICIPANT, &note, st->from);
	return cond;
}

static void
voice(struct room *r, struct stanza *st, const struct elem *form)
{
	struct room_client *c = people_by_address(&r->people, st->from);
	enum stanza_cond cond = COND_NONE;

	if (c == NULL)
		cond = COND_NOT_ACCEPTABLE;
	else if (field_value(form, st->arena, "muc#request_allow").p != NULL)
		cond = give_voice(r, st, form);
	else if (!str_is(field_value(form, st->arena, "muc#role"), "participant"))
		cond = COND_BAD_REQUEST;
	else if (c->occupant->role == ROLE_VISITOR)
		ask_for_voice(r, c);
	if (cond != COND_NONE)
		room_refuse(r, st, cond, NULL);
	else
		stanza_free(st);
}

/* --- which of them it is --------------------------------------------------------------------- */

void
room_asked(struct room *r, struct stanza *st)
{
	const struct elem *x = stanza_child(st, NS_MUC_USER, "x");
	const struct elem *form = form_submitted(st->root);
	const struct elem *e =
		x != NULL ? elem_child(x, NS_MUC_USER, "decline") : NULL;

	if (room_is_absent_for(r, st->from))
		room_refuse(r, st, COND_ITEM_NOT_FOUND, NULL);
	else if (!limits_let(r, st, DOING_REQUEST))
		return; /* it was answered */
	else if (x != NULL && elem_child(x, NS_MUC_USER, "invite") != NULL)
		invite_all(r, st, x);
	else if (e != NULL)
		decline(r, st, e);
	else if (form != NULL && str_is(field_value(form, st->arena, "FORM_TYPE"),
			NS_MUC_REQUEST))
		voice(r, st, form);
	else /* §17.2, 1 */
		room_refuse(r, st, COND_BAD_REQUEST, NULL);
}
