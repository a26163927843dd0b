/*
 * rsm.c - result set management (XEP-0059).
 */
#include "config.h"

#include "xmpp/rsm.h"

#include <stdio.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/ns.h"

/* Of an element that is not there, or says nothing, STR_NONE. */
static struct str
text_of(struct arena *a, const struct elem *e)
{
	struct str text = e != NULL ? elem_text(a, e) : STR_NONE;

	return text.n != 0 ? text : STR_NONE;
}

static bool
is_number(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	}
	return text.n != 0;
}

/* However large it is. */
static uint32_t
number_of(struct str text)
{
	long long n;

	return str_to_int(text, 0, UINT32_MAX, &n) ? (uint32_t)n : UINT32_MAX;
}

static bool
index_read(struct arena *a, const struct elem *set, struct rsm *out)
{
	const struct elem *e = elem_child(set, NS_RSM, "index");
	struct str text = e != NULL ? str_trim(elem_text(a, e)) : STR_NONE;

	if (e == NULL)
		return true;
	out->by_index = is_number(text) &&
		elem_child(set, NS_RSM, "before") == NULL &&
		elem_child(set, NS_RSM, "after") == NULL;
	out->index = out->by_index ? number_of(text) : 0;
	return out->by_index;
}

enum stanza_cond
rsm_read_counted(struct arena *a, const struct elem *parent, struct rsm *out,
	const char **text_out)
{
	const struct elem *set = elem_child(parent, NS_RSM, "set"), *e;
	struct str max;

	*out = (struct rsm){ .has_max = false };
	if (set == NULL)
		return COND_NONE;
	if (!index_read(a, set, out)) {
		*text_out = "An index is a number, with nothing beside it";
		return COND_FEATURE_NOT_IMPLEMENTED;
	}
	e = elem_child(set, NS_RSM, "max");
	max = e != NULL ? str_trim(elem_text(a, e)) : STR_NONE;
	if (e != NULL && !is_number(max)) {
		*text_out = "max is no number";
		return COND_BAD_REQUEST;
	}
	out->has_max = e != NULL;
	out->max = e != NULL ? number_of(max) : 0;
	out->after = text_of(a, elem_child(set, NS_RSM, "after"));
	e = elem_child(set, NS_RSM, "before");
	out->backwards = e != NULL;
	out->before = text_of(a, e);
	return COND_NONE;
}

/* Nobody counts them, so the first page is all that can be found by its index. */
enum stanza_cond
rsm_read(struct arena *a, const struct elem *parent, struct rsm *out,
	const char **text_out)
{
	enum stanza_cond cond = rsm_read_counted(a, parent, out, text_out);

	if (cond == COND_FEATURE_NOT_IMPLEMENTED ||
		(cond == COND_NONE && out->index != 0)) {
		*out = (struct rsm){ .has_max = false };
		*text_out = "Pages are asked for by ids, not by an index";
		return COND_FEATURE_NOT_IMPLEMENTED;
	}
	return cond;
}

void
rsm_add(struct arena *a, struct elem *parent, const struct rsm_page *page)
{
	struct elem *set = elem_add(a, parent, NS_RSM, "set");
	struct elem *first;
	char count[24];
	int n;

	if (page->first.p != NULL) {
		first = elem_add_with_text(a, set, NS_RSM, "first", page->first);
		if (page->by_index)
			elem_set_attr(a, first, "index",
				arena_printf(a, "%llu",
					(unsigned long long)page->index));
		elem_add_with_text(a, set, NS_RSM, "last", page->last);
	}
	if (page->count < 0)
		return;
	n = snprintf(count, sizeof(count), "%lld", (long long)page->count);
	elem_add_with_text(a, set, NS_RSM, "count",
		(struct str){ count, (size_t)n });
}
