/*
 * proxy65_transfer.c - transfers that are activated: on the shard of the initiator,
 * within his limits, until both ends have said all.
 *
 * Owner shard.  While a transfer moves it belongs to its connections, which are
 * posted one after the other: whoever arrives last goes on, and if one does not, the
 * transfer ends.
 */
#include "config.h"

#include "proxy65.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What a user may have ahead of his rate: a part of a second of it; and what one of his
 * transfers gets at least. */
#define BURST_PARTS 4
#define BURST_MIN (64 * 1024)
#define PORTION_MIN (8 * 1024)

/* An initiator who has transfers; bytes of all of them come from one bucket. */
struct user {
	struct shard *shard;
	struct table *among;
	uint64_t hash;
	char *name;
	struct transfers transfers;
	int64_t n;
	uint64_t rate;  /* a second; 0: no bound */
	int64_t bytes;  /* that he may have now */
	int64_t at_us;  /* when that was so */
	struct timer timer;
};

const char *
transfer_user(const struct transfer *t)
{
	return t->user->name;
}

static void
transfer_describe(const void *obj, char *out, size_t n)
{
	const struct transfer *t = obj;

	snprintf(out, n, "s%u proxy65 %s", t->shard->index, t->user->name);
}

static struct log_who
transfer_who(const struct transfer *t)
{
	return (struct log_who){ transfer_describe, t };
}

/* --- users -------------------------------------------------------------------- */

static struct user *
user_find(struct shard *sh, struct table *users, const char *name)
{
	uint64_t hash = server_hash(sh->server, str_c(name));
	size_t at = table_start(users, hash);
	struct user *u;

	while ((u = table_next(users, hash, &at)) != NULL)
		if (strcmp(u->name, name) == 0)
			return u;
	u = xcalloc(1, sizeof(*u));
	u->shard = sh;
	u->among = users;
	u->hash = hash;
	u->name = xstrdup(name);
	u->at_us = clock_mono_us(sh->server->clock);
	table_add(users, hash, u);
	return u;
}

/* Unless he still has some. */
static void
user_check(struct user *u)
{
	if (u->n > 0)
		return;
	shard_timer_cancel(u->shard, &u->timer);
	table_remove(u->among, u->hash, u);
	free(u->name);
	free(u);
}

static int64_t
user_burst(const struct user *u)
{
	return (int64_t)MAX(u->rate / BURST_PARTS, (uint64_t)BURST_MIN);
}

static void
user_refill(struct user *u, int64_t now_us)
{
	int64_t us = MIN(MAX(now_us - u->at_us, 0), US_PER_S);

	u->bytes += (int64_t)(u->rate * (uint64_t)us / (uint64_t)US_PER_S);
	u->bytes = MIN(u->bytes, user_burst(u));
	u->at_us = now_us;
}

/* A round: what he may have now, in equal parts, so that none is always the first. */
static void
on_user_may(struct timer *timer)
{
	struct user *u = CONTAINER_OF(timer, struct user, timer);
	struct transfer *t;

	user_refill(u, clock_mono_us(u->shard->server->clock));
	LIST_FOREACH (t, &u->transfers, of_user) {
		t->allowed = MAX(u->bytes / u->n, PORTION_MIN);
		if (t->state == TRANSFER_RUNS)
			relay_go_on(t->ends[0]->p.conn);
	}
}

/* Half of a burst comes together again before the next round; what others have not
 * taken of the last one is there already. */
static size_t
transfer_may(struct transfer *t)
{
	struct user *u = t->user;
	int64_t missing;

	if (u->rate == 0)
		return SIZE_MAX;
	if (t->allowed > 0)
		return (size_t)t->allowed;
	if (timer_is_set(&u->timer))
		return 0;
	user_refill(u, t->heard_us);
	missing = MAX(user_burst(u) / 2 - u->bytes, 0);
	shard_timer(u->shard, &u->timer,
		(int64_t)((uint64_t)missing * (uint64_t)US_PER_S / u->rate),
		on_user_may);
	return 0;
}

/* --- while it runs -------------------------------------------------------------- */

/* Its peers are reset, and transfer_lose() hears of each. */
static void
transfer_cut(struct transfer *t, const char *why)
{
	struct peer *peer;

	if (t->state == TRANSFER_ENDS)
		return;
	t->state = TRANSFER_ENDS;
	t->why = why;
	TAILQ_FOREACH (peer, &t->peers, link)
		conn_abort(peer->p.conn);
}

static void transfer_watch(struct transfer *t);

static void
on_watch(struct timer *timer)
{
	struct transfer *t = CONTAINER_OF(timer, struct transfer, timer);
	int64_t now = t->shard->now_us;
	const struct proxy65_limits *l = &t->limits;

	if (l->bytes != 0 && t->moved > l->bytes)
		transfer_cut(t, "transfer_bytes");
	else if (now - t->began_us >= l->time_us)
		transfer_cut(t, "transfer_timeout");
	else if (now - t->heard_us >= l->idle_us)
		transfer_cut(t, "idle_timeout");
	else
		transfer_watch(t);
}

static void
transfer_watch(struct transfer *t)
{
	int64_t end = MIN(t->began_us + t->limits.time_us,
		t->heard_us + t->limits.idle_us);

	shard_timer(t->shard, &t->timer, MAX(end - t->shard->now_us, 0),
		on_watch);
}

/* One byte more than it may have shows that it wants more. */
static size_t
on_may(void *arg)
{
	struct transfer *t = arg;
	uint64_t max = t->limits.bytes;
	size_t may;

	t->heard_us = clock_mono_us(t->shard->server->clock);
	if (max != 0 && t->moved > max)
		return 0;
	may = transfer_may(t);
	return max != 0 ? (size_t)MIN(may, max - t->moved + 1) : may;
}

static void
on_moved(void *arg, struct conn *c, size_t n)
{
	struct transfer *t = arg;

	(void)c;
	t->moved += n;
	t->allowed -= (int64_t)n;
	/* what goes while there is no bound is no debt when there is one */
	if (t->user->rate != 0)
		t->user->bytes -= (int64_t)n;
	t->shard->stats.relayed_bytes += n;
	if (t->limits.bytes != 0 && t->moved > t->limits.bytes)
		shard_timer(t->shard, &t->timer, 0, on_watch);
}

static const struct relay_events transfer_events = { on_may, on_moved };

static void
transfer_begin(struct transfer *t, struct user *u)
{
	struct activation *a = t->ask;

	t->state = TRANSFER_RUNS;
	t->limits = a->limits;
	t->host = a->host;
	t->target = a->target;
	a->host = a->target = NULL;
	t->user = u;
	u->rate = t->limits.bytes_per_second;
	if (u->n++ == 0)
		u->bytes = user_burst(u);
	t->allowed = u->bytes / u->n;
	t->serial = ++t->here->serial;
	LIST_INSERT_HEAD(&u->transfers, t, of_user);
	LIST_INSERT_HEAD(&t->here->all, t, link);
	t->shard->stats.transfers++;
	t->began_us = t->heard_us = t->shard->now_us;
	transfer_watch(t);
	relay_join(t->ends[0]->p.conn, t->ends[1]->p.conn, &transfer_events, t);
	log_info(LOG_NET, transfer_who(t), "transfer begins host=%s target=%s",
		t->host, t->target);
}

/* --- on its way ------------------------------------------------------------------ */

static void
transfer_free(struct transfer *t)
{
	shard_timer_cancel(t->shard, &t->timer);
	free(t->host);
	free(t->target);
	free(t);
}

static void
transfer_answer(struct transfer *t, enum stanza_cond cond, const char *text)
{
	struct activation *a = t->ask;

	t->ask = NULL;
	activation_answer(t->shard, a, cond, text);
}

static bool
transfer_is_whole(const struct transfer *t)
{
	for (size_t i = 0; i < ENDS; i++)
		if (t->ends[i] == NULL || !conn_is_open(t->ends[i]->p.conn))
			return false;
	return true;
}

/* All are here, or will never be. */
static void
transfer_settle(struct transfer *t)
{
	struct user *u = NULL;
	int64_t max = t->ask->limits.transfers;

	if (!transfer_is_whole(t)) {
		transfer_answer(t, COND_NOT_ALLOWED,
			"One of the two has gone");
		transfer_cut(t, NULL);
		return;
	}
	u = user_find(t->shard, &t->here->users, t->ask->user);
	if (u->n < max) {
		transfer_begin(t, u);
		transfer_answer(t, COND_NONE, NULL);
		return;
	}
	user_check(u);
	t->shard->stats.refused++;
	transfer_answer(t, COND_RESOURCE_CONSTRAINT,
		"There are too many transfers of yours");
	transfer_cut(t, NULL);
}

/* One more is here, or lost: the last one decides. */
static void
transfer_arrive(struct transfer *t, struct peer *peer)
{
	if (peer->arrived)
		return;
	peer->arrived = true;
	t->shard = peer->p.shard;
	if (++t->arrived == t->moving)
		transfer_settle(t);
}

static void
on_peer_arrived(struct listen_peer *p)
{
	struct peer *peer = CONTAINER_OF(p, struct peer, p);

	peer->t->here = module_shard_state(
		listen_module(p->shard, PROXY65_KIND), p->shard);
	transfer_arrive(peer->t, peer);
}

void
transfer_move(struct transfer *t, struct activation *a)
{
	const struct server *srv = t->shard->server;
	struct place to = server_place_of(srv, str_c(a->user));
	struct peer *all[PEERS_MAX], *peer;
	unsigned n = 0;

	assert(t->n_peers >= ENDS && t->n_peers <= PEERS_MAX);
	TAILQ_FOREACH (peer, &t->peers, link)
		all[n++] = peer;
	shard_timer_cancel(t->shard, &t->timer);
	table_remove(&t->here->waiting, t->hash, t);
	t->state = TRANSFER_MOVES;
	t->ask = a;
	t->moving = n;
	t->arrived = 0;
	/* once the first is posted, t is not ours any more */
	for (unsigned i = 0; i < n; i++)
		(void)listen_move(&all[i]->p, to, on_peer_arrived);
}

/* --- the end ---------------------------------------------------------------------- */

static void
transfer_end(struct transfer *t)
{
	struct user *u = t->user;

	if (u != NULL) {
		log_info(LOG_NET, transfer_who(t),
			"transfer ends host=%s target=%s bytes=%llu ms=%lld%s%s",
			t->host, t->target, (unsigned long long)t->moved,
			(long long)((t->shard->now_us - t->began_us) /
				US_PER_MS),
			t->why != NULL ? " limit=" : "",
			t->why != NULL ? t->why : "");
		LIST_REMOVE(t, link);
		LIST_REMOVE(t, of_user);
		t->shard->stats.transfers--;
		u->n--;
		user_check(u);
	} else if (t->state == TRANSFER_WAITS) {
		table_remove(&t->here->waiting, t->hash, t);
	}
	transfer_free(t);
}

void
transfer_leave(struct transfer *t, struct peer *peer)
{
	TAILQ_REMOVE(&t->peers, peer, link);
	t->n_peers--;
	for (size_t i = 0; i < ENDS; i++)
		if (t->ends[i] == peer)
			t->ends[i] = NULL;
	peer->t = NULL;
}

/* The relay has ended both; what is beside them ends, too. */
static void
transfer_is_over(struct transfer *t)
{
	struct peer *peer;

	t->state = TRANSFER_ENDS;
	TAILQ_FOREACH (peer, &t->peers, link)
		if (peer != t->ends[0] && peer != t->ends[1])
			conn_close(peer->p.conn,
				t->shard->snap->config->limits.close_timeout_us);
}

void
transfer_lose(struct transfer *t, struct peer *peer)
{
	bool is_end = peer == t->ends[0] || peer == t->ends[1];

	transfer_leave(t, peer);
	if (t->state == TRANSFER_MOVES)
		transfer_arrive(t, peer);
	if (t->state == TRANSFER_RUNS && is_end)
		transfer_is_over(t);
	if (t->n_peers == 0 && t->ask == NULL)
		transfer_end(t);
}

void
proxy65_shard_done(struct shard *sh, void *state)
{
	struct proxy65_shard *ps = state;

	(void)sh;
	table_done(&ps->waiting);
	table_done(&ps->users);
}
