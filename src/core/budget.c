/*
 * budget.c - what waits in the process, and whose it is.
 */
#include "config.h"

#include "core/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/listen.h"
#include "core/shard.h"

/* A power of two; 128 KiB. */
#define SHARES 16384
#define LOOK_US (5 * US_PER_MS)
#define CUT_US US_PER_S
/* Nobody is slowed for less. */
#define SHARE_MIN (64 << 10)

struct share *
budget_shares_new(void)
{
	return xcalloc(SHARES, sizeof(struct share));
}

struct share *
budget_share(const struct server *srv, uint64_t hash)
{
	return &srv->shares[hash % SHARES];
}

/* --- how much there is ------------------------------------------------------ */

/* The number in a file, as control groups have it; 0: there is none. */
static uint64_t
number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* cgroups(7): "0::" and the path below where they are mounted. */
static uint64_t
cgroup_bytes(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512], path[600];
	uint64_t n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max",
			line + 3);
		n = number_in(path);
	}
	if (f != NULL)
		fclose(f);
	return n;
}

uint64_t
budget_default(void)
{
	uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) *
		(uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t group = cgroup_bytes();

	return (group != 0 ? MIN(all, group) : all) / 2;
}

uint64_t
budget_max(const struct shard *sh)
{
	uint64_t max = sh->snap->config->limits.memory;

	return max != 0 ? max : sh->server->memory_default;
}

int64_t
budget_waiting(void)
{
	return memuse_bytes(MEMUSE_BIT(MEMUSE_ARENA) | MEMUSE_BIT(MEMUSE_WIRE) |
		MEMUSE_BIT(MEMUSE_QUEUE) | MEMUSE_BIT(MEMUSE_AUDIENCE) |
		MEMUSE_BIT(MEMUSE_OCCUPANT) | MEMUSE_BIT(MEMUSE_FILE) |
		MEMUSE_BIT(MEMUSE_HTTP));
}

/* --- who has most ----------------------------------------------------------- */

static size_t
shares_look(struct shard *sh)
{
	int64_t sum = 0, n = 0, most = 0;
	size_t largest = 0;

	for (size_t i = 0; i < SHARES; i++) {
		int64_t bytes = share_bytes(&sh->server->shares[i]);

		if (bytes <= 0)
			continue;
		sum += bytes;
		n++;
		if (bytes > most) {
			most = bytes;
			largest = i;
		}
	}
	/* where all have the same, all are slowed */
	sh->budget.fair = MAX(sum / MAX(n, 1) / 2, SHARE_MIN);
	return largest;
}

static void
entity_cut(struct entity *e, const struct shard *sh)
{
	if (!entity_close(e, STREAM_RESOURCE_CONSTRAINT,
		    "Too much is waiting for you, or because of you"))
		return;
	log_warn(LOG_SESSION, entity_who(e),
		"closed, it holds more of the memory than others waiting=%lld own=%lld max=%llu",
		(long long)sh->budget.waiting,
		(long long)share_bytes(budget_share(sh->server, e->hash)),
		(unsigned long long)budget_max(sh));
}

/* Of this shard: the other ones look too. */
static void
largest_cut(struct shard *sh, size_t largest)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (e->hash % SHARES == largest)
			entity_cut(e, sh);
	}
	listen_cut(sh, &sh->server->shares[largest]);
}

/* --- looking ---------------------------------------------------------------- */

static void
budget_is_over(struct shard *sh, size_t largest)
{
	struct budget *b = &sh->budget;

	if (b->over_since_us == 0)
		b->over_since_us = sh->now_us;
	if (sh->now_us - b->over_since_us < CUT_US)
		return;
	largest_cut(sh, largest);
	b->over_since_us = sh->now_us;
}

void
budget_look(struct shard *sh)
{
	struct budget *b = &sh->budget;
	int64_t max = (int64_t)budget_max(sh);
	size_t largest;

	if (sh->now_us - b->looked_us < LOOK_US)
		return;
	b->looked_us = sh->now_us;
	b->waiting = budget_waiting();
	b->level = b->waiting > max ? BUDGET_OVER :
		b->waiting > max / 4 * 3 ? BUDGET_TIGHT :
					   BUDGET_FINE;
	if (b->level != BUDGET_FINE)
		largest = shares_look(sh);
	if (b->level == BUDGET_OVER)
		budget_is_over(sh, largest);
	else
		b->over_since_us = 0;
}

enum budget_level
budget_judge(const struct shard *sh, uint64_t hash)
{
	if (sh->budget.level == BUDGET_FINE ||
		share_bytes(budget_share(sh->server, hash)) <= sh->budget.fair)
		return BUDGET_FINE;
	return sh->budget.level;
}
