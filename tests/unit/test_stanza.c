/*
 * test_stanza.c - stanzas are read, changed and answered as RFC 6120 §8 says.
 */
#include "config.h"

#include "xmpp/stanza.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "test.h"

static const struct xml_limits limits = {
	.stanza_bytes = 65536,
	.depth = 64,
	.elements = 256,
	.attrs = 64,
	.name_bytes = 256,
};

/* The text of one stanza as a tree, in a new arena. */
static struct elem *
tree_of(struct arena **a_out, const char *text)
{
	struct elem *e;

	*a_out = arena_new();
	e = xml_parse(*a_out, str_c(text), &limits, NULL);
	CHECK(e != NULL);
	return e;
}

static struct stanza *
stanza_of(const char *text)
{
	struct arena *a;
	struct elem *e = tree_of(&a, text);
	enum stanza_cond cond = COND_BAD_REQUEST;
	struct stanza *st = stanza_from_elem(a, e, &cond);

	CHECK(st != NULL);
	CHECK_INT(cond, COND_NONE);
	return st;
}

static void
check_text(const struct stanza *st, const char *text)
{
	struct buf out = BUF_INIT;

	xml_write(&out, st->root, STR(NS_CLIENT));
	CHECK_STR(buf_str(&out), text);
	buf_done(&out);
}

#define C " xmlns='jabber:client'"
#define S " xmlns='jabber:server'"

static const struct {
	const char *in;
	enum stanza_type type;
	const char *out;
} good[] = {
	{ "<message" C "/>", MESSAGE_NORMAL, "<message/>" },
	{ "<message" C " type='normal'/>", MESSAGE_NORMAL,
		"<message type=\"normal\"/>" },
	{ "<message" C " type='chat'/>", MESSAGE_CHAT,
		"<message type=\"chat\"/>" },
	{ "<message" C " type='groupchat'/>", MESSAGE_GROUPCHAT,
		"<message type=\"groupchat\"/>" },
	{ "<message" C " type='headline'/>", MESSAGE_HEADLINE,
		"<message type=\"headline\"/>" },
	{ "<message" C " type='error'/>", MESSAGE_ERROR,
		"<message type=\"error\"/>" },
	/* RFC 6121 §5.2.2: unknown is normal, and says so to the next */
	{ "<message" C " type='Chat'/>", MESSAGE_NORMAL, "<message/>" },
	{ "<message" C " type=''/>", MESSAGE_NORMAL, "<message/>" },
	{ "<message" C " type='get'/>", MESSAGE_NORMAL, "<message/>" },
	{ "<presence" C "/>", PRESENCE_AVAILABLE, "<presence/>" },
	{ "<presence" C " type='unavailable'/>", PRESENCE_UNAVAILABLE,
		"<presence type=\"unavailable\"/>" },
	{ "<presence" C " type='probe'/>", PRESENCE_PROBE,
		"<presence type=\"probe\"/>" },
	{ "<presence" C " type='unsubscribed'/>", PRESENCE_UNSUBSCRIBED,
		"<presence type=\"unsubscribed\"/>" },
	{ "<iq" C " id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
		IQ_GET,
		"<iq id=\"1\" type=\"get\"><ping xmlns=\"urn:xmpp:ping\"/></iq>" },
	{ "<iq" C " id='' type='set'> <a xmlns='b'/> </iq>", IQ_SET,
		"<iq id=\"\" type=\"set\"> <a xmlns=\"b\"/> </iq>" },
	{ "<iq" C " id='1' type='result'/>", IQ_RESULT,
		"<iq id=\"1\" type=\"result\"/>" },
	{ "<iq" C " id='1' type='error'><a xmlns='b'/><error/></iq>", IQ_ERROR,
		"<iq id=\"1\" type=\"error\"><a xmlns=\"b\"/><error/></iq>" },
	/* the server's namespace, where it is inherited */
	{ "<message" S "><body>x</body><a xmlns='b'><c" S "/></a></message>",
		MESSAGE_NORMAL,
		"<message><body>x</body><a xmlns=\"b\">"
		"<c xmlns=\"jabber:server\"/></a></message>" },
	/* addresses in their prepared form, all else untouched */
	{ "<message" C " to='A@B.example/R' xml:lang='DE' from='B.Example.'/>",
		MESSAGE_NORMAL,
		"<message to=\"a@b.example/R\" xml:lang=\"DE\" "
		"from=\"b.example\"/>" },
};

static const struct {
	const char *in;
	enum stanza_cond cond;
} bad[] = {
	{ "<message" C " to=''/>", COND_JID_MALFORMED },
	{ "<message" C " to='@'/>", COND_JID_MALFORMED },
	{ "<message" C " from='a b@c'/>", COND_JID_MALFORMED },
	{ "<presence" C " type='available'/>", COND_BAD_REQUEST },
	{ "<presence" C " type=''/>", COND_BAD_REQUEST },
	{ "<presence" C " type='chat'/>", COND_BAD_REQUEST },
	{ "<iq" C " id='1'><a xmlns='b'/></iq>", COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='chat'><a xmlns='b'/></iq>", COND_BAD_REQUEST },
	{ "<iq" C " type='get'><a xmlns='b'/></iq>", COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='get'/>", COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='get'>text</iq>", COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='set'><a xmlns='b'/><c xmlns='b'/></iq>",
		COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='result'><a xmlns='b'/><c xmlns='b'/></iq>",
		COND_BAD_REQUEST },
	{ "<iq" C " id='1' type='error'><a xmlns='b'/></iq>",
		COND_BAD_REQUEST },
	{ "<message xmlns='jabber:component:connect'/>", COND_BAD_REQUEST },
	{ "<query" C "/>", COND_BAD_REQUEST },
};

TEST(a_sound_stanza_is_read_and_canonical)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct stanza *st;

		TEST_CASE(good[i].in);
		st = stanza_of(good[i].in);
		CHECK_INT(st->type, good[i].type);
		CHECK_INT(st->kind, stanza_type_kind(good[i].type));
		check_text(st, good[i].out);
		stanza_free(st);
	}
}

TEST(an_unsound_stanza_is_refused_with_its_condition)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		enum stanza_cond cond = COND_NONE;
		struct arena *a;
		struct elem *e;

		TEST_CASE(bad[i].in);
		e = tree_of(&a, bad[i].in);
		CHECK(stanza_from_elem(a, e, &cond) == NULL);
		CHECK_INT(cond, bad[i].cond);
		arena_free(a);
	}
}

TEST(fields_say_what_the_attributes_say)
{
	struct stanza *st = stanza_of("<message" C
		" from='A@b/c' to='D@e' id='i'/>");

	CHECK_STR(jid_str(st->from), "a@b/c");
	CHECK_STR(jid_str(st->to), "d@e");
	CHECK_STR(st->id, "i");
	stanza_set_from(st, jid_trusted(STR("x@y/z")));
	stanza_set_to(st, (struct jid){ 0 });
	stanza_set_id(st, STR_NONE);
	CHECK_STR(jid_str(st->from), "x@y/z");
	CHECK(!jid_is_set(st->to));
	CHECK_STR(st->id, NULL);
	check_text(st, "<message from=\"x@y/z\"/>");
	stanza_set_from(st, jid_bare(st->from));
	CHECK_STR(jid_str(st->from), "x@y");
	check_text(st, "<message from=\"x@y\"/>");
	stanza_free(st);
}

TEST(an_address_that_is_set_is_copied)
{
	char text[] = "a@b/c";
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE,
		jid_trusted(str_c(text)), (struct jid){ 0 }, STR_NONE);

	memset(text, 'x', sizeof(text) - 1);
	CHECK_STR(jid_str(st->from), "a@b/c");
	check_text(st, "<presence from=\"a@b/c\"/>");
	stanza_free(st);
}

TEST(a_copy_outlives_the_original)
{
	struct stanza *st = stanza_of("<iq" C
		" from='a@b' to='c/d' id='7' type='set'><x xmlns='y'>z</x></iq>");
	struct stanza *copy = stanza_copy(st);

	stanza_free(st);
	CHECK_STR(jid_str(copy->from), "a@b");
	CHECK_STR(jid_str(copy->to), "c/d");
	CHECK_STR(copy->id, "7");
	CHECK_INT(copy->type, IQ_SET);
	CHECK(elem_is(stanza_payload(copy), "y", "x"));
	CHECK(stanza_child(copy, "y", "x") == stanza_payload(copy));
	CHECK(stanza_child(copy, "y", "q") == NULL);
	check_text(copy, "<iq from=\"a@b\" to=\"c/d\" id=\"7\" type=\"set\">"
		"<x xmlns=\"y\">z</x></iq>");
	CHECK(stanza_bytes(copy) >= sizeof(*copy));
	stanza_free(copy);
	stanza_free(NULL);
}

TEST(an_error_goes_back_with_addresses_swapped_and_without_payload)
{
	struct stanza *st = stanza_of("<iq" C
		" from='a@b/c' to='d@e' id='7' type='get'><x xmlns='y'/></iq>");
	struct stanza *error = stanza_error(st, COND_ITEM_NOT_FOUND,
		STR("no <such> thing"));

	check_text(error,
		"<iq from=\"d@e\" to=\"a@b/c\" type=\"error\" id=\"7\">"
		"<error type=\"cancel\"><item-not-found xmlns=\"" NS_STANZAS
		"\"/><text xmlns=\"" NS_STANZAS "\" xml:lang=\"en\">"
		"no &lt;such&gt; thing</text></error></iq>");
	stanza_free(error);
	error = stanza_error(st, COND_FORBIDDEN, STR_NONE);
	CHECK(elem_count(stanza_child(error, NULL, "error")) == 1);
	stanza_free(error);
	stanza_free(st);
}

TEST(neither_errors_nor_results_are_answered)
{
	static const char *const in[] = {
		"<message" C " type='error'/>",
		"<presence" C " type='error'/>",
		"<iq" C " id='1' type='error'><error/></iq>",
		"<iq" C " id='1' type='result'/>",
	};

	for (size_t i = 0; i < COUNT(in); i++) {
		struct stanza *st;

		TEST_CASE(in[i]);
		st = stanza_of(in[i]);
		CHECK(stanza_error(st, COND_FORBIDDEN, STR_NONE) == NULL);
		CHECK(stanza_error_of_elem(st->root, COND_FORBIDDEN,
			      STR_NONE) == NULL);
		stanza_free(st);
	}
}

TEST(what_was_refused_is_answered_without_its_malformed_address)
{
	struct stanza *error;
	struct arena *a;
	struct elem *e = tree_of(&a,
		"<iq" S " from='A@b/c' to='@' id='7' type='nonsense'/>");

	error = stanza_error_of_elem(e, COND_BAD_REQUEST, STR_NONE);
	check_text(error, "<iq type=\"error\" id=\"7\" to=\"a@b/c\">"
		"<error type=\"modify\"><bad-request xmlns=\"" NS_STANZAS
		"\"/></error></iq>");
	stanza_free(error);
	arena_free(a);
	e = tree_of(&a, "<iq" C " type='get'/>");
	error = stanza_error_of_elem(e, COND_BAD_REQUEST, STR_NONE);
	CHECK_STR(error->id, "");
	stanza_free(error);
	arena_free(a);
	e = tree_of(&a, "<query" C "/>");
	CHECK(stanza_error_of_elem(e, COND_BAD_REQUEST, STR_NONE) == NULL);
	arena_free(a);
}

TEST(a_long_error_text_is_cut_between_two_characters)
{
	struct stanza *st = stanza_of("<message" C "/>"), *error;
	char text[1500];
	struct str cut;

	/* one letter, then letters of two bytes, which straddle 1024 */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i == 0 ? 'a' : i % 2 == 1 ? '\xc3' : '\xa4';
	error = stanza_error(st, COND_CONFLICT,
		(struct str){ text, sizeof(text) - 1 });
	cut = elem_text(error->arena,
		elem_child(stanza_child(error, NULL, "error"), NS_STANZAS,
			"text"));
	CHECK_INT(cut.n, 1023);
	CHECK(str_is_utf8(cut));
	stanza_free(error);
	stanza_free(st);
}

TEST(a_result_is_empty_and_goes_back)
{
	struct stanza *st = stanza_of("<iq" C
		" from='a@b/c' id='7' type='set'><x xmlns='y'/></iq>");
	struct stanza *result = stanza_result(st);

	check_text(result, "<iq to=\"a@b/c\" type=\"result\" id=\"7\"/>");
	stanza_free(result);
	stanza_free(st);
}

TEST(delays_and_hints_are_children_of_the_stanza)
{
	struct stanza *st = stanza_of("<message" C
		"><no-store xmlns='urn:xmpp:hints'/></message>");

	CHECK(stanza_has_hint(st, "no-store"));
	CHECK(!stanza_has_hint(st, "no-copy"));
	stanza_add_delay(st, STR("b.example"), 1031699305000000);
	stanza_add_delay(st, STR_NONE, 0);
	check_text(st,
		"<message><no-store xmlns=\"urn:xmpp:hints\"/>"
		"<delay xmlns=\"urn:xmpp:delay\" from=\"b.example\" "
		"stamp=\"2002-09-10T23:08:25Z\"/>"
		"<delay xmlns=\"urn:xmpp:delay\" "
		"stamp=\"1970-01-01T00:00:00Z\"/></message>");
	stanza_free(st);
}

#define SID " xmlns='urn:xmpp:sid:0'"

/* XEP-0359 §3, hostile 47: whatever it is written like, and all of them. */
TEST(ids_in_the_name_of_one_are_taken_out)
{
	static const char *const ours[] = {
		"<stanza-id" SID " id='1' by='juliet@b.example'/>",
		"<stanza-id" SID " id='1' by='JULIET@B.Example.'/>",
		"<stanza-id" SID " id='1' by='juliet@b.example/x'/>",
		"<x:stanza-id xmlns:x='urn:xmpp:sid:0' id='1' "
		"by='juliet@b.example'>t<y/></x:stanza-id>",
		"<stanza-id" SID " id='1' by=' juliet@b.example'/>",
		"<stanza-id" SID " id='1' by=''/>",
		"<stanza-id" SID " id='1'/>",
		"<stanza-id" SID " id='1' xmlns:x='urn:x' "
		"x:by='juliet@b.example'/>",
	};
	static const char *const others[] = {
		"<stanza-id" SID " id=\"1\" by=\"room@b.example\"/>",
		"<stanza-id" SID " id=\"1\" by=\"b.example\"/>",
		"<origin-id" SID " id=\"1\" by=\"juliet@b.example\"/>",
		"<stanza-id xmlns=\"urn:x\" by=\"juliet@b.example\"/>",
		"<x xmlns=\"urn:x\"><stanza-id" SID
		" by=\"juliet@b.example\"/></x>",
		"text",
	};
	char text[4000];

	for (size_t n = 0; n <= 2 * COUNT(others); n++) {
		struct arena *a = arena_new();
		struct buf got = BUF_INIT, want = BUF_INIT;
		struct stanza *st, *left;
		struct jid juliet;

		buf_add_str(&got, STR("<message" C ">"));
		buf_add_str(&want, STR("<message" C ">"));
		for (size_t i = 0; i < n; i++) {
			buf_add_str(&got, str_c(ours[i % COUNT(ours)]));
			buf_add_str(&got, str_c(others[i % COUNT(others)]));
			buf_add_str(&want, str_c(others[i % COUNT(others)]));
			buf_add_str(&got, str_c(ours[(i + 3) % COUNT(ours)]));
		}
		buf_add_str(&got, STR("</message>"));
		buf_add_str(&want, STR("</message>"));
		CHECK(jid_parse(&juliet, a, STR("juliet@b.example"), NULL));
		snprintf(text, sizeof(text), "%.*s", STR_ARG(buf_str(&got)));
		st = stanza_of(text);
		stanza_drop_ids_by(st, juliet);
		snprintf(text, sizeof(text), "%.*s", STR_ARG(buf_str(&want)));
		left = stanza_of(text);
		buf_done(&want);
		want = (struct buf)BUF_INIT;
		xml_write(&want, left->root, STR(NS_CLIENT));
		snprintf(text, sizeof(text), "%.*s", STR_ARG(buf_str(&want)));
		check_text(st, text);
		/* the chain is whole */
		stanza_add_delay(st, STR_NONE, 0);
		CHECK(stanza_child(st, NS_DELAY, "delay") != NULL);
		stanza_free(left);
		stanza_free(st);
		buf_done(&got);
		buf_done(&want);
		arena_free(a);
	}
}

TEST(types_have_the_names_that_go_out)
{
	static const struct {
		enum stanza_type type;
		const char *text;
	} cases[] = {
		{ MESSAGE_NORMAL, "<message/>" },
		{ MESSAGE_CHAT, "<message type=\"chat\"/>" },
		{ PRESENCE_AVAILABLE, "<presence/>" },
		{ PRESENCE_SUBSCRIBED, "<presence type=\"subscribed\"/>" },
		{ IQ_ERROR, "<iq type=\"error\"/>" },
	};
	const struct jid nobody = { .text = NULL };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stanza *st =
			stanza_new(cases[i].type, nobody, nobody, STR_NONE);

		check_text(st, cases[i].text);
		stanza_free(st);
	}
	CHECK_INT(stanza_type_kind(IQ_GET), STANZA_IQ);
}

TEST_MAIN
