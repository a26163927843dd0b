/*
 * fuzz_text_words.c - any bytes as a text that is searched: its words keep their
 * bounds and hold nothing that means something to a search, and a text is found by
 * what it is.
 */
#include "config.h"

#include "fuzz.h"

#include "base/buf.h"
#include "xmpp/text_words.h"

static size_t
check_words(struct str rest)
{
	struct str word;
	size_t n = 0;

	while (rest.n != 0) {
		str_cut(rest, ' ', &word, &rest);
		FUZZ_CHECK(word.n != 0 && word.n <= TEXT_WORD_BYTES);
		FUZZ_CHECK(str_is_utf8(word));
		for (size_t i = 0; i < word.n; i++) {
			unsigned char c = (unsigned char)word.p[i];

			FUZZ_CHECK(c >= 0x80 || (c >= 'a' && c <= 'z') ||
				(c >= '0' && c <= '9'));
		}
		n++;
	}
	FUZZ_CHECK(n <= TEXT_WORDS_MAX);
	return n;
}

static bool
has_word(struct str rest, struct str wanted)
{
	struct str word;

	while (rest.n != 0) {
		str_cut(rest, ' ', &word, &rest);
		if (str_eq(word, wanted))
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n }, rest, word;
	struct buf kept = BUF_INIT, wanted = BUF_INIT;
	bool all = text_words_kept(&kept, text);

	text_words_wanted(&wanted, text);
	check_words(buf_str(&kept));
	check_words(buf_str(&wanted));
	rest = buf_str(&wanted);
	while (all && rest.n != 0) {
		str_cut(rest, ' ', &word, &rest);
		FUZZ_CHECK(has_word(buf_str(&kept), word));
	}
	buf_done(&kept);
	buf_done(&wanted);
	return 0;
}
