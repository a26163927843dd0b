/*
 * writer.h - the serialiser: an element tree to bytes.
 *
 * Any thread.  What goes out is always written from a tree, never copied from
 * the input.  Namespaces are declared where they change; no prefixes are used,
 * but for xml: and for attributes in a namespace.
 */
#ifndef XML_WRITER_H
#define XML_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;
struct elem;

/* Appends e.  ns is the default namespace in force where e will stand. */
void xml_write(struct buf *out, const struct elem *e, struct str ns);

/* Appends s with & < > " ' written as references, and with tab, line feed and
 * carriage return too when in_attr, so that they survive the reader. */
void xml_escape(struct buf *out, struct str s, bool in_attr);

/* The bytes that xml_write() makes of s, as text or as the value of an
 * attribute. */
size_t xml_written_bytes(struct str s, bool in_attr);

/*
 * As xml_write for a whole stanza, but leaves out the attribute "to" of e
 * itself, and returns the offset from the end of what was in out before, at
 * which ` to="..."` can be spliced in: what a fan-out shares.
 */
size_t xml_write_without_to(struct buf *out, const struct elem *e,
	struct str ns);

#endif
