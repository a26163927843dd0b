/*
 * test_s2s_out.c - streams to other servers: what they say, whom they believe, and
 * what comes of the pair that has asked for them.
 */
#include "config.h"

#include "stream/server/s2s_out.h"

#include <stdio.h>

#include "base/err.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/audience.h"
#include "core/entity.h"
#include "core/link.h"
#include "remote/remote_int.h"
#include "core/receipt.h"
#include "stream/server/dialback.h"
#include "stream/server/s2s_out_int.h"
#include "stream/server/s2s_sm.h"
#include "stream/stream.h"

#include "c2s_world.h"
#include "test.h"

#define LOCAL "example.org"
#define FAR "far.example"

struct scene {
	struct world world;
	struct peer romeo;
	struct peer far[4]; /* who is there, one after the other */
	unsigned n_far;
	unsigned max_far;   /* nobody is there for more */
	unsigned n_ok, n_not, n_failed; /* answers about keys */
	enum err_code failed; /* why the last one was not answered */
};

static struct scene *the_scene;

static void
on_write(void *arg, const char *p, size_t n)
{
	struct peer *peer = arg;

	buf_add(&peer->got, p, n);
}

static void
on_closed(void *arg)
{
	struct peer *peer = arg;

	peer->closed = true;
	peer->conn = NULL;
}

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	struct scene *s = the_scene;
	struct peer *p = &s->far[s->n_far];
	struct conn_mem_sink sink = { on_write, on_closed, p };

	(void)srv;
	CHECK_CSTR(domain, FAR);
	if (s->n_far == s->max_far)
		return NULL;
	s->n_far++;
	*p = (struct peer){ .world = &s->world };
	p->conn = conn_new_mem(sh->net, &sink);
	return p->conn;
}

static struct remote *
far_remote(struct scene *s)
{
	return (struct remote *)entity_find(s->world.server->shards[0],
		STR(FAR));
}

static struct remote_pair *
far_pair(struct scene *s)
{
	struct remote *r = far_remote(s);

	return r != NULL ? LIST_FIRST(&r->pairs) : NULL;
}

static bool
is_up(struct scene *s)
{
	struct remote_pair *p = far_pair(s);

	return p != NULL && p->link != NULL;
}

static bool
is_coming(struct scene *s)
{
	struct remote_pair *p = far_pair(s);

	return p != NULL && p->attempt != NULL;
}

/* Why it could not be reached the last time. */
static const char *
far_why(struct scene *s)
{
	struct remote *r = far_remote(s);

	return r != NULL && r->failures != NULL ? r->failures->all[0].why : "";
}

static void
say_to_far(struct scene *s, size_t n)
{
	struct buf text = BUF_INIT;

	buf_add_c(&text, "<message type='chat' id='m1' to='juliet@" FAR "'><body>");
	for (size_t i = 0; i < n; i++)
		buf_add_c(&text, "x");
	buf_add_c(&text, "</body></message>");
	peer_say(&s->romeo, buf_c(&text));
	buf_done(&text);
}

/* Something is to go there once more, when it may be tried. */
static void
scene_again(struct scene *s)
{
	world_advance(&s->world, 5 * US_PER_S);
	say_to_far(s, 3);
}

/* policy: "" or more of `federation'. */
static void
scene_init_as(struct scene *s, const char *policy)
{
	char conf[200];

	snprintf(conf, sizeof(conf), "federation: { mode: on%s }", policy);
	*s = (struct scene){ .max_far = 4 };
	the_scene = s;
	world_init(&s->world, 1, conf, "");
	s->world.server->reach = on_reach;
	s->world.server->remote_streams = &s2s_streams;
	peer_open(&s->romeo, &s->world, 0, true);
	peer_login(&s->romeo, AUTH_ROMEO, BIND("orchard"));
}

static void
scene_init_quiet(struct scene *s)
{
	scene_init_as(s, "");
}

static void
scene_init(struct scene *s)
{
	scene_init_quiet(s);
	say_to_far(s, 3);
	CHECK_INT(s->n_far, 1);
}

static void
scene_done(struct scene *s)
{
	s->max_far = s->n_far; /* none that would be gone on with */
	peer_done(&s->romeo);
	for (unsigned i = 0; i < s->n_far; i++)
		peer_done(&s->far[i]);
	CHECK(!is_up(s));
	world_advance(&s->world, 5 * US_PER_S);
	CHECK_INT(s->world.server->shards[0]->stats.streams, 0);
	world_done(&s->world);
}

#define DB "xmlns:db='jabber:server:dialback'"
#define HEAD_OF(id, more)                                                      \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "           \
	"xmlns:stream='http://etherx.jabber.org/streams' " DB " id='" id       \
	"' version='1.0' " more ">"
#define THEIRS(id) HEAD_OF(id, "from='" FAR "' to='" LOCAL "'")
#define FEATURES(text) "<stream:features>" text "</stream:features>"
#define STARTTLS "<starttls " TLS "><required/></starttls>"
#define PROCEED "<proceed " TLS "/>"
#define DIALBACK                                                               \
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
#define EXTERNAL SASL("mechanisms", "<mechanism>EXTERNAL</mechanism>")
#define RESULT(type)                                                           \
	"<db:result from='" FAR "' to='" LOCAL "' type='" type "'/>"
#define HOST_UNKNOWN                                                           \
	"<stream:error><host-unknown xmlns='" NS_STREAMS "'/></stream:error>"  \
	"</stream:stream>"

/* Until TLS is there, and features are next. */
static void
far_secure(struct peer *p)
{
	peer_say(p, THEIRS("clear") FEATURES(STARTTLS));
	CHECK_GOT(p, "<starttls ");
	peer_say(p, PROCEED);
	CHECK_GOT(p, "<stream:stream ");
}

static void
far_bring_up(struct scene *s, struct peer *p)
{
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK));
	CHECK_GOT(p, "<db:result ");
	peer_say(p, RESULT("valid"));
	CHECK(is_up(s));
}

static void
far_hang_up(struct peer *p)
{
	conn_mem_hangup(p->conn);
	p->conn = NULL;
	world_settle(p->world);
}

/* --- the way up ---------------------------------------------------------------------- */

/* RFC 6120 §4.7, XEP-0220 §2.4.1; the key as XEP-0185 §2 makes it. */
TEST(it_says_who_it_is_and_shows_its_key)
{
	char key[DIALBACK_KEY_SIZE];
	const struct stream_server *ss;
	struct scene s;
	struct peer *p;

	scene_init(&s);
	p = &s.far[0];
	CHECK_STR(str_c(buf_c(&p->got)),
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' " DB
		" from='" LOCAL "' to='" FAR "' version='1.0' xml:lang='en'>");
	far_secure(p);
	peer_say(p, THEIRS("a&amp;b") FEATURES(DIALBACK));
	ss = s.world.server->streams;
	dialback_key(key,
		(struct str){ (const char *)ss->secret, sizeof(ss->secret) },
		STR(FAR), STR(LOCAL), STR("a&b"));
	CHECK_GOT(p, "<db:result from='" LOCAL "' to='" FAR "'>", key,
		"</db:result>");
	CHECK(!is_up(&s));
	peer_say(p, RESULT("valid"));
	CHECK(is_up(&s));
	p->got.n = 0;
	say_to_far(&s, 4);
	CHECK_GOT(p, "<message ", "<body>xxxx</body></message>");
	CHECK(peer_has(p, "from=\"romeo@" LOCAL "/orchard\""));
	CHECK(peer_has(p, "to=\"juliet@" FAR "\""));
	CHECK(!peer_has(p, "jabber:client"));
	scene_done(&s);
}

TEST(a_link_ends_with_its_stream)
{
	struct link *l;
	struct scene s;

	scene_init(&s);
	far_bring_up(&s, &s.far[0]);
	CHECK(peer_has(&s.far[0], "<body>xxx</body>"));
	peer_say(&s.far[0], "</stream:stream>");
	CHECK(!is_up(&s));
	CHECK(peer_has(&s.far[0], "</stream:stream>"));
	scene_again(&s);
	far_bring_up(&s, &s.far[1]);
	l = far_pair(&s)->link;
	l->ops->end(l->stream, STREAM_COND_NONE, NULL);
	CHECK(!is_up(&s));
	scene_again(&s);
	far_bring_up(&s, &s.far[2]);
	far_hang_up(&s.far[2]);
	CHECK(!is_up(&s));
	scene_done(&s);
}

/* --- what fails, and why -------------------------------------------------------------- */

static const struct {
	const char *label;
	const char *clear;  /* in answer to our first header */
	const char *secure; /* in answer to the second; NULL: it is the end before */
	const char *more;   /* in answer to our key */
	const char *why, *out;
} failures[] = {
	{ "no TLS", THEIRS("1") FEATURES(DIALBACK), NULL, NULL,
		"offer no TLS", "<policy-violation " },
	{ "empty features", THEIRS("1") "<stream:features/>", NULL, NULL,
		"offer no TLS", "<policy-violation " },
	{ "TLS refused", THEIRS("1") FEATURES(STARTTLS) "<failure " TLS "/>",
		NULL, NULL, "refuse to begin TLS", "</stream:stream>" },
	{ "not theirs", HEAD_OF("1", "from='other.example'") HOST_UNKNOWN, NULL,
		NULL, "host-unknown", "</stream:stream>" },
	{ "another", HEAD_OF("1", "from='other.example'") FEATURES(STARTTLS),
		NULL, NULL, "another domain", "<invalid-from " },
	{ "to another", HEAD_OF("1", "to='other.example'") FEATURES(STARTTLS),
		NULL, NULL, "another domain", "<invalid-from " },
	{ "an error with text",
		THEIRS("1") "<stream:error><policy-violation xmlns='" NS_STREAMS
			    "'/><text xmlns='" NS_STREAMS
			    "'>go away</text></stream:error>",
		NULL, NULL, "policy-violation, go away", "</stream:stream>" },
	{ "no version",
		"<stream:stream xmlns='jabber:server' xmlns:stream='" S
		"' id='1'>",
		NULL, NULL, "unsupported-version", "<unsupported-version " },
	{ "a port of clients", HEAD("jabber:client", S, "id='1' version='1.0'"),
		NULL, NULL, "do not answer as a server", "<invalid-namespace " },
	{ "no XMPP", "SSH-2.0-OpenSSH_9.2\r\n", NULL, NULL, "not-well-formed",
		"<not-well-formed " },
	{ "the end at once", THEIRS("1") "</stream:stream>", NULL, NULL,
		"they have closed the stream", "</stream:stream>" },
	{ "something else", THEIRS("1") "<a xmlns='urn:a'/>", NULL, NULL,
		"does not belong here: <a/>", "<unsupported-stanza-type " },
	{ "features twice", THEIRS("1") FEATURES(STARTTLS) FEATURES(STARTTLS),
		NULL, NULL, "does not belong here: <features/>",
		"<unsupported-stanza-type " },
	{ "proceed before we ask", THEIRS("1") PROCEED, NULL, NULL,
		"does not belong here: <proceed/>", "<unsupported-stanza-type " },
	{ "more behind proceed",
		THEIRS("1") FEATURES(STARTTLS) PROCEED RESULT("valid"), NULL,
		NULL, "policy-violation", "<policy-violation " },
	{ "a stanza in the clear",
		THEIRS("1") "<message from='a@" FAR "' to='romeo@" LOCAL "'/>",
		NULL, NULL, "send stanzas", "<not-authorized " },
	{ "valid in the clear", THEIRS("1") RESULT("valid") FEATURES(DIALBACK),
		NULL, NULL, "offer no TLS", "<policy-violation " },
	{ "no id", THEIRS("1") FEATURES(STARTTLS),
		HEAD("jabber:server", S, "version='1.0'") FEATURES(DIALBACK), "",
		"no id", "<undefined-condition " },
	{ "success that nobody asked for", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") SASL("success", ""), "", "<success/>",
		"<unsupported-stanza-type " },
	{ "the key is invalid", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") FEATURES(DIALBACK), RESULT("invalid"),
		"that it is not ours", "</stream:stream>" },
	{ "an error", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") FEATURES(DIALBACK),
		"<db:result from='" FAR "' to='" LOCAL
		"' type='error'><error type='cancel'><remote-connection-failed "
		"xmlns='" NS_STANZAS "'/></error></db:result>",
		"they cannot connect to us", "</stream:stream>" },
	{ "an error without one", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") FEATURES(DIALBACK), RESULT("error"),
		"they do not say why", "</stream:stream>" },
	{ "a key of theirs", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") FEATURES(DIALBACK),
		"<db:result from='" FAR "' to='" LOCAL "'>abc</db:result>",
		"<result/>", "<unsupported-stanza-type " },
	{ "a question of theirs", THEIRS("1") FEATURES(STARTTLS),
		THEIRS("2") FEATURES(DIALBACK),
		"<db:verify from='" FAR "' to='" LOCAL "' id='1'>abc</db:verify>",
		"<verify/>", "<unsupported-stanza-type " },
};

TEST(what_fails_is_told_in_words)
{
	struct scene s;

	for (size_t i = 0; i < COUNT(failures); i++) {
		struct buf out = BUF_INIT;
		struct peer *p = &s.far[0];

		TEST_CASE(failures[i].label);
		scene_init(&s);
		peer_say(p, failures[i].clear);
		if (failures[i].secure != NULL) {
			CHECK(is_coming(&s));
			peer_say(p, PROCEED);
			peer_say(p, failures[i].secure);
			buf_add_str(&out, buf_str(&p->got));
			peer_say(p, failures[i].more);
		}
		buf_add_str(&out, buf_str(&p->got));
		CHECK(!is_up(&s) && !is_coming(&s));
		if (strstr(far_why(&s), failures[i].why) == NULL)
			CHECK_CSTR(far_why(&s), failures[i].why);
		CHECK(strstr(buf_c(&out), failures[i].out) != NULL);
		buf_done(&out);
		scene_done(&s);
	}
}

/* XEP-0220 §3.1, hostile 38: the domains have to be those that we have asked for. */
TEST(answers_to_other_questions_are_nothing)
{
	static const char *const others[] = {
		"<db:result from='" FAR "' to='other.example' type='valid'/>",
		"<db:result from='other.example' to='" LOCAL "' type='valid'/>",
		"<db:result from='" LOCAL "' to='" FAR "' type='valid'/>",
		"<db:result from='" FAR "' type='valid'/>",
		"<db:result to='" LOCAL "' type='valid'/>",
		"<db:result type='valid'/>",
		"<db:verify from='" FAR "' to='" LOCAL
		"' id='secure' type='valid'/>",
		"<db:verify type='valid'/>",
	};
	struct scene s;

	scene_init(&s);
	far_secure(&s.far[0]);
	/* ahead of the question */
	peer_say(&s.far[0], THEIRS("secure") RESULT("valid"));
	CHECK(is_coming(&s));
	peer_say(&s.far[0], FEATURES(DIALBACK));
	CHECK_GOT(&s.far[0], "<db:result ");
	for (size_t i = 0; i < COUNT(others); i++) {
		TEST_CASE(others[i]);
		peer_say(&s.far[0], others[i]);
		CHECK(is_coming(&s));
	}
	peer_say(&s.far[0], RESULT("valid"));
	CHECK(is_up(&s));
	/* and once more */
	peer_say(&s.far[0], RESULT("invalid") RESULT("error"));
	CHECK(is_up(&s));
	CHECK_INT(s.n_ok + s.n_not + s.n_failed, 0);
	scene_done(&s);
}

/* Stanzas go one way, hostile 43. */
TEST(stanzas_of_the_peer_end_it)
{
	static const char *const stanzas[] = {
		"<message from='a@" FAR "' to='romeo@" LOCAL "'/>",
		"<iq from='" FAR "' to='" LOCAL "' type='get' id='1'/>",
		"<presence from='a@" FAR "' to='romeo@" LOCAL "'/>",
		"<message xmlns='jabber:client' to='romeo@" LOCAL "'/>",
	};
	struct scene s;

	for (size_t i = 0; i < COUNT(stanzas); i++) {
		TEST_CASE(stanzas[i]);
		scene_init(&s);
		far_bring_up(&s, &s.far[0]);
		peer_say(&s.far[0], stanzas[i]);
		CHECK(!is_up(&s));
		CHECK(peer_has(&s.far[0], "<not-authorized "));
		scene_done(&s);
	}
}

/* Its own server may be where the name leads: nobody there serves that domain. */
TEST(a_name_that_leads_to_us_ends_with_host_unknown)
{
	struct scene s;

	scene_init(&s);
	peer_say(&s.far[0],
		HEAD_OF("1", "from='" LOCAL "' to='" LOCAL "'") HOST_UNKNOWN);
	CHECK(!is_coming(&s));
	CHECK(strstr(far_why(&s), "host-unknown") != NULL);
	CHECK_INT(s.n_far, 1);
	scene_done(&s);
}

/* A peer in memory has no certificate: neither way is enough then. */
TEST(a_policy_that_wants_a_certificate_wants_it_in_both_ways)
{
	static const char *const ways[] = { DIALBACK, EXTERNAL DIALBACK };
	struct scene s;
	struct peer *p = &s.far[0];

	for (size_t i = 0; i < COUNT(ways); i++) {
		struct buf in = BUF_INIT;

		scene_init_as(&s, ", policy: required-trusted");
		say_to_far(&s, 3);
		far_secure(p);
		buf_printf(&in, "%s<stream:features>%s</stream:features>",
			THEIRS("secure"), ways[i]);
		peer_say(p, buf_c(&in));
		CHECK_GOT(p, "<policy-violation ");
		CHECK(!peer_has(p, "db:result") && !peer_has(p, "<auth "));
		CHECK(!is_coming(&s));
		CHECK(strstr(far_why(&s), "certificate is not trusted") != NULL);
		buf_done(&in);
		scene_done(&s);
	}
}

TEST(a_link_that_stands_is_held_to_another_policy)
{
	struct scene s;

	scene_init(&s);
	far_bring_up(&s, &s.far[0]);
	s.max_far = 1;
	world_reload(&s.world,
		"shards: 1\nstorage: { driver: memory }\n"
		"federation: { mode: on }\n"
		"hosts: { example.org: {}, example.net: {} }\n");
	CHECK(is_up(&s));
	world_reload(&s.world,
		"shards: 1\nstorage: { driver: memory }\n"
		"federation: { mode: on, policy: required-trusted }\n"
		"hosts: { example.org: {}, example.net: {} }\n");
	CHECK(!is_up(&s));
	CHECK(peer_has(&s.far[0], "<policy-violation "));
	scene_done(&s);
}

TEST(nobody_is_there)
{
	struct scene s;

	scene_init_quiet(&s);
	s.max_far = 0;
	say_to_far(&s, 3);
	CHECK(!is_coming(&s));
	CHECK_CSTR(far_why(&s), "nobody is there");
	CHECK(peer_has(&s.romeo, "remote-server-timeout"));
	scene_done(&s);
}

TEST(one_that_takes_too_long_is_given_up)
{
	struct scene s;

	scene_init(&s);
	world_advance(&s.world, 31 * US_PER_S);
	CHECK(peer_has(&s.far[0], "</stream:stream>"));
	CHECK(strstr(far_why(&s), "their header") != NULL);
	CHECK(peer_has(&s.romeo, "remote-server-timeout"));
	CHECK_INT(s.n_far, 1);
	scene_done(&s);
}

static const struct {
	const char *in[3]; /* what it says before it says no more */
	const char *why;
} stalls[] = {
	{ { "" }, "their header" },
	{ { "<stream:stream xmlns=" }, "their header" },
	{ { THEIRS("1") }, "their features" },
	{ { THEIRS("1") "<stream:features>" }, "their features" },
	{ { THEIRS("1") FEATURES(STARTTLS) }, "STARTTLS" },
	{ { THEIRS("1") FEATURES(STARTTLS), PROCEED }, "their header" },
	{ { THEIRS("1") FEATURES(STARTTLS), PROCEED, THEIRS("2") },
		"their features" },
	{ { THEIRS("1") FEATURES(STARTTLS), PROCEED,
		  THEIRS("2") FEATURES(EXTERNAL) },
		"SASL EXTERNAL" },
	{ { THEIRS("1") FEATURES(STARTTLS), PROCEED,
		  THEIRS("2") FEATURES(DIALBACK) },
		"our dialback key" },
};

TEST(one_that_stalls_anywhere_is_given_up)
{
	struct scene s;

	for (size_t i = 0; i < COUNT(stalls); i++) {
		TEST_CASE(stalls[i].why);
		scene_init(&s);
		for (size_t k = 0; k < 3 && stalls[i].in[k] != NULL; k++)
			peer_say(&s.far[0], stalls[i].in[k]);
		CHECK(is_coming(&s));
		world_advance(&s.world, 31 * US_PER_S);
		CHECK(!is_coming(&s));
		CHECK(strstr(far_why(&s), stalls[i].why) != NULL);
		CHECK(peer_has(&s.far[0], "</stream:stream>"));
		CHECK(peer_has(&s.romeo, "remote-server-timeout"));
		scene_done(&s);
	}
}

TEST(a_header_without_end_ends_it)
{
	char more[1025];
	struct scene s;

	memset(more, 'x', sizeof(more) - 1);
	more[sizeof(more) - 1] = '\0';
	scene_init(&s);
	peer_say(&s.far[0], "<stream:stream xmlns='jabber:server' from='");
	for (int i = 0; i < 300 && is_coming(&s); i++)
		peer_say(&s.far[0], more);
	CHECK(!is_coming(&s));
	CHECK(strstr(far_why(&s), "policy-violation") != NULL);
	scene_done(&s);
}

/* What waits for names or connections then is told, too. */
TEST(a_server_that_stops_gives_up)
{
	struct scene s;

	scene_init(&s);
	world_done(&s.world);
	CHECK(peer_has(&s.far[0], "<system-shutdown "));
	CHECK(s.far[0].conn == NULL && s.romeo.conn == NULL);
	buf_done(&s.far[0].got);
	buf_done(&s.romeo.got);
}

/* --- SASL EXTERNAL ------------------------------------------------------------------ */

/* XEP-0178 §3 */
TEST(external_goes_before_dialback)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(EXTERNAL DIALBACK));
	CHECK_GOT(p, "<auth ", "mechanism=\"EXTERNAL\"", ">ZXhhbXBsZS5vcmc=<");
	CHECK(!peer_has(p, "db:result"));
	peer_say(p, SASL("success", ""));
	CHECK_GOT(p, "<stream:stream ", "from='" LOCAL "' to='" FAR "'");
	CHECK(!is_up(&s));
	peer_say(p, THEIRS("third") FEATURES(DIALBACK));
	CHECK(is_up(&s));
	CHECK_GOT(p, "<message ");
	CHECK(!peer_has(p, "db:result"));
	scene_done(&s);
}

TEST(dialback_follows_where_external_is_refused)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(EXTERNAL DIALBACK));
	peer_say(p, SASL("failure", "<not-authorized/>"));
	CHECK_GOT(p, "<db:result ");
	peer_say(p, RESULT("valid"));
	CHECK(is_up(&s));
	far_hang_up(p);
	/* where that ends the stream, in another one */
	scene_again(&s);
	far_secure(&s.far[1]);
	peer_say(&s.far[1], THEIRS("secure") FEATURES(EXTERNAL DIALBACK));
	peer_say(&s.far[1],
		SASL("failure", "<not-authorized/>") "</stream:stream>");
	CHECK_INT(s.n_far, 3);
	far_secure(&s.far[2]);
	peer_say(&s.far[2], THEIRS("secure") FEATURES(EXTERNAL DIALBACK));
	CHECK_GOT(&s.far[2], "<db:result ");
	/* and once alone */
	s.max_far = 3;
	peer_say(&s.far[2], "</stream:stream>");
	CHECK_INT(s.n_far, 3);
	CHECK(!is_coming(&s));
	scene_done(&s);
}

TEST(a_challenge_is_not_answered)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(EXTERNAL DIALBACK));
	peer_say(p, SASL("challenge", ""));
	CHECK_GOT(p, "<abort ");
	peer_say(p, SASL("failure", "<aborted/>"));
	CHECK_GOT(p, "<db:result ");
	scene_done(&s);
}

/* --- keys of others --------------------------------------------------------------------- */

static void
on_verified(void *arg, bool ok, const struct err *err)
{
	struct scene *s = arg;

	if (ok)
		s->n_ok++;
	else if (err->code == ERR_INVALID)
		s->n_not++;
	else
		s->n_failed++;
	s->failed = ok ? ERR_NONE : err->code;
}

static void
ask(struct scene *s, const char *id, const char *key)
{
	remote_verify_ask(s->world.server->shards[0], STR(LOCAL), STR(FAR),
		STR("an address"), str_c(id), str_c(key), false, on_verified, s);
	world_settle(&s->world);
}

#define VERIFY(id, more)                                                       \
	"<db:verify from='" FAR "' to='" LOCAL "' id='" id "' " more "/>"

/* Two servers that begin at the same time would wait for each other if it had to be
 * up first. */
TEST(keys_are_verified_as_soon_as_there_is_tls)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init_quiet(&s);
	ask(&s, "q1", "k<1");
	CHECK_INT(s.n_far, 1);
	far_secure(p);
	CHECK(!peer_has(p, "verify"));
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK));
	CHECK_GOT(p, "<db:verify from='" LOCAL "' to='" FAR "' id='q1'>k&lt;1<",
		"<db:result ");
	p->got.n = 0;
	ask(&s, "q2", "k2");
	CHECK_GOT(p, "id='q2'>k2</db:verify>");
	peer_say(p, VERIFY("q2", "type='invalid'") VERIFY("q1", "type='valid'"));
	CHECK_INT(s.n_ok, 1);
	CHECK_INT(s.n_not, 1);
	/* each once */
	peer_say(p, VERIFY("q2", "type='valid'") VERIFY("q1", "type='valid'"));
	CHECK_INT(s.n_ok, 1);
	peer_say(p, RESULT("valid"));
	CHECK(is_up(&s));
	p->got.n = 0;
	ask(&s, "q3", "k3");
	CHECK_GOT(p, "id='q3'>k3</db:verify>");
	peer_say(p, "<db:verify from='other.example' to='" LOCAL
		    "' id='q3' type='valid'/>");
	CHECK_INT(s.n_ok, 1);
	peer_say(p, VERIFY("q3", "type='error'"));
	CHECK_INT(s.n_failed, 1);
	CHECK_INT(s.failed, ERR_MISSING); /* XEP-0220 §2.5 */
	CHECK(is_up(&s));
	scene_done(&s);
}

/* Others show them, and we are to reach who is asked all the same. */
TEST(many_long_keys_do_not_end_it)
{
	struct scene s;
	struct peer *p = &s.far[0];
	static char key[9000];
	char id[10];

	memset(key, 'k', sizeof(key) - 1);
	scene_init_quiet(&s);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "q%d", i);
		ask(&s, id, key);
	}
	far_secure(p);
	conn_mem_take(p->conn, 20000);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK));
	CHECK(!p->closed);
	CHECK_INT(s.n_failed, 0);
	scene_done(&s);
}

/* What is not answered before SASL is asked once more behind it. */
TEST(keys_are_asked_about_on_both_sides_of_sasl)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init_quiet(&s);
	ask(&s, "q1", "k1");
	ask(&s, "q2", "k2");
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(EXTERNAL));
	CHECK_GOT(p, "id='q1'>", "id='q2'>", "<auth ");
	peer_say(p, VERIFY("q1", "type='valid'") SASL("success", ""));
	CHECK_INT(s.n_ok, 1);
	peer_say(p, THEIRS("third") FEATURES(""));
	CHECK_GOT(p, "id='q2'>k2</db:verify>");
	CHECK(!peer_has(p, "id='q1'"));
	peer_say(p, VERIFY("q2", "type='valid'"));
	CHECK_INT(s.n_ok, 2);
	scene_done(&s);
}

TEST(each_question_is_answered_when_there_is_no_way)
{
	struct scene s;

	scene_init(&s);
	ask(&s, "q1", "k1");
	far_secure(&s.far[0]);
	peer_say(&s.far[0], THEIRS("secure") FEATURES(DIALBACK));
	ask(&s, "q2", "k2");
	far_hang_up(&s.far[0]);
	CHECK(!is_coming(&s));
	CHECK_INT(s.n_failed, 2);
	scene_again(&s);
	ask(&s, "q3", "k3");
	world_advance(&s.world, 31 * US_PER_S);
	CHECK_INT(s.n_failed, 3);
	scene_again(&s);
	far_bring_up(&s, &s.far[2]);
	ask(&s, "q4", "k4");
	far_hang_up(&s.far[2]);
	world_advance(&s.world, 31 * US_PER_S);
	CHECK_INT(s.n_failed, 4);
	CHECK_INT(s.n_ok + s.n_not, 0);
	scene_done(&s);
}

/* XEP-0220 §2.5: whoever stands where the DNS leads does not serve that domain. */
TEST(who_does_not_serve_a_domain_is_nobody_to_ask_about_its_keys)
{
	struct scene s;

	scene_init_quiet(&s);
	ask(&s, "q1", "k1");
	peer_say(&s.far[0], HEAD_OF("1", "from='other.example'") HOST_UNKNOWN);
	CHECK_INT(s.n_failed, 1);
	CHECK_INT(s.failed, ERR_MISSING);
	scene_done(&s);
}

/* --- limits of the peer ------------------------------------------------------------------ */

/* XEP-0478 §4 */
TEST(a_stanza_that_is_too_large_for_them_goes_back)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK
		"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>400</max-bytes>"
		"<idle-seconds>60</idle-seconds></limits>"));
	peer_say(p, RESULT("valid"));
	CHECK(is_up(&s));
	p->got.n = 0;
	say_to_far(&s, 400);
	CHECK_GOT(&s.romeo, "type=\"error\"", "<policy-violation ",
		"larger than 400 bytes");
	CHECK_INT(p->got.n, 0);
	say_to_far(&s, 200);
	CHECK_GOT(p, "<message ", "</message>");
	CHECK(p->got.n <= 400 && is_up(&s));
	scene_done(&s);
}

/* It is written once but for its to, which counts for each. */
TEST(presence_for_many_is_held_to_it_one_by_one)
{
	static const char *const far[] = { "a@" FAR, "b@" FAR "/x",
		"c-who-has-a-name-that-is-as-long-as-nobody-would-ever-wish-for-it-to-be@" FAR,
		"d@" FAR };
	struct scene s;
	struct peer *p = &s.far[0];
	struct shard *sh;
	struct audience *a;
	struct stanza *st;

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK
		"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>120</max-bytes>"
		"</limits>"));
	peer_say(p, RESULT("valid"));
	CHECK(is_up(&s));
	p->got.n = s.romeo.got.n = 0;
	sh = world_owner(&s.world, "romeo");
	a = audience_new(sh, 1);
	for (size_t i = 0; i < COUNT(far); i++)
		audience_join(a, jid_trusted(str_c(far[i])), 1);
	st = stanza_new(PRESENCE_AVAILABLE,
		jid_trusted(STR("romeo@example.org/orchard")),
		(struct jid){ .text = NULL }, STR_NONE);
	elem_add(st->arena, st->root, NS_CLIENT, "priority");
	audience_send(a, st, 1, NULL, (struct jid){ .text = NULL });
	audience_free(a);
	world_settle(&s.world);
	for (size_t i = 0; i < COUNT(far); i++) {
		char want[200];

		snprintf(want, sizeof(want),
			"<presence to=\"%s\" from=\"romeo@example.org/orchard\"><priority/></presence>",
			far[i]);
		CHECK((memmem(p->got.p, p->got.n, want, strlen(want)) != NULL) ==
			(strlen(want) <= 120));
		CHECK((strlen(want) > 120) == (i == 2));
	}
	CHECK_GOT(&s.romeo, far[2], "type=\"error\"", "<policy-violation ");
	CHECK(memmem(s.romeo.got.p, s.romeo.got.n, far[0], strlen(far[0])) ==
			NULL &&
		is_up(&s));
	scene_done(&s);
}

/* --- stream management (XEP-0198) ---------------------------------------------------- */

#define SM(what) "<" what " xmlns='" NS_SM "'/>"
#define ENABLE "<enable xmlns='" NS_SM "' resume='true'/>"

/* Up, and it has been asked to count; two messages have come. */
static void
far_bring_up_counting(struct scene *s, struct peer *p)
{
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK SM("sm")));
	CHECK(!peer_has(p, "<enable"));
	peer_say(p, RESULT("valid"));
	CHECK(is_up(s));
	CHECK_GOT(p, ENABLE, "<message ");
	say_to_far(s, 4);
}

static size_t
unacked(struct scene *s)
{
	size_t bytes;

	return link_unacked(far_pair(s)->link, &bytes);
}

TEST(it_counts_where_that_is_offered)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_bring_up_counting(&s, p);
	CHECK_INT(unacked(&s), 2);
	p->got.n = 0;
	peer_say(p, SM("enabled"));
	world_advance(&s.world, US_PER_S);
	CHECK_CSTR(buf_c(&p->got), SM("r"));
	p->got.n = 0;
	peer_say(p, SM("a h='1'"));
	CHECK_INT(unacked(&s), 1);
	peer_say(p, SM("a h='2'"));
	CHECK_INT(unacked(&s), 0);
	/* nothing has come by it */
	peer_say(p, SM("r"));
	CHECK_GOT(p, "<a xmlns=\"" NS_SM "\" h=\"0\"/>");
	scene_done(&s);
}

TEST(where_it_is_not_offered_nothing_is_kept)
{
	struct scene s;

	scene_init(&s);
	far_bring_up(&s, &s.far[0]);
	CHECK(!peer_has(&s.far[0], "<enable"));
	CHECK_INT(unacked(&s), 0);
	scene_done(&s);
}

TEST(where_it_is_refused_nothing_is_kept)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_bring_up_counting(&s, p);
	peer_say(p, "<failed xmlns='" NS_SM "'><feature-not-implemented xmlns='"
		NS_STANZAS "'/></failed>");
	CHECK(is_up(&s));
	CHECK_INT(unacked(&s), 0);
	far_hang_up(p);
	scene_again(&s);
	CHECK_INT(s.n_far, 2);
	far_bring_up(&s, &s.far[1]);
	CHECK(!peer_has(&s.far[1], "<body>xxxx</body>"));
	scene_done(&s);
}

/* Ahead of what has come since. */
TEST(what_was_not_acknowledged_is_sent_again)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_bring_up_counting(&s, p);
	peer_say(p, SM("enabled") SM("a h='1'"));
	far_hang_up(p);
	CHECK(!is_up(&s));
	say_to_far(&s, 5);
	world_advance(&s.world, 5 * US_PER_S);
	far_bring_up(&s, &s.far[1]);
	CHECK_GOT(&s.far[1], "<body>xxxx</body>", "<body>xxxxx</body>");
	CHECK(!peer_has(&s.far[1], "<body>xxx</body>"));
	scene_done(&s);
}

/* It was never theirs. */
TEST(one_that_is_too_large_has_no_number)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK SM("sm")
		"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>400</max-bytes>"
		"</limits>"));
	peer_say(p, RESULT("valid") SM("enabled"));
	say_to_far(&s, 400);
	say_to_far(&s, 4);
	CHECK_INT(unacked(&s), 2);
	peer_say(p, SM("a h='2'"));
	CHECK_INT(unacked(&s), 0);
	CHECK(is_up(&s));
	scene_done(&s);
}

static const struct {
	const char *said, *out;
	bool on;
} sm_wrong[] = {
	{ SM("a h='3'"), "<handled-count-too-high xmlns=\"" NS_SM
		"\" h=\"3\" send-count=\"2\"/>", true },
	{ SM("a h='4294967295'"), NULL, true }, /* a number before the first */
	{ SM("a h='2147483647'"), "<undefined-condition", true },
	{ SM("a"), "<bad-format", true },
	{ SM("a h='x'"), "<bad-format", true },
	{ SM("enabled"), "<unsupported-stanza-type", true },
	{ SM("failed"), "<unsupported-stanza-type", true },
	{ SM("enable"), "<unsupported-stanza-type", true },
	{ SM("resumed h='0' previd='x'"), "<unsupported-stanza-type", true },
	{ SM("a h='0'"), "<unsupported-stanza-type", false },
	{ SM("r"), "<unsupported-stanza-type", false },
};

TEST(what_is_wrong_in_stream_management_ends_it)
{
	for (size_t i = 0; i < COUNT(sm_wrong); i++) {
		struct scene s;
		struct peer *p = &s.far[0];

		TEST_CASE(sm_wrong[i].said);
		scene_init(&s);
		far_bring_up_counting(&s, p);
		s.max_far = 1;
		if (sm_wrong[i].on)
			peer_say(p, SM("enabled"));
		p->got.n = 0;
		peer_say(p, sm_wrong[i].said);
		if (sm_wrong[i].out != NULL)
			CHECK_GOT(p, sm_wrong[i].out);
		CHECK_INT(is_up(&s), sm_wrong[i].out == NULL);
		scene_done(&s);
	}
}

/* Nothing of ours waits for it, but what it has made us say. */
TEST(who_asks_without_end_and_reads_nothing_is_cut)
{
	struct buf asks = BUF_INIT;
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init_as(&s, "}\nlimits: { write_queue_bytes: 64KiB, "
			  "write_queue_max_bytes: 64KiB, stanza_bytes: 64KiB ");
	say_to_far(&s, 3);
	far_bring_up_counting(&s, p);
	peer_say(p, SM("enabled") SM("a h='2'"));
	CHECK_INT(unacked(&s), 0);
	conn_mem_take(p->conn, 0);
	for (int i = 0; i < 500; i++)
		buf_add_c(&asks, SM("r"));
	for (int i = 0; i < 60 && p->conn != NULL; i++) {
		CHECK(conn_queued(p->conn) < 512 * 1024);
		peer_say(p, buf_c(&asks));
		world_advance(&s.world, US_PER_S);
	}
	CHECK(p->closed && !is_up(&s));
	buf_done(&asks);
	scene_done(&s);
}

/* XEP-0478 §3.1 */
TEST(they_hear_something_before_they_think_that_we_are_gone)
{
	static const struct {
		const char *limits;
		int64_t idle_s; /* 0: nobody wants to hear anything */
	} cases[] = {
		{ "<idle-seconds>60</idle-seconds>", 60 },
		{ "<idle-seconds> 300 </idle-seconds>", 300 },
		{ "<idle-seconds>0</idle-seconds>", 0 },
		{ "<idle-seconds>-5</idle-seconds>", 0 },
		{ "<idle-seconds/>", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf features = BUF_INIT;
		struct scene s;
		struct peer *p = &s.far[0];
		int64_t silent_s = 0, most_s = 0;

		TEST_CASE(cases[i].limits);
		scene_init(&s);
		far_secure(p);
		buf_printf(&features, "%s" FEATURES(DIALBACK
			"<limits xmlns='urn:xmpp:stream-limits:0'>%s</limits>"),
			THEIRS("secure"), cases[i].limits);
		peer_say(p, buf_c(&features));
		peer_say(p, RESULT("valid"));
		CHECK(is_up(&s));
		p->got.n = 0;
		say_to_far(&s, 3);
		for (int n = 0; n < 500; n++) {
			CHECK(p->got.n == 0 || n == 0 ||
				str_is(buf_str(&p->got), " "));
			silent_s = p->got.n == 0 ? silent_s + 1 : 0;
			most_s = MAX(most_s, silent_s);
			p->got.n = 0;
			conn_mem_feed(s.romeo.conn, " ", 1);
			world_advance(&s.world, US_PER_S);
		}
		CHECK(is_up(&s));
		if (cases[i].idle_s != 0)
			CHECK(most_s < cases[i].idle_s &&
				most_s >= cases[i].idle_s / 3 - 1);
		else
			CHECK_INT(most_s, 499);
		buf_done(&features);
		scene_done(&s);
	}
}

TEST(who_hears_from_us_all_the_time_gets_no_blanks)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK
		"<limits xmlns='urn:xmpp:stream-limits:0'>"
		"<idle-seconds>30</idle-seconds></limits>"));
	peer_say(p, RESULT("valid"));
	p->got.n = 0;
	for (int n = 0; n < 20; n++) {
		say_to_far(&s, 3);
		world_advance(&s.world, 5 * US_PER_S);
		CHECK(p->got.n != 0 && p->got.p[p->got.n - 1] == '>');
	}
	scene_done(&s);
}

/* --- resumption (XEP-0198 §5) --------------------------------------------------------- */

/* Two messages have come, one is acknowledged, and the stream breaks; another one has
 * asked to go on with it, or could not. */
static struct peer *
far_break(struct scene *s, const char *offers)
{
	struct buf in = BUF_INIT;
	struct peer *p = &s->far[0], *next = &s->far[1];

	far_bring_up_counting(s, p);
	peer_say(p, SM("enabled id='a&lt;b' resume='true'"));
	peer_say(p, SM("a h='1'"));
	far_hang_up(p);
	say_to_far(s, 5);
	world_advance(&s->world, 5 * US_PER_S);
	far_secure(next);
	buf_printf(&in, "%s<stream:features>%s%s</stream:features>",
		THEIRS("secure"), DIALBACK, offers);
	peer_say(next, buf_c(&in));
	buf_done(&in);
	peer_say(next, RESULT("valid"));
	CHECK(is_up(s));
	return next;
}

TEST(a_stream_goes_on_with_one_that_broke)
{
	struct scene s;
	struct peer *p;

	scene_init(&s);
	p = far_break(&s, SM("sm"));
	CHECK_GOT(p, "<resume xmlns=\"" NS_SM "\" h=\"0\" previd=\"a&lt;b\"/>");
	CHECK(!peer_has(p, "<message") && !peer_has(p, "<enable"));
	CHECK_INT(unacked(&s), 1);
	p->got.n = 0;
	peer_say(p, SM("resumed h='1' previd='a&lt;b'"));
	CHECK_GOT(p, "<body>xxxx</body>", "<body>xxxxx</body>");
	CHECK(!peer_has(p, "<body>xxx</body>") && !peer_has(p, "<enable"));
	CHECK_INT(unacked(&s), 2);
	peer_say(p, SM("a h='3'"));
	CHECK_INT(unacked(&s), 0);
	scene_done(&s);
}

TEST(what_they_had_got_does_not_come_twice)
{
	struct scene s;
	struct peer *p;

	scene_init(&s);
	p = far_break(&s, SM("sm"));
	p->got.n = 0;
	peer_say(p, SM("resumed h='2' previd='a&lt;b'"));
	CHECK_GOT(p, "<body>xxxxx</body>");
	CHECK(!peer_has(p, "<body>xxxx</body>"));
	/* once more by the same id */
	far_hang_up(p);
	world_advance(&s.world, 5 * US_PER_S);
	far_secure(&s.far[2]);
	peer_say(&s.far[2], THEIRS("secure") FEATURES(DIALBACK SM("sm")));
	peer_say(&s.far[2], RESULT("valid"));
	CHECK_GOT(&s.far[2], "<resume ");
	peer_say(&s.far[2], SM("resumed h='3' previd='a&lt;b'"));
	CHECK_INT(unacked(&s), 0);
	CHECK(!peer_has(&s.far[2], "<message"));
	scene_done(&s);
}

static const struct {
	const char *label, *offers, *said;
	bool first; /* the message that was not acknowledged comes again */
	bool counts;
} not_resumed[] = {
	{ "not offered", "", "", true, false },
	{ "not found", SM("sm"), "<failed xmlns='" NS_SM "'><item-not-found "
		"xmlns='" NS_STANZAS "'/></failed>", true, true },
	{ "found, too late", SM("sm"), "<failed xmlns='" NS_SM "' h='2'/>",
		false, true },
	{ "found, too high", SM("sm"), "<failed xmlns='" NS_SM "' h='20'/>",
		true, true },
};

TEST(where_it_cannot_messages_are_sent_again)
{
	for (size_t i = 0; i < COUNT(not_resumed); i++) {
		struct buf out = BUF_INIT;
		struct scene s;
		struct peer *p;

		TEST_CASE(not_resumed[i].label);
		scene_init(&s);
		p = far_break(&s, not_resumed[i].offers);
		s.max_far = 2;
		buf_add_str(&out, buf_str(&p->got));
		peer_say(p, not_resumed[i].said);
		buf_add_str(&out, buf_str(&p->got));
		CHECK_INT(strstr(buf_c(&out), "<enable") != NULL,
			not_resumed[i].counts);
		CHECK_INT(strstr(buf_c(&out), "<body>xxxx</body>") != NULL,
			not_resumed[i].first);
		CHECK(strstr(buf_c(&out), "<body>xxxxx</body>") != NULL);
		CHECK(strstr(buf_c(&out), "<body>xxx</body>") == NULL);
		buf_done(&out);
		scene_done(&s);
	}
}

TEST(answers_to_resume_that_are_wrong)
{
	static const char *const wrong[] = { SM("resumed h='9'"),
		SM("resumed h='0'"), SM("resumed"), SM("enabled"), SM("a h='1'"),
		SM("r") };

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct scene s;
		struct peer *p;

		TEST_CASE(wrong[i]);
		scene_init(&s);
		p = far_break(&s, SM("sm"));
		s.max_far = 2;
		peer_say(p, wrong[i]);
		/* a lower number than before is an old one, and no harm */
		CHECK_INT(is_up(&s), i == 1);
		scene_done(&s);
	}
}

TEST(no_answer_to_resume)
{
	struct scene s;
	struct peer *p;

	scene_init(&s);
	p = far_break(&s, SM("sm"));
	s.max_far = 2;
	world_advance(&s.world, 14 * US_PER_S);
	CHECK(is_up(&s));
	world_advance(&s.world, 2 * US_PER_S);
	CHECK(!is_up(&s));
	CHECK(peer_has(p, "<connection-timeout"));
	scene_done(&s);
}

/* They know that it is over: nothing is left of it. */
TEST(a_stream_that_ended_properly_is_not_resumed)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_bring_up_counting(&s, p);
	peer_say(p, SM("enabled id='ab' resume='true'"));
	peer_say(p, "</stream:stream>");
	world_advance(&s.world, 5 * US_PER_S);
	far_secure(&s.far[1]);
	peer_say(&s.far[1], THEIRS("secure") FEATURES(DIALBACK SM("sm")));
	peer_say(&s.far[1], RESULT("valid"));
	CHECK_GOT(&s.far[1], ENABLE, "<body>xxx</body>");
	s.max_far = 2;
	scene_done(&s);
}

/* --- both ways (XEP-0288) ------------------------------------------------------------- */

#define BIDI "<bidi xmlns='urn:xmpp:features:bidi'/>"
#define STANZA(from, to, body)                                                 \
	"<message type='chat' from='" from "' to='" to "'><body>" body         \
	"</body></message>"

static void
far_bring_up_both(struct scene *s, struct peer *p)
{
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK BIDI));
	CHECK_GOT(p, "<bidi xmlns=\"urn:xmpp:bidi\">", "<max-bytes>",
		"<idle-seconds>300</idle-seconds>", "</bidi>", "<db:result ");
	peer_say(p, RESULT("valid"));
	CHECK(is_up(s));
}

TEST(what_comes_back_by_a_link_is_taken_where_that_was_agreed_on)
{
	struct scene s;

	scene_init(&s);
	far_bring_up_both(&s, &s.far[0]);
	peer_say(&s.far[0], STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "yes"));
	CHECK(peer_has(&s.romeo, "yes"));
	CHECK_INT(far_pair(&s)->link->received, 1);
	/* also while it is not used by us */
	peer_say(&s.far[0], "<iq type='get' id='q' from='juliet@" FAR
		"' to='" LOCAL "'><query xmlns='urn:x'/></iq>");
	CHECK_GOT(&s.far[0], "<iq ", "type=\"error\"");
	scene_done(&s);
}

static const struct {
	const char *text, *cond;
} wrong_back[] = {
	{ STANZA("juliet@near.example", "romeo@" LOCAL "/orchard", "spoofed"),
		"<invalid-from" },
	{ STANZA("romeo@" LOCAL, "romeo@" LOCAL "/orchard", "spoofed"),
		"<invalid-from" },
	{ STANZA("juliet@" FAR, "romeo@example.net/orchard", "spoofed"),
		"<host-unknown" },
	{ "<message to='romeo@" LOCAL "/orchard'><body>spoofed</body></message>",
		"<improper-addressing" },
};

/* hostile 43 */
TEST(what_comes_back_is_from_whom_we_have_reached_to_whom_we_are)
{
	for (size_t i = 0; i < COUNT(wrong_back); i++) {
		struct scene s;

		TEST_CASE(wrong_back[i].text);
		scene_init(&s);
		far_bring_up_both(&s, &s.far[0]);
		peer_say(&s.far[0], wrong_back[i].text);
		CHECK_GOT(&s.far[0], wrong_back[i].cond);
		CHECK(!peer_has(&s.romeo, "spoofed"));
		CHECK(!is_up(&s));
		scene_done(&s);
	}
}

/* Nor where it was not offered, or not yet. */
TEST(nothing_comes_back_before_it_is_up)
{
	for (int offered = 0; offered < 2; offered++) {
		struct scene s;

		scene_init(&s);
		if (offered) {
			far_secure(&s.far[0]);
			peer_say(&s.far[0],
				THEIRS("secure") FEATURES(DIALBACK BIDI));
		} else {
			far_bring_up(&s, &s.far[0]);
		}
		peer_say(&s.far[0],
			STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "early"));
		CHECK_GOT(&s.far[0], "<not-authorized");
		CHECK(!peer_has(&s.romeo, "early"));
		scene_done(&s);
	}
}

/* Before TLS it is not asked for, whoever offers it. */
TEST(it_is_asked_for_under_tls_alone)
{
	struct scene s;

	scene_init(&s);
	peer_say(&s.far[0], THEIRS("clear") FEATURES(STARTTLS BIDI));
	CHECK_GOT(&s.far[0], "<starttls ");
	CHECK(!peer_has(&s.far[0], "<bidi"));
	peer_say(&s.far[0], PROCEED);
	peer_say(&s.far[0], THEIRS("secure") FEATURES(DIALBACK));
	CHECK(!peer_has(&s.far[0], "<bidi"));
	scene_done(&s);
}

TEST(a_key_that_comes_back_by_a_link_costs_that_domain_alone)
{
	struct scene s;

	scene_init(&s);
	far_bring_up_both(&s, &s.far[0]);
	s.far[0].got.n = 0;
	peer_say(&s.far[0], "<db:result from='rooms." FAR "' to='" LOCAL
		"'>key</db:result>");
	CHECK_GOT(&s.far[0], "<db:result from='" LOCAL "' to='rooms." FAR
		"' type='error'>", "<not-allowed");
	CHECK(is_up(&s));
	scene_done(&s);
}

/* They may ask by any stream that they have; here they do by that of the link. */
TEST(keys_of_ours_are_known_again_by_a_link_that_goes_both_ways)
{
	const struct stream_server *ss;
	char key[DIALBACK_KEY_SIZE];
	struct buf out = BUF_INIT;
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_bring_up_both(&s, p);
	ss = s.world.server->streams;
	dialback_key(key,
		(struct str){ (const char *)ss->secret, sizeof(ss->secret) },
		STR(FAR), STR(LOCAL), STR("i1"));
	buf_printf(&out,
		"<db:verify from='" FAR "' to='" LOCAL "' id='i1'>%s</db:verify>",
		key);
	peer_say(p, buf_c(&out));
	buf_done(&out);
	CHECK_GOT(p, "<db:verify from='" LOCAL "' to='" FAR
		"' id='i1' type='valid'/>");
	peer_say(p, "<db:verify from='" FAR "' to='" LOCAL
		"' id='i2'>abc</db:verify>");
	CHECK_GOT(p, "id='i2' type='invalid'/>");
	peer_say(p, "<db:verify from='" FAR
		"' to='nowhere.example' id='i3'>abc</db:verify>");
	CHECK_GOT(p, "id='i3' type='error'>", "<item-not-found");
	CHECK(is_up(&s));
	scene_done(&s);
}

/* XEP-0198: what comes back is counted once that is agreed on. */
TEST(what_comes_back_is_acknowledged_where_it_counts)
{
	struct scene s;
	struct peer *p = &s.far[0];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK BIDI SM("sm")));
	peer_say(p, RESULT("valid"));
	CHECK_GOT(p, ENABLE);
	peer_say(p, SM("enabled"));
	peer_say(p, STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "one"));
	CHECK(peer_has(&s.romeo, "one"));
	p->got.n = 0;
	peer_say(p, SM("r"));
	CHECK_GOT(p, "<a xmlns=\"" NS_SM "\" h=\"1\"/>");
	/* and what goes there by them */
	CHECK_INT(unacked(&s), 1);
	peer_say(p, SM("a h='1'"));
	CHECK_INT(unacked(&s), 0);
	scene_done(&s);
}

/* A stream that goes both ways, counts and can be resumed; ours has come, and one of
 * theirs. */
static void
far_both_ways(struct scene *s, struct peer *p)
{
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK BIDI SM("sm")));
	peer_say(p, RESULT("valid") SM("enabled id='ab' resume='true'"));
	peer_say(p, SM("a h='1'"));
	CHECK_INT(unacked(s), 0);
	peer_say(p, STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "one"));
	world_settle(&s->world);
}

static void
far_again(struct peer *p)
{
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK BIDI SM("sm")));
	p->got.n = 0;
	peer_say(p, RESULT("valid"));
}

/* Or they would send it again; where they have heard of it long ago nobody asks. */
TEST(for_what_has_come_back_alone_a_stream_is_resumed)
{
	for (int told = 0; told < 2; told++) {
		struct scene s;

		scene_init(&s);
		far_both_ways(&s, &s.far[0]);
		peer_say(&s.far[0], SM("r"));
		if (told)
			world_advance(&s.world, 61 * US_PER_S);
		far_hang_up(&s.far[0]);
		world_advance(&s.world, 5 * US_PER_S);
		CHECK_INT(s.n_far, told ? 1 : 2);
		if (told)
			say_to_far(&s, 1);
		far_again(&s.far[1]);
		if (told) {
			CHECK_GOT(&s.far[1], ENABLE);
		} else {
			CHECK_GOT(&s.far[1], "<resume xmlns=\"" NS_SM
				"\" h=\"1\" previd=\"ab\"/>");
			peer_say(&s.far[1], SM("resumed h='1' previd='ab'"));
			CHECK(is_up(&s));
		}
		scene_done(&s);
	}
}

/* The stream of the link there is. */
static struct s2s_out *
out_there(struct scene *s)
{
	return ((struct s2s_way *)far_pair(s)->link->stream)->stream;
}

/* Only then the number is known. */
TEST(a_stream_is_resumed_when_what_has_come_back_is_dealt_with)
{
	for (int broke = 0; broke < 2; broke++) {
		struct receipt_line *line;
		struct stanza *held;
		struct scene s;

		scene_init(&s);
		far_both_ways(&s, &s.far[0]);
		held = stanza_new(MESSAGE_CHAT, jid_trusted(STR("x.example")),
			jid_trusted(STR(LOCAL)), STR_NONE);
		line = &out_there(&s)->counts->line;
		receipt_line_next(line);
		receipt_give(line, held);
		far_hang_up(&s.far[0]);
		world_advance(&s.world, 5 * US_PER_S);
		far_again(&s.far[1]);
		CHECK(!peer_has(&s.far[1], "<resume"));
		if (broke) { /* while it waits for that */
			far_hang_up(&s.far[1]);
			stanza_free(held);
			world_advance(&s.world, 10 * US_PER_S);
			far_again(&s.far[2]);
		} else {
			stanza_free(held);
			world_settle(&s.world);
		}
		CHECK_GOT(&s.far[1 + broke], "<resume xmlns=\"" NS_SM
			"\" h=\"2\" previd=\"ab\"/>");
		scene_done(&s);
	}
}

/* §5: they are told how much of what came back is dealt with, and go on from there. */
TEST(what_comes_back_is_counted_on_where_a_stream_goes_on)
{
	struct scene s;
	struct peer *p = &s.far[0], *next = &s.far[1];

	scene_init(&s);
	far_secure(p);
	peer_say(p, THEIRS("secure") FEATURES(DIALBACK BIDI SM("sm")));
	peer_say(p, RESULT("valid") SM("enabled id='ab' resume='true'"));
	peer_say(p, STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "one"));
	world_settle(&s.world);
	say_to_far(&s, 3);
	far_hang_up(p);
	world_advance(&s.world, 5 * US_PER_S);
	far_secure(next);
	peer_say(next, THEIRS("secure") FEATURES(DIALBACK BIDI SM("sm")));
	peer_say(next, RESULT("valid"));
	CHECK_GOT(next, "<resume xmlns=\"" NS_SM "\" h=\"1\" previd=\"ab\"/>");
	peer_say(next, SM("resumed h='0' previd='ab'"));
	CHECK_GOT(next, "<body>xxx</body>");
	peer_say(next, STANZA("juliet@" FAR, "romeo@" LOCAL "/orchard", "two"));
	CHECK(peer_has(&s.romeo, "two"));
	next->got.n = 0;
	peer_say(next, SM("r"));
	CHECK_GOT(next, "<a xmlns=\"" NS_SM "\" h=\"2\"/>");
	peer_say(next, SM("a h='2'"));
	CHECK_INT(unacked(&s), 0);
	scene_done(&s);
}

TEST_MAIN
