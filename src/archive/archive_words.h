/*
 * archive_words.h - the words by which an archived message is found (XEP-0431): those
 * of its subject and its text, in all its languages.
 *
 * Any thread; pure functions.
 */
#ifndef ARCHIVE_ARCHIVE_WORDS_H
#define ARCHIVE_ARCHIVE_WORDS_H

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct buf;
struct elem;

/* Appends the words by which message is found; none, if it is encrypted. */
void archive_words(struct buf *out, struct arena *a, const struct elem *message);
/* Is it found by words, which are at least one? */
bool archive_has_words(struct arena *a, const struct elem *message, struct str words);

#endif
