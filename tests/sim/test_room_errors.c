/*
 * test_room_errors.c - what cannot be delivered of what an entity of a module's class
 * says comes back to it, from the address that it was for and to the one that said it,
 * be it said to one or to many: by this a room learns that somebody has missed it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "modules/testroom.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

#define ROOM "r1@room." WORLD_HOST
#define NICK "nick of many words"
#define IRC "irc.component.example"
#define CONF                                                                   \
	"components: { " IRC ": { secret: s } }\n"                             \
	"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: 128KiB,\n"   \
	"  stanzas_burst: 100000, bytes_burst: 16MiB }\n"                      \
	"modules: { testroom: yes, testresume: { sleep: 60s } }\n"

/* --- a room ----------------------------------------------------------------------- */

static void
room_do(struct world *w, const char *what, const char *to, const char *kind)
{
	struct arena *a = arena_new();
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_make(a, STR("driver"), STR(WORLD_HOST), STR_NONE),
		jid_trusted(STR(ROOM)), STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", str_c(what));
	elem_set_attr(st->arena, how, "nick", STR(NICK));
	elem_set_attr(st->arena, how, "kind", str_c(kind));
	if (to != NULL)
		elem_set_attr(st->arena, how, "to",
			arena_str(st->arena, str_c(to)));
	router_send(peek_owner(w->server, STR("driver@" WORLD_HOST)), st);
	arena_free(a);
}

static const struct room *
find_room(struct world *w)
{
	return (const struct room *)(const void *)entity_find(
		peek_owner(w->server, STR(ROOM)), STR(ROOM));
}

/* What the room says to the one who is in it, by an audience or not. */
static void
room_say(struct world *w, const char *to, const char *kind, bool many)
{
	if (many)
		room_do(w, "say", NULL, kind);
	else
		room_do(w, "tell", to, kind);
	world_settle(w);
}

/* --- a world ---------------------------------------------------------------------- */

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	(void)srv;
	(void)sh;
	(void)domain;
	return NULL;
}

static struct world *
world_begin(uint64_t seed)
{
	struct world like = {
		.hosts = "  " WORLD_HOST
			 ": { auth: { tls_required: no }, federation: { mode: on } }\n",
		.reach = on_reach,
	};
	struct world *w = world_new_like(seed, 3, TEST_MODULE_DIR, CONF, false,
		&like);

	world_add_account(w, "romeo");
	return w;
}

static void
client_settle(struct client *c)
{
	for (int i = 0; i < 8; i++) {
		world_settle(c->world);
		client_read(c);
	}
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	(void)c;
	(void)e;
	arena_free(a);
}

static void
client_come(struct client *c, struct world *w, bool resumable)
{
	client_init(c, w, "romeo", "a");
	c->on_stanza = on_stanza;
	c->resumable = resumable;
	client_connect(c);
	client_settle(c);
	CHECK_INT(c->state, CLIENT_ONLINE);
}

#define ROMEO_A "romeo@" WORLD_HOST "/a"

/* --- the table -------------------------------------------------------------------- */

/* Presence to one of ours who is not there means nothing (RFC 6121 §8.5.3.2): the room
 * has heard already that he went. */
static const struct {
	const char *who, *kind;
	const char *condition; /* NULL: nothing comes back */
} table[] = {
	/* his session has gone, or there never was an account */
	{ "romeo@" WORLD_HOST "/gone", "groupchat", "service-unavailable" },
	{ "romeo@" WORLD_HOST "/gone", "iq", "service-unavailable" },
	{ "romeo@" WORLD_HOST "/gone", "presence", NULL },
	{ "nobody@" WORLD_HOST "/x", "groupchat", "service-unavailable" },
	{ "nobody@" WORLD_HOST "/x", "iq", "service-unavailable" },
	{ "nobody@" WORLD_HOST "/x", "presence", NULL },
	{ "nobody@" WORLD_HOST "/x", "headline", NULL },
	/* a component that is not connected */
	{ "x@" IRC "/y", "groupchat", "remote-server-timeout" },
	{ "x@" IRC "/y", "chat", "remote-server-timeout" },
	{ "x@" IRC "/y", "iq", "remote-server-timeout" },
	{ "x@" IRC "/y", "presence", "remote-server-timeout" },
	/* another server that cannot be reached */
	{ "x@elsewhere.example/y", "groupchat", "remote-server-timeout" },
	{ "x@elsewhere.example/y", "chat", "remote-server-timeout" },
	{ "x@elsewhere.example/y", "iq", "remote-server-timeout" },
	{ "x@elsewhere.example/y", "presence", "remote-server-timeout" },
};

static void
check_error(const struct room *room, unsigned before, const char *who,
	const char *condition)
{
	CHECK_INT(room->errors - before, condition != NULL);
	if (condition == NULL)
		return;
	CHECK_STR(str_c(room->error.from), who);
	CHECK_STR(str_c(room->error.to), ROOM "/" NICK);
	CHECK_STR(str_c(room->error.condition), condition);
}

TEST(what_cannot_be_delivered_comes_back_from_whom_it_was_for)
{
	struct world *w = world_begin(1);
	struct client romeo;

	client_come(&romeo, w, false);
	for (size_t i = 0; i < 2 * COUNT(table); i++) {
		const char *who = table[i / 2].who, *kind = table[i / 2].kind;
		unsigned before;

		if (strcmp(kind, "iq") == 0 && i % 2 != 0)
			continue;
		test_case_number(who, (long long)i);
		room_do(w, "join", who, "headline");
		world_sleep(w, 90 * US_PER_S);
		before = find_room(w)->errors;
		room_say(w, who, kind, i % 2 != 0);
		world_sleep(w, 90 * US_PER_S);
		check_error(find_room(w), before, who, table[i / 2].condition);
		room_do(w, "leave", who, "headline");
		world_sleep(w, 90 * US_PER_S);
	}
	client_done(&romeo);
	world_free(w);
}

/* --- sessions that do not read ------------------------------------------------------ */

/* What waits for one who sleeps does not come back: but when he ends, all of it that
 * he has not taken. */
TEST(who_sleeps_gets_what_is_said_and_nothing_comes_back_until_he_ends)
{
	struct world *w = world_begin(2);
	struct client romeo;

	client_come(&romeo, w, true);
	room_do(w, "join", ROMEO_A, "headline");
	world_settle(w);
	client_break(&romeo);
	world_settle(w);
	room_say(w, ROMEO_A, "groupchat", true);
	room_say(w, ROMEO_A, "groupchat", false);
	room_say(w, ROMEO_A, "presence", true);
	CHECK_INT(find_room(w)->errors, 0);
	world_sleep(w, 90 * US_PER_S);
	CHECK_INT(find_room(w)->errors, 2);
	CHECK_STR(str_c(find_room(w)->error.from), ROMEO_A);
	CHECK_STR(str_c(find_room(w)->error.to), ROOM "/" NICK);
	client_done(&romeo);
	world_free(w);
}

/* More waits for him than may: he ends, and what he has not got comes back. */
TEST(of_one_who_sleeps_and_is_full_it_comes_back)
{
	struct world *w = world_begin(3);
	struct client romeo;

	client_come(&romeo, w, true);
	room_do(w, "join", ROMEO_A, "headline");
	world_settle(w);
	client_break(&romeo);
	world_settle(w);
	for (unsigned i = 0; i < 10000 && find_room(w)->errors == 0; i++)
		room_say(w, ROMEO_A, "groupchat", true);
	CHECK(find_room(w)->errors > 100);
	CHECK_STR(str_c(find_room(w)->error.from), ROMEO_A);
	CHECK_STR(str_c(find_room(w)->error.to), ROOM "/" NICK);
	client_done(&romeo);
	world_free(w);
}

/* --- what others answer --------------------------------------------------------- */

/* Of another server or a component, whatever it was for; and with any condition. */
TEST(errors_of_others_reach_the_class)
{
	static const enum stanza_type asked[] = { MESSAGE_GROUPCHAT, MESSAGE_CHAT,
		PRESENCE_AVAILABLE, PRESENCE_UNAVAILABLE, IQ_GET };
	struct world *w = world_begin(4);

	room_do(w, "say", NULL, "headline");
	world_settle(w);
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct arena *a = arena_new();
		struct jid who;
		struct stanza *said, *error;
		unsigned before = find_room(w)->errors;

		CHECK(jid_parse(&who, a, STR("x@elsewhere.example/y"), NULL));
		said = stanza_new(asked[i], jid_trusted(STR(ROOM "/" NICK)),
			who, STR("i"));
		error = stanza_error(said, COND_GONE, STR_NONE);
		router_send(peek_owner(w->server, STR("elsewhere.example")),
			error);
		world_settle(w);
		check_error(find_room(w), before, "x@elsewhere.example/y",
			"gone");
		stanza_free(said);
		arena_free(a);
	}
	world_free(w);
}

TEST_MAIN
