/*
 * tidy.c - gives memory back after many have left.
 *
 * Owner shard; malloc is told on a worker.  Only after so many have left that
 * there is something to give back, and after a pause, so that the end of a burst
 * is waited for and a steady coming and going costs next to nothing.
 */
#include "config.h"

#include "core/tidy.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/worker.h"
#include "core/shard.h"
#include "net/net.h"
#include "xml/parser.h"

/* They held about a megabyte without TLS, and ten with it. */
#define TIDY_AFTER 1000
#define TIDY_PAUSE_US (5 * US_PER_S)

static void
work_trim(void *arg)
{
	(void)arg;
	mem_trim();
}

static void
on_trimmed(void *arg)
{
	(void)arg;
}

static void
on_tidy(struct timer *t)
{
	struct shard *sh = CONTAINER_OF(t, struct shard, tidy);

	sh->gone = 0;
	net_tidy(sh->net);
	xml_pool_tidy(sh->xml);
	worker_run(sh->server->worker, work_trim, &sh->mailbox, on_trimmed,
		NULL);
}

void
tidy_count(struct shard *sh)
{
	if (++sh->gone >= TIDY_AFTER && !timer_is_set(&sh->tidy))
		shard_timer(sh, &sh->tidy, TIDY_PAUSE_US, on_tidy);
}
