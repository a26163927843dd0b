/*
 * mention.c - does what is said in a room name somebody who is in it?
 */
#include "config.h"

#include "xmpp/mention.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/message.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "xmpp/text_words.h"

/* --- words ---------------------------------------------------------------------------- */

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9');
}

static bool
is_plain_word(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_plain(text.p[i]))
			return false;
	}
	return text.n != 0;
}

/* word is plain: as most nicknames are, so that nothing has to be made of the text. */
static bool
has_plain_word(struct str text, struct str word)
{
	for (size_t i = 0; i + word.n <= text.n; i++) {
		size_t end = i + word.n;

		if (strncasecmp(text.p + i, word.p, word.n) == 0 &&
			(i == 0 || !is_plain(text.p[i - 1])) &&
			(end == text.n || !is_plain(text.p[end])))
			return true;
	}
	return false;
}

static bool
has_very(struct str text, struct str what)
{
	return what.n != 0 && text.n >= what.n &&
		memmem(text.p, text.n, what.p, what.n) != NULL;
}

/* One of those that text_words_kept() has put together. */
static bool
has_kept_word(struct str kept, struct str word)
{
	for (size_t i = 0; i + word.n <= kept.n; i++) {
		size_t end = i + word.n;

		if ((i == 0 || kept.p[i - 1] == ' ') &&
			(end == kept.n || kept.p[end] == ' ') &&
			memcmp(kept.p + i, word.p, word.n) == 0)
			return true;
	}
	return false;
}

static bool
has_all_words(struct str kept, struct str wanted)
{
	while (wanted.n != 0) {
		const char *blank = memchr(wanted.p, ' ', wanted.n);
		size_t n = blank != NULL ? (size_t)(blank - wanted.p) : wanted.n;

		if (!has_kept_word(kept, (struct str){ wanted.p, n }))
			return false;
		n += blank != NULL;
		wanted = (struct str){ wanted.p + n, wanted.n - n };
	}
	return true;
}

static bool
text_names(struct str text, struct str nick)
{
	struct buf kept = BUF_INIT, wanted = BUF_INIT;
	bool names;

	if (is_plain_word(nick))
		return has_plain_word(text, nick);
	if (text_words_wanted(&wanted, nick) && wanted.n == 0)
		names = has_very(text, nick);
	else
		names = !text_words_kept(&kept, text) ||
			has_all_words(buf_str(&kept), buf_str(&wanted));
	buf_done(&wanted);
	buf_done(&kept);
	return names;
}

/* --- addresses ------------------------------------------------------------------------ */

static bool
is_him(struct str text, struct jid occupant, struct jid user)
{
	struct arena *a = arena_new();
	struct jid jid;
	bool is;

	is = jid_parse(&jid, a, text, NULL) &&
		(jid_eq(jid, occupant) || jid_eq_bare(jid, user));
	arena_free(a);
	return is;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "xmpp:hall@rooms.example.org/tybalt?...", RFC 5122 §2. */
static bool
uri_names(struct str uri, struct jid occupant, struct jid user)
{
	static const struct str scheme = { "xmpp:", 5 };
	struct buf text = BUF_INIT;
	bool is;

	if (!str_starts(uri, scheme))
		return false;
	for (size_t i = scheme.n; i < uri.n && uri.p[i] != '?'; i++) {
		int high = i + 2 < uri.n ? hex_digit(uri.p[i + 1]) : -1;
		int low = i + 2 < uri.n ? hex_digit(uri.p[i + 2]) : -1;
		char c = uri.p[i];

		if (c == '%' && high >= 0 && low >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_add(&text, &c, 1);
	}
	is = is_him(buf_str(&text), occupant, user);
	buf_done(&text);
	return is;
}

/* --- what a message has ------------------------------------------------------------------ */

static bool
elem_names(const struct elem *e, struct jid occupant, struct jid user)
{
	if (elem_is(e, NS_REFERENCE, "reference"))
		return uri_names(elem_attr(e, "uri"), occupant, user);
	if (elem_is(e, NS_REPLY, "reply"))
		return is_him(elem_attr(e, "to"), occupant, user);
	return elem_is(e, NS_ATTENTION, "attention") ||
		str_is(e->ns, NS_CALL_INVITES) ||
		str_is(e->ns, NS_JINGLE_MESSAGE);
}

bool
message_names(const struct stanza *st, struct jid occupant, struct jid user)
{
	struct str nick = jid_resource(occupant);
	bool subject = false, body = false;

	if (st->type == MESSAGE_ERROR || jid_eq(st->from, occupant) ||
		message_is_encrypted(st->root))
		return true;
	elem_each_child(st->root, e) {
		if (elem_is(e, NS_CLIENT, "body")) {
			body = true;
			if (text_names(elem_text(st->arena, e), nick))
				return true;
		} else if (elem_names(e, occupant, user)) {
			return true;
		}
		subject |= elem_is(e, NS_CLIENT, "subject");
	}
	return subject && !body;
}
