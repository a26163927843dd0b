/*
 * muc_command.c - rooms, for administrators: what a room is, who is in it, and the end of
 * what was said there; and the table of all commands.
 *
 * Shard 0.
 */
#include "config.h"

#include "muc_command.h"

#include "room.h"

struct module_ctx *
muc_call_module(struct command_call *call, struct str domain)
{
	struct host *host = shard_host(call->shard, domain);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, call->entry) : NULL;
	struct err err = ERR_INIT;

	if (m != NULL && host->address_class == &muc_room_class)
		return m;
	err_set(&err, ERR_MISSING, "%.*s is no service with rooms", STR_ARG(domain));
	command_fail(call, &err);
	return NULL;
}

struct jid
muc_call_room(const struct command_call *call)
{
	return jid_bare(jid_trusted(command_value(call, "room")));
}

bool
muc_room_check(struct command_call *call, struct err *err)
{
	struct jid room = muc_call_room(call);
	const struct host *h = shard_host(call->shard, jid_domain(room)), *s;

	if (h != NULL && h->address_class == &muc_room_class)
		return jid_local(room).n != 0 ||
			err_set(err, ERR_INVALID,
				"\"room\" is the address of one, such as "
				"team@%.*s", STR_ARG(h->domain));
	for (s = h != NULL ? h->services : NULL; s != NULL; s = s->next) {
		if (s->address_class == &muc_room_class)
			return err_set(err, ERR_MISSING,
				"rooms of %.*s are at %.*s: did you mean "
				"%.*s@%.*s?", STR_ARG(h->domain),
				STR_ARG(s->domain), STR_ARG(jid_local(room)),
				STR_ARG(s->domain));
	}
	for (h = call->shard->snap->hosts; h != NULL; h = h->hh.next) {
		if (h->service != NULL && h->address_class == &muc_room_class)
			return err_set(err, ERR_MISSING,
				"%.*s is no service with rooms; an address of a "
				"room is NAME@%.*s, for one",
				STR_ARG(jid_domain(room)), STR_ARG(h->domain));
	}
	return err_set(err, ERR_MISSING, "%.*s is no service with rooms",
		STR_ARG(jid_domain(room)));
}

static void
no_room(struct command_call *call)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_MISSING, "there is no such room");
	command_fail(call, &err);
}

struct there {
	struct command_call *call;
	void (*fn)(struct command_call *call);
};

static void
on_there(void *arg, const struct store_answer *found, const struct err *err)
{
	const struct there *there = arg;

	if (err != NULL)
		command_fail(there->call, err);
	else if (found->n == 0)
		no_room(there->call);
	else
		there->fn(there->call);
}

/* Goes on with fn if the room is in the store. */
static void
call_if_there(struct command_call *call, void (*fn)(struct command_call *call))
{
	struct jid room = muc_call_room(call);
	struct store_place at = { jid_domain(room), jid_local(room), STR(MAP_ROOM) };
	struct module_ctx *m = muc_call_module(call, jid_domain(room));
	struct there *there = arena_alloc(call->arena, sizeof(*there));

	*there = (struct there){ call, fn };
	if (m != NULL)
		module_get(m, call->shard, at, STR("config"), on_there, there);
}

/* --- show --------------------------------------------------------------------------------- */

/* What was read. */
struct shown {
	struct room_config config;
	size_t n[AFF_OWNER - AFF_OUTCAST + 1]; /* by affiliation, the least first */
	bool is_there;
	struct str used, maker;
	uint64_t messages, bytes;
};

static void
take_map(struct command_call *call, struct shown *s, const struct store_entry *entry)
{
	struct arena *a = call->arena;
	const struct elem *form;
	const char *why;

	if (str_is(entry->key, "config")) {
		s->is_there = true;
		form = stored_read(a, entry->value);
		if (form != NULL)
			(void)room_config_read(&s->config, a, form, &why);
	} else if (str_is(entry->key, KEY_USED)) {
		s->used = arena_str(a, entry->value);
	} else if (str_is(entry->key, KEY_MAKER)) {
		s->maker = arena_str(a, stored_attr(entry->value, "by"));
	}
}

static void
take(struct command_call *call, struct shown *s, const struct store_entry *entry)
{
	enum room_affiliation aff;

	if (str_is(entry->with, LOG_ARCHIVE)) {
		s->messages = entry->total;
		s->bytes = entry->bytes;
	} else if (str_is(entry->with, MAP_ROOM)) {
		take_map(call, s, entry);
	} else if (affiliation_parse(stored_attr(entry->value, "affiliation"),
			   &aff)) {
		s->n[aff - AFF_OUTCAST]++;
	}
}

/* All that its owners may configure, by the names that rooms set takes. */
static void
fields_show(struct command_call *call, const struct room_config *c)
{
	struct arena *a = call->arena;
	struct elem *form = elem_new(a, NS_FORM, "x");

	room_config_form(c, a, form, 0);
	elem_each_child(form, field) {
		struct str name = muc_field_name(elem_attr(field, "var"));
		struct buf text = BUF_INIT;

		elem_each_child(field, value) {
			if (!elem_is(value, NS_FORM, "value"))
				continue;
			buf_add_c(&text, text.n != 0 ? "," : "");
			buf_add_str(&text, elem_text(a, value));
		}
		if (!str_is(elem_attr(field, "type"), "text-private") &&
			!str_is(elem_attr(field, "type"), "hidden"))
			command_field(call, arena_str(a, name).p,
				buf_str(&text));
		buf_done(&text);
	}
}

static void
shown_show(struct command_call *call, const struct shown *s)
{
	command_row(call);
	command_field(call, "room", jid_str(muc_call_room(call)));
	for (int aff = AFF_OWNER; aff >= AFF_OUTCAST; aff--) {
		if (aff != AFF_NONE)
			command_number(call,
				arena_printf(call->arena, "%ss",
					affiliation_name((enum room_affiliation)aff)).p,
				(int64_t)s->n[aff - AFF_OUTCAST]);
	}
	command_number(call, "archived", (int64_t)s->messages);
	command_number(call, "bytes",
		(int64_t)(s->bytes + s->messages * STORE_ENTRY_BYTES));
	command_field(call, "used", s->used.n != 0 ? s->used : STR("never"));
	command_field(call, "maker", s->maker.n != 0 ? s->maker : STR(""));
	fields_show(call, &s->config);
	command_done(call);
}

static void
on_shown(void *arg, const struct store_answer *found, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct shown s = { .is_there = false };

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	room_config_init(&s.config);
	for (size_t i = 0; i < found->n; i++)
		take(call, &s, &found->entries[i]);
	if (s.is_there)
		shown_show(call, &s);
	else
		no_room(call);
	room_config_done(&s.config);
}

static void
show_run(struct command_call *call)
{
	static const struct str names[] = { { MAP_ROOM, sizeof(MAP_ROOM) - 1 },
		{ MAP_AFFILIATIONS, sizeof(MAP_AFFILIATIONS) - 1 },
		{ LOG_ARCHIVE, sizeof(LOG_ARCHIVE) - 1 } };
	struct jid room = muc_call_room(call);
	struct module_ctx *m = muc_call_module(call, jid_domain(room));

	if (m != NULL)
		module_list_many(m, call->shard, jid_domain(room),
			jid_local(room), names, COUNT(names), on_shown, call);
}

/* --- occupants ---------------------------------------------------------------------------- */

static void
occupants_of(struct command_call *call, struct entity *e)
{
	const struct room *r = room_of(e);
	const struct occupant *o;
	const struct room_client *c;

	if (!jid_eq(e->jid, muc_call_room(call)))
		return;
	TAILQ_FOREACH (o, &r->people.occupants, link)
		TAILQ_FOREACH (c, &o->clients, link) {
			command_row(call);
			command_field(call, "nick", occupant_nick(o));
			command_field(call, "address", jid_str(c->jid));
			command_field(call, "role", str_c(role_name(o->role)));
			command_field(call, "affiliation",
				str_c(affiliation_name(o->aff)));
		}
}

static void
occupants_visit(struct command_call *call)
{
	command_visit(call, &muc_room_class, jid_domain(muc_call_room(call)),
		occupants_of);
}

static void
occupants_run(struct command_call *call)
{
	call_if_there(call, occupants_visit);
}

/* --- purge --------------------------------------------------------------------------------- */

static struct store_place
archive_at(const struct command_call *call)
{
	struct jid room = muc_call_room(call);

	return (struct store_place){ jid_domain(room), jid_local(room),
		STR(LOG_ARCHIVE) };
}

static void purge_more(struct command_call *call);

static void
on_purged(void *arg, bool more, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (err != NULL) {
		command_fail(call, err);
	} else if (more) {
		purge_more(call);
	} else {
		log_info(LOG_STORE, LOG_NOBODY, "archive deleted room=%.*s",
			STR_ARG(command_value(call, "room")));
		command_done(call);
	}
}

/* state: the id of the last entry. */
static void
purge_more(struct command_call *call)
{
	const struct str *last = call->state;
	struct store_trim trim = { .up_to = *last };
	struct module_ctx *m =
		muc_call_module(call, jid_domain(muc_call_room(call)));

	if (m != NULL)
		module_trim(m, call->shard, archive_at(call), &trim, on_purged,
			call);
}

/* What comes from now on stays. */
static void
on_last(void *arg, const struct store_answer *found, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct str *last;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	if (found->n == 0) {
		command_done(call);
		return;
	}
	last = arena_alloc(call->arena, sizeof(*last));
	*last = arena_str(call->arena, found->entries[0].key);
	call->state = last;
	purge_more(call);
}

static void
purge_begin(struct command_call *call)
{
	struct module_ctx *m =
		muc_call_module(call, jid_domain(muc_call_room(call)));

	if (m != NULL)
		module_range(m, call->shard, archive_at(call),
			&(struct store_range){ .max = 1, .backwards = true },
			on_last, call);
}

static void
purge_run(struct command_call *call)
{
	call_if_there(call, purge_begin);
}

/* --- the table ------------------------------------------------------------------------------ */

#define ROOM_ARG { "room", ARG_JID, .help = "the address of the room" }

static const struct command_arg list_args[] = {
	{ "domain", ARG_DOMAIN, .optional = true,
		.help = "only rooms of this host, or at this service" },
	{ "ownerless", ARG_SWITCH, .optional = true, .option = true,
		.help = "only rooms without an owner" },
	{ .name = NULL },
};

static const struct command_arg unused_args[] = {
	{ "days", ARG_INT, .help = "for how many days nobody was there" },
	{ "domain", ARG_DOMAIN, .optional = true,
		.help = "only rooms of this host, or at this service" },
	{ .name = NULL },
};

static const struct command_arg room_args[] = { ROOM_ARG, { .name = NULL } };

static const struct command_arg create_args[] = {
	ROOM_ARG,
	{ "owner", ARG_JID, .help = "who owns it" },
	{ .name = NULL },
};

static const struct command_arg set_args[] = {
	ROOM_ARG,
	{ "field", ARG_TEXT, .help = "what of it, as rooms show calls it" },
	{ "value", ARG_WORDS, .optional = true, .unlogged = true,
		.help = "what it is from now on; several with commas; without "
			"one: nothing" },
	{ .name = NULL },
};

static const struct command_arg affiliate_args[] = {
	ROOM_ARG,
	{ "address", ARG_JID, .help = "whom, or all of a domain" },
	{ "affiliation", ARG_TEXT,
		.help = "owner, admin, member, outcast or none" },
	{ .name = NULL },
};

static const struct command_arg kick_args[] = {
	ROOM_ARG,
	{ "nick", ARG_WORDS, .help = "the nickname of who has to leave" },
	{ .name = NULL },
};

static const struct command_arg destroy_args[] = {
	ROOM_ARG,
	{ "reason", ARG_TEXT, .optional = true, .option = true,
		.help = "what those who are in it are told" },
	{ "yes", ARG_CONFIRM, .option = true,
		.help = "do not ask whether that is meant" },
	{ .name = NULL },
};

static const struct command_arg purge_args[] = {
	ROOM_ARG,
	{ "yes", ARG_CONFIRM, .option = true,
		.help = "do not ask whether that is meant" },
	{ .name = NULL },
};

#define FOR_ADMINS (BY_OPERATOR | BY_HOST_ADMIN)

const struct command muc_commands[] = {
	{ "rooms affiliate", "say what somebody is in a room",
		"As an owner of the room does, whether he is in it or not; who is "
		"an outcast, or has no right to be there any more, leaves. So a "
		"room without an owner gets one.",
		affiliate_args, muc_affiliate_run, muc_affiliate_check,
		FOR_ADMINS },
	{ "rooms create", "make a room",
		"It is as the configuration says of new rooms, but stays when nobody "
		"is in it; rooms set changes that. Whatever users may, it may have "
		"any name, and counts for nobody.",
		create_args, muc_create_run, muc_create_check, FOR_ADMINS },
	{ "rooms destroy", "delete a room and its archive",
		"Who is in it is told, and leaves. Whoever sits at the terminal is "
		"asked first; a script says --yes.",
		destroy_args, muc_destroy_run, muc_destroy_check, FOR_ADMINS },
	{ "rooms kick", "make somebody leave a room",
		"He may come again: to keep him out, make him an outcast.",
		kick_args, muc_kick_run, muc_room_check, FOR_ADMINS },
	{ "rooms list", "list rooms",
		"All that are stored, hidden ones, too, with how many are in them "
		"and own them, and when somebody has come into them last, to the "
		"day.",
		list_args, muc_list_run, muc_list_check, FOR_ADMINS },
	{ "rooms occupants", "list who is in a room",
		"With real addresses, one row for each client.",
		room_args, occupants_run, muc_room_check, FOR_ADMINS },
	{ "rooms purge", "delete the archive of a room",
		"It goes in slices, while the server serves; what comes meanwhile "
		"stays. Whoever sits at the terminal is asked first; a script says "
		"--yes.",
		purge_args, purge_run, muc_room_check, FOR_ADMINS },
	{ "rooms set", "change how a room is configured",
		"As its owners do: what rooms show tells, or roomsecret, the "
		"password, without which the room needs none from then on. Who is "
		"in it is told, and leaves where he may not be there any more.",
		set_args, muc_set_run, muc_set_check, FOR_ADMINS },
	{ "rooms show", "show what a room is",
		"How many are somebody in it, how much is archived, who has made it, "
		"and how it is configured.",
		room_args, show_run, muc_room_check, FOR_ADMINS },
	{ "rooms unused", "list rooms that nobody uses",
		"Those in which nobody is, and nobody was for so many days. To delete "
		"them, call rooms destroy with each.",
		unused_args, muc_unused_run, muc_unused_check, FOR_ADMINS },
	{ .name = NULL },
};
