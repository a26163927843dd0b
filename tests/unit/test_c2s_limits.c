/*
 * test_c2s_limits.c - streams against time and bounds: rates, queues, silence,
 * the end of all.
 */
#include "config.h"

#include "stream/streams.h"
#include "stream/client/c2s.h"

#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/listen.h"
#include "account/account.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

#define AUTH_JULIET AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l")
#define PING                                                                   \
	"<iq type='get' id='p' to='example.org'><x xmlns='urn:x'/></iq>"

/* The only stream of a shard. */
static struct c2s *
only_stream(struct world *w, unsigned shard)
{
	struct stream_shard *ss = stream_shard(w->server->shards[shard]);
	struct stream *x = TAILQ_FIRST(&ss->streams);

	CHECK(x != NULL && TAILQ_NEXT(x, link) == NULL);
	return c2s_of(x);
}

static size_t
count(struct peer *p, const char *text)
{
	const char *at = buf_c(&p->got);
	size_t n = 0;

	for (; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* --- silence -------------------------------------------------------------- */

TEST(who_does_not_log_in_in_time_is_sent_away)
{
	static const char *const stages[] = { "", HEADER, HEADER AUTH_ROMEO,
		HEADER AUTH_ROMEO HEADER };
	struct world w;
	struct peer p;

	world_init(&w, 2, "limits: { login_timeout: 10s }", "");
	for (size_t i = 0; i < COUNT(stages); i++) {
		peer_open(&p, &w, 0, true);
		peer_say(&p, stages[i]);
		world_advance(&w, 9 * US_PER_S);
		CHECK(!p.closed);
		world_advance(&w, 2 * US_PER_S);
		CHECK_GOT(&p, "<stream:stream",
			"<stream:error><connection-timeout");
		CHECK(p.closed);
		peer_done(&p);
	}
	world_done(&w);
}

TEST(a_bound_stream_outlives_the_login_timeout)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "limits: { login_timeout: 10s }", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	world_advance(&w, 20 * US_PER_S);
	CHECK(!p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST(a_stream_gives_its_parser_back_between_two_stanzas)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	CHECK(only_stream(&w, 0)->x.parser == NULL);
	CHECK(only_stream(&w, 0)->login == NULL);
	peer_say(&p, PING);
	CHECK_GOT(&p, "id=\"p\"");
	/* not in the middle of a stanza */
	peer_say(&p, "<iq type='get' id='q' ");
	world_advance(&w, 20 * US_PER_S);
	CHECK(only_stream(&w, 0)->x.parser != NULL);
	peer_say(&p, "to='example.org'><x xmlns='urn:x'/></iq>");
	CHECK_GOT(&p, "id=\"q\"");
	CHECK(only_stream(&w, 0)->x.parser == NULL);
	peer_say(&p, "</stream:stream>");
	CHECK_GOT(&p, "</stream:stream>");
	CHECK(p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST(a_silent_client_is_asked_for_a_sign_of_life)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	p.got.n = 0;
	world_advance(&w, 299 * US_PER_S);
	CHECK_INT(p.got.n, 0);
	world_advance(&w, 2 * US_PER_S);
	CHECK(peer_has(&p, "from=\"example.org\""));
	CHECK(peer_has(&p, "to=\"romeo@example.org/a\""));
	CHECK_GOT(&p, "<ping xmlns=\"urn:xmpp:ping\"/></iq>");
	/* white space will do */
	peer_say(&p, " ");
	world_advance(&w, 70 * US_PER_S);
	CHECK(!p.closed);
	world_advance(&w, 230 * US_PER_S);
	CHECK_GOT(&p, "<ping xmlns=");
	world_advance(&w, 61 * US_PER_S);
	CHECK_GOT(&p, "<stream:error><connection-timeout ", "</stream:stream>");
	CHECK(p.closed);
	CHECK_INT(w.server->shards[0]->stats.sessions, 0);
	peer_done(&p);
	world_done(&w);
}

/* --- bounds on what comes ------------------------------------------------- */

static void
say_many(struct peer *p, const char *text, size_t n)
{
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_add_c(&all, text);
	peer_say_n(p, all.p, all.n);
	buf_done(&all);
}

TEST(too_many_stanzas_are_read_later_and_none_is_lost)
{
	struct world w;
	struct peer p;

	world_init(&w, 1,
		"limits: { stanzas_per_second: 10, stanzas_burst: 20 }", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	say_many(&p, PING, 50);
	CHECK_INT(count(&p, "id=\"p\""), 50); /* one read */
	peer_say(&p, PING);
	CHECK_INT(count(&p, "id=\"p\""), 0);
	world_advance(&w, 2 * US_PER_S);
	CHECK_INT(count(&p, "id=\"p\""), 0);
	world_advance(&w, 3 * US_PER_S);
	CHECK_INT(count(&p, "id=\"p\""), 1);
	CHECK(!p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST(too_many_bytes_are_read_later_and_none_is_lost)
{
	struct world w;
	struct peer p;

	world_init(&w, 1,
		"limits: { bytes_per_second: 1KiB, bytes_burst: 10000 }", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	say_many(&p, " ", 20000);
	peer_say(&p, PING);
	CHECK_INT(p.got.n, 0);
	world_advance(&w, 8 * US_PER_S);
	CHECK_INT(p.got.n, 0);
	world_advance(&w, 4 * US_PER_S);
	CHECK_INT(count(&p, "id=\"p\""), 1);
	peer_done(&p);
	world_done(&w);
}

/* In two pieces: what was read already is not taken back. */
static size_t
pings_answered(struct world *w, struct peer *p)
{
	peer_say(p, PING);
	world_advance(w, 600 * US_PER_S);
	CHECK(!p->closed);
	return count(p, "id=\"p\"");
}

TEST(a_stream_that_rests_for_two_reasons_goes_on_when_neither_is_left)
{
	struct world w;
	struct peer p;
	struct session *s;
	struct c2s *c;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	c = only_stream(&w, 0);
	s = c->session;
	session_rest(s, SESSION_REST_OWN);
	session_rest(s, SESSION_REST_OWN);
	stream_rest_until(&c->x, w.server->shards[0]->now_us + 10 * US_PER_S);
	/* nobody asks a client for a sign of life whom he does not read */
	CHECK_INT(pings_answered(&w, &p), 0);
	stream_rest_until(&c->x, w.server->shards[0]->now_us + 10 * US_PER_S);
	session_go_on(s, SESSION_REST_OWN);
	world_settle(&w);
	CHECK_INT(count(&p, "id=\"p\""), 0);
	world_advance(&w, 11 * US_PER_S);
	CHECK_INT(count(&p, "id=\"p\""), 1);
	session_go_on(s, SESSION_REST_OWN);
	peer_say(&p, PING);
	CHECK_INT(count(&p, "id=\"p\""), 1);
	world_advance(&w, 299 * US_PER_S);
	CHECK_INT(count(&p, "<ping "), 0);
	peer_done(&p);
	world_done(&w);
}

/* More than half of what may wait, and nothing of it done before the world
 * settles. */
static void
store_fill(struct world *w)
{
	struct buf value = BUF_INIT;

	memset(buf_reserve(&value, STORE_VALUE_MAX), 'x', STORE_VALUE_MAX);
	value.n = STORE_VALUE_MAX;
	for (int i = 0; i < 3; i++) {
		struct store_tx *tx = store_tx_new();

		store_tx_set(tx,
			(struct store_place){
				STR("example.org"), STR("romeo"), STR("m") },
			STR("k"), buf_str(&value));
		store_commit(w->server->store, tx, NULL, NULL, NULL);
	}
	buf_done(&value);
}

TEST(all_who_send_rest_while_the_store_is_behind)
{
	struct world w;
	struct peer p[2];

	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(p); i++) {
		peer_open(&p[i], &w, 0, true);
		peer_login(&p[i], i == 0 ? AUTH_ROMEO : AUTH_JULIET, BIND("a"));
		p[i].got.n = 0;
	}
	store_fill(&w);
	CHECK(store_is_behind(w.server->store));
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT(p); i++)
			conn_mem_feed(p[i].conn, PING, sizeof(PING) - 1);
		shard_turn(w.server->shards[0]);
		shard_turn(w.server->shards[0]);
	}
	for (size_t i = 0; i < COUNT(p); i++)
		CHECK_INT(count(&p[i], "id=\"p\""), 1);
	world_settle(&w);
	CHECK(!store_is_behind(w.server->store));
	world_advance(&w, 20 * US_PER_MS);
	for (size_t i = 0; i < COUNT(p); i++) {
		CHECK_INT(count(&p[i], "id=\"p\""), 2);
		peer_done(&p[i]);
	}
	world_done(&w);
}

TEST(an_element_may_be_larger_after_login_than_before)
{
	struct world w;
	struct peer p;

	/* hostile-03, -05 */
	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER "<a>");
	say_many(&p, "0123456789", 1100);
	CHECK_GOT(&p, "<stream:error><policy-violation");
	peer_done(&p);
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_say(&p, "<iq type='get' id='p' to='example.org'>"
		"<x xmlns='urn:x'>");
	say_many(&p, "0123456789", 1100);
	CHECK(!p.closed);
	peer_say(&p, "</x></iq>");
	CHECK_GOT(&p, "id=\"p\"");
	say_many(&p, "<message>", 70);
	CHECK_GOT(&p, "<stream:error><policy-violation");
	peer_done(&p);
	world_done(&w);
}

TEST(strangers_are_counted_until_they_log_in)
{
	struct world w;
	struct peer p[12];

	world_init(&w, 3, "limits: { unauthenticated_connections: 10 }", "");
	for (unsigned i = 0; i < 10; i++)
		peer_open(&p[i], &w, i % 3, true);
	peer_login(&p[0], AUTH_ROMEO, BIND("a"));
	peer_open(&p[10], &w, 0, true);
	for (unsigned i = 0; i < 11; i++)
		CHECK(!p[i].closed);
	peer_open(&p[11], &w, 1, true);
	CHECK_GOT(&p[1], "<stream:stream", "<stream:error><resource-constraint ",
		"</stream:stream>");
	for (unsigned i = 0; i < 12; i++) {
		CHECK(p[i].closed == (i == 1));
		peer_done(&p[i]);
	}
	CHECK_INT(listen_count(w.server), 0);
	world_done(&w);
}

/* As many as there may be, from ten addresses; then users, each from his own. */
TEST(strangers_that_only_wait_do_not_keep_users_out)
{
	static const size_t sizes[] = { 10, 11, 100, 300 };
	struct peer *p = xcalloc(300, sizeof(*p)), user;
	char address[32], conf[80];
	size_t closed;
	struct world w;

	for (size_t s = 0; s < COUNT(sizes); s++) {
		snprintf(conf, sizeof(conf),
			"limits: { unauthenticated_connections: %zu }",
			sizes[s]);
		world_init(&w, 3, conf, "");
		for (unsigned i = 0; i < sizes[s]; i++) {
			snprintf(address, sizeof(address), "192.0.2.%u",
				i % 10);
			peer_open_from(&p[i], &w, i % 3, address);
		}
		for (unsigned i = 0; i < 20; i++) {
			snprintf(address, sizeof(address), "198.51.100.%u", i);
			peer_open_from(&user, &w, i % 3, address);
			peer_login(&user, AUTH_ROMEO, BIND("a"));
			peer_done(&user);
		}
		closed = 0;
		for (unsigned i = 0; i < sizes[s]; i++) {
			closed += p[i].closed;
			peer_done(&p[i]);
		}
		/* users log in, and leave the room to the next */
		CHECK_INT(closed, 1);
		world_done(&w);
	}
	free(p);
}

/* --- the end of all ------------------------------------------------------- */

static void
on_told(void *arg)
{
	*(bool *)arg = true;
}

TEST(all_streams_are_closed_at_a_shutdown)
{
	struct world w;
	struct peer p[4];
	bool closed = false;

	world_init(&w, 4, "", "");
	for (unsigned i = 0; i < 4; i++)
		peer_open(&p[i], &w, i, i != 1);
	peer_say(&p[1], HEADER);
	peer_login(&p[2], AUTH_ROMEO, BIND("a"));
	peer_login(&p[3], AUTH_JULIET, BIND("b"));
	/* one is between two shards */
	conn_mem_feed(p[0].conn, HEADER AUTH_ROMEO,
		strlen(HEADER AUTH_ROMEO));
	streams_close_all(w.server, STREAM_SYSTEM_SHUTDOWN, on_told, &closed);
	for (unsigned i = 0; i < 20 && !closed; i++) {
		world_settle(&w);
		world_advance(&w, 100 * US_PER_MS);
	}
	CHECK(closed);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_GOT(&p[i], "<stream:error><system-shutdown ",
			"</stream:stream>");
		CHECK(p[i].closed);
		peer_done(&p[i]);
	}
	CHECK(w.server->streams == NULL);
	streams_start(w.server);
	world_done(&w);
}

TEST(a_host_that_a_reload_takes_away_takes_its_streams_along)
{
	struct world w;
	struct peer p, q, r;

	world_init(&w, 2, "", "");
	peer_open(&p, &w, 0, true);
	peer_open(&q, &w, 1, true);
	peer_open(&r, &w, 1, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_say(&q, HEADER);
	world_reload(&w, "shards: 2\nhosts: { example.net: {} }");
	CHECK_GOT(&p, "<stream:error><host-gone ", "</stream:stream>");
	CHECK_GOT(&q, "<stream:error><host-gone ", "</stream:stream>");
	CHECK(p.closed && q.closed && !r.closed);
	peer_say(&r, HEADER);
	CHECK_GOT(&r, "from='example.net'", "<stream:error><host-unknown ");
	peer_done(&p);
	peer_done(&q);
	peer_done(&r);
	world_done(&w);
}

TEST(limits_of_a_reload_hold_for_streams_that_are_open)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	world_reload(&w, "shards: 1\nlimits: { idle_before_ping: 10s }\n"
			 "hosts: { example.org: {} }");
	peer_say(&p, " ");
	world_advance(&w, 12 * US_PER_S);
	CHECK_GOT(&p, "<ping ");
	peer_done(&p);
	world_done(&w);
}

TEST(those_who_have_logged_in_can_be_sent_elsewhere)
{
	struct world w;
	struct peer p, q;
	bool told = false;

	world_init(&w, 4, "", "");
	peer_open(&p, &w, 0, true);
	peer_open(&q, &w, 1, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_say(&q, HEADER);
	streams_drain(w.server, "other.example.org:5222", on_told, &told);
	world_settle(&w);
	CHECK(told);
	CHECK_GOT(&p, "<stream:error><see-other-host xmlns="
		"\"urn:ietf:params:xml:ns:xmpp-streams\">"
		"other.example.org:5222</see-other-host></stream:error>"
		"</stream:stream>");
	CHECK(p.closed && !q.closed);
	peer_say(&q, AUTH_JULIET);
	CHECK_GOT(&q, "<success");
	peer_done(&p);
	peer_done(&q);
	world_done(&w);
}

TEST_MAIN
