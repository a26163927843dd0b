/*
 * http_reader.h - the second reader of requests, llhttp: it is shown what the first
 * has found, and has to find the same.
 *
 * Pure; owned by a parser.  Nobody else includes llhttp.h.  Extensions of chunks and
 * trailers, which mean nothing here and which releases of llhttp read differently,
 * are not shown to it.
 */
#ifndef HTTP_HTTP_READER_H
#define HTTP_HTTP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct http_reader;

/* A header, by where its parts begin in the head. */
struct http_field {
	uint32_t name;
	uint32_t name_n;
	uint32_t value;
	uint32_t value_n;
};

/* What a head says, borrowed. */
struct http_reading {
	struct str head;   /* with all line ends */
	struct str method; /* this and the target lie in the head */
	struct str target;
	const struct http_field *fields;
	size_t n_fields;
	int minor;
};

/* For one request after the other.  Owned by the caller. */
struct http_reader *http_reader_new(void);
/* NULL is accepted. */
void http_reader_free(struct http_reader *r);
/* Of memory that each has. */
size_t http_reader_bytes(void);

/* Begins a request: is that what its head says? */
bool http_reader_head(struct http_reader *r, const struct http_reading *says);
/* Does that head tell the end of the body in this way?  length is -1: not by it;
 * neither: there is no body. */
bool http_reader_agrees(const struct http_reader *r, int64_t length,
	bool chunked);
/* Is all of this a part of the body, and nothing but that? */
bool http_reader_body(struct http_reader *r, struct str data);
/* Is nothing of this? */
bool http_reader_framing(struct http_reader *r, struct str bytes);
/* Is the request whole? */
bool http_reader_is_whole(const struct http_reader *r);

#endif
