/*
 * server_dns.c - whose questions go to which struct dns.
 *
 *	any shard: server_dns_ask() --> shard 0: the newest --> its thread
 *	     ^                            | another configuration is in force:
 *	     '---- mailbox --------.      v
 *	                            '--- older ones: freed by a worker, when the time
 *	                                 of their last question is over
 *
 * Shard 0, but for what says otherwise.
 */
#include "config.h"

#include "server/server_dns.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/worker.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "core/host.h"
#include "core/shard.h"

/* An answer is late by that at most. */
#define LATE_US US_PER_S

struct server_dns {
	struct server_dns *next; /* that were before it, and end */
	struct server *server;
	struct dns *dns;
	const struct config *conf; /* that dns has a reference to */
	struct timer end;
};

static void
on_freed(void *arg)
{
	free(arg);
}

static void
on_free(void *arg)
{
	struct server_dns *d = arg;

	dns_free(d->dns);
}

static void
on_end(struct timer *t)
{
	struct server_dns *d = CONTAINER_OF(t, struct server_dns, end);
	struct server *srv = d->server;
	struct server_dns **at = &srv->dns;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	worker_run(srv->worker, on_free, &srv->shards[0]->mailbox, on_freed, d);
}

static struct dns *
server_dns_get(struct server *srv)
{
	struct config *conf = srv->newest->config;
	struct server_dns *before = srv->dns, *d;

	if (before != NULL && before->conf == conf)
		return before->dns;
	if (before != NULL)
		shard_timer(srv->shards[0], &before->end,
			before->conf->s2s.timeout_us +
				before->conf->dns.timeout_us + LATE_US,
			on_end);
	d = xcalloc(1, sizeof(*d));
	d->next = before;
	d->server = srv;
	d->dns = dns_new(conf, srv->clock, 0);
	d->conf = conf;
	srv->dns = d;
	return d->dns;
}

struct asked {
	struct shard *from;
	struct dns_question *q;
};

static void
on_asked(struct shard *sh, void *arg)
{
	struct asked asked = *(struct asked *)arg;

	free(arg);
	dns_ask(server_dns_get(sh->server), &asked.from->mailbox, asked.q);
}

void
server_dns_ask(struct shard *sh, struct dns_question *q)
{
	struct asked *asked = xmalloc(sizeof(*asked));

	*asked = (struct asked){ sh, q };
	shard_post(sh->server->shards[0], on_asked, asked, sizeof(*asked));
}

void
server_dns_stop(struct server *srv)
{
	for (struct server_dns *d = srv->dns; d != NULL; d = d->next)
		dns_stop(d->dns);
}

void
server_dns_free(struct server *srv)
{
	struct server_dns *d;

	while ((d = srv->dns) != NULL) {
		srv->dns = d->next;
		shard_timer_cancel(srv->shards[0], &d->end);
		dns_free(d->dns);
		free(d);
	}
}
