/*
 * test_c2s_header.c - how streams of clients begin: headers, the errors that
 * they bring, and what is offered then.
 */
#include "config.h"

#include "stream/client/c2s.h"

#include "core/shard.h"
#include "c2s_world.h"
#include "test.h"

/* --- headers and errors before login -------------------------------------- */

static const struct {
	const char *label, *say, *cond;
} error_cases[] = {
	{ "no XML", "hello", "not-well-formed" },
	{ "another namespace of streams", HEAD(C, "urn:x", TO),
		"invalid-namespace" },
	{ "another default namespace", HEAD("urn:x", S, TO),
		"invalid-namespace" },
	{ "servers speak elsewhere", HEAD("jabber:server", S, TO),
		"invalid-namespace" },
	{ "no prefix", "<stream xmlns='" S "' " TO ">",
		"bad-namespace-prefix" },
	{ "another root", "<stream:features xmlns='" C "' xmlns:stream='" S
		"' " TO ">", "bad-format" },
	{ "another host", HEAD(C, S, "to='x.example' version='1.0'"),
		"host-unknown" },
	{ "a host that cannot be", HEAD(C, S, "to='@@' version='1.0'"),
		"host-unknown" },
	{ "no host", HEAD(C, S, "version='1.0'"), "host-unknown" },
	{ "no version", HEAD(C, S, "to='example.org'"),
		"unsupported-version" },
	{ "an old version", HEAD(C, S, "to='example.org' version='0.9'"),
		"unsupported-version" },
	{ "a version of letters", HEAD(C, S, "to='example.org' version='a.b'"),
		"unsupported-version" },
	{ "a negative version", HEAD(C, S, "to='example.org' version='-1.0'"),
		"unsupported-version" },
	{ "a broken from", HEAD(C, S, TO " from='@@'"), "invalid-from" },
	{ "Latin 1", "<?xml version='1.0' encoding='ISO-8859-1'?>",
		"unsupported-encoding" },
	{ "hostile-01: a DOCTYPE", "<!DOCTYPE x []>" HEADER,
		"restricted-xml" },
	{ "a comment", HEADER "<!-- x -->", "restricted-xml" },
	{ "mismatched tags", HEADER "<a></b>", "not-well-formed" },
	{ "a message", HEADER "<message/>", "not-authorized" },
	{ "an iq", HEADER "<iq type='get' id='1'><q xmlns='urn:x'/></iq>",
		"not-authorized" },
	{ "bind", HEADER BIND("x"), "not-authorized" },
	{ "something unknown", HEADER "<a xmlns='urn:x'/>", "not-authorized" },
	{ "hostile-09: compression", HEADER
		"<compress xmlns='http://jabber.org/protocol/compress'/>",
		"not-authorized" },
	{ "hostile-19: behind starttls", HEADER "<starttls " TLS "/>" HEADER,
		"policy-violation" },
	{ "hostile-19: behind starttls and white space", HEADER
		"<starttls " TLS "/> \n" HEADER, "policy-violation" },
};

TEST(errors_before_login_come_inside_a_stream_and_end_it)
{
	struct world w;
	struct peer p;
	char want[80];

	world_init(&w, 1, "", "");
	for (size_t i = 0; i < COUNT(error_cases); i++) {
		TEST_CASE(error_cases[i].label);
		snprintf(want, sizeof(want), "<stream:error><%s xmlns=",
			error_cases[i].cond);
		peer_open(&p, &w, 0, false);
		peer_say(&p, error_cases[i].say);
		CHECK_GOT(&p, "<?xml version='1.0'?><stream:stream ", " id='",
			" from='example.org'", want,
			"</stream:error></stream:stream>");
		CHECK(p.closed);
		peer_done(&p);
	}
	TEST_CASE(NULL);
	CHECK_INT(w.server->shards[0]->stats.streams, 0);
	world_done(&w);
}

TEST(our_header_answers_the_clients)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEAD(C, S, "to='EXAMPLE.org' from='Romeo@example.org/x' "
			"version='1.7' id='mine' xml:lang='de'"));
	CHECK_GOT(&p, "xmlns='jabber:client'", "id='", "from='example.org'",
		"to='romeo@example.org'", "version='1.0'", "xml:lang='en'>",
		"<stream:features>");
	CHECK(!peer_has(&p, "mine"));
	peer_done(&p);
	world_done(&w);
}

TEST(a_header_may_come_byte_by_byte)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	for (size_t i = 0; i < strlen(HEADER); i++)
		peer_say_n(&p, &HEADER[i], 1);
	CHECK_GOT(&p, "<stream:features>");
	peer_done(&p);
	world_done(&w);
}

/* --- features ------------------------------------------------------------- */

TEST(features_follow_the_stage)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, true);
	peer_say(&p, HEADER);
	CHECK(!peer_has(&p, "starttls"));
	CHECK_GOT(&p, "<mechanisms xmlns=", "SCRAM-SHA-256</mechanism>",
		"PLAIN</mechanism>", "<max-bytes>10240</max-bytes>");
	CHECK(!peer_has(&p, "<bind"));
	CHECK(!peer_has(&p, "ANONYMOUS"));
	peer_say(&p, AUTH_ROMEO);
	peer_say(&p, HEADER);
	CHECK(!peer_has(&p, "<mechanisms"));
	CHECK_GOT(&p, "<bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\">",
		"<session ", "<optional/>", "<max-bytes>262144</max-bytes>",
		"<idle-seconds>300</idle-seconds>");
	peer_done(&p);
	world_done(&w);
}

TEST(where_tls_may_be_left_out_it_is_offered_beside_the_rest)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", ", auth: { tls_required: no }");
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEADER);
	CHECK_GOT(&p, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>",
		"<mechanisms");
	CHECK(!peer_has(&p, "PLAIN"));
	peer_say(&p, "<starttls " TLS "/>");
	CHECK_GOT(&p, "<proceed");
	peer_login(&p, AUTH_ROMEO, BIND("a"));
	peer_done(&p);
	world_done(&w);
}

TEST(a_domain_that_requires_tls_and_has_none_says_so)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEAD(C, S, "to='example.net' version='1.0'"));
	CHECK_GOT(&p, "<policy-violation", "requires TLS");
	CHECK(p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST(nothing_of_sasl_is_acted_on_before_required_tls)
{
	struct world w;
	struct peer p;

	/* hostile-10, -24 */
	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEADER AUTH_ROMEO);
	CHECK_GOT(&p, "<encryption-required/>");
	CHECK_INT(w.server->shards[0]->stats.logins, 0);
	peer_done(&p);
	world_done(&w);
}

TEST_MAIN
