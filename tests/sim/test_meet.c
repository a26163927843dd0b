/*
 * test_meet.c - what was made apart, when it meets: slow readers, accounts that
 * are removed or cannot be read, modules that are switched, all at once.
 */
#include "config.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "module/module_int.h"
#include "server/server_reload.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define RATES                                                                  \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"
#define FAST                                                                   \
	RATES                                                                  \
	"modules: { offline: { max_messages: 10000, stranger_share: 100, "     \
	"sender_share: 100 } }\n"
#define KIB "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* n messages that wait for juliet, who is there but does not want any yet. */
static void
send_away(struct witness *romeo, unsigned n)
{
	struct buf text = BUF_INIT;

	for (int i = 0; i < 16; i++)
		buf_add_c(&text, KIB);
	for (unsigned i = 0; i < n; i++) {
		client_send(&romeo->c, "<message id='%u' type='chat' to='juliet@"
			WORLD_HOST "'><body>%s</body></message>", i, buf_c(&text));
		witness_turn(romeo);
	}
	buf_done(&text);
}

struct module_switch {
	const char *name;
	bool on;
};

static void
on_switch(struct shard *sh, void *arg)
{
	const struct module_switch *sw = arg;
	struct server *srv = sh->server;

	server_switch_module(srv, str_c(sw->name), sw->on, NULL, NULL);
}

static void
module_switch(struct world *w, const char *name, bool on)
{
	struct module_switch sw = { name, on };

	shard_post(w->server->shards[0], on_switch, &sw, 0);
	world_settle(w);
}

#define LIVE "<message id='live' type='chat' to='juliet@" WORLD_HOST           \
	"'><body>x</body></message>"

/* Her connection takes nothing, and what was sent to her begins to come. */
static void
begin_delivery(struct witness *romeo, struct witness *juliet)
{
	send_away(romeo, 300);
	conn_mem_take(juliet->c.conn, 0);
	client_send(&juliet->c, "<presence/>");
	witness_turn(juliet);
}

TEST(a_delivery_that_waits_does_not_outlive_its_module)
{
	struct world *w = world_of_two(1, TEST_MODULE_DIR, FAST);
	struct witness romeo, juliet;

	witness_start_at(&romeo, w, "romeo", 0);
	witness_start_at(&juliet, w, "juliet", -1);
	begin_delivery(&romeo, &juliet);
	module_switch(w, "offline", false);
	conn_mem_take(juliet.c.conn, SIZE_MAX);
	witness_turn(&juliet);
	client_send(&romeo.c, LIVE);
	witness_turn(&romeo);
	CHECK(strstr(seen(&juliet), "message:0 ") != NULL);
	CHECK(strstr(seen(&juliet), "message:live ") != NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

/* Nobody says that she is not available any more. */
TEST(a_delivery_that_waits_ends_with_its_session)
{
	struct world *w = world_of_two(5, TEST_MODULE_DIR, FAST);
	struct witness romeo, juliet;

	witness_start_at(&romeo, w, "romeo", 0);
	witness_start_at(&juliet, w, "juliet", -1);
	begin_delivery(&romeo, &juliet);
	module_switch(w, "presence", false);
	client_break(&juliet.c);
	witness_turn(&romeo);
	client_done(&juliet.c);
	buf_done(&juliet.seen);
	module_switch(w, "presence", true);
	witness_start_at(&juliet, w, "juliet", 0);
	client_send(&romeo.c, LIVE);
	witness_turn(&romeo);
	CHECK(strstr(seen(&juliet), "message:299 ") != NULL);
	CHECK(strstr(seen(&juliet), "message:live ") != NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

static struct jid
jid_of(struct arena *a, const char *local)
{
	return jid_make(a, str_c(local), STR(WORLD_HOST), STR_NONE);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(int *)arg = ok ? 1 : -1;
}

static void
on_listed(void *arg, const struct store_answer *answer, const struct err *err)
{
	(void)err;
	*(size_t *)arg = answer->n;
}

/* A read was under way when it began. */
TEST(nothing_is_stored_for_an_account_behind_its_removal)
{
	struct world *w = world_of_two(2, TEST_MODULE_DIR, FAST);
	struct arena *a = arena_new();
	struct witness romeo, juliet;
	size_t left = 99;
	int removed = 0;

	witness_start_at(&romeo, w, "romeo", 0);
	witness_start_at(&juliet, w, "juliet", -1);
	send_away(&romeo, 300);
	client_send(&juliet.c, "<presence/>");
	turn_shards(w); /* it is being read, but not answered yet */
	account_remove(w->server->shards[0], jid_of(a, "juliet"), on_done,
		&removed);
	turn_shards(w);
	witness_turn(&juliet);
	CHECK_INT(removed, 1);
	store_list(w->server->store,
		(struct store_place){ STR(WORLD_HOST), STR("juliet"),
			STR("offline_shares") },
		&w->server->shards[0]->mailbox, on_listed, &left);
	world_settle(w);
	CHECK_INT(left, 0);
	witness_done(&romeo);
	witness_done(&juliet);
	arena_free(a);
	world_free(w);
}

/* What waits behind a change that was not stored. */
TEST(what_an_account_has_sent_is_not_lost_when_it_cannot_be_read)
{
	struct world *w = world_of_two(3, TEST_MODULE_DIR,
		RATES "modules: { archive: off }\n");
	struct faults faults = { 1, 1 };
	struct witness romeo, juliet;

	witness_start_at(&romeo, w, "romeo", 0);
	witness_start_at(&juliet, w, "juliet", 0);
	client_send(&romeo.c, "<presence to='juliet@" WORLD_HOST "/r' id='p'/>");
	witness_turn(&romeo);
	CHECK(strstr(seen(&juliet), "presence:p ") != NULL);
	store_fail_when(w->server->store, witness_disk, &faults);
	client_send(&romeo.c,
		"<presence type='subscribe' to='juliet@" WORLD_HOST "'/>" LIVE);
	turn_shards(w);
	client_send(&juliet.c, "<message id='back' to='romeo@" WORLD_HOST
		"'><body>x</body></message>");
	witness_turn(&juliet);
	CHECK(romeo.c.closed);
	CHECK(strstr(seen(&juliet), "message:live ") != NULL);
	CHECK(strstr(seen(&juliet), "presence:unavailable ") != NULL);
	witness_done(&romeo);
	witness_start_at(&romeo, w, "romeo", 0);
	CHECK(strstr(seen(&romeo), "message:back ") != NULL);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

static void
read_anew(struct shard *sh, void *arg)
{
	(void)arg;
	account_reload(account_of(entity_find(sh, STR("juliet@" WORLD_HOST))));
}

/* Behind a change, and while the account is read anew. */
TEST(an_answer_that_has_to_wait_is_not_too_large_for_that)
{
	for (int held = 0; held < 2; held++) {
		struct world *w = world_new(4, 1, TEST_MODULE_DIR,
			"limits: { stanza_bytes: 64KiB, inbox_bytes: 64KiB }\n");
		struct witness romeo, juliet;
		struct buf text = BUF_INIT;

		TEST_CASE(held ? "held" : "in line");
		world_add_account(w, "romeo");
		world_add_account(w, "juliet");
		witness_start_at(&romeo, w, "romeo", 0);
		witness_start_at(&juliet, w, "juliet", 0);
		for (int i = 0; i < 3000; i++)
			buf_add_c(&text, "<A/>");
		client_send(&romeo.c, "<iq type='set' id='s'><vCard "
			"xmlns='vcard-temp'>%s</vCard></iq>",
			buf_c(&text));
		witness_turn(&romeo);
		client_send(&juliet.c, "<iq type='get' id='g' to='romeo@"
			WORLD_HOST "'><vCard xmlns='vcard-temp'/></iq>");
		turn_shards(w);
		store_turn(w->server->store);
		if (held)
			shard_post(w->server->shards[0], read_anew, NULL, 0);
		else
			client_send(&juliet.c, "<iq type='set' id='r'><query "
				"xmlns='jabber:iq:roster'>"
				"<item jid='a@x.example'/></query></iq>");
		turn_shards(w);
		CHECK(strstr(seen(&juliet), "iq:g ") == NULL);
		witness_turn(&juliet);
		CHECK(strstr(seen(&juliet), "iq:g ") != NULL);
		buf_done(&text);
		witness_done(&romeo);
		witness_done(&juliet);
		world_free(w);
	}
}

/* Each is shown to each: few that are large are less work than many. */
#define SHOWN 24

/* What is kept of it for as long as the session is there is not what the one who
 * is sent more than he reads has to answer for. */
TEST(memory_that_presence_takes_is_that_of_who_has_sent_it)
{
	struct world *w = world_new(6, 2, TEST_MODULE_DIR,
		"limits: { memory: 8MiB, stanza_bytes: 512KiB, "
		"sessions_per_account: 24, "
		"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n");
	struct witness romeo, juliet, shown[SHOWN];
	struct buf text = BUF_INIT;

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	world_add_account(w, "tybalt");
	witness_start_at(&romeo, w, "romeo", 0);
	witness_start_at(&juliet, w, "juliet", 0);
	conn_mem_take(juliet.c.conn, 0);
	send_away(&romeo, 100);
	for (int i = 0; i < 400000; i++)
		buf_add_c(&text, ">");
	for (int i = 0; i < SHOWN; i++) {
		memset(&shown[i], 0, sizeof(shown[i]));
		client_init(&shown[i].c, w, "tybalt", "r");
		snprintf(shown[i].c.resource, sizeof(shown[i].c.resource), "%d",
			i);
		client_connect(&shown[i].c);
		witness_turn(&shown[i]);
		client_send(&shown[i].c,
			"<presence><status>%s</status></presence>",
			buf_c(&text));
		for (int j = 0; j <= i; j++)
			witness_turn(&shown[j]);
	}
	for (int i = 0; i < 300; i++)
		world_sleep(w, 20 * US_PER_MS);
	CHECK(!juliet.c.closed);
	CHECK(shown[0].c.closed);
	for (int i = 0; i < SHOWN; i++) {
		client_break(&shown[i].c);
		client_done(&shown[i].c);
	}
	buf_done(&text);
	conn_mem_take(juliet.c.conn, SIZE_MAX);
	witness_done(&romeo);
	witness_done(&juliet);
	world_free(w);
}

TEST_MAIN
