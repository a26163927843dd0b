/*
 * test_parser_faults.c - what the parser refuses, on streams and documents.
 */
#include "config.h"

#include "test.h"

#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "xml/parser.h"
#include "tree.h"

#define STREAMS "http://etherx.jabber.org/streams"
#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:client' xmlns:stream='" STREAMS "'>"

static const struct xml_limits limits = {
	.stanza_bytes = 200,
	.depth = 4,
	.elements = 6,
	.attrs = 3,
	.name_bytes = 40,
};

/* As many as anybody sends; for what is about something else. */
static const struct xml_limits wide = {
	.stanza_bytes = 1 << 20,
	.depth = 100,
	.elements = 10000,
	.attrs = 100,
	.name_bytes = 1000,
};

static enum xml_verdict
on_opened(void *arg, const struct elem *root, struct str content_ns)
{
	(void)arg;
	(void)root;
	(void)content_ns;
	return XML_GO_ON;
}

/* arg counts the stanzas. */
static enum xml_verdict
on_element(void *arg, struct arena *a, struct elem *e)
{
	int *n = arg;

	(void)e;
	arena_free(a);
	(*n)++;
	return XML_GO_ON;
}

static enum xml_verdict
on_closed(void *arg)
{
	(void)arg;
	return XML_GO_ON;
}

static const struct xml_events events = { on_opened, on_element, on_closed };

/* The fault after all of in, fed in pieces of cut bytes. */
static enum xml_fault
read_stream(struct str in, size_t cut, const struct xml_limits *max, int *n_out)
{
	struct xml_pool *pool = xml_pool_new();
	struct xml_parser *p;
	enum xml_fault fault = XML_FAULT_NONE;
	size_t used;

	*n_out = 0;
	p = xml_parser_get(pool, max, &events, n_out);
	for (size_t at = 0; at < in.n && fault == XML_FAULT_NONE; at += cut)
		fault = xml_parser_feed(p, in.p + at, MIN(cut, in.n - at),
			&used);
	if (fault != XML_FAULT_NONE) {
		CHECK(xml_parser_reason(p)[0] != '\0');
		/* it stays so, and cannot be taken up by another */
		CHECK_INT(xml_parser_feed(p, "<a/>", 4, &used), fault);
		CHECK(!xml_parser_can_rest(p));
	}
	xml_parser_put(pool, p);
	xml_pool_free(pool);
	return fault;
}

static const struct {
	const char *in;
	enum xml_fault fault;
} fault_cases[] = {
	/* hostile 1: before the root, and in every place inside */
	{ "<!DOCTYPE a", XML_FAULT_RESTRICTED },
	{ "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>",
		XML_FAULT_RESTRICTED },
	{ "<!-- -->", XML_FAULT_RESTRICTED },
	{ "<!--", XML_FAULT_RESTRICTED },
	{ "<?php ", XML_FAULT_NONE },
	{ "<?php ?>", XML_FAULT_RESTRICTED },
	{ " <?xml version='1.0'?>", XML_FAULT_RESTRICTED },
	{ "<?xml version='1.0'?><?x?>", XML_FAULT_RESTRICTED },
	{ HEADER "<!--", XML_FAULT_RESTRICTED },
	{ HEADER "<!-- x -->", XML_FAULT_RESTRICTED },
	{ HEADER "<a><!-- x --></a>", XML_FAULT_RESTRICTED },
	{ HEADER "<?x?>", XML_FAULT_RESTRICTED },
	{ HEADER "<a>x<?x", XML_FAULT_RESTRICTED },
	{ HEADER "<?xml version='1.0'?>", XML_FAULT_RESTRICTED },
	{ HEADER "<a>&b;</a>", XML_FAULT_RESTRICTED },
	{ HEADER "<a b='&c;'/>", XML_FAULT_RESTRICTED },
	{ HEADER "<!DOCTYPE a>", XML_FAULT_RESTRICTED },

	{ "<?xml version='1.0' encoding='ISO-8859-1'?>", XML_FAULT_ENCODING },
	{ "<?xml version='1.0' encoding='UTF-16'?>", XML_FAULT_ENCODING },
	{ "<?xml version='1.0' encoding='utf-8'?>", XML_FAULT_NONE },
	{ "\xEF\xBB\xBF<?xml version='1.0'?>" HEADER, XML_FAULT_NONE },
	{ "\xFF\xFE<", XML_FAULT_ENCODING },
	{ "\xFE\xFF", XML_FAULT_ENCODING },

	{ "GET / HTTP/1.1", XML_FAULT_NOT_WELL_FORMED },
	{ "\x16\x03\x01", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "</x>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a></b>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a b='1' b='2'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a b=1/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a b='<'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a <", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>]]></a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>&#0;</a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>\x01</a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>&#00000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "text", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a/>text", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "&lt;", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<![CDATA[x]]>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "</stream:stream>x", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "</stream:stream><a/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "</stream:stream>" HEADER, XML_FAULT_NOT_WELL_FORMED },

	/* hostile 6: bytes that are not UTF-8, and separators in names */
	{ HEADER "<a>\xC3(</a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>\xC0\x80</a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a>\xED\xA0\x80</a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a b='\xFF'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a b='\xF5\x80\x80\x80'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<\xC3( />", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a\xE2\x80/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns='urn:\xFFx'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:b='urn:\xFFx'><b:c/></a>",
		XML_FAULT_NOT_WELL_FORMED },

	/* hostile 7 */
	{ HEADER "<a><stream:stream/></a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a><b><stream:error/></b></a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a><b xmlns='" STREAMS "'/></a>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<stream:features><stream:x/></stream:features>",
		XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<stream:features><a/></stream:features>", XML_FAULT_NONE },
	{ HEADER "<x:a/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a x:b='1'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<x:a:b xmlns:x='urn:x'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<:a/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:x=''/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:xml='urn:x'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:xmlns='urn:x'/>", XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
		XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:x='urn:x' xmlns:y='urn:x' x:b='1' y:b='2'/>",
		XML_FAULT_NOT_WELL_FORMED },
	{ HEADER "<a xmlns:x='jabber:client'><b x:c='1' d='2'/></a>",
		XML_FAULT_NONE },
};

TEST(what_xmpp_forbids_is_refused_with_its_own_fault)
{
	for (size_t i = 0; i < COUNT(fault_cases); i++) {
		struct str in = str_c(fault_cases[i].in);
		int n;

		TEST_CASE(fault_cases[i].in);
		for (size_t cut = 1; cut <= in.n; cut++)
			CHECK_INT(read_stream(in, cut, &limits, &n),
				fault_cases[i].fault);
	}
}

TEST(a_zero_byte_is_refused_wherever_it_stands)
{
	static const char in[] = HEADER "<a b='c'>d</a> ";
	int n;

	for (size_t at = 0; at < sizeof(in) - 1; at++) {
		char copy[sizeof(in)];

		memcpy(copy, in, sizeof(in));
		copy[at] = '\0';
		/* a tag that does not end would not be looked at */
		if (memchr(in + at, '>', sizeof(in) - at) == NULL)
			break;
		CHECK_INT(read_stream((struct str){ copy, sizeof(in) - 1 },
			sizeof(in), &wide, &n), at < 2 ? XML_FAULT_ENCODING :
			XML_FAULT_NOT_WELL_FORMED);
	}
}

/* --- limits --------------------------------------------------------------- */

/* open, n times each, close. */
static struct str
repeat(struct buf *out, const char *open, const char *each, size_t n,
	const char *close)
{
	out->n = 0;
	buf_add_c(out, open);
	for (size_t i = 0; i < n; i++) {
		const char *at = strchr(each, '#');

		if (at == NULL) {
			buf_add_c(out, each);
			continue;
		}
		buf_add(out, each, (size_t)(at - each));
		buf_printf(out, "%zu%s", i, at + 1);
	}
	buf_add_c(out, close);
	return buf_str(out);
}

/* max is how many still pass. */
static const struct {
	const char *what, *open, *each, *close;
	size_t max;
	uint32_t stanza_bytes; /* 0: as in limits */
} limit_cases[] = {
	{ "text", HEADER "<a>", "x", "</a>", 193, 0 },
	{ "text, unfinished", HEADER "<a>", "x", "", 197, 0 },
	{ "attribute", HEADER "<a b='", "x", "'/>", 191, 0 },
	{ "attribute, unfinished", HEADER "<a b='", "x", "", 194, 0 },
	{ "attribute with >", HEADER "<a b='", ">", "", 194, 0 },
	{ "end tag, unfinished", HEADER "<a></a", " ", "", 194, 0 },
	{ "stanzas", HEADER, "<a>xxxxxxxxxxxxxxxxxxxxx</a>", "", 5000, 0 },
	{ "white space", HEADER "<a/>", " ", "<a/>", 200, 0 },
	{ "white space, then a large stanza", HEADER "<a/>", " ",
		"<a b='xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"'/>", 200, 0 },
	{ "white space before the root", "", " ", HEADER,
		200 - sizeof(HEADER) + 1, 0 },
	{ "white space after the root", HEADER "</stream:stream>", " ", "",
		200, 0 },
	{ "header", "<s a='", "x", "'>", 192, 0 },
	{ "depth", HEADER, "<a>", "", 4, 0 },
	{ "elements", HEADER "<a>", "<b/>", "</a>", 5, 0 },
	{ "elements in depth", HEADER "<a>", "<b><c/></b>", "</a>", 2, 0 },
	{ "attributes", HEADER "<a ", "a#='' ", "/>", 3, 0 },
	{ "declarations", HEADER "<a ", "xmlns:a#='urn:x' ", "/>", 3, 0 },
	{ "attributes and a declaration", HEADER "<a xmlns='urn:x' ",
		"a#='' ", "/>", 2, 0 },
	{ "attributes of the root", "<s ", "a#='' ", ">", 3, 0 },
	{ "element name", HEADER "<", "a", "/>", 40, 0 },
	{ "attribute name", HEADER "<a ", "a", "=''/>", 40, 0 },
	{ "namespace", HEADER "<a xmlns='", "a", "'/>", 40, 0 },
	{ "namespace of a prefix", HEADER "<a xmlns:b='", "a", "'/>", 40, 0 },
	{ "prefix", HEADER "<a xmlns:", "b", "='urn:x'/>", 40, 0 },
	/* 40 and 10 bytes for each, and 23 for the outer one */
	{ "namespaces that elements change",
		HEADER "<a xmlns:p='urn:1234567890:1234567890:12345678901234'>",
		"<p:b/>", "</a>", 4, 250 },
	{ "namespaces of attributes",
		HEADER "<a xmlns:p='urn:1234567890:1234567890:12345678901234'>",
		"<b p:c=''/>", "</a>", 4, 250 },
	/* larger than what expat gets at once */
	{ "large text", HEADER "<a>", "x", "</a>", 29993, 30000 },
	{ "large attribute", HEADER "<a b='", ">", "'/>", 29991, 30000 },
};

TEST(each_limit_is_the_largest_that_passes)
{
	static const size_t cuts[] = { 1, 7, 100, 100000 };

	for (size_t i = 0; i < 2 * COUNT(limit_cases); i++) {
		struct xml_limits max = limits;
		struct buf in = BUF_INIT;
		bool over = i % 2 == 1;
		size_t row = i / 2;
		int n;

		TEST_CASE(limit_cases[row].what);
		if (limit_cases[row].stanza_bytes != 0)
			max.stanza_bytes = limit_cases[row].stanza_bytes;
		repeat(&in, limit_cases[row].open, limit_cases[row].each,
			limit_cases[row].max + over, limit_cases[row].close);
		/* any number of stanzas passes */
		if (over && strcmp(limit_cases[row].what, "stanzas") == 0)
			over = false;
		for (size_t c = 0; c < COUNT(cuts); c++)
			CHECK_INT(read_stream(buf_str(&in), cuts[c], &max, &n),
				over ? XML_FAULT_TOO_BIG : XML_FAULT_NONE);
		buf_done(&in);
	}
}

/* --- hostile 8 ------------------------------------------------------------ */

TEST(hostile_08_a_large_attribute_in_pieces_is_handled_at_once)
{
	struct buf in = BUF_INIT;

	repeat(&in, HEADER "<a b='", "x", 20000, "'/>");
	for (size_t cut = 100; cut <= 6400; cut *= 2) {
		int n;

		CHECK_INT(read_stream(buf_str(&in), cut, &wide, &n),
			XML_FAULT_NONE);
		CHECK_INT(n, 1);
	}
	buf_done(&in);
}

static const struct {
	const char *open, *each, *close;
} drip_cases[] = {
	{ HEADER "<a b='", "x", "'/>" },
	{ HEADER "<a b='", ">", "'/>" },
	{ HEADER "<a b='", "\"", "'/>" },
	{ HEADER "<a ", " ", "/>" },
	{ HEADER "<a></a", " ", ">" },
	{ HEADER "<a>", "]", "</a>" },
	{ HEADER "<a><![CDATA[", ">", "]]></a>" },
	{ "", " ", HEADER "<a/>" },
	{ "<s a='", ">", "'><a/>" },
};

TEST(hostile_08_a_large_token_byte_by_byte_takes_linear_time)
{
	for (size_t i = 0; i < COUNT(drip_cases); i++) {
		struct buf in = BUF_INIT;
		clock_t from = clock();
		int n;

		TEST_CASE(drip_cases[i].each);
		repeat(&in, drip_cases[i].open, drip_cases[i].each, 500000,
			drip_cases[i].close);
		CHECK_INT(read_stream(buf_str(&in), 1, &wide, &n),
			XML_FAULT_NONE);
		CHECK_INT(n, 1);
		/* 0.03 s here; minutes if it were quadratic */
		CHECK((clock() - from) / CLOCKS_PER_SEC < 10);
		buf_done(&in);
	}
}

/* --- documents ------------------------------------------------------------ */

static const struct {
	const char *in, *dump; /* NULL: refused */
	enum err_code code;
} document_cases[] = {
	{ "<a/>", "a()", ERR_NONE },
	{ " <?xml version='1.0'?><a/>", NULL, ERR_INVALID },
	{ "<?xml version='1.0' encoding='UTF-8'?>\n<a>x</a>\n", "a(\"x\")",
		ERR_NONE },
	{ "<a xmlns='urn:x'><b c='d'/>e</a>",
		"{urn:x}a({urn:x}b @c='d'()\"e\")", ERR_NONE },
	{ "", NULL, ERR_INVALID },
	{ " ", NULL, ERR_INVALID },
	{ "<a>", NULL, ERR_INVALID },
	{ "<a", NULL, ERR_INVALID },
	{ "<a b='", NULL, ERR_INVALID },
	{ "<a/><b/>", NULL, ERR_INVALID },
	{ "<a/>x", NULL, ERR_INVALID },
	{ "<a/><", NULL, ERR_INVALID },
	{ "x<a/>", NULL, ERR_INVALID },
	{ "<a/><!-- -->", NULL, ERR_INVALID },
	{ "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", NULL, ERR_INVALID },
	{ "<?xml version='1.0' encoding='latin1'?><a/>", NULL, ERR_INVALID },
	{ "\xFF\xFE<\0", NULL, ERR_INVALID },
	{ "<a><b><c><d/></c></b></a>", "a(b(c(d())))", ERR_NONE },
	{ "<a><b><c><d><e/></d></c></b></a>", NULL, ERR_LIMIT },
	{ "<a><b/><b/><b/><b/><b/><b/></a>", NULL, ERR_LIMIT },
};

TEST(a_document_is_one_element_and_nothing_else)
{
	for (size_t i = 0; i < COUNT(document_cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct buf out = BUF_INIT;
		struct elem *e;

		TEST_CASE(document_cases[i].in);
		e = xml_parse(a, str_c(document_cases[i].in), &limits, &err);
		CHECK_INT(err.code, document_cases[i].code);
		CHECK_INT(e == NULL, document_cases[i].dump == NULL);
		if (e != NULL) {
			tree_dump(&out, e);
			CHECK_CSTR(buf_c(&out), document_cases[i].dump);
		}
		buf_done(&out);
		arena_free(a);
	}
}

TEST(a_document_is_refused_when_it_is_too_big)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct buf in = BUF_INIT;

	CHECK(xml_parse(a, repeat(&in, "<a>", "x", 193, "</a>"), &limits,
		&err) != NULL);
	CHECK(xml_parse(a, repeat(&in, "<a>", "x", 194, "</a>"), &limits,
		&err) == NULL);
	CHECK_INT(err.code, ERR_LIMIT);
	CHECK(xml_parse(a, repeat(&in, "<a>", "<b c='>'/>\n", 9000, "</a>"),
		&wide, &err) != NULL);
	buf_done(&in);
	arena_free(a);
}

TEST(the_error_of_a_document_names_the_line)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;

	CHECK(xml_parse(a, STR("<a>\n<b>\n</c></a>"), &limits, &err) == NULL);
	CHECK_CSTR(err.text, "XML: line 3: mismatched tag");
	arena_free(a);
}

TEST_MAIN
