/*
 * http_parse.c - reads requests, piece by piece.
 *
 *	LINES --request line, headers, empty line--> HEAD
 *	  ^                                            |
 *	  |                             with its length: BODY ------.
 *	  |                             in chunks:       CHUNKS ----|
 *	  |                             neither:                    v
 *	  '------------------------ END <------------------------ WHOLE
 *
 *	any of them --> BROKEN, which is for good
 *
 * Owned by one connection.  Invariant: what it holds is bounded by struct
 * http_bounds, whatever comes.
 */
#include "config.h"

#include "http/http_parse.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/vec.h"
#include "http/http_int.h"
#include "http/http_reader.h"

struct http_parser {
	struct http_bounds bounds;
	enum {
		PARSE_LINES,
		PARSE_BODY,
		PARSE_CHUNKS,
		PARSE_WHOLE, /* HTTP_END is next */
		PARSE_OVER,  /* it has been said */
		PARSE_BROKEN,
	} state;
	unsigned n_empty;    /* lines before the request line */
	size_t line_at;      /* in bytes: of the line that is being gathered */
	struct buf bytes;    /* of the head, and its host behind it */
	struct buf line;     /* of chunks and trailers */
	size_t counted;      /* capacities that memuse has been told of */
	struct http_fields VEC(struct http_field) fields;
	struct http_header *headers; /* as many, when the head is whole */
	struct http_head head;
	int64_t left; /* of a body with a length */
	struct http_chunks chunks;
	struct http_bad bad;
	struct http_reader *reader;
};

struct http_parser *
http_parser_new(const struct http_bounds *bounds)
{
	struct http_parser *p = xcalloc(1, sizeof(*p));

	p->bounds = *bounds;
	p->reader = http_reader_new();
	memuse_add(MEMUSE_HTTP, p);
	return p;
}

/* What hangs from p and grows. */
static void
count_memory(struct http_parser *p)
{
	size_t now = p->bytes.cap + p->line.cap +
		p->fields.room * sizeof(struct http_field) +
		(p->headers != NULL ? p->fields.n : 0) *
			sizeof(struct http_header);

	if (now != p->counted)
		memuse_count(MEMUSE_HTTP, 0, (int64_t)now - (int64_t)p->counted);
	p->counted = now;
}

void
http_parser_free(struct http_parser *p)
{
	if (p == NULL)
		return;
	buf_done(&p->bytes);
	buf_done(&p->line);
	vec_done(&p->fields);
	free(p->headers);
	p->headers = NULL;
	count_memory(p);
	http_reader_free(p->reader);
	memuse_remove(MEMUSE_HTTP, p);
	free(p);
}

size_t
http_parser_bytes(const struct http_parser *p)
{
	return sizeof(*p) + p->counted + http_reader_bytes();
}

const struct http_head *
http_parser_head(const struct http_parser *p)
{
	return &p->head;
}

/* For the next request; what has been allocated for this one is used again. */
static void
begin_anew(struct http_parser *p)
{
	p->state = PARSE_LINES;
	p->n_empty = 0;
	p->line_at = p->bytes.n = p->line.n = 0;
	p->fields.n = 0;
	free(p->headers);
	p->headers = NULL;
	p->head = (struct http_head){ .n_headers = 0 };
	p->chunks = (struct http_chunks){ .state = CHUNK_SIZE };
}

static bool
refuse(struct http_parser *p, int status, const char *text)
{
	return http_refuse(&p->bad, status, text);
}

uint64_t
http_parser_body_next(const struct http_parser *p)
{
	if (p->state == PARSE_BODY)
		return (uint64_t)p->left;
	return p->state == PARSE_CHUNKS && p->chunks.state == CHUNK_DATA ?
		(uint64_t)p->chunks.left :
		0;
}

/* --- the head -------------------------------------------------------------- */

static struct str
at(const struct http_parser *p, size_t from, size_t n)
{
	return (struct str){ p->bytes.p + from, n };
}

/* Method and target borrow from bytes, which may still move: they are read again
 * when all are there. */
static bool
read_request_line(struct http_parser *p, struct str line)
{
	return http_line_request(line, p->bounds.target_bytes, &p->head, &p->bad);
}

static bool
add_field(struct http_parser *p, struct str line)
{
	struct http_field field;

	if (p->fields.n == p->bounds.headers)
		return refuse(p, 431, "too many headers");
	if (!http_line_field(line, &field, &p->bad))
		return false;
	field.name += (uint32_t)p->line_at;
	field.value += (uint32_t)p->line_at;
	*vec_push(&p->fields) = field;
	return true;
}

/* The names of headers, in lower case from here on. */
static void
make_headers(struct http_parser *p)
{
	p->headers = xcalloc(MAX(p->fields.n, 1), sizeof(*p->headers));
	for (uint32_t i = 0; i < p->fields.n; i++) {
		const struct http_field *f = &p->fields.p[i];

		http_lower(p->bytes.p + f->name, f->name_n);
		p->headers[i] = (struct http_header){
			.name = at(p, f->name, f->name_n),
			.value = at(p, f->value, f->value_n),
		};
	}
	p->head.headers = p->headers;
	p->head.n_headers = p->fields.n;
}

/* The other reader's word is asked for first, while the bytes are as they came; but
 * the reason of a refusal is ours wherever we have one. */
static bool
finish_head(struct http_parser *p)
{
	struct http_head *h = &p->head;
	char *host_room = buf_reserve(&p->bytes, HTTP_HOST_MAX);
	struct str line, rest;
	bool agreed;

	str_cut(buf_str(&p->bytes), '\r', &line, &rest);
	if (!read_request_line(p, line))
		return false;
	agreed = http_reader_head(p->reader,
		&(struct http_reading){ .head = buf_str(&p->bytes),
			.method = h->method_text,
			.target = h->target,
			.fields = p->fields.p,
			.n_fields = p->fields.n,
			.minor = h->minor });
	make_headers(p);
	if (!http_head_read(h, host_room, &p->bad))
		return false;
	if (!agreed ||
		!http_reader_agrees(p->reader, h->content_length, h->chunked))
		return refuse(p, 400, "a head that can be read in two ways");
	p->left = h->content_length;
	p->state = h->chunked ? PARSE_CHUNKS :
		p->left > 0   ? PARSE_BODY :
				PARSE_WHOLE;
	return true;
}

/* A line stands at line_at, without its end.  *whole_out: it was the last one. */
static bool
take_line(struct http_parser *p, struct str line, bool *whole_out)
{
	*whole_out = false;
	if (line.n == 0 && p->line_at == 0) {
		p->bytes.n = 0;
		return ++p->n_empty <= HTTP_EMPTY_LINES ||
			refuse(p, 400, "too many empty lines");
	}
	if (line.n == 0) {
		*whole_out = true;
		return finish_head(p);
	}
	if (p->line_at == 0 ? !read_request_line(p, line) : !add_field(p, line))
		return false;
	p->line_at = p->bytes.n;
	return true;
}

static size_t
line_max(const struct http_parser *p)
{
	size_t max = p->bounds.head_bytes - p->line_at;

	if (p->line_at == 0)
		max = MIN(max, p->bounds.target_bytes + HTTP_REQUEST_LINE_REST);
	return max;
}

static bool
refuse_long(struct http_parser *p)
{
	if (p->line_at != 0)
		return refuse(p, 431, "the head is too long");
	return http_line_request_long(buf_str(&p->bytes), &p->bad);
}

static enum http_got
next_of_lines(struct http_parser *p, struct str *in)
{
	bool whole = false;

	while (!whole) {
		switch (http_line_gather(&p->bytes, p->line_at, line_max(p), in)) {
		case HTTP_LINE_MORE:
			return HTTP_MORE;
		case HTTP_LINE_LONG:
			refuse_long(p);
			return HTTP_BAD;
		case HTTP_LINE_BAD:
			refuse(p, 400, "a line with a control, or a wrong end");
			return HTTP_BAD;
		case HTTP_LINE_WHOLE:
			break;
		}
		if (!take_line(p,
			    at(p, p->line_at, p->bytes.n - p->line_at - 2),
			    &whole))
			return HTTP_BAD;
	}
	return HTTP_HEAD;
}

/* --- the body --------------------------------------------------------------- */

static bool
differ(struct http_parser *p)
{
	return refuse(p, 400, "a body that can be read in two ways");
}

/* Takes up to *left bytes of data off *in. */
static enum http_got
take_data(struct http_parser *p, int64_t *left, struct str *in,
	struct str *body_out)
{
	size_t n = (uint64_t)*left < in->n ? (size_t)*left : in->n;

	if (n == 0)
		return HTTP_MORE;
	*body_out = (struct str){ in->p, n };
	*in = (struct str){ in->p + n, in->n - n };
	*left -= (int64_t)n;
	return http_reader_body(p->reader, *body_out) || differ(p) ? HTTP_BODY :
								     HTTP_BAD;
}

static enum http_got
next_of_body(struct http_parser *p, struct str *in, struct str *body_out)
{
	enum http_got got = take_data(p, &p->left, in, body_out);

	if (p->left != 0 || got == HTTP_BAD)
		return got;
	p->state = PARSE_WHOLE;
	return http_reader_is_whole(p->reader) || differ(p) ? got : HTTP_BAD;
}

/* The size, as the other reader gets it: without extensions. */
static bool
begin_chunk(struct http_parser *p, struct str line)
{
	struct str size;

	if (!http_chunk_line(&p->chunks, line, &size, &p->bad))
		return false;
	p->chunks.state = p->chunks.left != 0 ? CHUNK_DATA : CHUNK_TRAILERS;
	return (http_reader_framing(p->reader, size) &&
		       http_reader_framing(p->reader, STR("\r\n"))) ||
		differ(p);
}

static bool
end_chunk(struct http_parser *p)
{
	p->chunks.state = CHUNK_SIZE;
	return http_reader_framing(p->reader, STR("\r\n")) || differ(p);
}

static bool
take_trailer(struct http_parser *p, struct str line)
{
	if (line.n != 0)
		return http_chunk_trailer(&p->chunks, line, &p->bounds, &p->bad);
	p->state = PARSE_WHOLE;
	return (http_reader_framing(p->reader, STR("\r\n")) &&
		       http_reader_is_whole(p->reader)) ||
		differ(p);
}

static bool
take_chunk_line(struct http_parser *p, struct str line)
{
	if (p->chunks.state == CHUNK_SIZE)
		return begin_chunk(p, line);
	if (p->chunks.state == CHUNK_DATA_END)
		return end_chunk(p);
	return take_trailer(p, line);
}

static size_t
chunk_line_max(const struct http_parser *p)
{
	switch (p->chunks.state) {
	case CHUNK_SIZE:
		return HTTP_CHUNK_LINE_MAX;
	case CHUNK_DATA:
	case CHUNK_DATA_END:
		break;
	case CHUNK_TRAILERS:
		return p->bounds.head_bytes - p->chunks.trailer_bytes;
	}
	return sizeof("\r\n") - 1;
}

/* HTTP_MORE also where a line was taken, and what it says is next. */
static enum http_got
next_chunk_line(struct http_parser *p, struct str *in)
{
	struct str line;

	switch (http_line_gather(&p->line, 0, chunk_line_max(p), in)) {
	case HTTP_LINE_MORE:
		return HTTP_MORE;
	case HTTP_LINE_LONG:
		if (p->chunks.state == CHUNK_TRAILERS)
			refuse(p, 431, "the trailers are too long");
		else
			refuse(p, 400, "the line of a chunk is too long");
		return HTTP_BAD;
	case HTTP_LINE_BAD:
		refuse(p, 400, "a chunk with a control, or a wrong end");
		return HTTP_BAD;
	case HTTP_LINE_WHOLE:
		break;
	}
	if (p->chunks.state == CHUNK_TRAILERS)
		p->chunks.trailer_bytes += p->line.n;
	line = (struct str){ p->line.p, p->line.n - 2 };
	p->line.n = 0;
	return take_chunk_line(p, line) ? HTTP_MORE : HTTP_BAD;
}

static enum http_got
next_of_chunks(struct http_parser *p, struct str *in, struct str *body_out)
{
	enum http_got got = HTTP_MORE;

	while (got == HTTP_MORE && in->n != 0 && p->state == PARSE_CHUNKS) {
		if (p->chunks.state != CHUNK_DATA) {
			got = next_chunk_line(p, in);
			continue;
		}
		got = take_data(p, &p->chunks.left, in, body_out);
		if (p->chunks.left == 0)
			p->chunks.state = CHUNK_DATA_END;
	}
	return got;
}

static enum http_got
next(struct http_parser *p, struct str *in, struct str *body_out)
{
	enum http_got got = HTTP_MORE;

	if (p->state == PARSE_OVER)
		begin_anew(p);
	if (p->state == PARSE_LINES)
		return next_of_lines(p, in);
	if (p->state == PARSE_BODY)
		return next_of_body(p, in, body_out);
	if (p->state == PARSE_CHUNKS)
		got = next_of_chunks(p, in, body_out);
	if (p->state == PARSE_WHOLE && got == HTTP_MORE) {
		p->state = PARSE_OVER;
		return HTTP_END;
	}
	return p->state == PARSE_BROKEN ? HTTP_BAD : got;
}

enum http_got
http_parser_next(struct http_parser *p, struct str *in, struct str *body_out,
	struct http_bad *bad_out)
{
	enum http_got got = next(p, in, body_out);

	if (got == HTTP_BAD) {
		p->state = PARSE_BROKEN;
		*bad_out = p->bad;
	}
	count_memory(p);
	return got;
}
