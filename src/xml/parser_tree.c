/*
 * parser_tree.c - what expat reports, made into trees.
 *
 * Called by expat, inside of XML_Parse.  Invariant: open[0 .. depth-2] are the
 * elements from depth 1 to the innermost, all in p->arena; everything in them
 * has been checked, and copied out of expat.
 */
#include "config.h"

#include <strings.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/names.h"
#include "xml/parser_int.h"

/* Expat has let wrong bytes through once: CVE-2022-25235 (hostile 6). */
static bool
utf8_ok(struct xml_parser *p, struct str s)
{
	if (str_is_ascii(s) || str_is_utf8(s))
		return true;
	parser_fail(p, XML_FAULT_NOT_WELL_FORMED, "not UTF-8");
	return false;
}

static bool
length_ok(struct xml_parser *p, size_t n)
{
	if (n <= p->limits->name_bytes)
		return true;
	parser_fail(p, XML_FAULT_TOO_BIG, "name too long");
	return false;
}

/* A copy of what is not known beforehand; STR_NONE after a failure. */
static struct str
unknown_keep(struct xml_parser *p, struct str s)
{
	if (!length_ok(p, s.n) || !utf8_ok(p, s))
		return STR_NONE;
	return arena_str(p->arena, s);
}

static struct str
ns_keep(struct xml_parser *p, struct str ns)
{
	struct str known;

	return names_find(ns, &known) ? known : unknown_keep(p, ns);
}

/*
 * One declaration can serve a thousand short names, but the writer makes one
 * wherever the namespace changes: 256 KiB became 192 MiB.  So what it will write
 * counts as if it had come that way.
 */
static struct str
ns_keep_changed(struct xml_parser *p, struct str ns)
{
	struct str kept = ns_keep(p, ns);

	if (!str_is(kept, NS_XML))
		p->ns_bytes += ns.n + sizeof(" xmlns=\"\"");
	if (p->ns_bytes > p->limits->stanza_bytes)
		parser_fail(p, XML_FAULT_TOO_BIG,
			"namespaces change too often");
	return kept;
}

/*
 * A second separator could only come out of a namespace, and would move the
 * border between the two (CVE-2022-25236); a colon would become a prefix when
 * the tree is written.  The names we know have neither.
 */
static struct str
local_keep(struct xml_parser *p, struct str local)
{
	struct str known;

	if (names_find(local, &known))
		return known;
	if (memchr(local.p, SEPARATOR, local.n) != NULL ||
		memchr(local.p, ':', local.n) != NULL) {
		parser_fail(p, XML_FAULT_NOT_WELL_FORMED, "malformed name");
		return STR_NONE;
	}
	return unknown_keep(p, local);
}

/* Splits what expat calls a name; *ns_out is absent when there is none. */
static struct str
name_split(const char *in, struct str *ns_out)
{
	struct str all = str_c(in), local;

	if (str_cut(all, SEPARATOR, ns_out, &local))
		return local;
	*ns_out = STR_NONE;
	return all;
}

static bool
attr_fill(struct xml_parser *p, struct attr *at, const char *name,
	const char *value)
{
	struct str ns, local = name_split(name, &ns), text = str_c(value);

	at->next = at + 1;
	at->ns = ns.p != NULL ? ns_keep_changed(p, ns) : STR_NONE;
	at->name = local_keep(p, local);
	at->value = text;
	return p->fault == XML_FAULT_NONE && utf8_ok(p, text);
}

/* The values of one element go into one piece of memory. */
static void
attr_keep_values(struct arena *a, struct attr *attrs, uint32_t n, size_t bytes)
{
	char *to = arena_alloc(a, bytes);

	for (uint32_t i = 0; i < n; i++) {
		struct str *value = &attrs[i].value;

		memcpy(to, value->p, value->n + 1);
		value->p = to;
		to += value->n + 1;
	}
	attrs[n - 1].next = NULL;
}

static bool
attrs_fill(struct xml_parser *p, struct elem *e, const char **atts)
{
	/* names and values alternate */
	uint32_t n = (uint32_t)XML_GetSpecifiedAttributeCount(p->expat) / 2;
	size_t bytes = 0;

	if (n > p->limits->attrs || p->decls > p->limits->attrs - n) {
		parser_fail(p, XML_FAULT_TOO_BIG, "too many attributes");
		return false;
	}
	if (n == 0)
		return true;
	e->attrs = arena_alloc(p->arena, n * sizeof(*e->attrs));
	for (uint32_t i = 0; i < n; i++) {
		if (!attr_fill(p, &e->attrs[i], atts[2 * i], atts[2 * i + 1]))
			return false;
		bytes += e->attrs[i].value.n + 1;
	}
	attr_keep_values(p->arena, e->attrs, n, bytes);
	return true;
}

/* NULL after a failure.  parent may be NULL. */
static struct elem *
elem_fill(struct xml_parser *p, const struct elem *parent, const char *name,
	const char **atts)
{
	struct elem *e = arena_alloc(p->arena, sizeof(*e));
	struct str ns, local = name_split(name, &ns);

	*e = (struct elem){ .ns = STR("") };
	if (parent != NULL && str_eq(parent->ns, ns.p != NULL ? ns : STR("")))
		e->ns = parent->ns;
	else if (ns.p != NULL)
		e->ns = ns_keep_changed(p, ns);
	e->name = local_keep(p, local);
	if (p->fault != XML_FAULT_NONE || !attrs_fill(p, e, atts))
		return NULL;
	return e;
}

static void
text_end(struct xml_parser *p)
{
	struct str text = buf_str(&p->text);

	if (text.n == 0)
		return;
	p->text.n = 0;
	if (utf8_ok(p, text))
		elem_add_text(p->arena, p->open.p[p->depth - 2], text);
}

static void
open_push(struct xml_parser *p, struct elem *e)
{
	p->open.n = p->depth - 1; /* those behind it have ended */
	*vec_push(&p->open) = e;
	p->depth++;
}

/* --- the root ------------------------------------------------------------- */

/* Only what was read so far is the header; the rest of the slice is not. */
static void
root_keep_header(struct xml_parser *p, size_t end)
{
	size_t start = (size_t)XML_GetCurrentByteIndex(p->expat);

	p->header.n = MIN(p->header.n, end);
	buf_consume(&p->header, MIN(start, p->header.n));
	/* an empty-element tag is reopened as a start tag */
	if (p->header.n > 2 && p->header.p[p->header.n - 2] == '/') {
		p->header.p[p->header.n - 2] = '>';
		p->header.n--;
	}
}

static void
root_start(struct xml_parser *p, const char *name, const char **atts)
{
	/* an empty-element tag ends where the event ends, too */
	size_t end = parser_event_end(p);
	struct elem *root;
	bool db;

	if (p->arena == NULL)
		p->arena = arena_new();
	if (end > p->limits->stanza_bytes) {
		parser_fail(p, XML_FAULT_TOO_BIG, "stream header too big");
		return;
	}
	root = elem_fill(p, NULL, name, atts);
	if (root == NULL)
		return;
	root_keep_header(p, end);
	db = parser_ns_has_dialback(p->content_ns);
	p->plain = p->decls == (db ? 3 : 2) && p->default_known &&
		p->stream_known && p->dialback_known == db &&
		elem_is(root, NS_STREAM, "stream");
	p->decls = 0;
	p->mark = end;
	p->depth = 1;
	if (p->events->opened(p->arg, root, p->content_ns) == XML_STOP) {
		p->stopped = true;
		parser_halt(p);
	}
	if (!p->plain)
		p->content_ns = STR_NONE;
	arena_free(p->arena);
	p->arena = NULL;
}

static void
root_end(struct xml_parser *p)
{
	p->depth = 0;
	if (p->stopped) {
		p->close_pending = true;
		return;
	}
	p->closed = true;
	if (p->events->closed(p->arg) == XML_STOP)
		p->stopped = true;
	parser_halt(p);
}

/* --- stanzas -------------------------------------------------------------- */

static void
stanza_start(struct xml_parser *p)
{
	p->mark = (size_t)XML_GetCurrentByteIndex(p->expat);
	p->blank_bytes = 0;
	p->elements = 0;
	p->ns_bytes = 0;
	if (!p->document)
		p->arena = arena_new();
}

static void
stanza_end(struct xml_parser *p)
{
	size_t end = parser_event_end(p);
	struct arena *a = p->arena;

	if (end - p->mark > p->limits->stanza_bytes) {
		parser_fail(p, XML_FAULT_TOO_BIG, "stanza too big");
		return;
	}
	p->mark = end;
	if (p->document || p->fault != XML_FAULT_NONE)
		return;
	p->arena = NULL;
	if (p->events->element(p->arg, a, p->open.p[0]) == XML_STOP)
		p->stopped = true;
	/* Where nothing lies behind it, expat has stopped by itself; to renew it
	 * would take 17000 instructions, and each login stops three times. */
	if ((p->stopped && end < p->fed) || end > RENEW_BYTES)
		parser_halt(p);
}

static bool
start_allowed(struct xml_parser *p)
{
	if (p->depth > p->limits->depth) {
		parser_fail(p, XML_FAULT_TOO_BIG, "nested too deeply");
		return false;
	}
	if (p->elements >= p->limits->elements) {
		parser_fail(p, XML_FAULT_TOO_BIG, "too many elements");
		return false;
	}
	return true;
}

/* --- handlers ------------------------------------------------------------- */

static void
on_start(void *arg, const char *name, const char **atts)
{
	struct xml_parser *p = arg;
	struct elem *e, *parent;

	if (p->halted)
		return;
	if (p->priming) {
		p->depth = 1;
		return;
	}
	if (p->depth == 0) {
		root_start(p, name, atts);
		return;
	}
	if (p->depth == 1)
		stanza_start(p);
	else
		text_end(p);
	if (!start_allowed(p))
		return;
	parent = p->depth > 1 ? p->open.p[p->depth - 2] : NULL;
	e = elem_fill(p, parent, name, atts);
	if (e == NULL)
		return;
	p->decls = 0;
	p->elements++;
	if (parent != NULL) {
		if (str_is(e->ns, NS_STREAM)) {
			parser_fail(p, XML_FAULT_NOT_WELL_FORMED,
				"stream element inside a stanza");
			return;
		}
		elem_append(parent, e);
	}
	open_push(p, e);
}

static void
on_end(void *arg, const char *name)
{
	struct xml_parser *p = arg;

	(void)name;
	if (p->fault != XML_FAULT_NONE)
		return;
	/* expat ends an empty-element root even when opened() stopped it */
	if (p->depth == 1) {
		root_end(p);
		return;
	}
	text_end(p);
	p->depth--;
	if (p->depth == 1)
		stanza_end(p);
}

static void
on_text(void *arg, const char *s, int n)
{
	struct xml_parser *p = arg;

	if (p->halted)
		return;
	if (p->depth != 1) {
		buf_add(&p->text, s, (size_t)n);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (memchr(" \t\r\n", s[i], 4) == NULL) {
			parser_fail(p, XML_FAULT_NOT_WELL_FORMED,
				"text between stanzas");
			return;
		}
	}
	p->mark = parser_event_end(p);
	p->blank_bytes += p->mark -
		(size_t)XML_GetCurrentByteIndex(p->expat);
	if (p->blank_bytes > p->limits->stanza_bytes)
		parser_fail(p, XML_FAULT_TOO_BIG, "too much white space");
}

/* What the header declares; called before on_start. */
static void
root_namespace(struct xml_parser *p, struct str prefix, struct str ns)
{
	struct str known;

	if (p->arena == NULL)
		p->arena = arena_new();
	if (prefix.n == 0) {
		p->content_ns = ns_keep(p, ns);
		/* only static names outlive the header */
		p->default_known = names_find(ns, &known) &&
			!str_is(ns, NS_STREAM);
	} else if (str_is(prefix, "stream")) {
		p->stream_known = str_is(ns, NS_STREAM);
	} else if (str_is(prefix, "db")) {
		p->dialback_known = str_is(ns, NS_DIALBACK);
	}
}

static void
on_namespace(void *arg, const char *prefix, const char *uri)
{
	struct xml_parser *p = arg;
	struct str pre = prefix != NULL ? str_c(prefix) : STR("");
	struct str ns = uri != NULL ? str_c(uri) : STR("");

	if (p->halted || p->priming)
		return;
	if (++p->decls > p->limits->attrs) {
		parser_fail(p, XML_FAULT_TOO_BIG, "too many attributes");
		return;
	}
	if (!length_ok(p, pre.n) || !length_ok(p, ns.n))
		return;
	if (p->depth == 0)
		root_namespace(p, pre, ns);
}

static void
on_declaration(void *arg, const char *version, const char *encoding,
	int standalone)
{
	(void)version;
	(void)standalone;
	if (encoding != NULL && strcasecmp(encoding, "UTF-8") != 0)
		parser_fail(arg, XML_FAULT_ENCODING,
			"an encoding other than UTF-8");
}

static void
on_comment(void *arg, const char *text)
{
	(void)text;
	parser_fail(arg, XML_FAULT_RESTRICTED, "comment");
}

static void
on_instruction(void *arg, const char *target, const char *data)
{
	(void)target;
	(void)data;
	parser_fail(arg, XML_FAULT_RESTRICTED, "processing instruction");
}

static void
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
	int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	parser_fail(arg, XML_FAULT_RESTRICTED, "document type");
}

void
parser_handlers(struct xml_parser *p)
{
	XML_SetUserData(p->expat, p);
	XML_SetElementHandler(p->expat, on_start, on_end);
	XML_SetCharacterDataHandler(p->expat, on_text);
	XML_SetStartNamespaceDeclHandler(p->expat, on_namespace);
	XML_SetXmlDeclHandler(p->expat, on_declaration);
	XML_SetCommentHandler(p->expat, on_comment);
	XML_SetProcessingInstructionHandler(p->expat, on_instruction);
	XML_SetStartDoctypeDeclHandler(p->expat, on_doctype);
}
