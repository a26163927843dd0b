/*
 * test_archive_words.c - by which words an archived message is found.
 */
#include "config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xmpp/text_words.h"
#include "core/stored.h"
#include "archive/archive_words.h"
#include "test.h"

#define MESSAGE(inner) "<message xmlns='jabber:client'>" inner "</message>"

static const struct {
	const char *in, *words;
} cases[] = {
	{ MESSAGE(""), "" },
	{ MESSAGE("<body>Wherefore art thou?</body>"), "wherefore art thou" },
	{ MESSAGE("<body/>"), "" },
	{ MESSAGE("<body>a<i xmlns='urn:x'>-</i>b &amp; c</body>"), "ab c" },
	{ MESSAGE("<subject>A Rose</subject>"), "a rose" },
	{ MESSAGE("<subject>rose</subject><thread>t</thread><body>thorn rose"
		  "</body>"),
		"rose thorn" },
	/* each language, and no word grows out of two texts */
	{ MESSAGE("<body>two</body><body xml:lang='de'>zwei</body>"
		  "<body xml:lang='fr'>deux</body>"),
		"two zwei deux" },
	{ MESSAGE("<body/><body xml:lang='de'>zwei</body>"), "zwei" },
	/* no other element, whatever it is called */
	{ MESSAGE("<body xmlns='urn:x'>x</body><x xmlns='urn:x'><body "
		  "xmlns='jabber:client'>y</body></x>"),
		"" },
	/* what is encrypted, wherever it says so */
	{ MESSAGE("<body>x</body><encrypted xmlns='eu.siacs.conversations."
		  "axolotl'/>"),
		"" },
	{ MESSAGE("<encrypted xmlns='urn:xmpp:omemo:1'/><body>x</body>"), "" },
	{ MESSAGE("<body>x</body><encrypted xmlns='urn:xmpp:omemo:2'/>"), "" },
	{ MESSAGE("<body>x</body><openpgp xmlns='urn:xmpp:openpgp:0'/>"), "" },
	{ MESSAGE("<body>x</body><x xmlns='jabber:x:encrypted'/>"), "" },
	{ MESSAGE("<subject>x</subject><body>x</body><encryption xmlns="
		  "'urn:xmpp:eme:0' namespace='urn:x'/>"),
		"" },
	{ MESSAGE("<body>?OTR:AAMDJ</body>"), "" },
	{ MESSAGE("<body>?ot</body><encrypted xmlns='urn:x'/>"), "ot" },
};

static void
check(const char *in, const char *want)
{
	struct arena *a = arena_new();
	struct buf words = BUF_INIT;
	struct elem *e = stored_read(a, str_c(in));

	TEST_CASE(in);
	CHECK(e != NULL);
	buf_add_c(&words, "");
	archive_words(&words, a, e);
	CHECK_STR(buf_str(&words), want);
	buf_done(&words);
	arena_free(a);
}

TEST(words_are_those_of_texts_that_can_be_read)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		check(cases[i].in, cases[i].words);
}

/* However many texts there are, no more is looked at than of one. */
TEST(what_is_joined_is_bounded)
{
	struct buf in = BUF_INIT;

	buf_add_c(&in, "<message xmlns='jabber:client'><body>first ");
	for (size_t i = 0; i < TEXT_WORDS_BYTES; i++)
		buf_add_c(&in, ".");
	buf_add_c(&in, "</body><body>second</body><body>third</body></message>");
	buf_add(&in, "", 1);
	check(in.p, "first");
	buf_done(&in);
}

TEST(all_that_is_wanted_has_to_be_there)
{
	static const struct {
		const char *words;
		bool has;
	} wanted[] = {
		{ "rose", true },
		{ "thorn a rose", true },
		{ "rose thor", false },
		{ "ro", false },
		{ "a a rose", true },
		{ "roses", false },
	};
	struct arena *a = arena_new();
	struct elem *e = stored_read(a,
		STR(MESSAGE("<body>A rose; a thorn</body>")));

	for (size_t i = 0; i < COUNT(wanted); i++) {
		TEST_CASE(wanted[i].words);
		CHECK(archive_has_words(a, e, str_c(wanted[i].words)) ==
			wanted[i].has);
	}
	arena_free(a);
}

TEST_MAIN
