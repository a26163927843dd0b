/*
 * http_pages.c - what the server itself answers: a page for people at "/", and
 * whether it is well, for whoever watches it.
 *
 * Owner shard of the request.
 */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "store/store.h"
#include "core/server.h"
#include "http/http_host.h"
#include "http/http_exchange.h"

/* --- health ------------------------------------------------------------------ */

/* Of all hosts, since who watches may ask by address. */
static void
on_health(struct module_ctx *m, struct http_request *r)
{
	(void)m;
	if (store_takes_writes(r->shard->server->store))
		http_answer(r, 200, NULL, STR("ok\n"));
	else
		http_answer(r, 503, NULL,
			STR("The disk takes no writes.\n"));
}

/* --- the first page ------------------------------------------------------------ */

/* The hash is that of all between <style> and </style> (CSP Level 3 §8.4); with it
 * nothing else is a style, and nothing at all a script.  A unit test holds it to
 * that. */
#define PAGE_STYLE                                                             \
	"body{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}"
#define PAGE_STYLE_HASH "sha256-pRzDgZJtuqNsofi1Llns6qVuluq7QKzIRM4dfurytkA="

void
http_escape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++)
		switch (text.p[i]) {
		case '<':
			buf_add_c(out, "&lt;");
			break;
		case '>':
			buf_add_c(out, "&gt;");
			break;
		case '&':
			buf_add_c(out, "&amp;");
			break;
		case '"':
			buf_add_c(out, "&quot;");
			break;
		case '\'':
			buf_add_c(out, "&#39;");
			break;
		default:
			buf_add(out, &text.p[i], 1);
		}
}

static const char *const tls_shown[] = {
	[LISTEN_STARTTLS] = "encrypted with STARTTLS",
	[LISTEN_DIRECT] = "encrypted with TLS from the first byte",
	[LISTEN_PLAIN] = "not encrypted",
};

static bool
port_is_for_clients(const struct snapshot *snap, size_t i)
{
	return config_listen_has(&snap->config->listen[i], "c2s") &&
		http_port_is_open(snap, i);
}

/* One that is open on several addresses is one for people. */
static bool
port_was_told(const struct snapshot *snap, size_t i)
{
	const struct config_listen *l = snap->config->listen;

	for (size_t k = 0; k < i; k++)
		if (port_is_for_clients(snap, k) && l[k].tls == l[i].tls &&
			http_port(snap, k) == http_port(snap, i))
			return true;
	return false;
}

/* What clients use; where a proxy or a firewall changes that, its administrator says
 * so elsewhere. */
static void
page_add_ports(const struct snapshot *snap, struct buf *out)
{
	for (size_t i = 0; i < snap->config->n_listen; i++)
		if (port_is_for_clients(snap, i) && !port_was_told(snap, i))
			buf_printf(out, "<li>port %u, %s</li>\n",
				(unsigned)http_port(snap, i),
				tls_shown[snap->config->listen[i].tls]);
}

static void
page_fill(struct shard *sh, struct host *host, struct buf *out)
{
	struct http_page page = { sh, host, out };

	buf_add_c(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		"<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	http_escape(host->domain, out);
	buf_add_c(out, "</title>\n<style>" PAGE_STYLE
		"</style>\n</head>\n<body>\n<h1>");
	http_escape(host->domain, out);
	buf_add_c(out, "</h1>\n<p>This is a server for messages (XMPP, also known as "
		"Jabber).  Who has an account here has an address such as <b>name@");
	http_escape(host->domain, out);
	buf_printf(out, "</b>, and writes to people at this server%s.</p>\n"
		"<p>To connect, take a client, such as one of <a href=\""
		"https://xmpp.org/software/\">those listed by xmpp.org</a>, and "
		"give it your address and your password; it finds the rest.  If it "
		"asks, the server is <b>",
		host->federates ? " and at others" : "");
	http_escape(host->domain, out);
	buf_add_c(out, "</b>:</p>\n<ul>\n");
	page_add_ports(sh->snap, out);
	buf_add_c(out, "</ul>\n");
	hook_run(host, HOOK_HTTP_PAGE, &page);
	buf_add_c(out, "</body>\n</html>\n");
}

static void
on_page(struct module_ctx *m, struct http_request *r)
{
	static const struct http_field fields[] = {
		{ "Content-Type", STR("text/html; charset=utf-8") },
		{ "Content-Security-Policy",
			STR("default-src 'none'; style-src '" PAGE_STYLE_HASH
			    "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'") },
		{ .name = NULL },
	};
	struct buf page = BUF_INIT;

	(void)m;
	page_fill(r->shard, http_host(r), &page);
	http_answer(r, 200, fields, buf_str(&page));
	buf_done(&page);
}

/* --- routes ------------------------------------------------------------------------ */

const struct http_route http_routes_any[] = {
	{ .prefix = "/health", .exact = true, .methods = HTTP_ALLOW_GET,
		.begin = on_health },
	{ .prefix = "/.well-known/acme-challenge", .methods = HTTP_ALLOW_GET,
		.begin = http_acme_begin },
	{ .prefix = NULL },
};

const struct http_route http_routes_host[] = {
	{ .prefix = "/", .exact = true, .methods = HTTP_ALLOW_GET,
		.begin = on_page },
	{ .prefix = NULL },
};
