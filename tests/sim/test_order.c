/*
 * test_order.c - rosters, subscriptions and offline messages while the disk is
 * slow: the shards turn, the store does not, until the test lets it.
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "core/server.h"
#include "core/shard.h"
#include "net/conn.h"
#include "store/store.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"

#define TURNS 64

/* A client that writes down what it gets: "presence/subscribe message/chat". */
struct witness {
	struct client c;
	struct buf seen;
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct witness *w = c->user;
	struct str id = elem_attr(e, "id");

	if (id.p != NULL && !str_is(id, "roster"))
		buf_printf(&w->seen, "%.*s:%.*s ", STR_ARG(e->name),
			STR_ARG(str_starts(id, STR("push-")) ? STR("push") :
							       id));
	arena_free(a);
}

static void
turn_shards(struct world *w)
{
	for (unsigned i = 0; i < TURNS; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
}

static void
witness_turn(struct witness *x)
{
	for (int i = 0; i < 8; i++) {
		world_settle(x->c.world);
		client_read(&x->c);
	}
}

static void
witness_start(struct witness *x, struct world *w, const char *local)
{
	memset(x, 0, sizeof(*x));
	client_init(&x->c, w, local, "r");
	x->c.on_stanza = on_stanza;
	x->c.user = x;
	client_connect(&x->c);
	witness_turn(x);
}

static const char *
seen(struct witness *x)
{
	client_read(&x->c);
	return buf_c(&x->seen);
}

static void
witness_done(struct witness *x)
{
	client_leave(&x->c);
	witness_turn(x);
	client_done(&x->c);
	buf_done(&x->seen);
}

static struct world *
world_of_two(uint64_t seed)
{
	struct world *w = world_new(seed, 2, TEST_MODULE_DIR, "");

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	return w;
}

#define JULIET " to='juliet@" WORLD_HOST "' "
#define BODY "><body>x</body></message>"

TEST(nothing_overtakes_a_subscription_that_is_not_durable_yet)
{
	struct world *w = world_of_two(1);
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c,
		"<presence type='subscribe' id='a'" JULIET "/>"
		"<message id='b'" JULIET BODY "<presence id='c'" JULIET "/>");
	turn_shards(w);
	CHECK(strcmp(seen(&juliet), "") == 0);
	CHECK(strcmp(seen(&romeo), "") == 0);
	witness_turn(&juliet);
	CHECK(strcmp(seen(&juliet), "presence:a message:b presence:c ") == 0);
	CHECK(strcmp(seen(&romeo), "iq:push ") == 0);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

TEST(a_roster_set_is_answered_when_it_is_durable)
{
	struct world *w = world_of_two(2);
	struct witness romeo;

	witness_start(&romeo, w, "romeo");
	for (int i = 0; i < 3; i++)
		client_send(&romeo.c,
			"<iq type='set' id='s%d'><query xmlns='jabber:iq:roster'>"
			"<item jid='c%d@x.example'/></query></iq>", i, i);
	turn_shards(w);
	CHECK(strcmp(seen(&romeo), "") == 0);
	witness_turn(&romeo);
	CHECK(strcmp(seen(&romeo),
		"iq:push iq:push iq:push iq:s0 iq:s1 iq:s2 ") == 0);
	witness_done(&romeo);
	world_free(w);
}

TEST(what_comes_during_a_delivery_from_storage_comes_after_it)
{
	struct world *w = world_of_two(3);
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	client_send(&romeo.c,
		"<message id='1'" JULIET BODY "<message id='2'" JULIET BODY);
	witness_turn(&romeo);
	witness_start(&juliet, w, "juliet");
	CHECK(strcmp(seen(&juliet), "message:1 message:2 ") == 0);
	client_send(&juliet.c, "<presence><priority>-1</priority></presence>");
	witness_turn(&juliet);
	client_send(&romeo.c, "<message id='3'" JULIET BODY);
	witness_turn(&romeo);
	client_send(&juliet.c, "<presence/>");
	turn_shards(w);
	client_send(&romeo.c, "<message id='4'" JULIET BODY);
	turn_shards(w);
	CHECK(strcmp(seen(&juliet), "message:1 message:2 ") == 0);
	witness_turn(&juliet);
	CHECK(strcmp(seen(&juliet),
		"message:1 message:2 message:3 message:4 ") == 0);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* hostile 16, 46 */
TEST(floods_and_forgeries_do_not_reach_the_client)
{
	struct world *w = world_of_two(4);
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	for (int i = 0; i < 30; i++)
		client_send(&romeo.c, "<presence type='subscribe' id='s'" JULIET
			"/>");
	client_send(&romeo.c,
		"<iq type='set' id='f' to='juliet@" WORLD_HOST "/r'>"
		"<query xmlns='jabber:iq:roster'><item jid='evil@x.example' "
		"subscription='both'/></query></iq>");
	witness_turn(&romeo);
	CHECK(strcmp(seen(&juliet), "presence:s ") == 0);
	CHECK(strcmp(seen(&romeo), "iq:push iq:f ") == 0);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

TEST_MAIN
