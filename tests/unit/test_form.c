/*
 * test_form.c - data forms, as much as we show and read.
 */
#include "config.h"

#include "xmpp/form.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "core/stored.h"
#include "test.h"

TEST(a_form_has_its_type_first_and_then_its_fields)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, "urn:a", "a");
	struct elem *form = form_add(a, e, "form", "urn:b");
	struct buf out = BUF_INIT;

	form_add_value(a, form_add_field(a, form, "v", "list-multi", "L"),
		STR("1"));
	stored_write(&out, e);
	CHECK_STR(buf_str(&out),
		"<a xmlns=\"urn:a\"><x xmlns=\"jabber:x:data\" type=\"form\">"
		"<field var=\"FORM_TYPE\" type=\"hidden\"><value>urn:b</value>"
		"</field><field var=\"v\" type=\"list-multi\" label=\"L\">"
		"<value>1</value></field></x></a>");
	buf_done(&out);
	arena_free(a);
}

static const struct {
	const char *in, *value; /* of the first field; NULL: no form */
} submitted_cases[] = {
	{ "<a/>", NULL },
	{ "<a><x xmlns='jabber:x:data'/></a>", NULL },
	{ "<a><x xmlns='jabber:x:data' type='cancel'/></a>", NULL },
	{ "<a><x xmlns='urn:x' type='submit'/></a>", NULL },
	{ "<a><x xmlns='jabber:x:data' type='submit'><field/></x></a>", "" },
	{ "<a><x xmlns='jabber:x:data' type='submit'><field><value/></field>"
	  "</x></a>",
		"" },
	{ "<a><x/><x xmlns='jabber:x:data' type='form'/>"
	  "<x xmlns='jabber:x:data' type='submit'><field><value>1</value>"
	  "<value>2</value></field></x></a>",
		"1" },
};

TEST(only_what_was_filled_in_is_read)
{
	for (size_t i = 0; i < COUNT(submitted_cases); i++) {
		struct arena *a = arena_new();
		struct elem *e = stored_read(a, str_c(submitted_cases[i].in));
		const struct elem *form;

		TEST_CASE(submitted_cases[i].in);
		CHECK(e != NULL);
		form = form_submitted(e);
		CHECK((form != NULL) == (submitted_cases[i].value != NULL));
		if (form != NULL)
			CHECK_STR(form_value(a, elem_first_child(form)),
				submitted_cases[i].value);
		arena_free(a);
	}
}

static const struct {
	const char *in;
	bool is, has;
} kind_cases[] = {
	{ "<x xmlns='jabber:x:data'/>", true, false },
	{ "<x xmlns='jabber:x:data'><field var='v'/></x>", true, true },
	{ "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:a</value>"
	  "</field><field var='v'/></x>",
		true, true },
	{ "<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>urn:b</value>"
	  "</field><y xmlns='urn:y' var='v'/></x>",
		false, false },
	{ "<x xmlns='jabber:x:data'><field var='FORM_TYPE'/></x>", false, false },
};

TEST(a_form_says_of_which_kind_it_is_or_nothing)
{
	for (size_t i = 0; i < COUNT(kind_cases); i++) {
		struct arena *a = arena_new();
		struct elem *form = stored_read(a, str_c(kind_cases[i].in));

		TEST_CASE(kind_cases[i].in);
		CHECK(form != NULL);
		CHECK_INT(form_is(a, form, "urn:a"), kind_cases[i].is);
		CHECK_INT(form_field(form, "v") != NULL, kind_cases[i].has);
		arena_free(a);
	}
}

TEST_MAIN
