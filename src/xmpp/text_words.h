/*
 * text_words.h - the words of a text, as they are searched for (XEP-0431).
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_TEXT_WORDS_H
#define XMPP_TEXT_WORDS_H

#include <stdbool.h>

#include "base/str.h"

struct buf;

/* So much of a text is looked at, so many different words are taken, and so much of
 * each. */
#define TEXT_WORDS_BYTES 16384u
#define TEXT_WORDS_MAX 256
#define TEXT_WORD_BYTES 64

/*
 * Appends them to out, with a blank between: letters and digits, in lower case and
 * without marks, each word once; in ASCII nothing is in them but a to z and 0 to 9.
 * Text in scripts without blanks becomes its characters and the overlapping pairs of
 * these, or of what is searched for the pairs alone, if there are any.
 *
 * False: it is not UTF-8, or not all of it was taken.
 */
bool text_words_kept(struct buf *out, struct str text);
bool text_words_wanted(struct buf *out, struct str text);

#endif
