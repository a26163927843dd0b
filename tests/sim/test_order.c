/*
 * test_order.c - rosters, subscriptions and offline messages while the disk is
 * slow, or fails: the shards turn, the store does not, until the test lets it.
 */
#include "config.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/roster.h"
#include "../peek.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define JULIET " to='juliet@" WORLD_HOST "' "
#define BODY "><body>x</body></message>"

TEST(nothing_overtakes_a_subscription_that_is_not_durable_yet)
{
	struct world *w = world_of_two(1, TEST_MODULE_DIR, "");
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
	struct world *w = world_of_two(2, TEST_MODULE_DIR, "");
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
	struct world *w = world_of_two(3, TEST_MODULE_DIR, "");
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
	struct world *w = world_of_two(4, TEST_MODULE_DIR, "");
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
	CHECK(strcmp(seen(&romeo), "iq:push iq:f! ") == 0);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* --- a disk that fails --------------------------------------------------------- */

#define SET(id, item)                                                          \
	"<iq type='set' id='" id "'><query xmlns='jabber:iq:roster'>"          \
	"<item jid='" item "'/></query></iq>"
#define GET(id)                                                                \
	"<iq type='get' id='" id "'><query xmlns='jabber:iq:roster'/></iq>"

/* The roster of romeo: "address:state ...", and its version. */
static const char *
roster_text(struct world *w, struct buf *out)
{
	struct str bare = STR("romeo@" WORLD_HOST);
	struct entity *e = entity_find(peek_owner(w->server, bare), bare);
	const struct roster *r = &account_of(e)->roster;

	buf_consume(out, out->n);
	for (uint32_t i = 0; i < r->n; i++) {
		struct roster_item *it = roster_at(r, i);

		buf_printf(out, "%.*s:%u ",
			STR_ARG(jid_str(roster_item_jid(it))), it->state);
	}
	buf_printf(out, "%llu", (unsigned long long)r->version);
	return buf_c(out);
}

/* What was said of the second and third change rests on the first. */
TEST(changes_behind_one_that_is_not_stored_fail_with_it)
{
	for (unsigned n = 1; n < 200; n += n < 4 ? 1 : 49) {
		struct world *w = world_of_two(5, TEST_MODULE_DIR, "");
		struct faults faults = { 0, 0 };
		struct buf before = BUF_INIT, after = BUF_INIT, want = BUF_INIT;
		struct witness romeo;

		store_fail_when(w->server->store, witness_disk, &faults);
		witness_start(&romeo, w, "romeo");
		client_send(&romeo.c, SET("s", "a@x.example"));
		seen_anew(&romeo);
		roster_text(w, &before);
		faults.writes = 1;
		for (unsigned i = 0; i < n; i++) {
			client_send(&romeo.c,
				"<iq type='set' id='%u'><query "
				"xmlns='jabber:iq:roster'><item "
				"jid='c%u@x.example'/></query></iq>",
				i, i % 7);
			buf_printf(&want, "iq:%u! ", i);
			/* in two turns, or in one */
			if (i == n / 2 || i == n - 1)
				turn_shards(w);
		}
		witness_turn(&romeo);
		CHECK_CSTR(seen(&romeo), buf_c(&want));
		CHECK_CSTR(roster_text(w, &after), buf_c(&before));
		/* and it works again */
		buf_consume(&romeo.seen, romeo.seen.n);
		client_send(&romeo.c, SET("t", "b@x.example"));
		witness_turn(&romeo);
		CHECK_CSTR(seen(&romeo), "iq:push iq:t ");
		CHECK(strstr(roster_text(w, &after), "b@x.example") != NULL);
		witness_done(&romeo);
		world_free(w);
		buf_done(&before);
		buf_done(&after);
		buf_done(&want);
	}
}

TEST(an_approval_that_is_not_stored_is_refused_and_can_be_made_again)
{
	struct world *w = world_of_two(6, TEST_MODULE_DIR, "");
	struct faults faults = { 0, 0 };
	struct witness romeo, juliet;

	store_fail_when(w->server->store, witness_disk, &faults);
	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c, "<presence type='subscribe' id='a'" JULIET "/>");
	witness_turn(&romeo);
	seen_anew(&romeo);
	seen_anew(&juliet);
	for (int i = 0; i < 2; i++) {
		faults.writes = i == 0;
		client_send(&juliet.c,
			"<presence type='subscribed' id='b' to='romeo@"
			WORLD_HOST "'/>");
		witness_turn(&juliet);
		CHECK_CSTR(seen(&juliet), i == 0 ? "presence:b! " :
						   "presence:b! iq:push ");
		CHECK_CSTR(seen(&romeo), i == 0 ? "" : "presence:b iq:push ");
	}
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* Who has asked is told, though his server has done its part. */
TEST(a_request_that_cannot_be_stored_is_refused)
{
	struct world *w = world_of_two(7, TEST_MODULE_DIR, "");
	struct faults faults = { 0, 0 };
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	client_send(&romeo.c, "<presence type='subscribe' id='a'" JULIET "/>");
	turn_shards(w);
	store_turn(w->server->store);
	store_fail_when(w->server->store, witness_disk, &faults);
	faults.writes = 1;
	witness_turn(&romeo);
	CHECK_CSTR(seen(&juliet), "");
	CHECK_CSTR(seen(&romeo), "iq:push presence:a! ");
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* --- what waits while an account is read anew, or removed ---------------------------- */

static struct jid
jid_of(struct arena *a, const char *local)
{
	return jid_make(a, str_c(local), STR(WORLD_HOST), STR_NONE);
}

static void
on_removed(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(int *)arg = ok ? 1 : -1;
}

/* Both directions, and a third account that says something meanwhile. */
static void
befriend(struct witness *romeo, struct witness *juliet)
{
	static const char *const types[] = { "subscribe", "subscribed" };

	for (size_t i = 0; i < COUNT(types); i++) {
		client_send(&romeo->c, "<presence type='%s'" JULIET "/>",
			types[i]);
		witness_turn(romeo);
		client_send(&juliet->c,
			"<presence type='%s' to='romeo@" WORLD_HOST "'/>",
			types[i]);
		witness_turn(juliet);
	}
	client_send(&romeo->c, "<presence type='subscribed'" JULIET "/>");
	seen_anew(romeo);
	seen_anew(juliet);
}

TEST(contacts_hear_of_a_removal_when_it_is_durable)
{
	for (int fails = 1; fails >= 0; fails--) {
		struct world *w = world_of_two(8, TEST_MODULE_DIR, "");
		struct faults faults = { (unsigned)fails, 0 };
		struct witness romeo, juliet;
		struct arena *a = arena_new();
		int removed = 0;

		TEST_CASE(fails ? "fails" : "works");
		witness_start(&romeo, w, "romeo");
		witness_start(&juliet, w, "juliet");
		befriend(&romeo, &juliet);
		/* this comes while it is being removed */
		client_send(&juliet.c, "<presence id='p' type='unsubscribed' "
			"to='romeo@" WORLD_HOST "'/>");
		turn_shards(w);
		store_turn(w->server->store);
		account_remove(w->server->shards[0], jid_of(a, "romeo"),
			on_removed, &removed);
		turn_shards(w);
		store_turn(w->server->store); /* where else there is something of him */
		turn_shards(w);
		store_fail_when(w->server->store, witness_disk, &faults);
		client_send(&juliet.c,
			"<message id='m' to='romeo@" WORLD_HOST "'" BODY);
		client_send(&romeo.c, SET("s", "c@x.example"));
		turn_shards(w);
		CHECK_INT(removed, 0);
		CHECK_CSTR(seen(&romeo), "");
		CHECK_CSTR(seen(&juliet), "iq:push ");
		witness_turn(&juliet);
		CHECK_INT(removed, fails ? -1 : 1);
		client_read(&romeo.c);
		CHECK(romeo.c.closed == !fails);
		/* her own change, and then what the removal makes of it */
		CHECK_CSTR(seen(&juliet), fails ? "iq:push " :
						  "iq:push iq:push ");
		if (fails)
			CHECK_CSTR(seen(&romeo),
				"presence:p iq:push message:m iq:push iq:s ");
		witness_done(&romeo);
		witness_done(&juliet);
		arena_free(a);
		world_free(w);
	}
}

TEST(sessions_end_when_their_account_cannot_be_read_anew)
{
	struct world *w = world_of_two(9, TEST_MODULE_DIR,
		"modules: { archive: off }\n");
	struct faults faults = { 1, 1 };
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	store_fail_when(w->server->store, witness_disk, &faults);
	client_send(&romeo.c, SET("s", "c@x.example"));
	turn_shards(w);
	client_send(&juliet.c, "<message id='m' to='romeo@" WORLD_HOST "'" BODY);
	witness_turn(&juliet);
	CHECK(romeo.c.closed);
	witness_done(&romeo);
	witness_start(&romeo, w, "romeo");
	CHECK(romeo.c.state == CLIENT_ONLINE);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* It is counted before it is stored: the count would be ahead. */
TEST(messages_that_cannot_be_kept_do_not_hide_those_that_are)
{
	/* a stranger has a small part of the space */
	struct world *w = world_new(10, 2, TEST_MODULE_DIR,
		"modules: { archive: off, "
		"offline: { max_messages: 10000 } }\n");
	struct faults faults = { 0, 0 };
	struct witness romeo, juliet;

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	witness_start(&romeo, w, "romeo");
	store_fail_when(w->server->store, witness_disk, &faults);
	for (unsigned i = 0; i < 300; i++) {
		faults.writes = i % 2;
		client_send(&romeo.c, "<message id='%u'" JULIET BODY, i);
		witness_turn(&romeo);
	}
	witness_start(&juliet, w, "juliet");
	CHECK(strstr(seen(&juliet), "message:0 message:2 ") != NULL);
	CHECK(strstr(seen(&juliet), "message:298 ") != NULL);
	CHECK(strstr(seen(&juliet), "message:1 ") == NULL);
	CHECK(strstr(seen(&romeo), "message:299! ") != NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* --- what a roster shows ----------------------------------------------------- */

struct nth {
	unsigned commits;
};

/* The second commit fails. */
static bool
second_fails(void *arg, bool writes)
{
	struct nth *n = arg;

	return writes && ++n->commits == 2;
}

/* What is asked for behind it is in another commit. */
static void
commit_ends(struct world *w)
{
	struct store_tx *tx = store_tx_new();
	struct buf value = BUF_INIT;

	memset(buf_reserve(&value, STORE_VALUE_MAX), 'x', STORE_VALUE_MAX);
	value.n = STORE_VALUE_MAX;
	store_tx_set(tx, (struct store_place){ STR("x"), STR("x"), STR("x") },
		STR("k"), buf_str(&value));
	store_commit(w->server->store, tx, NULL, NULL, NULL);
	buf_done(&value);
}

struct shown {
	unsigned answers;
	bool first, second; /* which contacts it has */
};

static void
on_roster(struct client *c, struct arena *a, struct elem *e)
{
	struct shown *shown = c->user;
	const struct elem *query = elem_child(e, NS_ROSTER, "query");

	if (str_eq(elem_attr(e, "id"), STR("get"))) {
		shown->answers++;
		elem_each_child(query, item) {
			struct str jid = elem_attr(item, "jid");

			shown->first |= str_eq(jid, STR("1@x.example"));
			shown->second |= str_eq(jid, STR("2@x.example"));
		}
	}
	arena_free(a);
}

static void
set_contact(struct witness *x, int i)
{
	client_send(&x->c,
		"<iq type='set' id='s%d'><query xmlns='jabber:iq:roster'>"
		"<item jid='%d@x.example'/></query></iq>", i, i);
	turn_shards(x->c.world);
}

/* One change is stored, the next one is in memory when the roster is looked at,
 * and fails before it is shown. */
TEST(a_roster_shows_nothing_that_could_not_be_stored)
{
	struct world *w = world_of_two(11, TEST_MODULE_DIR, "");
	struct nth nth = { 0 };
	struct shown shown = { 0 };
	struct witness juliet;
	struct client other;

	witness_start(&juliet, w, "juliet");
	client_init(&other, w, "juliet", "other");
	other.on_stanza = on_roster;
	other.user = &shown;
	client_connect(&other);
	for (int i = 0; i < 8; i++) {
		world_settle(w);
		client_read(&other);
	}
	CHECK(other.state == CLIENT_ONLINE);
	set_contact(&juliet, 1);
	client_send(&other,
		"<iq type='get' id='get'><query xmlns='jabber:iq:roster'/></iq>");
	turn_shards(w);
	commit_ends(w);
	set_contact(&juliet, 2);
	store_fail_when(w->server->store, second_fails, &nth);
	witness_turn(&juliet);
	client_read(&other);
	CHECK_INT(nth.commits, 2);
	CHECK_CSTR(seen(&juliet), "iq:push iq:s1 iq:s2! ");
	CHECK_INT(shown.answers, 1);
	CHECK(shown.first);
	CHECK(!shown.second);
	client_leave(&other);
	/* juliet rests a while, for what was stored is large */
	world_sleep(w, US_PER_S);
	client_done(&other);
	witness_done(&juliet);
	world_free(w);
}

/* --- a store that is too busy to read ------------------------------------------- */

static bool
reads_are_refused(void *arg, bool writes)
{
	return *(bool *)arg && !writes;
}

/* Nobody has to come again for what waits: it is asked for again, and what comes
 * meanwhile does not overtake it. */
TEST(what_waits_comes_when_the_store_is_not_busy_any_more)
{
	for (int n = 1; n <= 200; n += n < 4 ? 1 : 98) {
		struct world *w = world_of_two((uint64_t)n, TEST_MODULE_DIR,
			"limits: { stanzas_burst: 100000 }\n"
			"modules: { offline: { stranger_share: 100, "
			"sender_share: 100 } }\n");
		struct buf want = BUF_INIT;
		struct witness romeo, juliet;
		bool busy = true;

		witness_start(&romeo, w, "romeo");
		witness_start_at(&juliet, w, "juliet", -1);
		seen_anew(&juliet);
		for (int i = 0; i < n; i++) {
			client_send(&romeo.c, "<message id='%d'" JULIET BODY, i);
			buf_printf(&want, "message:%d ", i);
		}
		witness_turn(&romeo);
		store_busy_when(w->server->store, reads_are_refused, &busy);
		client_send(&juliet.c, "<presence id='p'/>");
		witness_turn(&juliet);
		client_send(&romeo.c, "<message id='last'" JULIET BODY);
		witness_turn(&romeo);
		buf_printf(&want, "message:last ");
		busy = false;
		for (int i = 0; i < 3; i++) {
			world_sleep(w, US_PER_S);
			witness_turn(&juliet);
		}
		CHECK(strstr(seen(&juliet), buf_c(&want)) != NULL);
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
		buf_done(&want);
	}
}

TEST_MAIN
