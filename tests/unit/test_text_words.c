/*
 * test_text_words.c - which words a text is found by.
 */
#include "config.h"

#include "xmpp/text_words.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

static const struct {
	const char *text, *kept, *wanted; /* NULL: the same */
} cases[] = {
	{ "", "", NULL },
	{ " \t.,\"'!?", "", NULL },
	{ "Hello, World!", "hello world", NULL },
	{ "one two One TWO one", "one two", NULL },
	{ "a1 2b 33", "a1 2b 33", NULL },
	{ "don't-stop_it", "don t stop it", NULL },
	/* what means something to FTS5 */
	{ "\"a\" AND b* OR NEAR(c d) body:e ^f {g} -h + i",
		"a and b or near c d body e f g h i", NULL },
	/* case, marks, and what is a letter and a mark */
	{ "\xc3\x84pfel \xc3\xa4pfel apfel", "apfel", NULL },
	{ "Stra\xc3\x9f" "e STRASSE", "strasse", NULL },
	{ "cafe\xcc\x81 caf\xc3\xa9", "cafe", NULL },
	{ "\xce\xa3\xce\x8a\xce\xa3\xce\xa5\xce\xa6\xce\x9f\xce\xa3",
		"\xcf\x83\xce\xb9\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x83",
		NULL },
	/* full width, ligature, superscript */
	{ "\xef\xbc\xa1\xef\xbd\x82 \xef\xac\x81n x\xc2\xb2", "ab fin x2",
		NULL },
	/* no letters: an emoji, a symbol */
	{ "ok\xf0\x9f\x98\x80ok2 \xe2\x82\xac", "ok ok2", NULL },
	/* Han: one, two, three characters; between others */
	{ "\xe7\x8c\xab", "\xe7\x8c\xab", NULL },
	{ "\xe9\xbb\x92\xe7\x8c\xab",
		"\xe9\xbb\x92 \xe9\xbb\x92\xe7\x8c\xab \xe7\x8c\xab",
		"\xe9\xbb\x92\xe7\x8c\xab" },
	{ "a\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" "b",
		"a \xe6\x97\xa5 \xe6\x97\xa5\xe6\x9c\xac \xe6\x9c\xac"
		" \xe6\x9c\xac\xe8\xaa\x9e \xe8\xaa\x9e b",
		"a \xe6\x97\xa5\xe6\x9c\xac \xe6\x9c\xac\xe8\xaa\x9e b" },
	{ "\xe7\x8c\xab \xe7\x8a\xac", "\xe7\x8c\xab \xe7\x8a\xac", NULL },
	/* Katakana with a mark and the prolonged sound */
	{ "\xe3\x82\xac\xe3\x83\xbc",
		"\xe3\x82\xab \xe3\x82\xab\xe3\x83\xbc \xe3\x83\xbc",
		"\xe3\x82\xab\xe3\x83\xbc" },
	/* Thai, of which marks are left out */
	{ "\xe0\xb8\x97\xe0\xb8\xb5\xe0\xb9\x88\xe0\xb8\x94",
		"\xe0\xb8\x97 \xe0\xb8\x97\xe0\xb8\x94 \xe0\xb8\x94",
		"\xe0\xb8\x97\xe0\xb8\x94" },
	/* Hangul has blanks */
	{ "\xed\x95\x9c\xea\xb5\xad \xec\x96\xb4",
		"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xae"
		"\xe1\x86\xa8 \xe1\x84\x8b\xe1\x85\xa5",
		NULL },
};

static void
check(bool wanted, struct str text, bool all, const char *want)
{
	struct buf out = BUF_INIT;

	buf_add_c(&out, "");
	CHECK((wanted ? text_words_wanted : text_words_kept)(&out, text) == all);
	CHECK_STR(buf_str(&out), want);
	buf_done(&out);
}

TEST(a_text_is_cut_into_words)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].text);
		check(false, str_c(cases[i].text), true, cases[i].kept);
		check(true, str_c(cases[i].text), true,
			cases[i].wanted != NULL ? cases[i].wanted :
						  cases[i].kept);
	}
}

TEST(what_is_no_text_has_no_words)
{
	check(false, STR("a\xff"), false, "");
	check(true, STR("\xc3"), false, "");
}

/* The word is cut in the same way wherever it stands. */
TEST(a_word_has_a_length)
{
	char text[TEXT_WORD_BYTES + 12], want[TEXT_WORD_BYTES + 1];

	memset(want, 'x', TEXT_WORD_BYTES);
	want[TEXT_WORD_BYTES] = '\0';
	memset(text, 'x', sizeof(text));
	check(false, (struct str){ text, TEXT_WORD_BYTES }, true, want);
	check(false, (struct str){ text, sizeof(text) }, true, want);
	/* and not within a character */
	memcpy(text + TEXT_WORD_BYTES - 1, "\xd0\xb4\xd0\xb4\xd0\xb4", 6);
	want[TEXT_WORD_BYTES - 1] = '\0';
	check(true, (struct str){ text, sizeof(text) }, true, want);
}

TEST(words_are_bounded_in_number)
{
	struct buf text = BUF_INIT, want = BUF_INIT;

	for (int i = 0; i < TEXT_WORDS_MAX + 1; i++) {
		if (i == TEXT_WORDS_MAX)
			check(false, buf_str(&text), true, buf_c(&want));
		else
			buf_printf(&want, "%s%d", i != 0 ? " " : "", i);
		buf_printf(&text, "%d, 0 ", i);
	}
	check(false, buf_str(&text), false, buf_c(&want));
	buf_done(&text);
	buf_done(&want);
}

/* The text is cut between two characters. */
TEST(a_text_is_read_so_far)
{
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < TEXT_WORDS_BYTES / 2 - 2; i++)
		buf_add_c(&text, "\xd0\xb4");
	buf_add_c(&text, " a \xd0\xb4 b");
	TEST_CASE("between");
	CHECK_INT(text.n, TEXT_WORDS_BYTES + 3);
	{
		struct buf out = BUF_INIT;

		CHECK(!text_words_kept(&out, buf_str(&text)));
		CHECK_INT(out.n, TEXT_WORD_BYTES + 2);
		CHECK(out.p[out.n - 1] == 'a');
		buf_done(&out);
	}
	buf_done(&text);
}

/* Wherever it is cut in between, within a word, or before a mark. */
TEST(a_long_text_has_the_words_of_its_parts)
{
	for (int shift = 0; shift < 8; shift++) {
		struct buf text = BUF_INIT, want = BUF_INIT;

		buf_printf(&text, "%.*s ", shift, "xxxxxxxx");
		buf_printf(&want, "%.*s%s", shift, "xxxxxxxx",
			shift != 0 ? " " : "");
		while (text.n < 8000)
			buf_add_c(&text, "caf\xc3\xa9\xcc\xa3 "
				"\xe9\xbb\x92\xe7\x8c\xab ");
		buf_add_c(&want, "cafe \xe9\xbb\x92 \xe9\xbb\x92\xe7\x8c\xab "
			"\xe7\x8c\xab");
		check(false, buf_str(&text), true, buf_c(&want));
		buf_done(&text);
		buf_done(&want);
	}
}

/* U+FDFA stands for four words, and more bytes than eleven others. */
TEST(what_a_text_becomes_is_bounded)
{
	struct buf text = BUF_INIT, out = BUF_INIT;

	while (text.n + 3 <= TEXT_WORDS_BYTES)
		buf_add_c(&text, "\xef\xb7\xba");
	CHECK(!text_words_kept(&out, buf_str(&text)));
	CHECK_INT(out.n, 48);
	/* what is most for letters of a script */
	text.n = out.n = 0;
	while (text.n + 3 <= TEXT_WORDS_BYTES)
		buf_add_c(&text, "\xed\x95\x9c");
	CHECK(text_words_kept(&out, buf_str(&text)));
	buf_done(&text);
	buf_done(&out);
}

TEST_MAIN
