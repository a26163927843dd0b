/*
 * mod_echoroom.c - rooms at a domain of their own: what one member says, all
 * hear.
 *
 * Presence to ROOM@echo.HOST/ANYTHING joins, unavailable presence leaves, and what
 * romeo says comes from ROOM@echo.HOST/romeo.  A room is an entity, touched on its
 * shard alone: the command visits that, and the port sends it requests.
 */
#include <module/module.h>

#define NS_ECHOROOM "urn:example:echoroom"
#define MAP_LINE "echoroom"
#define MEMBER 1 /* the one flag of the audience */
#define MEMBERS_MAX 1000
#define LINE_BYTES 1000 /* at the port */
#define QUIET_US (30 * US_PER_S)
#define ANSWER_US (10 * US_PER_S)
#define LINGER_US US_PER_S

struct room {
	struct entity e; /* first */
	struct audience *audience; /* who is in it */
	char *line; /* the last of the port, as on disk; NULL: none */
};

/* --- a room: its shard ------------------------------------------------------- */

static size_t
room_members(const struct entity *e)
{
	return audience_members(((const struct room *)(const void *)e)->audience);
}

/* st is taken. */
static void
room_say(struct room *r, struct stanza *st, struct str name)
{
	struct jid jid = r->e.jid, by = st->from;

	stanza_set_from(st, jid_make(st->arena, jid_local(jid), jid_domain(jid),
				    name));
	stanza_set_to(st, (struct jid){ .text = NULL });
	audience_send(r->audience, st, MEMBER, NULL, by);
}

static struct stanza *
room_line(const struct room *r, struct jid to)
{
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, to, STR_NONE);

	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body",
		str_c(r->line));
	return st;
}

/* st is taken. */
static void
room_join(struct room *r, struct stanza *st)
{
	if (room_members(&r->e) >= MEMBERS_MAX) {
		router_bounce(r->e.shard, st, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	audience_join(r->audience, st->from, MEMBER);
	entity_in_use(&r->e);
	if (r->line != NULL)
		router_send(r->e.shard, room_line(r, st->from));
	room_say(r, st, jid_local(st->from));
}

static void
room_leave(struct room *r, struct jid who)
{
	room_say(r, stanza_new(PRESENCE_UNAVAILABLE, who, who, STR_NONE),
		jid_local(who));
	audience_leave(r->audience, who);
	entity_check_idle(&r->e);
}

static void
room_receive(struct entity *e, struct stanza *st)
{
	struct room *r = (void *)e;
	bool is_member = audience_flags(r->audience, st->from) != 0;

	if (st->type == PRESENCE_AVAILABLE && !is_member) {
		room_join(r, st);
	} else if (is_member && (st->type == PRESENCE_AVAILABLE ||
			st->type == MESSAGE_GROUPCHAT)) {
		room_say(r, st, jid_local(st->from));
	} else if (is_member && (st->type == PRESENCE_UNAVAILABLE ||
			st->type == MESSAGE_ERROR)) {
		room_leave(r, st->from); /* an error: he was not there */
		stanza_free(st);
	} else {
		entity_receive_default(e, st);
	}
}

/* --- its class ----------------------------------------------------------------- */

static void
room_take(struct entity *e, const struct store_answer *answer)
{
	struct room *r = (void *)e;

	r->audience = audience_new(e->shard, e->hash);
	if (answer->n != 0)
		r->line = str_dup(answer->entries[0].value);
}

static bool
room_is_idle(const struct entity *e)
{
	return room_members(e) == 0;
}

static bool
room_is_absent(const struct entity *e)
{
	const struct room *r = (const void *)e;

	return room_members(e) == 0 && r->line == NULL;
}

/* Rooms with somebody in them are shown. */
static bool
room_is_item(const struct entity *e, struct arena *a, struct elem *item)
{
	elem_set_attr(a, item, "name", jid_local(e->jid));
	return room_members(e) != 0;
}

/* The module is switched off, or the domain gets another name. */
static void
room_retire(struct entity *e)
{
	struct room *r = (void *)e;

	room_say(r, stanza_new(PRESENCE_UNAVAILABLE, e->jid, e->jid, STR_NONE),
		STR_NONE);
}

static void
room_unload(struct entity *e)
{
	struct room *r = (void *)e;

	audience_free(r->audience);
	free(r->line);
}

static const struct entity_class room_class = {
	.name = "echoroom",
	.size = sizeof(struct room),
	.maps = (const char *const[]){ MAP_LINE, NULL },
	.take = room_take,
	.receive = room_receive,
	.is_idle = room_is_idle,
	.is_absent = room_is_absent,
	.retire = room_retire,
	.is_item = room_is_item,
	.unload = room_unload,
};

static const struct service echoroom_services[] = {
	{ .option = "domain", .category = "conference", .type = "text",
		.name = "Echo rooms", .address_category = "conference",
		.address_type = "text", .address_class = &room_class,
		.features = (const char *const[]){ NS_ECHOROOM, NULL } },
	{ .option = NULL },
};

/* --- what the port asks of a room --------------------------------------------- */

static void
line_answer(struct iq *iq, const struct entity *e)
{
	struct elem *line = iq_payload(iq, NS_ECHOROOM, "line");

	elem_set_attr(iq->st->arena, line, "members",
		arena_printf(iq->st->arena, "%zu", room_members(e)));
	iq_result(iq, line);
}

/* It is said once it lasts; the room may be gone by then. */
static void
on_line_stored(void *arg, bool ok, const struct err *err)
{
	struct iq *iq = arg;
	struct room *r = (void *)iq_entity(iq);

	if (!ok || r == NULL) {
		iq_error(iq, ok ? COND_ITEM_NOT_FOUND :
				  stanza_cond_of(err->code), NULL);
		return;
	}
	free(r->line);
	r->line = str_dup(elem_text(iq->st->arena, iq->payload));
	room_say(r, room_line(r, r->e.jid), STR_NONE);
	line_answer(iq, &r->e);
}

/* <line>TEXT</line>; without a text it is a question alone. */
static enum hook_result
on_line(struct module_ctx *m, struct iq *iq)
{
	struct str text = elem_text(iq->st->arena, iq->payload);
	struct store_tx *tx;

	if (!str_eq(jid_str(iq->st->from), m->host->domain)) {
		iq_error(iq, COND_FORBIDDEN, NULL);
	} else if (text.n == 0) {
		line_answer(iq, iq->entity);
	} else {
		tx = store_tx_new();
		store_tx_set(tx, entity_place(iq->entity, MAP_LINE),
			STR("line"), text);
		iq_keep(iq);
		module_commit(m, iq->shard, tx, on_line_stored, iq);
	}
	return HOOK_HANDLED;
}

static const struct iq_handler echoroom_iqs[] = {
	{ IQ_SET, AT_SERVICE_ADDRESS | STORES | ONE_BY_ONE, NS_ECHOROOM, "line",
		on_line },
	{ .fn = NULL },
};

/* --- the port ---------------------------------------------------------------- */

/* One line of "ROOM@DOMAIN" or "ROOM@DOMAIN TEXT"; answered with how many members
 * there are, and closed. */
struct peer {
	struct listen_peer p; /* first */
	struct buf in;
	bool asked;
};

static void
on_closed(void *arg, const struct err *why)
{
	(void)why;
	buf_done(&((struct peer *)arg)->in);
}

static void
on_answer(struct listen_peer *p, const struct stanza *answer,
	const struct err *err)
{
	struct str text = STR("no such room");

	if (err == NULL)
		text = elem_attr(stanza_payload(answer), "members");
	conn_write(p->conn, text.p, text.n);
	conn_write(p->conn, "\n", 1);
	conn_close(p->conn, LINGER_US);
}

/* False: it is no room of ours, or the module is off. */
static bool
peer_ask(struct peer *peer, struct str line)
{
	struct module_ctx *m = listen_module(peer->p.shard, "echoroom");
	struct arena *a = arena_new();
	const struct host *host = NULL;
	struct str room, text = STR_NONE;
	struct stanza *st;
	struct jid to;

	str_cut(line, ' ', &room, &text);
	if (m != NULL && xml_is_text(line) && jid_parse(&to, a, room, NULL))
		host = shard_host(peer->p.shard, jid_domain(to));
	if (host != NULL && host->service == echoroom_services) {
		st = stanza_new(IQ_SET, jid_trusted(host->domain), jid_bare(to),
			STR_NONE);
		elem_add_with_text(st->arena, st->root, NS_ECHOROOM, "line",
			text);
		peer->asked = true;
		listen_ask(&peer->p, m, st, ANSWER_US, on_answer);
	}
	arena_free(a);
	return peer->asked;
}

static void
on_data(void *arg, const char *bytes, size_t n)
{
	struct peer *peer = arg;
	struct str line, rest;
	bool whole;

	if (peer->asked)
		return; /* it is one line */
	buf_add(&peer->in, bytes, n);
	whole = str_cut(buf_str(&peer->in), '\n', &line, &rest);
	if (line.n > LINE_BYTES || (whole && !peer_ask(peer, str_trim(line))))
		conn_close(peer->p.conn, LINGER_US);
}

static const struct conn_events echoroom_events = {
	.data = on_data,
	.closed = on_closed,
};

static const struct listen_kind echoroom_listeners[] = {
	{ .name = "echoroom", .summary = "whoever says a line to a room",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN) |
			LISTEN_MAY(LISTEN_DIRECT),
		.tls = LISTEN_DIRECT, .ports = { [LISTEN_DIRECT] = 7008 },
		.quiet_us = QUIET_US, .size = sizeof(struct peer),
		.events = &echoroom_events },
	{ .name = NULL },
};

/* --- the command ------------------------------------------------------------------ */

/* On the shard of the room. */
static void
list_room(struct command_call *call, struct entity *e)
{
	command_row(call);
	command_field(call, "room", jid_str(e->jid));
	command_number(call, "members", (int64_t)room_members(e));
}

static void
list_run(struct command_call *call)
{
	command_visit(call, &room_class, command_value(call, "domain"),
		list_room);
}

static const struct command_arg list_args[] = {
	{ "domain", ARG_DOMAIN, .service = true,
		.help = "the domain of the rooms" },
	{ .name = NULL },
};

static const struct command echoroom_commands[] = {
	{ "echorooms", "list the rooms that are in memory", NULL, list_args,
		list_run, NULL, BY_OPERATOR | BY_HOST_ADMIN },
	{ .name = NULL },
};

/* --- the module ------------------------------------------------------------------- */

struct echoroom_conf {
	const char *domain;
};

static const struct option echoroom_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "echo",
		.off = offsetof(struct echoroom_conf, domain),
		.help = "where the rooms are" },
	{ .name = NULL },
};

MODULE(echoroom) = {
	.api = MODULE_API,
	.name = "echoroom",
	.summary = "rooms in which all hear what one says",
	.needs = (const char *const[]){ "presence", NULL },
	.address_features = (const char *const[]){ NS_ECHOROOM, NULL },
	.options = echoroom_options,
	.conf_size = sizeof(struct echoroom_conf),
	.iqs = echoroom_iqs,
	.services = echoroom_services,
	.listeners = echoroom_listeners,
	.commands = echoroom_commands,
};
