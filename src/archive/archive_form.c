/*
 * archive_form.c - what a query of an archive asks for.
 */
#include "config.h"

#include "archive/archive_form.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/datetime.h"
#include "xmpp/form.h"
#include "xmpp/ns.h"
#include "xmpp/text_words.h"
#include "store/store.h"

/* --- fields ----------------------------------------------------------------------- */

struct reading {
	struct arena *a;
	struct archive_query *q;
	bool search;
	const char *text; /* why not */
};

static enum stanza_cond
refuse(struct reading *r, enum stanza_cond cond, const char *text)
{
	r->text = text;
	return cond;
}

static enum stanza_cond
read_with(struct reading *r, const struct elem *field)
{
	if (!jid_parse(&r->q->with, r->a, form_value(r->a, field), NULL))
		return refuse(r, COND_BAD_REQUEST, "with is no address");
	return COND_NONE;
}

static enum stanza_cond
read_start(struct reading *r, const struct elem *field)
{
	if (!datetime_parse_bound(str_trim(form_value(r->a, field)),
		    &r->q->since_us))
		return refuse(r, COND_BAD_REQUEST,
			"start is no date and time (XEP-0082)");
	return COND_NONE;
}

/* Entries are shown by whole seconds, so that one of that second is not later. */
static enum stanza_cond
read_end(struct reading *r, const struct elem *field)
{
	int64_t us;

	if (!datetime_parse_bound(str_trim(form_value(r->a, field)), &us))
		return refuse(r, COND_BAD_REQUEST,
			"end is no date and time (XEP-0082)");
	r->q->until_us = us % US_PER_S == 0 ? us + US_PER_S - 1 : us;
	return COND_NONE;
}

static enum stanza_cond
read_after_id(struct reading *r, const struct elem *field)
{
	r->q->after_id = form_value(r->a, field);
	return COND_NONE;
}

static enum stanza_cond
read_before_id(struct reading *r, const struct elem *field)
{
	r->q->before_id = form_value(r->a, field);
	return COND_NONE;
}

static enum stanza_cond
read_ids(struct reading *r, const struct elem *field)
{
	struct archive_query *q = r->q;
	size_t n = elem_count(field);

	if (n > ARCHIVE_IDS_MAX)
		return refuse(r, COND_POLICY_VIOLATION,
			"ids: ask for fewer at a time");
	q->by_ids = true;
	q->ids = arena_zalloc(r->a, (n + 1) * sizeof(*q->ids));
	elem_each_child(field, e) {
		if (elem_is(e, NS_FORM, "value"))
			q->ids[q->n_ids++] = elem_text(r->a, e);
	}
	return COND_NONE;
}

/* There is no groupchat in the archive of a user, and nothing else in that of a room,
 * whatever is asked for (§4.1.4). */
static enum stanza_cond
read_groupchat(struct reading *r, const struct elem *field)
{
	struct str value = str_trim(form_value(r->a, field));

	if (str_is(value, "true") || str_is(value, "1") ||
		str_is(value, "false") || str_is(value, "0"))
		return COND_NONE;
	return refuse(r, COND_BAD_REQUEST,
		"include-groupchat is neither true nor false");
}

static size_t
words_count(struct str words)
{
	size_t n = words.n != 0;

	for (size_t i = 0; i < words.n; i++)
		n += words.p[i] == ' ';
	return n;
}

/* XEP-0431 §2.2: one that is empty asks for nothing; what the other means, all its
 * words, is ours to say (§3.2).  No character is special: what is no word is not
 * there. */
static enum stanza_cond
read_fulltext(struct reading *r, const struct elem *field)
{
	struct str text = form_value(r->a, field), words;
	struct buf buf = BUF_INIT;
	bool all = text_words_wanted(&buf, text);

	words = arena_str(r->a, buf_str(&buf));
	buf_done(&buf);
	if (text.n == 0)
		return COND_NONE;
	if (!all || words_count(words) > STORE_WORDS_MAX)
		return refuse(r, COND_POLICY_VIOLATION,
			"fulltext: search for fewer words");
	if (words.n == 0)
		return refuse(r, COND_BAD_REQUEST,
			"fulltext: there is no word in it");
	r->q->words = words;
	return COND_NONE;
}

static enum stanza_cond
read_form_type(struct reading *r, const struct elem *field)
{
	if (!str_is(form_value(r->a, field), NS_MAM))
		return refuse(r, COND_BAD_REQUEST,
			"FORM_TYPE is not that of an archive");
	return COND_NONE;
}

static const struct {
	const char *name;
	const char *type; /* NULL: form_add() has added it */
	enum stanza_cond (*read)(struct reading *r, const struct elem *field);
} fields[] = {
	{ "FORM_TYPE", NULL, read_form_type },
	{ "with", "jid-single", read_with },
	{ "start", "text-single", read_start },
	{ "end", "text-single", read_end },
	{ "before-id", "text-single", read_before_id },
	{ "after-id", "text-single", read_after_id },
	{ "ids", "list-multi", read_ids },
	{ "include-groupchat", "boolean", read_groupchat },
	{ "{" NS_FULLTEXT "}fulltext", "text-single", read_fulltext },
};

static bool
field_is_off(size_t i, bool search)
{
	return !search && fields[i].read == read_fulltext;
}

/* --- the query ---------------------------------------------------------------------- */

static enum stanza_cond
read_field(struct reading *r, const struct elem *field, unsigned *seen)
{
	struct str var = elem_attr(field, "var");
	size_t i = 0;

	while (i < COUNT(fields) && !str_is(var, fields[i].name))
		i++;
	if (i == COUNT(fields) || field_is_off(i, r->search))
		return refuse(r, COND_FEATURE_NOT_IMPLEMENTED, /* §4.1.5 */
			"The form has a field that is not known here");
	if ((*seen & 1u << i) != 0)
		return refuse(r, COND_BAD_REQUEST,
			"The form has the same field twice");
	*seen |= 1u << i;
	return fields[i].read(r, field);
}

static enum stanza_cond
read_form(struct reading *r, const struct elem *query)
{
	const struct elem *form = form_submitted(query);
	enum stanza_cond cond = COND_NONE;
	unsigned seen = 0;

	if (form == NULL && elem_child(query, NS_FORM, "x") != NULL)
		return refuse(r, COND_BAD_REQUEST,
			"The form is not of type submit");
	if (form == NULL)
		return COND_NONE;
	elem_each_child(form, field) {
		if (!elem_is(field, NS_FORM, "field"))
			continue;
		cond = read_field(r, field, &seen);
		if (cond != COND_NONE)
			return cond;
	}
	if ((seen & 1) == 0) /* §4.1 */
		return refuse(r, COND_BAD_REQUEST, "The form has no FORM_TYPE");
	return COND_NONE;
}

/* XEP-0413 §4.2: an entry is never written over, but by what is left of it, so that
 * both orders are one, and the first decides alone (§7). */
static enum stanza_cond
read_order(struct reading *r, const struct elem *query)
{
	bool first = true;

	elem_each_child(query, e) {
		struct str by = elem_attr(e, "by"), desc = elem_attr(e, "desc");

		if (!elem_is(e, NS_ORDER_BY, "order"))
			continue;
		if (!str_is(by, "creation") && !str_is(by, "modification"))
			return refuse(r, COND_FEATURE_NOT_IMPLEMENTED,
				"An archive is in the order of creation");
		if (first)
			r->q->descending =
				str_is(desc, "true") || str_is(desc, "1");
		first = false;
	}
	return COND_NONE;
}

/* XEP-0313 §4.2: each result has it. */
static enum stanza_cond
read_queryid(struct reading *r)
{
	if (r->q->queryid.n > ARCHIVE_QUERYID_MAX)
		return refuse(r, COND_POLICY_VIOLATION, "queryid is too long");
	return COND_NONE;
}

enum stanza_cond
archive_query_read(struct arena *a, const struct elem *query, bool search,
	struct archive_query *out, const char **text_out)
{
	struct reading r = { .a = a, .q = out, .search = search };
	enum stanza_cond cond;

	*out = (struct archive_query){
		.queryid = elem_attr(query, "queryid"),
		.flipped = elem_child(query, NS_MAM, "flip-page") != NULL,
	};
	cond = read_queryid(&r);
	if (cond == COND_NONE)
		cond = rsm_read(a, query, &out->rsm, &r.text);
	if (cond == COND_NONE && elem_attr(query, "node").p != NULL)
		cond = refuse(&r, COND_ITEM_NOT_FOUND, /* XEP-0442 */
			"There is no archive of a node here");
	if (cond == COND_NONE)
		cond = read_form(&r, query);
	if (cond == COND_NONE)
		cond = read_order(&r, query);
	*text_out = r.text;
	return cond;
}

void
archive_form_add(struct arena *a, struct elem *parent, bool search)
{
	struct elem *form = form_add(a, parent, "form", NS_MAM), *field, *e;

	for (size_t i = 0; i < COUNT(fields); i++) {
		if (fields[i].type == NULL || field_is_off(i, search))
			continue;
		field = form_add_field(a, form, fields[i].name, fields[i].type,
			NULL);
		if (!str_is(str_c(fields[i].name), "ids"))
			continue;
		/* whatever the client says, and no list of what there is */
		e = elem_add(a, field, NS_VALIDATE, "validate");
		elem_set_attr(a, e, "datatype", STR("xs:string"));
		elem_add(a, e, NS_VALIDATE, "open");
	}
}

void
archive_end_add(struct arena *a, struct elem *metadata, const char *name,
	struct str id, int64_t wall_us)
{
	struct elem *end = elem_add(a, metadata, NS_MAM, name);
	char stamp[DATETIME_SIZE];

	elem_set_attr(a, end, "id", id);
	elem_set_attr(a, end, "timestamp", datetime_format(stamp, wall_us));
}
