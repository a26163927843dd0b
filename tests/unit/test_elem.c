/*
 * test_elem.c - the element tree.
 */
#include "config.h"

#include "test.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "tree.h"

static const char *const names[] = {
#define NAME(s) s,
#include "xml/names.def"
#undef NAME
};

TEST(every_known_name_is_interned)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		char *copy = str_dup(str_c(names[i]));
		struct str found = xml_intern(str_c(copy));

		TEST_CASE(names[i]);
		CHECK_STR(found, names[i]);
		CHECK(found.p != copy);
		CHECK(xml_intern(found).p == found.p);
		free(copy);
	}
}

TEST(an_unknown_name_stays_where_it_is)
{
	static const char *const unknown[] = { "zz", "z", "iq ", "messagE",
		"jabber:clienx", "\xff\xfe", "urn:xmpp:mam:9",
		"xxxxxxxxxxxxx" };

	for (size_t i = 0; i < COUNT(unknown); i++) {
		TEST_CASE(unknown[i]);
		CHECK(xml_intern(str_c(unknown[i])).p == unknown[i]);
	}
	CHECK(xml_intern(STR_NONE).p == NULL);
	CHECK_STR(xml_intern(STR("")), "");
}

TEST(text_is_what_xml_can_hold)
{
	static const struct {
		struct str text;
		bool ok;
	} cases[] = {
		{ { "", 0 }, true },
		{ { NULL, 0 }, true },
		{ STR("a <b> & \"c\""), true },
		{ STR("\t\n\r"), true },
		{ STR("\x7f\xc2\x80"), true },
		{ STR("\xef\xbf\xbd\xee\x80\x80"), true },
		{ STR("\xf0\x90\x80\x80"), true },
		{ STR("\xf0\x9f\xbf\xbe"), true },
		{ STR("x\x0b"), false },
		{ STR("\x1f"), false },
		{ { "a\0b", 3 }, false },
		{ STR("\xef\xbf\xbe"), false },
		{ STR("x\xef\xbf\xbfx"), false },
		{ STR("\xef\xbf"), false },
		{ STR("\xff"), false },
		{ STR("\xed\xa0\x80"), false },
		{ STR("\xc0\x80"), false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK(xml_is_text(cases[i].text) == cases[i].ok);
	}
}

static void
check_dump(const struct elem *e, const char *want)
{
	struct buf out = BUF_INIT;

	tree_dump(&out, e);
	CHECK_CSTR(buf_c(&out), want);
	buf_done(&out);
}

TEST(a_tree_is_made_from_top_to_bottom)
{
	struct arena *a = arena_new();
	struct elem *iq = elem_new(a, "jabber:client", "iq");
	struct elem *query = elem_add(a, iq, "jabber:iq:roster", "query");

	elem_set_attr(a, iq, "type", STR("set"));
	elem_set_attr_ns(a, iq, NS_XML, "lang", STR("en"));
	elem_add_with_text(a, query, "jabber:iq:roster", "group", STR("A&B"));
	elem_add_text(a, query, STR("tail"));
	elem_add_text(a, query, STR(""));
	elem_append(iq, elem_new(a, NULL, "bare"));
	check_dump(iq, "{jabber:client}iq @type='set' "
		"@{http://www.w3.org/XML/1998/namespace}lang='en'("
		"{jabber:iq:roster}query({jabber:iq:roster}group(\"A&B\")"
		"\"tail\")bare())");
	CHECK_STR(elem_child(iq, NULL, "bare")->ns, "");
	arena_free(a);
}

TEST(strings_are_copied_unless_they_are_known)
{
	struct arena *a = arena_new();
	char name[] = "unheard-of", value[] = "value of no import";
	struct elem *e = elem_new(a, "jabber:client", name);

	elem_set_attr(a, e, name, str_c(value));
	memset(name, 'x', sizeof(name) - 1);
	memset(value, 'x', sizeof(value) - 1);
	CHECK_STR(e->name, "unheard-of");
	CHECK_STR(elem_attr(e, "unheard-of"), "value of no import");
	CHECK(e->ns.p == xml_intern(STR("jabber:client")).p);
	arena_free(a);
}

TEST(attributes_are_replaced_in_place_and_removed)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "", "e");

	elem_set_attr(a, e, "one", STR("1"));
	elem_set_attr(a, e, "two", STR("2"));
	elem_set_attr_ns(a, e, "urn:x", "one", STR("x"));
	elem_set_attr(a, e, "one", STR("I"));
	check_dump(e, "e @one='I' @two='2' @{urn:x}one='x'()");
	elem_set_attr(a, e, "one", STR_NONE);
	elem_set_attr(a, e, "absent", STR_NONE);
	check_dump(e, "e @two='2' @{urn:x}one='x'()");
	elem_set_attr_ns(a, e, "urn:x", "one", STR_NONE);
	elem_set_attr(a, e, "two", STR(""));
	check_dump(e, "e @two=''()");
	CHECK_STR(elem_attr(e, "two"), "");
	CHECK_STR(elem_attr(e, "one"), NULL);
	CHECK_STR(elem_attr_ns(e, "urn:x", "one"), NULL);
	arena_free(a);
}

TEST(children_are_found_by_namespace_and_name)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "", "e");

	elem_add_text(a, e, STR("text"));
	elem_add(a, e, "urn:x", "a");
	elem_add(a, e, "urn:y", "a");
	elem_add(a, e, "urn:y", "b");
	CHECK_STR(elem_first_child(e)->ns, "urn:x");
	CHECK_STR(elem_child(e, "urn:y", "a")->ns, "urn:y");
	CHECK_STR(elem_child(e, "urn:y", NULL)->name, "a");
	CHECK_STR(elem_child(e, NULL, "b")->ns, "urn:y");
	CHECK(elem_child(e, "urn:x", "b") == NULL);
	CHECK_INT(elem_count(e), 3);
	CHECK(elem_is(elem_first_child(e), "urn:x", "a"));
	CHECK(!elem_is(e->first, "urn:x", "a"));
	arena_free(a);
}

TEST(text_is_joined_over_all_runs)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "", "e");

	CHECK_STR(elem_text(a, e), "");
	elem_add_text(a, e, STR("one"));
	CHECK(elem_text(a, e).p == e->first->text.p);
	elem_add_with_text(a, e, "", "child", STR("not this"));
	elem_add_text(a, e, STR(" two"));
	CHECK_STR(elem_text(a, e), "one two");
	arena_free(a);
}

TEST(wiping_leaves_no_character_data)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "urn:a", "a");
	struct elem *b = elem_add(a, e, "urn:a", "b");

	elem_add_text(a, e, STR("one"));
	elem_add_text(a, b, STR("two"));
	elem_wipe(e);
	CHECK(str_eq(elem_text(a, e), STR("\0\0\0")));
	CHECK(str_eq(elem_text(a, b), STR("\0\0\0")));
	arena_free(a);
}

TEST(a_copy_shares_nothing_with_the_original)
{
	struct arena *a = arena_new(), *b = arena_new();
	struct elem *e = elem_new(a, "urn:x", "e"), *copy;

	elem_set_attr(a, e, "key", STR("value"));
	elem_add_with_text(a, e, "urn:y", "kid", STR("text"));
	elem_add_text(a, e, STR("tail"));
	copy = elem_copy(b, e);
	arena_free(a);
	check_dump(copy,
		"{urn:x}e @key='value'({urn:y}kid(\"text\")\"tail\")");
	arena_free(b);
}

TEST_MAIN
