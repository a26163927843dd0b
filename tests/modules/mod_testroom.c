/*
 * mod_testroom.c - rooms, of which whoever likes is a member, and members that
 * keep what they hear: an audience, its flags and its filter, and what a class has
 * over a stop of the server, and what it says when that is on disk.  Built with the
 * tests, never installed.  testroom.h says what it does.
 *
 * room.HOST is the domain.
 */
#include "module/module.h"

#include "testroom.h"

#define MAP_SAID "testroom_said"
/* Of an account, by the address of each room that has said something of its own: and
 * of the room, by that of the account. */
#define MAP_ROOMS "testroom_rooms"
#define MAP_KNOWN "testroom_known"

/* A member has one of them, by the length of his address. */
#define ODD 1
#define EVEN 2

struct room_conf {
	const char *domain;
	bool lasts, stores;
};

static const struct option room_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "room",
		.off = offsetof(struct room_conf, domain),
		.help = "where the rooms and their members are" },
	{ .name = "lasts", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct room_conf, lasts),
		.help = "they have their members over a stop of the server" },
	{ .name = "stores", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct room_conf, stores),
		.help = "what they say is on disk first" },
	{ .name = NULL },
};

/* --- rooms ------------------------------------------------------------------ */

static bool
is_room(const struct entity *e)
{
	return jid_local(e->jid).p[0] == 'r';
}

static uint8_t
flag_of(struct jid member)
{
	return member.len % 2 == 1 ? ODD : EVEN;
}

static enum stanza_type
kind_of(const struct elem *how)
{
	struct str kind = elem_attr(how, "kind");

	return str_is(kind, "presence") ? PRESENCE_AVAILABLE :
		str_is(kind, "groupchat") ? MESSAGE_GROUPCHAT :
		str_is(kind, "chat")      ? MESSAGE_CHAT :
		str_is(kind, "iq")        ? IQ_GET :
					    MESSAGE_HEADLINE;
}

/* What a room says, or one of its members; its to is not set. */
static struct stanza *
room_word(struct room *room, const struct elem *how)
{
	struct jid nobody = { .text = NULL };
	enum stanza_type type = kind_of(how);
	struct stanza *st = stanza_new(type, room->e.jid, nobody,
		type == IQ_GET ? STR("q") : STR_NONE);
	struct str nick = elem_attr(how, "nick");
	struct elem *word = elem_add(st->arena, st->root, NS_ROOM, "word");

	if (nick.p != NULL)
		stanza_set_from(st,
			jid_make(st->arena, jid_local(room->e.jid),
				jid_domain(room->e.jid), nick));
	elem_set_attr(st->arena, word, "n",
		arena_printf(st->arena, "%u", room->number++));
	return st;
}

static void
room_tell(struct room *room, const struct elem *how, struct jid to)
{
	struct stanza *st = room_word(room, how);

	stanza_set_to(st, to);
	router_send(room->e.shard, st);
}

/* Sessions whose resource begins with arg. */
static bool
wants(struct module_ctx *m, struct session *s, struct str arg)
{
	(void)m;
	return str_starts(session_resource(s), arg);
}

/* to: "odd" or "even", or all. */
static void
room_say(struct room *room, const struct elem *how, struct jid by)
{
	struct str to = elem_attr(how, "to");
	struct audience_filter filter = {
		.m = module_of_entity(&room->e),
		.wants = wants,
		.arg = elem_attr(how, "filter"),
	};

	audience_send(room->audience, room_word(room, how),
		str_is(to, "odd")          ? ODD :
			str_is(to, "even") ? EVEN :
					     ODD | EVEN,
		filter.arg.p != NULL ? &filter : NULL, by);
}

static const struct room_conf *
room_conf(const struct entity *e)
{
	return module_of_entity(e)->conf;
}

static struct audience *
room_audience(struct room *room)
{
	if (room->audience == NULL)
		room->audience = audience_new(room->e.shard, room->e.hash);
	return room->audience;
}

static void
room_join(struct room *room, struct jid who)
{
	if (audience_join(room_audience(room), who, flag_of(who)) &&
		room_conf(&room->e)->lasts)
		*vec_push(&room->members) = str_dup(jid_str(who));
}

static void
room_leave(struct room *room, struct jid who)
{
	if (!audience_leave(room_audience(room), who))
		return;
	for (uint32_t i = 0; i < room->members.n; i++) {
		if (!str_is(jid_str(who), room->members.p[i]))
			continue;
		free(room->members.p[i]);
		room->members.p[i] = room->members.p[--room->members.n];
		break;
	}
}

/* It stores something of an account, and there that it does. */
static void
room_know(struct room *room, struct jid who)
{
	struct store_tx *tx = store_tx_new();

	store_tx_set(tx, entity_place(&room->e, MAP_KNOWN), jid_bare_str(who),
		STR("known"));
	store_tx_set(tx,
		(struct store_place){ jid_domain(who), jid_local(who),
			STR(MAP_ROOMS) },
		jid_str(room->e.jid), STR("known"));
	module_commit(module_of_entity(&room->e), room->e.shard, tx, NULL, NULL);
	room_join(room, who);
}

static void
room_do(struct room *room, const struct stanza *st, const struct elem *how)
{
	struct str what = elem_attr(how, "what");
	struct jid to;

	(void)room_audience(room);
	if (str_is(what, "say")) {
		room_say(room, how, st->from);
		return;
	}
	if (!jid_parse(&to, st->arena, elem_attr(how, "to"), NULL))
		return;
	if (str_is(what, "know"))
		room_know(room, to);
	if (str_is(what, "join"))
		room_join(room, to);
	else if (str_is(what, "leave"))
		room_leave(room, to);
	if (elem_attr(how, "quiet").p == NULL)
		room_tell(room, how, to);
}

/* --- on disk first ----------------------------------------------------------- */

/* What stores nothing does not fail with what was before it. */
static void
room_waited(struct entity *e, struct stanza *st, const struct err *err)
{
	(void)err;
	room_do((struct room *)(void *)e, st, stanza_child(st, NS_ROOM, "do"));
	stanza_free(st);
}

/* What memory is ahead of the disk is taken back. */
static void
room_stored(struct entity *e, struct stanza *st, const struct err *err)
{
	struct room *room = (struct room *)(void *)e;

	if (err != NULL) {
		room->taken--;
		room->failed++;
		entity_turn_refuse(e, st, err);
		return;
	}
	room_do(room, st, stanza_child(st, NS_ROOM, "do"));
	stanza_free(st);
}

/* st is taken.  What is not to be said waits for nobody but those before it. */
static void
room_store(struct room *room, struct stanza *st, const struct elem *how)
{
	bool says = str_is(elem_attr(how, "what"), "say");
	struct store_tx *tx = NULL;

	if (room->line == NULL)
		room->line = entity_line_new(&room->e);
	if (!entity_line_takes(room->line, st, says))
		return;
	if (says) {
		tx = store_tx_new();
		store_tx_set(tx, entity_place(&room->e, MAP_SAID),
			arena_printf(st->arena, "%08u", ++room->taken),
			st->id.p != NULL ? st->id : STR("none"));
	}
	entity_turn(room->line, st, tx,
		says ? room_stored : room_waited);
}

/* --- members ---------------------------------------------------------------- */

static unsigned
number_of(const struct stanza *st)
{
	const struct elem *word = stanza_child(st, NS_ROOM, "word");
	long long n;

	return word != NULL &&
			str_to_int(elem_attr(word, "n"), 0, UINT32_MAX, &n) ?
		(unsigned)n :
		UINT32_MAX;
}

static void
listener_hear(struct listener *l, const struct stanza *st)
{
	struct str room = jid_local(st->from);
	struct heard *heard = vec_push(&l->heard);

	*heard = (struct heard){ .number = number_of(st) };
	memcpy(heard->room, room.p, MIN(room.n, sizeof(heard->room) - 1));
}

/* --- the class -------------------------------------------------------------- */

static void
copy_text(char *out, size_t n, struct str text)
{
	text.n = MIN(text.n, n - 1);
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
}

static void
room_error(struct room *room, const struct stanza *st)
{
	const struct elem *error = stanza_child(st, NS_CLIENT, "error");
	const struct elem *cond =
		error != NULL ? elem_first_child(error) : NULL;

	room->errors++;
	copy_text(room->error.from, sizeof(room->error.from), jid_str(st->from));
	copy_text(room->error.to, sizeof(room->error.to), jid_str(st->to));
	copy_text(room->error.condition, sizeof(room->error.condition),
		cond != NULL ? cond->name : STR(""));
}

static void
room_receive(struct entity *e, struct stanza *st)
{
	const struct elem *how = stanza_child(st, NS_ROOM, "do");
	bool failed = st->type == MESSAGE_ERROR || st->type == PRESENCE_ERROR ||
		st->type == IQ_ERROR;

	if (is_room(e) && failed)
		room_error((struct room *)(void *)e, st);
	else if (is_room(e) && how != NULL && room_conf(e)->stores) {
		room_store((struct room *)(void *)e, st, how);
		return;
	} else if (is_room(e) && how != NULL)
		room_do((struct room *)(void *)e, st, how);
	else if (is_room(e) && st->type == PRESENCE_UNAVAILABLE)
		room_tell((struct room *)(void *)e, st->root, st->from);
	else if (!is_room(e))
		listener_hear((struct listener *)(void *)e, st);
	stanza_free(st);
}

static bool
room_receive_shared(struct entity *e, struct stanza *st, struct fanout_one *one)
{
	struct listener *l = (struct listener *)(void *)e;

	if (is_room(e) || one->filtered)
		return true;
	listener_hear(l, st);
	l->shared++;
	return true;
}

/* They stay: tests look at them. */
static bool
room_is_idle(const struct entity *e)
{
	(void)e;
	return false;
}

/* --- over a stop -------------------------------------------------------------- */

static void
save_row(struct entity_save *to, const char *key, const char *name,
	struct str value)
{
	struct arena *a = arena_new();
	struct elem *row = elem_new(a, NS_ROOM, "saved");

	elem_set_attr(a, row, name, value);
	(void)entity_save_elem(to, str_c(key), a, row);
	arena_free(a);
}

static void
room_save(struct entity *e, struct entity_save *to)
{
	struct room *room = (struct room *)(void *)e;
	struct arena *a;

	if (!is_room(e) || room->members.n == 0)
		return;
	a = arena_new();
	save_row(to, ".", "number", arena_printf(a, "%u", room->number));
	arena_free(a);
	for (uint32_t i = 0; i < room->members.n; i++)
		save_row(to, room->members.p[i], "member",
			str_c(room->members.p[i]));
}

static void
room_take_row(struct room *room, struct arena *a, const struct elem *row)
{
	struct str member = elem_attr(row, "member");
	struct jid who;
	long long n;

	if (str_to_int(elem_attr(row, "number"), 0, UINT32_MAX, &n))
		room->number = (unsigned)n;
	if (member.p != NULL && jid_parse(&who, a, member, NULL))
		room_join(room, who);
	room->woken++;
}

static void
room_wake(struct entity *e, const struct store_answer *saved)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < saved->n; i++) {
		struct elem *row = entity_saved_elem(e, a, &saved->entries[i]);

		if (row != NULL)
			room_take_row((struct room *)(void *)e, a, row);
	}
	arena_free(a);
}

static void
room_unload(struct entity *e)
{
	struct room *room = (struct room *)(void *)e;

	if (!is_room(e)) {
		free(((struct listener *)(void *)e)->heard.p);
		return;
	}
	entity_line_free(room->line);
	audience_free(room->audience);
	for (uint32_t i = 0; i < room->members.n; i++)
		free(room->members.p[i]);
	vec_done(&room->members);
}

/* --- accounts that are removed ------------------------------------------------ */

/* Of an account that is being removed: the rooms that are to be told. */
struct leaving {
	struct VEC(char *) rooms;
};

static void
leaving_done(struct entity *e, void *state)
{
	struct leaving *l = state;

	(void)e;
	for (uint32_t i = 0; i < l->rooms.n; i++)
		free(l->rooms.p[i]);
	vec_done(&l->rooms);
}

/* In the transaction that removes it: what rooms have stored of it, loaded or not. */
static enum hook_result
on_remove(struct module_ctx *m, void *arg)
{
	const struct account_removal *removal = arg;
	struct account *acc = removal->account;
	struct leaving *l = module_entity_state(m, &acc->e);

	for (size_t i = 0; i < removal->n_entries; i++) {
		const struct store_entry *entry = &removal->entries[i];
		struct jid room = jid_trusted(entry->key);

		if (!str_is(entry->with, MAP_ROOMS))
			continue;
		store_tx_delete(removal->tx,
			(struct store_place){ jid_domain(room),
				jid_local(room), STR(MAP_KNOWN) },
			jid_str(acc->e.jid));
		*vec_push(&l->rooms) = str_dup(entry->key);
	}
	return HOOK_PASS;
}

/* It is durable, and nobody can have the name yet. */
static enum hook_result
on_removing(struct module_ctx *m, void *arg)
{
	struct account *acc = arg;
	struct leaving *l = module_entity_state(m, &acc->e);

	for (uint32_t i = 0; i < l->rooms.n; i++)
		entity_tell(acc->e.shard,
			&(struct entity_message){
				.kind = TELL_ACCOUNT_GONE,
				.to = jid_trusted(str_c(l->rooms.p[i])),
				.text = jid_str(acc->e.jid),
			});
	return HOOK_PASS;
}

static void
room_told(struct entity *e, struct entity_message *m)
{
	struct room *room = (struct room *)(void *)e;

	if (m->kind != TELL_ACCOUNT_GONE || !is_room(e)) {
		entity_refuse(m, ERR_REFUSED, "it is a room");
		return;
	}
	room->gone++;
	room_leave(room, jid_trusted(m->text));
	entity_answer(m, NULL);
}

static const struct hook_handler room_hooks[] = {
	{ HOOK_ACCOUNT_REMOVE, HOOK_KEEP, on_remove },
	{ HOOK_ACCOUNT_REMOVING, HOOK_DELIVER, on_removing },
	{ .fn = NULL },
};

static void
room_missed(struct entity *e, struct jid who)
{
	(void)who;
	if (is_room(e))
		((struct room *)(void *)e)->missed++;
}

static const struct entity_class room_class = {
	.name = "room",
	.size = MAX(sizeof(struct room), sizeof(struct listener)),
	.receive = room_receive,
	.receive_shared = room_receive_shared,
	.told = room_told,
	.missed = room_missed,
	.is_idle = room_is_idle,
	.asleep = "testroom",
	.save = room_save,
	.wake = room_wake,
	.unload = room_unload,
};

static const struct service room_services[] = {
	{ .option = "domain", .category = "conference", .type = "text",
		.name = "Rooms", .address_class = &room_class },
	{ .option = NULL },
};

MODULE(testroom) = {
	.api = MODULE_API,
	.name = "testroom",
	.summary = "say things to many, for tests",
	.options = room_options,
	.conf_size = sizeof(struct room_conf),
	.services = room_services,
	.hooks = room_hooks,
	.entity_state = sizeof(struct leaving),
	.entity_done = leaving_done,
	.account_removal_maps = (const char *const[]){ MAP_ROOMS, NULL },
};
