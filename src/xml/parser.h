/*
 * parser.h - the only constructor of XML parsers in the program (expat): every
 * byte of XML from outside, and every stored value, comes through here.
 *
 * One owner.  No DTD, no entities but the five, no comments, no processing
 * instructions (RFC 6120 §11.1); limits on everything that a peer can make
 * grow.  Our own checks reject what expat has let through in the past: bytes
 * that are not UTF-8, and the separator byte inside names (hostile 6).
 */
#ifndef XML_PARSER_H
#define XML_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct elem;
struct err;

/* All are upper bounds, and all must be set. */
struct xml_limits {
	/* from the first byte of a depth-1 element to its last; also of white
	 * space between two, and of the stream header; and of the namespaces
	 * that are written with an element, so that what is written of it is
	 * never more than twelve times as much */
	uint32_t stanza_bytes;
	uint32_t depth;        /* below the stream's root */
	uint32_t elements;     /* in one stanza */
	uint32_t attrs;        /* of one element, with namespace declarations */
	/* of one element or attribute name, prefix, or namespace name */
	uint32_t name_bytes;
};

/* Why a parser stopped for good. */
enum xml_fault {
	XML_FAULT_NONE,
	XML_FAULT_NOT_WELL_FORMED, /* <not-well-formed/>, RFC 6120 §4.9.3.13 */
	XML_FAULT_RESTRICTED,      /* <restricted-xml/>, §4.9.3.18 */
	XML_FAULT_ENCODING,        /* <unsupported-encoding/>, §4.9.3.22 */
	XML_FAULT_TOO_BIG,         /* a limit: <policy-violation/>, §4.9.3.14 */
};

enum xml_verdict {
	XML_GO_ON,
	XML_STOP, /* hold before the next byte: xml_parser_feed returns */
};

/* What happens at the edge of a stream.  arg is the owner of the parser, who
 * must not free the parser in here. */
struct xml_events {
	/* The root's start tag.  root (borrowed) has its name and attributes,
	 * no children; content_ns is the default namespace that it declares. */
	enum xml_verdict (*opened)(void *arg, const struct elem *root,
		struct str content_ns);
	/* A whole element at depth 1: e in the arena of a, which is taken. */
	enum xml_verdict (*element)(void *arg, struct arena *a, struct elem *e);
	/* The root's end tag. */
	enum xml_verdict (*closed)(void *arg);
};

struct xml_parser;

/* --- pool: one for each shard, owner's thread ---------------------------- */

struct xml_pool;
struct xml_pool *xml_pool_new(void);
void xml_pool_free(struct xml_pool *pool);
/* Gives back the parsers that wait. */
void xml_pool_trim(struct xml_pool *pool);

/* A parser before its first byte.  limits and events are borrowed until it is
 * given back. */
struct xml_parser *xml_parser_get(struct xml_pool *pool,
	const struct xml_limits *limits, const struct xml_events *events,
	void *arg);
/* A parser as if it had read a stream header that declares content_ns as the
 * default namespace, and only "stream" besides, and "db" for jabber:server;
 * opened() is not called. */
struct xml_parser *xml_parser_get_primed(struct xml_pool *pool,
	struct str content_ns, const struct xml_limits *limits,
	const struct xml_events *events, void *arg);
/* p, which its owner may have taken to another thread, is held to limits (as
 * above) from here on, and goes back to the pool there. */
void xml_parser_limit(struct xml_parser *p, const struct xml_limits *limits);
/* Gives p back, whatever state it is in; NULL does nothing. */
void xml_parser_put(struct xml_pool *pool, struct xml_parser *p);

/* --- owner's thread ------------------------------------------------------ */

/*
 * Reads n bytes.  *used_out is how many were read: fewer than n only after an
 * event answered XML_STOP, and then the rest is for whoever comes next.  A
 * complete stanza is reported by the call that brings its last byte
 * (hostile 8).  Returns XML_FAULT_NONE, or why the parser has stopped for good.
 */
enum xml_fault xml_parser_feed(struct xml_parser *p, const char *data, size_t n,
	size_t *used_out);
/* What p holds of an unfinished stanza beside its arena. */
size_t xml_parser_bytes(const struct xml_parser *p);
/* A text for the log about the last fault; static or borrowed from p. */
const char *xml_parser_reason(const struct xml_parser *p);
/* Nothing is pending, and the header declared nothing that a primed parser
 * would not know: p can be given back until more bytes come. */
bool xml_parser_can_rest(const struct xml_parser *p);

/* --- any thread ---------------------------------------------------------- */

/* One whole document, such as a stored value; the tree is in the arena of a.
 * NULL with err when it is not well-formed or breaks a limit. */
struct elem *xml_parse(struct arena *a, struct str text,
	const struct xml_limits *limits, struct err *err);

#endif
