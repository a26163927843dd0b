/*
 * test_rooms.c - broadcasts to an audience on several shards: whatever the order
 * of turns, each member hears what was said between his joining and his leaving,
 * all of it, in order with what was said to him alone, and nothing else.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "conf/conf.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "modules/testroom.h"
#include "server/server_reload.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"

#define SEEDS 20
#define STEPS 2000
#define CROWD 10000
#define ROOMS 3
#define MEMBERS 16
#define ROOM_HOST "room." WORLD_HOST
#define DRIVER "driver@" WORLD_HOST
#define CONF                                                                   \
	"modules: { testroom: yes }\n"                                         \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"

/* --- a session that listens ------------------------------------------------------- */

struct person {
	struct client c;
	struct VEC(struct heard) heard;
};

/* Of what came for the bare address, and of what was for the session alone. */
struct pair {
	struct person bare, full;
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct pair *p = c->user;
	const struct elem *word = elem_child(e, NS_ROOM, "word");
	struct person *who = memchr(elem_attr(e, "to").p, '/',
				     elem_attr(e, "to").n) != NULL ?
		&p->full :
		&p->bare;
	long long n;

	if (word != NULL && str_to_int(elem_attr(word, "n"), 0, UINT32_MAX, &n)) {
		struct heard *heard = vec_push(&who->heard);

		*heard = (struct heard){ .number = (unsigned)n };
		/* "r1@room..." */
		memcpy(heard->room, elem_attr(e, "from").p, 2);
	}
	arena_free(a);
}

static void
pair_settle(struct pair *p)
{
	for (int i = 0; i < 8; i++) {
		world_settle(p->full.c.world);
		client_read(&p->full.c);
	}
}

static void
pair_come(struct pair *p, struct world *w, const char *local, const char *resource)
{
	memset(p, 0, sizeof(*p));
	client_init(&p->full.c, w, local, resource);
	p->full.c.on_stanza = on_stanza;
	p->full.c.user = p;
	client_connect(&p->full.c);
	pair_settle(p);
	CHECK_INT(p->full.c.state, CLIENT_ONLINE);
}

static void
pair_read(struct pair *p)
{
	client_read(&p->full.c);
}

static void
pair_go(struct pair *p)
{
	client_leave(&p->full.c);
	pair_settle(p);
	client_done(&p->full.c);
	vec_done(&p->full.heard);
	vec_done(&p->bare.heard);
}

/* --- telling a room ---------------------------------------------------------------- */

/* All by one, so that it does everything in the order in which it was told. */
static void
room_do(struct world *w, unsigned room, const char *what, const char *to,
	const char *kind, const char *filter)
{
	struct arena *a = arena_new();
	struct jid driver = jid_make(a, STR("driver"), STR(WORLD_HOST), STR_NONE);
	struct jid jid = jid_make(a, arena_printf(a, "r%u", room),
		STR(ROOM_HOST), STR_NONE);
	struct stanza *st = stanza_new(MESSAGE_CHAT, driver, jid, STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", str_c(what));
	if (to != NULL)
		elem_set_attr(st->arena, how, "to",
			arena_str(st->arena, str_c(to)));
	if (kind != NULL)
		elem_set_attr(st->arena, how, "kind", str_c(kind));
	if (filter != NULL)
		elem_set_attr(st->arena, how, "filter", str_c(filter));
	router_send(peek_owner(w->server, STR(DRIVER)), st);
	arena_free(a);
}

static struct entity *
find(struct world *w, const char *bare)
{
	return entity_find(peek_owner(w->server, str_c(bare)), str_c(bare));
}

static const struct room *
find_room(struct world *w, unsigned room)
{
	char bare[64];

	snprintf(bare, sizeof(bare), "r%u@" ROOM_HOST, room);
	return (const struct room *)(const void *)find(w, bare);
}

static const struct listener *
find_listener(struct world *w, unsigned n)
{
	char bare[64];

	snprintf(bare, sizeof(bare), "l%u@" ROOM_HOST, n);
	return (const struct listener *)(const void *)find(w, bare);
}

/* --- at random ---------------------------------------------------------------------- */

enum kind { PRESENCE, HEADLINE, GROUPCHAT, CHAT, KINDS };

static const char *const kinds[KINDS] = { "presence", "headline", "groupchat",
	"chat" };

/* The first are listeners, every second of them with a resource; then come the
 * account and the session of two users each. */
struct member {
	char address[96];
	bool in[ROOMS];
	struct VEC(unsigned) due[ROOMS];
	const struct person *person; /* NULL: a listener */
	bool bare_account;
};

struct crowd {
	struct world *w;
	struct pair romeo, juliet;
	struct member members[MEMBERS];
	unsigned number[ROOMS];
};

#define LISTENERS (MEMBERS - 4)

static void
crowd_init(struct crowd *k, uint64_t seed)
{
	memset(k, 0, sizeof(*k));
	k->w = world_new(seed, 3, TEST_MODULE_DIR, CONF);
	world_add_account(k->w, "romeo");
	world_add_account(k->w, "juliet");
	pair_come(&k->romeo, k->w, "romeo", "r");
	pair_come(&k->juliet, k->w, "juliet", "rr");
	for (unsigned i = 0; i < LISTENERS; i++)
		snprintf(k->members[i].address, sizeof(k->members[i].address),
			"l%u@" ROOM_HOST "%s", i,
			i % 4 == 0      ? "/x" :
				i % 4 == 1 ? "/xx" :
					     "");
	for (unsigned i = 0; i < 4; i++) {
		struct member *m = &k->members[LISTENERS + i];
		struct pair *p = i % 2 == 0 ? &k->romeo : &k->juliet;

		m->bare_account = i < 2;
		m->person = m->bare_account ? &p->bare : &p->full;
		snprintf(m->address, sizeof(m->address), "%s@" WORLD_HOST "%s%s",
			p->full.c.local, m->bare_account ? "" : "/",
			m->bare_account ? "" : p->full.c.resource);
	}
}

static void
due(struct crowd *k, struct member *m, unsigned room)
{
	*vec_push(&m->due[room]) = k->number[room];
}

static void
crowd_tell(struct crowd *k, unsigned room)
{
	static const char *const whats[] = { "join", "join", "leave", "tell" };
	struct member *m = &k->members[world_draw(k->w, MEMBERS)];
	const char *what = whats[world_draw(k->w, COUNT(whats))];

	if (strcmp(what, "join") == 0)
		m->in[room] = true;
	else if (strcmp(what, "leave") == 0)
		m->in[room] = false;
	due(k, m, room);
	room_do(k->w, room, what, m->address, NULL, NULL);
	k->number[room]++;
}

static bool
hears(const struct member *m, unsigned room, enum kind kind, unsigned which)
{
	return m->in[room] && (which == 2 || strlen(m->address) % 2 == which) &&
		!(m->bare_account && kind == GROUPCHAT);
}

static void
crowd_say(struct crowd *k, unsigned room)
{
	static const char *const whom[] = { "even", "odd", NULL };
	unsigned which = (unsigned)world_draw(k->w, COUNT(whom));
	enum kind kind = (enum kind)world_draw(k->w, KINDS);

	for (unsigned i = 0; i < MEMBERS; i++) {
		if (hears(&k->members[i], room, kind, which))
			due(k, &k->members[i], room);
	}
	room_do(k->w, room, "say", whom[which], kinds[kind], NULL);
	k->number[room]++;
}

static void
publish(struct world *w)
{
	server_publish(w->server, config_ref(w->server->newest->config), NULL,
		NULL);
}

static void
crowd_settle(struct crowd *k)
{
	for (int i = 0; i < 8; i++) {
		world_settle(k->w);
		pair_read(&k->romeo);
		pair_read(&k->juliet);
	}
}

static void
check_heard(const struct crowd *k, unsigned i, unsigned room)
{
	const struct member *m = &k->members[i];
	const struct listener *l =
		m->person == NULL ? find_listener(k->w, i) : NULL;
	const struct heard *heard = m->person != NULL ? m->person->heard.p :
		l != NULL                             ? l->heard.p :
							NULL;
	uint32_t n = m->person != NULL ? m->person->heard.n :
		l != NULL              ? l->heard.n :
					 0;
	uint32_t found = 0;

	for (uint32_t j = 0; j < n; j++) {
		if (heard[j].room[1] != (char)('0' + room))
			continue;
		CHECK(found < m->due[room].n);
		CHECK_INT(heard[j].number, m->due[room].p[found]);
		found++;
	}
	CHECK_INT(found, m->due[room].n);
}

static void
crowd_done(struct crowd *k)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		for (unsigned room = 0; room < ROOMS; room++)
			vec_done(&k->members[i].due[room]);
	}
	pair_go(&k->romeo);
	pair_go(&k->juliet);
	world_free(k->w);
	CHECK_INT(memuse_sum(MEMUSE_AUDIENCE).bytes, 0);
}

static void
crowd_run(uint64_t seed)
{
	struct crowd k;

	crowd_init(&k, seed);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned room = (unsigned)world_draw(k.w, ROOMS);

		if (world_draw(k.w, 2) == 0)
			crowd_tell(&k, room);
		else
			crowd_say(&k, room);
		if (world_draw(k.w, 100) == 0)
			publish(k.w);
		for (uint64_t n = world_draw(k.w, 4); n > 0; n--)
			world_turn(k.w);
	}
	crowd_settle(&k);
	for (unsigned i = 0; i < MEMBERS; i++) {
		for (unsigned room = 0; room < ROOMS; room++) {
			test_case_number(k.members[i].address, room);
			check_heard(&k, i, room);
		}
	}
	crowd_done(&k);
}

TEST(each_hears_what_was_said_while_he_was_there_and_in_order)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		crowd_run(seed);
}

/* --- how many --------------------------------------------------------------------- */

static void
listener_do(struct world *w, const char *what, unsigned n)
{
	char to[64];

	snprintf(to, sizeof(to), "l%u@" ROOM_HOST "/x", n);
	room_do(w, 0, what, to, NULL, NULL);
}

TEST(none_to_some_hundreds_hear_it_once_each)
{
	for (unsigned n = 0; n <= 300; n += n < 20 ? 1 : 35) {
		struct world *w = world_new(n + 1, 3, TEST_MODULE_DIR, CONF);

		test_case_number("members", n);
		for (unsigned i = 0; i < 2 * n; i++)
			listener_do(w, "join", i % MAX(n, 1));
		room_do(w, 0, "say", NULL, NULL, NULL);
		world_settle(w);
		CHECK_INT(find_room(w, 0)->number, 2 * n + 1);
		for (unsigned i = 0; i < n; i++) {
			const struct listener *l = find_listener(w, i);

			CHECK_INT(l->heard.n, 3);
			CHECK_INT(l->shared, 1);
			CHECK_INT(l->heard.p[2].number, 2 * n);
		}
		world_free(w);
	}
}

/* The room goes on while the other shards stand still. */
static void
crowd_leaves(struct world *w, struct shard *room)
{
	for (unsigned i = 0; i < CROWD; i++) {
		listener_do(w, "leave", i);
		if (i % 100 == 0)
			room_do(w, 0, "say", NULL, "groupchat", NULL);
	}
	for (unsigned i = 0; i < w->n_shards; i++)
		shard_turn(peek_owner(w->server, STR(DRIVER)));
	for (int i = 0; i < 100; i++)
		shard_turn(room);
}

TEST(ten_thousand_leave_while_broadcasts_are_on_their_way)
{
	struct world *w = world_new(1, 4, TEST_MODULE_DIR, CONF);
	struct shard *room;

	for (unsigned i = 0; i < CROWD; i++)
		listener_do(w, "join", i);
	room_do(w, 0, "say", NULL, "groupchat", NULL);
	world_settle(w);
	room = find_room(w, 0)->e.shard;
	CHECK_INT(audience_members(find_room(w, 0)->audience), CROWD);
	CHECK(audience_bytes(find_room(w, 0)->audience) < CROWD * 128);
	crowd_leaves(w, room);
	world_settle(w);
	CHECK_INT(audience_members(find_room(w, 0)->audience), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		const struct listener *l = find_listener(w, i);

		/* joined, left, the first, and those of 100 that it was there
		 * for; it leaves before the one that has its number */
		CHECK_INT(l->heard.n, 2 + 1 + (i + 99) / 100);
		for (uint32_t j = 1; j < l->heard.n; j++)
			CHECK(l->heard.p[j].number > l->heard.p[j - 1].number);
	}
	world_free(w);
	CHECK_INT(memuse_sum(MEMUSE_AUDIENCE).bytes, 0);
}

/* --- whose an address is ------------------------------------------------------------ */

static const struct {
	const char *member;
	enum kind kind;
	unsigned errors;
} lost[] = {
	{ "romeo@" WORLD_HOST "/away", GROUPCHAT, 1 },
	{ "romeo@" WORLD_HOST "/away", HEADLINE, 0 },
	{ "romeo@" WORLD_HOST "/away", PRESENCE, 0 },
	{ "romeo@" WORLD_HOST, GROUPCHAT, 1 },
	{ "nobody@" WORLD_HOST "/x", GROUPCHAT, 1 },
	{ "nobody@" WORLD_HOST "/x", PRESENCE, 0 },
	{ "nobody@" WORLD_HOST, CHAT, 0 }, /* kept, as it seems */
	{ WORLD_HOST, GROUPCHAT, 1 },
	{ WORLD_HOST, PRESENCE, 0 },
	{ ROOM_HOST, CHAT, 1 },
	{ "x@elsewhere.example/y", GROUPCHAT, 1 },
	{ "elsewhere.example", PRESENCE, 0 },
	{ "x@elsewhere.example", HEADLINE, 1 },
};

TEST(who_is_not_there_is_told_of_as_to_a_single_stanza)
{
	struct world *w = world_new(1, 3, TEST_MODULE_DIR, CONF);
	struct pair romeo;

	world_add_account(w, "romeo");
	pair_come(&romeo, w, "romeo", "r");
	for (unsigned i = 0; i < COUNT(lost); i++) {
		unsigned before;

		TEST_CASE(lost[i].member);
		room_do(w, 0, "join", lost[i].member, NULL, NULL);
		world_settle(w);
		before = find_room(w, 0)->errors;
		room_do(w, 0, "say", NULL, kinds[lost[i].kind], NULL);
		world_settle(w);
		CHECK_INT(find_room(w, 0)->errors - before, lost[i].errors);
		room_do(w, 0, "leave", lost[i].member, NULL, NULL);
		world_settle(w);
	}
	pair_go(&romeo);
	world_free(w);
}

/* --- who goes without a word -------------------------------------------------------- */

static void
clients_settle(struct client *c, unsigned n)
{
	for (int turn = 0; turn < 8; turn++) {
		world_settle(c->world);
		for (unsigned i = 0; i < n; i++)
			client_read(&c[i]);
	}
}

/* n users, each with a session that is kept when its connection breaks. */
static void
members_come(struct world *w, struct client *c, unsigned n)
{
	char name[16], member[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		snprintf(member, sizeof(member), "u%u@" WORLD_HOST "/r", i);
		world_add_account(w, name);
		client_init(&c[i], w, name, "r");
		c[i].resumable = true;
		client_connect(&c[i]);
		clients_settle(c, i + 1);
		CHECK_INT(c[i].state, CLIENT_ONLINE);
		client_ack(&c[i], "ack");
		room_do(w, 0, "join", member, NULL, NULL);
	}
	clients_settle(c, n);
}

/* Of all who heard the same bytes the room learns who had no time to say so. */
TEST(a_room_learns_of_each_who_has_not_acknowledged)
{
	static const unsigned sizes[] = { 1, 2, 3, 10, 60 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned n = sizes[i], acked = n / 3;
		struct world *w = world_new(i + 1, 1 + i % 3, TEST_MODULE_DIR,
			"modules: { testroom: yes, testresume: "
			"{ sleep: 5s } }\n");
		struct client *c = xcalloc(n, sizeof(*c));

		test_case_number("members", n);
		members_come(w, c, n);
		for (unsigned j = 0; j < n; j++)
			client_ack(&c[j], "ack");
		room_do(w, 0, "say", NULL, "groupchat", NULL);
		clients_settle(c, n);
		for (unsigned j = 0; j < acked; j++)
			client_ack(&c[j], "ack");
		clients_settle(c, n);
		for (unsigned j = 0; j < n; j++)
			client_done(&c[j]);
		CHECK_INT(find_room(w, 0)->errors, 0);
		world_sleep(w, 6 * US_PER_S);
		world_settle(w);
		CHECK_INT(find_room(w, 0)->errors, n - acked);
		world_free(w);
		free(c);
	}
}

/* --- the filter ------------------------------------------------------------------- */

static void
module_switch(struct world *w, bool on)
{
	server_switch_module(w->server, STR("testroom"), on, NULL, NULL);
}

static const struct {
	const char *member, *filter;
	unsigned first, second; /* how many they hear */
} filtered[] = {
	{ "romeo@" WORLD_HOST, "", 1, 1 },
	{ "romeo@" WORLD_HOST, "a", 1, 1 },
	{ "romeo@" WORLD_HOST, "aa", 1, 0 },
	{ "romeo@" WORLD_HOST, "ab", 0, 1 },
	{ "romeo@" WORLD_HOST, "b", 0, 0 },
	{ "romeo@" WORLD_HOST "/aa", "a", 1, 0 },
	{ "romeo@" WORLD_HOST "/ab", "aa", 0, 0 },
	{ "nobody@" WORLD_HOST, "", 0, 0 },
};

TEST(each_session_is_asked_whether_it_wants_it)
{
	struct world *w = world_new(1, 3, TEST_MODULE_DIR, CONF);
	struct pair first, second;

	world_add_account(w, "romeo");
	pair_come(&first, w, "romeo", "aa");
	pair_come(&second, w, "romeo", "ab");
	for (unsigned i = 0; i < COUNT(filtered) * KINDS; i++) {
		unsigned row = i / KINDS;

		test_case_number(filtered[row].member, i);
		room_do(w, 0, "join", filtered[row].member, NULL, NULL);
		world_settle(w);
		pair_read(&first);
		pair_read(&second);
		first.full.heard.n = second.full.heard.n = 0;
		room_do(w, 0, "say", NULL, kinds[i % KINDS],
			filtered[row].filter);
		world_settle(w);
		pair_read(&first);
		pair_read(&second);
		CHECK_INT(first.full.heard.n, filtered[row].first);
		CHECK_INT(second.full.heard.n, filtered[row].second);
		room_do(w, 0, "leave", filtered[row].member, NULL, NULL);
	}
	pair_go(&first);
	pair_go(&second);
	world_free(w);
}

/* A session that has slept since before the server stopped gets what it wants, too,
 * whether its account is in memory again or not. */
TEST(sessions_that_sleep_still_from_the_last_stop_are_asked)
{
	for (unsigned i = 0; i < 2 * KINDS; i++) {
		struct world *w = world_new_lasting(i, 1 + i % 3,
			TEST_MODULE_DIR,
			"modules: { testroom: yes, "
			"testresume: { sleep: 60s } }\n");
		struct pair p;

		TEST_CASE(kinds[i % KINDS]);
		world_add_account(w, "romeo");
		memset(&p, 0, sizeof(p));
		client_init(&p.full.c, w, "romeo", "aa");
		p.full.c.on_stanza = on_stanza;
		p.full.c.user = &p;
		p.full.c.resumable = true;
		client_connect(&p.full.c);
		pair_settle(&p);
		CHECK_INT(p.full.c.state, CLIENT_ONLINE);
		client_break(&p.full.c);
		world_settle(w);
		world_restart(w, 1 + i % 3);
		room_do(w, 0, "join", "romeo@" WORLD_HOST, NULL, NULL);
		room_do(w, 0, "say", NULL, kinds[i % KINDS],
			i < KINDS ? "a" : "b");
		world_settle(w);
		client_resume(&p.full.c);
		pair_settle(&p);
		CHECK_INT(p.full.c.state, CLIENT_ONLINE);
		CHECK_INT(p.full.heard.n, i < KINDS);
		pair_go(&p);
		world_free(w);
	}
}

TEST(a_filter_stays_while_it_is_needed_though_its_module_goes)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *w = world_new(seed, 3, TEST_MODULE_DIR, CONF);
		struct pair romeo;

		world_add_account(w, "romeo");
		pair_come(&romeo, w, "romeo", "r");
		for (int i = 0; i < 10; i++) {
			room_do(w, 0, "join", "romeo@" WORLD_HOST, NULL, NULL);
			room_do(w, 0, "say", NULL, NULL, "r");
			for (uint64_t n = world_draw(w, 12); n > 0; n--)
				world_turn(w);
			module_switch(w, false);
			for (uint64_t n = world_draw(w, 12); n > 0; n--)
				world_turn(w);
			pair_read(&romeo);
			module_switch(w, true);
		}
		pair_go(&romeo);
		world_free(w);
	}
}

TEST_MAIN
