/*
 * muc_row.c - a room as it stands in the list of its service.
 */
#include "config.h"

#include "muc_row.h"

/* --- what is stored ------------------------------------------------------------------------ */

static void
set_text(struct arena *a, struct elem *e, const char *name, const char *text)
{
	if (text != NULL)
		elem_set_attr(a, e, name, str_c(text));
}

static void
set_flag(struct arena *a, struct elem *e, const char *name, bool on)
{
	if (on)
		elem_set_attr(a, e, name, STR("1"));
}

static struct str
words_of(struct arena *a, struct str local, const struct room_config *c)
{
	struct buf text = BUF_INIT, words = BUF_INIT;
	struct str out;

	buf_add_str(&text, local);
	buf_add_c(&text, " ");
	buf_add_c(&text, c->name != NULL ? c->name : "");
	buf_add_c(&text, " ");
	buf_add_c(&text, c->desc != NULL ? c->desc : "");
	(void)text_words_kept(&words, buf_str(&text));
	out = arena_str(a, buf_str(&words));
	buf_done(&text);
	buf_done(&words);
	return out;
}

void
muc_row_write(struct buf *out, struct str local, const struct room_config *c)
{
	struct arena *a = arena_new();
	struct elem *e = elem_new(a, NS_MUC, "room");

	set_text(a, e, "name", c->name);
	set_text(a, e, "desc", c->desc);
	set_text(a, e, "lang", c->lang);
	elem_set_attr(a, e, "words", words_of(a, local, c));
	set_flag(a, e, "closed", c->members_only || c->has_password);
	set_flag(a, e, "real", c->whois == WHOIS_ANYONE);
	set_flag(a, e, "temporary", !c->persistent);
	stored_write(out, e);
	arena_free(a);
}

bool
muc_row_read(struct muc_row *out, struct arena *a, struct str domain,
	const struct store_entry *entry)
{
	struct elem *e = stored_read(a, entry->value);

	if (e == NULL || !elem_is(e, NS_MUC, "room"))
		return false;
	*out = (struct muc_row){
		.local = arena_str(a, entry->key),
		.jid = arena_printf(a, "%.*s@%.*s", STR_ARG(entry->key),
			STR_ARG(domain)),
		.name = elem_attr(e, "name"),
		.desc = elem_attr(e, "desc"),
		.lang = elem_attr(e, "lang"),
		.words = elem_attr(e, "words"),
		.is_open = elem_attr(e, "closed").p == NULL,
		.shows_real = elem_attr(e, "real").p != NULL,
		.is_temporary = elem_attr(e, "temporary").p != NULL,
	};
	if (out->name.n == 0)
		out->name = out->local;
	return true;
}

/* --- words --------------------------------------------------------------------------------- */

static bool
has_word(struct str words, struct str wanted)
{
	struct str word;

	while (words.n != 0) {
		if (!str_cut(words, ' ', &word, &words))
			words = STR("");
		if (str_starts(word, wanted))
			return true;
	}
	return false;
}

bool
muc_row_has_words(struct str words, struct str wanted)
{
	struct str word;

	while (wanted.n != 0) {
		if (!str_cut(wanted, ' ', &word, &wanted))
			wanted = STR("");
		if (!has_word(words, word))
			return false;
	}
	return true;
}
