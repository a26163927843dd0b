/*
 * test_stored.c - elements as values of the store.
 */
#include "config.h"

#include "core/stored.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "test.h"

static const char *const documents[] = {
	"<a xmlns=\"urn:a\"/>",
	"<a xmlns=\"urn:a\" b=\"1\">x &lt; y<c xmlns=\"urn:c\"/>z</a>",
	"<vCard xmlns=\"vcard-temp\"><FN>\xC3\xA9</FN></vCard>",
};

TEST(what_was_written_reads_as_it_was)
{
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct arena *a = arena_new();
		struct elem *e = stored_read(a, str_c(documents[i]));
		struct buf out = BUF_INIT;

		TEST_CASE(documents[i]);
		CHECK(e != NULL);
		stored_write(&out, e);
		CHECK_STR(buf_str(&out), documents[i]);
		buf_done(&out);
		arena_free(a);
	}
}

static const char *const damaged[] = {
	"", "x", "<a", "<a/>b", "<a></b>", "<!DOCTYPE a><a/>", "<a>\xFF</a>",
};

TEST(what_is_damaged_is_refused)
{
	for (size_t i = 0; i < COUNT(damaged); i++) {
		struct arena *a = arena_new();

		TEST_CASE(damaged[i]);
		CHECK(stored_read(a, str_c(damaged[i])) == NULL);
		arena_free(a);
	}
}

static const struct {
	const char *value, *from; /* NULL: none */
} attr_cases[] = {
	{ "<m xmlns=\"c\" to=\"b\" from=\"a@x/&lt;&quot;\"><b from=\"c\"/></m>",
		"a@x/&lt;&quot;" },
	{ "<m xmlns=\"c\" from=\"\"/>", "" },
	{ "<m from=\"a=b c\" to=\"from\"/>", "a=b c" },
	{ "<m to=\"from=\"/>", NULL },
	{ "<m><b from=\"c\"/></m>", NULL },
	{ "<m/>", NULL },
	{ "<m from=\"a", NULL },
	{ "<m from=>", NULL },
	{ "<m from=a>", NULL },
	{ "", NULL },
};

TEST(an_attribute_is_found_without_reading_the_rest)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(attr_cases); i++) {
		struct str from = stored_attr(str_c(attr_cases[i].value), "from");

		TEST_CASE(attr_cases[i].value);
		CHECK((from.p != NULL) == (attr_cases[i].from != NULL));
		if (from.p != NULL)
			CHECK_STR(from, attr_cases[i].from);
	}
	CHECK_STR(stored_attr_text(a, STR("a@x/<\"'&")),
		"a@x/&lt;&quot;&apos;&amp;");
	arena_free(a);
}

/* Deeper than any stanza that a configuration lets in. */
TEST(deep_values_can_be_read)
{
	struct arena *a = arena_new();
	struct buf in = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_add_c(&in, "<a>");
	for (int i = 0; i < 1000; i++)
		buf_add_c(&in, "</a>");
	CHECK(stored_read(a, buf_str(&in)) != NULL);
	buf_done(&in);
	arena_free(a);
}

/* --- with a parser of the pool ------------------------------------------- */

TEST(a_pool_reads_the_same)
{
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < 3 * COUNT(documents); i++) {
		const char *document = documents[i % COUNT(documents)];
		struct arena *a;
		struct elem *e = stored_read_own(pool, str_c(document), &a);
		struct buf out = BUF_INIT;

		TEST_CASE(document);
		CHECK(e != NULL);
		stored_write(&out, e);
		CHECK_STR(buf_str(&out), document);
		buf_done(&out);
		arena_free(a);
	}
	xml_pool_free(pool);
}

/* Each is followed by one that is whole: the parser was not spoilt. */
TEST(a_pool_refuses_what_is_damaged)
{
	static const char *const streams[] = {
		"<a/><b/>", "</stream:stream>", "<a/></stream:stream>", " ",
	};
	struct xml_pool *pool = xml_pool_new();
	struct arena *a;

	for (size_t i = 0; i < COUNT(damaged) + COUNT(streams); i++) {
		const char *text = i < COUNT(damaged) ?
			damaged[i] :
			streams[i - COUNT(damaged)];

		TEST_CASE(text);
		CHECK(stored_read_own(pool, str_c(text), &a) == NULL);
		CHECK(stored_read_own(pool, STR("<a/>"), &a) != NULL);
		arena_free(a);
	}
	xml_pool_free(pool);
}

TEST(a_seal_fits_its_value_alone)
{
	char mine[STORED_SEAL_SIZE], changed[] = "<a>hello</a>";
	struct str seal = stored_seal(str_c(changed), mine);

	CHECK_INT(seal.n, STORED_SEAL_SIZE);
	CHECK(stored_is_sealed(str_c(changed), seal));
	CHECK(!stored_is_sealed(str_c(changed), STR("")));
	CHECK(!stored_is_sealed(STR(""), seal));
	for (size_t i = 0; i < sizeof(changed) - 1; i++) {
		changed[i] ^= 1;
		CHECK(!stored_is_sealed(str_c(changed), seal));
		changed[i] ^= 1;
	}
	CHECK(stored_is_sealed(str_c(changed), seal));
}

/* It is read as if it had none, and handed on without it. */
TEST(a_value_has_its_seal_behind_it)
{
	static const char *const texts[] = { "<a/>", "<a b=\"1\">hello</a>" };
	struct xml_pool *pool = xml_pool_new();

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct arena *a = arena_new(), *own = NULL;
		struct buf value = BUF_INIT, again = BUF_INIT;

		TEST_CASE(texts[i]);
		stored_write_sealed(&value, stored_read(a, str_c(texts[i])));
		CHECK_INT(value.n, strlen(texts[i]) + 8);
		CHECK_STR(stored_text(pool, buf_str(&value)), texts[i]);
		CHECK_STR(stored_text(pool, str_c(texts[i])), texts[i]);
		stored_write(&again, stored_read(a, buf_str(&value)));
		CHECK_STR(buf_str(&again), texts[i]);
		CHECK(stored_read_own(pool, buf_str(&value), &own) != NULL);
		arena_free(own);
		/* of a damaged one, and of none that is whole */
		value.p[value.n - 1] ^= 1;
		CHECK_STR(stored_text(pool, buf_str(&value)), texts[i]);
		value.n--;
		CHECK(stored_text(pool, buf_str(&value)).p == NULL);
		CHECK(stored_text(pool, STR("")).p == NULL);
		CHECK(stored_text(pool, STR("01234567")).p == NULL);
		CHECK(stored_text(pool, STR("012345678")).p == NULL);
		arena_free(a);
		buf_done(&value);
		buf_done(&again);
	}
	xml_pool_free(pool);
}

TEST_MAIN
