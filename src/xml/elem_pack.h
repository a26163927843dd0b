/*
 * elem_pack.h - an element tree as few bytes, for what is kept for long, read again
 * and again, and was made by us: taken apart without a parser.
 *
 * Any thread; pure functions.  The bytes are good for as long as the process runs,
 * and never leave it.
 */
#ifndef XML_ELEM_PACK_H
#define XML_ELEM_PACK_H

#include "base/str.h"

struct arena;
struct buf;
struct elem;

/* Appends e and all that is in it. */
void elem_pack(struct buf *out, const struct elem *e);
/* The element again, in the arena of a; packed (borrowed) is what one elem_pack()
 * has written. */
struct elem *elem_unpack(struct arena *a, struct str packed);
/* Without making the tree: the text of the first child element of packed with that
 * name, up to its first child; or, where attr is not NULL, its attribute, without
 * a namespace.  Borrows from packed; STR_NONE: there is none. */
struct str elem_packed_find(struct str packed, const char *ns, const char *name,
	const char *attr);

#endif
