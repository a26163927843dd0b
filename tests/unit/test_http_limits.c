/*
 * test_http_limits.c - what requests by HTTP may take of what all share, and what those
 * are told who want more.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/tally.h"
#include "net/conn.h"
#include "core/budget.h"
#include "core/host.h"
#include "core/server.h"
#include "http/http_route.h"

#include "http_scene.h"
#include "test.h"

#define H "Host: example.org\r\n"
#define END "\r\n"
#define ORIGIN "Origin: https://chat.example\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H END

/* --- memory -------------------------------------------------------------------- */

/* n bytes of a head that does not end. */
static void
say_head(struct peer *p, size_t n)
{
	char *text = xmalloc(n);

	peer_say(p, "GET /now HTTP/1.1\r\n" H);
	memset(text, 'x', n);
	memcpy(text, "X: ", 3);
	for (size_t at = 0; at < n && !p->closed; at += 30000)
		peer_say_n(p, text + at, MIN(n - at, 30000));
	free(text);
}

static int64_t
share_of(const struct peer *p)
{
	return share_bytes(conn_share(p->conn));
}

TEST(what_requests_hold_counts_in_the_share_of_their_address)
{
	struct scene s;
	struct peer p, other;

	scene_init(&s, "limits: { http_head_bytes: 1MiB }", "");
	peer_open_web(&p, &s.world, 0, "https", "192.0.2.1");
	peer_open_web(&other, &s.world, 0, "https", "192.0.2.2");
	peer_say(&other, "POST /echo HTTP/1.1\r\n" H
		"Content-Length: 3\r\n\r\na");
	say_head(&p, 500000);
	CHECK(share_of(&p) >= 500000);
	CHECK(share_of(&p) <= memuse_bytes(MEMUSE_BIT(MEMUSE_HTTP)));
	CHECK(budget_waiting() >= memuse_bytes(MEMUSE_BIT(MEMUSE_HTTP)));
	CHECK(share_of(&other) > 1000);
	CHECK(share_of(&other) < 10000);
	peer_say(&other, "bc");
	CHECK_GOT(&other, "\r\n\r\n3:abc");
	CHECK_INT(share_of(&other), 0);
	peer_say(&p, END END);
	CHECK_GOT(&p, "\r\n\r\nnow");
	CHECK_INT(share_of(&p), 0);
	peer_done(&p);
	peer_done(&other);
	scene_done(&s);
}

/* One that its handler holds counts when its client has gone, too. */
TEST(what_is_held_counts_until_it_is_let_go)
{
	struct scene s;
	struct share *share;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "https", "192.0.2.1");
	share = conn_share(p.conn);
	peer_say(&p, "PUT /hold HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n");
	CHECK(share_bytes(share) > 1000);
	CHECK(http_want_body(scene_log.held, 10));
	world_settle(&s.world);
	peer_done(&p);
	CHECK(http_is_gone(scene_log.held));
	CHECK(share_bytes(share) > 1000);
	http_let_go(scene_log.held);
	world_settle(&s.world);
	CHECK_INT(share_bytes(share), 0);
	CHECK_INT(memuse_bytes(MEMUSE_BIT(MEMUSE_HTTP)), 0);
	scene_done(&s);
}

/* A proxy is nobody. */
TEST(what_a_proxy_asks_counts_in_the_share_of_its_client)
{
	struct share *proxy;
	struct scene s;
	struct peer p;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "https", "127.0.0.1");
	proxy = conn_share(p.conn);
	peer_say(&p, "GET /hold HTTP/1.1\r\n" H);
	CHECK(share_bytes(proxy) > 1000);
	peer_say(&p, "X-Forwarded-For: 203.0.113.9\r\n" END);
	CHECK(conn_share(p.conn) != proxy);
	CHECK_INT(share_bytes(proxy), 0);
	CHECK(share_of(&p) > 1000);
	http_answer(scene_log.held, 200, NULL, STR("x"));
	http_let_go(scene_log.held);
	world_settle(&s.world);
	CHECK_INT(share_of(&p), 0);
	peer_done(&p);
	scene_done(&s);
}

#define HOGS 6

TEST(who_asks_for_more_than_there_is_memory_costs_nobody_else)
{
	struct peer hogs[HOGS], late, other;
	size_t open = 0;
	struct scene s;

	scene_init(&s, "limits: { memory: 4MiB, http_head_bytes: 1MiB }", "");
	peer_open_web(&other, &s.world, 0, "https", "192.0.2.2");
	peer_open_web(&late, &s.world, 0, "https", "192.0.2.1");
	for (size_t i = 0; i < HOGS; i++) {
		peer_open_web(&hogs[i], &s.world, 0, "https", "192.0.2.1");
		say_head(&hogs[i], 900000);
	}
	CHECK(budget_waiting() > 4 << 20);
	world_advance(&s.world, 10 * US_PER_MS);
	peer_say(&late, GET("/now"));
	CHECK_GOT(&late, "HTTP/1.1 503 ", "Retry-After: 10\r\n");
	/* a page of another origin is told so, too */
	peer_say(&late, "OPTIONS /put/x HTTP/1.1\r\n" H ORIGIN
		"Access-Control-Request-Method: PUT\r\n" END);
	CHECK_GOT(&late, "HTTP/1.1 204 ",
		"Access-Control-Allow-Methods: PUT, OPTIONS\r\n");
	peer_say(&late, "PUT /put/x HTTP/1.1\r\n" H ORIGIN
		"Content-Length: 1\r\n" END "x");
	CHECK_GOT(&late, "HTTP/1.1 503 ", "Access-Control-Allow-Origin: *\r\n");
	peer_say(&other, GET("/now"));
	CHECK_GOT(&other, "HTTP/1.1 200 ");
	world_advance(&s.world, 1500 * US_PER_MS);
	for (size_t i = 0; i < HOGS; i++)
		open += !hogs[i].closed;
	CHECK_INT(open, 0);
	CHECK(budget_waiting() < 1 << 20);
	peer_say(&other, GET("/now"));
	CHECK_GOT(&other, "HTTP/1.1 200 ");
	peer_done(&late);
	peer_open_web(&late, &s.world, 0, "https", "192.0.2.1");
	peer_say(&late, GET("/now"));
	CHECK_GOT(&late, "HTTP/1.1 200 ");
	for (size_t i = 0; i < HOGS; i++)
		peer_done(&hogs[i]);
	peer_done(&late);
	peer_done(&other);
	scene_done(&s);
}

/* --- files ------------------------------------------------------------------------ */

#define FILES 4

static struct http_request *fetched[FILES];
static size_t n_fetched;

/* As if it was being opened. */
static void
on_fetch(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	if (!http_want_file(r))
		return;
	http_hold(r);
	CHECK(n_fetched < FILES);
	fetched[n_fetched++] = r;
}

static const struct http_route file_routes[] = {
	{ .prefix = "/file", .methods = HTTP_ALLOW_GET, .begin = on_fetch },
	{ .prefix = NULL },
};

static void
files_init(struct scene *s)
{
	struct snapshot *snap;
	struct err err = ERR_INIT;

	n_fetched = 0;
	scene_init(s, "limits: { http_files_per_address: 2 }", "");
	snap = s->world.server->newest;
	CHECK(http_routes_add(&snapshot_host(snap, STR("example.org"))->routes,
		snap->arena, file_routes, s->m, &err));
}

static void
fetch_end(struct scene *s, size_t i)
{
	http_answer(fetched[i], 200, NULL, STR("file"));
	http_let_go(fetched[i]);
	world_settle(&s->world);
}

static const struct {
	const char *name;
	const char *one, *same, *other; /* addresses */
	const char *for_one, *for_same, *for_other; /* whom a proxy asks for */
} file_cases[] = {
	{ "IPv4", "192.0.2.1", "192.0.2.1", "192.0.2.2", "", "", "" },
	{ "IPv6", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "", "", "" },
	{ "a proxy", "127.0.0.1", "127.0.0.1", "127.0.0.1",
		"X-Forwarded-For: 203.0.113.1\r\n",
		"X-Forwarded-For: 203.0.113.1\r\n",
		"X-Forwarded-For: 203.0.113.2\r\n" },
};

#define FETCH "GET /file HTTP/1.1\r\n" H

static void
fetch(struct peer *p, const char *for_whom)
{
	struct buf ask = BUF_INIT;

	buf_printf(&ask, FETCH "%s" END, for_whom);
	peer_say(p, buf_c(&ask));
	buf_done(&ask);
}

TEST(one_address_fetches_so_many_files_at_once)
{
	for (size_t i = 0; i < COUNT(file_cases); i++) {
		struct peer p[4];
		struct scene s;

		TEST_CASE(file_cases[i].name);
		files_init(&s);
		for (size_t k = 0; k < COUNT(p); k++)
			peer_open_web(&p[k], &s.world, 0, "https",
				k == 3	       ? file_cases[i].other :
					k == 0 ? file_cases[i].one :
						 file_cases[i].same);
		fetch(&p[0], file_cases[i].for_one);
		fetch(&p[1], file_cases[i].for_same);
		CHECK_INT(n_fetched, 2);
		fetch(&p[2], file_cases[i].for_same);
		CHECK_GOT(&p[2], "HTTP/1.1 429 Too Many Requests",
			"Retry-After: 10\r\n");
		fetch(&p[3], file_cases[i].for_other);
		CHECK_INT(n_fetched, 3);
		fetch_end(&s, 0);
		CHECK_GOT(&p[0], "HTTP/1.1 200 ");
		fetch(&p[2], file_cases[i].for_same);
		CHECK_INT(n_fetched, 4);
		for (size_t k = 1; k < n_fetched; k++)
			fetch_end(&s, k);
		for (size_t k = 0; k < COUNT(p); k++)
			peer_done(&p[k]);
		scene_done(&s);
	}
}

/* The next one by the same connection is another one. */
TEST(a_file_counts_until_it_is_fetched_or_its_client_has_gone)
{
	struct peer p[3];
	struct scene s;

	files_init(&s);
	for (size_t k = 0; k < COUNT(p); k++)
		peer_open_web(&p[k], &s.world, 0, "https", "192.0.2.1");
	peer_say(&p[0], FETCH END);
	peer_say(&p[1], FETCH END FETCH END);
	CHECK_INT(n_fetched, 2);
	fetch_end(&s, 1);
	CHECK_INT(n_fetched, 3);
	peer_say(&p[2], FETCH END);
	CHECK_GOT(&p[2], "HTTP/1.1 429 ");
	/* while it is opened, it is open */
	conn_abort(p[0].conn);
	world_settle(&s.world);
	peer_say(&p[2], FETCH END);
	CHECK_GOT(&p[2], "HTTP/1.1 429 ");
	http_let_go(fetched[0]);
	world_settle(&s.world);
	peer_say(&p[2], FETCH END);
	CHECK_INT(n_fetched, 4);
	fetch_end(&s, 2);
	fetch_end(&s, 3);
	for (size_t k = 0; k < COUNT(p); k++)
		peer_done(&p[k]);
	CHECK_INT(tally_count(s.world.server->connections,
			  STR("f\xc0\x00\x02\x01")), 0);
	scene_done(&s);
}

TEST_MAIN
