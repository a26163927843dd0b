/*
 * c2s_listen.c - where streams come from, and how all of them are sent away.
 *
 * Sockets are bound at start-up, all for all shards, and handed over once the
 * shards run.  Shutting down visits every shard, and then waits until the last
 * connection is counted out.
 */
#include "config.h"

#include "stream/client/c2s.h"

#include <stdio.h>
#include <unistd.h>

#include "base/crowd.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/tally.h"
#include "base/throttle.h"
#include "base/visitors.h"
#include "net/conn.h"
#include "net/listener.h"
#include "core/host.h"
#include "server/server_start.h"
#include "stream/client/c2s_int.h"

/* Addresses and accounts whose failed logins are remembered. */
#define FAILURES_KEPT 16384
/* Addresses that are known to accounts, 16 bytes each. */
#define KNOWN_KEPT 262144
/* How often it is looked whether all streams are gone. */
#define CLOSING_LOOK_US (10 * US_PER_MS)

static const char *const tls_names[] = {
	[LISTEN_STARTTLS] = "starttls",
	[LISTEN_DIRECT] = "direct",
	[LISTEN_PLAIN] = "none",
};

static struct c2s_server *
c2s_server_get(struct server *srv)
{
	struct c2s_server *s = srv->streams;

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->tally = tally_new();
		s->strangers = crowd_new();
		s->failures = throttle_new(FAILURES_KEPT);
		s->known = visitors_new(KNOWN_KEPT);
		srv->streams = s;
	}
	return s;
}

static void
c2s_server_free(struct server *srv)
{
	struct c2s_server *s = srv->streams;

	if (s == NULL)
		return;
	tally_free(s->tally);
	crowd_free(s->strangers);
	throttle_free(s->failures);
	visitors_free(s->known);
	config_unref(s->listened);
	free(s->fds);
	free(s);
	srv->streams = NULL;
	srv->on_reloaded = NULL;
}

/* --- binding -------------------------------------------------------------- */

static void
fds_close(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

bool
c2s_listen(struct server *srv, struct err *err)
{
	struct c2s_server *s = c2s_server_get(srv);
	struct config *conf = srv->newest->config;
	unsigned n = server_shards_wanted(conf); /* there are none yet */
	uint16_t port;

	s->n_shards = n;
	s->fds = xcalloc(conf->n_listen * n + 1, sizeof(s->fds[0]));
	for (size_t i = 0; i < conf->n_listen; i++) {
		const struct config_listen *l = &conf->listen[i];

		if (!listener_bind(l->address, (uint16_t)l->port,
			    (int)l->backlog, s->fds + i * n, n, &port, err)) {
			fds_close(s->fds, i * n);
			c2s_server_free(srv);
			return false;
		}
		log_info(LOG_NET, LOG_NOBODY,
			"listening kind=c2s address=%s port=%u tls=%s",
			l->address, (unsigned)port, tls_names[l->tls]);
	}
	s->listened = config_ref(conf);
	return true;
}

void
c2s_unlisten(struct server *srv)
{
	struct c2s_server *s = srv->streams;

	if (s == NULL)
		return;
	if (s->listened != NULL)
		fds_close(s->fds, s->listened->n_listen * s->n_shards);
	c2s_server_free(srv);
}

/* --- a new configuration -------------------------------------------------- */

/* RFC 6120 §4.9.3.5 */
static void
gone_visit(struct shard *sh, void *arg)
{
	struct stream_shard *ss = sh->streams;
	struct stream *x;

	(void)arg;
	if (ss == NULL)
		return;
	TAILQ_FOREACH (x, &ss->streams, link) {
		if (x->stage != STAGE_CLOSED && x->headed &&
			x->kind->host(x) == NULL)
			stream_end(x, STREAM_HOST_GONE, NULL);
	}
}

static void
gone_done(struct shard *from, void *arg)
{
	(void)from;
	(void)arg;
}

static void
on_reloaded(struct server *srv)
{
	shard_visit_all(srv->shards[0], gone_visit, gone_done, NULL);
}

/* --- accepting ------------------------------------------------------------ */

static void
on_c2s_accept(void *arg, int fd, const struct sockaddr *peer, unsigned peer_len)
{
	struct c2s_accept *accept = arg;
	struct shard *sh = accept->shard;

	c2s_new(sh, conn_new_tcp(sh->net, fd, peer, peer_len), accept->tls);
}

static void
on_c2s_start(struct shard *sh, void *arg)
{
	struct c2s_server *s = arg;
	struct c2s_shard *cs = c2s_shard(sh);
	size_t n = s->listened != NULL ? s->listened->n_listen : 0;

	cs->n_listeners = n;
	cs->listeners = xcalloc(n + 1, sizeof(cs->listeners[0]));
	cs->accepts = xcalloc(n + 1, sizeof(cs->accepts[0]));
	for (size_t i = 0; i < n; i++) {
		int fd = s->fds[i * s->n_shards + sh->index];

		cs->accepts[i] =
			(struct c2s_accept){ sh, s->listened->listen[i].tls };
		cs->listeners[i] = listener_start(sh->net, fd, on_c2s_accept,
			&cs->accepts[i]);
	}
}

static void
c2s_listeners_stop(struct c2s_shard *cs)
{
	for (size_t i = 0; i < cs->n_listeners; i++)
		listener_stop(cs->listeners[i]);
	cs->n_listeners = 0;
}

void
c2s_start(struct server *srv)
{
	struct c2s_server *s = c2s_server_get(srv);

	srv->on_reloaded = on_reloaded;
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_post(srv->shards[i], on_c2s_start, s, 0);
}

/* --- sending all away ----------------------------------------------------- */

struct c2s_closing {
	struct server *server;
	enum stream_cond cond;
	struct timer timer;
	void (*done)(void *arg);
	void *arg;
};

static void
closing_visit(struct shard *sh, void *arg)
{
	const struct c2s_closing *closing = arg;
	struct stream_shard *ss = stream_shard(sh);
	struct stream *x;

	c2s_listeners_stop(c2s_shard(sh));
	ss->closing = true;
	ss->closing_cond = closing->cond;
	/* streams leave the list at the end of the turn */
	TAILQ_FOREACH (x, &ss->streams, link)
		stream_end(x, closing->cond, NULL);
}

static void
forget_visit(struct shard *sh, void *arg)
{
	struct c2s_shard *cs;

	(void)arg;
	if (sh->streams == NULL)
		return;
	cs = c2s_shard(sh);
	c2s_features_free(cs);
	c2s_looks_free(cs);
	free(cs->listeners);
	free(cs->accepts);
	free(cs);
	free(sh->streams);
	sh->streams = NULL;
}

static void
closing_end(struct shard *from, void *arg)
{
	struct c2s_closing closing = *(struct c2s_closing *)arg;

	(void)from;
	free(arg);
	c2s_server_free(closing.server);
	closing.done(closing.arg);
}

static void
on_closing_look(struct timer *t)
{
	struct c2s_closing *closing =
		CONTAINER_OF(t, struct c2s_closing, timer);
	struct shard *first = closing->server->shards[0];

	if (c2s_streams_left(closing->server) != 0)
		shard_timer(first, t, CLOSING_LOOK_US, on_closing_look);
	else
		shard_visit_all(first, forget_visit, closing_end, closing);
}

static void
closing_wait(struct shard *from, void *arg)
{
	struct c2s_closing *closing = arg;

	shard_timer(from, &closing->timer, 0, on_closing_look);
}

void
c2s_close_all(struct server *srv, enum stream_cond cond,
	void (*done)(void *arg), void *arg)
{
	struct c2s_closing *closing = xcalloc(1, sizeof(*closing));

	c2s_server_get(srv);
	*closing = (struct c2s_closing){
		.server = srv,
		.cond = cond,
		.done = done,
		.arg = arg,
	};
	shard_visit_all(srv->shards[0], closing_visit, closing_wait, closing);
}

/* --- sending all elsewhere ------------------------------------------------ */

struct c2s_draining {
	char *host_port;
	void (*done)(void *arg);
	void *arg;
};

static void
draining_visit(struct shard *sh, void *arg)
{
	const struct c2s_draining *d = arg;
	struct stream_shard *ss = sh->streams;
	struct stream *x;

	if (ss == NULL)
		return;
	TAILQ_FOREACH (x, &ss->streams, link) {
		if (x->authenticated)
			stream_end_with(x, STREAM_SEE_OTHER_HOST,
				str_c(d->host_port), NULL);
	}
}

static void
draining_end(struct shard *from, void *arg)
{
	struct c2s_draining d = *(struct c2s_draining *)arg;

	(void)from;
	free(arg);
	free(d.host_port);
	if (d.done != NULL)
		d.done(d.arg);
}

void
c2s_drain(struct server *srv, const char *host_port, void (*done)(void *arg),
	void *arg)
{
	struct c2s_draining *d = xmalloc(sizeof(*d));

	*d = (struct c2s_draining){ xstrdup(host_port), done, arg };
	shard_visit_all(srv->shards[0], draining_visit, draining_end, d);
}
