/*
 * store_words.c - the words by which entries are found.
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include "store/store_int.h"

#include <string.h>

#include "base/mem.h"

static struct str
word_next(struct str *rest)
{
	struct str word;

	str_cut(*rest, ' ', &word, rest);
	return word;
}

static bool
is_letter(unsigned char c)
{
	return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_word(struct str word)
{
	size_t i = 0;

	while (i < word.n && is_letter((unsigned char)word.p[i]))
		i++;
	return i == word.n && word.n != 0 && word.n <= STORE_KEY_MAX;
}

bool
store_words_check(struct str words, struct err *err)
{
	bool ok = str_is_utf8(words);

	while (ok && words.n != 0)
		ok = is_word(word_next(&words)) && (words.p == NULL || words.n != 0);
	return ok ||
		err_set(err, ERR_INVALID,
			"words for the store hold something else");
}

static bool
has_word(struct str words, struct str wanted)
{
	while (words.p != NULL) {
		if (str_eq(word_next(&words), wanted))
			return true;
	}
	return false;
}

bool
store_has_words(struct str words, struct str wanted)
{
	while (wanted.p != NULL) {
		if (!has_word(words, word_next(&wanted)))
			return false;
	}
	return true;
}

bool
store_wanted_check(struct str words, struct err *err)
{
	size_t n = 0;

	if (words.p == NULL)
		return true;
	if (words.n == 0)
		return err_set(err, ERR_INVALID, "no words are searched for");
	if (!store_words_check(words, err))
		return false;
	for (; words.p != NULL; n++)
		word_next(&words);
	return n <= STORE_WORDS_MAX ||
		err_set(err, ERR_LIMIT, "too many words are searched for");
}
