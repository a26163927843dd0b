/*
 * http_log.c - a line for each request: never what stands behind the '?', nor any
 * header, for these have secrets.
 */
#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "http/http_exchange.h"

#define PATH_MAX_SHOWN 128

static void
exchange_describe(const void *obj, char *out, size_t n)
{
	const struct http_exchange *x = obj;

	snprintf(out, n, "s%u http %s", x->r.shard->index,
		x->r.head != NULL ? x->r.from.text :
				    conn_peer(x->c->peer.conn));
}

void
http_log(const struct http_exchange *x)
{
	const struct http_head *head = x->r.head;
	struct str method = head != NULL ? head->method_text : STR("-");
	struct str path = head != NULL ? head->path : STR("-");
	struct log_who who = { exchange_describe, x };

	path.n = MIN(path.n, PATH_MAX_SHOWN);
	log_debug(LOG_HTTP, who,
		"request method=%.*s host=%.*s path=\"%.*s\" status=%u bytes_in=%lld bytes=%llu ms=%lld",
		STR_ARG(method),
		STR_ARG(x->r.domain), STR_ARG(path), x->status,
		(long long)x->r.body_bytes, (unsigned long long)x->bytes,
		(long long)((x->r.shard->now_us - x->since_us) / US_PER_MS));
}
