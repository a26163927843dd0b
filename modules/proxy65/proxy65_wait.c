/*
 * proxy65_wait.c - connections that are no part of a transfer yet: what they say,
 * and where they wait for each other (XEP-0065 §6.3).
 *
 * Owner shard.  Invariant: nothing that has come by a connection goes anywhere, but
 * what SOCKS5 says of it.  What it says behind that is not read before the activation:
 * the kernel has it, and slows who says more.  It is not ignored, as §10.1 would have
 * it (SHOULD): libpurple sends the first block of a file together with the request for
 * the activation, and the whole of a small one, and would lose that.
 */
#include "config.h"

#include "proxy65.h"

#include <string.h>

/* For SOCKS5, as for other strangers. */
#define HANDSHAKE_US (30 * US_PER_S)

static struct peer *
peer_of(struct listen_peer *p)
{
	return CONTAINER_OF(p, struct peer, p);
}

static void
peer_close(struct peer *peer)
{
	conn_close(peer->p.conn,
		peer->p.shard->snap->config->limits.close_timeout_us);
}

static void
peer_reply(struct peer *peer, enum socks_reply reply)
{
	socks_reply(&peer->socks, reply, conn_out(peer->p.conn));
	conn_wrote(peer->p.conn);
	if (reply != SOCKS_OK)
		peer_close(peer);
}

/* --- transfers that wait ------------------------------------------------------- */

static struct str
digest_str(const uint8_t *digest)
{
	return (struct str){ (const char *)digest, DIGEST_BYTES };
}

static struct transfer *
waiting_find(const struct proxy65_shard *ps, const uint8_t *digest, uint64_t hash)
{
	size_t at = table_start(&ps->waiting, hash);
	struct transfer *t;

	while ((t = table_next(&ps->waiting, hash, &at)) != NULL)
		if (secret_eq(digest_str(t->digest), digest_str(digest)))
			return t;
	return NULL;
}

static uint64_t
digest_hash(const struct server *srv, const uint8_t *digest)
{
	return server_hash(srv, digest_str(digest));
}

/* Nobody has activated it in time: its ends find out. */
static void
on_waited(struct timer *timer)
{
	struct transfer *t = CONTAINER_OF(timer, struct transfer, timer);

	for (size_t i = 0; i < COUNT(t->peers); i++)
		if (t->peers[i] != NULL)
			peer_close(t->peers[i]);
}

static struct transfer *
waiting_new(struct shard *sh, struct proxy65_shard *ps, const uint8_t *digest,
	uint64_t hash)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->shard = sh;
	t->here = ps;
	t->hash = hash;
	memcpy(t->digest, digest, DIGEST_BYTES);
	table_add(&ps->waiting, hash, t);
	return t;
}

static void
waiting_add(struct transfer *t, struct peer *peer, int64_t timeout_us)
{
	t->peers[t->peers[0] != NULL] = peer;
	peer->t = t;
	shard_timer(t->shard, &t->timer, timeout_us, on_waited);
	peer_reply(peer, SOCKS_OK);
}

/* Of two that are there, one who has gone makes room; nobody has read that. */
static void
waiting_make_room(struct transfer *t)
{
	for (size_t i = 0; i < COUNT(t->peers); i++) {
		struct peer *peer = t->peers[i];

		if (peer == NULL || conn_ask_far(peer->p.conn) == CONN_THERE)
			continue;
		t->peers[i] = NULL;
		peer->t = NULL;
		conn_abort(peer->p.conn);
	}
}

/* At the shard of its digest.  There is one initiator, and one target (§10.1). */
static void
on_peer_arrived(struct listen_peer *p)
{
	struct peer *peer = peer_of(p);
	struct shard *sh = p->shard;
	struct module_ctx *m = listen_module(sh, PROXY65_KIND);
	const struct proxy65_conf *conf = m->conf;
	struct proxy65_shard *ps = module_shard_state(m, sh);
	uint64_t hash = digest_hash(sh->server, peer->socks.digest);
	struct transfer *t = waiting_find(ps, peer->socks.digest, hash);

	if (t == NULL)
		t = waiting_new(sh, ps, peer->socks.digest, hash);
	if (t->peers[0] != NULL && t->peers[1] != NULL)
		waiting_make_room(t);
	if (t->peers[0] != NULL && t->peers[1] != NULL) {
		sh->stats.refused++;
		peer_reply(peer, SOCKS_NOT_ALLOWED);
	} else {
		waiting_add(t, peer, conf->activation_timeout_us);
	}
}

/* --- connections --------------------------------------------------------------- */

static void
on_peer_timeout(struct timer *timer)
{
	peer_close(CONTAINER_OF(timer, struct peer, timer));
}

bool
proxy65_accept(struct module_ctx *m, struct listen_peer *p,
	const struct config_listen *at)
{
	(void)m;
	(void)at;
	shard_timer(p->shard, &peer_of(p)->timer, HANDSHAKE_US,
		on_peer_timeout);
	return true;
}

/* With the digest it goes where its other end does; it is answered there. */
static void
peer_go(struct peer *peer)
{
	struct shard *sh = peer->p.shard;

	shard_timer_cancel(sh, &peer->timer);
	conn_pause(peer->p.conn);
	(void)listen_move(&peer->p,
		server_place_of(sh->server, digest_str(peer->socks.digest)),
		on_peer_arrived);
}

static void
on_peer_data(void *arg, const char *p, size_t n)
{
	struct peer *peer = peer_of(arg);
	size_t used = socks_feed(&peer->socks, p, n, conn_out(peer->p.conn));

	conn_wrote(peer->p.conn);
	if (peer->socks.state == SOCKS_REFUSED)
		peer_close(peer);
	else if (used < n)
		conn_abort(peer->p.conn); /* it has not waited for the answer */
	else if (peer->socks.state == SOCKS_DONE)
		peer_go(peer);
}

static void
on_peer_closed(void *arg, const struct err *why)
{
	struct peer *peer = peer_of(arg);

	(void)why;
	shard_timer_cancel(peer->p.shard, &peer->timer);
	if (peer->t != NULL)
		transfer_lose(peer->t, peer);
}

const struct conn_events proxy65_events = {
	.data = on_peer_data,
	.closed = on_peer_closed,
};

/* --- activation ------------------------------------------------------------------ */

/* Ends that are about to be gone are not there; one that has said all may be. */
static unsigned
transfer_count(const struct transfer *t)
{
	unsigned n = 0;

	for (size_t i = 0; t != NULL && i < COUNT(t->peers); i++)
		n += t->peers[i] != NULL &&
			conn_is_open(t->peers[i]->p.conn) &&
			conn_ask_far(t->peers[i]->p.conn) != CONN_BROKEN;
	return n;
}

/*
 * XEP-0065 §6.3.5.  Who names another transfer, and who is not its initiator, comes
 * to a digest that no connection has: the two cannot be told apart, and neither
 * learns whether there is one.
 */
void
proxy65_activate(struct shard *sh, void *arg)
{
	struct activation *a = arg;
	struct module_ctx *m = listen_module(sh, PROXY65_KIND);
	struct transfer *t = NULL;
	unsigned n;

	if (m != NULL && m->entry == a->entry)
		t = waiting_find(module_shard_state(m, sh), a->digest,
			digest_hash(sh->server, a->digest));
	n = transfer_count(t);
	if (n == COUNT(t->peers))
		transfer_move(t, a);
	else if (n != 0)
		activation_answer(sh, a, COND_NOT_ALLOWED,
			"Only one of the two is connected");
	else
		activation_answer(sh, a, COND_ITEM_NOT_FOUND, NULL);
}
