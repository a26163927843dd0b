/*
 * text_words.c - a text becomes words.
 *
 * What is kept and what is searched for go through the same, so that they meet: the
 * case is folded and each character taken apart (NFKD), of which the marks are left
 * out; what is no letter and no digit stands between words.  Invariant: whatever the
 * text is, the work and what comes out are bounded.
 */
#include "config.h"

#include "xmpp/text_words.h"

#include <stdlib.h>
#include <string.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/buf.h"
#include "base/mem.h"

/* Both are letters of no script. */
#define PROLONGED 0x30fc /* in Katakana */
#define ITERATION 0x3005 /* of a Han character */

/* So much is folded at once, and so much may come out of it, which is what the largest
 * letters of a script become: those of one sign that stands for four words do not count
 * as one. */
#define PART 1024u
#define FOLDED_BYTES ((size_t)3 * TEXT_WORDS_BYTES)

#define LETTER (UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_N)

struct words {
	struct buf *out;
	bool wanted; /* for a search */
	bool all;    /* was taken */
	bool full;   /* and more words came: nothing changes any more */
	size_t n;
	uint32_t hashes[TEXT_WORDS_MAX];
	struct {
		size_t at, n;
	} words[TEXT_WORDS_MAX]; /* in out */

	/* the word that is being read; of a script without blanks the character
	 * before, if there is one */
	char word[TEXT_WORD_BYTES];
	size_t word_n;
	bool cut; /* no more of it is taken */
	bool pairs;
	bool paired; /* the one before has been in a pair */
};

static bool
has_word(const struct words *w, uint32_t hash, struct str word)
{
	for (size_t i = 0; i < w->n; i++) {
		struct str is = { w->out->p + w->words[i].at, w->words[i].n };

		if (w->hashes[i] == hash && str_eq(is, word))
			return true;
	}
	return false;
}

static void
word_add(struct words *w, struct str word)
{
	uint32_t hash = 5381;

	for (size_t i = 0; i < word.n; i++)
		hash = hash * 33 + (unsigned char)word.p[i];
	if (word.n == 0 || has_word(w, hash, word))
		return;
	if (w->n == TEXT_WORDS_MAX) {
		w->all = false;
		w->full = true;
		return;
	}
	if (w->n != 0)
		buf_add_c(w->out, " ");
	w->hashes[w->n] = hash;
	w->words[w->n].at = w->out->n;
	w->words[w->n].n = word.n;
	w->n++;
	buf_add_str(w->out, word);
}

/* Of what is searched for, a character that no other stands beside is all there is
 * to find it by. */
static void
word_end(struct words *w)
{
	if (!w->pairs || !w->wanted || !w->paired)
		word_add(w, (struct str){ w->word, w->word_n });
	w->word_n = 0;
	w->cut = w->pairs = w->paired = false;
}

static void
pair_letter(struct words *w, const char *letter, size_t n)
{
	char pair[TEXT_WORD_BYTES];

	if (!w->pairs)
		word_end(w);
	if (w->word_n != 0) {
		memcpy(pair, w->word, w->word_n);
		memcpy(pair + w->word_n, letter, n);
		word_add(w, (struct str){ pair, w->word_n + n });
		w->paired = true;
	}
	if (!w->wanted)
		word_add(w, (struct str){ letter, n });
	w->pairs = true;
	memcpy(w->word, letter, n);
	w->word_n = n;
}

/* One that is too long is cut wherever it stands. */
static void
plain_letter(struct words *w, const char *letter, size_t n)
{
	if (w->pairs)
		word_end(w);
	w->cut = w->cut || w->word_n + n > sizeof(w->word);
	if (w->cut)
		return;
	memcpy(w->word + w->word_n, letter, n);
	w->word_n += n;
}

static bool
has_no_blanks(ucs4_t uc)
{
	static const char *const names[] = { "Han", "Hiragana", "Katakana",
		"Thai", "Lao", "Khmer", "Myanmar" };
	const uc_script_t *script;

	if (uc < 0x0e00) /* the first of Thai */
		return false;
	if (uc == PROLONGED || uc == ITERATION)
		return true;
	script = uc_script(uc);
	for (size_t i = 0; script != NULL && i < COUNT(names); i++) {
		if (strcmp(script->name, names[i]) == 0)
			return true;
	}
	return false;
}

static void
letter_read(struct words *w, ucs4_t uc, const char *letter, size_t n)
{
	if (uc_is_general_category_withtable(uc, UC_CATEGORY_MASK_M))
		return;
	if (!uc_is_general_category_withtable(uc, LETTER))
		word_end(w);
	else if (has_no_blanks(uc))
		pair_letter(w, letter, n);
	else
		plain_letter(w, letter, n);
}

static void
folded_read(struct words *w, const uint8_t *p, size_t n)
{
	ucs4_t uc;

	for (size_t i = 0; i < n && !w->full;) {
		int length = u8_mbtouc(&uc, p + i, n - i);

		letter_read(w, uc, (const char *)p + i, (size_t)length);
		i += (size_t)length;
	}
}

/* Half of all messages are nothing else. */
static void
ascii_read(struct words *w, struct str text)
{
	for (size_t i = 0; i < text.n && !w->full; i++) {
		char c = text.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			plain_letter(w, &c, 1);
		else
			word_end(w);
	}
}

/* Its first bytes, without a part of a character at the end. */
static struct str
text_cut(struct str text, size_t n)
{
	if (text.n <= n)
		return text;
	text.n = n;
	while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	return text;
}

/* Where it is cut is no matter: marks, which alone would change their places, are left
 * out. */
static void
other_read(struct words *w, struct str text)
{
	size_t left = FOLDED_BYTES;

	while (text.n != 0 && !w->full) {
		struct str part = text_cut(text, PART);
		size_t n;
		uint8_t *folded = u8_casefold((const uint8_t *)part.p, part.n,
			NULL, UNINORM_NFKD, NULL, &n);

		if (folded == NULL || n > left) {
			free(folded);
			w->all = false;
			return;
		}
		folded_read(w, folded, n);
		free(folded);
		left -= n;
		text = (struct str){ text.p + part.n, text.n - part.n };
	}
}

static bool
words_read(struct buf *out, struct str text, bool wanted)
{
	struct words w = { .out = out, .wanted = wanted };
	struct str some = text_cut(text, TEXT_WORDS_BYTES);

	w.all = some.n == text.n;
	if (str_is_ascii(some))
		ascii_read(&w, some);
	else if (str_is_utf8(some))
		other_read(&w, some);
	else
		return false;
	word_end(&w);
	return w.all;
}

bool
text_words_kept(struct buf *out, struct str text)
{
	return words_read(out, text, false);
}

bool
text_words_wanted(struct buf *out, struct str text)
{
	return words_read(out, text, true);
}
