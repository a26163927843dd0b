/*
 * test_http_file.c - answers that are files: conditions and ranges.
 *
 * The file is of 26 bytes, was changed on 9 November 1994, and has the tag "v1".
 */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/conn.h"
#include "core/listen.h"
#include "core/server.h"
#include "http/http_port.h"
#include "http/http_parse.h"
#include "http/http_route.h"
#include "disk_world.h"

#include "http_scene.h"
#include "test.h"

#define TEXT "abcdefghijklmnopqrstuvwxyz"
/* A Wednesday, which begins as a weak tag does. */
#define CHANGED_S 784370977
#define LAST "Last-Modified: Wed, 09 Nov 1994 08:49:37 GMT\r\n"
#define DAY_BEFORE "Tue, 08 Nov 1994 08:49:37 GMT"
#define THE_DAY "Wed, 09 Nov 1994 08:49:37 GMT"
#define DAY_AFTER "Thu, 10 Nov 1994 08:49:37 GMT"

static struct disk_world disk;
static bool has_tag, is_gone;
static const char *name_of_file;

static void
on_opened(void *arg, struct disk_file *f, const struct err *why)
{
	static const struct http_field fields[] = {
		{ "Content-Type", STR("video/mp4") },
		{ "Content-Disposition", STR("attachment") },
		{ "Cache-Control", STR("max-age=1") },
		{ .name = NULL },
	};
	struct http_request *r = arg;
	struct http_file file = {
		.file = f,
		.size = f != NULL ? disk_file_size(f) : 0,
		.changed_us = has_tag ? CHANGED_S * US_PER_S : 0,
		.etag = has_tag ? STR("\"v1\"") : STR_NONE,
	};

	CHECK(why == NULL);
	http_answer_file(r, &file, fields);
	http_let_go(r);
}

static void
on_begin(struct module_ctx *m, struct http_request *r)
{
	struct err err = ERR_INIT;

	(void)m;
	CHECK(http_want_file(r));
	http_hold(r);
	CHECK(disk_open(disk.dir, str_c(name_of_file), &r->shard->mailbox,
		on_opened, r, &err));
}

static void
on_gone(struct http_request *r)
{
	(void)r;
	is_gone = true;
}

static const struct http_route routes[] = {
	{ .prefix = "/file", .methods = HTTP_ALLOW_GET, .begin = on_begin,
		.gone = on_gone },
	{ .prefix = NULL },
};

static void
make_file(const char *name, const char *text, size_t n, unsigned times)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", disk.path, name);
	f = fopen(path, "w");
	CHECK(f != NULL);
	while (times-- > 0)
		CHECK_INT(fwrite(text, 1, n, f), n);
	fclose(f);
}

struct link {
	struct scene s;
};

static void
link_init(struct link *l)
{
	struct snapshot *snap;
	struct err err = ERR_INIT;

	memset(l, 0, sizeof(*l));
	scene_init(&l->s, "limits: { http_idle_timeout: 1h }", "");
	snap = l->s.world.server->newest;
	CHECK(http_routes_add(&snapshot_host(snap, STR("example.org"))->routes,
		snap->arena, routes, l->s.m, &err));
	disk_world_init(&disk, 0);
	make_file("letters", TEXT, 26, 1);
	make_file("empty", "", 0, 0);
	name_of_file = "letters";
	has_tag = true;
	is_gone = false;
}

static void
link_done(struct link *l)
{
	scene_done(&l->s);
	disk_world_done(&disk);
}

static void
ask(struct link *l, struct peer *p, const char *method, const char *fields)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s /file HTTP/1.1\r\nHost: example.org\r\n%s\r\n",
		method, fields);
	peer_say_n(p, text.p, text.n);
	for (int i = 0; i < 100000 && p->got.n == 0 && !p->closed; i++) {
		mailbox_drain(&disk.box, NULL, 64);
		world_settle(&l->s.world);
	}
	buf_done(&text);
}

static const struct file_case {
	const char *name, *method, *fields;
	const char *first;
	const char *has[3];
	const char *body; /* NULL: none */
	const char *lacks;
} cases[] = {
	{ "all", "GET", "", "HTTP/1.1 200 OK",
		{ "Content-Length: 26\r\n", "ETag: \"v1\"\r\n", LAST }, TEXT,
		"no-store" },
	{ "what its handler says", "GET", "", "HTTP/1.1 200 OK",
		{ "Content-Type: video/mp4\r\n", "Cache-Control: max-age=1\r\n",
			"Accept-Ranges: bytes\r\n" }, TEXT, "Content-Range" },
	{ "its head", "HEAD", "", "HTTP/1.1 200 OK",
		{ "Content-Length: 26\r\n", "ETag: \"v1\"\r\n" }, NULL, "abc" },
	{ "a part", "GET", "Range: bytes=2-4\r\n", "HTTP/1.1 206 ",
		{ "Content-Length: 3\r\n", "Content-Range: bytes 2-4/26\r\n",
			"ETag: \"v1\"\r\n" }, "cde", NULL },
	{ "from there on", "GET", "Range: bytes=20-\r\n", "HTTP/1.1 206 ",
		{ "Content-Range: bytes 20-25/26\r\n" }, "uvwxyz", NULL },
	{ "the last", "GET", "Range: bytes=-3\r\n", "HTTP/1.1 206 ",
		{ "Content-Range: bytes 23-25/26\r\n" }, "xyz", NULL },
	{ "several parts", "GET", "Range: bytes=1-2,4-5\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, "Content-Range" },
	{ "one behind the end", "GET", "Range: bytes=26-\r\n",
		"HTTP/1.1 416 ", { "Content-Range: bytes */26\r\n" }, NULL,
		"video/mp4" },
	{ "a part of the head", "HEAD", "Range: bytes=2-4\r\n",
		"HTTP/1.1 200 ", { "Content-Length: 26\r\n" }, NULL, NULL },
	{ "a unit that is none", "GET", "Range: lines=2-4\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "If-None-Match", "GET", "If-None-Match: \"x\", W/\"v1\"\r\n",
		"HTTP/1.1 304 ", { "ETag: \"v1\"\r\n",
			"Cache-Control: max-age=1\r\n" }, NULL, "Content-Type:" },
	{ "of the head", "HEAD", "If-None-Match: \"v1\"\r\n", "HTTP/1.1 304 ",
		{ NULL }, NULL, "Content-Length" },
	{ "another one", "GET", "If-None-Match: \"v2\"\r\n", "HTTP/1.1 200 ",
		{ NULL }, TEXT, NULL },
	{ "any", "GET", "If-None-Match: *\r\n", "HTTP/1.1 304 ", { NULL },
		NULL, NULL },
	{ "in a second header", "GET",
		"If-None-Match: \"x\"\r\nIf-None-Match: \"v1\"\r\n",
		"HTTP/1.1 304 ", { NULL }, NULL, NULL },
	{ "before a date", "GET",
		"If-None-Match: \"v2\"\r\nIf-Modified-Since: " DAY_AFTER "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "If-Modified-Since", "GET", "If-Modified-Since: " THE_DAY "\r\n",
		"HTTP/1.1 304 ", { LAST }, NULL, NULL },
	{ "an older date", "GET", "If-Modified-Since: " DAY_BEFORE "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "no date", "GET", "If-Modified-Since: yesterday\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "If-Match", "GET", "If-Match: \"v1\"\r\n", "HTTP/1.1 200 ", { NULL },
		TEXT, NULL },
	{ "a weak one", "GET", "If-Match: W/\"v1\"\r\n", "HTTP/1.1 412 ",
		{ NULL }, NULL, "video/mp4" },
	{ "If-Unmodified-Since", "GET",
		"If-Unmodified-Since: " DAY_BEFORE "\r\n", "HTTP/1.1 412 ",
		{ NULL }, NULL, NULL },
	{ "the same, later", "GET", "If-Unmodified-Since: " THE_DAY "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "a condition before a range", "GET",
		"If-None-Match: \"v1\"\r\nRange: bytes=2-4\r\n",
		"HTTP/1.1 304 ", { NULL }, NULL, NULL },
	{ "If-Range", "GET", "If-Range: \"v1\"\r\nRange: bytes=2-4\r\n",
		"HTTP/1.1 206 ", { NULL }, "cde", NULL },
	{ "of another one", "GET", "If-Range: \"v2\"\r\nRange: bytes=2-4\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "a weak one of a range", "GET",
		"If-Range: W/\"v1\"\r\nRange: bytes=2-4\r\n", "HTTP/1.1 200 ",
		{ NULL }, TEXT, NULL },
	{ "by its date", "GET",
		"If-Range: " THE_DAY "\r\nRange: bytes=2-4\r\n",
		"HTTP/1.1 206 ", { NULL }, "cde", NULL },
	{ "by a later date", "GET",
		"If-Range: " DAY_AFTER "\r\nRange: bytes=2-4\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	/* RFC 9110 §13.2.2: each before the next one */
	{ "If-Match before all", "GET",
		"If-Match: \"v2\"\r\nIf-None-Match: \"v1\"\r\n"
		"Range: bytes=99-\r\n",
		"HTTP/1.1 412 ", { NULL }, NULL, "Content-Range" },
	{ "If-Match in place of a date", "GET",
		"If-Match: \"v1\"\r\nIf-Unmodified-Since: " DAY_BEFORE "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "a date before If-None-Match", "GET",
		"If-Unmodified-Since: " DAY_BEFORE
		"\r\nIf-None-Match: \"v1\"\r\n",
		"HTTP/1.1 412 ", { NULL }, NULL, NULL },
	{ "If-None-Match in place of a date", "GET",
		"If-None-Match: \"v1\"\r\nIf-Modified-Since: " DAY_BEFORE
		"\r\n",
		"HTTP/1.1 304 ", { NULL }, NULL, NULL },
	{ "If-Range behind all", "GET",
		"If-None-Match: \"v2\"\r\nIf-Range: \"v1\"\r\n"
		"Range: bytes=2-4\r\n",
		"HTTP/1.1 206 ", { NULL }, "cde", NULL },
	{ "what is behind the end of another one", "GET",
		"If-Range: \"v2\"\r\nRange: bytes=99-\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "If-Range alone", "GET", "If-Range: \"v2\"\r\n", "HTTP/1.1 200 ",
		{ NULL }, TEXT, NULL },
	/* §13.1.3 to §13.1.5, §14.2: a list is none */
	{ "two dates", "GET",
		"If-Modified-Since: " THE_DAY "\r\n"
		"If-Modified-Since: " THE_DAY "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "two others", "GET",
		"If-Unmodified-Since: " DAY_BEFORE "\r\n"
		"If-Unmodified-Since: " THE_DAY "\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "two of a range", "GET",
		"If-Range: \"v1\"\r\nIf-Range: \"v2\"\r\n"
		"Range: bytes=2-4\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
	{ "two ranges", "GET",
		"Range: bytes=2-4\r\nRange: bytes=5-6\r\n",
		"HTTP/1.1 200 ", { NULL }, TEXT, NULL },
};

static void
check_file(const struct file_case *c, struct peer *p)
{
	const char *got = buf_c(&p->got);
	const char *body = strstr(got, "\r\n\r\n");

	if (strncmp(got, c->first, strlen(c->first)) != 0)
		test_fail(__FILE__, __LINE__, "it begins so: %.200s", got);
	for (size_t i = 0; i < COUNT(c->has) && c->has[i] != NULL; i++)
		if (!peer_has(p, c->has[i]))
			test_fail(__FILE__, __LINE__, "\"%s\" is not in: %s",
				c->has[i], got);
	if (c->lacks != NULL && peer_has(p, c->lacks))
		test_fail(__FILE__, __LINE__, "\"%s\" is in: %s", c->lacks,
			got);
	CHECK(body != NULL);
	if (c->body != NULL)
		CHECK_CSTR(body + 4, c->body);
	else
		CHECK(strstr(body, "abc") == NULL);
}

TEST(conditions_and_ranges_are_as_the_table_says)
{
	struct link l;
	struct peer p;

	link_init(&l);
	/* a date is strong when it is not of now */
	clock_manual_advance(&l.s.world.clock, 1000000000 * US_PER_S);
	world_settle(&l.s.world);
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].name);
		ask(&l, &p, cases[i].method, cases[i].fields);
		check_file(&cases[i], &p);
		CHECK(!p.closed);
	}
	peer_done(&p);
	link_done(&l);
}

TEST(an_empty_file_and_one_without_tag_or_date)
{
	struct link l;
	struct peer p;

	link_init(&l);
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	name_of_file = "empty";
	ask(&l, &p, "GET", "");
	CHECK_GOT(&p, "HTTP/1.1 200 ", "Content-Length: 0\r\n");
	ask(&l, &p, "GET", "Range: bytes=0-\r\n");
	CHECK_GOT(&p, "HTTP/1.1 416 ", "bytes */0");
	/* RFC 9110 §14.1.2: the last that there are */
	ask(&l, &p, "GET", "Range: bytes=-5\r\n");
	CHECK_GOT(&p, "HTTP/1.1 200 ", "Content-Length: 0\r\n");
	name_of_file = "letters";
	has_tag = false;
	ask(&l, &p, "GET", "If-None-Match: \"\"\r\n");
	CHECK_GOT(&p, "HTTP/1.1 200 ", TEXT);
	CHECK(!peer_has(&p, "ETag") && !peer_has(&p, "Last-Modified"));
	ask(&l, &p, "GET", "If-None-Match: *\r\n");
	CHECK_GOT(&p, "HTTP/1.1 304 ");
	peer_done(&p);
	link_done(&l);
}

/* RFC 9110 §8.8.2.1; the clock of the test is behind. */
TEST(nothing_was_changed_in_the_future)
{
	struct link l;
	struct peer p;

	link_init(&l);
	l.s.world.clock.wall_us = (CHANGED_S - 1) * US_PER_S;
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	ask(&l, &p, "GET", "");
	CHECK_GOT(&p, "HTTP/1.1 200 ",
		"\r\nDate: Wed, 09 Nov 1994 08:49:36 GMT\r\n",
		"\r\nLast-Modified: Wed, 09 Nov 1994 08:49:36 GMT\r\n");
	peer_done(&p);
	link_done(&l);
}

/* What is behind it comes when all of it has gone. */
TEST(a_file_is_sent_whole_and_then_the_next_request_is_read)
{
	struct link l;
	struct peer p;

	link_init(&l);
	make_file("large", TEXT, 26, 100000);
	name_of_file = "large";
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	peer_say(&p, "GET /file HTTP/1.1\r\nHost: example.org\r\n\r\n"
		     "GET /now HTTP/1.1\r\nHost: example.org\r\n\r\n");
	world_settle(&l.s.world);
	CHECK(p.got.n > 2600000);
	CHECK_GOT(&p, "Content-Length: 2600000\r\n", "\r\n\r\nabcdefg");
	CHECK(memmem(p.got.p + 2600000, p.got.n - 2600000, "\r\n\r\nnow", 7) !=
		NULL);
	peer_done(&p);
	link_done(&l);
}

TEST(a_client_that_goes_within_a_file_leaves_nothing)
{
	struct link l;
	struct peer p;

	link_init(&l);
	make_file("large", TEXT, 26, 100000);
	name_of_file = "large";
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	conn_mem_take(p.conn, 100000);
	peer_say(&p, "GET /file HTTP/1.1\r\nHost: example.org\r\n\r\n");
	world_settle(&l.s.world);
	CHECK(!p.closed);
	peer_done(&p);
	/* all of the answer was the server's already */
	CHECK(!is_gone);
	link_done(&l);
}

TEST(a_reader_of_a_file_has_to_take_it)
{
	struct link l;
	struct peer p;

	link_init(&l);
	make_file("large", TEXT, 26, 100000);
	name_of_file = "large";
	peer_open_web(&p, &l.s.world, 0, "http", NULL);
	conn_mem_take(p.conn, 100000);
	peer_say(&p, "GET /file HTTP/1.1\r\nHost: example.org\r\n\r\n");
	world_advance(&l.s.world, 29 * US_PER_S);
	CHECK(!p.closed);
	world_advance(&l.s.world, 62 * US_PER_S);
	CHECK(p.closed);
	peer_done(&p);
	link_done(&l);
}

TEST_MAIN
