/*
 * test_retraction.c - what a retraction means, and what is left (XEP-0424).
 */
#include "config.h"

#include "xmpp/retraction.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "test.h"

static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 256,
	.attrs = 64,
	.name_bytes = 256,
};

/* A message, without the namespace: attributes, then its children. */
static struct elem *
message_of(struct arena *a, const char *attrs, const char *children)
{
	char text[2048];
	struct elem *e;

	(void)snprintf(text, sizeof(text),
		"<message xmlns='jabber:client' %s>%s</message>", attrs, children);
	e = xml_parse(a, str_c(text), &limits, NULL);
	CHECK(e != NULL);
	return e;
}

static struct stanza *
stanza_of(const char *attrs, const char *children)
{
	enum stanza_cond cond = COND_BAD_REQUEST;
	struct arena *a = arena_new();
	struct stanza *st = stanza_from_elem(a, message_of(a, attrs, children),
		&cond);

	CHECK(st != NULL);
	return st;
}

#define ROMEO "type='chat' to='juliet@b' from='romeo@a/1' "
#define RETRACT "<retract xmlns='urn:xmpp:message-retract:1' id='m'/>"
#define REPLACE "<replace xmlns='urn:xmpp:message-correct:0' id='m'/>"
#define OCCUPANT(id) "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='" id "'/>"
#define VIA_ROOM "<x xmlns='http://jabber.org/protocol/muc#user'/>"

static const struct {
	const char *what, *attrs, *children, *of; /* NULL: it retracts nothing */
} reads[] = {
	{ "chat", ROMEO "id='r'", RETRACT, "m" },
	{ "normal", "from='romeo@a/1'", RETRACT "<body>x</body>", "m" },
	{ "without an id", ROMEO, RETRACT, "m" },
	{ "nothing", ROMEO "id='r'", "<body>x</body>", NULL },
	{ "of a room", "type='groupchat' from='romeo@a/1' id='r'", RETRACT, NULL },
	{ "an error", "type='error' from='romeo@a/1' id='r'", RETRACT, NULL },
	{ "a headline", "type='headline' from='romeo@a/1'", RETRACT, NULL },
	{ "of no message", ROMEO,
		"<retract xmlns='urn:xmpp:message-retract:1'/>", NULL },
	{ "a call (XEP-0353)", ROMEO,
		"<retract xmlns='urn:xmpp:jingle-message:0' id='m'/>", NULL },
};

TEST(a_message_says_which_one_it_retracts)
{
	for (size_t i = 0; i < COUNT(reads); i++) {
		struct stanza *st = stanza_of(reads[i].attrs, reads[i].children);
		struct retraction r;
		bool is = retraction_read(&r, st);

		TEST_CASE(reads[i].what);
		CHECK_INT(is, reads[i].of != NULL);
		if (is) {
			CHECK_STR(r.of, reads[i].of);
			CHECK_STR(r.from, "romeo@a/1");
			CHECK(str_eq(r.id, st->id));
		}
		stanza_free(st);
	}
}

/* Of one who says <retract id='m'/>. */
static const struct {
	const char *what;
	const char *retracts, *how; /* attributes, and what is beside <retract/> */
	const char *attrs, *children;
	bool own;
	enum retracted is;
} cases[] = {
	{ "the message", ROMEO, "", ROMEO "id='m'", "<body>x</body>", false,
		RETRACTED_IT },
	{ "of another device", ROMEO, "", "type='chat' from='romeo@a/2' id='m'",
		"<body>x</body>", false, RETRACTED_IT },
	{ "of no device", ROMEO, "", "from='romeo@a' id='m'", "", false,
		RETRACTED_IT },
	{ "another message", ROMEO, "", ROMEO "id='n'", "<body>x</body>", false,
		RETRACTED_NOT },
	{ "one without an id", ROMEO, "", ROMEO, "<body>x</body>", false,
		RETRACTED_NOT },
	{ "that of somebody else", ROMEO, "", "from='juliet@b/1' id='m'",
		"<body>x</body>", false, RETRACTED_NOT },
	{ "of one whose address begins so", ROMEO, "", "from='romeo@ab' id='m'",
		"", false, RETRACTED_NOT },
	{ "a correction of it", ROMEO, "", ROMEO "id='n'",
		"<body>x</body>" REPLACE, false, RETRACTED_TEXT },
	{ "somebody else's correction", ROMEO, "", "from='juliet@b/1' id='n'",
		"<body>x</body>" REPLACE, false, RETRACTED_NOT },
	{ "a retraction", ROMEO, "", ROMEO "id='m'", RETRACT, false,
		RETRACTED_NOT },
	{ "a tombstone", ROMEO, "", ROMEO "id='m'",
		"<retracted xmlns='urn:xmpp:message-retract:1' id='q'/>", false,
		RETRACTED_NOT },
	{ "of the same in a room", "from='hall@r/romeo'", VIA_ROOM OCCUPANT("1"),
		"from='hall@r/romeo' id='m'", VIA_ROOM OCCUPANT("1"), false,
		RETRACTED_IT },
	{ "of another in a room", "from='hall@r/tybalt'", VIA_ROOM,
		"from='hall@r/romeo' id='m'", VIA_ROOM, false, RETRACTED_NOT },
	{ "of another, which the room forgot to say", "from='hall@r/tybalt'", "",
		"from='hall@r/romeo' id='m'", VIA_ROOM, false, RETRACTED_NOT },
	{ "of another, who has the name now", "from='hall@r/romeo'",
		VIA_ROOM OCCUPANT("2"), "from='hall@r/romeo' id='m'",
		VIA_ROOM OCCUPANT("1"), false, RETRACTED_NOT },
	{ "of one who was nobody then", "from='hall@r/romeo'", OCCUPANT("2"),
		"from='hall@r/romeo' id='m'", "", false, RETRACTED_NOT },
	{ "one's own to a room", ROMEO, VIA_ROOM, "from='romeo@a/2' id='m'",
		VIA_ROOM, true, RETRACTED_IT },
};

TEST(only_who_has_sent_a_message_retracts_it)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		char children[512];
		struct retraction r = { .in_room = false };
		struct stanza *st;

		TEST_CASE(cases[i].what);
		(void)snprintf(children, sizeof(children), RETRACT "%s",
			cases[i].how);
		st = stanza_of(cases[i].retracts, children);
		CHECK(retraction_read(&r, st));
		r = retraction_copy(a, &r);
		stanza_free(st);
		CHECK_INT(retraction_of(&r,
				  message_of(a, cases[i].attrs, cases[i].children),
				  cases[i].own),
			cases[i].is);
		arena_free(a);
	}
}

TEST(a_tombstone_says_who_and_when_and_nothing_else)
{
	static const char whole[] =
		"<message from='hall@r/romeo' to='juliet@b/1' type='chat' id='m'>"
		"<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>"
		"<origin-id xmlns='urn:xmpp:sid:0' id='m'/>"
		"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='1'/>"
		"<x xmlns='http://jabber.org/protocol/muc#user'/>"
		"<retracted xmlns='urn:xmpp:message-retract:1' id='r' "
		"stamp='2026-01-02T03:05:00Z'/></message>";
	struct retraction r = { .of = STR("m"), .id = STR("r") };
	struct buf out = BUF_INIT;
	struct arena *a = arena_new();
	struct elem *message = message_of(a,
		"type='chat' from='hall@r/romeo' to='juliet@b/1' id='m' "
		"xml:lang='en'",
		"<body>secret</body><subject>secret</subject>"
		"<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>"
		"<encrypted xmlns='urn:xmpp:omemo:2'>secret</encrypted>"
		"<origin-id xmlns='urn:xmpp:sid:0' id='m'/>" OCCUPANT("1") VIA_ROOM
		"<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>"
		"<thread>t</thread><x xmlns='jabber:x:oob'><url>s</url></x>");

	xml_write(&out,
		retraction_tombstone(a, &r, message,
			INT64_C(1767323100) * 1000000),
		STR(NS_CLIENT));
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] == '"')
			out.p[i] = '\'';
	CHECK_STR(buf_str(&out), whole);
	buf_done(&out);
	arena_free(a);
}

TEST(of_most_messages_their_bytes_say_that_they_are_not_meant)
{
	struct retraction r = { .of = STR("a1") };

	CHECK(retraction_may_be_of(&r, STR("<message id=\"a1\"/>")));
	CHECK(!retraction_may_be_of(&r, STR("<message id=\"a2\"/>")));
	/* as it stands there nobody looks */
	r.of = STR("a&1");
	CHECK(retraction_may_be_of(&r, STR("<message id=\"a&amp;1\"/>")));
}

TEST_MAIN
