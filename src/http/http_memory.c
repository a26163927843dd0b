/*
 * http_memory.c - what a request holds counts in the share of who asks, so that the
 * budget of the process (core/budget.h) finds him, and nobody else, when memory is
 * short.
 *
 * Owner shard of the request.
 */
#include "config.h"

#include "base/share.h"
#include "net/conn.h"
#include "core/budget.h"
#include "http/http_exchange.h"
#include "http/http_route.h"

static size_t
memory_of(const struct http_exchange *x)
{
	size_t n = sizeof(*x) + http_parser_bytes(x->parser);

	if (x->r.state != NULL)
		n += x->r.route->state;
	return x->c != NULL ? n + x->c->rest.cap : n;
}

void
http_memory_count(struct http_exchange *x)
{
	size_t now = memory_of(x);

	if (now != x->held) /* few are larger than they were */
		share_count(x->share, (int64_t)now - (int64_t)x->held);
	x->held = now;
}

void
http_memory_forget(struct http_exchange *x)
{
	share_count(x->share, -(int64_t)x->held);
	x->held = 0;
}

void
http_memory_of(struct http_exchange *x, struct share *share)
{
	http_memory_forget(x);
	x->share = share;
	http_memory_count(x);
	conn_set_share(x->c->peer.conn, share);
}

bool
http_memory_refuses(struct http_exchange *x)
{
	struct shard *sh = x->r.shard;
	uint64_t hash;

	if (sh->budget.level == BUDGET_FINE)
		return false;
	hash = server_hash(sh->server, http_from_key(&x->r.from));
	if (budget_judge(sh, hash) == BUDGET_FINE)
		return false;
	http_refuse_for_now(x, 503, "Memory is short.", "limits: memory");
	return true;
}
