/*
 * elem.c - the element tree: making, changing and reading it.
 *
 * Called by whoever owns the arena.  Invariant: every name, namespace and value
 * is either interned or in the arena of the tree, never borrowed.
 */
#include "config.h"

#include "xml/elem.h"

#include <stdint.h>

#include "base/arena.h"
#include "xml/names.h"

static struct str
str_keep(struct arena *a, struct str s)
{
	struct str known;

	return names_find(s, &known) ? known : arena_str(a, s);
}

static struct elem *
elem_make(struct arena *a, struct str ns, struct str name)
{
	struct elem *e = arena_alloc(a, sizeof(*e));

	*e = (struct elem){
		.ns = ns.p != NULL ? str_keep(a, ns) : STR(""),
		.name = str_keep(a, name),
	};
	return e;
}

/* U+FFFE and U+FFFF are EF BF BE and EF BF BF. */
bool
xml_is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
			return false;
		if (c >= 0xbe && c <= 0xbf && i >= 2 && s.p[i - 1] == '\xbf' &&
			s.p[i - 2] == '\xef')
			return false;
	}
	return str_is_utf8(s);
}

struct elem *
elem_new(struct arena *a, const char *ns, const char *name)
{
	return elem_make(a, str_c(ns), str_c(name));
}

void
elem_append(struct elem *parent, struct elem *child)
{
	child->next = NULL;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

/* Those that stay are chained anew: to take out each by itself would be slow
 * where there are many. */
void
elem_drop(struct elem *parent, bool (*drop)(void *arg, const struct elem *e),
	void *arg)
{
	struct elem **at = &parent->first;
	struct elem *last = NULL;

	for (struct elem *e = *at; e != NULL; e = e->next) {
		if (drop(arg, e))
			continue;
		*at = last = e;
		at = &e->next;
	}
	*at = NULL;
	parent->last = last;
}

struct elem *
elem_add(struct arena *a, struct elem *parent, const char *ns, const char *name)
{
	struct elem *e = elem_new(a, ns, name);

	elem_append(parent, e);
	return e;
}

struct elem *
elem_add_with_text(struct arena *a, struct elem *parent, const char *ns,
	const char *name, struct str text)
{
	struct elem *e = elem_add(a, parent, ns, name);

	elem_add_text(a, e, text);
	return e;
}

void
elem_add_text(struct arena *a, struct elem *parent, struct str text)
{
	struct elem *e;

	if (text.n == 0)
		return;
	e = arena_alloc(a, sizeof(*e));
	*e = (struct elem){ .text = arena_str(a, text) };
	elem_append(parent, e);
}

static struct attr *
attr_new(struct arena *a, struct str ns, struct str name, struct str value)
{
	struct attr *at = arena_alloc(a, sizeof(*at));

	*at = (struct attr){
		.ns = str_keep(a, ns),
		.name = str_keep(a, name),
		.value = str_keep(a, value),
	};
	return at;
}

/* Recursive: the depth of a tree from outside is bounded by the parser. */
struct elem *
elem_copy(struct arena *a, const struct elem *e)
{
	struct elem *copy;
	struct attr **tail;

	if (elem_is_text(e)) {
		copy = arena_alloc(a, sizeof(*copy));
		*copy = (struct elem){ .text = arena_str(a, e->text) };
		return copy;
	}
	copy = elem_make(a, e->ns, e->name);
	tail = &copy->attrs;
	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		*tail = attr_new(a, at->ns, at->name, at->value);
		tail = &(*tail)->next;
	}
	elem_each(e, child)
		elem_append(copy, elem_copy(a, child));
	return copy;
}

static bool
attr_is(const struct attr *at, struct str ns, struct str name)
{
	return (at->ns.p == NULL) == (ns.p == NULL) && str_eq(at->name, name) &&
		str_eq(at->ns, ns);
}

void
elem_set_attr_ns(struct arena *a, struct elem *e, const char *ns,
	const char *name, struct str value)
{
	struct attr **at = &e->attrs;
	struct str space = str_c(ns);

	while (*at != NULL && !attr_is(*at, space, str_c(name)))
		at = &(*at)->next;
	if (value.p == NULL) {
		if (*at != NULL)
			*at = (*at)->next;
	} else if (*at != NULL) {
		(*at)->value = str_keep(a, value);
	} else {
		*at = attr_new(a, space, str_c(name), value);
	}
}

void
elem_set_attr(struct arena *a, struct elem *e, const char *name,
	struct str value)
{
	elem_set_attr_ns(a, e, NULL, name, value);
}

void
elem_wipe(struct elem *e)
{
	elem_each(e, child) {
		if (!elem_is_text(child))
			elem_wipe(child);
		else if (child->text.n != 0)
			explicit_bzero((void *)(uintptr_t)child->text.p,
				child->text.n);
	}
}

struct str
elem_attr_ns(const struct elem *e, const char *ns, const char *name)
{
	struct str space = str_c(ns), key = str_c(name);

	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		if (attr_is(at, space, key))
			return at->value;
	}
	return STR_NONE;
}

struct str
elem_attr_str(const struct elem *e, struct str name)
{
	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		if (at->ns.p == NULL && str_eq(at->name, name))
			return at->value;
	}
	return STR_NONE;
}

struct elem *
elem_child(const struct elem *e, const char *ns, const char *name)
{
	elem_each_child(e, child) {
		if ((name == NULL || str_is(child->name, name)) &&
			(ns == NULL || str_is(child->ns, ns)))
			return child;
	}
	return NULL;
}

struct elem *
elem_first_child(const struct elem *e)
{
	return elem_child(e, NULL, NULL);
}

size_t
elem_count(const struct elem *e)
{
	size_t n = 0;

	elem_each_child(e, child)
		n++;
	return n;
}

struct str
elem_text(struct arena *a, const struct elem *e)
{
	struct str one = STR("");
	size_t n = 0, runs = 0;
	char *joined;

	elem_each(e, child) {
		if (!elem_is_text(child))
			continue;
		one = child->text;
		n += one.n;
		runs++;
	}
	if (runs <= 1)
		return one;
	joined = arena_alloc(a, n + 1);
	joined[n] = '\0';
	n = 0;
	elem_each(e, child) {
		if (elem_is_text(child)) {
			memcpy(joined + n, child->text.p, child->text.n);
			n += child->text.n;
		}
	}
	return (struct str){ joined, n };
}
