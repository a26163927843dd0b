/*
 * server_quiet.c - waits until nothing is under way in the server any more.
 *
 * A look goes to one shard after the other, so that something could pass behind its
 * back; but not without mail.  Each look is one mail to each shard and one more: if
 * more were run since the one before, something moves.
 */
#include "config.h"

#include "server/server_quiet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/worker.h"
#include "disk/disk.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"

/* Between two looks. */
#define LOOK_US US_PER_MS
#define LOOKS 2

struct quiet {
	struct server *server;
	struct timer timer;
	uint64_t mails, before; /* that all shards have run: now, last time */
	bool busy;
	unsigned looks;         /* that have found nothing */
	int64_t until_us;
	void (*fn)(struct server *srv, void *arg);
	void *arg;
};

static void
quiet_visit(struct shard *sh, void *arg)
{
	struct quiet *q = arg;

	q->mails += sh->stats.mails;
	q->busy |= !STAILQ_EMPTY(&sh->local) || sh->lanes != NULL ||
		mailbox_depth(&sh->mailbox).mails != 0;
}

static void on_look(struct timer *t);

static void
quiet_done(struct shard *from, void *arg)
{
	struct quiet *q = arg;
	struct server *srv = q->server;

	q->busy |= q->mails - q->before != srv->n_shards + 1 ||
		!store_is_idle(srv->store) ||
		worker_waiting(srv->worker) != 0 || disk_waiting(srv->disk) != 0;
	q->looks = q->busy ? 0 : q->looks + 1;
	if (q->looks < LOOKS && from->now_us < q->until_us) {
		shard_timer(from, &q->timer, LOOK_US, on_look);
		return;
	}
	q->fn(srv, q->arg);
	free(q);
}

static void
on_look(struct timer *t)
{
	struct quiet *q = CONTAINER_OF(t, struct quiet, timer);

	q->before = q->mails;
	q->mails = 0;
	q->busy = false;
	shard_visit_all(q->server->shards[0], quiet_visit, quiet_done, q);
}

void
server_when_quiet(struct server *srv, int64_t most_us,
	void (*fn)(struct server *srv, void *arg), void *arg)
{
	struct quiet *q = xcalloc(1, sizeof(*q));
	struct shard *first = srv->shards[0];

	ASSERT_ON(first);
	q->server = srv;
	q->until_us = first->now_us + most_us;
	q->fn = fn;
	q->arg = arg;
	shard_timer(first, &q->timer, 0, on_look);
}
