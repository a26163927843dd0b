/*
 * elem_pack.c - an element tree as few bytes.
 *
 *   element    namespace, name, any number of items, END
 *   item       ATTR namespace name value | TEXT value | ELEM element
 *   string     2 * length, and its bytes | 1 + 2 * number of a known name
 *
 * Lengths and numbers have seven bits a byte, the low ones first.  A namespace
 * that is the parent's is 1; so is one that an attribute does not have, for there
 * is no name with the number 0.
 */
#include "config.h"

#include "xml/elem_pack.h"

#include <assert.h>

#include "base/arena.h"
#include "base/buf.h"
#include "xml/elem.h"
#include "xml/names.h"

enum item { END, ATTR, TEXT, ELEM };

/* --- packing ------------------------------------------------------------------ */

static void
put_number(struct buf *out, size_t n)
{
	for (; n > 0x7f; n >>= 7)
		*buf_reserve(out, 1) = (char)(n | 0x80), out->n++;
	*buf_reserve(out, 1) = (char)n;
	out->n++;
}

static void
put_str(struct buf *out, struct str s)
{
	unsigned known = names_number(s);

	if (known != 0) {
		put_number(out, 1 + 2 * (size_t)known);
		return;
	}
	put_number(out, 2 * s.n);
	buf_add_str(out, s);
}

static void
put_ns(struct buf *out, struct str ns, bool plain)
{
	if (plain)
		put_number(out, 1);
	else
		put_str(out, ns);
}

/* The runs of text that begin with e, as one; returns the last. */
static const struct elem *
put_text(struct buf *out, const struct elem *e)
{
	const struct elem *last = e;
	size_t n = e->text.n;

	for (; last->next != NULL && elem_is_text(last->next); last = last->next)
		n += last->next->text.n;
	put_number(out, TEXT);
	if (last == e) {
		put_str(out, e->text);
		return e;
	}
	put_number(out, 2 * n);
	for (const struct elem *run = e; run != last->next; run = run->next)
		buf_add_str(out, run->text);
	return last;
}

/* Recursive: the depth of a tree from outside is bounded by the parser. */
static void
put_elem(struct buf *out, const struct elem *e, struct str parent_ns)
{
	put_ns(out, e->ns, parent_ns.p != NULL && str_eq(e->ns, parent_ns));
	put_str(out, e->name);
	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		put_number(out, ATTR);
		put_ns(out, at->ns, at->ns.p == NULL);
		put_str(out, at->name);
		put_str(out, at->value);
	}
	for (const struct elem *child = e->first; child != NULL;
		child = child->next) {
		if (elem_is_text(child)) {
			child = put_text(out, child);
			continue;
		}
		put_number(out, ELEM);
		put_elem(out, child, e->ns);
	}
	put_number(out, END);
}

void
elem_pack(struct buf *out, const struct elem *e)
{
	put_elem(out, e, STR_NONE);
}

/* --- taking apart --------------------------------------------------------------- */

static size_t
take_number(struct str *in)
{
	size_t n = 0;
	unsigned shift = 0;
	unsigned char c;

	do {
		assert(in->n != 0);
		c = (unsigned char)*in->p++;
		in->n--;
		n |= (size_t)(c & 0x7f) << shift;
		shift += 7;
	} while ((c & 0x80) != 0);
	return n;
}

static struct str
take_str(struct str *in, struct str plain)
{
	size_t n = take_number(in);
	struct str s;

	if (n == 1)
		return plain;
	if ((n & 1) != 0)
		return names_at((unsigned)(n / 2));
	s = (struct str){ in->p, n / 2 };
	assert(s.n <= in->n);
	in->p += s.n;
	in->n -= s.n;
	return s;
}

static struct attr *
take_attr(struct arena *a, struct str *in)
{
	struct attr *at = arena_alloc(a, sizeof(*at));

	at->next = NULL;
	at->ns = take_str(in, STR_NONE);
	at->name = take_str(in, STR_NONE);
	at->value = take_str(in, STR_NONE);
	return at;
}

static struct elem *
take_elem(struct arena *a, struct str *in, struct str parent_ns)
{
	struct elem *e = arena_zalloc(a, sizeof(*e)), *text;
	struct attr **tail = &e->attrs;
	enum item item;

	e->ns = take_str(in, parent_ns);
	e->name = take_str(in, STR_NONE);
	while ((item = (enum item)take_number(in)) != END) {
		switch (item) {
		case END:
			break;
		case ATTR:
			*tail = take_attr(a, in);
			tail = &(*tail)->next;
			break;
		case TEXT:
			text = arena_zalloc(a, sizeof(*text));
			text->text = take_str(in, STR_NONE);
			elem_append(e, text);
			break;
		case ELEM:
			elem_append(e, take_elem(a, in, e->ns));
			break;
		}
	}
	return e;
}

/* All strings borrow from one copy. */
struct elem *
elem_unpack(struct arena *a, struct str packed)
{
	struct str in = arena_str(a, packed);

	return take_elem(a, &in, STR_NONE);
}

/* --- finding ---------------------------------------------------------------------- */

/* What is asked for of an element whose names have been taken; the rest of it is
 * taken too. */
static struct str
take_value(struct str *in, const char *attr, struct str ns)
{
	struct str found = STR_NONE, child_ns;
	bool first = true;
	enum item item;

	while ((item = (enum item)take_number(in)) != END) {
		if (item == ATTR) {
			struct str at_ns = take_str(in, STR_NONE);
			struct str name = take_str(in, STR_NONE);
			struct str value = take_str(in, STR_NONE);

			if (attr != NULL && at_ns.p == NULL && str_is(name, attr))
				found = value;
			continue;
		}
		if (item == TEXT) {
			struct str text = take_str(in, STR_NONE);

			if (attr == NULL && first)
				found = text;
		} else {
			child_ns = take_str(in, ns);
			(void)take_str(in, STR_NONE);
			(void)take_value(in, "", child_ns);
		}
		first = false;
	}
	return found;
}

struct str
elem_packed_find(struct str packed, const char *ns, const char *name,
	const char *attr)
{
	struct str in = packed;
	struct str root_ns = take_str(&in, STR_NONE);
	enum item item;

	(void)take_str(&in, STR_NONE);
	while ((item = (enum item)take_number(&in)) != END) {
		struct str child_ns, child_name, value;

		if (item == ATTR) {
			(void)take_str(&in, STR_NONE);
			(void)take_str(&in, STR_NONE);
		}
		if (item != ELEM) {
			(void)take_str(&in, STR_NONE);
			continue;
		}
		child_ns = take_str(&in, root_ns);
		child_name = take_str(&in, STR_NONE);
		value = take_value(&in, attr, child_ns);
		if (str_is(child_ns, ns) && str_is(child_name, name))
			return value;
	}
	return STR_NONE;
}
