/*
 * test_http_pages.c - the pages of the server itself, and the addresses of hosts.
 */
#include "config.h"

#include <openssl/sha.h>

#include "base/text.h"
#include "core/host.h"

#include "http_scene.h"
#include "test.h"

#define ASK "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"

/* Behind the text that stands before, up to the one behind. */
static struct str
between(struct peer *p, const char *before, const char *behind)
{
	const char *at = strstr(buf_c(&p->got), before), *end;

	CHECK(at != NULL);
	at += strlen(before);
	end = strstr(at, behind);
	CHECK(end != NULL);
	return (struct str){ at, (size_t)(end - at) };
}

/* Else browsers would show it without. */
TEST(the_style_of_the_page_is_the_one_that_the_policy_names)
{
	struct buf hash = BUF_INIT;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct scene s;
	struct peer p;
	struct str style;

	scene_init(&s, "", "");
	peer_open_web(&p, &s.world, 0, "https", NULL);
	peer_say(&p, ASK);
	style = between(&p, "<style>", "</style>");
	SHA256((const uint8_t *)style.p, style.n, digest);
	base64_encode(&hash, digest, sizeof(digest));
	CHECK(str_eq(between(&p, "style-src 'sha256-", "'"), buf_str(&hash)));
	buf_done(&hash);
	peer_done(&p);
	scene_done(&s);
}

/* On each of several addresses, as with the quickstart. */
TEST(a_port_is_told_once)
{
	struct scene s;
	struct peer p;
	struct str ports;

	scene_init(&s,
		"listen: [ { address: 192.0.2.1, port: 5222 }, "
		"{ address: 192.0.2.1, port: 5223, tls: direct }, "
		"{ address: 192.0.2.2, port: 5222 }, "
		"{ address: 192.0.2.2, port: 5223, tls: direct }, "
		"{ address: 192.0.2.3, port: 5222, tls: direct }, "
		"{ kind: https, port: 5281, tls: direct } ]",
		"");
	peer_open_web(&p, &s.world, 0, "https", NULL);
	peer_say(&p, ASK);
	ports = between(&p, "<ul>\n", "</ul>");
	CHECK(str_is(ports,
		"<li>port 5222, encrypted with STARTTLS</li>\n"
		"<li>port 5223, encrypted with TLS from the first byte</li>\n"
		"<li>port 5222, encrypted with TLS from the first byte</li>\n"));
	peer_done(&p);
	scene_done(&s);
}

TEST(http_escape_leaves_nothing_that_html_knows)
{
	struct buf out = BUF_INIT;

	http_escape(STR("<a href=\"x\">'&'</a> z\xc3\xa4hlt"), &out);
	CHECK_CSTR(buf_c(&out),
		"&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt; "
		"z\xc3\xa4hlt");
	buf_done(&out);
}

/* --- addresses ------------------------------------------------------------------- */

static const struct {
	const char *name, *listen, *host, *url;
} url_cases[] = {
	{ "TLS", "[ { kind: http, port: 5280, tls: none }, { kind: https, port: 5281, tls: direct } ]",
		"", "https://example.org:5281" },
	{ "the usual port", "[ { kind: [ c2s, web ], port: 443, tls: direct } ]",
		"", "https://example.org" },
	{ "the first of several",
		"[ { kind: web, port: 8443, tls: direct }, { kind: https, port: 443, tls: direct } ]",
		"", "https://example.org:8443" },
	{ "none with TLS", "[ { kind: http, port: 5280, tls: none } ]", "",
		"http://example.org:5280" },
	{ "the usual one of those", "[ { kind: http, port: 80, tls: none } ]",
		"", "http://example.org" },
	{ "none at all", "[ { port: 5222 } ]", "", NULL },
	{ "one with TLS that is for others",
		"[ { kind: http, port: 80, tls: none }, { port: 5223, tls: direct } ]",
		"", "http://example.org" },
	{ "what the file says", "[ { kind: https, port: 443, tls: direct } ]",
		", public_url: \"https://www.example.org/xmpp\"",
		"https://www.example.org/xmpp" },
};

TEST(http_public_url_is_that_of_the_first_port_or_of_the_file)
{
	for (size_t i = 0; i < COUNT(url_cases); i++) {
		struct buf listen = BUF_INIT, url = BUF_INIT;
		struct scene s;
		struct shard *sh;
		bool ok;

		TEST_CASE(url_cases[i].name);
		buf_printf(&listen, "listen: %s", url_cases[i].listen);
		scene_init(&s, buf_c(&listen), url_cases[i].host);
		sh = s.world.server->shards[0];
		ok = http_public_url(sh, shard_host(sh, STR("example.org")),
			&url);
		CHECK_INT(ok, url_cases[i].url != NULL);
		if (ok)
			CHECK_CSTR(buf_c(&url), url_cases[i].url);
		scene_done(&s);
		buf_done(&listen);
		buf_done(&url);
	}
}

TEST(a_name_in_another_script_is_found_by_what_browsers_send)
{
	static const char yaml[] = "storage: { driver: memory }\n"
		"listen: [ { kind: https, port: 443, tls: direct } ]\n"
		"hosts: { \"m\xc3\xbcller.example\": {} }";
	struct buf url = BUF_INIT;
	struct scene s;
	struct shard *sh;
	struct peer p;

	scene_init(&s, "", "");
	world_reload(&s.world, yaml);
	sh = s.world.server->shards[0];
	CHECK(http_public_url(sh, shard_host(sh, STR("m\xc3\xbcller.example")),
		&url));
	CHECK_CSTR(buf_c(&url), "https://xn--mller-kva.example");
	buf_done(&url);
	peer_open_web(&p, &s.world, 0, "https", NULL);
	peer_say(&p, "GET / HTTP/1.1\r\nHost: xn--mller-kva.example\r\n\r\n");
	CHECK_GOT(&p, "HTTP/1.1 200 ", "<h1>m\xc3\xbcller.example</h1>");
	peer_done(&p);
	scene_done(&s);
}

TEST_MAIN
