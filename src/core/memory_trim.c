/*
 * memory_trim.c - gives memory back after much was let go.
 *
 * Owner shard; malloc is told on a worker.  Only when so many bytes less are
 * held that there is something to give back, and after a pause, so that the end
 * of a burst is waited for and a steady coming and going costs next to nothing.
 * What is held is counted for the whole process (base/memuse.h).
 */
#include "config.h"

#include "core/memory_trim.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/worker.h"
#include "xml/parser.h"
#include "net/net.h"
#include "core/shard.h"

#define TRIM_BYTES (8 << 20)
#define TRIM_PAUSE_US (5 * US_PER_S)
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
trim_now(struct shard *sh, int64_t bytes)
{
	log_debug(LOG_SERVER, LOG_NOBODY,
		"free memory is given back shard=%u let_go=%lld", sh->index,
		(long long)bytes);
	net_trim(sh->net);
	xml_pool_trim(sh->xml);
	worker_run(sh->server->worker, work_trim, &sh->mailbox, on_trimmed,
		NULL);
}

static void
on_trim(struct timer *t)
{
	struct memory_trim *trim = CONTAINER_OF(t, struct memory_trim, timer);
	struct shard *sh = CONTAINER_OF(trim, struct shard, trim);
	int64_t held = held_all();
	int64_t bytes = trim->most - held;

	if (bytes >= TRIM_BYTES)
		trim_now(sh, bytes);
	if (bytes >= TRIM_BYTES || held > trim->most)
		trim->most = held;
	trim->seen = held;
}

void
memory_trim_look(struct shard *sh)
{
	struct memory_trim *trim = &sh->trim;
	int64_t held;

	if (sh->now_us - trim->looked_us < LOOK_US)
		return;
	trim->looked_us = sh->now_us;
	held = held_all();
	trim->most = MAX(trim->most, held);
	/* when there is more, too: it may go in a turn behind which nobody looks */
	if ((trim->most - held >= TRIM_BYTES ||
		    held - trim->seen >= TRIM_BYTES) &&
		!timer_is_set(&trim->timer))
		shard_timer(sh, &trim->timer, TRIM_PAUSE_US, on_trim);
}
