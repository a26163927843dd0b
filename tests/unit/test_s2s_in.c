/*
 * test_s2s_in.c - streams that other servers open to us: who is believed, and what
 * may come by them; with domains that say of their keys what the test says.
 */
#include "config.h"

#include "stream/server/s2s_in.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "stream/stream.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_in_int.h"
#include "stream/server/s2s_known.h"
#include "stream/server/s2s_sm.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 2
#define SERVER "jabber:server"
#define FROM(domain) TO " from='" domain "'"
#define RESULT(from, to, key)                                                  \
	"<db:result from='" from "' to='" to "'>" key "</db:result>"
#define VERIFY(from, to, id, key)                                              \
	"<db:verify from='" from "' to='" to "' id='" id "'>" key "</db:verify>"
#define MESSAGE(from, to, body)                                                \
	"<message from='" from "' to='" to "' type='chat'><body>" body         \
	"</body></message>"
#define STARTTLS "<starttls " TLS "/>"
#define BIDI "<bidi xmlns='urn:xmpp:bidi'/>"
#define BIDI_FEATURE "<bidi xmlns=\"urn:xmpp:features:bidi\"/>"
#define ROMEO "romeo@example.org/orchard"
#define COMPONENTS "components: { c.example: { secret: s, subdomains: yes } }"

struct scene {
	struct world w;
	struct peer romeo;
	struct peer p; /* the other server */
};

static void
scene_init(struct scene *s, const char *more)
{
	struct buf all = BUF_INIT;

	buf_printf(&all, "federation: on\n%s", more);
	world_init(&s->w, SHARDS, buf_c(&all), "");
	buf_done(&all);
	fakes_use(&s->w);
	peer_open(&s->romeo, &s->w, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("orchard"));
	peer_open_at(&s->p, &s->w, 1, s2s_in_kinds);
}

static void
scene_done(struct scene *s)
{
	peer_done(&s->p);
	peer_done(&s->romeo);
	world_done(&s->w);
	fakes_free();
}

/* A header that also declares the prefix of dialback. */
static void
say_header(struct peer *p, const char *rest)
{
	struct buf out = BUF_INIT;

	buf_printf(&out, "<stream:stream xmlns='" SERVER "' xmlns:stream='" S
		"' xmlns:db='jabber:server:dialback' %s>", rest);
	peer_say(p, buf_c(&out));
	buf_done(&out);
}

static void
go_secure(struct scene *s, const char *rest)
{
	say_header(&s->p, rest);
	peer_say(&s->p, STARTTLS);
	CHECK_GOT(&s->p, "<proceed");
	say_header(&s->p, rest);
	CHECK_GOT(&s->p, "<stream:features>", "<errors/>");
}

/* What the domain says of the last key that it was asked about. */
static void
domain_says(struct scene *s, const char *local, const char *domain,
	enum err_code code)
{
	struct fake *f = fake_find(local, domain);

	CHECK(f != NULL && f->n_verifies != 0);
	s->p.got.n = 0;
	remote_verified(f->verifies[--f->n_verifies], code,
		code == ERR_NONE || code == ERR_INVALID ? NULL : "who knows");
	world_settle(&s->w);
}

static void
show_key(struct scene *s, const char *result, const char *local,
	const char *domain)
{
	peer_say(&s->p, result);
	domain_says(s, local, domain, ERR_NONE);
	CHECK_GOT(&s->p, "<db:result", "type='valid'/>");
}

static void
go_in(struct scene *s)
{
	go_secure(s, FROM("far.example"));
	show_key(s, RESULT("far.example", "example.org", "k"), "example.org",
		"far.example");
}

/* --- the header --------------------------------------------------------------- */

static const struct {
	const char *ns, *rest, *cond;
} wrong_headers[] = {
	{ C, FROM("far.example"), "<invalid-namespace" },
	{ SERVER, "to='nowhere.example' version='1.0'", "<host-unknown" },
	{ SERVER, "version='1.0'", "<host-unknown" },
	{ SERVER, "to='..' version='1.0'", "<host-unknown" },
	{ SERVER, "to='example.org'", "<unsupported-version" },
	{ SERVER, FROM("example.org"), "<invalid-from" },
	{ SERVER, FROM("x.c.example"), "<invalid-from" },
	{ SERVER, FROM("a@far.example"), "<invalid-from" },
	{ SERVER, FROM(""), "<invalid-from" },
};

TEST(headers_that_are_refused)
{
	for (size_t i = 0; i < COUNT(wrong_headers); i++) {
		struct buf out = BUF_INIT;
		struct scene s;

		TEST_CASE(wrong_headers[i].rest);
		scene_init(&s, COMPONENTS);
		buf_printf(&out, "<stream:stream xmlns='%s' xmlns:stream='" S
			"' %s>", wrong_headers[i].ns, wrong_headers[i].rest);
		peer_say(&s.p, buf_c(&out));
		CHECK_GOT(&s.p, "<stream:error>", wrong_headers[i].cond);
		buf_done(&out);
		scene_done(&s);
	}
}

/* All domains of ours: of hosts, and of components, with what is below. */
TEST(a_stream_is_to_any_domain_of_ours)
{
	static const char *const domains[] = { "Example.ORG", "c.example",
		"x.c.example" };

	for (size_t i = 0; i < COUNT(domains); i++) {
		struct buf out = BUF_INIT;
		struct scene s;

		TEST_CASE(domains[i]);
		scene_init(&s, COMPONENTS);
		buf_printf(&out, "to='%s' from='far.example' version='1.0'",
			domains[i]);
		say_header(&s.p, buf_c(&out));
		CHECK_GOT(&s.p, "xmlns:db='jabber:server:dialback'",
			"to='far.example'", "<starttls", "<required/>",
			"</starttls></stream:features>");
		buf_done(&out);
		scene_done(&s);
	}
}

static const struct {
	const char *first, *second, *cond;
} changed[] = {
	{ FROM("far.example"), FROM("near.example"), "<invalid-from" },
	{ FROM("far.example"),
		"to='c.example' from='far.example' version='1.0'",
		"<policy-violation" },
	{ FROM("far.example"), TO, "<errors/>" },
	{ TO, FROM("far.example"), "<errors/>" },
};

/* hostile 25 */
TEST(what_the_first_header_has_said_holds)
{
	for (size_t i = 0; i < COUNT(changed); i++) {
		struct scene s;

		TEST_CASE(changed[i].second);
		scene_init(&s, COMPONENTS);
		say_header(&s.p, changed[i].first);
		peer_say(&s.p, STARTTLS);
		say_header(&s.p, changed[i].second);
		CHECK_GOT(&s.p, changed[i].cond);
		scene_done(&s);
	}
}

static const char *const before_tls[] = {
	RESULT("far.example", "example.org", "k"),
	VERIFY("far.example", "example.org", "i", "k"),
	MESSAGE("a@far.example", ROMEO, "hidden"),
	AUTH("EXTERNAL", "="),
	"<x xmlns='y'/>",
};

/* hostile 10 */
TEST(before_tls_there_is_nothing_else)
{
	for (size_t i = 0; i < COUNT(before_tls); i++) {
		struct scene s;

		TEST_CASE(before_tls[i]);
		scene_init(&s, "");
		say_header(&s.p, FROM("far.example"));
		peer_say(&s.p, before_tls[i]);
		CHECK_GOT(&s.p, "<policy-violation");
		CHECK(fake_find(NULL, "far.example") == NULL);
		scene_done(&s);
	}
}

/* --- EXTERNAL, where it is not offered ------------------------------------------ */

static const char *const not_offered[] = {
	AUTH("EXTERNAL", "="), AUTH("EXTERNAL", "ZmFyLmV4YW1wbGU="),
	AUTH("EXTERNAL", ""), AUTH("PLAIN", "AGEAYg=="),
	SASL("response", "="), SASL("abort", ""),
};

/* hostile 22, 24 */
TEST(without_a_certificate_there_is_no_external)
{
	for (size_t i = 0; i < COUNT(not_offered); i++) {
		struct scene s;

		TEST_CASE(not_offered[i]);
		scene_init(&s, "limits: { auth_attempts: 3 }");
		go_secure(&s, FROM("far.example"));
		CHECK(!peer_has(&s.p, "<mechanisms"));
		for (int n = 0; n < 3; n++) {
			peer_say(&s.p, not_offered[i]);
			CHECK(peer_has(&s.p, "<failure"));
			CHECK(!peer_has(&s.p, "<success"));
		}
		CHECK_GOT(&s.p, "<policy-violation");
		scene_done(&s);
	}
}

/* --- keys ------------------------------------------------------------------------ */

TEST(a_key_that_its_domain_knows_lets_stanzas_in)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("Far.Example"));
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "early"));
	CHECK_GOT(&s.p, "<not-authorized");
	CHECK(!peer_has(&s.romeo, "early"));
	peer_done(&s.p);
	peer_open_at(&s.p, &s.w, 0, s2s_in_kinds);
	go_secure(&s, FROM("Far.Example"));
	peer_say(&s.p, RESULT("Far.Example", "Example.org", "\n k1 \n"));
	CHECK(s.p.got.n == 0);
	CHECK_STR(fake_find("example.org", "far.example")->verifies[0]->key,
		"k1");
	domain_says(&s, "example.org", "far.example", ERR_NONE);
	/* as it came */
	CHECK_GOT(&s.p,
		"<db:result from='Example.org' to='Far.Example' type='valid'/>");
	peer_say(&s.p, MESSAGE("a@FAR.example", ROMEO, "in time"));
	CHECK_GOT(&s.romeo, "from=\"a@far.example\"", "in time");
	scene_done(&s);
}

/* XEP-0220 §2.2.1 */
TEST(a_wrong_key_ends_a_stream_that_has_no_other)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	domain_says(&s, "example.org", "far.example", ERR_INVALID);
	CHECK_GOT(&s.p, "type='invalid'/>", "</stream:stream>");
	scene_done(&s);
}

/* hostile 43: and what it had goes on. */
TEST(a_wrong_key_costs_the_pair_alone)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	peer_say(&s.p, RESULT("near.example", "example.org", "k"));
	domain_says(&s, "example.org", "near.example", ERR_INVALID);
	CHECK_GOT(&s.p, "from='example.org' to='near.example' type='error'",
		"<forbidden");
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "goes on"));
	CHECK(peer_has(&s.romeo, "goes on"));
	peer_say(&s.p, MESSAGE("a@near.example", ROMEO, "refused"));
	CHECK_GOT(&s.p, "<invalid-from");
	CHECK(!peer_has(&s.romeo, "refused"));
	scene_done(&s);
}

TEST(more_pairs_come_on_one_stream)
{
	struct scene s;

	scene_init(&s, COMPONENTS);
	go_in(&s);
	show_key(&s, RESULT("near.example", "example.org", "k"), "example.org",
		"near.example");
	peer_say(&s.p, MESSAGE("a@near.example", ROMEO, "one"));
	CHECK(peer_has(&s.romeo, "one"));
	/* another domain of ours is another pair */
	peer_say(&s.p, MESSAGE("a@far.example", "b@c.example", "two"));
	CHECK_GOT(&s.p, "<host-unknown");
	scene_done(&s);
}

TEST(a_pair_that_stands_is_not_asked_about_again)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	peer_say(&s.p, RESULT("far.example", "example.org", "another"));
	CHECK_GOT(&s.p, "type='valid'/>");
	CHECK(fake_find("example.org", "far.example")->n_verifies == 0);
	scene_done(&s);
}

#define K16 "0123456789abcdef"
#define K64 K16 K16 K16 K16

static const struct {
	const char *result, *cond;
} refused[] = {
	{ RESULT("far.example", "nowhere.example", "k"), "<item-not-found" },
	{ RESULT("example.org", "example.org", "k"), "<not-acceptable" },
	{ RESULT("c.example", "example.org", "k"), "<not-acceptable" },
	{ RESULT("x.c.example", "example.org", "k"), "<not-acceptable" },
	{ RESULT("far.example", "example.org", K64 K64 K64 K64 "0"),
		"<policy-violation" },
};

TEST(keys_that_are_not_asked_about)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct scene s;

		TEST_CASE(refused[i].result);
		scene_init(&s, COMPONENTS);
		go_secure(&s, FROM("far.example"));
		peer_say(&s.p, refused[i].result);
		CHECK_GOT(&s.p, "<db:result", "type='error'", "<error type='",
			refused[i].cond);
		CHECK(fake_find(NULL, "far.example") == NULL);
		CHECK(!s.p.closed);
		scene_done(&s);
	}
}

static const char *const answers[] = {
	"<db:result from='far.example' to='example.org' type='valid'/>",
	"<db:result from='far.example' to='example.org' type='valid'>k</db:result>",
	"<db:result from='far.example' to='example.org' type='invalid'/>",
	"<db:result from='far.example' to='example.org' type='error'/>",
	"<db:verify from='far.example' to='example.org' id='i' type='valid'/>",
	"<db:verify from='far.example' to='example.org' id='i' type='error'/>",
};

/* hostile 38 */
TEST(answers_that_nobody_has_asked_for)
{
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct scene s;

		TEST_CASE(answers[i]);
		scene_init(&s, "");
		go_secure(&s, FROM("far.example"));
		s.p.got.n = 0;
		peer_say(&s.p, answers[i]);
		CHECK(s.p.got.n == 0 && !s.p.closed);
		peer_say(&s.p, RESULT("far.example", "example.org", "k"));
		peer_say(&s.p, answers[i]);
		CHECK(s.p.got.n == 0);
		peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "forged"));
		CHECK_GOT(&s.p, "<not-authorized");
		CHECK(!peer_has(&s.romeo, "forged"));
		scene_done(&s);
	}
}

static const char *const addressed_badly[] = {
	"<db:result from='far.example'>k</db:result>",
	"<db:result to='example.org'>k</db:result>",
	"<db:result from='a@far.example' to='example.org'>k</db:result>",
	"<db:verify from='far.example' id='i'>k</db:verify>",
	"<db:verify to='example.org' id='i'>k</db:verify>",
};

TEST(dialback_without_two_domains)
{
	for (size_t i = 0; i < COUNT(addressed_badly); i++) {
		struct scene s;

		TEST_CASE(addressed_badly[i]);
		scene_init(&s, "");
		go_secure(&s, FROM("far.example"));
		peer_say(&s.p, addressed_badly[i]);
		CHECK_GOT(&s.p, "<improper-addressing");
		scene_done(&s);
	}
}

static const struct {
	enum err_code code;
	const char *cond;
} not_asked[] = {
	{ ERR_CLOSED, "<remote-server-timeout" },
	{ ERR_TIMEOUT, "<remote-server-timeout" },
	{ ERR_MISSING, "<remote-server-not-found" },
	{ ERR_LIMIT, "<resource-constraint" },
};

TEST(a_domain_that_cannot_be_asked)
{
	for (size_t i = 0; i < COUNT(not_asked); i++) {
		struct scene s;

		scene_init(&s, "");
		go_secure(&s, FROM("far.example"));
		peer_say(&s.p, RESULT("far.example", "example.org", "k"));
		domain_says(&s, "example.org", "far.example",
			not_asked[i].code);
		CHECK_GOT(&s.p, "type='error'", not_asked[i].cond);
		CHECK(!s.p.closed);
		scene_done(&s);
	}
}

/* That is nobody's failure but ours. */
TEST(who_cannot_be_judged_for_now_may_go_on)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	for (int i = 0; i < 20; i++) {
		peer_say(&s.p, RESULT("far.example", "example.org", "k"));
		domain_says(&s, "example.org", "far.example", ERR_LIMIT);
		CHECK_GOT(&s.p, "<resource-constraint");
	}
	CHECK(!s.p.closed);
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	domain_says(&s, "example.org", "far.example", ERR_NONE);
	CHECK_GOT(&s.p, "type='valid'");
	scene_done(&s);
}

/* Whoever asks about a key of ours gets the same answer each time. */
TEST(keys_of_ours_are_known_again)
{
	struct stream_server *server;
	char key[DIALBACK_KEY_SIZE];
	struct buf out = BUF_INIT;
	struct scene s;

	scene_init(&s, "");
	server = s.w.server->streams;
	dialback_key(key,
		(struct str){ (const char *)server->secret,
			sizeof(server->secret) },
		STR("far.example"), STR("example.org"), STR("id 1"));
	go_secure(&s, FROM("far.example"));
	buf_printf(&out, VERIFY("far.example", "example.org", "id 1", "%s"),
		key);
	for (int i = 0; i < 2; i++) {
		peer_say(&s.p, buf_c(&out));
		CHECK_GOT(&s.p, "<db:verify from='example.org' "
			"to='far.example' id='id 1' type='valid'/>");
	}
	buf_done(&out);
	buf_printf(&out, VERIFY("far.example", "example.org", "id 2", "%s"),
		key);
	peer_say(&s.p, buf_c(&out));
	CHECK_GOT(&s.p, "id='id 2' type='invalid'/>");
	peer_say(&s.p, VERIFY("far.example", "nowhere.example", "i", "k"));
	CHECK_GOT(&s.p, "type='error'", "<item-not-found");
	peer_say(&s.p, "<db:verify from='far.example' to='example.org'/>");
	CHECK_GOT(&s.p, "<bad-format");
	buf_done(&out);
	scene_done(&s);
}

/* --- limits ----------------------------------------------------------------------- */

TEST(pairs_of_one_stream_have_a_bound)
{
	struct scene s;
	char result[200];

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	for (int i = 0; i < S2S_PAIRS_MAX; i++) {
		char domain[32];

		snprintf(domain, sizeof(domain), "d%d.example", i);
		snprintf(result, sizeof(result),
			"<db:result from='%s' to='example.org'>k</db:result>",
			domain);
		peer_say(&s.p, result);
		/* half of them stand, half are being asked about */
		if (i % 2 == 0)
			domain_says(&s, "example.org", domain, ERR_NONE);
	}
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	CHECK_GOT(&s.p, "type='error'", "<resource-constraint");
	CHECK(fake_find(NULL, "far.example") == NULL);
	CHECK(!s.p.closed);
	scene_done(&s);
}

/* Also on the next stream, from there. */
TEST(who_fails_often_is_not_asked_about)
{
	struct scene s;

	scene_init(&s, "limits: { auth_failures_per_account: 2 }");
	for (int i = 0; i < 3; i++) {
		go_secure(&s, FROM("far.example"));
		peer_say(&s.p, RESULT("far.example", "example.org", "k"));
		if (i == 2)
			break;
		domain_says(&s, "example.org", "far.example", ERR_INVALID);
		CHECK_GOT(&s.p, "type='invalid'/>");
		peer_done(&s.p);
		peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
	}
	CHECK_GOT(&s.p, "<resource-constraint");
	peer_say(&s.p, RESULT("near.example", "example.org", "k"));
	domain_says(&s, "example.org", "near.example", ERR_NONE);
	CHECK_GOT(&s.p, "type='valid'/>");
	scene_done(&s);
}

TEST(who_does_not_show_who_he_is)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	world_advance(&s.w, 29 * US_PER_S);
	CHECK(!s.p.closed);
	/* while his domain is asked, it has time of its own */
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	world_advance(&s.w, 5 * US_PER_S);
	CHECK(!s.p.closed);
	domain_says(&s, "example.org", "far.example", ERR_CLOSED);
	CHECK_GOT(&s.p, "type='error'", "<connection-timeout");
	scene_done(&s);
}

TEST(who_has_is_not_sent_away)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	world_advance(&s.w, 120 * US_PER_S);
	CHECK(!s.p.closed);
	scene_done(&s);
}

/* It is gone when its domain answers. */
TEST(an_answer_for_a_stream_that_is_gone)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	peer_done(&s.p);
	domain_says(&s, "example.org", "far.example", ERR_NONE);
	peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
	scene_done(&s);
}

/* --- stanzas ----------------------------------------------------------------------- */

static const struct {
	const char *stanza, *cond;
} spoofed[] = {
	{ MESSAGE("a@near.example", ROMEO, "x"), "<invalid-from" },
	{ MESSAGE("a@sub.far.example", ROMEO, "x"), "<invalid-from" },
	{ MESSAGE("a@evilfar.example", ROMEO, "x"), "<invalid-from" },
	{ MESSAGE("juliet@example.org", ROMEO, "x"), "<invalid-from" },
	{ MESSAGE("a@far.example", "b@nowhere.example", "x"), "<host-unknown" },
	{ MESSAGE("a@far.example", "b@c.example", "x"), "<host-unknown" },
	{ MESSAGE("", ROMEO, "x"), "<improper-addressing" },
	{ MESSAGE("a@far.example", "", "x"), "<improper-addressing" },
	{ MESSAGE("a@@far.example", ROMEO, "x"), "<improper-addressing" },
	{ "<message to='" ROMEO "'/>", "<improper-addressing" },
	{ "<message from='a@far.example'/>", "<improper-addressing" },
	/* who is wrong in two things is not answered in the name of another */
	{ "<iq type='get' from='a@near.example' to='" ROMEO "'/>",
		"<invalid-from" },
	{ "<iq type='get' from='a@far.example'/>", "<improper-addressing" },
	{ "<message xmlns='jabber:client' from='a@far.example' to='" ROMEO
	  "'/>", "<invalid-namespace" },
	{ "<x xmlns='y'/>", "<unsupported-stanza-type" },
	{ AUTH("EXTERNAL", "="), "<unsupported-stanza-type" },
};

/* hostile 43; RFC 6120 §8.1.1.2, §8.1.2.2 */
TEST(stanzas_of_others)
{
	for (size_t i = 0; i < COUNT(spoofed); i++) {
		struct scene s;

		TEST_CASE(spoofed[i].stanza);
		scene_init(&s, COMPONENTS);
		go_in(&s);
		s.romeo.got.n = 0;
		peer_say(&s.p, spoofed[i].stanza);
		CHECK_GOT(&s.p, spoofed[i].cond);
		CHECK(s.romeo.got.n == 0);
		CHECK(fake_find(NULL, "near.example") == NULL);
		scene_done(&s);
	}
}

/* RFC 6120 §4.9.1.1: it is closed, and an error is no answer to one. */
TEST(who_tells_of_an_error_gets_the_end_of_the_stream)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	s.p.got.n = 0;
	peer_say(&s.p, "<stream:error><system-shutdown xmlns='" NS_STREAMS
		"'/></stream:error>");
	CHECK_GOT(&s.p, "</stream:stream>");
	CHECK(strstr(buf_c(&s.p.got), "error") == NULL);
	scene_done(&s);
}

/* It goes the way of everything that is for there. */
TEST(an_error_is_not_written_into_the_stream_that_came)
{
	struct scene s;
	struct fake *f;

	scene_init(&s, "");
	go_in(&s);
	s.p.got.n = 0;
	peer_say(&s.p, "<iq type='get' id='q1' from='a@far.example' "
		"to='example.org'/>");
	CHECK(s.p.got.n == 0);
	f = fake_find("example.org", "far.example");
	fake_up(f, 10);
	world_settle(&s.w);
	CHECK_STR(buf_str(&f->wrote), "q1 ");
	fake_break(f);
	scene_done(&s);
}

TEST(a_stanza_is_in_the_language_of_its_stream)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example") " xml:lang='de'");
	show_key(&s, RESULT("far.example", "example.org", "k"), "example.org",
		"far.example");
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "hallo"));
	CHECK_GOT(&s.romeo, "xml:lang=\"de\"", "hallo");
	scene_done(&s);
}

/* --- stream management (XEP-0198) ---------------------------------------------- */

#define SM(what) "<" what " xmlns='urn:xmpp:sm:3'/>"

static void
say_messages(struct scene *s, unsigned n)
{
	struct buf out = BUF_INIT;

	for (unsigned i = 0; i < n; i++)
		buf_add_c(&out, MESSAGE("a@far.example", ROMEO, "x"));
	peer_say(&s->p, buf_c(&out));
	buf_done(&out);
}

/* Asks, and the answer is that. */
static void
check_handled(struct scene *s, const char *h)
{
	struct buf out = BUF_INIT;

	s->p.got.n = 0;
	peer_say(&s->p, SM("r"));
	buf_printf(&out, "<a xmlns=\"urn:xmpp:sm:3\" h=\"%s\"/>", h);
	CHECK_CSTR(buf_c(&s->p.got), buf_c(&out));
	buf_done(&out);
}

static struct s2s_sm_in *
sm_of(struct scene *s)
{
	return LIST_FIRST(&s2s_known(s->w.server->shards[1])->streams)->counts;
}

TEST(what_comes_is_counted)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	CHECK(peer_has(&s.p, "<sm xmlns=\"urn:xmpp:sm:3\"/>"));
	show_key(&s, RESULT("far.example", "example.org", "k"), "example.org",
		"far.example");
	say_messages(&s, 2); /* before it counts */
	peer_say(&s.p, SM("enable"));
	CHECK_GOT(&s.p, "<enabled xmlns=\"urn:xmpp:sm:3\"/>");
	check_handled(&s, "0");
	say_messages(&s, 3);
	check_handled(&s, "3");
	/* all kinds count, and what is refused does; what is no stanza does not */
	peer_say(&s.p, "<presence from='a@far.example' to='" ROMEO "'/>"
		"<iq from='a@far.example' to='" ROMEO "' type='get' id='1'>"
		"<q xmlns='x'/></iq>"
		"<iq from='a@far.example' to='example.org' type='get'/>"
		"<message from='a@far.example' to='nobody@example.org'/>"
		RESULT("far.example", "example.org", "k")
		SM("a h='0'"));
	check_handled(&s, "7");
	/* many questions of one turn have one answer */
	s.p.got.n = 0;
	peer_say(&s.p, SM("r") SM("r") SM("r")
		MESSAGE("a@far.example", ROMEO, "x") SM("r"));
	CHECK_CSTR(buf_c(&s.p.got), "<a xmlns=\"urn:xmpp:sm:3\" h=\"8\"/>");
	scene_done(&s);
}

TEST(numbers_go_round)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	peer_say(&s.p, SM("enable"));
	sm_of(&s)->line.received = UINT32_MAX - 1;
	check_handled(&s, "4294967294");
	say_messages(&s, 1);
	check_handled(&s, "4294967295");
	say_messages(&s, 2);
	check_handled(&s, "1");
	scene_done(&s);
}

/* What is not dealt with does not count, and more is told when it is. */
TEST(what_is_on_its_way_is_told_later)
{
	struct stanza *held[2];
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	peer_say(&s.p, SM("enable"));
	say_messages(&s, 1);
	for (int i = 0; i < 2; i++) {
		held[i] = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
			jid_trusted(STR("example.org")), STR_NONE);
		receipt_line_next(&sm_of(&s)->line);
		receipt_give(&sm_of(&s)->line, held[i]);
	}
	say_messages(&s, 1);
	check_handled(&s, "1");
	s.p.got.n = 0;
	stanza_free(held[1]); /* not the first gap */
	world_settle(&s.w);
	CHECK_INT(s.p.got.n, 0);
	stanza_free(held[0]);
	world_settle(&s.w);
	CHECK_CSTR(buf_c(&s.p.got), "<a xmlns=\"urn:xmpp:sm:3\" h=\"4\"/>");
	/* who has not asked is told at the end */
	say_messages(&s, 2);
	s.p.got.n = 0;
	peer_say(&s.p, "</stream:stream>");
	CHECK_CSTR(buf_c(&s.p.got),
		"<a xmlns=\"urn:xmpp:sm:3\" h=\"6\"/></stream:stream>");
	scene_done(&s);
}

/* As many as of a session: then it is not read until half of them are. */
TEST(a_stream_rests_while_too_much_is_on_its_way)
{
	struct stanza *held[4];
	struct scene s;

	scene_init(&s, "limits: { receipts_per_session: 4 }");
	go_in(&s);
	peer_say(&s.p, SM("enable"));
	for (int i = 0; i < 3; i++) {
		held[i] = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
			jid_trusted(STR("example.org")), STR_NONE);
		receipt_line_next(&sm_of(&s)->line);
		receipt_give(&sm_of(&s)->line, held[i]);
	}
	CHECK(!(sm_of(&s)->x->rest & REST_READER));
	held[3] = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
			jid_trusted(STR("example.org")), STR_NONE);
	s2s_sm_in_take(sm_of(&s), held[3]);
	CHECK(sm_of(&s)->x->rest & REST_READER);
	stanza_free(held[3]);
	world_settle(&s.w);
	CHECK(sm_of(&s)->x->rest & REST_READER);
	stanza_free(held[0]);
	world_settle(&s.w);
	CHECK(!(sm_of(&s)->x->rest & REST_READER));
	/* what comes home behind its end is nobody's */
	peer_done(&s.p);
	peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
	stanza_free(held[1]);
	stanza_free(held[2]);
	scene_done(&s);
}

static const struct {
	const char *said, *got;
	bool bound, counts;
} sm_wrong[] = {
	{ SM("enable"), "<failed xmlns=\"urn:xmpp:sm:3\"><unexpected-request",
		false, false },
	{ SM("r"), "<unexpected-request", false, false },
	{ SM("a h='0'"), "<unexpected-request", false, false },
	{ SM("resume h='0' previd='x'"), "<unexpected-request", false, false },
	{ SM("r"), "<unexpected-request", true, false },
	{ SM("a h='0'"), "<unexpected-request", true, false },
	{ SM("resume h='0' previd='x'"), "<item-not-found", true, false },
	{ SM("resume h='0' previd='1.x'"), "<item-not-found", true, false },
	{ SM("resume h='0' previd='2.x'"), "<item-not-found", true, false },
	{ SM("resume h='0' previd='-1.x'"), "<item-not-found", true, false },
	{ SM("resume h='0' previd=''"), "<item-not-found", true, false },
	{ SM("resume h='0'"), "<item-not-found", true, false },
	{ SM("resume previd='1.x'"), "<bad-request", true, false },
	{ SM("resume h='1' previd='1.x'"), "<item-not-found", true, false },
	{ SM("enable"), "<unexpected-request", true, true },
	{ SM("resume h='0' previd='x'"), "<unexpected-request", true, true },
	{ SM("a"), "<bad-format", true, true },
	{ SM("a h='-1'"), "<bad-format", true, true },
	{ SM("a h='4294967296'"), "<bad-format", true, true },
	{ SM("a h='1'"), "<undefined-condition", true, true },
	{ SM("a h='1'"), "<handled-count-too-high xmlns=\"urn:xmpp:sm:3\" h=\"1\" "
		"send-count=\"0\"/>", true, true },
	{ "<x xmlns='urn:xmpp:sm:3'/>", "<unsupported-stanza-type", true, true },
};

/* §3, §6 */
TEST(what_is_wrong_in_stream_management)
{
	for (size_t i = 0; i < COUNT(sm_wrong); i++) {
		struct scene s;

		TEST_CASE(sm_wrong[i].said);
		scene_init(&s, "");
		go_secure(&s, FROM("far.example"));
		if (sm_wrong[i].bound)
			show_key(&s, RESULT("far.example", "example.org", "k"),
				"example.org", "far.example");
		if (sm_wrong[i].counts)
			peer_say(&s.p, SM("enable"));
		s.p.got.n = 0;
		peer_say(&s.p, sm_wrong[i].said);
		CHECK_GOT(&s.p, sm_wrong[i].got);
		scene_done(&s);
	}
}

/* --- resumption (XEP-0198 §5) ---------------------------------------------------- */

static void
enable_resumable(struct scene *s, char *id, size_t n)
{
	const char *at;

	peer_say(&s->p, SM("enable resume='true'"));
	CHECK_GOT(&s->p, "<enabled xmlns=\"urn:xmpp:sm:3\" id=\"",
		"resume=\"true\" max=\"60\"/>");
	at = strstr(strstr(buf_c(&s->p.got), "<enabled "), "id=\"") + 4;
	snprintf(id, n, "%.*s", (int)strcspn(at, "\""), at);
}

/* Counts, and has an id. */
static void
go_resumable(struct scene *s, char *id, size_t n)
{
	go_in(s);
	enable_resumable(s, id, n);
}

static void
come_again(struct scene *s, unsigned shard)
{
	peer_open_at(&s->p, &s->w, shard, s2s_in_kinds);
	go_in(s);
}

/* h has come back by the one before. */
static void
resume_from(struct scene *s, const char *id, unsigned h)
{
	struct buf out = BUF_INIT;

	s->p.got.n = 0;
	buf_printf(&out, "<resume xmlns='urn:xmpp:sm:3' h='%u' previd='%s'/>", h,
		id);
	peer_say(&s->p, buf_c(&out));
	world_settle(&s->w);
	buf_done(&out);
}

static void
resume(struct scene *s, const char *id)
{
	resume_from(s, id, 0);
}

/* Back and forth between shards. */
TEST(a_stream_goes_on_with_one_that_broke)
{
	static const unsigned shards[] = { 1, 0, 0, 1, 0, 1, 1 };
	struct scene s;
	char id[80];

	scene_init(&s, "");
	go_resumable(&s, id, sizeof(id));
	for (unsigned i = 0; i < COUNT(shards); i++) {
		char h[60];

		say_messages(&s, 2);
		peer_done(&s.p);
		world_settle(&s.w);
		come_again(&s, shards[i]);
		resume(&s, id);
		snprintf(h, sizeof(h), "<resumed xmlns=\"urn:xmpp:sm:3\" h=\"%u\"",
			2 * (i + 1));
		CHECK_GOT(&s.p, h);
	}
	say_messages(&s, 1);
	check_handled(&s, "15");
	scene_done(&s);
}

/* The old one has not noticed. */
TEST(one_that_is_there_makes_room)
{
	for (unsigned shard = 0; shard < SHARDS; shard++) {
		struct scene s, second;
		char id[80];

		scene_init(&s, "");
		go_resumable(&s, id, sizeof(id));
		say_messages(&s, 2);
		s.p.got.n = 0;
		second = s; /* with a peer of its own */
		peer_open_at(&second.p, &s.w, shard, s2s_in_kinds);
		go_in(&second);
		resume(&second, id);
		CHECK_GOT(&second.p, "<resumed xmlns=\"urn:xmpp:sm:3\" h=\"2\"");
		CHECK_GOT(&s.p, "<conflict");
		peer_done(&second.p);
		scene_done(&s);
	}
}

TEST(it_waits_until_all_is_dealt_with)
{
	struct stanza *held;
	struct scene s;
	char id[80];

	scene_init(&s, "");
	go_resumable(&s, id, sizeof(id));
	say_messages(&s, 1);
	held = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
		jid_trusted(STR("example.org")), STR_NONE);
	receipt_line_next(&sm_of(&s)->line);
	receipt_give(&sm_of(&s)->line, held);
	peer_done(&s.p);
	world_settle(&s.w);
	come_again(&s, 0);
	resume(&s, id);
	CHECK_INT(s.p.got.n, 0);
	/* what is behind it waits, too */
	say_messages(&s, 1);
	stanza_free(held);
	world_settle(&s.w);
	CHECK_GOT(&s.p, "<resumed xmlns=\"urn:xmpp:sm:3\" h=\"2\"");
	check_handled(&s, "3");
	scene_done(&s);
}

/* By one that goes one way nothing has come back. */
TEST(nothing_has_come_back_by_a_stream_that_goes_one_way)
{
	struct scene s;
	char id[80];

	scene_init(&s, "");
	go_resumable(&s, id, sizeof(id));
	peer_done(&s.p);
	world_settle(&s.w);
	come_again(&s, 0);
	resume_from(&s, id, 1);
	CHECK_GOT(&s.p, "<handled-count-too-high xmlns=\"urn:xmpp:sm:3\" h=\"1\" "
		"send-count=\"0\"/>");
	scene_done(&s);
}

/* And what it would have gone on with stays for the next. */
TEST(one_that_goes_while_it_waits_for_that)
{
	struct stanza *held;
	struct scene s;
	char id[80];

	scene_init(&s, "");
	go_resumable(&s, id, sizeof(id));
	held = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
		jid_trusted(STR("example.org")), STR_NONE);
	receipt_line_next(&sm_of(&s)->line);
	receipt_give(&sm_of(&s)->line, held);
	peer_done(&s.p);
	world_settle(&s.w);
	come_again(&s, 0);
	resume(&s, id);
	peer_done(&s.p);
	world_settle(&s.w);
	stanza_free(held);
	world_settle(&s.w);
	come_again(&s, 1);
	resume(&s, id);
	CHECK_GOT(&s.p, "<resumed xmlns=\"urn:xmpp:sm:3\" h=\"1\"");
	scene_done(&s);
}

static const struct {
	const char *label;
	int64_t wait_us;
	bool goodbye, other;
} gone[] = {
	{ "too late", 61 * US_PER_S, false, false },
	{ "it has said goodbye", 0, true, false },
	{ "another domain", 0, false, true },
};

TEST(nobody_goes_on_with)
{
	for (size_t i = 0; i < COUNT(gone); i++) {
		for (unsigned shard = 0; shard < SHARDS; shard++) {
			struct scene s;
			char id[80];

			TEST_CASE(gone[i].label);
			scene_init(&s, "");
			go_resumable(&s, id, sizeof(id));
			if (gone[i].goodbye)
				peer_say(&s.p, "</stream:stream>");
			peer_done(&s.p);
			world_settle(&s.w);
			world_advance(&s.w, gone[i].wait_us);
			peer_open_at(&s.p, &s.w, shard, s2s_in_kinds);
			if (gone[i].other) {
				go_secure(&s, FROM("near.example"));
				show_key(&s, RESULT("near.example",
					"example.org", "k"), "example.org",
					"near.example");
			} else {
				go_in(&s);
			}
			resume(&s, id);
			CHECK_GOT(&s.p, "<failed xmlns=\"urn:xmpp:sm:3\">"
				"<item-not-found");
			/* it may count all the same */
			peer_say(&s.p, SM("enable"));
			CHECK_GOT(&s.p, "<enabled");
			scene_done(&s);
		}
	}
}

/* Of one domain. */
TEST(so_many_sleep_and_no_more)
{
	struct scene s;
	char ids[12][80];

	scene_init(&s, "");
	for (int i = 0; i < 12; i++) {
		if (i != 0)
			peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
		go_resumable(&s, ids[i], sizeof(ids[i]));
		peer_done(&s.p);
		world_settle(&s.w);
	}
	CHECK_INT(s2s_known(s.w.server->shards[1])->n_asleep, 8);
	come_again(&s, 0);
	resume(&s, ids[3]);
	CHECK_GOT(&s.p, "<item-not-found");
	resume(&s, ids[4]);
	CHECK_GOT(&s.p, "<resumed ");
	scene_done(&s);
}

/* --- a reload ---------------------------------------------------------------------- */

#define YAML(hosts)                                                            \
	"shards: 2\nstorage: { driver: memory }\nhosts: { " hosts " }\n"

/* A host that goes takes its pairs with it, and a domain that becomes ours is not
 * another server's any more. */
TEST(a_reload_that_takes_the_only_pair)
{
	static const struct {
		const char *yaml, *cond;
	} cases[] = {
		{ YAML("other.example: {}"), "<host-gone" },
		{ YAML("example.org: {}, far.example: {}"),
			"<policy-violation" },
		{ YAML("example.org: { federation: off }"),
			"<policy-violation" },
		{ YAML("example.org: { federation: { deny: [far.example] } }"),
			"<policy-violation" },
		{ YAML("example.org: { federation: { allow: [near.example] } }"),
			"<policy-violation" },
		{ YAML("example.org: { federation: "
		       "{ policy: required-trusted } }"), "<policy-violation" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;

		TEST_CASE(cases[i].yaml);
		scene_init(&s, "");
		go_in(&s);
		s.p.got.n = 0;
		world_reload(&s.w, cases[i].yaml);
		CHECK_GOT(&s.p, cases[i].cond);
		scene_done(&s);
	}
}

TEST(a_reload_that_leaves_a_pair)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	show_key(&s, RESULT("near.example", "example.org", "k"), "example.org",
		"near.example");
	world_reload(&s.w, YAML("example.org: { federation: { mode: on, deny: "
				"[far.example, '*.near.example'] } }"));
	CHECK(!s.p.closed);
	peer_say(&s.p, MESSAGE("a@near.example", ROMEO, "still"));
	CHECK(peer_has(&s.romeo, "still"));
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	CHECK_GOT(&s.p, "type='error'", "<not-allowed");
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "not any more"));
	CHECK_GOT(&s.p, "<invalid-from");
	CHECK(!peer_has(&s.romeo, "not any more"));
	scene_done(&s);
}

/* Before each stream is looked at, the next that comes is judged all the same; also
 * when a pair is added meanwhile. */
TEST(a_pair_that_comes_behind_a_reload_hides_no_other)
{
	struct scene s;

	scene_init(&s, "");
	go_in(&s);
	peer_say(&s.p, RESULT("near.example", "example.org", "k"));
	s.w.server->on_reloaded = NULL;
	world_reload(&s.w, YAML("example.org: { federation: { mode: on, deny: "
				"[far.example] } }"));
	domain_says(&s, "example.org", "near.example", ERR_NONE);
	CHECK_GOT(&s.p, "type='valid'/>");
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "not any more"));
	CHECK_GOT(&s.p, "<invalid-from");
	CHECK(!peer_has(&s.romeo, "not any more"));
	scene_done(&s);
}

/* --- both ways (XEP-0288) --------------------------------------------------------- */

/* From shard, until the key is right; bidi is said behind the features. */
static void
go_both_ways(struct scene *s, unsigned shard, const char *bidi)
{
	peer_done(&s->p);
	peer_open_at(&s->p, &s->w, shard, s2s_in_kinds);
	say_header(&s->p, FROM("far.example"));
	peer_say(&s->p, STARTTLS);
	say_header(&s->p, FROM("far.example"));
	CHECK_GOT(&s->p, "<errors/>", BIDI_FEATURE);
	peer_say(&s->p, bidi);
	show_key(s, RESULT("far.example", "example.org", "k"), "example.org",
		"far.example");
}

/* The peer says nothing of stream management, which is waited for. */
static void
go_both_ways_uncounted(struct scene *s, unsigned shard, const char *bidi)
{
	go_both_ways(s, shard, bidi);
	world_advance(&s->w, US_PER_S);
}

static void
romeo_says(struct scene *s, const char *to, const char *body)
{
	struct buf out = BUF_INIT;

	buf_printf(&out, "<message to='%s' type='chat'><body>%s</body></message>",
		to, body);
	peer_say(&s->romeo, buf_c(&out));
	buf_done(&out);
}

/* On whatever shard it was accepted. */
TEST(what_goes_to_a_domain_goes_by_the_stream_that_it_has_opened)
{
	for (unsigned shard = 0; shard < SHARDS; shard++) {
		struct scene s;

		scene_init(&s, "");
		go_both_ways_uncounted(&s, shard, BIDI);
		/* nothing goes out by a stream of ours but the question */
		CHECK_INT(fake_count("example.org", "far.example"), 1);
		CHECK(fake_find("example.org", "far.example")->cancelled);
		romeo_says(&s, "a@far.example", "back");
		CHECK_GOT(&s.p, "<message ", "to=\"a@far.example\"", "back");
		CHECK(!peer_has(&s.p, "jabber:client"));
		peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "and forth"));
		CHECK(peer_has(&s.romeo, "and forth"));
		CHECK_INT(fake_count("example.org", "far.example"), 1);
		scene_done(&s);
	}
}

/* The answer to the key comes first, and what waited follows it in order. */
TEST(what_waits_for_a_domain_goes_by_the_stream_that_it_opens)
{
	const char *at;
	struct scene s;

	scene_init(&s, "");
	romeo_says(&s, "a@far.example", "one");
	romeo_says(&s, "a@far.example", "two");
	go_both_ways_uncounted(&s, 1, BIDI);
	at = strstr(buf_c(&s.p.got), "type='valid'/>");
	CHECK(at != NULL && (at = strstr(at, "one")) != NULL);
	CHECK(at != NULL && strstr(at, "two") != NULL);
	scene_done(&s);
}

TEST(a_stream_that_ends_is_no_link_any_more)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways_uncounted(&s, 1, BIDI);
	romeo_says(&s, "a@far.example", "one");
	CHECK(peer_has(&s.p, "one"));
	peer_say(&s.p, "</stream:stream>");
	romeo_says(&s, "a@far.example", "two");
	CHECK(!peer_has(&s.p, "two"));
	CHECK_INT(fake_count("example.org", "far.example"), 2);
	scene_done(&s);
}

TEST(nothing_goes_out_before_the_peer_has_shown_who_it_is)
{
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	peer_say(&s.p, BIDI);
	romeo_says(&s, "a@far.example", "secret");
	CHECK(s.p.got.n == 0);
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	domain_says(&s, "example.org", "far.example", ERR_INVALID);
	CHECK(!peer_has(&s.p, "secret"));
	scene_done(&s);
}

/* XEP-0288 §2.1, §2.2: what was not offered, or comes too late, changes nothing. */
TEST(a_request_at_another_time_is_no_request)
{
	struct scene s;

	scene_init(&s, "");
	/* in the clear */
	say_header(&s.p, FROM("far.example"));
	CHECK(!peer_has(&s.p, BIDI_FEATURE));
	peer_say(&s.p, BIDI);
	CHECK_GOT(&s.p, "<policy-violation");
	/* from somebody who does not say who he is */
	peer_done(&s.p);
	peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
	go_secure(&s, TO);
	CHECK(!peer_has(&s.p, BIDI_FEATURE));
	peer_say(&s.p, BIDI);
	CHECK(s.p.got.n == 0);
	/* behind a key, and when that is right */
	peer_done(&s.p);
	peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
	go_secure(&s, FROM("far.example"));
	peer_say(&s.p, RESULT("far.example", "example.org", "k"));
	peer_say(&s.p, BIDI);
	domain_says(&s, "example.org", "far.example", ERR_NONE);
	CHECK_GOT(&s.p, "type='valid'/>");
	peer_say(&s.p, BIDI);
	romeo_says(&s, "a@far.example", "not by this one");
	CHECK(s.p.got.n == 0);
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "goes on"));
	CHECK(peer_has(&s.romeo, "goes on"));
	/* and twice is once */
	go_both_ways(&s, 0, BIDI BIDI);
	peer_say(&s.p, MESSAGE("a@far.example", ROMEO, "twice"));
	CHECK(peer_has(&s.romeo, "twice"));
	scene_done(&s);
}

/* hostile 43 */
TEST(what_comes_by_a_stream_that_goes_both_ways_is_from_its_peer)
{
	static const char *const wrong[] = {
		MESSAGE("a@near.example", ROMEO, "spoofed"),
		MESSAGE("romeo@example.org", ROMEO, "spoofed"),
		MESSAGE("a@x.far.example", ROMEO, "spoofed"),
	};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct scene s;

		TEST_CASE(wrong[i]);
		scene_init(&s, "");
		go_both_ways(&s, 1, BIDI);
		peer_say(&s.p, wrong[i]);
		CHECK_GOT(&s.p, "<invalid-from");
		CHECK(!peer_has(&s.romeo, "spoofed"));
		scene_done(&s);
	}
}

/* A domain of theirs gets by it what it has shown for, and no other. */
TEST(each_pair_of_the_domain_of_the_header_goes_both_ways)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways(&s, 1, BIDI);
	show_key(&s, RESULT("far.example", "example.net", "k"), "example.net",
		"far.example");
	show_key(&s, RESULT("near.example", "example.org", "k"), "example.org",
		"near.example");
	/* §2.2: nor does a key go by the stream that has brought it */
	CHECK(!peer_has(&s.p, "<db:verify"));
	s.p.got.n = 0;
	romeo_says(&s, "a@near.example", "by a stream of ours");
	CHECK(s.p.got.n == 0);
	peer_say(&s.p, MESSAGE("a@far.example", "example.net", "bounce me"));
	peer_say(&s.p, "<iq type='get' id='q' from='a@far.example' "
		"to='example.net'><query xmlns='urn:x'/></iq>");
	CHECK_GOT(&s.p, "<iq ", "from=\"example.net\"", "to=\"a@far.example\"");
	CHECK_INT(fake_count("example.net", "far.example"), 1);
	scene_done(&s);
}

/* XEP-0478 §3.2: as by a stream of ours. */
TEST(the_peer_hears_something_before_it_thinks_that_we_are_gone)
{
	struct scene s;
	int silent_s = 0, most_s = 0;

	scene_init(&s, "");
	go_both_ways(&s, 1,
		"<bidi xmlns='urn:xmpp:bidi'><limits xmlns="
		"'urn:xmpp:stream-limits:0'><idle-seconds>30</idle-seconds>"
		"</limits></bidi>");
	for (int n = 0; n < 200; n++) {
		s.p.got.n = 0;
		conn_mem_feed(s.romeo.conn, " ", 1);
		world_advance(&s.w, US_PER_S);
		CHECK(s.p.got.n == 0 || str_is(buf_str(&s.p.got), " "));
		silent_s = s.p.got.n == 0 ? silent_s + 1 : 0;
		most_s = MAX(most_s, silent_s);
	}
	CHECK(!s.p.closed);
	CHECK(most_s < 30 && most_s >= 9);
	scene_done(&s);
}

/* XEP-0478 §3.2 */
TEST(what_is_larger_than_the_peer_takes_is_answered)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways_uncounted(&s, 1,
		"<bidi xmlns='urn:xmpp:bidi'><limits xmlns="
		"'urn:xmpp:stream-limits:0'><max-bytes>150</max-bytes></limits>"
		"</bidi>");
	s.p.got.n = 0;
	romeo_says(&s, "a@far.example",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	CHECK_GOT(&s.romeo, "policy-violation", "larger than 150 bytes");
	CHECK(s.p.got.n == 0);
	scene_done(&s);
}

#define RELOADED(federation)                                                   \
	"shards: 2\nstorage: { driver: memory }\n"                             \
	"hosts: { example.org: {} }\nfederation: { mode: on" federation " }\n"

/* What goes out has to be permitted as on a stream of ours. */
TEST(a_policy_ends_a_stream_that_goes_both_ways)
{
	static const char *const policies[] = {
		RELOADED(", deny: [ far.example ]"),
		RELOADED(", policy: required-trusted"),
	};

	for (size_t i = 0; i < COUNT(policies); i++) {
		struct scene s;

		scene_init(&s, "");
		go_both_ways(&s, 1, BIDI);
		world_reload(&s.w, policies[i]);
		CHECK_GOT(&s.p, "<policy-violation", "</stream:stream>");
		romeo_says(&s, "a@far.example", "forbidden");
		CHECK(!peer_has(&s.p, "forbidden"));
		scene_done(&s);
	}
}

/* XEP-0198: they may acknowledge what they got, and no more. */
TEST(what_goes_back_may_be_acknowledged)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways(&s, 1, BIDI);
	peer_say(&s.p, "<enable xmlns='urn:xmpp:sm:3'/>");
	CHECK_GOT(&s.p, "<enabled ");
	romeo_says(&s, "a@far.example", "one");
	CHECK_GOT(&s.p, "one");
	peer_say(&s.p, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
	romeo_says(&s, "a@far.example", "two");
	CHECK_GOT(&s.p, "two");
	peer_say(&s.p, "<a xmlns='urn:xmpp:sm:3' h='3'/>");
	CHECK_GOT(&s.p, "handled-count-too-high", "send-count=\"2\"");
	scene_done(&s);
}

/* Else what is written before it would be nobody's when the stream breaks. */
TEST(what_goes_back_waits_for_whether_it_counts)
{
	static const char *const says[] = { SM("enable"),
		"<iq type='get' id='q' from='a@far.example' to='example.org'>"
		"<query xmlns='urn:x'/></iq>" };

	for (size_t i = 0; i < COUNT(says); i++) {
		struct scene s;

		scene_init(&s, "");
		romeo_says(&s, "a@far.example", "one");
		go_both_ways(&s, 1, BIDI);
		CHECK(!peer_has(&s.p, "one"));
		world_advance(&s.w, US_PER_S / 2);
		CHECK(!peer_has(&s.p, "one"));
		peer_say(&s.p, says[i]);
		CHECK_GOT(&s.p, "one");
		scene_done(&s);
	}
}

/* What signed records say may come when a reload has taken the domain that the stream
 * is for, and the stream is not told yet. */
TEST(records_that_come_in_the_midst_of_a_reload)
{
	struct s2s_dane found = { .verdict = TLS_DANE_FITS };
	const struct snapshot *before;
	struct s2s_in *c;
	struct shard *sh;
	struct scene s;

	scene_init(&s, "");
	go_secure(&s, FROM("far.example"));
	sh = s.w.server->shards[1];
	c = LIST_FIRST(&s2s_known(sh)->streams);
	found.remote = xstrdup("far.example");
	found.why = xstrdup("fits");
	memuse_add_part(MEMUSE_STREAM, found.remote);
	memuse_add_part(MEMUSE_STREAM, found.why);
	*vec_push(&c->danes) = found;
	before = sh->snap;
	world_publish(&s.w,
		"shards: 2\nstorage: { driver: memory }\nfederation: on\n"
		"hosts: { example.net: {} }\n");
	for (int i = 0; i < 100 && sh->snap == before; i++) {
		shard_turn(s.w.server->shards[0]);
		shard_turn(sh);
	}
	CHECK(sh->snap != before && c->x.stage == STAGE_OPEN);
	s.p.got.n = 0;
	s2s_in_go_on(c);
	world_settle(&s.w);
	CHECK_GOT(&s.p, "<host-gone");
	CHECK(!peer_has(&s.p, "<stream:features>"));
	scene_done(&s);
}

/* One that is answered with an error from example.net, by the same id. */
#define TO_NOBODY(id)                                                          \
	"<message id='" id "' from='a@far.example' to='nobody@example.net'>"   \
	"<body>x</body></message>"

/* For example.org and example.net, counted from the beginning or when both stand. */
static void
go_both_ways_for_two(struct scene *s, bool at_once)
{
	go_both_ways(s, 1, BIDI);
	if (at_once)
		peer_say(&s->p, SM("enable"));
	show_key(s, RESULT("far.example", "example.net", "k"), "example.net",
		"far.example");
	s->p.got.n = 0;
	if (!at_once)
		peer_say(&s->p, SM("enable"));
}

/* Numbers are those of the stream, and each link has its own of them. */
TEST(what_goes_back_for_two_is_kept_until_it_is_acknowledged)
{
	for (int at_once = 0; at_once < 2; at_once++) {
		struct scene s;

		scene_init(&s, "");
		go_both_ways_for_two(&s, at_once != 0);
		romeo_says(&s, "a@far.example", "o1"); /* 1 */
		peer_say(&s.p, TO_NOBODY("n2") TO_NOBODY("n3"));
		romeo_says(&s, "a@far.example", "o4");
		peer_say(&s.p, TO_NOBODY("n5"));
		CHECK_GOT(&s.p, "n5");
		peer_say(&s.p, SM("a h='2'"));
		peer_say(&s.p, SM("a h='3'") SM("a h='1'"));
		CHECK(!peer_has(&s.p, "<stream:error"));
		go_both_ways_for_two(&s, false);
		world_settle(&s.w);
		CHECK_GOT(&s.p, "o4", "n5");
		CHECK(!peer_has(&s.p, "o1") && !peer_has(&s.p, "n2") &&
			!peer_has(&s.p, "n3"));
		/* of them, one more than there were */
		peer_say(&s.p, SM("a h='2'"));
		CHECK_INT(s.p.got.n, 0);
		peer_say(&s.p, SM("a h='3'"));
		CHECK_GOT(&s.p, "handled-count-too-high", "send-count=\"2\"");
		scene_done(&s);
	}
}

/* One question is for all of them; what came behind it is asked about behind its
 * answer. */
TEST(of_two_that_go_back_each_is_asked_about)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways_for_two(&s, true);
	romeo_says(&s, "a@far.example", "one");
	world_advance(&s.w, US_PER_S / 4);
	CHECK_GOT(&s.p, "<r xmlns='urn:xmpp:sm:3'/>");
	s.p.got.n = 0;
	peer_say(&s.p, TO_NOBODY("two"));
	world_advance(&s.w, US_PER_S / 4);
	CHECK(!peer_has(&s.p, "<r "));
	peer_say(&s.p, SM("a h='1'"));
	CHECK_GOT(&s.p, "<r xmlns='urn:xmpp:sm:3'/>");
	s.p.got.n = 0;
	peer_say(&s.p, SM("a h='2'"));
	world_advance(&s.w, 10 * US_PER_S);
	CHECK(!peer_has(&s.p, "<r "));
	scene_done(&s);
}

/* What its link has written has numbers all the same. */
TEST(a_pair_that_leaves_costs_the_other_no_number)
{
	struct scene s;

	scene_init(&s, "");
	go_both_ways_for_two(&s, true);
	peer_say(&s.p, TO_NOBODY("n1"));
	romeo_says(&s, "a@far.example", "o2");
	world_reload(&s.w,
		"shards: 2\nstorage: { driver: memory }\nfederation: on\n"
		"hosts: { example.org: {} }\n");
	romeo_says(&s, "a@far.example", "o3");
	CHECK_GOT(&s.p, "n1", "o2", "o3");
	peer_say(&s.p, SM("a h='2'"));
	go_both_ways(&s, 1, BIDI);
	peer_say(&s.p, SM("enable"));
	world_settle(&s.w);
	CHECK_GOT(&s.p, "o3");
	CHECK(!peer_has(&s.p, "o2") && !peer_has(&s.p, "n1"));
	scene_done(&s);
}

/* Which may be those of the stream that it goes on with, and are to be shown before
 * that; not for ever. */
TEST(what_goes_back_waits_for_keys_that_are_asked_about)
{
	for (int answered = 0; answered < 2; answered++) {
		struct scene s;

		scene_init(&s, "");
		romeo_says(&s, "a@far.example", "one");
		go_both_ways(&s, 1, BIDI);
		peer_say(&s.p, RESULT("far.example", "example.net", "k"));
		world_advance(&s.w, 5 * US_PER_S);
		CHECK(!peer_has(&s.p, "one"));
		if (answered) {
			domain_says(&s, "example.net", "far.example", ERR_NONE);
			CHECK(!peer_has(&s.p, "one"));
			peer_say(&s.p, SM("enable"));
		} else {
			world_advance(&s.w, 7 * US_PER_S);
		}
		CHECK_GOT(&s.p, "one");
		scene_done(&s);
	}
}

/* --- both ways, and resumed (XEP-0198 §5) --------------------------------------------- */

/* What goes to them is read as the names of what is there, in order. */
static void
check_came(struct scene *s, const char *wanted)
{
	struct buf out = BUF_INIT;
	const char *at = buf_c(&s->p.got);

	for (; (at = strpbrk(at, "on")) != NULL; at++) {
		bool id = at != buf_c(&s->p.got) &&
			(at[-1] == '"' || at[-1] == '>');

		if (id && at[1] >= '0' && at[1] <= '9')
			buf_printf(&out, "%.2s ", at);
	}
	CHECK_CSTR(buf_c(&out), wanted);
	buf_done(&out);
}

/* With one stanza that has a number in either direction: o1 n2 o3 n4 o5, and a request;
 * then the stream breaks, and another one comes. */
static void
break_both_ways(struct scene *s, char *id, size_t n, unsigned acked)
{
	struct buf a = BUF_INIT;

	go_both_ways(s, 1, BIDI);
	show_key(s, RESULT("far.example", "example.net", "k"), "example.net",
		"far.example");
	enable_resumable(s, id, n);
	romeo_says(s, "a@far.example", "o1");
	peer_say(&s->p, TO_NOBODY("n2"));
	romeo_says(s, "a@far.example", "o3");
	peer_say(&s->p, TO_NOBODY("n4"));
	romeo_says(s, "a@far.example", "o5");
	peer_say(&s->romeo, "<iq type='get' id='o6' to='a@far.example'>"
		"<q xmlns='x'/></iq>");
	buf_printf(&a, "<a xmlns='urn:xmpp:sm:3' h='%u'/>", acked);
	peer_say(&s->p, buf_c(&a));
	buf_done(&a);
	s->romeo.got.n = 0;
	go_both_ways(s, 1, BIDI); /* and the first one breaks */
	show_key(s, RESULT("far.example", "example.net", "k"), "example.net",
		"far.example");
}

static const struct {
	unsigned acked, h;
	const char *comes;
} back_cases[] = {
	{ 0, 0, "o1 o3 o5 o6 n2 n4 " }, { 0, 1, "o3 o5 o6 n2 n4 " },
	{ 1, 1, "o3 o5 o6 n2 n4 " }, { 1, 2, "o3 o5 o6 n4 " },
	{ 1, 3, "o5 o6 n4 " }, { 0, 4, "o5 o6 " }, { 4, 5, "o6 " },
	{ 0, 6, "" }, { 6, 6, "" },
};

/* Each comes once, in order, requests as well. */
TEST(what_has_come_back_does_not_come_again)
{
	for (size_t i = 0; i < COUNT(back_cases); i++) {
		unsigned h = back_cases[i].h;
		char id[80], text[80];
		struct scene s;

		TEST_CASE(back_cases[i].comes);
		scene_init(&s, "");
		break_both_ways(&s, id, sizeof(id), back_cases[i].acked);
		world_advance(&s.w, 2 * US_PER_S); /* it is waited for */
		check_came(&s, "");
		resume_from(&s, id, h);
		CHECK_GOT(&s.p, "<resumed xmlns=\"urn:xmpp:sm:3\" h=\"2\"");
		check_came(&s, back_cases[i].comes);
		CHECK_INT(s.romeo.got.n, 0);
		CHECK_INT(fake_count("example.org", "far.example"), 2);
		/* numbers go on */
		s.p.got.n = 0;
		snprintf(text, sizeof(text), SM("a h='%u'"), 6u);
		peer_say(&s.p, text);
		CHECK(!peer_has(&s.p, "<stream:error"));
		snprintf(text, sizeof(text), SM("a h='%u'"), 7u);
		peer_say(&s.p, text);
		CHECK_GOT(&s.p, "handled-count-too-high", "send-count=\"6\"");
		scene_done(&s);
	}
}

/* And it may break as often as it likes. */
TEST(what_goes_back_by_streams_that_break_comes_once)
{
	char id[80], body[8];
	struct scene s;
	unsigned h = 0;

	scene_init(&s, "");
	go_both_ways(&s, 1, BIDI);
	enable_resumable(&s, id, sizeof(id));
	for (int i = 0; i < 8; i++) {
		snprintf(body, sizeof(body), "o%d", i);
		romeo_says(&s, "a@far.example", body);
		snprintf(body, sizeof(body), "o%d ", i);
		s.p.got.n = 0;
		go_both_ways(&s, 1, BIDI);
		resume_from(&s, id, h);
		check_came(&s, body);
		h++;
	}
	scene_done(&s);
}

TEST(who_says_that_more_has_come_back_than_went)
{
	struct scene s;
	char id[80];

	scene_init(&s, "");
	break_both_ways(&s, id, sizeof(id), 1);
	resume_from(&s, id, 7);
	CHECK_GOT(&s.p, "handled-count-too-high", "send-count=\"6\"");
	scene_done(&s);
}

/* Then messages may come twice, and the request is answered. */
TEST(who_begins_anew_is_not_waited_for)
{
	struct scene s;
	char id[80];

	scene_init(&s, "");
	break_both_ways(&s, id, sizeof(id), 1);
	s.p.got.n = 0;
	peer_say(&s.p, SM("enable"));
	check_came(&s, "o3 o5 n2 n4 ");
	CHECK(peer_has(&s.romeo, "id=\"o6\""));
	CHECK(peer_has(&s.romeo, "<remote-server-timeout"));
	scene_done(&s);
}

TEST(who_does_not_come_is_waited_for_for_a_while)
{
	struct scene s;
	unsigned n;

	for (int forth = 0; forth < 2; forth++) {
		char id[80];

		scene_init(&s, "");
		go_both_ways(&s, 1, BIDI);
		enable_resumable(&s, id, sizeof(id));
		romeo_says(&s, "a@far.example", "o1");
		n = fake_count("example.org", "far.example");
		peer_done(&s.p);
		peer_open_at(&s.p, &s.w, 1, s2s_in_kinds);
		world_advance(&s.w, 9 * US_PER_S);
		CHECK_INT(fake_count("example.org", "far.example"), n);
		world_advance(&s.w, 2 * US_PER_S);
		CHECK_INT(fake_count("example.org", "far.example"), n + 1);
		/* while ours comes up, it may come all the same */
		if (forth == 0) {
			go_both_ways(&s, 1, BIDI);
			resume_from(&s, id, 1);
			check_came(&s, "");
			romeo_says(&s, "a@far.example", "o2");
			check_came(&s, "o2 ");
		} else {
			fake_up(fake_find("example.org", "far.example"), 9);
			world_settle(&s.w);
			CHECK_INT(fake_find("example.org", "far.example")
				->n_wrote, 1);
			fake_break(fake_find("example.org", "far.example"));
		}
		scene_done(&s);
	}
}

TEST_MAIN
