/*
 * room_admin.c - roles and affiliations: lists of them, and how they are changed
 * (XEP-0045 §8, §9, §10.3 to §10.8).
 *
 *	set --may he, all of it?--> roles: at once
 *	              | no          affiliations: one transaction --durable--> all are told
 *	              v
 *	            error, and nothing is changed (§9.2)
 *
 * Owner shard of the room.  Sets come one by one, so that what was judged is what is
 * changed; roles alone can be others by then, of those who left.
 */
#include "config.h"

#include "room.h"

#define ITEMS_MAX 1000 /* of one request */
#define REASON_BYTES 1024

struct change {
	struct str nick;  /* of an occupant, or what he is to have reserved; STR_NONE */
	struct jid jid;   /* bare; not set: it is a role */
	struct str reason;
	enum room_role role;
	enum room_affiliation aff, was; /* and what it was, when that is done */
};

/* One request, which is longer than its iq: who asked hears first that it is done, and the
 * others then (§8.2, §9.1). */
struct changes {
	struct iq *iq;
	struct stanza *st; /* a copy of it, in whose arena all of this lies; owned */
	struct VEC(struct change) all;
	bool of_roles;
};

/* --- lists -------------------------------------------------------------------------------- */

static struct elem *
add_item(struct arena *a, struct elem *query, enum room_affiliation aff,
	struct jid jid)
{
	struct elem *item = elem_add(a, query, NS_MUC_ADMIN, "item");

	elem_set_attr(a, item, "affiliation", str_c(affiliation_name(aff)));
	elem_set_attr(a, item, "jid", jid_str(jid));
	return item;
}

/* §8.5, §17.4, 5 */
static void
list_role(const struct room *r, struct arena *a, struct elem *query,
	enum room_role role)
{
	const struct occupant *o;
	struct elem *item;

	TAILQ_FOREACH (o, &r->people.occupants, link) {
		if (o->role != role)
			continue;
		item = add_item(a, query, o->aff, TAILQ_FIRST(&o->clients)->jid);
		elem_set_attr(a, item, "nick", occupant_nick(o));
		elem_set_attr(a, item, "role", str_c(role_name(role)));
	}
}

/* §9.2, §9.5, §17.4, 6 */
static void
list_affiliation(const struct room *r, struct arena *a, struct elem *query,
	enum room_affiliation aff)
{
	const struct room_member *one;
	struct elem *item;

	TAILQ_FOREACH (one, &r->members.all, link) {
		if (one->aff != aff)
			continue;
		item = add_item(a, query, aff, one->jid);
		if (one->nick != NULL)
			elem_set_attr(a, item, "nick", str_c(one->nick));
		if (one->reason != NULL)
			elem_add_with_text(a, item, NS_MUC_ADMIN, "reason",
				str_c(one->reason));
	}
}

enum hook_result
muc_on_admin_get(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	const struct elem *item = elem_child(iq->payload, NS_MUC_ADMIN, "item");
	struct room_standing by = room_standing(r, iq->st->from);
	struct elem *query = iq_payload(iq, NS_MUC_ADMIN, "query");
	enum stanza_cond cond = COND_BAD_REQUEST;
	enum room_affiliation aff;
	enum room_role role;

	(void)m;
	if (item != NULL && role_parse(elem_attr(item, "role"), &role)) {
		cond = rights_list_role(by, role);
		if (cond == COND_NONE)
			list_role(r, iq->st->arena, query, role);
	} else if (item != NULL &&
		affiliation_parse(elem_attr(item, "affiliation"), &aff)) {
		cond = rights_list_affiliation(by, aff,
			r->config.whois != WHOIS_ANYONE, r->config.member_list);
		if (cond == COND_NONE)
			list_affiliation(r, iq->st->arena, query, aff);
	}
	if (cond == COND_NONE)
		iq_result(iq, query);
	else
		iq_error(iq, cond, NULL);
	return HOOK_HANDLED;
}

/* --- what is asked for -------------------------------------------------------------------- */

/* As who enters with it writes it; an empty one takes away what is reserved (§9.5). */
static bool
read_nick(struct arena *a, struct str *nick)
{
	struct str key;

	return nick->n == 0 || (jid_prep_resource(nick, a, *nick, NULL) &&
		people_key(&key, a, *nick)); /* §17.1 */
}

/* §17.4, 4: of one of the two; by address, or by the nickname of one who is there. */
static enum stanza_cond
read_item(const struct room *r, struct arena *a, const struct elem *item,
	struct change *out)
{
	struct str role = elem_attr(item, "role"),
		   aff = elem_attr(item, "affiliation"),
		   jid = elem_attr(item, "jid");
	const struct elem *reason = elem_child(item, NS_MUC_ADMIN, "reason");
	const struct occupant *o;

	*out = (struct change){ .nick = elem_attr(item, "nick") };
	if (reason != NULL)
		out->reason = elem_text(a, reason);
	if ((role.p != NULL) == (aff.p != NULL) || out->reason.n > REASON_BYTES ||
		!read_nick(a, &out->nick))
		return COND_BAD_REQUEST;
	o = out->nick.p != NULL ? people_by_nick(&r->people, out->nick) : NULL;
	if (role.p != NULL) {
		if (!role_parse(role, &out->role) || out->nick.p == NULL)
			return COND_BAD_REQUEST;
		return o != NULL ? COND_NONE : COND_ITEM_NOT_FOUND;
	}
	if (!affiliation_parse(aff, &out->aff))
		return COND_BAD_REQUEST;
	if (jid.p == NULL) { /* clients name those who are there so */
		if (o == NULL)
			return out->nick.p != NULL ? COND_ITEM_NOT_FOUND :
						     COND_BAD_REQUEST;
		out->jid = jid_copy(a, o->user);
		out->nick = STR_NONE;
		return COND_NONE;
	}
	if (!jid_parse(&out->jid, a, jid, NULL))
		return COND_JID_MALFORMED;
	out->jid = jid_bare(out->jid); /* §10.3 */
	return COND_NONE;
}

static enum stanza_cond
read_changes(const struct room *r, struct changes *ch)
{
	struct arena *a = ch->st->arena;
	enum stanza_cond cond;

	elem_each_child(stanza_payload(ch->st), item) {
		struct change one;

		if (!elem_is(item, NS_MUC_ADMIN, "item"))
			continue;
		cond = read_item(r, a, item, &one);
		if (cond != COND_NONE)
			return cond;
		if (ch->all.n == ITEMS_MAX)
			return COND_NOT_ACCEPTABLE;
		if (ch->all.n != 0 && ch->of_roles == jid_is_set(one.jid))
			return COND_BAD_REQUEST; /* roles, or affiliations */
		ch->of_roles = !jid_is_set(one.jid);
		*vec_push_in(a, &ch->all) = one;
	}
	return ch->all.n != 0 ? COND_NONE : COND_BAD_REQUEST;
}

/* --- may he? -------------------------------------------------------------------------------- */

/* Anything of it?  Who may not is not told who is there, either (§14.4). */
static enum stanza_cond
may_ask(const struct room *r, struct jid by)
{
	struct room_standing as = room_standing(r, by);

	if (r->state != ROOM_OPEN)
		return COND_ITEM_NOT_FOUND;
	return as.role == ROLE_MODERATOR || as.aff >= AFF_ADMIN ? COND_NONE :
								  COND_FORBIDDEN;
}

static enum stanza_cond
may_set_role(const struct room *r, struct jid by, const struct change *one)
{
	const struct occupant *o = people_by_nick(&r->people, one->nick);

	return rights_set_role(room_standing(r, by),
		(struct room_standing){ o->role, o->aff }, one->role);
}

/* owners_io: how many there are, when those before it are done. */
static enum stanza_cond
may_affiliate(const struct room *r, struct jid by, const struct change *one,
	size_t *owners_io)
{
	const struct room_member *was = members_find(&r->members, one->jid);
	bool owned = was != NULL && was->aff == AFF_OWNER;
	struct room_affiliating a = {
		.by = room_affiliation(r, by),
		.from = members_affiliation(&r->members, one->jid),
		.to = one->aff,
		.himself = jid_eq_bare(by, one->jid),
		.last_owner = owned && *owners_io == 1,
	};
	enum stanza_cond cond = rights_set_affiliation(&a);

	*owners_io += (one->aff == AFF_OWNER) - owned;
	return cond;
}

/* A nickname that reads like another's is nobody's to reserve (§7.10). */
static bool
nick_is_free(const struct room *r, struct arena *a, const struct change *one)
{
	struct str key;

	if (one->nick.n == 0 || one->aff <= AFF_NONE)
		return true;
	return people_key(&key, a, one->nick) &&
		members_reserved(&r->members, key, one->jid) == NULL;
}

static enum stanza_cond
may_change(const struct room *r, struct changes *ch)
{
	const struct muc_conf *conf = room_conf(r);
	size_t owners = r->members.owners, n = r->members.n;
	struct jid by = ch->st->from;
	enum stanza_cond cond = COND_NONE;

	for (size_t i = 0; i < ch->all.n && cond == COND_NONE; i++) {
		const struct change *one = &ch->all.p[i];

		if (ch->of_roles) {
			cond = may_set_role(r, by, one);
			continue;
		}
		cond = may_affiliate(r, by, one, &owners);
		if (cond == COND_NONE &&
			!nick_is_free(r, ch->st->arena, one))
			cond = COND_CONFLICT;
		n += one->aff != AFF_NONE &&
			members_find(&r->members, one->jid) == NULL;
		if (cond == COND_NONE && n > r->members.n &&
			(conf == NULL || n > (size_t)conf->max_affiliations ||
				members_are_full(&r->members,
					conf->max_affiliations)))
			cond = COND_RESOURCE_CONSTRAINT;
	}
	return cond;
}

/* --- those who are in the room --------------------------------------------------------------- */

enum room_role
room_first_role(const struct room *r, struct jid user, enum room_affiliation aff)
{
	enum room_role role = role_initial(aff, r->config.moderated),
		       given = voices_find(&r->voices, user);

	return role == ROLE_MODERATOR || given == ROLE_NONE ? role : given;
}

/* Of a moderated room alone, and no longer than he has his affiliation; who was made a
 * moderator is one for this visit. */
static void
remember_role(struct room *r, const struct occupant *o, enum room_role role)
{
	if (role == role_initial(o->aff, r->config.moderated))
		voices_set(&r->voices, o->user, ROLE_NONE);
	else if (r->config.moderated && role != ROLE_MODERATOR)
		voices_set(&r->voices, o->user, role);
}

void
room_set_role(struct room *r, struct occupant *o, enum room_role role,
	const struct room_note *note, struct jid by)
{
	remember_role(r, o, role);
	o->role = role;
	room_show_role(r, o, note, by);
}

/* Granted a higher one he has at least the role that it brings; who was an admin loses
 * it with that; else it stays (§5.1.3). */
static void
follow_affiliation(const struct room *r, struct occupant *o,
	enum room_affiliation aff)
{
	enum room_role initial = role_initial(aff, r->config.moderated);

	if (o->aff >= AFF_ADMIN && aff < AFF_ADMIN)
		o->role = initial;
	else if (aff > o->aff)
		o->role = MAX(o->role, initial);
	o->aff = aff;
}

static void
affiliate_one(struct room *r, struct occupant *o, const struct room_note *note,
	struct jid by)
{
	enum room_affiliation aff = room_affiliation(r, o->user);
	struct room_note gone = *note;

	if (aff == o->aff)
		return;
	if (aff == AFF_OUTCAST || (r->config.members_only && aff < AFF_MEMBER)) {
		o->aff = aff;
		gone.codes[0] = aff == AFF_OUTCAST ? 301 : 321;
		room_leave_all(r, o, &gone);
		return;
	}
	follow_affiliation(r, o, aff);
	room_show_role(r, o, note, by);
}

/* False: he is not in it. */
static bool
affiliate_user(struct room *r, struct jid user, const struct room_note *note,
	struct jid by)
{
	enum room_affiliation aff = room_affiliation(r, user);
	size_t at = people_by_user_start(&r->people, user);
	struct occupant *o;
	bool found = false;

	while ((o = people_by_user(&r->people, user, &at)) != NULL) {
		found = true;
		if (o->aff == aff)
			continue;
		affiliate_one(r, o, note, by);
		at = people_by_user_start(&r->people, user); /* he may be gone */
	}
	return found;
}

void
room_affiliate(struct room *r, struct jid jid, enum room_affiliation was,
	const struct room_note *note, struct jid by)
{
	struct occupant *o, *next;

	if (room_affiliation(r, jid) != was)
		voices_set(&r->voices, jid, ROLE_NONE);
	if (jid_local(jid).n != 0) {
		if (!affiliate_user(r, jid, note, by) &&
			room_affiliation(r, jid) != was)
			room_say_affiliation(r, jid, by);
		return;
	}
	for (o = TAILQ_FIRST(&r->people.occupants); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (str_eq(jid_domain(o->user), jid_domain(jid)))
			affiliate_one(r, o, note, by);
	}
}

/* --- doing it ----------------------------------------------------------------------------- */

static struct room_note
note_of(const struct room *r, const struct stanza *by, const struct change *one)
{
	const struct room_client *c = people_by_address(&r->people, by->from);
	struct room_note note = { .reason = one->reason };

	if (c != NULL)
		note.actor = arena_str(by->arena, occupant_nick(c->occupant));
	return note;
}

static void
set_role(struct room *r, const struct stanza *by, const struct change *one)
{
	struct occupant *o = people_by_nick(&r->people, one->nick);
	struct room_note note = note_of(r, by, one);

	if (o == NULL || o->role == one->role)
		return; /* named twice */
	if (one->role == ROLE_NONE) {
		note.codes[0] = 307;
		room_leave_all(r, o, &note);
		return;
	}
	room_set_role(r, o, one->role, &note, by->from);
}

/* Whom a room lets in that it did not (§9.5); nobody can be in one before that. */
static bool
is_to_be_invited(const struct room *r, const struct change *one)
{
	return r->config.members_only && one->was == AFF_NONE &&
		one->aff == AFF_MEMBER && jid_local(one->jid).n != 0;
}

/* So many are as one message that invites them: who has sent too many makes members who
 * hear of it from himself. */
static bool
may_invite(struct room *r, struct jid by, size_t n_invited, bool before)
{
	if (room_is_ruled_by(r, by))
		return true;
	return n_invited % ROOM_INVITES_MAX != 0 ?
		before :
		limits_count(r, by, DOING_REQUEST);
}

static void
set_affiliations(struct room *r, struct changes *ch)
{
	size_t n_invited = 0;
	bool invites = false;

	for (size_t i = 0; i < ch->all.n; i++) {
		struct change *one = &ch->all.p[i];

		one->was = room_affiliation(r, one->jid);
		members_set(&r->members, one->jid, one->aff, one->nick,
			one->reason);
	}
	for (size_t i = 0; i < ch->all.n; i++) {
		const struct change *one = &ch->all.p[i];
		struct room_note note = note_of(r, ch->st, one);

		room_affiliate(r, one->jid, one->was, &note, ch->st->from);
		if (!is_to_be_invited(r, one))
			continue;
		invites = may_invite(r, ch->st->from, n_invited++, invites);
		if (invites)
			room_invite_member(r, one->jid, one->reason,
				ch->st->from);
	}
}

static void
on_affiliations_stored(void *arg, bool ok, const struct err *err)
{
	struct changes *ch = arg;
	struct entity *e = iq_entity(ch->iq);

	if (ok)
		iq_result(ch->iq, NULL);
	else
		iq_error(ch->iq, stanza_cond_of(err->code), NULL);
	if (ok && e != NULL)
		set_affiliations(room_of(e), ch);
	stanza_free(ch->st);
}

static void
affiliate(struct module_ctx *m, struct room *r, struct changes *ch)
{
	struct store_place at = entity_place(&r->e, MAP_AFFILIATIONS);
	struct store_tx *tx = store_tx_new();

	for (size_t i = 0; i < ch->all.n; i++) {
		const struct change *one = &ch->all.p[i];

		members_store(&r->members, tx, at, one->jid, one->aff, one->nick,
			one->reason);
	}
	iq_keep(ch->iq);
	module_commit(m, r->e.shard, tx, on_affiliations_stored, ch);
}

enum hook_result
muc_on_admin_set(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	struct stanza *st = stanza_copy(iq->st);
	struct changes *ch = arena_zalloc(st->arena, sizeof(*ch));
	enum stanza_cond cond;

	ch->iq = iq;
	ch->st = st;
	cond = may_ask(r, iq->st->from);
	if (cond == COND_NONE)
		cond = read_changes(r, ch);
	if (cond == COND_NONE)
		cond = may_change(r, ch);
	if (cond == COND_NONE && !ch->of_roles) {
		affiliate(m, r, ch);
		return HOOK_HANDLED;
	}
	if (cond == COND_NONE)
		iq_result(iq, NULL);
	else
		iq_error(iq, cond, NULL);
	for (size_t i = 0; cond == COND_NONE && i < ch->all.n; i++)
		set_role(r, st, &ch->all.p[i]);
	stanza_free(ch->st);
	return HOOK_HANDLED;
}
