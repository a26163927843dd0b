/*
 * muc_command_set.c - what administrators do to rooms.
 *
 * Shard 0.  A room is asked as its owners ask it (XEP-0045 §9, §10), in the name of its
 * host: so it judges, stores and tells everybody what it always does, wherever it is.  One
 * that is not there yet is stored, and is there when somebody comes.
 */
#include "config.h"

#include "muc_command.h"
#include "muc_create.h"
#include "muc_list.h"

#include "room.h"

#define ASK_US (30 * US_PER_S)

/* --- asking --------------------------------------------------------------------------------- */

/* Its text, or else its condition. */
static void
fail_as(struct command_call *call, const struct stanza *answer)
{
	const struct elem *error = elem_child(answer->root, NS_CLIENT, "error");
	const struct elem *text, *cond = NULL;
	struct err err = ERR_INIT;

	text = error != NULL ? elem_child(error, NS_STANZAS, "text") : NULL;
	if (error != NULL)
		cond = elem_child(error, NS_STANZAS, NULL);
	if (cond != NULL && str_is(cond->name, "item-not-found"))
		err_set(&err, ERR_MISSING, command_value(call, "nick").p != NULL ?
				"there is no such room, or nobody in it with that "
				"nickname" :
				"there is no such room");
	else if (cond != NULL && str_is(cond->name, "conflict"))
		err_set(&err, ERR_REFUSED, "the room refuses that: it would have no "
			"owner");
	else if (text != NULL)
		err_set(&err, ERR_REFUSED, "the room refuses that: %.*s",
			STR_ARG(elem_text(call->arena, text)));
	else
		err_set(&err, ERR_REFUSED, "the room refuses that: %.*s",
			STR_ARG(cond != NULL ? cond->name : STR("error")));
	command_fail(call, &err);
}

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (err == NULL)
		command_done(call);
	else if (answer != NULL)
		fail_as(call, answer);
	else
		command_fail(call, err);
}

static struct stanza *
request_new(const struct command_call *call)
{
	struct jid room = muc_call_room(call);
	const struct host *h = shard_host(call->shard, jid_domain(room));

	return stanza_new(IQ_SET, jid_trusted(h->parent->domain), room, STR_NONE);
}

static void
ask(struct command_call *call, struct stanza *st,
	void (*fn)(void *arg, const struct stanza *answer, const struct err *err))
{
	struct module_ctx *m =
		muc_call_module(call, jid_domain(muc_call_room(call)));

	if (m != NULL)
		module_ask(m, call->shard, st, ASK_US, fn, call);
	else
		stanza_free(st);
}

/* muc#admin */
static struct elem *
item_add(struct stanza *st)
{
	return elem_add(st->arena,
		elem_add(st->arena, st->root, NS_MUC_ADMIN, "query"),
		NS_MUC_ADMIN, "item");
}

/* --- affiliate, kick ----------------------------------------------------------------------- */

bool
muc_affiliate_check(struct command_call *call, struct err *err)
{
	enum room_affiliation aff;

	return muc_room_check(call, err) &&
		(affiliation_parse(command_value(call, "affiliation"), &aff) ||
			err_set(err, ERR_INVALID,
				"\"affiliation\" is owner, admin, member, outcast or none"));
}

void
muc_affiliate_run(struct command_call *call)
{
	struct stanza *st = request_new(call);
	struct elem *item = item_add(st);

	elem_set_attr(st->arena, item, "jid",
		jid_bare_str(jid_trusted(command_value(call, "address"))));
	elem_set_attr(st->arena, item, "affiliation",
		command_value(call, "affiliation"));
	ask(call, st, on_answer);
}

void
muc_kick_run(struct command_call *call)
{
	struct stanza *st = request_new(call);
	struct elem *item = item_add(st);

	elem_set_attr(st->arena, item, "nick", command_value(call, "nick"));
	elem_set_attr(st->arena, item, "role", STR("none"));
	ask(call, st, on_answer);
}

/* --- destroy ------------------------------------------------------------------------------ */

bool
muc_destroy_check(struct command_call *call, struct err *err)
{
	return muc_room_check(call, err);
}

void
muc_destroy_run(struct command_call *call)
{
	struct stanza *st = request_new(call);
	struct arena *a = st->arena;
	struct elem *destroy = elem_add(a,
		elem_add(a, st->root, NS_MUC_OWNER, "query"), NS_MUC_OWNER,
		"destroy");
	struct str reason = command_value(call, "reason");

	if (reason.n != 0)
		elem_add_with_text(a, destroy, NS_MUC_OWNER, "reason", reason);
	ask(call, st, on_answer);
}

/* --- set ----------------------------------------------------------------------------------- */

struct str
muc_field_name(struct str var)
{
	static const char *const prefixes[] = { "muc#roomconfig_", "muc#",
		"x-muc#roomconfig_" };

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct str prefix = str_c(prefixes[i]);

		if (str_starts(var, prefix))
			return (struct str){ var.p + prefix.n, var.n - prefix.n };
	}
	return var;
}

static struct elem *
form_of_all(struct arena *a)
{
	struct elem *form = elem_new(a, NS_FORM, "x");
	struct room_config c;

	room_config_init(&c);
	room_config_form(&c, a, form, UINT32_MAX);
	room_config_done(&c);
	return form;
}

/* NULL: there is none of this name. */
static const struct elem *
field_of(const struct elem *form, struct str name)
{
	elem_each_child(form, field) {
		if (str_eq(muc_field_name(elem_attr(field, "var")), name))
			return field;
	}
	return NULL;
}

bool
muc_set_check(struct command_call *call, struct err *err)
{
	struct str name = command_value(call, "field");

	return muc_room_check(call, err) &&
		(field_of(form_of_all(call->arena), name) != NULL ||
			err_set(err, ERR_INVALID,
				"there is no field \"%.*s\"; there are those that "
				"rooms show names, and roomsecret", STR_ARG(name)));
}

/* What may stand in a field that the room does not take as it was given. */
static void
values_of(struct buf *out, const struct elem *field, struct arena *a)
{
	bool any = false;

	if (str_is(elem_attr(field, "type"), "boolean"))
		buf_add_c(out, ": it is 1 or 0");
	elem_each_child(field, option) {
		if (!elem_is(option, NS_FORM, "option"))
			continue;
		buf_add_c(out, any ? ", " : ": there are ");
		buf_add_str(out, elem_text(a, elem_child(option, NS_FORM, "value")));
		any = true;
	}
}

/* The room says the label of the field, which nobody has seen who calls. */
static void
on_set(void *arg, const struct stanza *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	const struct elem *field = field_of(form_of_all(call->arena),
		command_value(call, "field"));
	const struct elem *error = answer != NULL ?
		stanza_child(answer, NS_CLIENT, "error") : NULL;
	const struct elem *text = error != NULL ?
		elem_child(error, NS_STANZAS, "text") : NULL;
	struct buf why = BUF_INIT;
	struct err refused = ERR_INIT;

	if (err == NULL || text == NULL || field == NULL ||
		!str_eq(elem_text(call->arena, text), elem_attr(field, "label"))) {
		on_answer(arg, answer, err);
		return;
	}
	values_of(&why, field, call->arena);
	err_set(&refused, ERR_REFUSED, "the room refuses that for %.*s%.*s",
		STR_ARG(command_value(call, "field")), STR_ARG(buf_str(&why)));
	buf_done(&why);
	command_fail(call, &refused);
}

/* Either is nothing without the other. */
static void
add_has_password(struct arena *a, struct elem *form, bool has)
{
	struct elem *field = elem_add(a, form, NS_FORM, "field");

	elem_set_attr(a, field, "var",
		STR("muc#roomconfig_passwordprotectedroom"));
	form_add_value(a, field, has ? STR("1") : STR("0"));
}

void
muc_set_run(struct command_call *call)
{
	struct stanza *st = request_new(call);
	struct arena *a = st->arena;
	const struct elem *known = field_of(form_of_all(a),
		command_value(call, "field"));
	struct str type = elem_attr(known, "type");
	struct str value = command_value(call, "value"), part, rest;
	struct elem *form, *field;

	form = form_add(a, elem_add(a, st->root, NS_MUC_OWNER, "query"), "submit",
		NS_MUC_ROOMCONFIG);
	field = elem_add(a, form, NS_FORM, "field");
	elem_set_attr(a, field, "var", elem_attr(known, "var"));
	while ((str_is(type, "list-multi") || str_is(type, "jid-multi")) &&
		str_cut(value, ',', &part, &rest)) {
		form_add_value(a, field, part);
		value = rest;
	}
	form_add_value(a, field, value.p != NULL ? value : STR(""));
	if (str_is(type, "text-private"))
		add_has_password(a, form, value.n != 0);
	ask(call, st, on_set);
}

/* --- create --------------------------------------------------------------------------------- */

bool
muc_create_check(struct command_call *call, struct err *err)
{
	struct jid owner = jid_trusted(command_value(call, "owner"));

	return muc_room_check(call, err) &&
		(jid_local(owner).n != 0 ||
			err_set(err, ERR_INVALID,
				"\"owner\" is the address of a user, such as "
				"%.*s@%.*s", STR_ARG(jid_domain(owner)),
				STR_ARG(shard_host(call->shard,
					jid_domain(muc_call_room(call)))
						->parent->domain)));
}

static void
fail_there(struct command_call *call)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFLICT, "there is such a room already");
	command_fail(call, &err);
}

/* The room of the call, if it is in memory on sh. */
static struct entity *
room_at_shard(struct shard *sh, const struct command_call *call)
{
	struct str bare = jid_str(muc_call_room(call));
	struct entity *e = place_is_here(sh, server_place_of(sh->server, bare)) ?
		entity_find(sh, bare) :
		NULL;

	return e != NULL && e->class == &muc_room_class &&
			e->state == ENTITY_LOADED ?
		e :
		NULL;
}

/* That there was none is not true any more. */
static void
tell_shard(struct shard *sh, void *arg)
{
	const struct command_call *call = arg;
	struct entity *e = room_at_shard(sh, call);

	entity_created(sh, jid_str(muc_call_room(call)));
	if (e != NULL && room_of(e)->state == ROOM_ABSENT)
		entity_drop(e);
}

static void
on_told(struct shard *sh, void *arg)
{
	(void)sh;
	command_done(command_call_arg(arg));
}

static void
on_created(void *arg, bool ok, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (ok)
		shard_visit_all(call->shard, tell_shard, on_told, call);
	else if (err->code == ERR_CONFLICT)
		fail_there(call);
	else
		command_fail(call, err);
}

static void
create_store(struct command_call *call, struct module_ctx *m,
	const struct room_config *c)
{
	struct jid room = muc_call_room(call);
	struct jid owner = jid_bare(jid_trusted(command_value(call, "owner")));
	struct store_place at = { jid_domain(room), jid_local(room), STR(MAP_ROOM) };
	struct store_place who = at;
	struct store_tx *tx = store_tx_new();
	struct room_members members;
	struct buf value = BUF_INIT;

	who.name = STR(MAP_AFFILIATIONS);
	stored_write(&value, room_config_stored(c, call->arena));
	store_tx_create(tx, at, STR("config"), buf_str(&value));
	buf_done(&value);
	room_used_store(tx, room, shard_wall_us(call->shard));
	members_init(&members, &call->server->hash_key);
	members.shard = call->shard;
	members_store(&members, tx, who, owner, AFF_OWNER, STR_NONE, STR_NONE);
	members_done(&members);
	muc_list_store(tx, room, c);
	muc_archive_store(tx, room, c);
	module_commit(m, call->shard, tx, on_created, call);
}

/* Somebody is just making it: state says so. */
static void
look_at_shard(struct shard *sh, void *arg)
{
	struct command_call *call = arg;
	struct entity *e = room_at_shard(sh, call);

	if (e != NULL && room_of(e)->state != ROOM_ABSENT)
		call->state = call;
}

static void
on_looked(struct shard *sh, void *arg)
{
	struct command_call *call = command_call_arg(arg);
	struct room_config c;
	struct module_ctx *m;

	(void)sh;
	if (call->state != NULL) {
		fail_there(call);
		return;
	}
	m = muc_call_module(call, jid_domain(muc_call_room(call)));
	if (m == NULL)
		return;
	room_config_init(&c);
	muc_defaults_apply(m->conf, &c);
	c.persistent = true;
	create_store(call, m, &c);
	room_config_done(&c);
}

void
muc_create_run(struct command_call *call)
{
	shard_visit_all(call->shard, look_at_shard, on_looked, call);
}
