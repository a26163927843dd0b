/*
 * parser_int.h - the parser's inside, shared by the parser_*.c files only.
 *
 * parser.c       bytes in: slices, limits, stopping and going on
 * parser_lex.c   how far an unfinished token has come
 * parser_tree.c  what expat reports, made into trees
 * parser_pool.c  parsers that wait for a stream
 */
#ifndef XML_PARSER_INT_H
#define XML_PARSER_INT_H

#include <expat.h>

#include "base/buf.h"
#include "base/vec.h"
#include "xml/elem.h"
#include "xml/parser.h"

/* Between namespace and name in what expat reports.  0xFF is in no UTF-8. */
#define SEPARATOR '\xFF'

/* What expat gets at once: its buffer grows to about the double. */
#define SLICE_BYTES 8192

/*
 * Expat keeps every name that it ever saw until it is reset, so it is renewed
 * after this many bytes (hostile 3).  It costs 2 us.
 */
#define RENEW_BYTES 65536

enum lex {
	LEX_NONE,      /* whatever comes, expat can use it */
	LEX_LESS,      /* behind "<" */
	LEX_LESS_BANG, /* behind "<!" */
	LEX_TAG,
	LEX_TAG_SINGLE, /* in a tag, between '...' */
	LEX_TAG_DOUBLE,
};

struct xml_parser {
	struct xml_parser *next; /* in the pool */
	XML_Parser expat;
	unsigned long salt;

	const struct xml_limits *limits;
	const struct xml_events *events;
	void *arg;

	/* positions, counted from where expat was last reset */
	size_t fed;      /* handed to expat */
	size_t mark;     /* where the current element or white space began */
	size_t halt_at;  /* where an event stopped us */
	size_t prolog_at; /* how far the prolog has been checked, in header */
	size_t blank_bytes; /* white space since the last stanza */
	size_t widest;   /* the longest token held, since we were new */

	enum xml_fault fault;
	const char *reason;

	bool counted;        /* what expat takes for it */
	bool document;       /* one whole document, not a stream */
	bool priming;        /* reading a header that was reported before */
	bool plain;          /* the header declared only what primed ones do */
	bool root_begun;     /* the prolog is over */
	bool halted;         /* expat is stopped, and to be renewed */
	bool stopped;        /* an event answered XML_STOP */
	bool close_pending;  /* the root ended, but closed() was not called */
	bool closed;
	bool default_known;  /* while the header is read: declarations seen */
	bool stream_known;
	bool dialback_known;

	enum lex lex;
	struct buf held;   /* an unfinished tag that expat has not seen */
	struct buf header; /* the stream header as it came, for renewing */
	struct buf text;   /* the run of character data that goes on */
	struct str content_ns; /* interned or in arena; see plain */

	/* the element in the making */
	struct arena *arena;
	struct VEC(struct elem *) open; /* from depth 1 to the innermost */
	uint32_t depth;     /* open elements, the stream's root included */
	uint32_t elements;
	uint32_t decls;     /* namespace declarations of the next element */
	size_t ns_bytes;    /* what the writer will spend on them */
};

/* A header of servers is plain with the prefix "db" alone, which all of them declare
 * (XEP-0220 §2.4.1). */
static inline bool
parser_ns_has_dialback(struct str content_ns)
{
	return str_is(content_ns, NS_SERVER);
}

/* --- parser.c ------------------------------------------------------------- */

/* The first fault counts.  reason is static. */
void parser_fail(struct xml_parser *p, enum xml_fault fault,
	const char *reason);
/* Stops expat at the end of the current event. */
void parser_halt(struct xml_parser *p);
/* Where the current event ends. */
size_t parser_event_end(const struct xml_parser *p);
/* Handlers and settings of an expat parser that is new or has been reset. */
void parser_setup(struct xml_parser *p);
/* Lets a fresh expat parser read p->header, up to depth 1, silently. */
void parser_prime(struct xml_parser *p);

/* --- parser_lex.c --------------------------------------------------------- */

/* Looks over the bytes before the root, in header, of which the last n are
 * new; may fail. */
void parser_check_prolog(struct xml_parser *p, size_t n);
/* A token begins at data and is unfinished after n bytes. */
void parser_lex_begin(struct xml_parser *p, const char *data, size_t n);
/* More bytes of it: true when expat has to see them, since the token ends in
 * them, or is wrong. */
bool parser_lex_more(struct xml_parser *p, const char *data, size_t n);

/* --- parser_tree.c -------------------------------------------------------- */

void parser_handlers(struct xml_parser *p);

/* --- parser_pool.c -------------------------------------------------------- */

/* counted: what expat takes for it is, in MEMUSE_PARSER. */
struct xml_parser *parser_new(bool counted);
void parser_free(struct xml_parser *p);

#endif
