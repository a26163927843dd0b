/*
 * parser.c - bytes in: slices, limits, stopping and going on.
 *
 * Called by the owner of the stream, on its thread.  Invariant: expat has seen
 * nothing behind the byte where an event stopped us; to make that sure, expat
 * is stopped for good where more lies behind, and renewed up to depth 1 before
 * the next byte.
 */
#include "config.h"

#include "xml/parser_int.h"

#include "base/err.h"
#include "base/mem.h"

/* What can be unfinished without being a tag: a character reference, the start
 * of a CDATA section, a letter of several bytes. */
#define UNFINISHED_MAX 64

/* --- for the other files -------------------------------------------------- */

size_t
parser_event_end(const struct xml_parser *p)
{
	return (size_t)XML_GetCurrentByteIndex(p->expat) +
		(size_t)XML_GetCurrentByteCount(p->expat);
}

void
parser_halt(struct xml_parser *p)
{
	if (p->halted)
		return;
	p->halted = true;
	p->halt_at = parser_event_end(p);
	XML_StopParser(p->expat, XML_FALSE);
}

void
parser_fail(struct xml_parser *p, enum xml_fault fault, const char *reason)
{
	if (p->fault == XML_FAULT_NONE) {
		p->fault = fault;
		p->reason = reason;
	}
	parser_halt(p);
}

/* Expat stops behind "<!" when no comment or CDATA section follows there. */
static bool
is_misplaced_declaration(struct xml_parser *p, const char *data, size_t n)
{
	size_t at = (size_t)XML_GetCurrentByteIndex(p->expat) - (p->fed - n);

	return at >= 2 && at < n && memcmp(data + at - 2, "<!", 2) == 0;
}

/* data: the n bytes that expat read last. */
static void
fail_as_expat(struct xml_parser *p, const char *data, size_t n)
{
	enum XML_Error code = XML_GetErrorCode(p->expat);
	enum xml_fault fault = XML_FAULT_NOT_WELL_FORMED;

	/* RFC 6120 §11.1: declarations, references to entities, instructions */
	if (code == XML_ERROR_UNDEFINED_ENTITY ||
		code == XML_ERROR_MISPLACED_XML_PI ||
		is_misplaced_declaration(p, data, n))
		fault = XML_FAULT_RESTRICTED;
	else if (code == XML_ERROR_UNKNOWN_ENCODING ||
		code == XML_ERROR_INCORRECT_ENCODING)
		fault = XML_FAULT_ENCODING;
	parser_fail(p, fault, XML_ErrorString(code));
}

static void
expat_read(struct xml_parser *p, const char *data, size_t n)
{
	p->fed += n;
	if (XML_Parse(p->expat, data, (int)n, XML_FALSE) == XML_STATUS_ERROR &&
		!p->halted)
		fail_as_expat(p, data, n);
}

void
parser_prime(struct xml_parser *p)
{
	p->priming = true;
	expat_read(p, p->header.p, p->header.n);
	p->priming = false;
	p->mark = p->fed;
}

void
parser_setup(struct xml_parser *p)
{
	parser_handlers(p);
	XML_SetHashSalt(p->expat, p->salt);
#ifdef HAVE_XML_SETREPARSEDEFERRALENABLED
	/* a complete stanza is reported at once; see parser_lex.c */
	XML_SetReparseDeferralEnabled(p->expat, XML_FALSE);
#endif
}

static void
parser_renew(struct xml_parser *p)
{
	XML_ParserReset(p->expat, "UTF-8");
	parser_setup(p);
	p->halted = false;
	p->fed = 0;
	parser_prime(p);
}

/* --- slices --------------------------------------------------------------- */

/* Bytes since the last thing that was complete. */
static size_t
pending(const struct xml_parser *p)
{
	return p->halted ? 0 : p->fed + p->held.n - p->mark;
}

/* Expat would take these for the beginning of UTF-16, whatever it is told. */
static bool
first_bytes_ok(struct xml_parser *p, const char *data, size_t n)
{
	for (size_t i = 0; i < n && p->fed + p->held.n + i < 2; i++) {
		if (memchr("\x00\xFE\xFF", data[i], 3) != NULL) {
			parser_fail(p, XML_FAULT_ENCODING,
				"an encoding other than UTF-8");
			return false;
		}
	}
	return true;
}

/* What expat has taken, but cannot use yet. */
static void
slice_left_over(struct xml_parser *p, const char *data, size_t before)
{
	size_t at = (size_t)XML_GetCurrentByteIndex(p->expat);
	size_t left = p->fed - at;

	p->widest = MAX(p->widest, left);
	if (left == 0)
		return;
	if (at >= before)
		parser_lex_begin(p, data + (at - before), left);
	if (p->lex == LEX_NONE && left > UNFINISHED_MAX && p->depth != 0)
		parser_fail(p, XML_FAULT_NOT_WELL_FORMED,
			"unfinished reference");
}

/* How many of n bytes were read. */
static size_t
slice_read(struct xml_parser *p, const char *data, size_t n)
{
	size_t before;

	if (!first_bytes_ok(p, data, n))
		return n;
	if (p->depth == 0) {
		buf_add(&p->header, data, n);
		parser_check_prolog(p, n);
	}
	if (p->lex != LEX_NONE && !parser_lex_more(p, data, n)) {
		buf_add(&p->held, data, n);
		p->widest = MAX(p->widest, p->held.n);
		return n;
	}
	if (p->held.n != 0 && !p->halted) {
		expat_read(p, p->held.p, p->held.n);
		p->held.n = 0;
	}
	if (p->halted)
		return n;
	before = p->fed;
	expat_read(p, data, n);
	if (p->halted)
		return p->halt_at - before;
	slice_left_over(p, data, before);
	return n;
}

/* Behind the root's end. */
static size_t
slice_after_end(struct xml_parser *p, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (memchr(" \t\r\n", data[i], 4) == NULL)
			parser_fail(p, XML_FAULT_NOT_WELL_FORMED,
				"bytes behind the end of the stream");
	}
	p->blank_bytes += n;
	if (p->blank_bytes > p->limits->stanza_bytes)
		parser_fail(p, XML_FAULT_TOO_BIG, "too much white space");
	return n;
}

/* A slice ends at most one byte behind the limit, so that no more than that is
 * ever read of what is too big. */
static size_t
slice_feed(struct xml_parser *p, const char *data, size_t n)
{
	size_t max = p->limits->stanza_bytes, used, have;

	n = MIN(n, SLICE_BYTES);
	if (p->closed)
		return slice_after_end(p, data, n);
	if (p->halted)
		parser_renew(p);
	have = pending(p);
	n = MIN(n, have < max ? max - have + 1 : 1);
	used = slice_read(p, data, n);
	if (pending(p) > max)
		parser_fail(p, XML_FAULT_TOO_BIG, "stanza too big");
	return used;
}

/* --- the interface -------------------------------------------------------- */

enum xml_fault
xml_parser_feed(struct xml_parser *p, const char *data, size_t n,
	size_t *used_out)
{
	size_t used = 0;

	p->stopped = false;
	if (p->close_pending) {
		p->close_pending = false;
		p->closed = true;
		p->stopped = p->events->closed(p->arg) == XML_STOP;
	}
	while (used < n && !p->stopped && p->fault == XML_FAULT_NONE)
		used += slice_feed(p, data + used, n - used);
	*used_out = p->fault == XML_FAULT_NONE ? used : n;
	return p->fault;
}

const char *
xml_parser_reason(const struct xml_parser *p)
{
	return p->reason != NULL ? p->reason : "no fault";
}

bool
xml_parser_can_rest(const struct xml_parser *p)
{
	return p->fault == XML_FAULT_NONE && p->plain && p->depth == 1 &&
		!p->document && pending(p) == 0;
}

size_t
xml_parser_bytes(const struct xml_parser *p)
{
	return p->held.cap + p->text.cap;
}

/* --- documents ------------------------------------------------------------ */

static void
document_read(struct xml_parser *p, struct str text)
{
	size_t used;

	xml_parser_feed(p, text.p, text.n, &used);
	if (p->lex != LEX_NONE)
		parser_fail(p, XML_FAULT_NOT_WELL_FORMED, "unfinished tag");
	if (!p->halted && XML_Parse(p->expat, "", 0, XML_TRUE) ==
		XML_STATUS_ERROR && !p->halted)
		fail_as_expat(p, "", 0);
}

struct elem *
xml_parse(struct arena *a, struct str text, const struct xml_limits *limits,
	struct err *err)
{
	struct xml_parser *p;
	struct elem *root = NULL;

	if (text.n > limits->stanza_bytes) {
		err_set(err, ERR_LIMIT, "XML: %zu bytes, more than %u", text.n,
			limits->stanza_bytes);
		return NULL;
	}
	p = parser_new(false);
	p->limits = limits;
	p->document = true;
	p->depth = 1;
	p->arena = a;
	document_read(p, text);
	if (p->fault == XML_FAULT_NONE)
		root = p->open.p[0];
	else
		err_set(err, p->fault == XML_FAULT_TOO_BIG ? ERR_LIMIT :
			ERR_INVALID, "XML: line %lu: %s",
			XML_GetCurrentLineNumber(p->expat), p->reason);
	p->arena = NULL; /* the caller's */
	parser_free(p);
	return root;
}
