/*
 * http_port.c - the kinds of ports at which requests come, and how they are known.
 */
#include "config.h"

#include "http/http_port.h"

#include "net/conn.h"
#include "http/http_exchange.h"

static bool
http_accept(struct module_ctx *m, struct listen_peer *p,
	const struct config_listen *at)
{
	(void)m;
	(void)at;
	p->shard->stats.http_connections++;
	return true;
}

/* Methods, and what a client of HTTP/2 says first. */
static const char *const first_words[] = { "GET ", "HEAD ", "POST ", "PUT ",
	"DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI ", NULL };

enum listen_verdict
http_recognise(struct str first)
{
	bool more = false;

	for (size_t i = 0; first_words[i] != NULL; i++) {
		struct str word = str_c(first_words[i]);

		if (str_starts(first, word))
			return LISTEN_MINE;
		more = more || str_starts(word, first);
	}
	return more ? LISTEN_MORE : LISTEN_NOT_MINE;
}

static const char *
https_hindrance(const struct snapshot *snap)
{
	return snap->tls == NULL ? "no host has a certificate" : NULL;
}

#define HTTP_KIND                                                              \
	.alpn = { "http/1.1" }, .recognise = http_recognise,                   \
	.forwards = true, .size = sizeof(struct http_conn),                     \
	.accept = http_accept,                                                  \
	.events = &http_conn_events, .follow = http_conn_follow,                \
	.leave = http_conn_leave

const struct listen_kind http_kinds[] = {
	{ .name = "http",
		.summary = "a reverse proxy on this machine, which asks by HTTP in the clear",
		.tls_modes = LISTEN_MAY(LISTEN_PLAIN), .tls = LISTEN_PLAIN,
		.ports = { [LISTEN_PLAIN] = 5280 }, .address = "localhost",
		.standard = true, HTTP_KIND },
	{ .name = "https", .summary = "browsers and clients, by HTTP over TLS",
		.tls_modes = LISTEN_MAY(LISTEN_DIRECT), .tls = LISTEN_DIRECT,
		.ports = { [LISTEN_DIRECT] = 5281 }, .standard = true,
		.hindrance = https_hindrance, HTTP_KIND },
	{ .name = "web",
		.summary = "the same at a port that it shares with other kinds",
		.tls_modes = LISTEN_MAY(LISTEN_STARTTLS) |
			LISTEN_MAY(LISTEN_DIRECT) | LISTEN_MAY(LISTEN_PLAIN),
		.tls = LISTEN_DIRECT, HTTP_KIND },
	{ .name = NULL },
};
