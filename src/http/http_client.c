/*
 * http_client.c - clients who ask by proxies: what they do at once counts for their
 * addresses, as the connections of proxies do for none.
 *
 * Owner shard of the request.
 */
#include "config.h"

#include "net/conn.h"
#include "core/budget.h"
#include "core/listen.h"
#include "http/http_exchange.h"

bool
http_client_count(struct http_exchange *x)
{
	struct shard *sh = x->r.shard;
	struct str key = http_from_key(&x->r.from);

	if (!x->r.from.is_forwarded)
		return true;
	x->counted_client = listen_count_for(sh, key);
	if (!x->counted_client) {
		sh->stats.refused++;
		http_refuse_for_now(x, 429, "Too much is being asked already.");
		return false;
	}
	/* what it takes is his, too, until the next one asks by this connection */
	http_memory_of(x,
		budget_share(sh->server, server_hash(sh->server, key)));
	return true;
}

void
http_client_count_off(struct http_exchange *x)
{
	if (x->counted_client)
		listen_count_off(x->r.shard, http_from_key(&x->r.from));
	x->counted_client = false;
}
