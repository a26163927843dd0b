/*
 * tidy.c - gives memory back after much was let go.
 *
 * Owner shard; malloc is told on a worker.  Only when so many bytes less are
 * held that there is something to give back, and after a pause, so that the end
 * of a burst is waited for and a steady coming and going costs next to nothing.
 * What is held is counted for the whole process (base/memuse.h).
 */
#include "config.h"

#include "core/tidy.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/worker.h"
#include "xml/parser.h"
#include "net/net.h"
#include "core/shard.h"

#define TIDY_BYTES (8 << 20)
#define TIDY_PAUSE_US (5 * US_PER_S)
#define LOOK_US (100 * US_PER_MS)

static int64_t
held_all(void)
{
	int64_t sum = 0;

	for (int i = 0; i < MEMUSE_KINDS; i++)
		sum += memuse_sum((enum memuse)i).bytes;
	return sum;
}

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
tidy_up(struct shard *sh, int64_t bytes)
{
	log_debug(LOG_SERVER, LOG_NOBODY,
		"free memory is given back shard=%u let_go=%lld", sh->index,
		(long long)bytes);
	net_tidy(sh->net);
	xml_pool_tidy(sh->xml);
	worker_run(sh->server->worker, work_trim, &sh->mailbox, on_trimmed,
		NULL);
}

static void
on_tidy(struct timer *t)
{
	struct tidy *tidy = CONTAINER_OF(t, struct tidy, timer);
	struct shard *sh = CONTAINER_OF(tidy, struct shard, tidy);
	int64_t held = held_all();
	int64_t bytes = tidy->most - held;

	if (bytes >= TIDY_BYTES)
		tidy_up(sh, bytes);
	if (bytes >= TIDY_BYTES || held > tidy->most)
		tidy->most = held;
	tidy->seen = held;
}

void
tidy_look(struct shard *sh)
{
	struct tidy *tidy = &sh->tidy;
	int64_t held;

	if (sh->now_us - tidy->looked_us < LOOK_US)
		return;
	tidy->looked_us = sh->now_us;
	held = held_all();
	tidy->most = MAX(tidy->most, held);
	/* when there is more, too: it may go in a turn behind which nobody looks */
	if ((tidy->most - held >= TIDY_BYTES ||
		    held - tidy->seen >= TIDY_BYTES) &&
		!timer_is_set(&tidy->timer))
		shard_timer(sh, &tidy->timer, TIDY_PAUSE_US, on_tidy);
}
