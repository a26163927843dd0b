/*
 * test_http_parse.c - what requests mean, and where their bounds are.  That they are
 * refused when they are wrong, test_http_corpus.c shows.
 */
#include "config.h"

#include "http/http_parse.h"

#include "base/buf.h"
#include "base/memuse.h"
#include "http/http_reader.h"
#include "http/transcript.h"

#include "test.h"

#define H "Host: example.org\r\n"

/* Linked in place of what the second reader says: which of it is turned into no. */
static struct {
	bool head, agrees, body, framing, is_whole;
} denied;

#define READER_DENIES(what, arguments, names)                                  \
	bool __real_http_reader_##what arguments;                              \
	bool __wrap_http_reader_##what arguments;                              \
	bool __wrap_http_reader_##what arguments                               \
	{                                                                      \
		return __real_http_reader_##what names &&                 \
			!denied.what;                                          \
	}
READER_DENIES(head, (struct http_reader * r, const struct http_reading *says),
	(r, says))
READER_DENIES(agrees,
	(const struct http_reader *r, int64_t length, bool chunked),
	(r, length, chunked))
READER_DENIES(body, (struct http_reader * r, struct str data), (r, data))
READER_DENIES(framing, (struct http_reader * r, struct str bytes), (r, bytes))
READER_DENIES(is_whole, (const struct http_reader *r), (r))

static const struct {
	const char *in, *out;
} meanings[] = {
	{ "GET / HTTP/1.1\r\n" H "\r\n",
		"GET / path=/ host=example.org 1.1 keep\n"
		" host: example.org\nend\n" },
	{ "HEAD /a/%41?b=c?d HTTP/1.1\r\nHOST: Example.ORG.:5281\r\n\r\n",
		"HEAD /a/%41?b=c?d path=/a/%41 query=b=c?d host=example.org 1.1"
		" keep\n host: Example.ORG.:5281\nend\n" },
	{ "GET /? HTTP/1.0\r\n\r\n", "GET /? path=/ query= 1.0 close\nend\n" },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"GET / path=/ 1.0 keep\n connection: Keep-Alive\nend\n" },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
		"GET / path=/ 1.0 close\n connection: keep-alive, close\nend\n" },
	{ "GET / HTTP/1.1\r\n" H "Connection: a\r\nConnection: b ,CLOSE\r\n\r\n",
		"GET / path=/ host=example.org 1.1 close\n host: example.org\n"
		" connection: a\n connection: b ,CLOSE\nend\n" },
	{ "GET HTTPS://[2001:DB8::1]:1/x HTTP/1.1\r\n" H "\r\n",
		"GET HTTPS://[2001:DB8::1]:1/x path=/x host=[2001:db8::1] 1.1"
		" keep\n host: example.org\nend\n" },
	{ "GET http://a?b HTTP/1.0\r\n\r\n",
		"GET http://a?b path=/ query=b host=a 1.0 close\nend\n" },
	{ "OPTIONS http://a HTTP/1.0\r\n\r\n",
		"OPTIONS http://a path=* host=a 1.0 close\nend\n" },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n",
		"OPTIONS * path=* host=example.org 1.1 keep\n"
		" host: example.org\nend\n" },
	{ "PUT /a HTTP/1.1\r\n" H "Content-Length: 3\r\n"
	  "Expect: 100-CONTINUE\r\n\r\nabc",
		"PUT /a path=/a host=example.org 1.1 length=3 keep expect\n"
		" host: example.org\n content-length: 3\n"
		" expect: 100-CONTINUE\nbody=abc\nend\n" },
	{ "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
	  "2;x=\"y\"\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n"
	  "DELETE /b HTTP/1.1\r\n" H "\r\n",
		"POST /a path=/a host=example.org 1.1 chunked keep\n"
		" host: example.org\n transfer-encoding: Chunked\nbody=abc\n"
		"end\nDELETE /b path=/b host=example.org 1.1 keep\n"
		" host: example.org\nend\n" },
	{ "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n"
	  "Upgrade: websocket\r\n\r\n",
		"GET / path=/ host=example.org 1.1 keep upgrade=websocket\n"
		" host: example.org\n connection: upgrade\n"
		" upgrade: websocket\nend\n" },
	{ "GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\n"
	  "Upgrade: websocket\r\n\r\n",
		"GET / path=/ host=example.org 1.1 keep\n host: example.org\n"
		" connection: keep-alive\n upgrade: websocket\nend\n" },
	{ "GET / HTTP/1.1\r\n" H "A:\r\nb-C: \t d e \t \r\nA: 2\r\n\r\n",
		"GET / path=/ host=example.org 1.1 keep\n host: example.org\n"
		" a: \n b-c: d e\n a: 2\nend\n" },
	{ "\r\n\r\n", "more\n" },
	{ "", "" },
};

TEST(requests_mean_what_they_say)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < COUNT(meanings); i++) {
		struct str in = str_c(meanings[i].in);

		TEST_CASE(meanings[i].in);
		for (size_t at = 0; at <= in.n; at++) {
			out.n = 0;
			transcript(&out, in, at, in.n);
			CHECK_STR(buf_str(&out), meanings[i].out);
		}
	}
	buf_done(&out);
}

TEST(headers_are_found_by_name)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct http_parser *p = http_parser_new(&bounds);
	struct str in = STR("GET / HTTP/1.1\r\n" H "A: 1\r\nB:\r\na: 2\r\n\r\n");
	struct str body = STR_NONE;
	const struct http_header *each;
	struct http_bad bad;

	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_HEAD);
	CHECK_STR(http_head_find(http_parser_head(p), "a"), "1");
	CHECK_STR(http_head_find(http_parser_head(p), "b"), "");
	CHECK_STR(http_head_find(http_parser_head(p), "c"), NULL);
	each = http_head_next(http_parser_head(p), "a", NULL);
	each = http_head_next(http_parser_head(p), "a", each);
	CHECK_STR(each->value, "2");
	CHECK(http_head_next(http_parser_head(p), "a", each) == NULL);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_END);
	/* until it is asked for the next one */
	CHECK_STR(http_parser_head(p)->path, "/");
	http_parser_free(p);
}

TEST(what_follows_an_upgrade_is_left_alone)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct http_parser *p = http_parser_new(&bounds);
	struct str in = STR("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n"
			    "Upgrade: websocket\r\n\r\n\x81\x00");
	struct str body = STR_NONE;
	struct http_bad bad;

	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_HEAD);
	CHECK_STR(http_parser_head(p)->upgrade, "websocket");
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_END);
	CHECK_INT(in.n, 2);
	http_parser_free(p);
}

/* --- bounds ----------------------------------------------------------------- */

/* The status, or 0: one request was read whole. */
static int
outcome(struct http_bounds bounds, struct str in)
{
	struct http_parser *p = http_parser_new(&bounds);
	struct str body = STR_NONE;
	struct http_bad bad = { .status = 0 };
	enum http_got got;

	do
		got = http_parser_next(p, &in, &body, &bad);
	while (got == HTTP_HEAD || got == HTTP_BODY);
	CHECK(got != HTTP_MORE);
	http_parser_free(p);
	return bad.status;
}

static void
add_headers(struct buf *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "x-%u: %u\r\n", i, i);
	buf_add_c(b, "\r\n");
}

TEST(headers_are_taken_up_to_their_number)
{
	struct http_bounds bounds = { .head_bytes = 65536,
		.target_bytes = 100 };
	struct buf b = BUF_INIT;

	for (unsigned n = 0; n <= 400; n++) {
		test_case_number("headers", n);
		b.n = 0;
		buf_add_c(&b, "GET / HTTP/1.0\r\n");
		add_headers(&b, n);
		bounds.headers = n;
		CHECK_INT(outcome(bounds, buf_str(&b)), 0);
		bounds.headers = n - 1;
		if (n > 0)
			CHECK_INT(outcome(bounds, buf_str(&b)), 431);
	}
	buf_done(&b);
}

TEST(trailers_are_taken_up_to_the_same_number)
{
	struct http_bounds bounds = { .head_bytes = 65536,
		.target_bytes = 100 };
	struct buf b = BUF_INIT;

	for (unsigned n = 2; n <= 300; n++) {
		test_case_number("trailers", n);
		b.n = 0;
		buf_add_c(&b, "PUT / HTTP/1.1\r\n" H
			      "Transfer-Encoding: chunked\r\n\r\n0\r\n");
		add_headers(&b, n);
		bounds.headers = n;
		CHECK_INT(outcome(bounds, buf_str(&b)), 0);
		bounds.headers = n - 1;
		CHECK_INT(outcome(bounds, buf_str(&b)), 431);
	}
	buf_done(&b);
}

TEST(a_head_is_as_long_as_its_bound)
{
	struct http_bounds bounds = { .target_bytes = 100, .headers = 100 };
	struct str in = STR("GET / HTTP/1.1\r\n" H "A: bcd\r\n\r\n");

	bounds.head_bytes = in.n;
	CHECK_INT(outcome(bounds, in), 0);
	for (size_t n = sizeof("GET / HTTP/1.1\r\n") - 1; n < in.n; n++) {
		test_case_number("bytes", (unsigned)n);
		bounds.head_bytes = n;
		CHECK_INT(outcome(bounds, in), 431);
	}
}

TEST(trailers_are_as_long_as_a_head)
{
	struct http_bounds bounds = { .target_bytes = 100, .headers = 100 };
	struct buf b = BUF_INIT;
	size_t head, n;

	buf_add_c(&b, "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
	head = b.n;
	buf_add_c(&b, "0\r\n");
	n = b.n;
	for (int i = 0; i < 20; i++)
		buf_add_c(&b, "A: b\r\n");
	buf_add_c(&b, "\r\n");
	n = b.n - n;
	CHECK(n > head);
	bounds.head_bytes = n;
	CHECK_INT(outcome(bounds, buf_str(&b)), 0);
	bounds.head_bytes = n - 1;
	CHECK_INT(outcome(bounds, buf_str(&b)), 431);
	buf_done(&b);
}

TEST(a_target_is_as_long_as_its_bound)
{
	struct http_bounds bounds = { .head_bytes = 16384, .headers = 100 };
	struct buf b = BUF_INIT;

	for (size_t n = 1; n < 9000; n = n * 3 + 1) {
		test_case_number("bytes", (unsigned)n);
		b.n = 0;
		buf_printf(&b, "GET /%0*d HTTP/1.0\r\n\r\n", (int)n, 0);
		bounds.target_bytes = n + 1;
		CHECK_INT(outcome(bounds, buf_str(&b)), 0);
		bounds.target_bytes = n;
		CHECK_INT(outcome(bounds, buf_str(&b)), 414);
	}
	buf_done(&b);
}

TEST(extensions_of_chunks_have_a_bound_together)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct buf b = BUF_INIT;

	buf_add_c(&b, "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < HTTP_EXTENSIONS_MAX / 64; i++)
		buf_printf(&b, "1;%063d\r\nx\r\n", 0);
	buf_add_c(&b, "0\r\n\r\n");
	CHECK_INT(outcome(bounds, buf_str(&b)), 0);
	b.n -= 5;
	buf_add_c(&b, "0;x\r\n\r\n");
	CHECK_INT(outcome(bounds, buf_str(&b)), 413);
	buf_done(&b);
}

TEST(the_line_of_a_chunk_is_as_long_as_its_bound)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct buf b = BUF_INIT;

	for (int more = 0; more < 2; more++) {
		b.n = 0;
		buf_printf(&b, "PUT / HTTP/1.1\r\n" H
			       "Transfer-Encoding: chunked\r\n\r\n%0*d\r\n\r\n",
			HTTP_CHUNK_LINE_MAX - 2 + more, 0);
		CHECK_INT(outcome(bounds, buf_str(&b)), more ? 400 : 0);
	}
	buf_done(&b);
}

TEST(bodies_of_any_length_are_counted)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct http_parser *p = http_parser_new(&bounds);
	struct str in = STR("PUT / HTTP/1.1\r\n" H
			    "Content-Length: 9223372036854775807\r\n\r\nabc");
	struct str body = STR_NONE;
	struct http_bad bad;

	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_HEAD);
	CHECK_INT(http_parser_head(p)->content_length, INT64_MAX);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_BODY);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_MORE);
	http_parser_free(p);
	p = http_parser_new(&bounds);
	in = STR("PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		 "7fffffffffffffff\r\nabc");
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_HEAD);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_BODY);
	CHECK_STR(body, "abc");
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_MORE);
	http_parser_free(p);
}

/* --- the second reader ------------------------------------------------------ */

TEST(what_the_second_reader_finds_different_is_refused)
{
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct str with_length = STR("PUT / HTTP/1.1\r\n" H
				     "Content-Length: 1\r\n\r\na");
	struct str in_chunks =
		STR("PUT / HTTP/1.1\r\n" H
		    "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
	bool *const each[] = { &denied.head, &denied.agrees, &denied.body,
		&denied.is_whole, &denied.framing };

	CHECK_INT(outcome(bounds, with_length), 0);
	CHECK_INT(outcome(bounds, in_chunks), 0);
	for (size_t i = 0; i < COUNT(each); i++) {
		test_case_number("denied", (unsigned)i);
		*each[i] = true;
		CHECK_INT(outcome(bounds, in_chunks), 400);
		CHECK_INT(outcome(bounds, with_length),
			each[i] == &denied.framing ? 0 : 400);
		*each[i] = false;
	}
}

/* --- memory ------------------------------------------------------------------ */

TEST(what_a_parser_holds_is_bounded_and_counted)
{
	struct memuse_sum before = memuse_sum(MEMUSE_HTTP), now;
	struct http_bounds bounds = TRANSCRIPT_BOUNDS;
	struct http_parser *p = http_parser_new(&bounds);
	struct str body = STR_NONE;
	struct buf b = BUF_INIT;
	struct http_bad bad;
	struct str in;

	buf_add_c(&b, "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n");
	for (int i = 0; i < 97; i++)
		buf_printf(&b, "A: %0150d\r\n", 0);
	buf_add_c(&b, "\r\n5\r\nhello\r\n");
	in = buf_str(&b);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_HEAD);
	CHECK_INT(http_parser_next(p, &in, &body, &bad), HTTP_BODY);
	now = memuse_sum(MEMUSE_HTTP);
	CHECK_INT(now.objects - before.objects, 1);
	CHECK(now.bytes - before.bytes > 15000);
	CHECK(now.bytes - before.bytes < 45000);
	http_parser_free(p);
	now = memuse_sum(MEMUSE_HTTP);
	CHECK_INT(now.bytes, before.bytes);
	CHECK_INT(now.objects, before.objects);
	buf_done(&b);
}

TEST_MAIN
