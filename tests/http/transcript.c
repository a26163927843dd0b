/*
 * transcript.c - has requests read, in pieces.
 */
#include "config.h"

#include "http/transcript.h"

#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/http_parse.h"

struct script {
	struct http_parser *p;
	struct buf *out;
	struct buf body; /* of the request under way */
	bool in_request; /* behind its head */
	bool any;        /* bytes of the next one have come */
	bool bad;
};

static void
add_head(struct buf *out, const struct http_head *h)
{
	buf_printf(out, "%.*s %.*s path=%.*s", STR_ARG(h->method_text),
		STR_ARG(h->target), STR_ARG(h->path));
	if (h->query.p != NULL)
		buf_printf(out, " query=%.*s", STR_ARG(h->query));
	if (h->host.p != NULL)
		buf_printf(out, " host=%.*s", STR_ARG(h->host));
	buf_printf(out, " 1.%d", h->minor);
	if (h->content_length >= 0)
		buf_printf(out, " length=%lld", (long long)h->content_length);
	buf_add_c(out, h->chunked ? " chunked" : "");
	buf_add_c(out, h->keep_alive ? " keep" : " close");
	buf_add_c(out, h->expect_continue ? " expect" : "");
	if (h->upgrade.p != NULL)
		buf_printf(out, " upgrade=%.*s", STR_ARG(h->upgrade));
	for (size_t i = 0; i < h->n_headers; i++) {
		buf_add_c(out, "\n ");
		buf_add_str(out, h->headers[i].name);
		buf_add_c(out, ": ");
		buf_add_str(out, h->headers[i].value);
	}
	buf_add_c(out, "\n");
}

static void
add_end(struct script *s)
{
	const struct http_head *h = http_parser_head(s->p);

	/* texts are there still, and the body has the length that was told */
	assert(h->method_text.n != 0 && h->path.n != 0);
	assert(h->chunked || (int64_t)s->body.n == MAX(h->content_length, 0));
	if (s->body.n != 0) {
		buf_add_c(s->out, "body=");
		buf_add_str(s->out, buf_str(&s->body));
		buf_add_c(s->out, "\n");
	}
	buf_add_c(s->out, "end\n");
	s->body.n = 0;
	s->in_request = s->any = false;
}

static void
add_bad(struct script *s, struct http_bad bad)
{
	struct str more = STR("GET / HTTP/1.1\r\n\r\n"), none = STR_NONE;
	struct http_bad again = { .status = 0 };

	assert(bad.status >= 400 && bad.status < 600 && bad.text != NULL);
	/* for good */
	assert(http_parser_next(s->p, &more, &none, &again) == HTTP_BAD);
	assert(again.status == bad.status);
	buf_printf(s->out, "bad %d %s\n", bad.status, bad.text);
	s->bad = true;
}

/* A piece, in memory that ends where it does. */
static void
feed(struct script *s, struct str piece)
{
	char *copy = xmalloc(MAX(piece.n, 1));
	struct str in = { copy, piece.n };
	struct http_bad bad = { .status = 0 };

	if (piece.n != 0)
		memcpy(copy, piece.p, piece.n);
	while (!s->bad) {
		struct str before = in, body = STR_NONE;
		enum http_got got = http_parser_next(s->p, &in, &body, &bad);

		assert(in.n <= before.n && in.p + in.n == before.p + before.n);
		s->any = s->any || in.n != before.n;
		if (got == HTTP_MORE) {
			assert(in.n == 0);
			break;
		}
		assert((got == HTTP_BODY || got == HTTP_END) == s->in_request ||
			got == HTTP_BAD);
		if (got == HTTP_HEAD) {
			add_head(s->out, http_parser_head(s->p));
			s->in_request = true;
		} else if (got == HTTP_BODY) {
			assert(body.n != 0 && body.p >= before.p &&
				body.p + body.n <= in.p);
			buf_add_str(&s->body, body);
		} else if (got == HTTP_END) {
			add_end(s);
		} else {
			add_bad(s, bad);
		}
	}
	free(copy);
}

void
transcript(struct buf *out, struct str in, size_t first, size_t step)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct script s = { .p = http_parser_new(&bounds), .out = out };
	size_t n = MIN(first, in.n);

	feed(&s, (struct str){ in.p, n });
	for (size_t at = n; at < in.n && !s.bad; at += n) {
		n = MIN(step, in.n - at);
		feed(&s, (struct str){ in.p + at, n });
	}
	if (!s.bad && (s.in_request || s.any))
		buf_add_c(out, "more\n");
	buf_done(&s.body);
	http_parser_free(s.p);
}
