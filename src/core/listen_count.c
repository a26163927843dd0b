/*
 * listen_count.c - what is counted of connections: all of them, and those of one
 * address.
 *
 * Any shard: the counts are those of the whole server.  Invariant: what was counted in
 * for an address is counted out for the same.
 */
#include "config.h"

#include <string.h>

#include "base/tally.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/shard.h"

#define KEY_ALL STR("connections")
/* The longest key: a letter, and an address of the network. */
#define KEY_BYTES 16

void
listen_init(struct server *srv)
{
	srv->connections = tally_new();
}

void
listen_done(struct server *srv)
{
	tally_free(srv->connections);
}

/* None for a connection in memory, which has no address. */
static struct str
key_for(char *out, struct str of)
{
	if (of.n == 0)
		return STR_NONE;
	out[0] = 'a';
	memcpy(out + 1, of.p, of.n);
	return (struct str){ out, of.n + 1 };
}

/* The same for one of ours. */
static struct str
key_of(char *out, const struct conn *c)
{
	return key_for(out, c != NULL ? conn_peer_key(c) : STR_NONE);
}

bool
listen_count_for(struct shard *sh, struct str key)
{
	const struct config_limits *l = &sh->snap->config->limits;
	char mem[KEY_BYTES];

	key = key_for(mem, key);
	return key.p == NULL || tally_add(sh->server->connections, key,
		(uint64_t)l->connections_per_address);
}

void
listen_count_off(struct shard *sh, struct str key)
{
	char mem[KEY_BYTES];

	key = key_for(mem, key);
	if (key.p != NULL)
		tally_remove(sh->server->connections, key);
}

const char *
listen_count_in(struct shard *sh, const struct conn *c)
{
	const struct config_limits *l = &sh->snap->config->limits;
	struct tally *t = sh->server->connections;
	char mem[KEY_BYTES];
	struct str address = key_of(mem, c);

	if (!tally_add(t, KEY_ALL, (uint64_t)l->connections))
		return "limits: connections";
	if (address.p == NULL ||
		tally_add(t, address, (uint64_t)l->connections_per_address))
		return NULL;
	tally_remove(t, KEY_ALL);
	return "limits: connections_per_address";
}

void
listen_count_out(struct shard *sh, const struct conn *c)
{
	struct tally *t = sh->server->connections;
	char mem[KEY_BYTES];
	struct str address = key_of(mem, c);

	if (address.p != NULL)
		tally_remove(t, address);
	tally_remove(t, KEY_ALL);
}

uint64_t
listen_count(const struct server *srv)
{
	return tally_count(srv->connections, KEY_ALL);
}
