/*
 * http_log.c - a line for each request: never what stands behind the '?', nor any
 * header, for these have secrets; nor all of a path, where knowing that is the right
 * to fetch what is there.
 */
#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "http/http_exchange.h"

#define PATH_MAX_SHOWN 128
/* A part of a path that is longer may be a secret, as is the id of a file; so much of it
 * is shown as an administrator needs to find what it is. */
#define PART_MAX_SHOWN 16
#define SECRET_SHOWN 8

static void
exchange_describe(const void *obj, char *out, size_t n)
{
	const struct http_exchange *x = obj;

	snprintf(out, n, "s%u http %s", x->r.shard->index,
		x->r.head != NULL ? x->r.from.text :
				    conn_peer(x->c->peer.conn));
}

static struct log_who
exchange_who(const struct http_exchange *x)
{
	return (struct log_who){ exchange_describe, x };
}

/* What may be shown of it, from its beginning on; more_out: "...", if that is not all. */
static struct str
path_shown(struct str path, const char **more_out)
{
	size_t at = 0; /* of the part */

	*more_out = "";
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '/')
			at = i + 1;
		if (i + 1 - at <= PART_MAX_SHOWN && i < PATH_MAX_SHOWN)
			continue;
		*more_out = "...";
		return (struct str){ path.p,
			MIN(at + SECRET_SHOWN, PATH_MAX_SHOWN) };
	}
	return path;
}

void
http_log(const struct http_exchange *x)
{
	const struct http_head *head = x->r.head;
	struct str method = head != NULL ? head->method_text : STR("-");
	const char *more;
	struct str path =
		path_shown(head != NULL ? head->path : STR("-"), &more);
	log_debug(LOG_HTTP, exchange_who(x),
		"request method=%.*s host=%.*s path=\"%.*s%s\" status=%u bytes_in=%lld bytes=%llu ms=%lld",
		STR_ARG(method),
		STR_ARG(x->r.domain), STR_ARG(path), more, x->status,
		(long long)x->r.body_bytes, (unsigned long long)x->bytes,
		(long long)((x->r.shard->now_us - x->since_us) / US_PER_MS));
}

void
http_log_refused(const struct http_exchange *x, const char *limit)
{
	if (log_limit_ok(&x->r.shard->http_refused, LOG_HTTP))
		log_warn(LOG_HTTP, exchange_who(x),
			"request refused reason=\"%s\"", limit);
}
