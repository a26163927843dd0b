/*
 * listen_guest.c - a connection at the port of a module, from the system's accept
 * to its end: counted, secured, heard of in time, and only then shown to the
 * module, which stays in memory until it is gone.
 *
 *   accepted --direct TLS--> handshake --> silent
 *   accepted --------------> silent --the first byte: accept()--> owned
 *   owned    --listen_move()--> posted --arrived()--> owned, at another shard
 *   any      --time (quiet_us), limits, the peer, the module leaves--> freed
 *
 * Owner shard; while it is posted, it belongs to the mail, and nobody finds it.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/tag.h"
#include "net/conn.h"
#include "net/ip_network.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/host.h"
#include "core/iq_ask.h"
#include "core/listen_int.h"
#include "core/module_ctx.h"
#include "core/place.h"
#include "core/shard.h"

struct guest {
	uint32_t tag;
	bool counted;
	bool of_nobody; /* counts for no address */
	TAILQ_ENTRY(guest) link;  /* of the shard's */
	struct shard *shard;
	struct conn *conn;
	const struct listen_kind *kind; /* stays, as entry is held */
	struct module_entry *entry; /* that brings kind; NULL: the house */
	struct config_listen at;  /* until accept(); texts are of config */
	struct config *config;    /* a reference, until then */
	struct listen_peer *peer; /* accepted; or NULL */
	void (*arrived)(struct listen_peer *p); /* while it is posted */
	struct timer timer;       /* until the first byte, or the next */
};

static struct guest *
guest_arg(void *arg)
{
	struct guest *g = arg;

	TAG_CHECK(g, "gust");
	ASSERT_ON(g->shard);
	/* the loop calls us before the turn has read the clock */
	g->shard->now_us = clock_mono_us(g->shard->server->clock);
	return g;
}

static void
guest_describe(const void *obj, char *out, size_t n)
{
	const struct guest *g = obj;

	snprintf(out, n, "s%u %s %s", g->shard->index, g->kind->name,
		conn_peer(g->conn));
}

static struct log_who
guest_who(const struct guest *g)
{
	return (struct log_who){ guest_describe, g };
}

static void
guest_refuse(struct guest *g, const char *why)
{
	g->shard->stats.refused++;
	if (log_limit_ok(&g->shard->listen->refused, LOG_NET))
		log_warn(LOG_NET, guest_who(g),
			"connection refused reason=\"%s\"", why);
	conn_abort(g->conn);
}

/* A stranger may come, and say nothing; to anybody else something may be on its
 * way. */
static void
on_guest_timeout(struct timer *t)
{
	struct guest *g = CONTAINER_OF(t, struct guest, timer);

	log_debug(LOG_NET, guest_who(g), "closed reason=\"nothing came in time\"");
	if (g->peer != NULL)
		conn_close(g->conn,
			g->shard->snap->config->limits.close_timeout_us);
	else
		conn_abort(g->conn);
}

static void
peer_free(struct listen_peer *p)
{
	memuse_remove_part(MEMUSE_STREAM, p);
	free(p);
}

/* Whoever answers it finds nobody. */
static void
peer_gone(struct listen_peer *p)
{
	p->conn = NULL;
	if (p->asks == 0)
		peer_free(p);
}

static bool
guest_is_wanted(struct guest *g)
{
	const struct listen_row *row = listen_row(g->shard->snap,
		g->kind->name);

	return row != NULL && row->kind == g->kind &&
		(g->kind->accept == NULL ||
			g->kind->accept(row->m, g->peer, &g->at));
}

static void
guest_heard(struct guest *g)
{
	shard_timer_cancel(g->shard, &g->timer);
	g->peer = xcalloc(1, MAX(g->kind->size, sizeof(*g->peer)));
	memuse_add_part(MEMUSE_STREAM, g->peer);
	g->peer->conn = g->conn;
	g->peer->guest = g;
	g->peer->shard = g->shard;
	if (!guest_is_wanted(g)) {
		peer_gone(g->peer);
		g->peer = NULL;
		conn_abort(g->conn);
	}
	config_unref(g->config);
	g->config = NULL;
}

static void
on_guest_data(void *arg, const char *p, size_t n)
{
	struct guest *g = guest_arg(arg);

	share_set(conn_share(g->conn));
	if (g->peer == NULL)
		guest_heard(g);
	if (g->peer != NULL && g->kind->quiet_us != 0)
		shard_timer(g->shard, &g->timer, g->kind->quiet_us,
			on_guest_timeout);
	if (g->peer != NULL)
		g->kind->events->data(g->peer, p, n);
	share_set(NULL);
}

static char *
on_guest_place(void *arg, size_t *n_out)
{
	struct guest *g = guest_arg(arg);

	return g->peer != NULL && g->kind->events->place != NULL ?
		g->kind->events->place(g->peer, n_out) :
		NULL;
}

static void
on_guest_secured(void *arg)
{
	struct guest *g = guest_arg(arg);

	if (g->peer != NULL && g->kind->events->secured != NULL)
		g->kind->events->secured(g->peer);
}

static void
on_guest_drained(void *arg)
{
	struct guest *g = guest_arg(arg);

	if (g->peer != NULL && g->kind->events->drained != NULL)
		g->kind->events->drained(g->peer);
}

static void
guest_log_cut(const struct guest *g, const char *why)
{
	g->shard->stats.refused++;
	if (log_limit_ok(&g->shard->listen->unread, LOG_NET))
		log_info(LOG_NET, guest_who(g), "cut off reason=\"%s\" queued=%zu",
			why, conn_queued(g->conn));
}

static void
peer_closed(struct listen_peer *p, const struct conn_events *events,
	const struct err *why)
{
	if (events->closed != NULL)
		events->closed(p, why);
	peer_gone(p);
}

/* Called at the end of a turn; behind it, code of the module may go. */
static void
on_guest_closed(void *arg, const struct err *why)
{
	struct guest *g = guest_arg(arg);

	if (why != NULL && why->code == ERR_LIMIT)
		guest_log_cut(g, why->text);
	if (g->peer != NULL)
		peer_closed(g->peer, g->kind->events, why);
	shard_timer_cancel(g->shard, &g->timer);
	if (g->counted)
		listen_count_out(g->shard, g->of_nobody ? NULL : g->conn);
	TAILQ_REMOVE(&g->shard->listen->guests, g, link);
	config_unref(g->config);
	if (g->entry != NULL)
		module_release(g->entry);
	TAG_CLEAR(g);
	memuse_remove(MEMUSE_STREAM, g);
	free(g);
}

static const struct conn_events guest_events = {
	.data = on_guest_data,
	.place = on_guest_place,
	.secured = on_guest_secured,
	.drained = on_guest_drained,
	.closed = on_guest_closed,
};

static void
guest_secure(struct guest *g)
{
	const struct tls_set *tls = g->shard->snap->tls;
	struct conn_protocol all[CONN_PROTOCOLS_MAX];
	size_t n = listen_protocols(g->shard->snap, &g->at, all);
	struct err err = ERR_INIT;
	bool ok;

	if (tls == NULL)
		ok = err_set(&err, ERR_MISSING, "no host has a certificate");
	else if (n > 1)
		ok = conn_start_tls_one_of(g->conn, tls, all, n, &err);
	else
		ok = conn_start_tls(g->conn, tls, STR(""),
			str_c(n != 0 ? all[0].alpn : ""), false, &err);
	if (ok)
		return;
	if (log_limit_ok(&g->shard->listen->broken, LOG_TLS))
		log_error(LOG_TLS, guest_who(g),
			"TLS cannot begin reason=\"%s\"", err.text);
	conn_abort(g->conn);
}

/* Counted before, as a newcomer is, or not.  NULL, and it is; else which limit is
 * reached. */
static const char *
guest_count(struct guest *g, bool counted)
{
	const struct ip ip = conn_peer_ip(g->conn);
	const char *full = NULL;

	g->of_nobody = g->kind->forwards && config_trusts(g->config, &ip);
	if (counted && g->of_nobody)
		listen_count_out(g->shard, g->conn);
	if (!counted || g->of_nobody)
		full = listen_count_in(g->shard,
			g->of_nobody ? NULL : g->conn);
	g->counted = full == NULL;
	return full;
}

static int64_t
guest_patience(const struct listen_kind *kind)
{
	return kind->first_byte_us != 0 ? kind->first_byte_us :
					  LISTEN_FIRST_BYTE_US;
}

void
guest_new(struct shard *sh, const struct listen_row *row,
	const struct listen_arrival *a)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	struct conn *c = a->conn;
	const char *full;

	sh->now_us = clock_mono_us(sh->server->clock);
	memuse_add(MEMUSE_STREAM, g);
	TAG_SET(g, "gust");
	g->shard = sh;
	g->conn = c;
	g->kind = row->kind;
	g->entry = row->m != NULL ? module_hold(row->m) : NULL;
	g->at = *a->at;
	g->config = config_ref(sh->snap->config);
	TAILQ_INSERT_TAIL(&sh->listen->guests, g, link);
	conn_set_share(c, budget_share(sh->server,
		server_hash(sh->server, conn_peer_key(c))));
	conn_bound(c);
	conn_set_owner(c, &guest_events, g);
	full = guest_count(g, a->counted);
	if (full != NULL) {
		guest_refuse(g, full);
		return;
	}
	log_debug(LOG_NET, guest_who(g), "accepted");
	shard_timer(sh, &g->timer,
		MAX(a->since_us + guest_patience(row->kind) - sh->now_us, 0),
		on_guest_timeout);
	if (a->at->tls == LISTEN_DIRECT && !conn_is_secure(c))
		guest_secure(g);
}

/* --- what a peer asks --------------------------------------------------------- */

struct peer_ask {
	struct listen_peer *peer;
	struct module_entry *entry;
	listen_ask_fn fn;
};

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct peer_ask ask = *(struct peer_ask *)arg;
	struct listen_peer *p = ask.peer;

	free(arg);
	p->asks--;
	if (p->conn != NULL)
		ask.fn(p, answer, err);
	else if (p->asks == 0)
		peer_free(p);
	module_release(ask.entry);
}

void
listen_ask(struct listen_peer *p, struct module_ctx *m, struct stanza *st,
	int64_t timeout_us, listen_ask_fn fn)
{
	struct peer_ask *ask = xmalloc(sizeof(*ask));

	*ask = (struct peer_ask){ p, module_hold(m), fn };
	p->asks++;
	iq_ask(p->shard, st, timeout_us, on_answer, ask);
}

/* --- to another shard ----------------------------------------------------------- */

static bool
guest_has_home(const struct guest *g)
{
	const struct snapshot *snap = g->shard->snap;

	for (size_t i = 0; i < snap->kinds.n; i++)
		if (snap->kinds.p[i].kind == g->kind)
			return true;
	return false;
}

static void
guest_enter(struct guest *g, struct shard *sh)
{
	g->shard = g->peer->shard = sh;
	TAILQ_INSERT_TAIL(&listen_shard(sh)->guests, g, link);
	conn_attach(g->conn, sh->net);
	if (g->kind->quiet_us != 0)
		shard_timer(sh, &g->timer, g->kind->quiet_us,
			on_guest_timeout);
}

/* What happened to all meanwhile has happened to it, too. */
static void
on_guest_arrived(struct shard *sh, void *arg)
{
	struct guest *g = arg;

	TAG_CHECK(g, "gust");
	guest_enter(g, sh);
	if (!sh->listen->started || !guest_has_home(g))
		conn_close(g->conn,
			sh->snap->config->limits.close_timeout_us);
	else if (conn_is_open(g->conn))
		g->arrived(g->peer);
}

bool
listen_move(struct listen_peer *p, struct place to,
	void (*arrived)(struct listen_peer *p))
{
	struct guest *g = p->guest;
	struct shard *sh = p->shard;

	ASSERT_ON(sh);
	assert(p->asks == 0);
	if (!conn_is_open(p->conn))
		return false;
	shard_timer_cancel(sh, &g->timer);
	TAILQ_REMOVE(&sh->listen->guests, g, link);
	conn_detach(g->conn);
	g->arrived = arrived;
	place_post(sh->server, to, on_guest_arrived, g,
		sizeof(*g) + g->kind->size);
	return true;
}

/* --- how it ends -------------------------------------------------------------- */

void
listen_cut(struct shard *sh, const struct share *share)
{
	struct guest *g;

	if (sh->listen == NULL)
		return;
	TAILQ_FOREACH (g, &sh->listen->guests, link) {
		if (conn_share(g->conn) != share)
			continue;
		guest_log_cut(g,
			"its address holds more of the memory than others");
		conn_abort(g->conn);
	}
}

/* Does it go by itself? */
static bool
guest_leaves(const struct guest *g)
{
	return g->peer != NULL && g->kind->leave != NULL &&
		g->kind->leave(g->peer);
}

void
guests_close(struct shard *sh, bool all)
{
	int64_t linger = sh->snap->config->limits.close_timeout_us;
	struct guest *g;

	/* they leave the list at the end of the turn */
	TAILQ_FOREACH (g, &sh->listen->guests, link)
		if (all ? !guest_leaves(g) : !guest_has_home(g))
			conn_close(g->conn, linger);
		else if (!all && g->peer != NULL && g->kind->follow != NULL)
			g->kind->follow(g->peer);
}

bool
guests_abort(struct shard *sh)
{
	struct guest *g;

	TAILQ_FOREACH (g, &sh->listen->guests, link)
		conn_abort(g->conn);
	return !TAILQ_EMPTY(&sh->listen->guests);
}
