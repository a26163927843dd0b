/*
 * caps.c - what an answer to disco#info hashes to (XEP-0115 §5.1): everything in
 * it sorted by bytes, each followed by '<'.
 */
#include "config.h"

#include "xmpp/caps.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xmpp/form.h"
#include "xmpp/ns.h"

/* What is sorted, and where it came from. */
struct item {
	struct str key;
	const struct elem *elem;
};

struct items {
	struct item *p;
	size_t n;
};

static int
item_cmp(const void *a, const void *b)
{
	return str_cmp(((const struct item *)a)->key,
		((const struct item *)b)->key);
}

/* All children of this name, sorted by what key_of says; absent is left out. */
static struct items
items_of(struct arena *a, const struct elem *parent, const char *ns,
	const char *name, struct str (*key_of)(struct arena *, struct elem *))
{
	size_t max = elem_count(parent);
	struct items items = {
		.p = arena_alloc(a, (max + 1) * sizeof(struct item)),
	};

	elem_each_child(parent, e) {
		struct str key;

		if (!elem_is(e, ns, name))
			continue;
		key = key_of(a, e);
		if (key.p != NULL)
			items.p[items.n++] = (struct item){ key, e };
	}
	qsort(items.p, items.n, sizeof(items.p[0]), item_cmp);
	return items;
}

static struct str
identity_key(struct arena *a, struct elem *e)
{
	struct str category = elem_attr(e, "category");
	struct str type = elem_attr(e, "type");
	struct str lang = elem_attr_ns(e, NS_XML, "lang");
	struct str name = elem_attr(e, "name");

	return arena_printf(a, "%.*s/%.*s/%.*s/%.*s", STR_ARG(category),
		STR_ARG(type), STR_ARG(lang), STR_ARG(name));
}

static struct str
var_key(struct arena *a, struct elem *e)
{
	(void)a;
	return elem_attr(e, "var");
}

static struct str
text_key(struct arena *a, struct elem *e)
{
	return elem_text(a, e);
}

static struct str
form_key(struct arena *a, struct elem *form)
{
	elem_each_child(form, field) {
		const struct elem *value;

		if (!elem_is(field, NS_FORM, "field") ||
			!str_is(elem_attr(field, "var"), "FORM_TYPE"))
			continue;
		value = elem_child(field, NS_FORM, "value");
		return value != NULL ? elem_text(a, value) : STR_NONE;
	}
	return STR_NONE;
}

static void
add(struct buf *out, struct str s)
{
	buf_add_str(out, s);
	buf_add_str(out, STR("<"));
}

static void
add_items(struct buf *out, struct items items)
{
	for (size_t i = 0; i < items.n; i++)
		add(out, items.p[i].key);
}

static void
add_form(struct buf *out, struct arena *a, const struct item *form)
{
	struct items fields =
		items_of(a, form->elem, NS_FORM, "field", var_key);

	add(out, form->key);
	for (size_t i = 0; i < fields.n; i++) {
		if (str_is(fields.p[i].key, "FORM_TYPE"))
			continue;
		add(out, fields.p[i].key);
		add_items(out,
			items_of(a, fields.p[i].elem, NS_FORM, "value",
				text_key));
	}
}

void
caps_string(struct buf *out, struct arena *a, const struct elem *query)
{
	struct items forms = items_of(a, query, NS_FORM, "x", form_key);

	add_items(out,
		items_of(a, query, NS_DISCO_INFO, "identity", identity_key));
	add_items(out, items_of(a, query, NS_DISCO_INFO, "feature", var_key));
	for (size_t i = 0; i < forms.n; i++)
		add_form(out, a, &forms.p[i]);
}
