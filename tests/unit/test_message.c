/*
 * test_message.c - which messages an archive holds, which are copied to other
 * devices, which wait for who is away, and which wake who does not look: kind by
 * kind.
 */
#include "config.h"

#include "xmpp/message.h"

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

static struct stanza *
stanza_of(const char *text)
{
	enum stanza_cond cond = COND_BAD_REQUEST;
	struct arena *a = arena_new();
	struct elem *e = xml_parse(a, str_c(text), &limits, NULL);
	struct stanza *st;

	CHECK(e != NULL);
	st = stanza_from_elem(a, e, &cond);
	CHECK(st != NULL);
	return st;
}

/* From and to, of a message between two users, or by way of a room. */
#define USERS "romeo@example.org/a", "juliet@example.org/b"
#define FROM_ROOM "hall@rooms.example.org/tybalt", "juliet@example.org/b"
#define TO_ROOM "romeo@example.org/a", "hall@rooms.example.org/tybalt"

#define ONE(name, ns) "<" name " xmlns='" ns "'/>"
#define HINT(name) ONE(name, "urn:xmpp:hints")
#define CALL(name) ONE(name, "urn:xmpp:jingle-message:0")
#define STATE(name) ONE(name, "http://jabber.org/protocol/chatstates")
#define MARK(name) ONE(name, "urn:xmpp:chat-markers:0")
#define BODY "<body>x</body>"
#define VIA_ROOM ONE("x", "http://jabber.org/protocol/muc#user")
#define ROOM_SAYS(what)                                                        \
	"<x xmlns='http://jabber.org/protocol/muc#user'>" what "</x>"
#define ERROR                                                                  \
	"<error type='cancel'><gone "                                          \
	"xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

/*
 * What becomes of each: A it is archived, by who sends and who gets it; S who sends
 * it, R who gets it sees copies (XEP-0280); W it waits for who is away (XEP-0160);
 * and for a client to which nobody looks (XEP-0352): U it goes out at once, H it is
 * held, D it is for nobody.
 */
static const struct row {
	const char *what, *type, *from, *to, *payload, *becomes;
} rows[] = {
	/* chat and normal with a body (XEP-0313 §6.1.1) */
	{ "a body", "chat", USERS, BODY, "ASRWU" },
	{ "a body, normal", "normal", USERS, BODY, "ASRWU" },
	{ "a type that nobody knows", "strange", USERS, BODY, "ASRWU" },
	{ "a subject, normal", "normal", USERS, "<subject>s</subject>", "A--WU" },
	{ "a body of another namespace", "normal", USERS, ONE("body", "urn:x"),
		"---WU" },
	{ "nothing", "chat", USERS, "", "-SR-U" },
	/* for who has asked, and nobody else */
	{ "a result of an archive", "normal", USERS,
		ONE("result", "urn:xmpp:mam:2"), "----U" },
	/* encrypted, without a body (XEP-0380, XEP-0384) */
	{ "OMEMO", "chat", USERS, ONE("encrypted", "urn:xmpp:omemo:2"), "ASRWU" },
	{ "OMEMO of old", "chat", USERS,
		ONE("encrypted", "eu.siacs.conversations.axolotl"), "ASRWU" },
	{ "OpenPGP", "chat", USERS, ONE("openpgp", "urn:xmpp:openpgp:0"),
		"ASRWU" },
	{ "OpenPGP of old", "chat", USERS, ONE("x", "jabber:x:encrypted"), "ASRWU" },
	{ "encrypted, normal", "normal", USERS,
		ONE("encryption", "urn:xmpp:eme:0"), "ASRWU" },
	{ "an invitation to a call, normal (XEP-0482)", "normal", USERS,
		ONE("invite", "urn:xmpp:call-invites:0"), "ASRWU" },
	{ "a file, normal (XEP-0447)", "normal", USERS,
		ONE("file-sharing", "urn:xmpp:sfs:0"), "ASRWU" },
	/* chat states (XEP-0085 §5.8) */
	{ "a chat state", "chat", USERS, STATE("composing"), "-SR-D" },
	{ "a chat state, normal", "normal", USERS, STATE("gone"), "-SR-D" },
	{ "a chat state of a thread", "chat", USERS,
		STATE("paused") "<thread>t</thread>" HINT("no-store"), "-SR-D" },
	{ "a chat state beside a body", "chat", USERS, STATE("active") BODY,
		"ASRWU" },
	{ "a chat state in a room", "chat", FROM_ROOM,
		STATE("composing") VIA_ROOM
			ONE("occupant-id", "urn:xmpp:occupant-id:0"),
		"-S--D" },
	{ "a chat state for one device (XEP-0280 §9)", "chat", USERS,
		STATE("composing") ONE("private", "urn:xmpp:carbons:2")
			HINT("no-copy"),
		"----D" },
	{ "a chat state, as a headline", "headline", USERS, STATE("gone"),
		"-SR-D" },
	/* receipts (XEP-0184), markers (XEP-0333) */
	{ "a receipt", "chat", USERS, ONE("received", "urn:xmpp:receipts"),
		"ASRWU" },
	{ "a receipt, normal", "normal", USERS,
		ONE("received", "urn:xmpp:receipts") HINT("store"), "ASRWU" },
	{ "a request for one", "chat", USERS, ONE("request", "urn:xmpp:receipts"),
		"-SR-U" },
	{ "displayed", "chat", USERS, MARK("displayed"), "ASRWU" },
	{ "displayed, normal", "normal", USERS, MARK("displayed"), "ASRWU" },
	{ "markable", "chat", USERS, MARK("markable"), "-SR-U" },
	/* what changes another message (XEP-0308, 0424, 0444, 0422) */
	{ "a correction", "chat", USERS,
		BODY ONE("replace", "urn:xmpp:message-correct:0"), "ASRWU" },
	{ "a retraction", "chat", USERS,
		ONE("retract", "urn:xmpp:message-retract:1"), "ASRWU" },
	{ "a reaction", "chat", USERS, ONE("reactions", "urn:xmpp:reactions:0"),
		"ASRWU" },
	{ "a retraction, normal", "normal", USERS,
		ONE("retract", "urn:xmpp:message-retract:1"), "ASRWU" },
	{ "a reaction, normal", "normal", USERS,
		ONE("reactions", "urn:xmpp:reactions:0") HINT("store"), "ASRWU" },
	{ "a fastening", "chat", USERS, ONE("apply-to", "urn:xmpp:fasten:0"),
		"ASRWU" },
	{ "a reply (XEP-0461)", "chat", USERS, BODY ONE("reply", "urn:xmpp:reply:0"),
		"ASRWU" },
	{ "what a chat state answers to", "chat", USERS,
		STATE("composing") ONE("reply", "urn:xmpp:reply:0")
			ONE("fallback", "urn:xmpp:fallback:0"),
		"-SR-D" },
	{ "a nickname alone (XEP-0172)", "chat", USERS,
		"<nick xmlns='http://jabber.org/protocol/nick'>r</nick>", "-SR-U" },
	/* calls (XEP-0353 §5) */
	{ "propose", "chat", USERS, CALL("propose") HINT("store"), "ASRWU" },
	{ "ringing", "chat", USERS, CALL("ringing") HINT("store"), "ASRWU" },
	{ "proceed", "chat", USERS, CALL("proceed") HINT("store"), "ASRWU" },
	{ "reject", "chat", USERS, CALL("reject") HINT("store"), "ASRWU" },
	{ "retract", "chat", USERS, CALL("retract") HINT("store"), "ASRWU" },
	{ "finish", "chat", USERS, CALL("finish") HINT("store"), "ASRWU" },
	{ "a call without the hint, normal", "normal", USERS, CALL("propose"),
		"ASRWU" },
	/* headlines, and what others say in rooms */
	{ "a headline", "headline", USERS, BODY, "----U" },
	{ "a headline that asks for it", "headline", USERS, BODY HINT("store"),
		"A---U" },
	{ "a headline that is a receipt", "headline", USERS,
		ONE("received", "urn:xmpp:receipts"), "-SR-U" },
	{ "an event, as a headline (XEP-0163)", "headline", USERS,
		ONE("event", "http://jabber.org/protocol/pubsub#event"), "----H" },
	{ "an event that asks for it, as a headline", "headline", USERS,
		ONE("event", "http://jabber.org/protocol/pubsub#event")
			HINT("store"),
		"A---U" },
	{ "a headline with nothing", "headline", USERS, "", "----H" },
	{ "groupchat", "groupchat", FROM_ROOM, BODY, "----U" },
	{ "groupchat that asks for it", "groupchat", FROM_ROOM,
		BODY HINT("store"), "----U" },
	{ "a subject of a room", "groupchat", FROM_ROOM, "<subject>s</subject>",
		"----U" },
	/* private messages in rooms */
	{ "from a room", "chat", FROM_ROOM, BODY VIA_ROOM, "AS-WU" },
	{ "to a room", "chat", TO_ROOM, BODY VIA_ROOM, "AS-WU" },
	/* invitations (XEP-0249, XEP-0045 §7.8) */
	{ "an invitation", "normal", USERS, ONE("x", "jabber:x:conference"),
		"ASRWU" },
	{ "an invitation by a room", "normal", FROM_ROOM,
		ROOM_SAYS("<invite/>"), "ASRWU" },
	{ "an invitation that is declined", "normal", FROM_ROOM,
		ROOM_SAYS("<decline/>"), "AS-WU" },
	{ "what a room says of itself", "normal", FROM_ROOM,
		ROOM_SAYS("<status code='104'/>"), "AS-WU" },
	/* errors */
	{ "an error", "error", USERS, BODY ERROR, "----U" },
	{ "an error that asks for it", "error", USERS, ERROR HINT("store"),
		"----U" },
	/* what asks not to be stored, or copied (XEP-0334, XEP-0280 §9) */
	{ "no-store", "chat", USERS, BODY HINT("no-store"), "-SR-U" },
	{ "no-store and store", "chat", USERS,
		BODY HINT("no-store") HINT("store"), "-SR-U" },
	{ "no-permanent-store", "chat", USERS, BODY HINT("no-permanent-store"),
		"-SRWU" },
	{ "no-copy", "chat", USERS, BODY HINT("no-copy"), "A--WU" },
	{ "private", "chat", USERS, BODY ONE("private", "urn:xmpp:carbons:2"),
		"A--WU" },
	{ "store", "chat", USERS, STATE("composing") HINT("store"), "ASRWU" },
	/* and the rest */
	{ "a part of a file", "chat", USERS,
		ONE("data", "http://jabber.org/protocol/ibb"), "----U" },
	{ "an event (XEP-0163)", "normal", USERS,
		ONE("event", "http://jabber.org/protocol/pubsub#event"), "---WU" },
	{ "what nobody knows", "chat", USERS, ONE("x", "urn:x"), "-SRWU" },
	{ "an id alone", "chat", USERS, "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>",
		"-SR-U" },
};

static char
letter_quiet(const struct stanza *st)
{
	if (message_is_passing(st))
		return 'D';
	return stanza_is_urgent(st) ? 'U' : 'H';
}

TEST(what_becomes_of_a_message_its_type_and_elements_say)
{
	char text[2048], becomes[6];

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct stanza *st;

		TEST_CASE(r->what);
		(void)snprintf(text, sizeof(text),
			"<message xmlns='jabber:client' type='%s' from='%s' "
			"to='%s' id='1'>%s</message>",
			r->type, r->from, r->to, r->payload);
		st = stanza_of(text);
		(void)snprintf(becomes, sizeof(becomes), "%c%c%c%c%c",
			message_is_archived(st) ? 'A' : '-',
			message_is_copied(st, true) ? 'S' : '-',
			message_is_copied(st, false) ? 'R' : '-',
			message_may_wait(st) ? 'W' : '-',
			letter_quiet(st));
		CHECK_CSTR(becomes, r->becomes);
		stanza_free(st);
	}
}

/* A copy of what wakes nobody wakes nobody, and the other way round. */
TEST(a_copy_is_as_urgent_as_what_it_shows)
{
	char text[4096];

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct stanza *st;

		TEST_CASE(r->what);
		(void)snprintf(text, sizeof(text),
			"<message xmlns='jabber:client' type='%s' "
			"from='juliet@example.org' to='juliet@example.org/c'>"
			"<received xmlns='urn:xmpp:carbons:2'>"
			"<forwarded xmlns='urn:xmpp:forward:0'>"
			"<message xmlns='jabber:client' type='%s' from='%s' "
			"to='%s' id='1'>%s</message>"
			"</forwarded></received></message>",
			r->type, r->type, r->from, r->to, r->payload);
		st = stanza_of(text);
		CHECK(stanza_is_copy_again(st));
		CHECK_INT(letter_quiet(st), r->becomes[4]);
		stanza_free(st);
	}
}

TEST(what_is_no_message_nobody_keeps)
{
	struct stanza *st = stanza_of(
		"<presence xmlns='jabber:client'><body/></presence>");

	CHECK(!message_is_archived(st));
	CHECK(!message_is_copied(st, true));
	CHECK(!message_may_wait(st));
	stanza_free(st);
}

TEST_MAIN
