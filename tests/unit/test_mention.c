/*
 * test_mention.c - which messages of a room are for one of those who are in it.
 */
#include "config.h"

#include "xmpp/mention.h"

#include <stdio.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/stanza.h"
#include "test.h"

static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 256,
	.attrs = 64,
	.name_bytes = 256,
};

#define ROOM "hall@rooms.example.org/"

static struct stanza *
said(const char *from, const char *what)
{
	static char text[65536];
	enum stanza_cond cond = COND_BAD_REQUEST;
	struct arena *a = arena_new();
	struct elem *e;
	struct stanza *st;

	snprintf(text, sizeof(text),
		"<message xmlns='jabber:client' type='groupchat' "
		"from='hall@rooms.example.org%s%s'>%s</message>",
		*from != '\0' ? "/" : "", from, what);
	e = xml_parse(a, str_c(text), &limits, NULL);
	CHECK(e != NULL);
	st = stanza_from_elem(a, e, &cond);
	CHECK(st != NULL);
	return st;
}

static bool
names(const char *from, const char *what, const char *nick)
{
	struct stanza *st = said(from, what);
	struct jid as, user = jid_trusted(STR("romeo@example.org/orchard"));
	bool is;

	CHECK(jid_parse(&as, st->arena,
		arena_printf(st->arena, ROOM "%s", nick), NULL));
	is = message_names(st, as, user);
	stanza_free(st);
	return is;
}

/* Of words: what is said, to whom, and is he named? */
static const struct {
	const char *body, *nick;
	bool named;
} words[] = {
	{ "romeo: art thou there?", "romeo", true },
	{ "Where is ROMEO?", "romeo", true },
	{ "romeo", "romeo", true },
	{ "@romeo", "romeo", true },
	{ "(romeo)", "romeo", true },
	{ "so said romeo", "Romeo", true },
	{ "romeos", "romeo", false },
	{ "aromeo romeo2", "romeo", false },
	{ "rome o", "romeo", false },
	{ "", "romeo", false },
	{ "one\nromeo\ntwo", "romeo", true },
	{ "r2d2, come", "r2d2", true },
	{ "r2, d2", "r2d2", false },
	/* more than one word, and signs between */
	{ "Anna Maria, look", "Anna Maria", true },
	{ "anna-maria, look", "Anna Maria", true },
	{ "anna, look", "Anna Maria", false },
	{ "hi bob_", "bob_", true },
	{ "hi [bob]", "[bob]", true },
	/* other scripts, whatever the case and the marks */
	{ "Привет, РОМЕО!", "Ромео", true },
	{ "Ромеова", "Ромео", false },
	{ "und Jürgen?", "jürgen", true },
	{ "ロミオさんはどこ", "ロミオ", true },
	{ "どこにもいない", "ロミオ", false },
	/* pictures */
	{ "hello 🦊!", "🦊", true },
	{ "hello 🦊!", "🐺", false },
	{ "hello", "🦊", false },
};

TEST(a_nickname_is_a_word_of_the_text)
{
	char text[256];

	for (size_t i = 0; i < COUNT(words); i++) {
		TEST_CASE(words[i].body);
		snprintf(text, sizeof(text), "<body>%s</body>", words[i].body);
		CHECK_INT(names("tybalt", text, words[i].nick), words[i].named);
	}
}

#define REFERS(uri)                                                            \
	"<body>x</body><reference xmlns='urn:xmpp:reference:0' type='mention' " \
	"begin='0' end='1' uri='" uri "'/>"
#define REPLIES(to)                                                            \
	"<body>x</body><reply xmlns='urn:xmpp:reply:0' id='1' to='" to "'/>"

/* To romeo, who is `Ro Meo' there. */
static const struct {
	const char *what, *from, *text;
	bool named;
} cases[] = {
	{ "his own", "Ro Meo", "<body>x</body>", true },
	{ "another's", "tybalt", "<body>x</body>", false },
	{ "of the room", "", "<body>x</body>", false },
	{ "a subject", "tybalt", "<subject>romans</subject>", true },
	{ "that there is none", "", "<subject/>", true },
	{ "a text with a subject", "tybalt",
		"<subject>x</subject><body>x</body>", false },
	{ "a change of the configuration", "",
		"<x xmlns='http://jabber.org/protocol/muc#user'>"
		"<status code='104'/></x>", false },
	{ "to his nickname", "tybalt",
		REFERS("xmpp:hall@rooms.example.org/Ro%20Meo"), true },
	{ "to his nickname, in another way", "tybalt",
		REFERS("xmpp:Hall@rooms.example.ORG/Ro%20%4deo?message"), true },
	{ "to him", "tybalt", REFERS("xmpp:romeo@example.org"), true },
	{ "to another", "tybalt",
		REFERS("xmpp:hall@rooms.example.org/tybalt"), false },
	{ "to the room", "tybalt", REFERS("xmpp:hall@rooms.example.org"), false },
	{ "to half of a letter", "tybalt",
		REFERS("xmpp:hall@rooms.example.org/Ro%2"), false },
	{ "to a page", "tybalt", REFERS("https://example.org/romeo"), false },
	{ "to nothing", "tybalt", REFERS(""), false },
	{ "an answer to him", "tybalt",
		REPLIES("hall@rooms.example.org/Ro Meo"), true },
	{ "an answer to another", "tybalt",
		REPLIES("hall@rooms.example.org/tybalt"), false },
	{ "an answer to nobody", "tybalt", REPLIES("@"), false },
	{ "encrypted", "tybalt",
		"<body>You cannot read this</body><encrypted "
		"xmlns='eu.siacs.conversations.axolotl'/>", true },
	{ "a call", "tybalt",
		"<invite xmlns='urn:xmpp:call-invites:0'/>", true },
	{ "attention", "tybalt",
		"<attention xmlns='urn:xmpp:attention:0'/>", true },
	{ "a reaction", "tybalt",
		"<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", false },
	{ "a second text", "tybalt",
		"<body>x</body><body xml:lang='en'>ro meo</body>", true },
};

TEST(elements_name_somebody_too)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].what);
		CHECK_INT(names(cases[i].from, cases[i].text, "Ro Meo"),
			cases[i].named);
	}
}

TEST(of_a_text_that_is_too_long_nobody_can_tell)
{
	static char text[40000];
	int n = snprintf(text, sizeof(text), "<body>");

	while (n < 38000)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "w%d ", n);
	snprintf(text + n, sizeof(text) - (size_t)n, "</body>");
	CHECK(names("tybalt", text, "Ro Meo"));
	CHECK(!names("tybalt", text, "romeo"));
}

TEST_MAIN
