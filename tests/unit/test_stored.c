/*
 * test_stored.c - elements as values of the store.
 */
#include "config.h"

#include "core/stored.h"

#include "base/arena.h"
#include "base/buf.h"
#include "test.h"
#include "xml/elem.h"

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

TEST_MAIN
