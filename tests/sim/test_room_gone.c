/*
 * test_room_gone.c - an account that is removed, of which entities of a module's class
 * have stored something: that goes with it, or not at all, be they in memory or not,
 * and those that are hear of it before its name can be given again.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/credentials.h"
#include "modules/testroom.h"
#include "peek.h"
#include "store/store.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"

#define ROOM_HOST "room." WORLD_HOST
#define ROMEO "romeo@" WORLD_HOST
#define CONF "modules: { testroom: { lasts: yes } }\n"

static struct shard *
owner(struct world *w, const char *bare)
{
	return peek_owner(w->server, str_c(bare));
}

static void
room_do(struct world *w, const char *room, const char *what, const char *to)
{
	struct arena *a = arena_new();
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_make(a, STR("driver"), STR(WORLD_HOST), STR_NONE),
		jid_trusted(str_c(room)), STR_NONE);
	struct elem *how = elem_add(st->arena, st->root, NS_ROOM, "do");

	elem_set_attr(st->arena, how, "what", str_c(what));
	elem_set_attr(st->arena, how, "to", str_c(to));
	router_send(owner(w, "driver@" WORLD_HOST), st);
	arena_free(a);
}

static const struct room *
find_room(struct world *w, const char *room)
{
	return (const struct room *)(const void *)entity_find(owner(w, room),
		str_c(room));
}

/* --- asking ------------------------------------------------------------------------- */

static void
on_done(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(int *)arg = ok;
}

/* 1: it worked; 0: it did not. */
static int
remove_romeo(struct world *w)
{
	int ok = -1;

	account_remove(owner(w, ROMEO), jid_trusted(STR(ROMEO)), on_done, &ok);
	world_settle(w);
	return ok;
}

static void
on_listed(void *arg, const struct store_answer *answer, const struct err *err)
{
	CHECK(err == NULL);
	*(size_t *)arg = answer->n;
}

/* How many the room has stored something of. */
static size_t
known(struct world *w, const char *room)
{
	struct jid jid = jid_trusted(str_c(room));
	size_t n = SIZE_MAX;

	store_list(w->server->store,
		(struct store_place){ jid_domain(jid), jid_local(jid),
			STR("testroom_known") },
		&owner(w, room)->mailbox, on_listed, &n);
	world_settle(w);
	return n;
}

/* --- gone ---------------------------------------------------------------------------- */

#define NEAR "r1@" ROOM_HOST
#define FAR "r2@" ROOM_HOST

static struct world *
world_begin(uint64_t seed)
{
	struct world *w = world_new_lasting(seed, 3, TEST_MODULE_DIR, CONF);

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	return w;
}

TEST(what_rooms_have_of_an_account_goes_with_it)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct world *w = world_begin(seed);

		room_do(w, FAR, "know", ROMEO);
		room_do(w, FAR, "know", "juliet@" WORLD_HOST);
		world_settle(w);
		CHECK_INT(known(w, FAR), 2);
		/* where it is not in memory any more */
		room_do(w, FAR, "leave", ROMEO);
		room_do(w, FAR, "leave", "juliet@" WORLD_HOST);
		world_settle(w);
		world_restart(w, 1 + seed % 3);
		world_settle(w);
		room_do(w, NEAR, "know", ROMEO);
		room_do(w, NEAR, "know", "juliet@" WORLD_HOST);
		world_settle(w);
		CHECK_INT(find_room(w, NEAR)->members.n, 2);
		CHECK_INT(remove_romeo(w), 1);
		CHECK_INT(known(w, NEAR), 1);
		CHECK_INT(known(w, FAR), 1);
		CHECK_INT(find_room(w, NEAR)->members.n, 1);
		CHECK_INT(find_room(w, NEAR)->gone, 1);
		CHECK(find_room(w, FAR) == NULL);
		world_free(w);
	}
}

static bool
fails(void *arg, bool writes)
{
	return writes == *(bool *)arg;
}

/* Neither is anything gone, nor anybody told, when it cannot be read, or stored. */
TEST(of_one_that_cannot_be_removed_nothing_goes)
{
	for (unsigned writes = 0; writes < 2; writes++) {
		struct world *w = world_begin(1);
		bool what = writes != 0;

		room_do(w, NEAR, "know", ROMEO);
		world_settle(w);
		store_fail_when(w->server->store, fails, &what);
		CHECK_INT(remove_romeo(w), 0);
		store_fail_when(w->server->store, NULL, NULL);
		CHECK_INT(known(w, NEAR), 1);
		CHECK_INT(find_room(w, NEAR)->gone, 0);
		CHECK_INT(find_room(w, NEAR)->members.n, 1);
		CHECK_INT(remove_romeo(w), 1);
		CHECK_INT(known(w, NEAR), 0);
		CHECK_INT(find_room(w, NEAR)->gone, 1);
		world_free(w);
	}
}

TEST_MAIN
