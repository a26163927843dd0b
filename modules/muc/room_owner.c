/*
 * room_owner.c - how a room is made, configured and destroyed (XEP-0045 §10.1, §10.2,
 * §10.9).
 *
 *	get --> form               set: submit --valid?--> one transaction --durable--> open;
 *	                                cancel, destroy --> deleted --durable--> gone   all told
 *
 * Owner shard of the room.  Sets come one by one; what is being deleted lets nobody in.
 */
#include "config.h"

#include "muc_list.h"
#include "room.h"

#define VAR_ADMINS "muc#roomconfig_roomadmins"
#define VAR_OWNERS "muc#roomconfig_roomowners"
#define HOW_BYTES 4096 /* of <destroy/>, which goes to each who is in it */
#define LIST_MAX 2000 /* of both */

/* --- the form --------------------------------------------------------------------------- */

static void
add_list(const struct room *r, struct arena *a, struct elem *form,
	const char *var, const char *label, enum room_affiliation aff)
{
	struct elem *field = form_add_field(a, form, var, "jid-multi", label);
	const struct room_member *one;

	TAILQ_FOREACH (one, &r->members.all, link)
		if (one->aff == aff)
			form_add_value(a, field, jid_str(one->jid));
}

static enum stanza_cond
may_configure(const struct room *r, struct jid by)
{
	if (r->state == ROOM_GOING)
		return COND_ITEM_NOT_FOUND;
	return room_affiliation(r, by) == AFF_OWNER ? COND_NONE : COND_FORBIDDEN;
}

/* Where no room has one, nobody is asked. */
static bool
is_of_archive(void *arg, const struct elem *e)
{
	(void)arg;
	return elem_is(e, NS_FORM, "field") &&
		str_is(elem_attr(e, "var"), "muc#roomconfig_enablearchiving");
}

enum hook_result
muc_on_owner_get(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	const struct muc_conf *conf = m->conf;
	struct arena *a = iq->st->arena;
	enum stanza_cond cond = may_configure(r, iq->st->from);
	struct elem *query, *form;

	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
		return HOOK_HANDLED;
	}
	query = iq_payload(iq, NS_MUC_OWNER, "query");
	form = form_add(a, query, "form", NS_MUC_ROOMCONFIG);
	room_config_form(&r->config, a, form, (uint32_t)conf->max_users);
	if (conf->archive == MUC_ARCHIVE_NONE)
		elem_drop(form, is_of_archive, NULL);
	add_list(r, a, form, VAR_ADMINS, "Admins", AFF_ADMIN);
	add_list(r, a, form, VAR_OWNERS, "Owners", AFF_OWNER);
	iq_result(iq, query);
	return HOOK_HANDLED;
}

/* --- what is submitted ----------------------------------------------------------------------- */

struct affiliating {
	struct jid jid;
	enum room_affiliation aff, was; /* and what it was, when that is done */
};

struct affiliatings VEC(struct affiliating);

/* In the arena of st, as all of it but the config. */
struct submission {
	struct iq *iq;
	struct stanza *st; /* a copy, which stays when iq is answered; owned */
	struct room_config config;
	struct affiliatings changes;
	size_t owners; /* that there will be */
	bool is_counted; /* a number is being stored for it (muc_maker.h) */
};

static bool
is_named(const struct affiliatings *all, struct jid jid)
{
	for (size_t i = 0; i < all->n; i++) {
		if (jid_eq(all->p[i].jid, jid))
			return true;
	}
	return false;
}

/* Of one list: who is named in it, and is not so yet; who stands in both is an owner. */
static enum stanza_cond
read_names(const struct room *r, struct submission *s, const struct elem *field,
	enum room_affiliation aff, struct affiliatings *named)
{
	struct arena *a = s->st->arena;
	const struct room_member *one;
	struct jid jid;

	elem_each_child(field, value) {
		struct str text = elem_text(a, value);

		if (!elem_is(value, NS_FORM, "value") || text.n == 0)
			continue;
		if (!jid_parse(&jid, a, text, NULL) || named->n == LIST_MAX)
			return COND_NOT_ACCEPTABLE;
		jid = jid_bare(jid);
		if (is_named(named, jid))
			continue;
		*vec_push_in(a, named) = (struct affiliating){ jid, aff, aff };
		one = members_find(&r->members, jid);
		if (one == NULL || one->aff != aff)
			*vec_push_in(a, &s->changes) =
				(struct affiliating){ jid, aff, aff };
	}
	return COND_NONE;
}

/* A field is the whole list (§16.5.3): who is not in it any more, nor in the other one, is
 * a member from now on, as one who steps down. */
static void
find_dropped(const struct room *r, struct submission *s, enum room_affiliation aff,
	const struct affiliatings *named)
{
	const struct room_member *one;

	TAILQ_FOREACH (one, &r->members.all, link)
		if (one->aff == aff && !is_named(named, one->jid))
			*vec_push_in(s->st->arena, &s->changes) =
				(struct affiliating){ one->jid, AFF_MEMBER, aff };
}

/* How many there will be, of owners and in all. */
static void
count_after(const struct room *r, struct submission *s, size_t *n_out)
{
	s->owners = r->members.owners;
	*n_out = r->members.n;
	for (size_t i = 0; i < s->changes.n; i++) {
		const struct room_member *was =
			members_find(&r->members, s->changes.p[i].jid);

		s->owners += s->changes.p[i].aff == AFF_OWNER;
		s->owners -= was != NULL && was->aff == AFF_OWNER;
		*n_out += was == NULL;
	}
}

static enum stanza_cond
read_lists(const struct room *r, struct submission *s, const struct elem *form)
{
	const struct muc_conf *conf = room_conf(r);
	size_t n;
	const struct elem *owners = form_field(form, VAR_OWNERS),
			  *admins = form_field(form, VAR_ADMINS);
	struct affiliatings named = { .n = 0 }; /* in both */
	enum stanza_cond cond = COND_NONE;

	if (owners != NULL)
		cond = read_names(r, s, owners, AFF_OWNER, &named);
	if (cond == COND_NONE && admins != NULL)
		cond = read_names(r, s, admins, AFF_ADMIN, &named);
	if (owners != NULL)
		find_dropped(r, s, AFF_OWNER, &named);
	if (admins != NULL)
		find_dropped(r, s, AFF_ADMIN, &named);
	count_after(r, s, &n);
	if (cond == COND_NONE && s->owners == 0)
		return COND_CONFLICT; /* §10.2: there is one always */
	if (cond == COND_NONE && n > r->members.n &&
		n > (size_t)conf->max_affiliations)
		return COND_RESOURCE_CONSTRAINT;
	return cond;
}

/* --- it is in force --------------------------------------------------------------------------- */

/* Whatever is new to somebody who is in it, he and the others are told (§10.2). */
static void
follow_config(struct room *r, const struct room_config_change *change)
{
	struct jid none = { .text = NULL };
	struct occupant *o, *next;
	struct room_note closed = { .codes = { 322 } };

	TAILQ_FOREACH (o, &r->people.occupants, link)
		room_set_view(r, o);
	for (o = TAILQ_FIRST(&r->people.occupants); o != NULL; o = next) {
		enum room_role initial =
			role_initial(o->aff, r->config.moderated);

		next = TAILQ_NEXT(o, link);
		if (change->closes && o->aff < AFF_MEMBER) {
			room_leave_all(r, o, &closed);
			continue;
		}
		/* as if they came in now (table 4); moderators stay */
		if (change->roles && o->role != initial && o->role < ROLE_MODERATOR)
			o->role = initial;
		else if (!change->presence && !change->shows_all)
			continue;
		room_show(r, o, NULL, none);
	}
}

static void
say_change(struct room *r, const struct room_config_change *change)
{
	unsigned codes[NOTE_CODES] = { 0 };
	size_t n = 0;

	if (change->shows_all)
		codes[n++] = 172;
	else if (change->hides)
		codes[n++] = 173;
	if (change->any)
		codes[n++] = 104;
	if (n != 0)
		room_say_codes(r, codes);
}

static void
set_affiliation(struct room *r, struct affiliating *one)
{
	one->was = room_affiliation(r, one->jid);
	members_set(&r->members, one->jid, one->aff, STR_NONE, STR_NONE);
}

static void
take_submission(struct room *r, struct submission *s)
{
	struct room_config_change change =
		room_config_compare(&r->config, &s->config);
	bool was_locked = r->state == ROOM_LOCKED;
	struct room_note note = { .reason = STR_NONE };

	room_config_done(&r->config);
	r->config = s->config;
	room_config_init(&s->config); /* it is the room's now */
	room_count_texts(r);
	r->state = ROOM_OPEN;
	for (size_t i = 0; i < s->changes.n; i++)
		set_affiliation(r, &s->changes.p[i]);
	if (change.roles)
		voices_clear(&r->voices);
	/* while it is locked its owner is in it, perhaps with several clients */
	if (!was_locked || change.shows_all)
		say_change(r, &change);
	follow_config(r, &change);
	for (size_t i = 0; i < s->changes.n; i++)
		room_affiliate(r, s->changes.p[i].jid, s->changes.p[i].was, &note,
			s->st->from);
}

static void
submission_end(struct submission *s)
{
	room_config_done(&s->config);
	stanza_free(s->st);
}

/* Everybody may have left before it was durable. */
static void
submission_over(struct room *r)
{
	r->submitting = false;
	if (r->people.n == 0)
		room_is_empty(r);
	room_go_on(r);
}

static void
submission_failed(struct room *r)
{
	if (r->state == ROOM_LOCKED)
		maker_done(&r->maker);
	submission_over(r);
}

static void count_first(struct module_ctx *m, struct room *r, struct submission *s);

static void
on_submitted(void *arg, bool ok, const struct err *err)
{
	struct submission *s = arg;
	struct entity *e = iq_entity(s->iq);
	struct module_ctx *m = e != NULL ? module_of_entity(e) : NULL;

	/* another room that he has made meanwhile has the number of this one */
	if (m != NULL && !ok && err->code == ERR_CONFLICT && s->is_counted) {
		count_first(m, room_of(e), s);
		return;
	}
	if (ok)
		iq_result(s->iq, NULL);
	else
		iq_error(s->iq, stanza_cond_of(err->code), NULL);
	if (e != NULL && ok) {
		take_submission(room_of(e), s);
		submission_over(room_of(e));
	} else if (e != NULL) {
		submission_failed(room_of(e));
	}
	submission_end(s);
}

/* as: see muc_maker.h; -1: it is not counted. */
static void
store_submission(struct module_ctx *m, struct room *r, struct submission *s,
	int64_t as)
{
	struct store_place at = entity_place(&r->e, MAP_AFFILIATIONS);
	struct store_tx *tx = store_tx_new();
	const struct room_member *one;
	struct buf value = BUF_INIT;

	stored_write(&value, room_config_stored(&s->config, s->st->arena));
	store_tx_set(tx, entity_place(&r->e, MAP_ROOM), STR("config"),
		buf_str(&value));
	buf_done(&value);
	room_secret_store(r, tx);
	if (r->state == ROOM_LOCKED) { /* nothing of it is there yet */
		TAILQ_FOREACH (one, &r->members.all, link)
			members_store(&r->members, tx, at, one->jid, one->aff,
				STR_NONE, STR_NONE);
		room_subject_store(r, tx);
		r->used_us = shard_wall_us(r->e.shard);
		room_used_store(tx, r->e.jid, r->used_us);
	}
	s->is_counted = as >= 0;
	if (as >= 0) {
		maker_set(&r->maker, s->st->from, (uint32_t)as);
		maker_store(r, tx);
	}
	for (size_t i = 0; i < s->changes.n; i++)
		members_store(&r->members, tx, at, s->changes.p[i].jid,
			s->changes.p[i].aff, STR_NONE, STR_NONE);
	muc_list_store(tx, r->e.jid, &s->config);
	muc_archive_store(tx, r->e.jid, &s->config);
	r->submitting = true;
	module_commit(m, r->e.shard, tx, on_submitted, s);
}

static void
on_counted(void *arg, int64_t as, const struct err *err)
{
	struct submission *s = arg;
	struct entity *e = iq_entity(s->iq);
	struct module_ctx *m = e != NULL ? module_of_entity(e) : NULL;

	if (m != NULL && as >= 0) {
		store_submission(m, room_of(e), s, as);
		return;
	}
	if (err != NULL || as >= 0)
		iq_error(s->iq, err != NULL ? stanza_cond_of(err->code) :
					      COND_ITEM_NOT_FOUND, NULL);
	else
		iq_error(s->iq, COND_RESOURCE_CONSTRAINT,
			"You have made as many rooms as you may: destroy one that "
			"nobody needs");
	if (e != NULL)
		submission_failed(room_of(e));
	submission_end(s);
}

/* §10.1: whoever makes a room may have made too many. */
static void
count_first(struct module_ctx *m, struct room *r, struct submission *s)
{
	r->submitting = true;
	maker_find(m, r->e.shard, jid_bare(s->st->from), on_counted, s);
}

static void
submit(struct module_ctx *m, struct room *r, struct iq *iq)
{
	struct stanza *st = stanza_copy(iq->st);
	struct submission *s = arena_zalloc(st->arena, sizeof(*s));
	const struct elem *form = form_submitted(stanza_payload(st));
	enum stanza_cond cond = COND_NOT_ACCEPTABLE;
	const char *why = NULL;

	s->iq = iq;
	s->st = st;
	room_config_copy(&s->config, &r->config);
	if (room_config_read(&s->config, st->arena, form, &why))
		cond = read_lists(r, s, form);
	if (cond == COND_NONE) {
		iq_keep(iq);
		if (r->state == ROOM_LOCKED && maker_is_counted(r, st->from))
			count_first(m, r, s);
		else
			store_submission(m, r, s, -1);
		return;
	}
	iq_error(iq, cond, why);
	submission_end(s);
}

/* --- it goes -------------------------------------------------------------------------------- */

struct going {
	struct iq *iq;      /* of who has destroyed it; NULL: all have left */
	struct entity_ref ref;
	struct arena *a;    /* for destroy; owned */
	struct elem *destroy;
};

/* §10.9: each is told, and nobody of the others. */
static void
tell_destroyed(struct room *r, const struct room_client *c,
	const struct elem *destroy)
{
	struct stanza *st = stanza_new(PRESENCE_UNAVAILABLE, c->jid, c->jid,
		STR_NONE);
	struct elem *x = elem_add(st->arena, st->root, NS_MUC_USER, "x");
	struct elem *item = elem_add(st->arena, x, NS_MUC_USER, "item");

	stanza_set_from(st, room_occupant_jid(r, st->arena,
				    occupant_nick(c->occupant)));
	elem_set_attr(st->arena, item, "affiliation", STR("none"));
	elem_set_attr(st->arena, item, "role", STR("none"));
	elem_append(x, elem_copy(st->arena, destroy));
	room_add_id(r, st->arena, st->root, c->jid);
	elem_set_attr(st->arena,
		elem_add(st->arena, x, NS_MUC_USER, "status"), "code",
		STR("110"));
	router_send(r->e.shard, st);
}

static void
empty(struct room *r, const struct elem *destroy)
{
	struct occupant *o;
	struct room_client *c;

	while ((o = TAILQ_FIRST(&r->people.occupants)) != NULL) {
		c = TAILQ_FIRST(&o->clients);
		join_end(c);
		tell_destroyed(r, c, destroy);
		audience_leave(r->audience, c->jid);
		people_leave(&r->people, c);
	}
	room_forget(r);
}

static void
on_deleted(void *arg, bool ok, const struct err *err)
{
	struct going *g = arg;
	struct entity *e = entity_ref_end(&g->ref);

	if (e != NULL && ok)
		empty(room_of(e), g->destroy);
	else if (e != NULL)
		room_of(e)->state = ROOM_OPEN;
	if (g->iq != NULL && ok)
		iq_result(g->iq, NULL);
	else if (g->iq != NULL)
		iq_error(g->iq, stanza_cond_of(err->code), NULL);
	if (e != NULL)
		room_go_on(room_of(e));
	arena_free(g->a);
	free(g);
}

/* how: as it was asked for, or NULL. */
static struct elem *
destroy_elem(struct arena *a, const struct elem *how)
{
	static const char *const parts[] = { "password", "reason" };
	struct elem *e = elem_new(a, NS_MUC_USER, "destroy");

	if (how == NULL)
		return e;
	elem_set_attr(a, e, "jid", elem_attr(how, "jid"));
	for (size_t i = 0; i < COUNT(parts); i++) {
		const struct elem *part = elem_child(how, NS_MUC_OWNER, parts[i]);

		if (part != NULL)
			elem_add_with_text(a, e, NS_MUC_USER, parts[i],
				elem_text(a, part));
	}
	return e;
}

/* iq: NULL, or it is kept. */
static void
delete_it(struct room *r, struct iq *iq, const struct elem *how)
{
	struct going *g = xcalloc(1, sizeof(*g));
	struct store_tx *tx = store_tx_new();

	g->iq = iq;
	g->a = arena_new();
	g->destroy = destroy_elem(g->a, how);
	entity_ref(&g->ref, &r->e);
	r->state = ROOM_GOING;
	store_tx_clear_owner(tx, jid_domain(r->e.jid), jid_local(r->e.jid));
	muc_list_delete(tx, r->e.jid);
	muc_archive_store(tx, r->e.jid, NULL);
	members_delete(&r->members, tx, entity_place(&r->e, MAP_AFFILIATIONS));
	maker_delete(r, tx);
	module_commit(module_of_entity(&r->e), r->e.shard, tx, on_deleted, g);
}

/* It was never stored. */
static void
destroy_locked(struct room *r, const struct elem *how)
{
	struct arena *a = arena_new();

	empty(r, destroy_elem(a, how));
	arena_free(a);
}

void
room_destroy(struct room *r)
{
	if (r->state == ROOM_LOCKED)
		destroy_locked(r, NULL);
	else if (r->state == ROOM_OPEN && module_of_entity(&r->e) != NULL)
		delete_it(r, NULL, NULL);
}

static void
destroy(struct room *r, struct iq *iq, const struct elem *how)
{
	if (r->state == ROOM_LOCKED) {
		destroy_locked(r, how);
		iq_result(iq, NULL);
		return;
	}
	iq_keep(iq);
	delete_it(r, iq, how);
}

/* --- what owners ask ----------------------------------------------------------------------- */

static bool
is_cancelled(const struct elem *query)
{
	const struct elem *form = elem_child(query, NS_FORM, "x");

	return form != NULL && str_is(elem_attr(form, "type"), "cancel");
}

enum hook_result
muc_on_owner_set(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	const struct elem *how =
		elem_child(iq->payload, NS_MUC_OWNER, "destroy");
	const struct elem *form = form_submitted(iq->payload);
	enum stanza_cond cond = may_configure(r, iq->st->from);

	if (cond != COND_NONE)
		iq_error(iq, cond, NULL);
	else if (how != NULL && limits_bytes(how) > HOW_BYTES)
		iq_error(iq, COND_NOT_ACCEPTABLE, "The reason is too long");
	else if (how != NULL)
		destroy(r, iq, how);
	else if (is_cancelled(iq->payload) && r->state == ROOM_LOCKED)
		destroy(r, iq, NULL); /* §10.1.3 */
	else if (is_cancelled(iq->payload))
		iq_result(iq, NULL); /* §10.2 */
	else if (form != NULL && form_is(iq->st->arena, form, NS_MUC_ROOMCONFIG))
		submit(m, r, iq);
	else
		iq_error(iq, COND_BAD_REQUEST, NULL);
	return HOOK_HANDLED;
}
