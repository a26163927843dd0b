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
/* Who has been refused is let go of by then (RFC 1928 §6). */
#define CLOSE_MAX_US (10 * US_PER_S)

static struct peer *
peer_of(struct listen_peer *p)
{
	return CONTAINER_OF(p, struct peer, p);
}

static void
peer_close(struct peer *peer)
{
	int64_t timeout_us =
		peer->p.shard->snap->config->limits.close_timeout_us;

	conn_close(peer->p.conn, MIN(timeout_us, CLOSE_MAX_US));
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
	struct peer *peer;

	TAILQ_FOREACH (peer, &t->peers, link)
		peer_close(peer);
}

static struct transfer *
waiting_new(struct shard *sh, struct proxy65_shard *ps, const uint8_t *digest,
	uint64_t hash)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->shard = sh;
	t->here = ps;
	t->hash = hash;
	TAILQ_INIT(&t->peers);
	memcpy(t->digest, digest, DIGEST_BYTES);
	table_add(&ps->waiting, hash, t);
	return t;
}

static void
waiting_add(struct transfer *t, struct peer *peer, int64_t timeout_us)
{
	struct peer *before = TAILQ_LAST(&t->peers, peers);

	while (before != NULL && before->came_us > peer->came_us)
		before = TAILQ_PREV(before, peers, link);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&t->peers, before, peer, link);
	else
		TAILQ_INSERT_HEAD(&t->peers, peer, link);
	t->n_peers++;
	peer->t = t;
	shard_timer(t->shard, &t->timer, timeout_us, on_waited);
	peer_reply(peer, SOCKS_OK);
}

static void
waiting_drop(struct transfer *t, struct peer *peer)
{
	transfer_leave(t, peer);
	peer_close(peer);
}

/* Who has gone makes room; nobody has read that. */
static void
waiting_make_room(struct transfer *t)
{
	struct peer *peer, *next;

	for (peer = TAILQ_FIRST(&t->peers); peer != NULL; peer = next) {
		next = TAILQ_NEXT(peer, link);
		if (conn_ask_far(peer->p.conn) != CONN_THERE)
			waiting_drop(t, peer);
	}
}

/* At the shard of its digest.  There is one initiator, and one target (§10.1), which
 * may have connected to all that it was told (slixmpp does). */
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
	size_t max = ENDS + conf->addresses.n;

	if (t == NULL)
		t = waiting_new(sh, ps, peer->socks.digest, hash);
	if (t->n_peers >= max)
		waiting_make_room(t);
	if (t->n_peers >= max) {
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
	struct peer *peer = peer_of(p);

	(void)m;
	(void)at;
	peer->came_us = clock_mono_us(p->shard->server->clock);
	shard_timer(p->shard, &peer->timer, HANDSHAKE_US, on_peer_timeout);
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

static enum conn_far
peer_far(const struct peer *peer)
{
	return conn_is_open(peer->p.conn) ? conn_ask_far(peer->p.conn) :
					    CONN_BROKEN;
}

static void
waiting_drop_broken(struct transfer *t)
{
	struct peer *peer, *next;

	for (peer = TAILQ_FIRST(&t->peers); peer != NULL; peer = next) {
		next = TAILQ_NEXT(peer, link);
		if (peer_far(peer) == CONN_BROKEN)
			waiting_drop(t, peer);
	}
}

/*
 * How many of its two ends are there; both: and all of its connections are open.  Who
 * has begun it is the last one who has come, for he waits for the target's answer; the
 * target is there by the first of its connections, if that has not said all: which of
 * them it uses shows when it closes the others, and if it does not, nowhere.  Those
 * are not closed: slixmpp takes what comes by any of them, and when one is closed it
 * says that the transfer has ended.
 */
static unsigned
waiting_choose(struct transfer *t)
{
	struct peer *target = NULL, *last = NULL, *peer;
	enum conn_far target_far = CONN_THERE, last_far = CONN_THERE;

	TAILQ_FOREACH (peer, &t->peers, link) {
		enum conn_far far = peer_far(peer);

		if (far == CONN_BROKEN)
			continue;
		if (last != NULL && (target == NULL || last_far < target_far)) {
			target = last;
			target_far = last_far;
		}
		last = peer;
		last_far = far;
	}
	if (target != NULL)
		waiting_drop_broken(t);
	t->ends[0] = target;
	t->ends[1] = last;
	return (target != NULL) + (last != NULL);
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
	unsigned n = 0;

	if (m != NULL && m->entry == a->entry)
		t = waiting_find(module_shard_state(m, sh), a->digest,
			digest_hash(sh->server, a->digest));
	if (t != NULL)
		n = waiting_choose(t);
	if (n == ENDS)
		transfer_move(t, a);
	else if (n != 0)
		activation_answer(sh, a, COND_NOT_ALLOWED,
			"Only one of the two is connected");
	else
		activation_answer(sh, a, COND_ITEM_NOT_FOUND, NULL);
}
