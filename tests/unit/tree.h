/*
 * tree.h - a tree as text in one form only, so that trees can be compared:
 * {ns}name with @{ns}name='value' for attributes in their order, and (...)
 * around the children; runs of text that touch are one.
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include "base/buf.h"
#include "xml/elem.h"

static inline void
tree_dump_name(struct buf *out, struct str ns, struct str name)
{
	if (ns.p != NULL && ns.n != 0) {
		buf_add_c(out, "{");
		buf_add_str(out, ns);
		buf_add_c(out, "}");
	}
	buf_add_str(out, name);
}

static inline void
tree_dump(struct buf *out, const struct elem *e)
{
	bool in_text = false;

	tree_dump_name(out, e->ns, e->name);
	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		buf_add_c(out, " @");
		tree_dump_name(out, at->ns, at->name);
		buf_add_c(out, "='");
		buf_add_str(out, at->value);
		buf_add_c(out, "'");
	}
	buf_add_c(out, "(");
	elem_each(e, child) {
		if (elem_is_text(child) != in_text) {
			buf_add_c(out, "\"");
			in_text = !in_text;
		}
		if (in_text)
			buf_add_str(out, child->text);
		else
			tree_dump(out, child);
	}
	buf_add_c(out, in_text ? "\")" : ")");
}

#endif
