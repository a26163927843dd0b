/*
 * place.c - the way to a place: today a mailbox of this process.
 */
#include "config.h"

#include "core/place.h"

#include "base/mailbox.h"

static struct shard *
place_shard(const struct server *srv, struct place p)
{
	assert(p.node == 0 && p.shard < srv->n_shards);
	return srv->shards[p.shard];
}

void
place_post(const struct server *srv, struct place p,
	void (*fn)(struct shard *sh, void *arg), void *arg, size_t bytes)
{
	shard_post(place_shard(srv, p), fn, arg, bytes);
}

void
place_put(struct shard *sh, struct place p, struct mail *m)
{
	shard_put(sh, place_shard(sh->server, p), m);
}

size_t
place_waiting(const struct shard *sh, struct place p)
{
	return mailbox_bytes(&place_shard(sh->server, p)->mailbox);
}

void
place_hold(struct shard *sh, struct place p, int64_t n)
{
	mailbox_hold(&place_shard(sh->server, p)->mailbox, n);
}

size_t
place_load(const struct shard *sh, struct place p)
{
	return mailbox_held(&place_shard(sh->server, p)->mailbox);
}
