/*
 * writer.c - the serialiser.
 *
 * Any thread.  Invariant: what is written parses back to the same tree, with
 * any XML reader; so everything that a reader would change (line ends, white
 * space in attributes) goes out as a reference.
 */
#include "config.h"

#include "xml/writer.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "xml/elem.h"

/* Where a byte cannot stand as it is. */
enum {
	IN_TEXT = 1,
	IN_ATTR = 2,
	IN_PUBLIC = 4, /* xml_escape outside of attributes */
	ALWAYS = IN_TEXT | IN_ATTR | IN_PUBLIC,
};

static const uint8_t special[256] = {
	[0 ... 8] = ALWAYS,
	['\t'] = IN_ATTR,
	['\n'] = IN_ATTR,
	[11 ... 12] = ALWAYS,
	['\r'] = ALWAYS,
	[14 ... 31] = ALWAYS,
	['&'] = ALWAYS,
	['<'] = ALWAYS,
	['>'] = ALWAYS,
	['"'] = IN_ATTR | IN_PUBLIC,
	['\''] = IN_PUBLIC,
};

static struct str
byte_reference(unsigned char c)
{
	switch (c) {
	case '&':
		return STR("&amp;");
	case '<':
		return STR("&lt;");
	case '>':
		return STR("&gt;");
	case '"':
		return STR("&quot;");
	case '\'':
		return STR("&apos;");
	case '\t':
		return STR("&#9;");
	case '\n':
		return STR("&#10;");
	case '\r':
		return STR("&#13;");
	default:
		/* no XML can say it; U+FFFD tells that something was here */
		return STR("\xEF\xBF\xBD");
	}
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* True when none of the eight bytes at p is special, wherever they stand; '#' is
 * taken for one.  What is subtracted leaves a highest bit where a byte was smaller;
 * bytes that have it themselves are plain. */
static inline bool
are_plain(const char *p)
{
	uint64_t word, controls, quotes, angles;

	memcpy(&word, p, sizeof(word));
	controls = word - EACH_BYTE(' ');
	/* 0 where it was one of "#&', as these differ in two bits */
	quotes = (word | EACH_BYTE('"' ^ '\'')) ^ EACH_BYTE('\'');
	/* the same of < and >, and one */
	angles = (word | EACH_BYTE('<' ^ '>')) ^ EACH_BYTE('>');
	return ((controls | (quotes - EACH_BYTE(1)) | (angles - EACH_BYTE(1))) &
		       ~word & EACH_BYTE(0x80)) == 0;
}

/* Where the first special byte of s is, from at on; s.n for none.  Eight bytes at
 * a time take an eighth of the instructions; the last eight may overlap those
 * before. */
static size_t
find_special(struct str s, size_t at, uint8_t where)
{
	while (at < s.n) {
		if (s.n >= 8 && are_plain(s.p + MIN(at, s.n - 8)))
			at += 8;
		else if ((special[(unsigned char)s.p[at]] & where) != 0)
			return at;
		else
			at++;
	}
	return s.n;
}

static void
escape(struct buf *out, struct str s, uint8_t where)
{
	size_t from = 0, at;

	while ((at = find_special(s, from, where)) < s.n) {
		buf_add(out, s.p + from, at - from);
		buf_add_str(out, byte_reference((unsigned char)s.p[at]));
		from = at + 1;
	}
	if (from < s.n)
		buf_add(out, s.p + from, s.n - from);
}

void
xml_escape(struct buf *out, struct str s, bool in_attr)
{
	escape(out, s, in_attr ? IN_ATTR | IN_PUBLIC : IN_PUBLIC);
}

size_t
xml_written_bytes(struct str s, bool in_attr)
{
	uint8_t where = in_attr ? IN_ATTR : IN_TEXT;
	size_t bytes = s.n;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((special[c] & where) != 0)
			bytes += byte_reference(c).n - 1;
	}
	return bytes;
}

static inline void
add(struct buf *out, struct str s)
{
	buf_add(out, s.p, s.n);
}

static void
quoted(struct buf *out, struct str value)
{
	add(out, STR("=\""));
	escape(out, value, IN_ATTR);
	add(out, STR("\""));
}

/* xml: is bound everywhere; any other namespace gets a prefix of its own. */
static void
write_foreign_attr(struct buf *out, const struct attr *at, unsigned i)
{
	if (str_is(at->ns, NS_XML)) {
		add(out, STR(" xml:"));
	} else {
		buf_printf(out, " xmlns:n%u", i);
		quoted(out, at->ns);
		buf_printf(out, " n%u:", i);
	}
	add(out, at->name);
	quoted(out, at->value);
}

static void
write_attrs(struct buf *out, const struct elem *e, bool with_to)
{
	unsigned prefixes = 0;

	for (const struct attr *at = e->attrs; at != NULL; at = at->next) {
		if (at->ns.p != NULL && at->ns.n != 0) {
			write_foreign_attr(out, at, prefixes++);
			continue;
		}
		if (!with_to && str_is(at->name, "to"))
			continue;
		add(out, STR(" "));
		add(out, at->name);
		quoted(out, at->value);
	}
}

/* The namespace of XML itself must not be made the default (Namespaces in XML
 * 1.0 §3): its elements are written with its prefix. */
static bool
needs_prefix(const struct elem *e)
{
	return e->ns.p != NULL && str_is(e->ns, NS_XML);
}

static void
write_name(struct buf *out, const struct elem *e)
{
	if (needs_prefix(e))
		add(out, STR("xml:"));
	add(out, e->name);
}

/* Everything behind the name of e.  Recursive: the parser bounds the depth of
 * what comes from outside. */
static void
write_rest(struct buf *out, const struct elem *e, struct str ns, bool with_to)
{
	if (ns.p == NULL)
		ns = STR("");
	if (!needs_prefix(e) && !str_eq(e->ns, ns)) {
		add(out, STR(" xmlns"));
		quoted(out, e->ns);
		ns = e->ns;
	}
	write_attrs(out, e, with_to);
	if (e->first == NULL) {
		add(out, STR("/>"));
		return;
	}
	add(out, STR(">"));
	elem_each(e, child)
		xml_write(out, child, ns);
	add(out, STR("</"));
	write_name(out, e);
	add(out, STR(">"));
}

void
xml_write(struct buf *out, const struct elem *e, struct str ns)
{
	if (elem_is_text(e)) {
		escape(out, e->text, IN_TEXT);
		return;
	}
	add(out, STR("<"));
	write_name(out, e);
	write_rest(out, e, ns, true);
}

size_t
xml_write_without_to(struct buf *out, const struct elem *e, struct str ns)
{
	size_t before = out->n, splice;

	add(out, STR("<"));
	write_name(out, e);
	splice = out->n - before;
	write_rest(out, e, ns, false);
	return splice;
}
