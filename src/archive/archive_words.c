/*
 * archive_words.c - the words by which an archived message is found.
 */
#include "config.h"

#include "archive/archive_words.h"

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xmpp/message.h"
#include "xmpp/ns.h"
#include "xmpp/text_words.h"

static bool
is_text(const struct elem *e)
{
	return elem_is(e, NS_CLIENT, "body") || elem_is(e, NS_CLIENT, "subject");
}

/* What is encrypted has a text for who cannot read it, the same again and again.  Of
 * several texts no more are joined than are looked at. */
void
archive_words(struct buf *out, struct arena *a, const struct elem *message)
{
	struct buf text = BUF_INIT;
	const struct elem *only = NULL;

	if (message_is_encrypted(message))
		return;
	elem_each_child(message, e) {
		if (!is_text(e) || text.n >= TEXT_WORDS_BYTES)
			continue;
		if (only != NULL) {
			if (text.n == 0)
				buf_add_str(&text, elem_text(a, only));
			buf_add_c(&text, "\n");
			buf_add_str(&text, elem_text(a, e));
		} else {
			only = e;
		}
	}
	if (text.n != 0)
		(void)text_words_kept(out, buf_str(&text));
	else if (only != NULL)
		(void)text_words_kept(out, elem_text(a, only));
	buf_done(&text);
}

static bool
has_word(struct str words, struct str wanted)
{
	struct str word;

	while (words.n != 0) {
		str_cut(words, ' ', &word, &words);
		if (str_eq(word, wanted))
			return true;
	}
	return false;
}

bool
archive_has_words(struct arena *a, const struct elem *message, struct str words)
{
	struct buf has = BUF_INIT;
	struct str wanted;
	bool all = true;

	archive_words(&has, a, message);
	while (all && words.n != 0) {
		str_cut(words, ' ', &wanted, &words);
		all = has_word(buf_str(&has), wanted);
	}
	buf_done(&has);
	return all;
}
