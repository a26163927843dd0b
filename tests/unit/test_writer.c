/*
 * test_writer.c - the serialiser.
 */
#include "config.h"

#include "test.h"

#include "base/arena.h"
#include "base/err.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "tree.h"

static const struct xml_limits limits = {
	.stanza_bytes = 100000,
	.depth = 100,
	.elements = 1000,
	.attrs = 100,
	.name_bytes = 1000,
};

static struct elem *
parse(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct elem *e = xml_parse(a, str_c(text), &limits, &err);

	if (e == NULL)
		test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
	return e;
}

static const struct {
	const char *in, *ns, *out;
} write_cases[] = {
	{ "<a/>", "", "<a/>" },
	{ "<a></a>", "", "<a/>" },
	{ "<a/>", "urn:x", "<a xmlns=\"\"/>" },
	{ "<a xmlns='urn:x'/>", "urn:x", "<a/>" },
	{ "<a xmlns='urn:x'/>", "", "<a xmlns=\"urn:x\"/>" },
	{ "<a xmlns='urn:x'><b/><c xmlns='urn:y'><d/></c><e/></a>", "",
		"<a xmlns=\"urn:x\"><b/><c xmlns=\"urn:y\"><d/></c><e/></a>" },
	{ "<a xmlns='urn:x'><b xmlns=''/></a>", "",
		"<a xmlns=\"urn:x\"><b xmlns=\"\"/></a>" },
	{ "<p:a xmlns:p='urn:x'><p:b/><b/></p:a>", "",
		"<a xmlns=\"urn:x\"><b/><b xmlns=\"\"/></a>" },
	{ "<a xml:lang='en'/>", "", "<a xml:lang=\"en\"/>" },
	{ "<xml:a><b/></xml:a>", "", "<xml:a><b/></xml:a>" },
	{ "<a xmlns:p='urn:x' p:b='1' xmlns:q='urn:y' q:b='2' b='3'/>", "",
		"<a xmlns:n0=\"urn:x\" n0:b=\"1\" xmlns:n1=\"urn:y\""
		" n1:b=\"2\" b=\"3\"/>" },
	{ "<a xmlns:n1='urn:x' n1:b='1' n1:c='2'><b n1:d='3'/></a>", "",
		"<a xmlns:n0=\"urn:x\" n0:b=\"1\" xmlns:n1=\"urn:x\""
		" n1:c=\"2\"><b xmlns:n0=\"urn:x\" n0:d=\"3\"/></a>" },
	{ "<a b='&#9;&#10;&#13;&quot;&apos;&lt;>&amp;'/>", "",
		"<a b=\"&#9;&#10;&#13;&quot;'&lt;&gt;&amp;\"/>" },
	{ "<a>&#9;&#10;&#13;\"'&lt;]]&gt;&amp;</a>", "",
		"<a>\t\n&#13;\"'&lt;]]&gt;&amp;</a>" },
	{ "<a>x<![CDATA[<b/>&amp;]]>y</a>", "",
		"<a>x&lt;b/&gt;&amp;amp;y</a>" },
	{ "<a xmlns='urn:&quot;&amp;'/>", "",
		"<a xmlns=\"urn:&quot;&amp;\"/>" },
	{ "<a>\xC3\xA4\xF0\x9F\x98\x80</a>", "",
		"<a>\xC3\xA4\xF0\x9F\x98\x80</a>" },
};

TEST(namespaces_are_declared_where_they_change)
{
	for (size_t i = 0; i < COUNT(write_cases); i++) {
		struct arena *a = arena_new();
		struct buf out = BUF_INIT;

		TEST_CASE(write_cases[i].in);
		xml_write(&out, parse(a, write_cases[i].in),
			str_c(write_cases[i].ns));
		CHECK_CSTR(buf_c(&out), write_cases[i].out);
		buf_done(&out);
		arena_free(a);
	}
}

TEST(what_was_written_parses_to_the_same_tree)
{
	for (size_t i = 0; i < COUNT(write_cases); i++) {
		struct arena *a = arena_new();
		struct buf out = BUF_INIT, first = BUF_INIT, again = BUF_INIT;
		struct elem *e = parse(a, write_cases[i].in);

		TEST_CASE(write_cases[i].in);
		xml_write(&out, e, STR_NONE);
		tree_dump(&first, e);
		tree_dump(&again, parse(a, buf_c(&out)));
		CHECK_CSTR(buf_c(&again), buf_c(&first));
		buf_done(&out);
		buf_done(&first);
		buf_done(&again);
		arena_free(a);
	}
}

TEST(what_no_xml_can_say_becomes_a_replacement_character)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "", "a");
	struct buf out = BUF_INIT;

	elem_set_attr(a, e, "b", STR("x\x01y"));
	elem_add_text(a, e, ((struct str){ "\0z\x1F", 3 }));
	xml_write(&out, e, STR(""));
	CHECK_CSTR(buf_c(&out), "<a b=\"x\xEF\xBF\xBDy\">"
		"\xEF\xBF\xBDz\xEF\xBF\xBD</a>");
	buf_done(&out);
	arena_free(a);
}

TEST(escape_leaves_nothing_that_a_reader_would_change)
{
	struct buf out = BUF_INIT;

	xml_escape(&out, STR("a&<>\"'\t\n\rb"), true);
	CHECK_CSTR(buf_c(&out),
		"a&amp;&lt;&gt;&quot;&apos;&#9;&#10;&#13;b");
	out.n = 0;
	xml_escape(&out, STR("a&<>\"'\t\n\rb"), false);
	CHECK_CSTR(buf_c(&out), "a&amp;&lt;&gt;&quot;&apos;\t\n&#13;b");
	out.n = 0;
	xml_escape(&out, STR_NONE, false);
	CHECK_INT(out.n, 0);
	buf_done(&out);
}

/* Eight bytes are looked at at a time: each byte, wherever it stands. */
TEST(what_is_escaped_does_not_depend_on_its_place)
{
	for (unsigned c = 0; c < 256; c++) {
		char text[26], one = (char)c;
		struct buf out = BUF_INIT, alone = BUF_INIT;

		xml_escape(&alone, (struct str){ &one, 1 }, true);
		for (size_t n = 1; n <= sizeof(text); n++) {
			for (size_t at = 0; at < n; at++) {
				memset(text, 'x', n);
				text[at] = one;
				out.n = 0;
				xml_escape(&out, (struct str){ text, n }, true);
				CHECK_INT(out.n, n - 1 + alone.n);
				CHECK(memcmp(out.p + at, alone.p, alone.n) == 0);
			}
		}
		buf_done(&out);
		buf_done(&alone);
	}
}

TEST(the_place_of_an_address_left_out_is_told)
{
	struct arena *a = arena_new();
	struct elem *e = parse(a, "<message xmlns='jabber:client' to='old'"
		" id='1'><body to='inner'>x</body></message>");
	struct buf out = BUF_INIT, whole = BUF_INIT;
	size_t at;

	buf_add_c(&out, "before");
	at = xml_write_without_to(&out, e, STR("jabber:client"));
	CHECK_CSTR(buf_c(&out), "before<message id=\"1\">"
		"<body to=\"inner\">x</body></message>");
	buf_add(&whole, out.p + 6, at);
	buf_add_c(&whole, " to=\"new\"");
	buf_add(&whole, out.p + 6 + at, out.n - 6 - at);
	CHECK_CSTR(buf_c(&whole), "<message to=\"new\" id=\"1\">"
		"<body to=\"inner\">x</body></message>");
	buf_done(&out);
	buf_done(&whole);
	arena_free(a);
}

TEST_MAIN
