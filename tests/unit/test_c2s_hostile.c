/*
 * test_c2s_hostile.c - streams at awkward moments: logins that are overtaken by
 * an administrator, hosts that go, clients that come and go without end.
 */
#include "config.h"

#include <malloc.h>

#include "net/conn.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "account/account.h"
#include "stream/client/c2s.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define ROMEO jid_trusted(STR("romeo@example.org"))

static void
on_account(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(bool *)arg = ok;
}

/* To what the text "other" says; any text will do for credentials that nobody
 * logs in with. */
static void
change_password(struct world *w)
{
	bool ok = false;

	account_set_credentials(w->server->shards[0], ROMEO, STR("other"),
		STR_NONE, on_account, &ok);
	world_settle(w);
	CHECK(ok);
}

static void
make_anew(struct world *w)
{
	bool ok = false;

	account_remove(w->server->shards[0], ROMEO, on_account, &ok);
	world_settle(w);
	CHECK(ok);
	account_create(w->server->shards[0], ROMEO, STR("other"), on_account,
		&ok);
	world_settle(w);
	CHECK(ok);
}

/* hostile 33 */
TEST(a_login_is_worth_nothing_once_the_credentials_have_changed)
{
	static void (*const changes[])(struct world *w) = { change_password,
		make_anew };

	for (size_t i = 0; i < COUNT(changes); i++) {
		for (unsigned shards = 1; shards <= 3; shards += 2) {
			struct world w;
			struct peer p;

			world_init(&w, shards, "", "");
			peer_open(&p, &w, 0, true);
			peer_say(&p, HEADER AUTH_ROMEO);
			peer_say(&p, HEADER);
			CHECK_GOT(&p, "<bind ");
			changes[i](&w);
			peer_say(&p, BIND("a"));
			CHECK_GOT(&p, "<not-authorized ");
			CHECK(p.closed);
			peer_done(&p);
			world_done(&w);
		}
	}
}

TEST(a_login_after_the_password_was_changed_is_as_good_as_any)
{
	struct world w;
	struct peer p;
	bool ok = false;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	account_remove(w.server->shards[0], ROMEO, on_account, &ok);
	world_settle(&w);
	CHECK(ok && p.closed);
	peer_done(&p);
	world_add_account(&w, "romeo");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	CHECK(!p.closed);
	peer_done(&p);
	world_done(&w);
}

/* --- what waits for a host that goes ------------------------------------------------ */

TEST(a_request_that_waits_when_its_host_goes_is_answered)
{
	struct str ask = STR("<iq type='get' id='q' to='x@example.net'>"
			     "<a xmlns='b'/></iq>");
	struct world w;
	struct peer p;
	struct shard *sh;

	world_init(&w, 1, "", "");
	sh = w.server->shards[0];
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_JULIET, BIND("a"));
	p.got.n = 0;
	conn_mem_feed(p.conn, ask.p, ask.n);
	/* the account is being read, and the store does not answer yet */
	for (int i = 0; i < 3; i++)
		shard_turn(sh);
	CHECK(entity_find(sh, STR("x@example.net"))->state == ENTITY_LOADING);
	world_reload(&w, "shards: 1\nhosts: { example.org: {} }");
	CHECK_GOT(&p, "type=\"error\" id=\"q\"", "<service-unavailable ");
	CHECK(!p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST(idle_accounts_are_loaded_anew_after_a_reload)
{
	struct world w;
	struct peer p;
	struct shard *sh;

	world_init(&w, 1, "", "");
	sh = w.server->shards[0];
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_JULIET, BIND("a"));
	CHECK(entity_find(sh, STR("romeo@example.org")) != NULL);
	world_reload(&w, "shards: 1\nhosts: { example.org: {} }");
	CHECK(entity_find(sh, STR("romeo@example.org")) == NULL);
	CHECK(entity_find(sh, STR("juliet@example.org")) != NULL);
	CHECK(!p.closed);
	peer_done(&p);
	world_done(&w);
}

/* --- entities that cannot be loaded ------------------------------------------------ */

static void
entity_load_later(struct entity *e)
{
	(void)e;
}

static bool
entity_never_idle(const struct entity *e)
{
	(void)e;
	return false;
}

static void
entity_unload(struct entity *e)
{
	(void)e;
}

static const struct entity_class slow_class = {
	.name = "slow",
	.size = sizeof(struct entity),
	.load = entity_load_later,
	.is_idle = entity_never_idle,
	.is_absent = entity_never_idle,
	.is_held = entity_never_idle,
	.unload = entity_unload,
};

static struct entity *
slow_get(struct shard *sh)
{
	return entity_get(sh, &slow_class, ROMEO,
		server_hash(sh->server, jid_str(ROMEO)));
}

struct asking {
	struct shard *shard;
	struct entity *again;
	unsigned n_told;
};

static void
on_told_again(struct entity *e, void *arg)
{
	struct asking *asking = arg;

	CHECK(e == asking->again);
	asking->n_told++;
}

static void
on_told(struct entity *e, void *arg)
{
	struct asking *asking = arg;

	CHECK(e == NULL);
	asking->n_told++;
	asking->again = slow_get(asking->shard);
	entity_when_loaded(asking->again, on_told_again, asking);
}

TEST(who_asks_again_when_loading_has_failed_is_told_again)
{
	struct asking asking = { .n_told = 0 };
	struct err err = ERR_INIT;
	struct entity *e;
	struct world w;

	world_init(&w, 1, "", "");
	asking.shard = w.server->shards[0];
	world_advance(&w, 3600 * US_PER_S); /* it leaves memory */
	e = slow_get(asking.shard);
	entity_when_loaded(e, on_told, &asking);
	err_set(&err, ERR_STORAGE, "as a test wants it");
	entity_failed(e, &err);
	CHECK_INT(asking.n_told, 1);
	CHECK(entity_find(asking.shard, STR("romeo@example.org")) ==
		asking.again);
	entity_loaded(asking.again);
	CHECK_INT(asking.n_told, 2);
	world_done(&w);
}

/* --- what is kept with entities of any class ---------------------------------------- */

static void
on_state_done(const struct slot_kind *kind, void *object, void *state)
{
	struct module_entry *entry = (struct module_entry *)
		CONTAINER_OF(kind, struct module_entry, entity_slot);

	CHECK(object != NULL);
	CHECK_INT(*(int *)state, 7);
	atomic_fetch_add(&entry->refs, 1);
}

static void
keep(struct entity *e, const struct module_entry *entry)
{
	int *state = slot_get(&e->slots, &entry->entity_slot);

	CHECK_INT(*state, 0);
	*state = 7;
}

TEST(what_a_module_keeps_with_an_entity_ends_once)
{
	struct module_entry entry = {
		.entity_slot = { .size = sizeof(int), .done = on_state_done },
	};
	struct err err = ERR_INIT;
	struct entity *e;
	struct world w;

	world_init(&w, 1, "", "");
	world_advance(&w, 3600 * US_PER_S);
	e = slow_get(w.server->shards[0]);
	keep(e, &entry);
	entity_loaded(e);
	CHECK(!entity_close(e, STREAM_HOST_GONE, NULL)); /* it has nothing */
	entity_reload(e);
	entity_forget_module(e, &entry); /* it leaves the host */
	CHECK_INT(entry.refs, 1);
	keep(e, &entry);
	entity_drop(e);
	CHECK_INT(entry.refs, 2);
	e = slow_get(w.server->shards[0]);
	keep(e, &entry);
	err_set(&err, ERR_STORAGE, "as a test wants it");
	entity_failed(e, &err);
	CHECK_INT(entry.refs, 3);
	world_done(&w);
	CHECK_INT(entry.refs, 3);
}

/* --- what a client can make grow ---------------------------------------------------- */

#define GROWTH_MAX (64 * 1024)

/* A sanitizer looks for leaks itself; this is 0 then, and it is slow. */
static size_t
bytes_in_use(void)
{
	return mallinfo2().uordblks;
}

/* Those that make keys be derived come less often. */
static const struct {
	const char *text;
	int rounds;
} strangers[] = {
	{ "", 20000 },
	{ "<", 20000 },
	{ HEADER, 20000 },
	{ HEADER "<a", 20000 },
	{ HEADER "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", 20000 },
	{ HEADER "<iq type='get' id='a'><b xmlns='c'/></iq>", 20000 },
	{ HEADER AUTH("SCRAM-SHA-256", "biwsbj1yb21lbyxyPWFiYw=="), 5000 },
	{ HEADER AUTH_WRONG, 1000 },
	{ HEADER AUTH_ROMEO, 1000 },
	{ HEADER AUTH_ROMEO HEADER, 1000 },
	{ HEADER AUTH_ROMEO HEADER BIND("a"), 1000 },
	{ HEADER "</stream:stream>", 20000 },
	{ "<!DOCTYPE a>", 20000 },
};

static void
on_guest_write(void *arg, const char *p, size_t n)
{
	/* arg is gone when the guest has left */
	(void)arg;
	(void)p;
	(void)n;
}

static void
on_guest_closed(void *arg)
{
	*(struct conn **)arg = NULL;
}

/* Goes without waiting for what comes of it, unless patient. */
static void
come_and_go(struct world *w, const char *text, bool patient)
{
	struct shard *sh = w->server->shards[0];
	struct conn *conn;
	struct conn_mem_sink sink = { on_guest_write, on_guest_closed, &conn };

	conn = conn_new_mem(sh->net, &sink);
	c2s_accept_mem(sh, conn, true);
	shard_turn(sh);
	if (*text != '\0')
		conn_mem_feed(conn, text, strlen(text));
	shard_turn(sh);
	if (patient)
		world_settle(w);
	if (conn != NULL)
		conn_mem_hangup(conn);
	world_settle(w);
}

static void
come_many(struct world *w, const char *text, int n)
{
	while (n-- > 0)
		come_and_go(w, text, n % 2);
	/* failures are forgotten, and accounts leave memory */
	world_advance(w, 61 * US_PER_S);
}

/* hostile 4 */
TEST(connections_that_come_and_go_leave_nothing)
{
	const char *text;
	struct world w;
	size_t before;

	log_set_level(LOG_AUTH, LEVEL_ERROR);
	log_set_level(LOG_SESSION, LEVEL_ERROR);
	log_set_level(LOG_STREAM, LEVEL_ERROR);
	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(strangers); i++) {
		/* the header is the same for most */
		text = strangers[i].text;
		TEST_CASE(text + MIN(strlen(text), strlen(HEADER)));
		come_many(&w, text, strangers[i].rounds / 20);
		before = bytes_in_use();
		if (before != 0)
			come_many(&w, text, strangers[i].rounds);
		CHECK_INT(MAX(bytes_in_use(), before + GROWTH_MAX),
			before + GROWTH_MAX);
		CHECK_INT(w.server->shards[0]->stats.streams, 0);
		CHECK_INT(w.server->shards[0]->stats.sessions, 0);
	}
	world_done(&w);
}

/* hostile 15 */
TEST(names_that_nobody_knows_are_not_kept)
{
	struct world w;
	struct peer p;
	char text[200];
	size_t before = 0;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	for (int i = 0; i < 20000; i++) {
		if (i == 1000)
			before = bytes_in_use();
		snprintf(text, sizeof(text),
			"<message type='headline' to='romeo@example.org/b'>"
			"<n%d xmlns='urn:n%d' a%d='' xmlns:p='urn:p%d'/>"
			"</message>", i, i, i, i);
		peer_say(&p, text);
		/* at the rate that is permitted */
		clock_manual_advance(&w.clock, US_PER_S);
	}
	CHECK(!p.closed);
	world_settle(&w);
	CHECK(bytes_in_use() <= before + GROWTH_MAX);
	peer_done(&p);
	world_done(&w);
}

TEST_MAIN
