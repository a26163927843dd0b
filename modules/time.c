/*
 * time.c - tells what time it is here (XEP-0202).
 *
 * Keeps no state; any shard.
 */
#include "config.h"

#include <time.h>

#include "module/module.h"

/* XEP-0082 §3.2: "+02:00"; "Z" stands for UTC. */
static struct str
time_zone(struct arena *a, int64_t wall_us)
{
	time_t now = (time_t)(wall_us / US_PER_S);
	struct tm tm;
	long minutes;

	if (localtime_r(&now, &tm) == NULL || tm.tm_gmtoff == 0)
		return STR("Z");
	minutes = tm.tm_gmtoff / 60;
	return arena_printf(a, "%c%02ld:%02ld", minutes < 0 ? '-' : '+',
		labs(minutes) / 60, labs(minutes) % 60);
}

static enum hook_result
on_time(struct module_ctx *m, struct iq *iq)
{
	int64_t wall_us = shard_wall_us(iq->shard);
	struct elem *e = iq_payload(iq, NS_TIME, "time");
	struct arena *a = iq->st->arena;
	char utc[DATETIME_SIZE];

	(void)m;
	elem_add_with_text(a, e, NS_TIME, "tzo", time_zone(a, wall_us));
	elem_add_with_text(a, e, NS_TIME, "utc", datetime_format(utc, wall_us));
	iq_result(iq, e);
	return HOOK_HANDLED;
}

static const struct iq_handler time_iqs[] = {
	{ IQ_GET, AT_HOST | AT_SERVICE, NS_TIME, "time", on_time },
	{ .fn = NULL },
};

MODULE(time) = {
	.api = MODULE_API,
	.name = "time",
	.summary = "tell the time",
	.specs = "XEP-0202 2.0, XEP-0082 1.1.1",
	.features = (const char *const[]){ NS_TIME, NULL },
	.service_features = (const char *const[]){ NS_TIME, NULL },
	.iqs = time_iqs,
};
