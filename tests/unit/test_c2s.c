/*
 * test_c2s.c - streams of clients against a whole server in one thread: stages,
 * errors, pipelining, moving between shards, limits.
 */
#include "config.h"

#include "stream/client/c2s.h"

#include "net/conn.h"
#include "core/entity.h"
#include "account/account.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

TEST(a_client_logs_in_and_binds_over_starttls)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEADER);
	CHECK_GOT(&p, "<stream:stream", "from='example.org'", "version='1.0'",
		"<stream:features><starttls xmlns=", "><required/></starttls>"
		"</stream:features>");
	peer_say(&p, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	CHECK_GOT(&p, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	peer_login(&p, AUTH_ROMEO, BIND("orchard"));
	CHECK_GOT(&p, "<jid>romeo@example.org/orchard</jid>");
	peer_say(&p, "</stream:stream>");
	CHECK_GOT(&p, "</stream:stream>");
	CHECK(p.closed);
	peer_done(&p);
	world_done(&w);
}


/* --- authentication ------------------------------------------------------- */

static const struct {
	const char *label, *say, *cond;
} auth_cases[] = {
	{ "a wrong password", AUTH_WRONG, "not-authorized" },
	{ "no such account", AUTH("PLAIN", "AG5vYm9keQBzZWNyZXQtb25l"),
		"not-authorized" },
	{ "no base64", AUTH("PLAIN", "%%%"), "incorrect-encoding" },
	{ "unpadded base64", AUTH("PLAIN", "abc"), "incorrect-encoding" },
	{ "bytes that mean nothing", AUTH("PLAIN", "YWJj"),
		"malformed-request" },
	{ "no mechanism", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
		"invalid-mechanism" },
	{ "a mechanism that was not offered", AUTH("ANONYMOUS", "="),
		"invalid-mechanism" },
	{ "without channel binding", AUTH("SCRAM-SHA-1-PLUS", "="),
		"invalid-mechanism" },
	{ "a response to nothing", SASL("response", "YQ=="),
		"malformed-request" },
	{ "an end of nothing", SASL("abort", ""), "aborted" },
};

TEST(failures_say_why_and_another_try_may_succeed)
{
	struct world w;
	struct peer p;
	char want[64];

	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(auth_cases); i++) {
		TEST_CASE(auth_cases[i].label);
		snprintf(want, sizeof(want), "><%s/></failure>",
			auth_cases[i].cond);
		peer_open(&p, &w, 0, true);
		peer_say(&p, HEADER);
		peer_say(&p, auth_cases[i].say);
		world_advance(&w, US_PER_S);
		CHECK_GOT(&p, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'",
			want);
		peer_say(&p, AUTH_ROMEO);
		CHECK_GOT(&p, "<success ");
		peer_done(&p);
	}
	world_done(&w);
}

TEST(elements_of_sasl_that_are_the_servers_end_the_stream)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER SASL("success", ""));
	CHECK_GOT(&p, "<not-authorized ", "</stream:stream>");
	peer_done(&p);
	world_done(&w);
}

TEST(an_exchange_ends_with_abort_or_with_another_auth)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	/* n,,n=romeo,r=abc */
	peer_say(&p, HEADER AUTH("SCRAM-SHA-256", "biwsbj1yb21lbyxyPWFiYw=="));
	CHECK_GOT(&p, "<challenge ");
	/* as late as a wrong password, for what it was told */
	peer_say(&p, SASL("abort", ""));
	CHECK(!peer_has(&p, "<aborted/>"));
	world_advance(&w, 100 * US_PER_MS);
	CHECK_GOT(&p, "<aborted/>");
	peer_say(&p, AUTH("SCRAM-SHA-256", "biwsbj1yb21lbyxyPWFiYw=="));
	CHECK_GOT(&p, "<challenge ");
	peer_say(&p, AUTH_ROMEO);
	world_advance(&w, 200 * US_PER_MS);
	CHECK_GOT(&p, "<malformed-request/>");
	peer_say(&p, AUTH_ROMEO);
	CHECK_GOT(&p, "<success ");
	peer_done(&p);
	world_done(&w);
}

TEST(an_initial_response_may_come_after_an_empty_challenge)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER AUTH("PLAIN", ""));
	CHECK_GOT(&p, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
		"</challenge>");
	peer_say(&p, SASL("response", "AHJvbWVvAHNlY3JldC1vbmU="));
	CHECK_GOT(&p, "<success ");
	peer_done(&p);
	world_done(&w);
}

TEST(failed_logins_are_answered_late_and_end_the_stream)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "limits: { auth_attempts: 3 }", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER);
	for (int i = 0; i < 3; i++) {
		CHECK(!p.closed);
		peer_say(&p, AUTH_WRONG AUTH_WRONG);
		if (i == 0)
			CHECK(!peer_has(&p, "<failure"));
		world_advance(&w, US_PER_S);
		CHECK_GOT(&p, "<failure ");
		if (p.closed)
			break;
	}
	CHECK_GOT(&p, "<policy-violation ", "Too many failed logins",
		"</stream:stream>");
	CHECK_INT(w.server->shards[0]->stats.login_failures, 3);
	peer_done(&p);
	world_done(&w);
}

TEST(failed_logins_to_one_account_are_limited_across_connections)
{
	struct world w;
	struct peer p;

	world_init(&w, 2, "limits: { auth_failures_per_account: 2 }", "");
	for (unsigned i = 0; i < 3; i++) {
		peer_open(&p, &w, i % 2, true);
		peer_say(&p, HEADER);
		peer_say(&p, AUTH_WRONG);
		world_advance(&w, US_PER_S);
		CHECK_GOT(&p, i < 2 ? "<not-authorized/>" :
				      "<temporary-auth-failure/>");
		peer_done(&p);
	}
	world_advance(&w, 61 * US_PER_S);
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_done(&p);
	world_done(&w);
}

TEST(guests_get_an_account_that_ends_with_their_session)
{
	struct world w;
	struct peer p;

	world_init(&w, 3, "", ", auth: { anonymous: yes }");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH("ANONYMOUS", "="), BIND("a"));
	CHECK_GOT(&p, "@example.org/a</jid>");
	peer_done(&p);
	world_done(&w);
}

/* --- identity is pinned --------------------------------------------------- */

/* Of those whom nothing but their address tells apart, too. */
TEST(a_stream_takes_no_session_of_another_account)
{
	struct world w;
	struct peer a, b;
	struct stream_shard *ss;
	struct session *s;
	struct c2s *c;

	world_init(&w, 1, "", ", auth: { anonymous: yes }");
	ss = stream_shard(w.server->shards[0]);
	peer_open(&a, &w, 0, true);
	peer_login(&a, AUTH("ANONYMOUS", "="), BIND("a"));
	s = c2s_of(TAILQ_LAST(&ss->streams, stream_list))->session;
	peer_open(&b, &w, 0, true);
	peer_say(&b, HEADER);
	peer_say(&b, AUTH("ANONYMOUS", "=") HEADER);
	CHECK_GOT(&b, "<success ", "<bind ");
	c = c2s_of(TAILQ_LAST(&ss->streams, stream_list));
	CHECK(c->session == NULL);
	CHECK(!session_attach(s, &c2s_session_stream, c));
	world_settle(&w);
	CHECK_GOT(&b, "<not-authorized");
	CHECK(!a.closed);
	peer_say(&a, "<iq type='get' id='1'/>");
	CHECK_GOT(&a, "id=\"1\"");
	peer_done(&a);
	peer_done(&b);
	world_done(&w);
}

TEST(to_and_from_hold_for_the_whole_connection)
{
	static const char *const again[] = {
		HEAD(C, S, "to='example.net' version='1.0'"),
		HEAD(C, S, TO " from='juliet@example.org'"),
	};
	struct world w;
	struct peer p;

	/* hostile-25 */
	world_init(&w, 2, "", "");
	for (size_t i = 0; i < COUNT(again); i++) {
		peer_open(&p, &w, 0, true);
		peer_say(&p, HEADER);
		peer_say(&p, AUTH_ROMEO);
		peer_say(&p, again[i]);
		CHECK_GOT(&p, "<stream:error>",
			i == 0 ? "<policy-violation" : "<invalid-from");
		CHECK(p.closed);
		peer_done(&p);
	}
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEAD(C, S, TO " from='juliet@example.org'"));
	peer_say(&p, "<starttls " TLS "/>");
	peer_say(&p, HEAD(C, S, TO " from='romeo@example.org'"));
	CHECK_GOT(&p, "<invalid-from");
	peer_done(&p);
	world_done(&w);
}

/* --- moving --------------------------------------------------------------- */

TEST(a_stream_goes_on_at_the_shard_of_its_account)
{
	struct world w;
	struct peer p;
	struct shard *owner;

	world_init(&w, 4, "", "");
	owner = world_owner(&w, "romeo");
	for (unsigned i = 0; i < 4; i++) {
		peer_open(&p, &w, i, true);
		CHECK_INT(w.server->shards[i]->stats.streams, 1);
		peer_login(&p, AUTH_ROMEO, BIND("a"));
		CHECK_INT(owner->stats.streams, 1);
		CHECK_INT(owner->stats.sessions, 1);
		CHECK_INT(w.server->shards[i]->stats.streams, owner->index == i);
		peer_done(&p);
		CHECK_INT(owner->stats.streams, 0);
	}
	world_done(&w);
}

TEST(what_is_pipelined_behind_auth_moves_along)
{
	struct world w;
	struct peer p;

	world_init(&w, 4, "", "");
	for (unsigned i = 0; i < 4; i++) {
		peer_open(&p, &w, i, true);
		peer_say(&p, HEADER AUTH_ROMEO HEADER BIND("a")
			"<iq type='set' id='s1'><session "
			"xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
			"</stream:stream>");
		CHECK_GOT(&p, "<stream:features>", "<success", "<stream:stream",
			"<stream:features>", "romeo@example.org/a</jid>",
			"\"s1\"/>", "</stream:stream>");
		CHECK(p.closed);
		peer_done(&p);
	}
	world_done(&w);
}

TEST(one_who_hangs_up_while_the_stream_moves_is_forgotten)
{
	struct world w;
	struct peer p;

	world_init(&w, 4, "", "");
	for (unsigned i = 0; i < 4; i++) {
		peer_open(&p, &w, i, true);
		peer_say(&p, HEADER);
		conn_mem_feed(p.conn, AUTH_ROMEO, strlen(AUTH_ROMEO));
		conn_mem_hangup(p.conn);
		p.conn = NULL;
		world_settle(&w);
		peer_done(&p);
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK_INT(w.server->shards[i]->stats.streams, 0);
	world_done(&w);
}

TEST(without_a_new_header_there_is_no_new_stream)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER);
	peer_say(&p, AUTH_ROMEO);
	peer_say(&p, BIND("a"));
	CHECK_GOT(&p, "<stream:stream", "<stream:error>");
	CHECK(p.closed);
	peer_done(&p);
	world_done(&w);
}

/* --- binding -------------------------------------------------------------- */

static const struct {
	const char *label, *say, *got;
} bind_cases[] = {
	{ "presence", "<presence/>", "<stream:error><not-authorized" },
	{ "another request", "<iq type='get' id='1'><q xmlns='urn:x'/></iq>",
		"<stream:error><not-authorized" },
	{ "auth again", AUTH_ROMEO, "<unsupported-stanza-type" },
	{ "a resource that cannot be", BIND("&#x202e;&#x85;"),
		"<bad-request" },
	{ "a request without id", "<iq type='set'><bind "
		"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
		"<bad-request" },
};

TEST(before_binding_nothing_else_is_done)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(bind_cases); i++) {
		TEST_CASE(bind_cases[i].label);
		peer_open(&p, &w, 0, true);
		peer_say(&p, HEADER);
		peer_say(&p, AUTH_ROMEO);
		peer_say(&p, HEADER);
		peer_say(&p, bind_cases[i].say);
		CHECK_GOT(&p, bind_cases[i].got);
		peer_done(&p);
	}
	world_done(&w);
}

TEST(a_resource_is_made_for_who_asks_for_none)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_login(&p, AUTH_ROMEO, "<iq type='set' id='1'><bind "
		"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
	CHECK_GOT(&p, "<jid>romeo@example.org/");
	peer_say(&p, BIND("b"));
	CHECK_GOT(&p, "type=\"error\"", "<not-allowed");
	peer_done(&p);
	world_done(&w);
}

TEST(a_new_connection_replaces_the_old_one)
{
	struct world w;
	struct peer p, q;

	world_init(&w, 4, "", "");
	peer_open(&p, &w, 0, true);
	peer_open(&q, &w, 1, true);
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_login(&q, AUTH_ROMEO, BIND("a"));
	CHECK_GOT(&p, "<stream:error><conflict ", "</stream:stream>");
	CHECK(p.closed && !q.closed);
	CHECK_INT(world_owner(&w, "romeo")->stats.sessions, 1);
	peer_done(&p);
	peer_done(&q);
	world_done(&w);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(bool *)arg = ok;
}

TEST(an_account_that_was_removed_cannot_be_bound)
{
	struct world w;
	struct peer p;
	bool ok = false;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER);
	peer_say(&p, AUTH_ROMEO);
	peer_say(&p, HEADER);
	account_remove(w.server->shards[0],
		jid_trusted(STR("romeo@example.org")), on_done, &ok);
	world_settle(&w);
	peer_say(&p, BIND("a"));
	CHECK_GOT(&p, "<stream:error><not-authorized");
	peer_done(&p);
	world_done(&w);
}

/* --- stanzas -------------------------------------------------------------- */

static const struct {
	const char *label, *say, *got;
} bound_cases[] = {
	{ "another sender", "<message from='juliet@example.org'/>",
		"<stream:error><invalid-from" },
	{ "a sender that is none", "<message from='@@'/>",
		"<stream:error><invalid-from" },
	{ "no stanza", "<a xmlns='urn:x'/>",
		"<stream:error><unsupported-stanza-type" },
	{ "no stanza of ours", "<foo/>",
		"<stream:error><unsupported-stanza-type" },
	{ "starttls", "<starttls " TLS "/>",
		"<stream:error><unsupported-stanza-type" },
	{ "no XML", "<message></presence>", "<stream:error><not-well-formed" },
	{ "an address that is none", "<iq type='get' id='1' to='@@'>"
		"<q xmlns='urn:x'/></iq>", "<jid-malformed" },
	{ "a request without id", "<iq type='get'><q xmlns='urn:x'/></iq>",
		"<bad-request" },
};

TEST(what_is_wrong_with_a_stanza_is_told)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(bound_cases); i++) {
		TEST_CASE(bound_cases[i].label);
		peer_open(&p, &w, 0, true);
		peer_login(&p, AUTH_ROMEO, BIND("a"));
		peer_say(&p, bound_cases[i].say);
		CHECK_GOT(&p, bound_cases[i].got);
		CHECK(p.closed == (strncmp(bound_cases[i].got, "<stream", 7) ==
			0));
		peer_done(&p);
	}
	world_done(&w);
}

TEST(messages_reach_the_other_with_the_language_of_the_stream)
{
	struct world w;
	struct peer p, q;

	world_init(&w, 4, "", "");
	peer_open(&p, &w, 0, true);
	peer_open(&q, &w, 1, true);
	/* juliet, secret-one */
	peer_login(&q, AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l"), BIND("b"));
	peer_say(&p, HEADER);
	peer_say(&p, AUTH_ROMEO);
	peer_say(&p, HEAD(C, S, TO " xml:lang='de'"));
	peer_say(&p, BIND("a"));
	q.got.n = 0;
	peer_say(&p, "<message to='juliet@example.org/b' type='chat'>"
		"<body>Hallo</body></message>");
	CHECK_GOT(&q, "<message ", "<body>Hallo</body></message>");
	CHECK(peer_has(&q, "xml:lang=\"de\""));
	CHECK(peer_has(&q, "from=\"romeo@example.org/a\""));
	peer_done(&p);
	peer_done(&q);
	world_done(&w);
}

TEST_MAIN
