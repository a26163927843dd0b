/*
 * http_parse.h - reads requests of HTTP/1.1 and 1.0 (RFC 9112), strictly: what two
 * readers could take for two things is refused, and never mended.
 *
 * Pure: no loop, no clock; owned by one connection, on its shard.  It is asked for
 * what comes next, and calls nobody:
 *
 *	MORE* HEAD (BODY | MORE)* END      and from the beginning, or BAD, for good
 *
 * However the bytes are cut, what comes out is the same, but for where bodies are
 * cut.  Nothing of a body is kept: it is handed on where it lies.
 */
#ifndef HTTP_HTTP_PARSE_H
#define HTTP_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_parser;

/* What others have said of methods we do not have is answered with 501. */
enum http_method {
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_PUT,
	HTTP_METHOD_DELETE,
	HTTP_METHOD_OPTIONS,
	HTTP_METHODS
};

enum http_got {
	HTTP_MORE, /* all of it is consumed, more is needed */
	HTTP_HEAD, /* http_parser_head() says what is asked */
	HTTP_BODY, /* a part of its body */
	HTTP_END,  /* the request is whole; what follows is the next one */
	HTTP_BAD,  /* to be answered, and then the connection ends */
};

struct http_bounds {
	size_t head_bytes;   /* request line and headers, with their ends; the same
	                        for trailers: 431 */
	size_t target_bytes; /* 414 */
	unsigned headers;    /* how many, trailers not counted in: 431 */
};

/* Empty lines that may stand before a request (RFC 9112 §2.2 asks for one). */
#define HTTP_EMPTY_LINES 4
/* A line of a chunk, with its extensions and its end; and the extensions of all
 * chunks of a body (RFC 9112 §7.1.1). */
#define HTTP_CHUNK_LINE_MAX 256
#define HTTP_EXTENSIONS_MAX 16384
/* The longest host (RFC 1035 §2.3.4). */
#define HTTP_HOST_MAX 255

struct http_header {
	struct str name;  /* in lower case */
	struct str value; /* without white space at its ends; may be empty, and may
	                     hold bytes above 127, but no controls save tabs */
};

/*
 * What is asked.  All text lies in the parser, and is there until the call behind
 * the one that has returned HTTP_END.
 */
struct http_head {
	enum http_method method;
	struct str method_text;
	struct str target; /* as it came */
	/*
	 * Still percent-encoded, and begins with '/', or is "*" (OPTIONS alone).
	 * Each segment of it can be decoded (http_path_decode()): none is "." or
	 * "..", or has a '/', '\' or control, however it is written.
	 */
	struct str path;
	struct str query; /* behind the '?'; absent where there is none */
	/*
	 * Of Host, or of the target where that names one (RFC 9112 §3.2.2): in lower
	 * case, without port and without the dot of the root; an address of IPv6
	 * with its brackets.  Absent where HTTP/1.0 says none.  At most
	 * HTTP_HOST_MAX bytes, of those that a name has.
	 */
	struct str host;
	const struct http_header *headers;
	size_t n_headers;
	int minor; /* of HTTP/1.x: 0 or 1 */
	int64_t content_length; /* -1: none was given */
	bool chunked;
	bool keep_alive; /* another request may follow (RFC 9112 §9.3) */
	bool expect_continue; /* and there is a body to wait for */
	struct str upgrade; /* the header, where Connection names it; else absent */
};

struct http_bad {
	int status; /* 400, 413, 414, 415, 417, 431, 501 or 505 */
	const char *text; /* static; for a log, and for people; never what came */
};

/* bounds is copied.  Owned by the caller. */
struct http_parser *http_parser_new(const struct http_bounds *bounds);
/* NULL is accepted. */
void http_parser_free(struct http_parser *p);

/*
 * What comes next in *in (borrowed), which begins behind what was consumed then.
 * HTTP_MORE has consumed all of it.  HTTP_HEAD, HTTP_END: with the last byte of the
 * head or of the request; so what follows an upgrade is untouched.  HTTP_BODY: a
 * part of the body, without what frames it, in *body_out, which borrows from *in
 * and is not empty.  HTTP_BAD: *bad_out says why, and every further call does.
 * What is not of interest may be left as it is.
 */
enum http_got http_parser_next(struct http_parser *p, struct str *in,
	struct str *body_out, struct http_bad *bad_out);

/* Of memory that it holds, with all that hangs from it. */
size_t http_parser_bytes(const struct http_parser *p);

/* Between HTTP_HEAD and the call behind the one that has returned HTTP_END. */
const struct http_head *http_parser_head(const struct http_parser *p);

/* How many bytes, at least, come next that are all of the body, as far as it is known;
 * 0: something else may. */
uint64_t http_parser_body_next(const struct http_parser *p);

/* The first header of that name (lower case); absent where there is none. */
struct str http_head_find(const struct http_head *head, const char *name);
/* The next one of that name behind prev, NULL: the first; NULL: no more. */
const struct http_header *http_head_next(const struct http_head *head,
	const char *name, const struct http_header *prev);

#endif
