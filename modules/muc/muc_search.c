/*
 * muc_search.c - the list of rooms for who looks for one by words (XEP-0433).
 *
 *	<search/> --> the form     <search><x type='submit'/></search> --> rooms, in pages
 *
 * Shard of the asker.  Words are whole ones or their beginnings, as they are in the name,
 * the description or the address of a room.
 */
#include "config.h"

#include "muc.h"
#include "muc_list.h"

#define PAGE 50
#define PAGE_MAX 200
#define RETRY_S "5"
#define KEY_ADDRESS "{" NS_CHANNEL_ORDER "}address"
#define KEY_USERS "{" NS_CHANNEL_ORDER "}nusers"
#define TYPE_MUC "xep-0045"

/* What was submitted; in the arena of the request. */
struct search {
	bool has_q, all, in_name, in_desc, in_address, of_muc;
	struct str words; /* of q */
};

/* --- the form (§6.1) -------------------------------------------------------------------- */

static void
add_flag(struct arena *a, struct elem *form, const char *var, const char *label,
	bool on)
{
	form_add_value(a, form_add_field(a, form, var, "boolean", label),
		on ? STR("true") : STR("false"));
}

static void
add_option(struct arena *a, struct elem *field, const char *label, const char *value)
{
	struct elem *option = elem_add(a, field, NS_FORM, "option");

	elem_set_attr(a, option, "label", str_c(label));
	elem_add_with_text(a, option, NS_FORM, "value", str_c(value));
}

static void
tell_form(struct iq *iq)
{
	struct arena *a = iq->st->arena;
	struct elem *search = iq_payload(iq, NS_CHANNEL_SEARCH, "search");
	struct elem *form = form_add(a, search, "form", NS_CHANNEL_PARAMS), *field;

	form_add_field(a, form, "q", "text-single", "Words to look for");
	field = form_add_field(a, form, "key", "list-single", "Order");
	form_add_value(a, field, STR(KEY_ADDRESS));
	add_option(a, field, "By address", KEY_ADDRESS);
	add_option(a, field, "By how many are in it", KEY_USERS);
	add_flag(a, form, "all", "All rooms, whatever their words", false);
	add_flag(a, form, "sinname", "Look into names", true);
	add_flag(a, form, "sindescription", "Look into descriptions", true);
	add_flag(a, form, "sinaddress", "Look into addresses", true);
	field = form_add_field(a, form, "types", "list-multi", "Kinds of rooms");
	form_add_value(a, field, STR(TYPE_MUC));
	add_option(a, field, "Rooms of XEP-0045", TYPE_MUC);
	iq_result(iq, search);
}

/* --- errors (§4.2.2) ---------------------------------------------------------------------- */

static struct elem *
condition(struct iq *iq, const char *name)
{
	return elem_new(iq->st->arena, NS_CHANNEL_ERROR, name);
}

static void
refuse_conflict(struct iq *iq)
{
	static const char *const vars[] = { "q", "all" };
	struct elem *e = condition(iq, "conflicting-fields");

	for (size_t i = 0; i < COUNT(vars); i++)
		elem_add_with_text(iq->st->arena, e, NS_CHANNEL_ERROR, "var",
			str_c(vars[i]));
	iq_error_with(iq, COND_BAD_REQUEST,
		"\"Words to look for\" and \"All rooms\" exclude each other", e);
}

static void
refuse_rate(struct iq *iq)
{
	struct elem *e = condition(iq, "rate-limit");

	elem_set_attr(iq->st->arena, e, "retry-after", STR(RETRY_S));
	iq_error_with(iq, COND_RESOURCE_CONSTRAINT,
		"Others are being answered, ask again in a moment", e);
}

/* True: it was refused. */
static bool
refuse(struct iq *iq, const struct search *s, const struct str key)
{
	if (key.n != 0 && !str_is(key, KEY_ADDRESS) && !str_is(key, KEY_USERS))
		iq_error_typed(iq, COND_FEATURE_NOT_IMPLEMENTED, "modify",
			"Rooms are sorted by address, or by nusers",
			condition(iq, "invalid-sort-key"));
	else if (s->has_q && s->all)
		refuse_conflict(iq);
	else if (!s->has_q && !s->all)
		iq_error_with(iq, COND_BAD_REQUEST,
			"Words to look for are missing",
			condition(iq, "no-search-conditions"));
	else if (s->has_q && s->words.n == 0)
		iq_error_with(iq, COND_BAD_REQUEST,
			"A word has a letter or a digit",
			condition(iq, "invalid-search-terms"));
	else
		return false;
	return true;
}

/* --- what was submitted --------------------------------------------------------------------- */

static const struct elem *
field_find(const struct elem *form, const char *var)
{
	elem_each_child(form, field) {
		if (elem_is(field, NS_FORM, "field") &&
			str_is(elem_attr(field, "var"), var))
			return field;
	}
	return NULL;
}

static struct str
text_of(struct arena *a, const struct elem *form, const char *var)
{
	const struct elem *field = field_find(form, var);

	return field != NULL ? form_value(a, field) : STR("");
}

static bool
flag_of(struct arena *a, const struct elem *form, const char *var, bool dflt)
{
	struct str text = text_of(a, form, var);

	if (text.n == 0)
		return dflt;
	return str_is(text, "true") || str_is(text, "1");
}

/* §6.2: nothing of a kind that was not asked for. */
static bool
names_muc(struct arena *a, const struct elem *form)
{
	const struct elem *field = field_find(form, "types");
	bool any = false;

	if (field == NULL)
		return true;
	elem_each_child(field, value) {
		if (!elem_is(value, NS_FORM, "value"))
			continue;
		any = true;
		if (str_is(elem_text(a, value), TYPE_MUC))
			return true;
	}
	return !any;
}

static struct str
words_in(struct arena *a, struct str text, bool wanted)
{
	struct buf words = BUF_INIT;
	struct str out;

	(void)(wanted ? text_words_wanted : text_words_kept)(&words, text);
	out = arena_str(a, buf_str(&words));
	buf_done(&words);
	return out.p != NULL ? out : STR("");
}

static struct search *
search_read(struct arena *a, const struct elem *form)
{
	struct search *s = arena_zalloc(a, sizeof(*s));
	struct str q = str_trim(text_of(a, form, "q"));

	s->has_q = q.n != 0;
	s->words = words_in(a, q, true);
	s->all = flag_of(a, form, "all", false);
	s->in_name = flag_of(a, form, "sinname", true);
	s->in_desc = flag_of(a, form, "sindescription", true);
	s->in_address = flag_of(a, form, "sinaddress", true);
	s->of_muc = names_muc(a, form);
	return s;
}

/* --- which rooms --------------------------------------------------------------------------- */

/* Each word is somewhere in what is looked into. */
static bool
has_all(const struct muc_ask *ask, struct arena *a, const struct muc_row *row)
{
	const struct search *s = ask->arg;
	struct buf text = BUF_INIT;
	bool found;

	if (s->in_name)
		buf_add_str(&text, row->name);
	buf_add_c(&text, " ");
	if (s->in_desc)
		buf_add_str(&text, row->desc);
	buf_add_c(&text, " ");
	if (s->in_address)
		buf_add_str(&text, row->local);
	found = muc_row_has_words(words_in(a, buf_str(&text), false), s->words);
	buf_done(&text);
	return found;
}

/* --- what is told of them (§6.2) ------------------------------------------------------------ */

static void
add_part(struct arena *a, struct elem *item, const char *name, struct str text)
{
	if (text.n != 0)
		elem_add_with_text(a, item, NS_CHANNEL_SEARCH, name, text);
}

static void
add_item(struct arena *a, struct elem *result, const struct muc_row *row)
{
	struct elem *item = elem_add(a, result, NS_CHANNEL_SEARCH, "item");

	elem_set_attr(a, item, "address", row->jid);
	add_part(a, item, "name", row->name);
	add_part(a, item, "description", row->desc);
	add_part(a, item, "language", row->lang);
	add_part(a, item, "nusers", arena_printf(a, "%zu", row->occupants));
	if (row->is_open)
		elem_add(a, item, NS_CHANNEL_SEARCH, "is-open");
	add_part(a, item, "service-type", STR(TYPE_MUC));
	add_part(a, item, "anonymity-mode",
		row->shows_real ? STR("{urn:xmpp:channel-search:0:anonymity}none") :
				  STR("muc_semianonymous"));
}

static void
search_answer(struct iq *iq, const struct muc_ask *ask, const struct muc_rows *rows,
	const struct rsm_page *page, bool is_complete)
{
	struct arena *a = iq->st->arena;
	struct elem *result = iq_payload(iq, NS_CHANNEL_SEARCH, "result");

	(void)ask;
	(void)is_complete;
	for (size_t i = 0; i < rows->n; i++)
		add_item(a, result, &rows->p[i]);
	rsm_add(a, result, page);
	iq_result(iq, result);
}

static void
search(struct module_ctx *m, struct iq *iq, const struct elem *form)
{
	struct arena *a = iq->st->arena;
	struct search *s = search_read(a, form);
	struct str key = text_of(a, form, "key");
	struct muc_ask ask = {
		.by_occupants = str_is(key, KEY_USERS),
		.wants = s->has_q ? has_all : NULL,
		.words = s->has_q ? s->words : STR_NONE,
		.arg = s,
		.answer = search_answer,
	};
	const char *why = NULL;
	enum stanza_cond cond;

	if (refuse(iq, s, key))
		return;
	cond = (s->has_q && !ask.by_occupants ? rsm_read : rsm_read_counted)(a,
		iq->payload, &ask.rsm, &why);
	ask.max = ask.rsm.has_max ? MIN(ask.rsm.max, PAGE_MAX) : PAGE;
	if (cond != COND_NONE)
		iq_error(iq, cond, why);
	else if (!s->of_muc)
		search_answer(iq, &ask, &(struct muc_rows){ .n = 0 },
			&(struct rsm_page){ .count = 0 }, true);
	else if (!muc_list_ask(m, iq, &ask))
		refuse_rate(iq);
}

enum hook_result
muc_on_search(struct module_ctx *m, struct iq *iq)
{
	const struct elem *form = elem_child(iq->payload, NS_FORM, "x");

	if (form == NULL)
		tell_form(iq);
	else
		search(m, iq, form);
	return HOOK_HANDLED;
}
