/*
 * http_int.h - between the files that read requests.
 *
 * A request is taken only where two readers find the same in it: ours (http_line.c,
 * http_head.c, http_chunk.c), which alone decides why something is refused, and
 * llhttp (http_reader.c).  So it makes no difference how strict the llhttp is that
 * we were built with.
 */
#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include "base/buf.h"
#include "http/http_parse.h"
#include "http/http_reader.h"

/* Fills in *bad; false, so that `return http_refuse(...)' is one line. */
static inline bool
http_refuse(struct http_bad *bad, int status, const char *text)
{
	*bad = (struct http_bad){ .status = status, .text = text };
	return false;
}

/* --- http_line.c: lines, and what may stand in them ------------------------ */

/* The longest method; those that are longer are none of ours. */
#define HTTP_METHOD_MAX 32
/* What a request line has beside the target. */
#define HTTP_REQUEST_LINE_REST (HTTP_METHOD_MAX + sizeof("  HTTP/1.1\r\n"))

enum http_lined {
	HTTP_LINE_MORE, /* all of the input is in the buffer */
	HTTP_LINE_WHOLE,
	HTTP_LINE_LONG, /* no end within max bytes */
	HTTP_LINE_BAD,  /* a control, or an end that is not CR LF */
};

/* Moves bytes from *in to b, until there is a line that begins at line_at there:
 * its end counts among its at most max bytes. */
enum http_lined http_line_gather(struct buf *b, size_t line_at, size_t max,
	struct str *in);

/* A header, without its end; offsets from the line. */
bool http_line_field(struct str line, struct http_field *field_out,
	struct http_bad *bad);
/* A request line, without its end: sets method, texts and minor. */
bool http_line_request(struct str line, size_t target_max, struct http_head *h,
	struct http_bad *bad);
/* Why a request line without an end within its bound is refused: what there is. */
bool http_line_request_long(struct str line, struct http_bad *bad);

bool http_is_token(struct str s);
void http_lower(char *p, size_t n);
/* By contents, where b is in lower case. */
bool http_eq_lower(struct str a, struct str lower);

/* --- http_target.c: targets and hosts --------------------------------------- */

/* Sets path and query; *authority_out: that of the target, absent where it names
 * none. */
bool http_target_read(struct http_head *h, struct str *authority_out,
	struct http_bad *bad);
/* Writes the host of an authority, as struct http_head has it, to room, which has
 * HTTP_HOST_MAX bytes.  False: it is none. */
bool http_host_read(struct str authority, char *room, struct str *host_out);

/* --- http_head.c: what headers mean ------------------------------------------ */

/* From method, target, minor and headers all else.  The host goes to host_room. */
bool http_head_read(struct http_head *h, char *host_room, struct http_bad *bad);

/* --- http_chunk.c: what frames a body of chunks ------------------------------ */

struct http_chunks {
	enum {
		CHUNK_SIZE,
		CHUNK_DATA,
		CHUNK_DATA_END,
		CHUNK_TRAILERS,
	} state;
	int64_t left;           /* of the data of this chunk */
	size_t extension_bytes; /* of all so far */
	size_t trailer_bytes;
	unsigned n_trailers;
};

/* A line with the size of a chunk, without its end: sets left.  *size_out: what of
 * it says the size. */
bool http_chunk_line(struct http_chunks *c, struct str line,
	struct str *size_out, struct http_bad *bad);
/* A trailer, without its end: read and ignored (RFC 9110 §6.5.1). */
bool http_chunk_trailer(struct http_chunks *c, struct str line,
	const struct http_bounds *bounds, struct http_bad *bad);

#endif
