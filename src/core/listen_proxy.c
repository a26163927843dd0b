/*
 * listen_proxy.c - at a port that is behind a proxy: who has come, until the proxy
 * has said from whom it is.
 *
 *	accepted, from an address that is trusted --the header--> listen_arrive(),
 *	   |                                                      as anywhere else
 *	   `--the time of strangers, another header, the stop, a reload that has
 *	      the port otherwise--> closed
 *
 * Owner shard.  Meanwhile he counts in limits: connections alone, for only the
 * address that is told is his.
 */
#include "config.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "net/conn.h"
#include "net/conn_proxy.h"
#include "net/ip_network.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen_int.h"
#include "core/shard.h"

struct proxied {
	uint32_t tag;
	TAILQ_ENTRY(proxied) link; /* of the shard's */
	struct shard *shard;
	struct conn *conn;
	struct conn_proxy *reading;
	struct listen_port *port; /* reference */
	int64_t since_us;
	struct timer timer;
	char peer[56]; /* the proxy, as conn_peer() has said */
};

static void
proxied_describe(const void *obj, char *out, size_t n)
{
	const struct proxied *p = obj;

	snprintf(out, n, "s%u proxy %s", p->shard->index, p->peer);
}

static struct log_who
proxied_who(const struct proxied *p)
{
	return (struct log_who){ proxied_describe, p };
}

static void
proxied_refuse(const struct proxied *p, const char *why)
{
	p->shard->stats.refused++;
	if (log_limit_ok(&p->shard->listen->refused, LOG_NET))
		log_warn(LOG_NET, proxied_who(p),
			"connection refused reason=\"%s\"", why);
}

/* All but the connection and the port.  It is counted in. */
static void
proxied_leave(struct proxied *p)
{
	shard_timer_cancel(p->shard, &p->timer);
	listen_count_out(p->shard, NULL);
	TAILQ_REMOVE(&p->shard->listen->proxied, p, link);
	TAG_CLEAR(p);
	memuse_remove(MEMUSE_STREAM, p);
	free(p);
}

static void
proxied_abort(struct proxied *p)
{
	struct listen_port *port = p->port;

	if (p->reading != NULL)
		conn_proxy_stop(p->reading);
	conn_abort(p->conn);
	proxied_leave(p);
	listen_port_unref(port);
}

static void
on_proxied_timeout(struct timer *t)
{
	struct proxied *p = CONTAINER_OF(t, struct proxied, timer);

	proxied_refuse(p, "the proxy has not said in time from whom it is");
	proxied_abort(p);
}

/* The port as it is now; NULL: it is not one behind a proxy any more. */
static const struct config_listen *
proxied_entry(const struct proxied *p)
{
	const struct config_listen *at = listen_entry(p->shard, p->port);

	return at != NULL && at->proxy_protocol ? at : NULL;
}

static struct proxied *
proxied_arg(void *arg)
{
	struct proxied *p = arg;

	TAG_CHECK(p, "prxd");
	ASSERT_ON(p->shard);
	/* the loop calls us before the turn has read the clock */
	p->shard->now_us = clock_mono_us(p->shard->server->clock);
	return p;
}

static void
on_proxied_told(void *arg, const struct err *why)
{
	struct proxied *p = proxied_arg(arg);
	struct shard *sh = p->shard;
	struct listen_arrival a = {
		.conn = p->conn,
		.at = proxied_entry(p),
		.port = p->port,
		.since_us = p->since_us,
	};

	p->reading = NULL;
	if (why != NULL && why->code == ERR_MISSING)
		/* so it looks whether we are here */
		log_debug(LOG_NET, proxied_who(p), "closed reason=\"%s\"",
			why->text);
	else if (why != NULL)
		proxied_refuse(p, why->text);
	if (why != NULL || a.at == NULL) {
		proxied_abort(p);
		return;
	}
	log_debug(LOG_NET, proxied_who(p), "has a connection peer=%s%s",
		conn_peer(p->conn),
		conn_through(p->conn) == CONN_PROXIED_NOBODY ? " told=no" : "");
	proxied_leave(p);
	listen_arrive(sh, &a);
	listen_port_unref(a.port);
}

void
proxied_new(struct shard *sh, const struct listen_arrival *a)
{
	const struct ip ip = conn_peer_ip(a->conn);
	struct proxied *p = xcalloc(1, sizeof(*p));
	const char *full = NULL;

	TAG_SET(p, "prxd");
	memuse_add(MEMUSE_STREAM, p);
	p->shard = sh;
	p->conn = a->conn;
	p->since_us = a->since_us;
	snprintf(p->peer, sizeof(p->peer), "%s", conn_peer(a->conn));
	if (!config_trusts(sh->snap->config, &ip))
		full = "proxies: trusted does not name that address";
	else
		full = listen_count_in(sh, NULL);
	if (full != NULL) {
		proxied_refuse(p, full);
		conn_abort(p->conn);
		memuse_remove(MEMUSE_STREAM, p);
		free(p);
		return;
	}
	p->port = listen_port_ref(a->port);
	TAILQ_INSERT_TAIL(&listen_shard(sh)->proxied, p, link);
	shard_timer(sh, &p->timer, listen_patience(sh->snap, a->at),
		on_proxied_timeout);
	p->reading = conn_proxy_read(p->conn, on_proxied_told, p);
}

bool
proxied_abort_all(struct shard *sh)
{
	struct proxied *p;
	bool any = false;

	while ((p = TAILQ_FIRST(&sh->listen->proxied)) != NULL) {
		proxied_abort(p);
		any = true;
	}
	return any;
}
