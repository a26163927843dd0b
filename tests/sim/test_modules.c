/*
 * test_modules.c - the small protocols, asked inside of one process: directed
 * questions, and hostile ones drawn from a seed (hostile 13).
 */
#include "config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"
#include "world.h"

#define FUZZ_ROUNDS 400

struct peer {
	struct client c;
	struct buf got;     /* the answer to the last question */
	unsigned n_answers; /* to it */
	unsigned n_asked;
	char id[16];
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct peer *p = c->user;

	if (str_is(e->name, "iq") && str_is(elem_attr(e, "id"), p->id) &&
		(str_is(elem_attr(e, "type"), "result") ||
			str_is(elem_attr(e, "type"), "error"))) {
		p->n_answers++;
		xml_write(&p->got, e, STR(NS_CLIENT));
	}
	arena_free(a);
}

static void
peer_turn(struct peer *p)
{
	/* what it reads may make it write */
	for (int i = 0; i < 8; i++) {
		world_settle(p->c.world);
		client_read(&p->c);
	}
}

static void
peer_init(struct peer *p, struct world *w, const char *local)
{
	memset(p, 0, sizeof(*p));
	client_init(&p->c, w, local, "r");
	p->c.on_stanza = on_stanza;
	p->c.user = p;
	client_connect(&p->c);
	peer_turn(p);
}

static void
peer_done(struct peer *p)
{
	client_leave(&p->c);
	peer_turn(p);
	client_done(&p->c);
	buf_done(&p->got);
}

/* to may be "". */
static const char *
ask(struct peer *p, const char *type, const char *to, const char *payload)
{
	p->got.n = 0;
	p->n_answers = 0;
	snprintf(p->id, sizeof(p->id), "q%u", p->n_asked++);
	client_send(&p->c, "<iq type='%s' id='%s'%s%s%s>%s</iq>", type, p->id,
		*to != '\0' ? " to='" : "", to, *to != '\0' ? "'" : "",
		payload);
	peer_turn(p);
	return buf_c(&p->got);
}

/* --- directed questions ---------------------------------------------------------- */

#define ME "romeo@" WORLD_HOST
#define OTHER "juliet@" WORLD_HOST
#define NOBODY "nobody@" WORLD_HOST
#define INFO(rest)                                                             \
	"<query xmlns='http://jabber.org/protocol/disco#info'" rest "/>"
#define ITEMS(rest)                                                            \
	"<query xmlns='http://jabber.org/protocol/disco#items'" rest "/>"
#define ITEMS_NONE(rest)                                                       \
	"<query xmlns=\"http://jabber.org/protocol/disco#items\"" rest "/></iq>"
#define LAST "<query xmlns='jabber:iq:last'/>"
#define PRIVATE(inner) "<query xmlns='jabber:iq:private'>" inner "</query>"
#define VCARD "<vCard xmlns='vcard-temp'/>"
#define REGISTER(inner) "<query xmlns='jabber:iq:register'>" inner "</query>"
#define UNAVAILABLE "<service-unavailable "

static const struct {
	const char *type, *to, *payload;
	const char *want; /* in the answer; NULL: an empty result */
} questions[] = {
	{ "get", WORLD_HOST, INFO(""), "category=\"server\" type=\"im\"" },
	{ "get", WORLD_HOST, INFO(""), "<feature var=\"vcard-temp\"/>" },
	{ "get", WORLD_HOST, INFO(""), "<value>mailto:a@sim.example</value>" },
	{ "get", WORLD_HOST, INFO(" node='x'"), "<item-not-found " },
	{ "get", WORLD_HOST, INFO(" node='urn:antiphon:server#'"),
		"<item-not-found " },
	{ "get", "", INFO(""), "category=\"account\" type=\"registered\"" },
	{ "get", ME, INFO(""), "category=\"account\" type=\"registered\"" },
	{ "get", ME, INFO(" node='x'"), "<item-not-found " },
	{ "get", OTHER, INFO(""), UNAVAILABLE },
	{ "get", NOBODY, INFO(""), UNAVAILABLE },
	{ "get", WORLD_HOST, ITEMS(""), "type=\"result\"" },
	{ "get", WORLD_HOST, ITEMS(" node='x'"), "<item-not-found " },
	{ "get", ME, ITEMS(""), "type=\"result\"" },
	{ "get", OTHER, ITEMS(""), ITEMS_NONE("") },
	{ "get", OTHER, ITEMS(" node='x'"), ITEMS_NONE(" node=\"x\"") },
	{ "get", NOBODY, ITEMS(""), ITEMS_NONE("") },
	{ "get", NOBODY, ITEMS(" node='x'"), ITEMS_NONE(" node=\"x\"") },
	{ "get", WORLD_HOST, "<query xmlns='jabber:iq:version'/>",
		"<name>Antiphon</name><version>" PACKAGE_VERSION
		"</version></query>" },
	{ "get", WORLD_HOST, "<time xmlns='urn:xmpp:time'/>", "<utc>2026-11-21T" },
	{ "get", WORLD_HOST, LAST, "seconds=\"" },
	{ "get", OTHER, LAST, UNAVAILABLE },
	{ "get", NOBODY, LAST, UNAVAILABLE },
	{ "get", ME, VCARD, "<vCard xmlns=\"vcard-temp\"/>" },
	{ "get", OTHER, VCARD, UNAVAILABLE },
	{ "get", NOBODY, VCARD, UNAVAILABLE },
	{ "set", OTHER, VCARD, "<forbidden " },
	{ "set", NOBODY, VCARD, "<forbidden " },
	{ "set", "", "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>", NULL },
	{ "get", "", VCARD, "<vCard xmlns=\"vcard-temp\"><FN>R</FN></vCard>" },
	{ "get", ME, VCARD, "<FN>R</FN>" },
	{ "set", "", VCARD, NULL },
	{ "get", "", VCARD, "<vCard xmlns=\"vcard-temp\"/>" },
	{ "get", WORLD_HOST, VCARD, "<FN>Sim</FN>" },
	{ "get", "", PRIVATE(""), "<not-acceptable " },
	{ "get", "", PRIVATE("<a xmlns='urn:a'/><b xmlns='urn:b'/>"),
		"<not-acceptable " },
	{ "get", "", PRIVATE("<a/>"), "<not-acceptable " },
	{ "set", "", PRIVATE(""), "<not-acceptable " },
	{ "set", "", PRIVATE("<a/>"), "<not-acceptable " },
	{ "get", "", PRIVATE("<a xmlns='urn:a'/>"),
		"<query xmlns=\"jabber:iq:private\"><a xmlns=\"urn:a\"/>" },
	{ "set", "", PRIVATE("<a xmlns='urn:a' k='1'>x</a><c xmlns='urn:c'>y</c>"
			     "<a xmlns='urn:a'/>"),
		NULL },
	{ "get", "", PRIVATE("<b xmlns='urn:a'/>"),
		"<a xmlns=\"urn:a\" k=\"1\">x</a><a xmlns=\"urn:a\"/></query>" },
	{ "get", "", PRIVATE("<c xmlns='urn:c'/>"), "\">y</c></query>" },
	{ "set", "", PRIVATE("<a xmlns='urn:a'/>"), NULL },
	{ "get", "", PRIVATE("<a xmlns='urn:a'/>"), "><a xmlns=\"urn:a\"/></" },
	{ "get", OTHER, PRIVATE("<a xmlns='urn:a'/>"), UNAVAILABLE },
	{ "set", OTHER, PRIVATE("<a xmlns='urn:a'/>"), UNAVAILABLE },
	{ "get", "", REGISTER(""), "<registered/><username>romeo</username>" },
	{ "get", WORLD_HOST, REGISTER(""), "<username>romeo</username>" },
	{ "get", OTHER, REGISTER(""), UNAVAILABLE },
	{ "set", OTHER, REGISTER("<remove/>"), UNAVAILABLE },
	{ "set", "", REGISTER("<remove/><remove/>"), "<bad-request " },
	{ "set", "", REGISTER("<remove/><username/>"), "<bad-request " },
	{ "set", "", REGISTER("<username>romeo</username>"
			      "<password>secret-two</password>"),
		NULL },
};

static const char world_conf[] =
	"modules:\n"
	"  register: { allow: yes, per_hour: 3 }\n"
	"  private: { max_bytes: 4KiB, max_namespaces: 4 }\n"
	"  vcard: { max_bytes: 8KiB, name: Sim }\n"
	"  contact: { admin: [ \"mailto:a@sim.example\" ] }\n";

static struct world *
world_make(void)
{
	struct world *w = world_new(1, 3, TEST_MODULE_DIR, world_conf);

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	return w;
}

TEST(each_question_has_its_answer)
{
	struct world *w = world_make();
	struct peer romeo;

	peer_init(&romeo, w, "romeo");
	for (size_t i = 0; i < COUNT(questions); i++) {
		const char *got = ask(&romeo, questions[i].type,
			questions[i].to, questions[i].payload);

		TEST_CASE(questions[i].payload);
		CHECK_INT(romeo.n_answers, 1);
		if (strstr(got, questions[i].want != NULL ?
					questions[i].want :
					"type=\"result\"") == NULL)
			CHECK_CSTR(got, questions[i].want);
		if (questions[i].want == NULL)
			CHECK(strstr(got, "/>") != NULL &&
				strchr(got + 1, '<') == NULL);
	}
	peer_done(&romeo);
	world_free(w);
}

/* Sends without waiting for answers. */
static void
send_many(struct peer *p, unsigned n, const char *fmt)
{
	for (unsigned i = 0; i < n; i++) {
		char payload[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(payload, sizeof(payload), fmt, i);
#pragma GCC diagnostic pop
		client_send(&p->c, "<iq type='set' id='m'>%s</iq>", payload);
	}
}

TEST(private_storage_cannot_be_outrun)
{
	struct world *w = world_make();
	struct peer romeo;
	unsigned n = 0;

	peer_init(&romeo, w, "romeo");
	send_many(&romeo, 40, PRIVATE("<a xmlns='urn:%u'>x</a>"));
	peer_turn(&romeo);
	for (unsigned i = 0; i < 40; i++) {
		char payload[256], want[64];

		snprintf(payload, sizeof(payload),
			PRIVATE("<a xmlns='urn:%u'/>"), i);
		snprintf(want, sizeof(want), "<a xmlns=\"urn:%u\">x</a>", i);
		if (strstr(ask(&romeo, "get", "", payload), want) != NULL)
			n++;
	}
	CHECK_INT(n, 4);
	peer_done(&romeo);
	world_free(w);
}

TEST(what_is_too_big_is_refused)
{
	struct world *w = world_make();
	struct buf big = BUF_INIT;
	struct peer romeo;

	peer_init(&romeo, w, "romeo");
	buf_printf(&big, "<vCard xmlns='vcard-temp'><FN>%09000d</FN></vCard>",
		0);
	CHECK(strstr(ask(&romeo, "set", "", buf_c(&big)),
		      "<not-acceptable ") != NULL);
	big.n = 0;
	buf_printf(&big, PRIVATE("<a xmlns='urn:a'>%05000d</a>"), 0);
	CHECK(strstr(ask(&romeo, "set", "", buf_c(&big)),
		      "<resource-constraint ") != NULL);
	buf_done(&big);
	peer_done(&romeo);
	world_free(w);
}

/* --- registration ------------------------------------------------------------------ */

/* A stream that does not log in: everything it is sent ends up in c.in. */
static void
stranger_init(struct peer *p, struct world *w)
{
	memset(p, 0, sizeof(*p));
	client_init(&p->c, w, "stranger", "r");
	client_connect(&p->c);
	world_settle(w);
	p->c.in.n = 0;
}

static const char *
stranger_ask(struct peer *p, const char *type, const char *payload)
{
	p->c.in.n = 0;
	client_send(&p->c, "<iq type='%s' id='r'>%s</iq>", type, payload);
	world_settle(p->c.world);
	return buf_c(&p->c.in);
}

static void
stranger_done(struct peer *p)
{
	client_leave(&p->c);
	world_settle(p->c.world);
	client_done(&p->c);
}

#define FIELDS(name, password)                                                 \
	REGISTER("<username>" name "</username><password>" password            \
		 "</password>")
#define FORM(name, password)                                                   \
	REGISTER("<x xmlns='jabber:x:data' type='submit'>"                     \
		 "<field var='username'><value>" name "</value></field>"       \
		 "<field var='password'><value>" password                      \
		 "</value></field></x>")

static const struct {
	const char *type, *payload, *want;
} registrations[] = {
	{ "get", REGISTER(""), "<username/><password/><x " },
	{ "set", REGISTER(""), "<not-acceptable " },
	{ "set", FIELDS("a b", "secret-one"), "<not-acceptable " },
	{ "set", FIELDS("a@b", "secret-one"), "<not-acceptable " },
	{ "set", FIELDS("Administrator", "secret-one"), "<not-acceptable " },
	{ "set", FIELDS("mercutio", "short"), "<not-acceptable " },
	{ "set", REGISTER("<username>a</username><username>b</username>"
			  "<password>secret-one</password>"),
		"<not-acceptable " },
};

TEST(strangers_make_accounts_within_limits)
{
	struct world *w = world_make();
	struct peer p;

	stranger_init(&p, w);
	for (size_t i = 0; i < COUNT(registrations); i++) {
		TEST_CASE(registrations[i].payload);
		CHECK(strstr(stranger_ask(&p, registrations[i].type,
				      registrations[i].payload),
			      registrations[i].want) != NULL);
	}
	TEST_CASE(NULL);
	CHECK(strstr(stranger_ask(&p, "set", FIELDS("Tybalt", "secret-one")),
		      "type=\"result\"") != NULL);
	CHECK(strstr(stranger_ask(&p, "set", FORM("TYBALT", "secret-two")),
		      "<conflict ") != NULL);
	CHECK(strstr(stranger_ask(&p, "set", FORM("paris", "secret-two")),
		      "type=\"result\"") != NULL);
	CHECK(strstr(stranger_ask(&p, "set", FORM("benvolio", "secret-two")),
		      "<resource-constraint ") != NULL);
	stranger_done(&p);
	world_free(w);
}

TEST(a_stranger_may_leave_before_the_answer)
{
	struct world *w = world_make();
	struct peer p;

	stranger_init(&p, w);
	client_send(&p.c, "<iq type='set' id='r'>%s</iq>",
		FIELDS("tybalt", "secret-one"));
	client_break(&p.c);
	world_settle(w);
	client_done(&p.c);
	world_free(w);
}

/* --- hostile questions --------------------------------------------------------------- */

static const char *const fuzz_names[][2] = {
	{ "query", "jabber:iq:roster" },
	{ "query", "jabber:iq:last" },
	{ "query", "jabber:iq:version" },
	{ "query", "jabber:iq:private" },
	{ "query", "jabber:iq:register" },
	{ "query", "http://jabber.org/protocol/disco#info" },
	{ "query", "http://jabber.org/protocol/disco#items" },
	{ "vCard", "vcard-temp" },
	{ "time", "urn:xmpp:time" },
	{ "ping", "urn:xmpp:ping" },
	{ "bind", "urn:ietf:params:xml:ns:xmpp-bind" },
	{ "session", "urn:ietf:params:xml:ns:xmpp-session" },
	{ "x", "jabber:x:data" },
	{ "item", "urn:a" },
	{ "username", "jabber:iq:register" },
	{ "password", "jabber:iq:register" },
	{ "field", "jabber:x:data" },
	{ "value", "jabber:x:data" },
};

static const char *const fuzz_attrs[] = {
	"", " node='x'", " node=''", " ver=''", " type='submit'",
	" jid='a@b' subscription='both'", " jid=''", " var='username'",
	" var='password'", " xml:lang='en'",
};

static const char *const fuzz_texts[] = {
	"", "romeo", "x", "&lt;&amp;", "\xC3\xA9", "secret-one", " \n\t ",
};

static const char *const fuzz_to[] = { "", WORLD_HOST, ME, OTHER, NOBODY,
	ME "/r", ME "/none", WORLD_HOST "/x" };

#define PICK(w, table) (table)[world_draw(w, COUNT(table))]

static void
fuzz_elem(struct buf *out, struct world *w, size_t below, unsigned depth)
{
	const char *const *name = fuzz_names[world_draw(w, below)];
	unsigned n = depth == 0 ? 0 : (unsigned)world_draw(w, 4);

	buf_printf(out, "<%s xmlns='%s'%s>%s", name[0], name[1],
		PICK(w, fuzz_attrs), PICK(w, fuzz_texts));
	for (unsigned i = 0; i < n; i++)
		fuzz_elem(out, w, COUNT(fuzz_names), depth - 1);
	buf_printf(out, "</%s>", name[0]);
}

TEST(every_request_is_answered_once_whatever_is_in_it)
{
	struct world *w = world_make();
	struct peer romeo;

	peer_init(&romeo, w, "romeo");
	for (int i = 0; i < FUZZ_ROUNDS; i++) {
		struct buf payload = BUF_INIT;
		const char *to = PICK(w, fuzz_to);
		const char *type = world_draw(w, 2) == 0 ? "get" : "set";

		fuzz_elem(&payload, w, 12, 3);
		TEST_CASE(buf_c(&payload));
		/* to itself: the client is asked, and does not answer */
		if (strcmp(to, ME "/r") == 0)
			to = "";
		ask(&romeo, type, to, buf_c(&payload));
		CHECK_INT(romeo.n_answers, 1);
		buf_done(&payload);
	}
	peer_done(&romeo);
	world_free(w);
}

TEST_MAIN
