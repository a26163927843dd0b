/*
 * test_http_server.c - requests by HTTP, and what is answered: statuses, headers,
 * keep-alive, bodies, one after the other.
 */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "net/conn.h"
#include "store/store.h"
#include "core/host.h"
#include "http/http_port.h"
#include "http/http_exchange.h"
#include "http/http_parse.h"

#include "http_scene.h"
#include "test.h"

#define H "Host: example.org\r\n"
#define END "\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H END

/* --- what is answered --------------------------------------------------------- */

static const struct ask_case {
	const char *name, *request;
	const char *first;     /* how the answer begins */
	const char *has[4];    /* in the head or body, in any order */
	const char *lacks[3];
	bool closes;
} ask_cases[] = {
	{ "a route", GET("/now"), "HTTP/1.1 200 OK\r\nDate: ",
		{ "\r\nContent-Length: 3\r\n", "\r\n\r\nnow",
			"X-Content-Type-Options: nosniff\r\n",
			"Content-Type: text/plain; charset=utf-8\r\n" },
		{ "Connection:", "Access-Control", "Strict-Transport" }, false },
	{ "what all answers have", GET("/now"), "HTTP/1.1 200 ",
		{ "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
			"Referrer-Policy: no-referrer\r\n",
			"Cache-Control: no-store\r\n" },
		{ "Server:" }, false },
	{ "below a route", GET("/now/and/then"), "HTTP/1.1 200 ",
		{ "\r\n\r\nnow" }, { NULL }, false },
	{ "HEAD", "HEAD /now HTTP/1.1\r\n" H END, "HTTP/1.1 200 OK",
		{ "Content-Length: 3\r\n" }, { "now" }, false },
	{ "a path that is none", GET("/nowhere"), "HTTP/1.1 404 Not Found",
		{ "Not Found: There is nothing here.\n" }, { "nowhere" },
		false },
	{ "a host that is none", "GET / HTTP/1.1\r\nHost: evil<b>.example\r\n\r\n",
		"HTTP/1.1 400 ", { NULL }, { "evil" }, true },
	{ "an unknown host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"HTTP/1.1 404 ", { "There is no such host here." }, { "evil" },
		false },
	{ "a host with a port and a dot",
		"GET /now HTTP/1.1\r\nHost: EXAMPLE.org.:8080\r\n\r\n",
		"HTTP/1.1 200 ", { "now" }, { NULL }, false },
	{ "an absolute target",
		"GET http://example.org/now HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"HTTP/1.1 200 ", { "now" }, { NULL }, false },
	{ "no host", "GET /now HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ",
		{ "Connection: close\r\n" }, { NULL }, true },
	{ "two hosts", "GET /now HTTP/1.1\r\n" H H END, "HTTP/1.1 400 ",
		{ NULL }, { NULL }, true },
	{ "HTTP/1.0", "GET /now HTTP/1.0\r\n" H END, "HTTP/1.1 200 ",
		{ "Connection: close\r\n", "now" }, { NULL }, true },
	{ "HTTP/1.0 that keeps the connection",
		"GET /now HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n",
		"HTTP/1.1 200 ", { "Connection: keep-alive\r\n", "now" },
		{ NULL }, false },
	{ "HTTP/1.0 without a host", "GET /health HTTP/1.0\r\n\r\n",
		"HTTP/1.1 200 ", { "ok" }, { NULL }, true },
	{ "the same where one is needed", "GET /now HTTP/1.0\r\n\r\n",
		"HTTP/1.1 404 ", { NULL }, { NULL }, true },
	{ "a client that closes",
		"GET /now HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
		"HTTP/1.1 200 ", { "Connection: close\r\n" }, { NULL }, true },
	{ "a method that the route has not", "DELETE /now HTTP/1.1\r\n" H END,
		"HTTP/1.1 405 Method Not Allowed",
		{ "Allow: GET, HEAD, OPTIONS\r\n" }, { NULL }, false },
	{ "a method that nobody has", "BREW /now HTTP/1.1\r\n" H END,
		"HTTP/1.1 501 ", { NULL }, { "BREW" }, true },
	{ "OPTIONS", "OPTIONS /echo HTTP/1.1\r\n" H END,
		"HTTP/1.1 204 No Content",
		{ "Allow: GET, HEAD, POST, OPTIONS\r\n" },
		{ "Content-Length", "Access-Control", "Content-Type:" }, false },
	{ "OPTIONS of all", "OPTIONS * HTTP/1.1\r\n" H END,
		"HTTP/1.1 204 ",
		{ "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n" },
		{ NULL }, false },
	{ "a version that is none", "GET /now HTTP/2.0\r\n" H END,
		"HTTP/1.1 505 ", { NULL }, { NULL }, true },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 5",
		{ NULL }, { NULL }, true },
	/* RFC 9110 §9.3.6, §9.3.8: we are no proxy, and show nobody his secrets */
	{ "CONNECT", "CONNECT example.org:443 HTTP/1.1\r\n" H END,
		"HTTP/1.1 501 ", { "Connection: close\r\n" }, { NULL }, true },
	{ "TRACE", "TRACE /now HTTP/1.1\r\n" H "Cookie: secret\r\n\r\n",
		"HTTP/1.1 501 ", { NULL }, { "secret" }, true },
	/* RFC 9112 §3.2.2: what the target says counts, and nobody else's does */
	{ "an absolute target of another host",
		"GET http://example.net/now HTTP/1.1\r\n" H END,
		"HTTP/1.1 404 ", { NULL }, { NULL }, false },
	{ "an absolute target elsewhere",
		"GET http://127.0.0.1:22/now HTTP/1.1\r\n" H END,
		"HTTP/1.1 404 ", { "no such host" }, { NULL }, false },
	{ "an absolute target without a host",
		"GET http:///now HTTP/1.1\r\n" H END, "HTTP/1.1 400 ",
		{ NULL }, { NULL }, true },
	{ "an absolute target of a user",
		"GET http://user@example.org/now HTTP/1.1\r\n" H END,
		"HTTP/1.1 400 ", { NULL }, { NULL }, true },
	{ "an absolute target, and no Host",
		"GET http://example.org/now HTTP/1.1\r\n" END,
		"HTTP/1.1 400 ", { NULL }, { NULL }, true },
	{ "the star of another method", "GET * HTTP/1.1\r\n" H END,
		"HTTP/1.1 400 ", { NULL }, { NULL }, true },
	{ "OPTIONS of a host",
		"OPTIONS http://example.org HTTP/1.1\r\n" H END,
		"HTTP/1.1 204 ", { "Allow: GET" }, { NULL }, false },
	{ "dots", GET("/now/../now"), "HTTP/1.1 400 ", { NULL }, { NULL },
		true },
	{ "dots in another way", GET("/now/%2e%2e/now"), "HTTP/1.1 400 ",
		{ NULL }, { NULL }, true },
	{ "a slash within a segment", GET("/now/%2fetc"), "HTTP/1.1 400 ",
		{ NULL }, { NULL }, true },
	{ "a body with its length",
		"POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 ", { "\r\n\r\n5:hello" }, { NULL }, false },
	{ "no body", "POST /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
		"HTTP/1.1 200 ", { "\r\n\r\n0:" }, { NULL }, false },
	{ "nor a length", "POST /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 ",
		{ "\r\n\r\n0:" }, { NULL }, false },
	{ "a body in chunks",
		"POST /echo HTTP/1.1\r\n" H
		"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 ", { "\r\n\r\n5:hello" }, { NULL }, false },
	{ "a length and chunks",
		"POST /echo HTTP/1.1\r\n" H
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 400 ", { NULL }, { NULL }, true },
	{ "a coding that we do not have",
		"POST /echo HTTP/1.1\r\n" H
		"Transfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 501 ", { NULL }, { NULL }, true },
	{ "a coding, and no end of it",
		"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 400 ", { "Connection: close\r\n" }, { NULL }, true },
	{ "a coding in HTTP/1.0",
		"POST /echo HTTP/1.0\r\n" H
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 400 ", { "Connection: close\r\n" }, { NULL }, true },
	/* RFC 9110 §12.5.3, §15.5.16 */
	{ "a body that is encoded",
		"POST /echo HTTP/1.1\r\n" H
		"Content-Length: 1\r\nContent-Encoding: gzip\r\n\r\nx",
		"HTTP/1.1 415 ", { "\r\nAccept-Encoding: identity\r\n" },
		{ NULL }, true },
	{ "an expectation of HTTP/1.0",
		"POST /echo HTTP/1.0\r\n" H
		"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
		"HTTP/1.1 200 ", { "5:hello" }, { "100 Continue" }, true },
	{ "one without a body",
		"GET /now HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n",
		"HTTP/1.1 200 ", { "now" }, { "100 Continue" }, false },
	{ "an expectation",
		"POST /echo HTTP/1.1\r\n" H
		"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n", { NULL }, { "200" }, false },
	{ "one that we do not have",
		"POST /echo HTTP/1.1\r\n" H
		"Content-Length: 5\r\nExpect: miracles\r\n\r\n",
		"HTTP/1.1 417 ", { NULL }, { "miracles" }, true },
	{ "a body that is too large",
		"POST /echo HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n",
		"HTTP/1.1 413 Content Too Large", { NULL }, { "close" },
		false },
	{ "one that is far too large",
		"POST /echo HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n",
		"HTTP/1.1 413 ", { "Connection: close" }, { NULL }, true },
	{ "one that waits for our word",
		"POST /echo HTTP/1.1\r\n" H
		"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
		"HTTP/1.1 413 ", { "Connection: close" }, { "100 Continue" },
		true },
	{ "a body that nobody wants",
		"PUT /no HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
		"HTTP/1.1 403 ", { "Forbidden\n" }, { "Connection" }, false },
	{ "one in chunks",
		"PUT /no HTTP/1.1\r\n" H
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 403 ", { "Connection: close" }, { NULL }, true },
	{ "a header of ours", "PUT /put HTTP/1.1\r\n" H
		"Content-Length: 1\r\n\r\nx",
		"HTTP/1.1 201 Created", { "\r\nLocation: /get/1X-Evil: 1\r\n" },
		{ "\nX-Evil" }, false },
	{ "parts", GET("/parts"), "HTTP/1.1 200 ",
		{ "Transfer-Encoding: chunked\r\n", "\r\n\r\n2800\r\nxx",
			"\r\n0\r\n\r\n" },
		{ "Content-Length" }, false },
	{ "parts for HTTP/1.0",
		"GET /parts HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n",
		"HTTP/1.1 200 ", { "Connection: close\r\n", "\r\n\r\nxxxx" },
		{ "chunked" }, true },
	{ "parts with a length", GET("/length"), "HTTP/1.1 200 ",
		{ "Content-Length: 30720\r\n", "\r\n\r\nxx" }, { "chunked" },
		false },
	{ "the head of parts", "HEAD /parts HTTP/1.1\r\n" H END,
		"HTTP/1.1 200 ", { NULL }, { "xxx", "0\r\n\r\n" }, false },
	{ "is it well", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"HTTP/1.1 200 ", { "ok\n", "Cache-Control: no-store" },
		{ NULL }, false },
	{ "nothing below it", GET("/health/x"), "HTTP/1.1 404 ", { NULL },
		{ NULL }, false },
	{ "the first page", GET("/"), "HTTP/1.1 200 ",
		{ "<h1>example.org</h1>", "text/html",
			"style-src 'sha256-" },
		{ "<script" }, false },
	{ "another host", "GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
		"HTTP/1.1 200 ", { "<h1>example.net</h1>" }, { NULL }, false },
	{ "which has no such route",
		"GET /now HTTP/1.1\r\nHost: example.net\r\n\r\n",
		"HTTP/1.1 404 ", { NULL }, { NULL }, false },
};

static void
check_answer(const struct ask_case *c, struct peer *p)
{
	const char *got = buf_c(&p->got);

	if (strncmp(got, c->first, strlen(c->first)) != 0)
		test_fail(__FILE__, __LINE__, "it begins so: %.200s", got);
	for (size_t i = 0; i < COUNT(c->has) && c->has[i] != NULL; i++)
		if (!peer_has(p, c->has[i]))
			test_fail(__FILE__, __LINE__, "\"%s\" is not in: %s",
				c->has[i], got);
	for (size_t i = 0; i < COUNT(c->lacks) && c->lacks[i] != NULL; i++)
		if (peer_has(p, c->lacks[i]))
			test_fail(__FILE__, __LINE__, "\"%s\" is in: %s",
				c->lacks[i], got);
	CHECK_INT(p->closed, c->closes);
}

TEST(requests_are_answered_as_the_table_says)
{
	struct scene s;

	scene_init(&s, "", "");
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		struct peer p;

		TEST_CASE(ask_cases[i].name);
		peer_open_web(&p, &s.world, 0, "http", NULL);
		peer_say(&p, ask_cases[i].request);
		check_answer(&ask_cases[i], &p);
		peer_done(&p);
		scene_log.bytes = 0;
		scene_log.body.n = 0;
	}
	scene_done(&s);
}

/* What comes of a request does not depend on where the network has cut it. */
TEST(requests_cut_at_every_byte_get_the_same_answer)
{
	struct scene s;

	scene_init(&s, "", "");
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		const char *text = ask_cases[i].request;
		struct peer p;
		struct buf all = BUF_INIT;

		TEST_CASE(ask_cases[i].name);
		peer_open_web(&p, &s.world, 0, "http", NULL);
		for (; *text != '\0' && !p.closed; text++) {
			peer_say_n(&p, text, 1);
			buf_add_str(&all, buf_str(&p.got));
		}
		buf_done(&p.got);
		p.got = all;
		check_answer(&ask_cases[i], &p);
		peer_done(&p);
		scene_log.bytes = 0;
		scene_log.body.n = 0;
	}
	scene_done(&s);
}

/* --- one after the other -------------------------------------------------------- */

TEST(requests_sent_ahead_are_answered_in_order)
{
	struct buf body = BUF_INIT, ask = BUF_INIT;
	struct str got;
	struct scene s;
	struct peer p;
	size_t n;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	for (int i = 0; i < 50; i++)
		buf_printf(&ask,
			"POST /echo HTTP/1.1\r\n" H
			"Content-Length: 2\r\n\r\n%02d" GET("/parts?1"), i);
	peer_say_n(&p, ask.p, ask.n);
	got = buf_str(&p.got);
	for (int i = 0; i < 50; i++) {
		char want[16];

		snprintf(want, sizeof(want), "2:%02d", i);
		body.n = 0;
		n = scene_answer(got, &body);
		CHECK(n != 0);
		CHECK_CSTR(buf_c(&body), want);
		got = (struct str){ got.p + n, got.n - n };
		body.n = 0;
		n = scene_answer(got, &body);
		CHECK_INT(body.n, 10240);
		got = (struct str){ got.p + n, got.n - n };
	}
	CHECK_INT(got.n, 0);
	CHECK(!p.closed);
	buf_done(&body);
	buf_done(&ask);
	peer_done(&p);
	scene_done(&s);
}

TEST(what_is_behind_a_held_request_waits_and_is_not_read)
{
	struct scene s;
	struct peer p;
	struct http_request *r;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, GET("/hold") GET("/now"));
	CHECK_INT(p.got.n, 0);
	CHECK_INT(scene_log.begun, 1);
	peer_say(&p, GET("/now"));
	CHECK_INT(scene_log.begun, 1);
	r = scene_log.held;
	http_answer(r, 200, NULL, STR("held"));
	world_settle(&s.world);
	/* the request is still the handler's, and the next ones were answered */
	CHECK_GOT(&p, "\r\n\r\nheld", "\r\n\r\nnow", "\r\n\r\nnow");
	CHECK_INT(scene_log.done, 2);
	CHECK(http_is_gone(r));
	http_let_go(r);
	world_settle(&s.world);
	CHECK_INT(scene_log.done, 3);
	CHECK_INT(scene_log.gone, 0);
	peer_done(&p);
	scene_done(&s);
}

TEST(a_body_that_was_not_asked_for_is_dropped_if_it_is_short)
{
	static const struct {
		size_t n;
		bool closes;
	} cases[] = { { 10, false }, { 65536, false }, { 65537, true } };
	struct scene s;

	scene_init(&s, "", "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf ask = BUF_INIT;
		struct peer p;

		peer_open_web(&p, &s.world, 0, "http", NULL);
		buf_printf(&ask,
			"PUT /no HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n",
			cases[i].n);
		peer_say_n(&p, ask.p, ask.n);
		CHECK_GOT(&p, "HTTP/1.1 403 ");
		CHECK_INT(p.closed, cases[i].closes);
		ask.n = 0;
		memset(buf_reserve(&ask, cases[i].n), 'x', cases[i].n);
		ask.n = cases[i].n;
		peer_say_n(&p, ask.p, ask.n);
		peer_say(&p, GET("/now"));
		if (!cases[i].closes)
			CHECK_GOT(&p, "\r\n\r\nnow");
		buf_done(&ask);
		peer_done(&p);
	}
	scene_done(&s);
}

TEST(the_last_request_that_a_connection_may_make_ends_it)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "limits: { http_requests: 2 }", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, GET("/now"));
	CHECK(!p.closed && !peer_has(&p, "Connection:"));
	peer_say(&p, GET("/now") GET("/now"));
	CHECK_GOT(&p, "Connection: close\r\n", "now");
	CHECK(p.closed);
	CHECK_INT(scene_log.begun, 2);
	peer_done(&p);
	scene_done(&s);
}

/* --- a reader that is slow ------------------------------------------------------- */

TEST(parts_wait_for_a_reader_who_takes_little)
{
	struct buf all = BUF_INIT, body = BUF_INIT;
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	conn_mem_take(p.conn, 0);
	peer_say(&p, GET("/parts?100") GET("/now"));
	CHECK(conn_queued(p.conn) < 100000);
	CHECK_INT(scene_log.begun, 1);
	for (int i = 0; i < 2000 && !p.closed; i++) {
		p.got.n = 0;
		conn_mem_take(p.conn, 1000);
		world_settle(&s.world);
		buf_add_str(&all, buf_str(&p.got));
	}
	CHECK(scene_log.room > 0);
	CHECK(scene_answer(buf_str(&all), &body) != 0);
	CHECK_INT(body.n, 1024000);
	CHECK_INT(scene_log.begun, 2);
	buf_done(&all);
	buf_done(&body);
	peer_done(&p);
	scene_done(&s);
}

TEST(answers_are_not_made_for_one_who_reads_none)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	conn_mem_take(p.conn, 0);
	for (int i = 0; i < 400; i++)
		peer_say(&p, GET("/length?1"));
	CHECK(scene_log.begun < 10);
	CHECK(conn_queued(p.conn) < 150000);
	conn_mem_take(p.conn, SIZE_MAX);
	world_settle(&s.world);
	CHECK_INT(scene_log.begun, 400);
	peer_done(&p);
	scene_done(&s);
}

/* --- bodies --------------------------------------------------------------------- */

TEST(a_body_rests_while_the_handler_does)
{
	struct scene s;
	struct peer p;
	struct http_request *r;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "PUT /hold HTTP/1.1\r\n" H
		"Content-Length: 9\r\nExpect: 100-continue\r\n\r\nabc");
	r = scene_log.held;
	CHECK(r != NULL);
	CHECK_INT(p.got.n, 0);
	CHECK(http_want_body(r, 9));
	/* nothing comes within the call */
	CHECK_INT(scene_log.bytes, 0);
	world_settle(&s.world);
	CHECK_GOT(&p, "HTTP/1.1 100 Continue\r\n\r\n");
	CHECK_INT(scene_log.bytes, 3);
	http_pause(r);
	peer_say(&p, "def");
	CHECK_INT(scene_log.bytes, 3);
	http_resume(r);
	world_settle(&s.world);
	CHECK_INT(scene_log.bytes, 6);
	CHECK_INT(r->body_bytes, 6);
	peer_say(&p, "ghi");
	CHECK_GOT(&p, "HTTP/1.1 201 Created");
	http_let_go(r);
	peer_done(&p);
	scene_done(&s);
}

static const struct {
	const char *name, *head, *body, *got;
	size_t placed;
} place_cases[] = {
	{ "with its length", "Content-Length: 20\r\n\r\n",
		"abcdefghijklmnopqrst" GET("/now"), "20:abcdefghijklmnopqrst", 20 },
	/* what comes behind a size, or an end, is seen only there */
	{ "in chunks", "Transfer-Encoding: chunked\r\n\r\na\r\n",
		"abcdefghij\r\n5\r\nklmno\r\n0\r\n\r\n" GET("/now"),
		"15:abcdefghijklmno", 10 },
	{ "that begins with its head", "Content-Length: 9\r\n\r\nabc",
		"defghi" GET("/now"), "9:abcdefghi", 6 },
	{ "that grows too large", "Transfer-Encoding: chunked\r\n\r\n7d0\r\n",
		NULL, "HTTP/1.1 413 ", 1000 },
};

TEST(a_body_is_put_where_the_handler_wants_it_and_nothing_else_is)
{
	char large[2000];

	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < COUNT(place_cases); i++) {
		struct buf ask = BUF_INIT;
		struct scene s;
		struct peer p;

		TEST_CASE(place_cases[i].name);
		scene_init(&s, "", "");
		peer_open_web(&p, &s.world, 0, "http", NULL);
		buf_printf(&ask, "POST /place HTTP/1.1\r\n" H "%s",
			place_cases[i].head);
		peer_say(&p, buf_c(&ask));
		ask.n = 0;
		if (place_cases[i].body != NULL)
			buf_add_c(&ask, place_cases[i].body);
		else
			buf_add(&ask, large, sizeof(large));
		peer_say(&p, buf_c(&ask));
		CHECK_GOT(&p, place_cases[i].got);
		CHECK_INT(scene_log.placed, place_cases[i].placed);
		if (place_cases[i].body != NULL)
			CHECK_GOT(&p, "\r\n\r\nnow");
		buf_done(&ask);
		peer_done(&p);
		scene_done(&s);
	}
}

TEST(a_body_that_ends_early_is_gone)
{
	static const char whole[] = "PUT /put HTTP/1.1\r\n" H
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct scene s;

	scene_init(&s, "", "");
	for (size_t n = 1; n < sizeof(whole) - 1; n++) {
		struct peer p;
		unsigned begun = scene_log.begun, gone = scene_log.gone;

		test_case_number("bytes", (unsigned)n);
		peer_open_web(&p, &s.world, 0, "http", NULL);
		peer_say_n(&p, whole, n);
		CHECK_INT(p.got.n, 0);
		peer_done(&p);
		CHECK_INT(scene_log.gone - gone, scene_log.begun - begun);
		CHECK_INT(scene_log.done, scene_log.begun);
	}
	CHECK_INT(scene_log.whole, 0);
	scene_done(&s);
}

TEST(a_body_in_chunks_that_grows_too_large_is_refused)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "POST /echo HTTP/1.1\r\n" H
		"Transfer-Encoding: chunked\r\n\r\n1000\r\n");
	CHECK_INT(p.got.n, 0);
	for (int i = 0; i < 64; i++) {
		char part[64];

		memset(part, 'x', sizeof(part));
		if (p.got.n == 0)
			peer_say_n(&p, part, sizeof(part));
	}
	CHECK_GOT(&p, "HTTP/1.1 413 ", "Connection: close");
	CHECK(p.closed);
	CHECK_INT(scene_log.gone, 1);
	CHECK(scene_log.bytes <= 1000);
	peer_done(&p);
	scene_done(&s);
}

TEST(one_address_sends_so_many_bodies_at_once)
{
	static const char ask[] = "PUT /put HTTP/1.1\r\n" H
		"Content-Length: 3\r\n\r\n";
	struct peer p[3], other;
	struct scene s;

	scene_init(&s, "limits: { http_bodies_per_address: 2 }", "");
	for (size_t i = 0; i < COUNT(p); i++) {
		peer_open_web(&p[i], &s.world, 0, "https", "192.0.2.1");
		peer_say(&p[i], ask);
	}
	CHECK_GOT(&p[2], "HTTP/1.1 429 Too Many Requests", "Retry-After: ");
	peer_open_web(&other, &s.world, 0, "https", "192.0.2.2");
	peer_say(&other, ask);
	CHECK_INT(other.got.n, 0);
	peer_say(&p[0], "abc");
	CHECK_GOT(&p[0], "HTTP/1.1 201 ");
	peer_say(&p[2], "abc");
	peer_say(&p[2], ask);
	CHECK_INT(p[2].got.n, 0);
	for (size_t i = 0; i < COUNT(p); i++)
		peer_done(&p[i]);
	peer_done(&other);
	scene_done(&s);
}

/* --- time ------------------------------------------------------------------------ */

TEST(a_head_has_to_come_in_time)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	/* a header a second does not help */
	peer_say(&p, "GET /now HTTP/1.1\r\n");
	for (int i = 0; i < 29; i++) {
		world_advance(&s.world, US_PER_S);
		peer_say(&p, "X: y\r\n");
		CHECK(!p.closed);
	}
	world_advance(&s.world, 2 * US_PER_S);
	CHECK_GOT(&p, "HTTP/1.1 408 Request Timeout", "Connection: close");
	CHECK(p.closed);
	CHECK_INT(scene_log.begun, 0);
	peer_done(&p);
	scene_done(&s);
}

/* The time of a head is its own, also behind another one that has come with it. */
TEST(each_head_has_its_own_time)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "GET /now HTTP/1.1\r\n");
	world_advance(&s.world, 20 * US_PER_S);
	peer_say(&p, H END "GET /now HTTP/1.1\r\n");
	CHECK_GOT(&p, "\r\n\r\nnow");
	world_advance(&s.world, 20 * US_PER_S);
	CHECK(!p.closed);
	peer_say(&p, H END);
	CHECK_GOT(&p, "\r\n\r\nnow");
	peer_done(&p);
	scene_done(&s);
}

TEST(a_connection_that_says_nothing_ends)
{
	struct peer silent, idle;
	struct scene s;

	scene_init(&s, "limits: { http_idle_timeout: 2m }", "");
	peer_open_web(&silent, &s.world, 0, "http", NULL);
	peer_open_web(&idle, &s.world, 0, "http", NULL);
	peer_say(&idle, GET("/now"));
	world_advance(&s.world, 29 * US_PER_S);
	CHECK(!silent.closed);
	world_advance(&s.world, 2 * US_PER_S);
	CHECK(silent.closed);
	CHECK_INT(silent.got.n, 0);
	world_advance(&s.world, 88 * US_PER_S);
	CHECK(!idle.closed);
	world_advance(&s.world, 2 * US_PER_S);
	CHECK(idle.closed);
	peer_done(&silent);
	peer_done(&idle);
	scene_done(&s);
}

/* Says n bytes each second, for so long or until there is an answer. */
static void
say_slowly(struct scene *s, struct peer *p, size_t n, int seconds)
{
	char part[4096];

	memset(part, 'x', sizeof(part));
	for (int i = 0; i < seconds && !p->closed && p->got.n == 0; i++) {
		peer_say_n(p, part, n);
		world_advance(&s->world, US_PER_S);
	}
}

TEST(a_body_has_to_move)
{
	struct peer slow, fast;
	struct scene s;

	scene_init(&s, "", "");
	peer_open_web(&slow, &s.world, 0, "http", NULL);
	peer_open_web(&fast, &s.world, 0, "http", NULL);
	peer_say(&slow, "PUT /put HTTP/1.1\r\n" H
		"Content-Length: 1000000\r\n\r\n");
	peer_say(&fast, "PUT /put HTTP/1.1\r\n" H
		"Content-Length: 131072\r\n\r\n");
	say_slowly(&s, &slow, 1000, 40);
	CHECK_GOT(&slow, "HTTP/1.1 408 ", "Connection: close");
	CHECK(slow.closed);
	CHECK_INT(scene_log.gone, 2); /* the other has said nothing meanwhile */
	CHECK_INT(scene_log.done, 2);
	CHECK(fast.closed);
	peer_done(&fast);
	peer_open_web(&fast, &s.world, 0, "http", NULL);
	peer_say(&fast, "PUT /put HTTP/1.1\r\n" H
		"Content-Length: 131072\r\n\r\n");
	say_slowly(&s, &fast, 1024, 200);
	CHECK_GOT(&fast, "HTTP/1.1 201 ");
	peer_done(&slow);
	peer_done(&fast);
	scene_done(&s);
}

TEST(the_time_of_a_body_does_not_run_while_the_handler_rests)
{
	struct scene s;
	struct peer p;
	struct http_request *r;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "PUT /hold HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n");
	r = scene_log.held;
	world_advance(&s.world, 100 * US_PER_S);
	CHECK(!p.closed);
	CHECK(http_want_body(r, 10));
	http_pause(r);
	world_advance(&s.world, 100 * US_PER_S);
	CHECK(!p.closed);
	http_resume(r);
	world_settle(&s.world);
	peer_say(&p, "abc");
	CHECK_GOT(&p, "HTTP/1.1 201 ");
	http_let_go(r);
	peer_done(&p);
	scene_done(&s);
}

TEST(an_answer_has_to_be_taken)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	conn_mem_take(p.conn, 0);
	peer_say(&p, GET("/parts?100"));
	world_advance(&s.world, 29 * US_PER_S);
	CHECK(!p.closed);
	conn_mem_take(p.conn, 40000);
	world_advance(&s.world, 3 * US_PER_S);
	CHECK(!p.closed);
	world_advance(&s.world, 60 * US_PER_S);
	CHECK(p.closed);
	CHECK_INT(scene_log.gone, 1);
	peer_done(&p);
	scene_done(&s);
}

/* --- gone, and the end ------------------------------------------------------------ */

TEST(a_client_that_goes_is_told_to_the_handler_once)
{
	struct scene s;
	struct peer p;
	struct http_request *r;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "PUT /hold HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n");
	r = scene_log.held;
	CHECK(http_want_body(r, 10));
	world_settle(&s.world);
	peer_done(&p);
	CHECK_INT(scene_log.gone, 1);
	CHECK_INT(scene_log.done, 0);
	CHECK(http_is_gone(r));
	CHECK_INT(atomic_load(&s.entry.pending), 1);
	http_answer(r, 200, NULL, STR("for nobody"));
	http_pause(r);
	http_resume(r);
	http_let_go(r);
	world_settle(&s.world);
	CHECK_INT(scene_log.gone, 1);
	CHECK_INT(scene_log.done, 1);
	CHECK_INT(atomic_load(&s.entry.pending), 0);
	scene_done(&s);
}

static const char reload_with[] =
	"storage: { driver: memory }\nhosts: { example.org: {}, example.net: {} }";
static const char reload_without[] =
	"storage: { driver: memory }\nhosts: { example.net: {} }";

TEST(a_reload_that_takes_the_module_ends_its_requests)
{
	static const char *const reloads[] = { reload_with, reload_without };

	for (size_t i = 0; i < COUNT(reloads); i++) {
		struct scene s;
		struct peer held, body, idle, part, page;
		struct http_request *r;

		test_case_number("reload", (unsigned)i);
		scene_init(&s, "", "");
		peer_open_web(&held, &s.world, 0, "http", NULL);
		peer_open_web(&body, &s.world, 0, "http", NULL);
		peer_open_web(&idle, &s.world, 0, "http", NULL);
		peer_open_web(&part, &s.world, 0, "http", NULL);
		peer_open_web(&page, &s.world, 0, "http", NULL);
		peer_say(&idle, GET("/now"));
		peer_say(&held, GET("/hold"));
		peer_say(&body, "PUT /put HTTP/1.1\r\n" H
			"Content-Length: 9\r\n\r\nabc");
		conn_mem_take(part.conn, 0);
		peer_say(&part, GET("/parts?100"));
		peer_say(&page, "GET /now HTTP/1.1\r\n");
		r = scene_log.held;
		world_reload(&s.world, reloads[i]);
		CHECK_GOT(&held, "HTTP/1.1 503 ", "Connection: close");
		CHECK_GOT(&body, "HTTP/1.1 503 ", "Connection: close");
		CHECK(held.closed && body.closed && part.closed);
		CHECK(!idle.closed && !page.closed);
		CHECK(http_is_gone(r) && http_module(r) == NULL);
		CHECK_INT(atomic_load(&s.entry.pending), 1);
		http_let_go(r);
		world_settle(&s.world);
		CHECK_INT(atomic_load(&s.entry.pending), 0);
		CHECK_INT(atomic_load(&s.entry.refs), 0);
		peer_say(&page, H END);
		CHECK_GOT(&page, "HTTP/1.1 404 ");
		peer_done(&held);
		peer_done(&body);
		peer_done(&idle);
		peer_done(&part);
		peer_done(&page);
		scene_done(&s);
	}
}

TEST(a_server_that_stops_waits_for_an_answer_but_not_for_long)
{
	struct scene s;
	struct peer held, quick, idle, head;
	struct http_request *r;

	scene_init(&s, "", "");
	peer_open_web(&held, &s.world, 0, "http", NULL);
	peer_open_web(&quick, &s.world, 0, "http", NULL);
	peer_open_web(&idle, &s.world, 0, "http", NULL);
	peer_open_web(&head, &s.world, 0, "http", NULL);
	peer_say(&held, GET("/hold"));
	r = scene_log.held;
	scene_log.held = NULL;
	peer_say(&quick, GET("/hold"));
	peer_say(&idle, GET("/now"));
	peer_say(&head, "GET /no");
	listen_stop(s.world.server->shards[0]);
	world_settle(&s.world);
	CHECK(idle.closed && head.closed);
	CHECK(!held.closed && !quick.closed);
	http_answer(scene_log.held, 200, NULL, STR("still"));
	http_let_go(scene_log.held);
	world_settle(&s.world);
	CHECK_GOT(&quick, "Connection: close", "still");
	CHECK(quick.closed);
	world_advance(&s.world, 6 * US_PER_S);
	CHECK(held.closed);
	CHECK_INT(scene_log.gone, 1);
	http_let_go(r);
	world_settle(&s.world);
	peer_done(&held);
	peer_done(&quick);
	peer_done(&idle);
	peer_done(&head);
	scene_done(&s);
}

/* --- CORS ------------------------------------------------------------------------- */

#define PREFLIGHT                                                              \
	"OPTIONS /put/x HTTP/1.1\r\n" H                                        \
	"Origin: https://chat.example\r\n"                                     \
	"Access-Control-Request-Method: PUT\r\n"                               \
	"Access-Control-Request-Headers: authorization\r\n\r\n"
#define FROM(origin)                                                           \
	"PUT /put/x HTTP/1.1\r\n" H "Origin: " origin                          \
	"\r\nContent-Length: 0\r\n\r\n"

static const struct {
	const char *name, *host, *request;
	const char *has[4];
	const char *lacks;
} cors_cases[] = {
	{ "a preflight", "", PREFLIGHT,
		{ "HTTP/1.1 204 ", "Access-Control-Allow-Origin: *\r\n",
			"Access-Control-Allow-Methods: PUT, OPTIONS\r\n",
			"Access-Control-Allow-Headers: Authorization, Content-Type\r\n" },
		"Credentials" },
	{ "an answer", "", FROM("https://chat.example"),
		{ "HTTP/1.1 201 ", "Access-Control-Allow-Origin: *\r\n",
			"Access-Control-Expose-Headers: Location\r\n" },
		"Vary" },
	{ "an error", "",
		"PUT /put/x HTTP/1.1\r\n" H
		"Origin: https://chat.example\r\nContent-Length: 2000000\r\n\r\n",
		{ "HTTP/1.1 413 ", "Access-Control-Allow-Origin: *\r\n" },
		"Credentials" },
	{ "a method that is not there", "",
		"DELETE /put/x HTTP/1.1\r\n" H
		"Origin: https://chat.example\r\n\r\n",
		{ "HTTP/1.1 405 ", "Access-Control-Allow-Origin: *\r\n" },
		"Credentials" },
	{ "a route without", "",
		"GET /now HTTP/1.1\r\n" H "Origin: https://chat.example\r\n\r\n",
		{ "HTTP/1.1 200 " }, "Access-Control" },
	{ "one origin", ", cors_origins: \"https://chat.example\"",
		PREFLIGHT,
		{ "HTTP/1.1 204 ",
			"Access-Control-Allow-Origin: https://chat.example\r\n",
			"Vary: Origin\r\n" },
		"Origin: *" },
	{ "another one", ", cors_origins: \"https://chat.example\"",
		FROM("https://evil.example"),
		{ "HTTP/1.1 201 ", "Vary: Origin\r\n" }, "Access-Control" },
	{ "one that has it in itself", ", cors_origins: \"https://chat.example\"",
		FROM("https://chat.example.evil.example"), { "HTTP/1.1 201 " },
		"Access-Control" },
	{ "none at all", ", cors_origins: []", PREFLIGHT, { "HTTP/1.1 204 " },
		"Access-Control" },
};

TEST(pages_of_other_origins_may_what_the_route_says)
{
	for (size_t i = 0; i < COUNT(cors_cases); i++) {
		struct scene s;
		struct peer p;

		TEST_CASE(cors_cases[i].name);
		scene_init(&s, "", cors_cases[i].host);
		peer_open_web(&p, &s.world, 0, "https", NULL);
		peer_say(&p, cors_cases[i].request);
		for (size_t k = 0; k < 4 && cors_cases[i].has[k] != NULL; k++)
			if (!peer_has(&p, cors_cases[i].has[k]))
				test_fail(__FILE__, __LINE__,
					"\"%s\" is not in: %s",
					cors_cases[i].has[k], buf_c(&p.got));
		CHECK(!peer_has(&p, cors_cases[i].lacks));
		peer_done(&p);
		scene_done(&s);
	}
}

/* --- what the server says of itself ------------------------------------------------ */

static void
on_refused(void *arg, bool ok, const struct err *err)
{
	(void)arg;
	(void)err;
	CHECK(!ok);
}

static void
disk_fills(struct world *w)
{
	struct store_tx *tx = store_tx_new();

	store_set_full(w->server->store, true);
	store_tx_set(tx, server_map(), STR("x"), STR("y"));
	shard_commit(w->server->shards[0], tx, on_refused, NULL);
	world_settle(w);
}

TEST(health_is_bad_while_the_disk_takes_no_writes)
{
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "http", NULL);
	disk_fills(&s.world);
	peer_say(&p, GET("/health"));
	CHECK_GOT(&p, "HTTP/1.1 503 ");
	peer_done(&p);
	scene_done(&s);
}

TEST(hsts_is_said_over_tls_and_only_if_it_is_wanted)
{
	static const struct {
		const char *host, *kind;
		bool said;
	} cases[] = {
		{ "", "https", false },
		{ ", hsts: yes", "https", true },
		{ ", hsts: yes", "http", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s;
		struct peer p;

		test_case_number("case", (unsigned)i);
		scene_init(&s, "", cases[i].host);
		peer_open_web(&p, &s.world, 0, cases[i].kind, NULL);
		peer_say(&p, GET("/"));
		CHECK_INT(peer_has(&p,
				  "Strict-Transport-Security: max-age=31536000\r\n"),
			cases[i].said);
		peer_done(&p);
		scene_done(&s);
	}
}

static int64_t
bytes_of(enum memuse what)
{
	return (int64_t)memuse_sum(what).bytes;
}

TEST(an_idle_connection_has_no_parser_and_no_buffer_and_all_of_it_is_counted)
{
	struct scene s;
	struct peer p;
	int64_t before, idle;

	scene_init(&s, "", "");
	before = bytes_of(MEMUSE_STREAM);
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\na");
	CHECK(bytes_of(MEMUSE_HTTP) > 1000);
	peer_say(&p, "bc");
	CHECK_GOT(&p, "\r\n\r\n3:abc");
	CHECK_INT(bytes_of(MEMUSE_HTTP), 0);
	idle = bytes_of(MEMUSE_STREAM) - before;
	CHECK(idle >= (int64_t)sizeof(struct http_conn) + 100);
	CHECK(idle < 600);
	peer_done(&p);
	CHECK_INT(bytes_of(MEMUSE_STREAM), before);
	scene_done(&s);
}

TEST(requests_and_answers_are_counted)
{
	struct shard_stats *st;
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	st = &s.world.server->shards[0]->stats;
	peer_open_web(&p, &s.world, 0, "http", NULL);
	peer_say(&p, GET("/now") GET("/nowhere"));
	peer_say(&p, "POST /echo HTTP/1.1\r\n" H
		"Content-Length: 5\r\n\r\nhello");
	CHECK_INT(st->http_connections, 1);
	CHECK_INT(st->http_requests, 3);
	CHECK_INT(st->http_2xx, 2);
	CHECK_INT(st->http_4xx, 1);
	CHECK_INT(st->http_bytes_in, 5);
	CHECK(st->http_bytes_out > 600);
	peer_done(&p);
	CHECK_INT(st->http_connections, 0);
	scene_done(&s);
}

/* --- whose first bytes these are ----------------------------------------------------- */

static const struct {
	const char *first;
	enum listen_verdict verdict;
} first_cases[] = {
	{ "", LISTEN_MORE }, { "G", LISTEN_MORE }, { "GET", LISTEN_MORE },
	{ "GET ", LISTEN_MINE }, { "GET / HTTP/1.1\r\n", LISTEN_MINE },
	{ "GETS ", LISTEN_NOT_MINE }, { "get ", LISTEN_NOT_MINE },
	{ "P", LISTEN_MORE }, { "PUT /", LISTEN_MINE },
	{ "OPTIONS * ", LISTEN_MINE }, { "PRI * HTTP/2.0", LISTEN_MINE },
	{ "<", LISTEN_NOT_MINE }, { "<?xml ", LISTEN_NOT_MINE },
	{ "\x16\x03\x01", LISTEN_NOT_MINE }, { "\5\1", LISTEN_NOT_MINE },
	{ " GET ", LISTEN_NOT_MINE },
};

TEST(http_recognise_knows_a_request_by_its_method)
{
	for (size_t i = 0; i < COUNT(first_cases); i++) {
		TEST_CASE(first_cases[i].first);
		CHECK_INT(http_recognise(str_c(first_cases[i].first)),
			first_cases[i].verdict);
	}
}

TEST_MAIN
