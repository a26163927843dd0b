/*
 * test_archive_form.c - what a query of an archive asks for.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/text_words.h"
#include "store/store.h"
#include "core/stored.h"
#include "archive/archive_form.h"
#include "test.h"

#define QUERY(inner) "<query xmlns='urn:xmpp:mam:2'>" inner "</query>"
#define FORM(fields)                                                           \
	QUERY("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>" \
	      "<value>urn:xmpp:mam:2</value></field>" fields "</x>")
#define FIELD(var, value)                                                      \
	"<field var='" var "'><value>" value "</value></field>"

static struct archive_query
read_query(struct arena *a, const char *in, enum stanza_cond due)
{
	struct elem *e = stored_read(a, str_c(in));
	struct archive_query q;
	const char *text;

	TEST_CASE(in);
	CHECK(e != NULL);
	CHECK_INT(archive_query_read(a, e, true, &q, &text), due);
	CHECK((text != NULL) == (due != COND_NONE));
	return q;
}

TEST(what_is_not_said_is_everything)
{
	struct arena *a = arena_new();
	struct archive_query q = read_query(a, QUERY(""), COND_NONE);

	CHECK(q.queryid.p == NULL && !jid_is_set(q.with));
	CHECK(q.since_us == 0 && q.until_us == 0);
	CHECK(q.after_id.p == NULL && q.before_id.p == NULL);
	CHECK(!q.by_ids && !q.descending && !q.flipped);
	CHECK(q.words.p == NULL);
	CHECK(!q.rsm.has_max && !q.rsm.backwards);
	arena_free(a);
}

TEST(each_field_is_read)
{
	struct arena *a = arena_new();
	struct archive_query q = read_query(a,
		FORM(FIELD("with", "Juliet@Capulet.lit/balcony")
			FIELD("start", "2010-06-07T00:00:00Z")
			FIELD("end", " 2010-07-07T13:23:54.5+00:00 ")
			FIELD("before-id", "b") FIELD("after-id", "a")
			"<field var='ids'><value>1</value><value>2</value></field>"
			FIELD("include-groupchat", "0")),
		COND_NONE);

	CHECK_STR(jid_str(q.with), "juliet@capulet.lit/balcony");
	CHECK(q.since_us == INT64_C(1275868800000000));
	CHECK(q.until_us == INT64_C(1278509034500000));
	CHECK_STR(q.before_id, "b");
	CHECK_STR(q.after_id, "a");
	CHECK(q.by_ids);
	CHECK_INT(q.n_ids, 2);
	CHECK_STR(q.ids[0], "1");
	CHECK_STR(q.ids[1], "2");
	arena_free(a);
}

/* What is shown as of that second is not later. */
TEST(a_whole_second_is_meant_to_its_end)
{
	struct arena *a = arena_new();
	struct archive_query q = read_query(a,
		FORM(FIELD("end", "1970-01-01T00:00:00Z")), COND_NONE);

	CHECK_INT(q.until_us, 999999);
	arena_free(a);
}

TEST(the_rest_stands_beside_the_form)
{
	struct arena *a = arena_new();
	struct archive_query q = read_query(a,
		"<query xmlns='urn:xmpp:mam:2' queryid='q'><flip-page/>"
		"<order xmlns='urn:xmpp:order-by:1' by='creation' desc='1'/>"
		"<order xmlns='urn:xmpp:order-by:1' by='modification'/>"
		"<set xmlns='http://jabber.org/protocol/rsm'><before/></set>"
		"</query>",
		COND_NONE);

	CHECK_STR(q.queryid, "q");
	CHECK(q.flipped && q.descending && q.rsm.backwards);
	q = read_query(a,
		QUERY("<order xmlns='urn:xmpp:order-by:1' by='creation'"
		      " desc='yes'/>"),
		COND_NONE);
	CHECK(!q.descending);
	arena_free(a);
}

/* It stands in each result: a long one would be as many bytes as a whole archive. */
TEST(a_queryid_is_short)
{
	struct arena *a = arena_new();
	struct buf in = BUF_INIT;
	struct archive_query q;

	for (size_t n = ARCHIVE_QUERYID_MAX; n <= ARCHIVE_QUERYID_MAX + 1; n++) {
		in.n = 0;
		buf_add_c(&in, "<query xmlns='urn:xmpp:mam:2' queryid='");
		for (size_t i = 0; i < n; i++)
			buf_add_c(&in, "q");
		buf_add_c(&in, "'/>");
		buf_add(&in, "", 1);
		q = read_query(a, in.p,
			n > ARCHIVE_QUERYID_MAX ? COND_POLICY_VIOLATION :
						  COND_NONE);
		CHECK_INT(q.queryid.n, n);
	}
	buf_done(&in);
	arena_free(a);
}

#define FULLTEXT "{urn:xmpp:fulltext:0}fulltext"

/* Nothing in it means anything but words (XEP-0431 §3.2). */
TEST(words_are_searched_for)
{
	static const struct {
		const char *in, *words;
	} cases[] = {
		{ FIELD(FULLTEXT, "Rose"), "rose" },
		{ FIELD(FULLTEXT, " two words, two "), "two words" },
		{ FIELD(FULLTEXT, "\"a\" NEAR/2 b* OR (c:d) -e ^f {g} 'h"),
			"a near 2 b or c d e f g h" },
		{ FIELD(FULLTEXT, "Caf\xc3\xa9 \xe9\xbb\x92\xe7\x8c\xab"),
			"cafe \xe9\xbb\x92\xe7\x8c\xab" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct buf in = BUF_INIT;

		buf_printf(&in, FORM("%s"), cases[i].in);
		buf_add(&in, "", 1);
		CHECK_STR(read_query(a, in.p, COND_NONE).words, cases[i].words);
		buf_done(&in);
		arena_free(a);
	}
}

/* XEP-0431 §2.2: one that is empty is not used. */
TEST(an_empty_text_asks_for_nothing)
{
	struct arena *a = arena_new();

	CHECK(read_query(a, FORM(FIELD(FULLTEXT, "")), COND_NONE).words.p ==
		NULL);
	CHECK(read_query(a, FORM("<field var='" FULLTEXT "'/>"), COND_NONE)
			.words.p == NULL);
	arena_free(a);
}

/* n different words, in a form that is owned. */
static char *
form_of_words(unsigned n)
{
	struct buf in = BUF_INIT;

	buf_add_c(&in,
		"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' "
		"type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2"
		"</value></field><field var='" FULLTEXT "'><value>");
	for (unsigned i = 0; i < n; i++)
		buf_printf(&in, "w%u ", i);
	buf_add_c(&in, "</value></field></x></query>");
	buf_add(&in, "", 1);
	return in.p;
}

TEST(so_many_words_and_no_more)
{
	static const struct {
		unsigned n;
		enum stanza_cond cond;
	} cases[] = {
		{ 1, COND_NONE },
		{ STORE_WORDS_MAX, COND_NONE },
		{ STORE_WORDS_MAX + 1, COND_POLICY_VIOLATION },
		{ TEXT_WORDS_MAX + 1, COND_POLICY_VIOLATION },
		{ TEXT_WORDS_BYTES, COND_POLICY_VIOLATION },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		char *in = form_of_words(cases[i].n);

		CHECK((read_query(a, in, cases[i].cond).words.p != NULL) ==
			(cases[i].cond == COND_NONE));
		free(in);
		arena_free(a);
	}
}

/* Where nobody is to search there is no such field. */
TEST(who_may_not_search_has_no_field_for_it)
{
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, STR(FORM(FIELD(FULLTEXT, "x"))));
	struct archive_query q;
	const char *text;

	CHECK_INT(archive_query_read(a, e, false, &q, &text),
		COND_FEATURE_NOT_IMPLEMENTED);
	for (int search = 0; search < 2; search++) {
		struct elem *parent = elem_new(a, NS_MAM, "query");
		const struct elem *form;

		archive_form_add(a, parent, search != 0);
		form = elem_child(parent, NS_FORM, "x");
		CHECK_INT(elem_count(form), (size_t)(8 + search));
	}
	arena_free(a);
}

static const struct {
	const char *in;
	enum stanza_cond cond;
} bad_cases[] = {
	{ FORM(FIELD("with", "@")), COND_BAD_REQUEST },
	{ FORM(FIELD("start", "x")), COND_BAD_REQUEST },
	{ FORM(FIELD("start", "9999-13-01T00:00:00Z")), COND_BAD_REQUEST },
	{ FORM("<field var='end'/>"), COND_BAD_REQUEST },
	{ FORM(FIELD("include-groupchat", "")), COND_BAD_REQUEST },
	{ FORM(FIELD("with", "a@b") FIELD("with", "a@b")), COND_BAD_REQUEST },
	{ FORM(FIELD("{urn:x}text", "x")), COND_FEATURE_NOT_IMPLEMENTED },
	{ FORM("<field/>"), COND_FEATURE_NOT_IMPLEMENTED },
	{ FORM(FIELD("fulltext", "x")), COND_FEATURE_NOT_IMPLEMENTED },
	{ FORM(FIELD(FULLTEXT, " ")), COND_BAD_REQUEST },
	{ FORM(FIELD(FULLTEXT, "* \" ( ) : \xf0\x9f\x98\x80")),
		COND_BAD_REQUEST },
	{ FORM(FIELD(FULLTEXT, "x") FIELD(FULLTEXT, "y")), COND_BAD_REQUEST },
	{ QUERY("<x xmlns='jabber:x:data' type='submit'/>"), COND_BAD_REQUEST },
	{ QUERY("<x xmlns='jabber:x:data' type='cancel'/>"), COND_BAD_REQUEST },
	{ QUERY("<x xmlns='jabber:x:data' type='submit'>"
		FIELD("FORM_TYPE", "urn:xmpp:mam:1") "</x>"),
		COND_BAD_REQUEST },
	{ QUERY("<order xmlns='urn:xmpp:order-by:1'/>"),
		COND_FEATURE_NOT_IMPLEMENTED },
	{ QUERY("<set xmlns='http://jabber.org/protocol/rsm'><max/></set>"),
		COND_BAD_REQUEST },
	{ "<query xmlns='urn:xmpp:mam:2' node='n'/>", COND_ITEM_NOT_FOUND },
};

TEST(what_is_wrong_is_named)
{
	for (size_t i = 0; i < COUNT(bad_cases); i++) {
		struct arena *a = arena_new();

		(void)read_query(a, bad_cases[i].in, bad_cases[i].cond);
		arena_free(a);
	}
}

TEST_MAIN
