/*
 * test_broadcasts.c - one who says more to a large room than it can be told: he
 * rests, what waits is bounded, and nobody else waits for it; what is said meanwhile goes
 * along, in order; and what does not reach somebody is told to the room.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/rand.h"
#include "base/vec.h"
#include "core/budget.h"
#include "core/lane.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "modules/testroom.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"

#define SAID 500
#define AT_ONCE 20 /* in what is read at once */
#define PING_TURNS 4
#define TURNS_MAX 20000
#define ROOM_HOST "room." WORLD_HOST
#define ROOM "r0@" ROOM_HOST
#define SAY "<message to='" ROOM "'><do xmlns='" NS_ROOM "' what='say' "       \
	"kind='groupchat'/></message>"
#define CONF                                                                   \
	"modules: { testroom: yes }\n"                                         \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB, mailbox_bytes: 1MiB, "      \
	"idle_before_ping: never }\n"

struct scene {
	struct world *w;
	struct client romeo, juliet;
	unsigned members;
	const struct listener **listeners;
	bool answered;  /* what juliet has asked */
	unsigned waits; /* turns, since she did */
	unsigned longest;
	unsigned joins; /* what the room has said before */
	int64_t turn_us; /* how long a turn takes */
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct scene *s = c->user;

	if (s != NULL && str_is(elem_attr(e, "id"), "ping"))
		s->answered = true;
	arena_free(a);
}

static struct entity *
find(struct world *w, const char *bare)
{
	return entity_find(peek_owner(w->server, str_c(bare)), str_c(bare));
}

static const struct listener *
find_listener(const struct scene *s, unsigned n)
{
	char bare[64];

	snprintf(bare, sizeof(bare), "l%u@" ROOM_HOST, n);
	return (const struct listener *)(const void *)find(s->w, bare);
}

/* How many broadcasts the room has made of what romeo says. */
static unsigned
taken(const struct scene *s)
{
	const struct entity *e = find(s->w, ROOM);

	return e != NULL ? ((const struct room *)(const void *)e)->number -
			s->joins :
			   0;
}

/* How many of them have not reached all. */
static unsigned
in_flight(const struct scene *s)
{
	unsigned n = taken(s), least = n;

	for (unsigned i = 0; i < s->members; i++)
		least = MIN(least, s->listeners[i]->heard.n - 1);
	return n - least;
}

static void
client_come(struct client *c, struct scene *s, const char *local)
{
	world_add_account(s->w, local);
	client_init(c, s->w, local, "x");
	c->on_stanza = on_stanza;
	c->user = s;
	client_connect(c);
	for (int i = 0; i < 8; i++) {
		world_settle(s->w);
		client_read(c);
	}
	CHECK_INT(c->state, CLIENT_ONLINE);
}

static void
scene_init(struct scene *s, unsigned shards, unsigned members)
{
	memset(s, 0, sizeof(*s));
	s->w = world_new(shards, shards, TEST_MODULE_DIR, CONF);
	s->members = members;
	client_come(&s->romeo, s, "romeo");
	client_come(&s->juliet, s, "juliet");
	for (unsigned i = 0; i < members; i++) {
		client_send(&s->romeo,
			"<message to='" ROOM "'><do xmlns='" NS_ROOM "' "
			"what='join' to='l%u@" ROOM_HOST "/x'/></message>", i);
		if (i % 100 == 0)
			world_settle(s->w);
	}
	world_settle(s->w);
	s->joins = taken(s);
	CHECK_INT(s->joins, members);
	s->listeners = xcalloc(members + 1, sizeof(struct listener *));
	for (unsigned i = 0; i < members; i++)
		s->listeners[i] = find_listener(s, i);
}

static void
client_go(struct client *c)
{
	client_leave(c);
	for (int i = 0; i < 8; i++) {
		world_settle(c->world);
		client_read(c);
	}
	client_done(c);
}

static void
scene_done(struct scene *s)
{
	client_go(&s->romeo);
	client_go(&s->juliet);
	for (unsigned i = 0; i < s->w->n_shards; i++)
		CHECK_INT(mailbox_held(&s->w->server->shards[i]->mailbox), 0);
	free(s->listeners);
	world_free(s->w);
	CHECK_INT(memuse_sum(MEMUSE_AUDIENCE).bytes, 0);
}

/* One turn of each; juliet asks whenever she has been answered. */
static void
turn(struct scene *s)
{
	if (s->answered) {
		s->answered = false;
		s->waits = 0;
		client_send(&s->juliet, "<iq type='get' id='ping' to='" WORLD_HOST
			"'><ping xmlns='urn:xmpp:ping'/></iq>");
	}
	for (unsigned i = 0; i < s->w->n_shards; i++)
		shard_turn(s->w->server->shards[i]);
	clock_manual_advance(&s->w->clock, s->turn_us);
	client_read(&s->juliet);
	s->waits++;
	s->longest = MAX(s->longest, s->waits);
}

/* As one read from a socket brings it. */
static unsigned
say(struct scene *s)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		client_send(&s->romeo, SAY);
	return AT_ONCE;
}

/* Everybody has heard everything, in order. */
static void
check_heard(const struct scene *s)
{
	for (unsigned i = 0; i < s->members; i++) {
		const struct listener *l = s->listeners[i];

		CHECK_INT(l->heard.n, SAID + 1);
		CHECK_INT(l->heard.p[0].number, i);
		for (unsigned j = 0; j < SAID; j++)
			CHECK_INT(l->heard.p[j + 1].number, s->joins + j);
	}
}

static const struct {
	const char *what;
	unsigned shards, members;
	unsigned most; /* broadcasts in flight */
	int64_t turn_us;
} rooms[] = {
	{ "nobody", 1, 0, 0, 0 },
	{ "one", 4, 1, AT_ONCE, 0 },
	{ "the last that is not counted", 1, 255, AT_ONCE, 0 },
	{ "the first that is counted", 1, 256, AT_ONCE, 0 },
	{ "many on one shard", 1, 3000, 2 * AT_ONCE + 5, 0 },
	{ "many on four shards", 4, 3000, 2 * AT_ONCE + 5, 0 },
	/* a minute for what is read at once, which is how long he rests */
	{ "many, and slowly", 1, 3000, 2 * AT_ONCE + 5, US_PER_S },
};

/* More is sent as soon as the server has read what was. */
TEST(who_floods_a_room_rests_and_nobody_waits_for_him)
{
	for (unsigned row = 0; row < COUNT(rooms); row++) {
		unsigned sent = 0, most = 0, flying = 0;
		struct scene s;

		TEST_CASE(rooms[row].what);
		scene_init(&s, rooms[row].shards, rooms[row].members);
		s.answered = true;
		s.turn_us = rooms[row].turn_us;
		for (unsigned i = 0; taken(&s) < SAID || flying != 0; i++) {
			CHECK(i < TURNS_MAX);
			if (sent == taken(&s) && sent < SAID)
				sent += say(&s);
			turn(&s);
			flying = in_flight(&s);
			most = MAX(most, flying);
		}
		CHECK(most <= rooms[row].most);
		CHECK(s.longest <= PING_TURNS);
		check_heard(&s);
		scene_done(&s);
	}
}

/* --- what a shard does not take ------------------------------------------------- */

/* What SAY does, from nobody's session, so that nobody rests. */
static void
say_at_once(struct shard *sh)
{
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_trusted(STR(WORLD_HOST)), jid_trusted(STR(ROOM)), STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", STR("say"));
	elem_set_attr(st->arena, how, "kind", STR("groupchat"));
	router_send(sh, st);
}

/* Each has what was said, or is named to the room, as often as that happened. */
static void
check_heard_or_named(const struct scene *s, size_t words)
{
	const struct room *room =
		(const struct room *)(const void *)find(s->w, ROOM);
	size_t heard = 0;

	CHECK_INT(taken(s), words);
	CHECK(room->missed > 0);
	for (unsigned i = 0; i < s->members; i++)
		heard += s->listeners[i]->heard.n - 1;
	CHECK_INT(heard + room->missed, words * s->members);
}

/* The shard of the room alone has turns, and what the others do not take comes back. */
TEST(what_a_full_shard_refuses_is_told_to_who_has_said_it)
{
	enum { MEMBERS = 40, WORDS = 6000 };
	struct shard *sh;
	struct scene s;

	scene_init(&s, 3, MEMBERS);
	sh = peek_owner(s.w->server, STR(ROOM));
	for (unsigned i = 0; i < WORDS; i++) {
		say_at_once(sh);
		shard_turn(sh);
	}
	world_settle(s.w);
	check_heard_or_named(&s, WORDS);
	scene_done(&s);
}

static const struct {
	const char *what;
	unsigned members, words;
	unsigned more; /* words, with a turn before each */
} stops[] = {
	{ "of many", 300, 400, 0 },
	{ "of some on their way", 6000, 2, 6 },
};

/* As when the server stops. */
TEST(what_is_not_waited_for_is_told_to_who_has_said_it)
{
	for (unsigned row = 0; row < COUNT(stops); row++) {
		unsigned words = stops[row].words, cut = 0;
		struct shard *sh;
		struct scene s;

		TEST_CASE(stops[row].what);
		scene_init(&s, 2, stops[row].members);
		sh = peek_owner(s.w->server, STR(ROOM));
		for (unsigned i = 0; i < words; i++)
			say_at_once(sh);
		for (unsigned i = 0; i < 4; i++)
			shard_turn(s.w->server->shards[i % 2]);
		for (unsigned i = 0; i < stops[row].more; i++) {
			say_at_once(sh);
			shard_turn(s.w->server->shards[i % 2]);
		}
		for (unsigned i = 0; i < 2; i++) {
			cut += s.w->server->shards[i]->lanes != NULL;
			lane_return(s.w->server->shards[i]);
		}
		CHECK(cut > 0);
		world_settle(s.w);
		check_heard_or_named(&s, words + stops[row].more);
		scene_done(&s);
	}
}

/* As when the shard ends: nothing of it is left. */
TEST(what_goes_together_ends_with_its_shard)
{
	enum { MEMBERS = 6000, WORDS = 6 };
	struct shard *sh;
	struct scene s;

	scene_init(&s, 1, MEMBERS);
	sh = peek_owner(s.w->server, STR(ROOM));
	for (unsigned i = 0; i < WORDS; i++) {
		say_at_once(sh);
		shard_turn(sh);
	}
	CHECK(sh->lanes != NULL);
	lane_drop_all(sh);
	CHECK(sh->lanes == NULL);
	world_settle(s.w);
	scene_done(&s);
}

/* --- what goes together --------------------------------------------------------- */

/* The room does what, to who (NULL: to nobody), at once and from nobody's session. */
static void
do_at_once(struct shard *sh, const char *what, const char *to, bool quiet)
{
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_trusted(STR(WORLD_HOST)), jid_trusted(STR(ROOM)), STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", str_c(what));
	elem_set_attr(st->arena, how, "kind", STR("groupchat"));
	if (to != NULL)
		elem_set_attr(st->arena, how, "to",
			arena_str(st->arena, str_c(to)));
	if (quiet)
		elem_set_attr(st->arena, how, "quiet", STR(""));
	router_send(sh, st);
}

/* What one of many should hear. */
struct past {
	struct VEC(unsigned) heard;
	bool in, odd; /* as is his address */
};

static void
listener_name(char *to, size_t size, unsigned n)
{
	snprintf(to, size, "l%u@" ROOM_HOST "/x", n);
}

static void
past_hears(struct past *p, unsigned number)
{
	*vec_push(&p->heard) = number;
}

/* The first members of n have joined. */
static void
pasts_init(struct past *all, unsigned n, unsigned members)
{
	char to[64];

	memset(all, 0, n * sizeof(*all));
	for (unsigned i = 0; i < n; i++) {
		listener_name(to, sizeof(to), i);
		all[i].odd = strlen(to) % 2 == 1;
		all[i].in = i < members;
		if (all[i].in)
			past_hears(&all[i], i);
	}
}

/* Something that the room does, with what that means to each. */
static void
do_something(struct shard *sh, struct rand_source *rand, struct past *all,
	unsigned n, unsigned *number_io)
{
	static const char *const groups[] = { NULL, "odd", "even" };
	static const char *const alone[] = { "join", "leave", "tell" };
	unsigned group = (unsigned)rand_below(rand, 3);
	unsigned who = (unsigned)rand_below(rand, n);
	unsigned what = (unsigned)rand_below(rand, 8);
	bool quiet = what < 2 && rand_below(rand, 2) == 0;
	char to[64];

	listener_name(to, sizeof(to), who);
	if (what < 3) {
		do_at_once(sh, alone[what], to, quiet);
		all[who].in = what == 0 || (what == 2 && all[who].in);
		if (!quiet)
			past_hears(&all[who], (*number_io)++);
		return;
	}
	do_at_once(sh, "say", groups[group], false);
	for (unsigned i = 0; i < n; i++)
		if (all[i].in && (group == 0 || all[i].odd == (group == 1)))
			past_hears(&all[i], *number_io);
	++*number_io;
}

static void
check_past(const struct scene *s, struct past *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct listener *l = find_listener(s, i);

		CHECK_INT(l != NULL ? l->heard.n : 0, all[i].heard.n);
		for (uint32_t j = 0; j < all[i].heard.n; j++)
			CHECK_INT(l->heard.p[j].number, all[i].heard.p[j]);
		vec_done(&all[i].heard);
	}
}

/* Broadcasts go along with what is on its way; who comes, goes or is told something
 * alone in the midst of it hears no more and no less, and all of it in order. */
TEST(order_is_kept_while_members_come_and_go)
{
	enum { MEMBERS = 1200, ADDRESSES = 1500, THINGS = 400 };
	static struct past all[ADDRESSES];
	struct rand_seeded rand;
	struct shard *sh;
	struct scene s;

	for (unsigned seed = 0; seed < 4; seed++) {
		unsigned shards = seed % 2 == 0 ? 1 : 2, number = MEMBERS;

		rand_seeded_init(&rand, seed);
		scene_init(&s, shards, MEMBERS);
		sh = peek_owner(s.w->server, STR(ROOM));
		pasts_init(all, ADDRESSES, MEMBERS);
		for (unsigned i = 0; i < THINGS; i++) {
			do_something(sh, &rand.source, all, ADDRESSES,
				&number);
			if (rand_below(&rand.source, 4) == 0)
				shard_turn(s.w->server->shards[rand_below(
					&rand.source, shards)]);
		}
		world_settle(s.w);
		check_past(&s, all, ADDRESSES);
		scene_done(&s);
	}
}

static void
count_heard(const struct scene *s, size_t *all_out, size_t *most_out)
{
	*all_out = *most_out = 0;
	for (unsigned i = 0; i < s->members; i++) {
		size_t n = s->listeners[i]->heard.n - 1;

		*all_out += n;
		*most_out = MAX(*most_out, n);
	}
}

/* Those who have their turn get all that there is for them, so that it is one write; and
 * a turn is not long. */
TEST(a_turn_brings_some_members_all_that_was_said)
{
	enum { MEMBERS = 3000, WORDS = 30, A_TURN = 2048 + 16 * WORDS };
	size_t before = 0, heard, most;
	unsigned turns = 0;
	struct shard *sh;
	struct scene s;

	scene_init(&s, 1, MEMBERS);
	sh = peek_owner(s.w->server, STR(ROOM));
	for (unsigned i = 0; i < WORDS; i++)
		say_at_once(sh);
	for (; before != (size_t)MEMBERS * WORDS; before = heard) {
		CHECK(turns++ < TURNS_MAX);
		shard_turn(sh);
		count_heard(&s, &heard, &most);
		CHECK(heard - before <= A_TURN);
		CHECK(heard == 0 || most == WORDS);
	}
	scene_done(&s);
}

/* What is said last reaches somebody before what was said first has reached all. */
TEST(nobody_waits_for_the_end_of_what_was_said_before)
{
	enum { MEMBERS = 6000, WORDS = 3 };
	size_t heard, most;
	struct shard *sh;
	struct scene s;

	scene_init(&s, 1, MEMBERS);
	sh = peek_owner(s.w->server, STR(ROOM));
	for (unsigned i = 0; i < WORDS; i++) {
		say_at_once(sh);
		shard_turn(sh);
	}
	count_heard(&s, &heard, &most);
	CHECK_INT(most, WORDS);
	CHECK(sh->lanes != NULL);
	world_settle(s.w);
	count_heard(&s, &heard, &most);
	CHECK_INT(heard, MEMBERS * WORDS);
	scene_done(&s);
}

/* A connection to write to is what takes long. */
TEST(a_turn_writes_to_some_connections)
{
	enum { CLIENTS = 600, A_TURN = 128 + 16 };
	struct client *all = xcalloc(CLIENTS, sizeof(*all));
	char name[32], to[64];
	uint64_t before, began;
	struct shard *sh;
	struct scene s;

	scene_init(&s, 1, 0);
	sh = s.w->server->shards[0];
	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		client_come(&all[i], &s, name);
		snprintf(to, sizeof(to), "%s@" WORLD_HOST "/x", name);
		do_at_once(sh, "join", to, false);
	}
	world_settle(s.w);
	began = sh->stats.stanzas_out;
	do_at_once(sh, "say", NULL, false);
	do {
		before = sh->stats.stanzas_out;
		shard_turn(sh);
		CHECK(sh->stats.stanzas_out - before <= A_TURN);
	} while (sh->lanes != NULL);
	CHECK_INT(sh->stats.stanzas_out - began, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_go(&all[i]);
	free(all);
	scene_done(&s);
}

TEST_MAIN
