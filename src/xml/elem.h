/*
 * elem.h - the element tree: what the parser makes, handlers read and change,
 * and the serialiser writes.
 *
 * One owner, the owner of the arena.  Names and namespaces that the protocol
 * knows (names.def) are interned: their str points to the one static copy, so
 * comparing them ends at the pointers.  Everything else lies in the arena.
 */
#ifndef XML_ELEM_H
#define XML_ELEM_H

#include <stdbool.h>

#include "base/str.h"

struct arena;

struct attr {
	struct attr *next;
	struct str ns; /* STR_NONE for an attribute without prefix */
	struct str name;
	struct str value;
};

/* An element, or, when name.p is NULL, a run of character data. */
struct elem {
	struct elem *next; /* the next sibling */
	struct elem *first;
	struct elem *last;
	struct attr *attrs;
	struct str ns;
	struct str name;
	struct str text; /* character data only */
};

#define NS_XML "http://www.w3.org/XML/1998/namespace"
#define NS_STREAM "http://etherx.jabber.org/streams"
#define NS_SERVER "jabber:server"
#define NS_DIALBACK "jabber:server:dialback"

static inline bool
elem_is_text(const struct elem *e)
{
	return e->name.p == NULL;
}

/* Names are usually literals; the length is then known to the compiler. */
static inline bool
elem_is(const struct elem *e, const char *ns, const char *name)
{
	return !elem_is_text(e) && str_is(e->name, name) && str_is(e->ns, ns);
}

/* Every child, character data included. */
#define elem_each(parent, child)                                               \
	for (struct elem *child = (parent)->first; child != NULL;              \
		child = child->next)
/* Child elements only. */
#define elem_each_child(parent, child)                                         \
	elem_each(parent, child) if (!elem_is_text(child))

/* The one static copy of s if the protocol knows it, else s itself. */
struct str xml_intern(struct str s);

/* --- making: all in the arena of a; strings are copied unless interned ---- */

/* May s stand in XML: UTF-8, of characters that it has (XML 1.0 §2.2)?  For what
 * comes from elsewhere. */
bool xml_is_text(struct str s);

/*
 * Texts and values are UTF-8, without U+FFFE and U+FFFF: what comes by a stanza is,
 * and nobody looks at what does not, see xml_is_text().  A control character that XML
 * has not (XML 1.0 §2.2) is written as U+FFFD.
 */

struct elem *elem_new(struct arena *a, const char *ns, const char *name);
/* Appends a new child to parent, and returns the child. */
struct elem *elem_add(struct arena *a, struct elem *parent, const char *ns,
	const char *name);
/* elem_add, with text inside. */
struct elem *elem_add_with_text(struct arena *a, struct elem *parent,
	const char *ns, const char *name, struct str text);
void elem_add_text(struct arena *a, struct elem *parent, struct str text);
/* Appends child, which must be in the same arena and without a parent. */
void elem_append(struct elem *parent, struct elem *child);
/* Takes those children out, character data included, that drop says yes to. */
void elem_drop(struct elem *parent, bool (*drop)(void *arg, const struct elem *e),
	void *arg);
/* A deep copy in the arena of a. */
struct elem *elem_copy(struct arena *a, const struct elem *e);
/* Sets or replaces; value STR_NONE removes. */
void elem_set_attr(struct arena *a, struct elem *e, const char *name,
	struct str value);
void elem_set_attr_ns(struct arena *a, struct elem *e, const char *ns,
	const char *name, struct str value);

/* Overwrites the character data in e and all below it: for secrets. */
void elem_wipe(struct elem *e);

/* --- reading ------------------------------------------------------------- */

/* STR_NONE when absent. */
struct str elem_attr_str(const struct elem *e, struct str name);

/* Inline, so that the length of a literal is known to the compiler. */
static inline struct str
elem_attr(const struct elem *e, const char *name)
{
	return elem_attr_str(e, str_c(name));
}

struct str elem_attr_ns(const struct elem *e, const char *ns, const char *name);
/* The first such child element, or NULL.  A NULL ns or name matches any. */
struct elem *elem_child(const struct elem *e, const char *ns, const char *name);
/* The first child element whatever its name, or NULL. */
struct elem *elem_first_child(const struct elem *e);
/* How many child elements. */
size_t elem_count(const struct elem *e);
/* The character data directly inside e, joined; in the arena of a when it
 * comes in several runs, else borrowed.  Empty if there is none. */
struct str elem_text(struct arena *a, const struct elem *e);

#endif
