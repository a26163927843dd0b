/*
 * test_room_stop.c - entities of a module's class over a stop of the server: what they
 * save is theirs again once, before anybody speaks to them, whoever wakes them; and
 * nobody is told anything.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "modules/testroom.h"
#include "peek.h"
#include "store/store.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

#define ROOM_HOST "room." WORLD_HOST
#define LASTS                                                                  \
	"modules: { testroom: { lasts: yes }, testresume: { sleep: 60s } }\n"
#define SEEDS 10

/* --- a room, and one who is in it --------------------------------------------- */

static struct jid
room_jid(struct arena *a, const char *room)
{
	return jid_make(a, str_c(room), STR(ROOM_HOST), STR_NONE);
}

static void
room_do(struct world *w, const char *room, const char *what, const char *to)
{
	struct arena *a = arena_new();
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_make(a, STR("driver"), STR(WORLD_HOST), STR_NONE),
		room_jid(a, room), STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", str_c(what));
	if (to != NULL)
		elem_set_attr(st->arena, how, "to",
			arena_str(st->arena, str_c(to)));
	router_send(peek_owner(w->server, STR("driver@" WORLD_HOST)), st);
	arena_free(a);
}

static struct room *
find_room(struct world *w, const char *room)
{
	char bare[64];

	snprintf(bare, sizeof(bare), "%s@" ROOM_HOST, room);
	return (struct room *)(void *)entity_find(
		peek_owner(w->server, str_c(bare)), str_c(bare));
}

/* What a client was told by rooms, and of whom it heard presence. */
struct person {
	struct client c;
	unsigned words, last, presences;
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct person *p = c->user;
	const struct elem *word = elem_child(e, NS_ROOM, "word");
	long long n;

	p->presences += elem_is(e, NS_CLIENT, "presence");
	if (word != NULL && str_to_int(elem_attr(word, "n"), 0, UINT32_MAX, &n)) {
		p->words++;
		p->last = (unsigned)n;
	}
	arena_free(a);
}

static void
person_settle(struct person *p)
{
	for (int i = 0; i < 8; i++) {
		world_settle(p->c.world);
		client_read(&p->c);
	}
}

static void
person_come_as(struct person *p, struct world *w, bool resumable)
{
	memset(p, 0, sizeof(*p));
	client_init(&p->c, w, "romeo", "a");
	p->c.on_stanza = on_stanza;
	p->c.user = p;
	p->c.resumable = resumable;
	client_connect(&p->c);
	person_settle(p);
	CHECK_INT(p->c.state, CLIENT_ONLINE);
}

static void
person_come(struct person *p, struct world *w)
{
	person_come_as(p, w, true);
}

static void
person_go(struct person *p)
{
	client_leave(&p->c);
	person_settle(p);
	client_done(&p->c);
}

#define ROMEO_A "romeo@" WORLD_HOST "/a"

static struct world *
world_with(struct person *p, uint64_t seed, const char *conf)
{
	struct world *w =
		world_new_lasting(seed, 1 + seed % 3, TEST_MODULE_DIR, conf);

	world_add_account(w, "romeo");
	person_come(p, w);
	room_do(w, "r1", "join", ROMEO_A);
	room_do(w, "r1", "join", "l1@" ROOM_HOST);
	person_settle(p);
	CHECK_INT(p->words, 1);
	return w;
}

static bool
sleeps_nobody(const struct world *w)
{
	for (unsigned i = 0; i < w->n_shards; i++) {
		if (w->server->shards[i]->sleepers != NULL)
			return false;
	}
	return w->server->stop_mark[0] == '\0';
}

/* --- over a stop ------------------------------------------------------------------ */

/* He sleeps, and is in the room; of all this he hears what is said, and no more. */
TEST(who_sleeps_over_a_stop_is_in_his_room_behind_it)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct person romeo;
		struct world *w = world_with(&romeo, seed, LASTS);
		unsigned presences = romeo.presences;

		client_break(&romeo.c);
		world_settle(w);
		world_restart(w, 1 + (seed + 1) % 3);
		if (seed % 2 == 0)
			world_settle(w);
		/* what it is told waits until it is itself again */
		room_do(w, "r1", "say", NULL);
		world_settle(w);
		CHECK_INT(find_room(w, "r1")->woken, 3);
		CHECK_INT(find_room(w, "r1")->members.n, 2);
		CHECK(sleeps_nobody(w));
		client_resume(&romeo.c);
		person_settle(&romeo);
		CHECK_INT(romeo.c.state, CLIENT_ONLINE);
		CHECK_INT(romeo.words, 2);
		CHECK_INT(romeo.last, 2);
		CHECK_INT(romeo.presences, presences);
		CHECK_INT(find_room(w, "r1")->errors, 0);
		person_go(&romeo);
		world_free(w);
	}
}

/* Who cannot sleep goes before the others, and hears what is said to that from a stream
 * that is there; who can is not said to go. */
TEST(who_cannot_sleep_is_spoken_to_before_his_stream_ends)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct person romeo;
		struct world *w = world_new_lasting(seed, 1 + seed % 3,
			TEST_MODULE_DIR, LASTS);
		bool sleeps = seed % 2 == 0;

		world_add_account(w, "romeo");
		person_come_as(&romeo, w, sleeps);
		client_send(&romeo.c, "<presence to='r1@" ROOM_HOST "/x'/>");
		person_settle(&romeo);
		CHECK_INT(romeo.words, 0);
		world_restart(w, 1);
		client_read(&romeo.c);
		CHECK(romeo.c.closed);
		CHECK_INT(romeo.words, sleeps ? 0 : 1);
		client_done(&romeo.c);
		world_free(w);
	}
}

/* One that nobody speaks to is awake all the same, and one that had nothing to save
 * is not loaded. */
TEST(all_that_was_saved_is_woken_and_nothing_else)
{
	struct person romeo;
	struct world *w = world_with(&romeo, 1, LASTS);

	room_do(w, "r2", "say", NULL);
	world_settle(w);
	client_break(&romeo.c);
	world_restart(w, 2);
	world_settle(w);
	CHECK(find_room(w, "r1") != NULL && find_room(w, "r1")->woken == 3);
	CHECK(find_room(w, "r2") == NULL);
	client_done(&romeo.c);
	world_free(w);
}

/* What was saved is good for one start. */
TEST(a_kill_leaves_nothing_of_it)
{
	struct person romeo;
	struct world *w = world_with(&romeo, 1, LASTS);

	client_break(&romeo.c);
	world_restart(w, 1);
	world_settle(w);
	CHECK_INT(find_room(w, "r1")->woken, 3);
	world_kill(w, 1);
	world_settle(w);
	CHECK(find_room(w, "r1") == NULL && sleeps_nobody(w));
	room_do(w, "r1", "say", NULL);
	world_settle(w);
	CHECK_INT(find_room(w, "r1")->woken, 0);
	CHECK_INT(find_room(w, "r1")->members.n, 0);
	client_done(&romeo.c);
	world_free(w);
}

/* A module that is not in force at a start does not find at another what is left of
 * an earlier stop. */
TEST(what_is_of_another_stop_is_no_ones)
{
	struct person romeo;
	struct world *w = world_with(&romeo, 1, LASTS);
	char *conf = w->more_conf;

	client_break(&romeo.c);
	client_done(&romeo.c);
	w->more_conf = strdup("modules: { testroom: no, testresume: {} }\n");
	world_restart(w, 1);
	world_settle(w);
	CHECK(sleeps_nobody(w));
	free(w->more_conf);
	w->more_conf = conf;
	/* there is a mark, since a session sleeps again */
	person_come(&romeo, w);
	client_break(&romeo.c);
	world_restart(w, 1);
	room_do(w, "r1", "say", NULL);
	world_settle(w);
	CHECK(find_room(w, "r1") != NULL && find_room(w, "r1")->woken == 0);
	CHECK(sleeps_nobody(w));
	client_done(&romeo.c);
	world_free(w);
}

/* Rather not there than twice: what it is told is refused, and tried again. */
TEST(while_nothing_can_be_stored_it_is_not_there)
{
	struct person romeo;
	struct world *w = world_with(&romeo, 1, LASTS);

	client_break(&romeo.c);
	world_restart(w, 1);
	store_set_full(w->server->store, true);
	world_settle(w);
	room_do(w, "r1", "say", NULL);
	world_settle(w);
	CHECK(find_room(w, "r1") == NULL);
	CHECK(!sleeps_nobody(w));
	store_set_full(w->server->store, false);
	world_sleep(w, 10 * US_PER_S);
	CHECK_INT(find_room(w, "r1")->woken, 3);
	client_done(&romeo.c);
	world_free(w);
}

/* Many rows are as many transactions, of whole rooms. */
TEST(a_crowd_is_there_again)
{
	enum { ROOMS = 5, CROWD = 3000 };
	struct world *w = world_new_lasting(1, 2, TEST_MODULE_DIR, LASTS);
	char room[8], who[64];

	for (unsigned i = 0; i < ROOMS * CROWD; i++) {
		snprintf(room, sizeof(room), "r%u", i % ROOMS);
		snprintf(who, sizeof(who), "m%u@elsewhere.example/x", i);
		room_do(w, room, "join", who);
		if (i % 100 == 0)
			world_settle(w);
	}
	world_settle(w);
	world_restart(w, 3);
	world_settle(w);
	for (unsigned i = 0; i < ROOMS; i++) {
		snprintf(room, sizeof(room), "r%u", i);
		CHECK_INT(find_room(w, room)->members.n, CROWD);
	}
	world_free(w);
}

TEST_MAIN
