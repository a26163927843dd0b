/*
 * test_room_log.c - what is archived of a room, and what of that who sees.
 */
#include "config.h"

#include "../../modules/muc/room_archive.h"
#include "../../modules/muc/room_log.h"

#include "xml/parser.h"
#include "test.h"

#define ROOM "coven@rooms.example"
#define OCCUPANT "<occupant-id xmlns=\"urn:xmpp:occupant-id:0\" id=\"o\"/>"
#define REAL                                                                   \
	"<x xmlns=\"" NS_MUC_USER "\"><item affiliation=\"owner\" "            \
	"role=\"moderator\" jid=\"crone1@a.example/desktop\"/></x>"

static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 256,
	.attrs = 64,
	.name_bytes = 256,
};

/* What becomes of the rest of the archive is not asked here. */
void
room_archive_added(struct room *r, struct store_tx *tx, const struct stanza *st,
	struct str id, size_t bytes)
{
	(void)r;
	(void)tx;
	(void)st;
	(void)id;
	(void)bytes;
}

static struct stanza *
said(const char *payload)
{
	struct arena *a = arena_new();
	struct str text = arena_printf(a,
		"<message xmlns='" NS_CLIENT "' from='" ROOM
		"/firstwitch' type='groupchat' id='1'>%s</message>",
		payload);
	enum stanza_cond cond;
	struct elem *e = xml_parse(a, text, &limits, NULL);
	struct stanza *st;

	CHECK(e != NULL);
	st = stanza_from_elem(a, e, &cond);
	CHECK(st != NULL);
	return st;
}

static void
written(struct buf *out, struct stanza *st, bool by_room)
{
	struct room_author author = {
		.jid = jid_trusted(STR("crone1@a.example/desktop")),
		.role = ROLE_MODERATOR,
		.aff = AFF_OWNER,
	};

	room_log_write(out, st, by_room ? NULL : &author);
}

/* What is shown of it as text; "": it was damaged. */
static void
show(struct buf *out, struct str value, bool real)
{
	struct xml_pool *pool = xml_pool_new();
	struct buf buf = BUF_INIT;
	struct str shown = room_log_value(pool, value, real, &buf);

	if (shown.p != NULL)
		buf_add_str(out, stored_text(pool, shown));
	buf_done(&buf);
	xml_pool_free(pool);
}

static void
check_shown(const char *payload, bool by_room, bool real, const char *expected)
{
	struct stanza *st = said(payload);
	struct buf value = BUF_INIT, text = BUF_INIT, all = BUF_INIT;

	written(&value, st, by_room);
	show(&text, buf_str(&value), real);
	buf_printf(&all,
		"<message xmlns=\"" NS_CLIENT "\" from=\"" ROOM
		"/firstwitch\" type=\"groupchat\" id=\"1\">%s</message>",
		expected);
	CHECK_STR(buf_str(&text), buf_c(&all));
	buf_done(&value);
	buf_done(&text);
	buf_done(&all);
	stanza_free(st);
}

TEST(who_it_was_is_for_those_who_may_know)
{
	static const struct {
		const char *what, *payload;
	} cases[] = {
		{ "a body", "<body>hi</body>" OCCUPANT },
		{ "what looks like it, as text",
			"<body>&lt;x xmlns=\"" NS_MUC_USER
			"\"&gt;&lt;/x&gt;&lt;/message&gt;</body>" OCCUPANT },
		{ "another x, before it",
			"<x xmlns=\"jabber:x:oob\"><url>u</url></x>" },
		{ "one within another",
			"<wrap xmlns=\"urn:x\"><x xmlns=\"" NS_MUC_USER
			"\"/></wrap>" },
	};
	struct buf expected = BUF_INIT;

	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].what);
		check_shown(cases[i].payload, false, false, cases[i].payload);
		buf_done(&expected);
		buf_printf(&expected, "%s%s", cases[i].payload, REAL);
		check_shown(cases[i].payload, false, true, buf_c(&expected));
	}
	buf_done(&expected);
}

/* What ends like an entry of somebody's, and is none. */
TEST(what_the_room_says_is_shown_as_it_is)
{
	static const char *const payloads[] = {
		"<retract xmlns=\"" NS_RETRACT "\" id=\"1\"/>",
		"<x xmlns=\"jabber:x:oob\"><url>u</url></x>",
	};

	for (size_t i = 0; i < COUNT(payloads); i++) {
		TEST_CASE(payloads[i]);
		check_shown(payloads[i], true, false, payloads[i]);
		check_shown(payloads[i], true, true, payloads[i]);
	}
}

TEST(writing_leaves_the_message_as_it_was)
{
	struct stanza *st = said("<body>hi</body>" OCCUPANT);
	struct buf value = BUF_INIT, before = BUF_INIT, after = BUF_INIT;

	stored_write(&before, st->root);
	written(&value, st, false);
	stored_write(&after, st->root);
	CHECK_STR(buf_str(&after), buf_c(&before));
	buf_done(&before);
	buf_done(&after);
	buf_done(&value);
	stanza_free(st);
}

TEST(what_was_damaged_is_shown_to_nobody)
{
	struct stanza *st = said("<body>hi</body>" OCCUPANT);
	struct buf value = BUF_INIT, text = BUF_INIT;

	written(&value, st, false);
	value.p[value.n / 2] = '<';
	show(&text, buf_str(&value), false);
	show(&text, buf_str(&value), true);
	show(&text, STR(""), false);
	CHECK_INT(text.n, 0);
	buf_done(&value);
	buf_done(&text);
	stanza_free(st);
}

/* XEP-0313 §6.1.2, XEP-0334 §4. */
TEST(what_says_something_is_archived)
{
	static const struct {
		const char *payload;
		bool wanted;
	} cases[] = {
		{ "<body>hi</body>", true },
		{ "<subject>s</subject>", true },
		{ "<subject/>", true },
		{ "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", true },
		{ "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", true },
		{ "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
			false },
		{ "<a xmlns='urn:x'/>", false },
		{ "<a xmlns='urn:x'/><store xmlns='urn:xmpp:hints'/>", true },
		{ "<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", false },
		{ "<body>hi</body><no-permanent-store xmlns='urn:xmpp:hints'/>",
			false },
		{ OCCUPANT, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stanza *st = said(cases[i].payload);

		TEST_CASE(cases[i].payload);
		CHECK(room_log_wants(st) == cases[i].wanted);
		stanza_free(st);
	}
}

TEST_MAIN
