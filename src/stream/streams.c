/*
 * streams.c - all streams of the server, of whatever kind: what they share, and how
 * all of them are sent away.
 *
 * Shutting down visits every shard, and then waits until the last connection is
 * counted out, of whatever kind.
 */
#include "config.h"

#include "stream/streams.h"

#include <stdio.h>

#include "base/crowd.h"
#include "base/mem.h"
#include "base/throttle.h"
#include "base/visitors.h"
#include "core/host.h"
#include "core/listen.h"
#include "stream/newcomer.h"
#include "stream/stream.h"

/* Addresses and accounts whose failed logins are remembered. */
#define FAILURES_KEPT 16384
/* Addresses that are known to accounts, 16 bytes each. */
#define KNOWN_KEPT 262144
/* How often it is looked whether all streams are gone. */
#define CLOSING_LOOK_US (10 * US_PER_MS)

static struct stream_server *
stream_server_get(struct server *srv)
{
	struct stream_server *s = srv->streams;

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->strangers = crowd_new();
		s->failures = throttle_new(FAILURES_KEPT);
		s->known = visitors_new(KNOWN_KEPT);
		rand_bytes(srv->rand, s->secret, sizeof(s->secret));
		srv->streams = s;
	}
	return s;
}

static void
stream_server_free(struct server *srv)
{
	struct stream_server *s = srv->streams;

	if (s == NULL)
		return;
	crowd_free(s->strangers);
	throttle_free(s->failures);
	visitors_free(s->known);
	mem_wipe_free(s, sizeof(*s));
	srv->streams = NULL;
	srv->on_reloaded = NULL;
}

/* --- a new configuration -------------------------------------------------- */

/* RFC 6120 §4.9.3.5: a domain may be gone. */
static void
reloaded_visit(struct shard *sh, void *arg)
{
	struct stream_shard *ss = sh->streams;
	struct stream *x;

	(void)arg;
	if (ss == NULL)
		return;
	TAILQ_FOREACH (x, &ss->streams, link) {
		if (x->kind->reloaded != NULL && x->stage != STAGE_CLOSED)
			x->kind->reloaded(x);
		if (x->stage != STAGE_CLOSED && x->headed &&
			x->kind->host(x) == NULL)
			stream_end(x, STREAM_HOST_GONE, NULL);
	}
}

static void
reloaded_done(struct shard *from, void *arg)
{
	(void)from;
	(void)arg;
}

static void
on_reloaded(struct server *srv)
{
	shard_visit_all(srv->shards[0], reloaded_visit, reloaded_done, NULL);
}

/* --- the beginning -------------------------------------------------------- */

void
streams_start(struct server *srv)
{
	stream_server_get(srv);
	srv->on_reloaded = on_reloaded;
	srv->newcomer = newcomer_new;
}

/* --- sending all away ----------------------------------------------------- */

struct streams_closing {
	struct server *server;
	enum stream_cond cond;
	struct timer timer;
	void (*done)(void *arg);
	void *arg;
};

/* Nobody comes any more, neither from outside nor from another shard. */
static struct stream_shard *
closing_begin(struct shard *sh, enum stream_cond cond)
{
	struct stream_shard *ss = stream_shard(sh);

	listen_stop(sh);
	sh->streams_closed = true;
	if (sh->index == 0)
		stream_server_get(sh->server)->closing = true;
	ss->closing = true;
	ss->closing_cond = cond;
	return ss;
}

struct streams_resting {
	enum stream_cond cond;
	void (*done)(struct shard *first, void *arg);
	void *arg;
};

static void
resting_visit(struct shard *sh, void *arg)
{
	const struct streams_resting *resting = arg;
	struct stream_shard *ss = closing_begin(sh, resting->cond);
	struct stream *x;

	TAILQ_FOREACH (x, &ss->streams, link) {
		if (x->stage == STAGE_BOUND)
			stream_rest(x, REST_STOP);
		else
			stream_end(x, resting->cond, NULL);
	}
}

static void
resting_end(struct shard *first, void *arg)
{
	struct streams_resting resting = *(struct streams_resting *)arg;

	free(arg);
	resting.done(first, resting.arg);
}

void
streams_rest_all(struct server *srv, enum stream_cond cond,
	void (*done)(struct shard *first, void *arg), void *arg)
{
	struct streams_resting *resting = xmalloc(sizeof(*resting));

	*resting = (struct streams_resting){ cond, done, arg };
	shard_visit_all(srv->shards[0], resting_visit, resting_end, resting);
}

static void
closing_visit(struct shard *sh, void *arg)
{
	const struct streams_closing *closing = arg;
	struct stream_shard *ss = closing_begin(sh, closing->cond);
	struct stream *x;

	/* streams leave the list at the end of the turn */
	TAILQ_FOREACH (x, &ss->streams, link)
		stream_end(x, closing->cond, NULL);
}

static void
forget_visit(struct shard *sh, void *arg)
{
	struct stream_shard *ss = sh->streams;

	(void)arg;
	if (ss == NULL)
		return;
	if (ss->client != NULL)
		ss->client_free(ss->client);
	if (ss->servers != NULL)
		ss->servers_free(ss->servers);
	free(ss->elsewhere);
	free(ss);
	sh->streams = NULL;
}

static void
closing_end(struct shard *from, void *arg)
{
	struct streams_closing closing = *(struct streams_closing *)arg;

	(void)from;
	free(arg);
	stream_server_free(closing.server);
	closing.done(closing.arg);
}

static void
on_closing_look(struct timer *t)
{
	struct streams_closing *closing =
		CONTAINER_OF(t, struct streams_closing, timer);
	struct shard *first = closing->server->shards[0];

	if (listen_count(closing->server) != 0)
		shard_timer(first, t, CLOSING_LOOK_US, on_closing_look);
	else
		shard_visit_all(first, forget_visit, closing_end, closing);
}

static void
closing_wait(struct shard *from, void *arg)
{
	struct streams_closing *closing = arg;

	shard_timer(from, &closing->timer, 0, on_closing_look);
}

void
streams_close_all(struct server *srv, enum stream_cond cond,
	void (*done)(void *arg), void *arg)
{
	struct streams_closing *closing = xcalloc(1, sizeof(*closing));

	stream_server_get(srv);
	*closing = (struct streams_closing){
		.server = srv,
		.cond = cond,
		.done = done,
		.arg = arg,
	};
	shard_visit_all(srv->shards[0], closing_visit, closing_wait, closing);
}

/* --- sending all elsewhere ------------------------------------------------ */

struct streams_draining {
	char *host_port;
	bool off; /* they are all sent away already */
	void (*done)(void *arg);
	void *arg;
};

/* Shards are visited in one order, by each of those who send away: so a stream
 * that comes to one which was visited oftener than the one that it has left was
 * on its way meanwhile, and is sent elsewhere then (stream_move.c). */
static void
draining_visit(struct shard *sh, void *arg)
{
	struct streams_draining *d = arg;
	struct stream_shard *ss;
	struct stream *x;

	if (sh->index == 0)
		d->off = sh->server->streams == NULL ||
			stream_server_get(sh->server)->closing;
	if (d->off)
		return;
	ss = stream_shard(sh);
	ss->drained++;
	free(ss->elsewhere);
	ss->elsewhere = xstrdup(d->host_port);
	TAILQ_FOREACH (x, &ss->streams, link) {
		if (x->authenticated && x->kind->may_go_elsewhere)
			stream_end_with(x, STREAM_SEE_OTHER_HOST,
				str_c(d->host_port), NULL);
	}
}

static void
draining_end(struct shard *from, void *arg)
{
	struct streams_draining d = *(struct streams_draining *)arg;

	(void)from;
	free(arg);
	free(d.host_port);
	if (d.done != NULL)
		d.done(d.arg);
}

void
streams_drain(struct server *srv, const char *host_port, void (*done)(void *arg),
	void *arg)
{
	struct streams_draining *d = xmalloc(sizeof(*d));

	*d = (struct streams_draining){
		.host_port = xstrdup(host_port),
		.done = done,
		.arg = arg,
	};
	shard_visit_all(srv->shards[0], draining_visit, draining_end, d);
}
