/*
 * test_http_from.c - who asks: what is believed of whom, what counts for whom, and what
 * becomes of requests that came in the clear.
 */
#include "config.h"

#include "http/http_from.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/net_int.h"
#include "conf/conf.h"
#include "core/host.h"
#include "http/http_parse.h"

#include "http_scene.h"
#include "test.h"

#define PROXIES                                                                \
	"proxies: { trusted: [ 192.0.2.1, 127.0.0.0/8, \"2001:db8::/64\" ] }\n"
#define FOR(value) "X-Forwarded-For: " value "\r\n"
#define PROTO(value) "X-Forwarded-Proto: " value "\r\n"

/* --- who it is ------------------------------------------------------------------ */

static const struct from_case {
	const char *name;
	const char *peer; /* NULL: in memory */
	bool tls;
	enum conn_through through;
	const char *fields;
	const char *text; /* how it begins */
	bool has_tls, is_protected, is_forwarded;
} from_cases[] = {
	{ "a stranger", "203.0.113.9", false, CONN_DIRECT, "", "203.0.113.9:",
		false, false, false },
	{ "a stranger, by TLS", "203.0.113.9", true, CONN_DIRECT, "",
		"203.0.113.9:", true, true, false },
	{ "a stranger who says he is another", "203.0.113.9", false,
		CONN_DIRECT, FOR("192.0.2.1") PROTO("https"), "203.0.113.9:",
		false, false, false },
	{ "the same by TLS", "203.0.113.9", true, CONN_DIRECT,
		FOR("127.0.0.1") PROTO("http"), "203.0.113.9:", true, true,
		false },
	{ "in memory", NULL, false, CONN_DIRECT, "", "memory", false, true,
		false },
	{ "this machine", "127.0.0.1", false, CONN_DIRECT, "", "127.0.0.1:",
		false, true, false },
	{ "this machine, for somebody", "127.0.0.1", false, CONN_DIRECT,
		FOR("203.0.113.9"), "203.0.113.9", false, true, true },
	{ "this machine, for somebody by http", "127.0.0.1", false,
		CONN_DIRECT, FOR("203.0.113.9") PROTO("http"), "203.0.113.9",
		false, false, true },
	{ "this machine, for somebody by https", "127.0.0.1", false,
		CONN_DIRECT, FOR("203.0.113.9") PROTO("https"), "203.0.113.9",
		false, true, true },
	{ "this machine, by a WebSocket", "127.0.0.1", false, CONN_DIRECT,
		PROTO("wss"), "127.0.0.1:", false, true, false },
	{ "a proxy, for somebody of IPv6", "192.0.2.1", false, CONN_DIRECT,
		FOR("2001:db8:1::9"), "2001:db8:1::9", false, true, true },
	{ "a proxy of IPv6", "2001:db8::7", false, CONN_DIRECT,
		FOR("[2001:db8:1::9]:4711"), "2001:db8:1::9", false, true,
		true },
	{ "its neighbour", "2001:db8:0:1::7", false, CONN_DIRECT,
		FOR("203.0.113.9"), "[2001:db8:0:1::7]:", false, false,
		false },
	{ "a proxy that has asked by TLS", "192.0.2.1", true, CONN_DIRECT,
		FOR("203.0.113.9"), "203.0.113.9", false, true, true },
	{ "the same for somebody by http", "192.0.2.1", true, CONN_DIRECT,
		FOR("203.0.113.9") PROTO("http"), "203.0.113.9", false, false,
		true },
	{ "two proxies, and what the client has written", "192.0.2.1", false,
		CONN_DIRECT, FOR("10.0.0.1, 203.0.113.9, 127.0.0.1"),
		"203.0.113.9", false, true, true },
	{ "two headers", "192.0.2.1", false, CONN_DIRECT,
		FOR("10.0.0.1") FOR("203.0.113.9"), "203.0.113.9", false, true,
		true },
	{ "what is no address", "192.0.2.1", false, CONN_DIRECT,
		FOR("203.0.113.9, unknown"), "192.0.2.1:", false, true,
		false },
	{ "one of two by http", "192.0.2.1", false, CONN_DIRECT,
		PROTO("https, http"), "192.0.2.1:", false, false, false },
	{ "the other of two", "192.0.2.1", false, CONN_DIRECT,
		PROTO("http") PROTO("https"), "192.0.2.1:", false, false,
		false },
	{ "an empty one", "192.0.2.1", false, CONN_DIRECT, PROTO(""),
		"192.0.2.1:", false, false, false },
	/* by the PROXY protocol: the client is the peer */
	{ "told", "203.0.113.9", false, CONN_PROXIED, "", "203.0.113.9:",
		false, true, false },
	{ "told, who says he is another", "203.0.113.9", false, CONN_PROXIED,
		FOR("192.0.2.1"), "203.0.113.9:", false, true, false },
	{ "told, and by TLS of ours", "203.0.113.9", true, CONN_PROXIED, "",
		"203.0.113.9:", true, true, false },
	{ "the same, who says he is another", "203.0.113.9", true,
		CONN_PROXIED, FOR("192.0.2.1") PROTO("http"), "203.0.113.9:",
		true, true, false },
	{ "told without TLS", "203.0.113.9", false, CONN_PROXIED_PLAIN, "",
		"203.0.113.9:", false, false, false },
	{ "told without TLS of its own", "203.0.113.9", true,
		CONN_PROXIED_PLAIN, "", "203.0.113.9:", true, true, false },
	{ "told another proxy", "192.0.2.1", false, CONN_PROXIED,
		FOR("203.0.113.9"), "203.0.113.9", false, true, true },
	{ "not told", "192.0.2.1", false, CONN_PROXIED_NOBODY,
		FOR("203.0.113.9"), "192.0.2.1:", false, true, false },
};

static struct http_parser *
head_of(const char *fields)
{
	static const struct http_bounds bounds = { 4096, 1024, 20 };
	struct http_parser *p = http_parser_new(&bounds);
	struct buf text = BUF_INIT;
	struct str in, part;
	struct http_bad bad;

	buf_printf(&text, "GET / HTTP/1.1\r\nHost: example.org\r\n%s\r\n",
		fields);
	in = buf_str(&text);
	CHECK_INT(http_parser_next(p, &in, &part, &bad), HTTP_HEAD);
	buf_done(&text);
	return p;
}

static void
sink_write(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
sink_closed(void *arg)
{
	(void)arg;
}

static struct conn *
conn_from(struct shard *sh, const char *address)
{
	struct conn_mem_sink sink = { sink_write, sink_closed, NULL };
	struct conn *c = conn_new_mem(sh->net, &sink);
	struct ip ip;

	if (address == NULL)
		return c;
	CHECK(ip_read(str_c(address), &ip));
	conn_set_peer_ip(c, &ip, 40000);
	return c;
}

static void
check_from(struct shard *sh, const struct from_case *t)
{
	struct conn *c = conn_from(sh, t->peer);
	struct http_parser *p = head_of(t->fields);
	struct http_from from;
	struct str key;
	struct ip ip;

	c->through = t->through;
	if (t->tls)
		conn_mem_secure(c);
	http_from_fill(&from, sh, c, http_parser_head(p));
	CHECK(str_starts(str_c(from.text), str_c(t->text)));
	CHECK_INT(from.has_tls, t->has_tls);
	CHECK_INT(from.is_protected, t->is_protected);
	CHECK_INT(from.is_forwarded, t->is_forwarded);
	key = http_from_key(&from);
	if (from.is_forwarded) {
		CHECK(ip_read(str_c(t->text), &ip));
		CHECK_INT(key.n, ip.n == 4 ? 4 : 8);
		CHECK(str_starts((struct str){ (const char *)ip.bytes, ip.n },
			key));
	} else {
		CHECK(str_eq(key, conn_peer_key(c)));
	}
	http_parser_free(p);
	conn_abort(c);
}

TEST(a_proxy_is_believed_and_nobody_else)
{
	struct scene s;

	scene_init(&s, PROXIES, "");
	for (size_t i = 0; i < COUNT(from_cases); i++) {
		TEST_CASE(from_cases[i].name);
		check_from(s.world.server->shards[0], &from_cases[i]);
	}
	world_settle(&s.world);
	scene_done(&s);
}

/* --- in the clear --------------------------------------------------------------- */

#define URL ", public_url: \"https://www.example.org:8443/xmpp\""
#define ASK(method, path) method " " path " HTTP/1.1\r\nHost: example.org\r\n\r\n"

static const struct plain_case {
	const char *name, *peer, *host, *request;
	const char *first, *has;
} plain_cases[] = {
	{ "a page", "203.0.113.9", URL, ASK("GET", "/now?a=b%20c"),
		"HTTP/1.1 308 ",
		"\r\nLocation: https://www.example.org:8443/xmpp/now?a=b%20c\r\n" },
	{ "its head", "203.0.113.9", URL, ASK("HEAD", "/"), "HTTP/1.1 308 ",
		"\r\nLocation: https://www.example.org:8443/xmpp/\r\n" },
	{ "what does something", "203.0.113.9", URL,
		"PUT /put HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 403 ", "by https alone" },
	{ "what a page of another origin may do", "203.0.113.9", URL,
		ASK("OPTIONS", "/put"), "HTTP/1.1 403 ", "by https alone" },
	{ "another host", "203.0.113.9", URL,
		"GET /now HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
		"HTTP/1.1 404 ", "no such host" },
	{ "an absolute target", "203.0.113.9", URL,
		"GET http://example.org/now HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"HTTP/1.1 308 ", "\r\nLocation: https://www.example.org:8443/xmpp/now\r\n" },
	{ "health", "203.0.113.9", URL, ASK("GET", "/health"),
		"HTTP/1.1 200 ", "ok" },
	{ "a challenge, where there are none", "203.0.113.9", URL,
		ASK("GET", "/.well-known/acme-challenge/abc"),
		"HTTP/1.1 404 ", "no such challenge" },
	{ "from this machine", "127.0.0.1", URL, ASK("GET", "/now"),
		"HTTP/1.1 200 ", "now" },
	{ "where there is no TLS to go to", "203.0.113.9",
		", public_url: \"http://www.example.org\"", ASK("GET", "/now"),
		"HTTP/1.1 200 ", "now" },
};

TEST(what_came_in_the_clear_is_sent_to_tls)
{
	for (size_t i = 0; i < COUNT(plain_cases); i++) {
		const struct plain_case *t = &plain_cases[i];
		struct scene s;
		struct peer p;

		TEST_CASE(t->name);
		scene_init(&s, PROXIES, t->host);
		peer_open_web(&p, &s.world, 0, "http", t->peer);
		peer_say(&p, t->request);
		CHECK(str_starts(buf_str(&p.got), str_c(t->first)));
		CHECK(strstr(buf_c(&p.got), t->has) != NULL);
		peer_done(&p);
		scene_done(&s);
	}
}

/* --- what counts for whom ----------------------------------------------------------- */

#define HOLD(client)                                                           \
	"GET /hold HTTP/1.1\r\nHost: example.org\r\n" FOR(client) "\r\n"
#define NOW(client)                                                            \
	"GET /now HTTP/1.1\r\nHost: example.org\r\n" FOR(client) "\r\n"

static void
check_asked(struct peer *p, const char *request, const char *first)
{
	p->got.n = 0;
	peer_say(p, request);
	CHECK(str_starts(buf_str(&p->got), str_c(first)));
}

TEST(requests_through_a_proxy_count_for_who_asks)
{
	struct scene s;
	struct peer all[8];

	scene_init(&s, PROXIES "limits: { connections_per_address: 2 }\n", "");
	/* more connections than one address may have */
	for (size_t i = 0; i < COUNT(all); i++) {
		peer_open_web(&all[i], &s.world, 0, "http", "192.0.2.1");
		check_asked(&all[i], NOW("203.0.113.9"), "HTTP/1.1 200 ");
	}
	peer_say(&all[0], HOLD("203.0.113.9"));
	check_asked(&all[1], NOW("203.0.113.9"), "HTTP/1.1 200 ");
	/* the other one that he may have is a connection of his own */
	peer_done(&all[7]);
	peer_open_web(&all[7], &s.world, 0, "https", "203.0.113.9");
	check_asked(&all[7], NOW("x"), "HTTP/1.1 200 ");
	check_asked(&all[1], NOW("203.0.113.9"), "HTTP/1.1 429 ");
	CHECK(strstr(buf_c(&all[1].got), "Retry-After: 10\r\n") != NULL);
	check_asked(&all[2], NOW("203.0.113.10"), "HTTP/1.1 200 ");
	http_answer(scene_log.held, 200, NULL, STR("held"));
	http_let_go(scene_log.held);
	world_settle(&s.world);
	check_asked(&all[1], NOW("203.0.113.9"), "HTTP/1.1 200 ");
	for (size_t i = 0; i < COUNT(all); i++)
		peer_done(&all[i]);
	world_settle(&s.world);
	CHECK_INT(listen_count(s.world.server), 0);
	scene_done(&s);
}

TEST_MAIN
