/*
 * http_client.c - what a client does at once counts for his address: the bodies that he
 * sends, the files that he fetches, and, where he asks by a proxy, each request as a
 * connection, as those of proxies count for no address.
 *
 * Owner shard of the request; the counts are those of the whole server.  Invariant: what
 * was counted for an address is counted off for the same, before the request is freed.
 */
#include "config.h"

#include <assert.h>

#include "base/mem.h"
#include "base/tally.h"
#include "net/conn.h"
#include "core/budget.h"
#include "core/listen.h"
#include "http/http_exchange.h"

/* Behind these letters stands an address: among the keys of connections, see
 * listen_count.c, which has others. */
#define KEY_OF_BODIES 'b'
#define KEY_OF_FILES 'f'

/* --- requests by proxies ----------------------------------------------------- */

bool
http_client_count(struct http_exchange *x)
{
	struct shard *sh = x->r.shard;
	struct str key = http_from_key(&x->r.from);

	if (!x->r.from.is_forwarded)
		return true;
	x->counted_client = listen_count_for(sh, key);
	if (!x->counted_client) {
		http_refuse_for_now(x, 429, "Too much is being asked already.",
			"limits: connections_per_address");
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

/* --- bodies, and files --------------------------------------------------------- */

/* .n is 1: it has no address. */
static struct str
key_of(const struct http_exchange *x, char letter, char *out)
{
	struct str of = http_from_key(&x->r.from);

	out[0] = letter;
	memcpy(out + 1, of.p, of.n);
	return (struct str){ out, of.n + 1 };
}

/* False: there are max already. */
static bool
client_takes(struct http_exchange *x, char letter, int64_t max, bool *counted)
{
	char mem[1 + HTTP_FROM_KEY_MAX];
	struct str key = key_of(x, letter, mem);

	if (key.n == 1)
		return true;
	*counted = tally_add(x->r.shard->server->connections, key,
		(uint64_t)max);
	return *counted;
}

static void
client_drops(struct http_exchange *x, char letter, bool *counted)
{
	char mem[1 + HTTP_FROM_KEY_MAX];

	if (*counted)
		tally_remove(x->r.shard->server->connections,
			key_of(x, letter, mem));
	*counted = false;
}

bool
http_client_takes_body(struct http_exchange *x)
{
	if (client_takes(x, KEY_OF_BODIES,
		    http_limits(x)->http_bodies_per_address, &x->counted))
		return true;
	http_refuse_for_now(x, 429, "Too much is being sent already.",
		"limits: http_bodies_per_address");
	return false;
}

void
http_client_drops_body(struct http_exchange *x)
{
	client_drops(x, KEY_OF_BODIES, &x->counted);
}

bool
http_want_file(struct http_request *r)
{
	struct http_exchange *x = http_exchange_of(r);

	if (x->is_gone)
		return false;
	assert(x->out == OUT_NONE && x->in != IN_HEAD && !x->wants_file);
	x->wants_file = true;
	if (client_takes(x, KEY_OF_FILES, http_limits(x)->http_files_per_address,
		    &x->counted_file))
		return true;
	http_refuse_for_now(x, 429, "Too much is being fetched already.",
		"limits: http_files_per_address");
	return false;
}

void
http_client_drops_file(struct http_exchange *x)
{
	client_drops(x, KEY_OF_FILES, &x->counted_file);
}
