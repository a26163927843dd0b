/*
 * test_elem_pack.c - element trees as few bytes.
 */
#include "config.h"

#include "xml/elem_pack.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "test.h"
#include "tree.h"

static const struct xml_limits limits = {
	.stanza_bytes = 1u << 24,
	.depth = 1000,
	.elements = 100000,
	.attrs = 1000,
	.name_bytes = 10000,
};

#define CLIENT "xmlns='jabber:client'"
#define CAPS "xmlns='http://jabber.org/protocol/caps'"
#define USUAL                                                                  \
	"<presence " CLIENT " xml:lang='en' id='p1'><show>away</show>"         \
	"<status>gone &amp; back &lt;soon&gt;</status><priority>5</priority>"  \
	"<c " CAPS " hash='sha-1' node='http://client.example/'"               \
	" ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>"

static const char *const docs[] = {
	"<presence " CLIENT "/>",
	USUAL,
	"<x xmlns=''/>",
	"<x xmlns='urn:x'><y xmlns=''><z xmlns='urn:x'/></y></x>",
	"<x xmlns='urn:x' xmlns:p='urn:p' p:a='1' a='2' b=''>t<p:a/>t</x>",
	"<message " CLIENT "><body>iq</body><body>type</body></message>",
	"<x>a<![CDATA[b]]>c&amp;d<y/>e&lt;f</x>",
	"<x>\xc3\xa9\xe2\x82\xac</x>",
};

/* In the arena of a. */
static struct elem *
again(struct arena *a, const struct elem *e, size_t *n_out)
{
	struct buf packed = BUF_INIT;
	struct elem *copy;

	elem_pack(&packed, e);
	*n_out = packed.n;
	copy = elem_unpack(a, buf_str(&packed));
	buf_done(&packed); /* nothing is borrowed */
	return copy;
}

static void
check_again(struct arena *a, const struct elem *e)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	size_t n;

	tree_dump(&one, e);
	tree_dump(&two, again(a, e, &n));
	CHECK_STR(buf_str(&two), buf_c(&one));
	buf_done(&one);
	buf_done(&two);
}

TEST(what_was_packed_is_the_same_again)
{
	for (size_t i = 0; i < COUNT(docs); i++) {
		struct arena *a = arena_new();

		TEST_CASE(docs[i]);
		check_again(a, xml_parse(a, str_c(docs[i]), &limits, NULL));
		arena_free(a);
	}
}

TEST(names_stay_interned)
{
	struct arena *a = arena_new();
	size_t n;
	const struct elem *e = again(a, xml_parse(a, str_c(USUAL), &limits,
						   NULL), &n);

	CHECK(e->ns.p == xml_intern(STR("jabber:client")).p);
	CHECK(e->first->name.p == xml_intern(STR("show")).p);
	arena_free(a);
}

TEST(lengths_and_depths_of_all_sizes)
{
	static const unsigned sizes[] = { 0, 1, 2, 62, 63, 64, 65, 127, 128,
		129, 300, 8191, 8192, 16383, 16384, 70000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct arena *a = arena_new();
		struct elem *e = elem_new(a, "urn:x", "x"), *deep = e;
		char *text = xmalloc(sizes[i] + 1);

		memset(text, 'q', sizes[i]);
		elem_set_attr(a, e, "a", (struct str){ text, sizes[i] });
		elem_add_text(a, e, (struct str){ text, sizes[i] });
		for (unsigned k = 0; k < sizes[i] && k < 500; k++)
			deep = elem_add(a, deep, k % 2 ? "urn:x" : "urn:y", "q");
		for (unsigned k = 0; k < sizes[i] && k < 300; k++)
			elem_add(a, e, "urn:x", "many");
		check_again(a, e);
		free(text);
		arena_free(a);
	}
}

TEST(it_is_smaller_than_text)
{
	for (size_t i = 0; i < 2; i++) {
		struct arena *a = arena_new();
		struct elem *e = xml_parse(a, str_c(docs[i]), &limits, NULL);
		struct buf text = BUF_INIT;
		size_t n;

		(void)again(a, e, &n);
		xml_write(&text, e, STR("jabber:client"));
		CHECK(n <= text.n * 2 / 3);
		buf_done(&text);
		arena_free(a);
	}
}

TEST(what_is_asked_for_is_found_without_a_tree)
{
	static const struct {
		const char *ns, *name, *attr, *found;
	} cases[] = {
		{ "jabber:client", "show", NULL, "away" },
		{ "jabber:client", "status", NULL, "gone & back <soon>" },
		{ "jabber:client", "priority", NULL, "5" },
		{ "jabber:client", "show", "ver", NULL },
		{ "jabber:client", "c", "ver", NULL },
		{ "http://jabber.org/protocol/caps", "c", "hash", "sha-1" },
		{ "http://jabber.org/protocol/caps", "c", "node",
			"http://client.example/" },
		{ "http://jabber.org/protocol/caps", "c", "ver",
			"QgayPKawpkPSDYmwT/WM94uAlu0=" },
		{ "http://jabber.org/protocol/caps", "c", "ext", NULL },
		{ "http://jabber.org/protocol/caps", "c", NULL, NULL },
		{ "jabber:client", "nick", NULL, NULL },
	};
	struct arena *a = arena_new();
	struct buf packed = BUF_INIT;

	elem_pack(&packed, xml_parse(a, str_c(USUAL), &limits, NULL));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str found = elem_packed_find(buf_str(&packed),
			cases[i].ns, cases[i].name, cases[i].attr);

		TEST_CASE(cases[i].name);
		CHECK_STR(found, cases[i].found);
	}
	buf_done(&packed);
	arena_free(a);
}

/* The first of several counts, and what is deeper does not. */
TEST(only_children_are_found)
{
	struct arena *a = arena_new();
	struct buf packed = BUF_INIT;

	elem_pack(&packed, xml_parse(a, STR("<p xmlns='urn:x'><q><show>no</show>"
		"</q>text<show><b/>x</show><show>two</show></p>"), &limits, NULL));
	CHECK_STR(elem_packed_find(buf_str(&packed), "urn:x", "show", NULL), NULL);
	CHECK_STR(elem_packed_find(buf_str(&packed), "urn:x", "b", NULL), NULL);
	buf_done(&packed);
	arena_free(a);
}

TEST_MAIN
