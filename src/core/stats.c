/*
 * stats.c - what shards count.
 *
 * Owner shard, and pure functions.
 */
#include "config.h"

#include "core/stats.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/net.h"

#define KEEP_US (5 * US_PER_S)

#define COLUMN(id, field, kind)                                                \
	{ id, STATS_##kind, offsetof(struct shard_stats, field) }
#define GAUGE(id)                                                              \
	COLUMN(#id, id.now, NOW), COLUMN(#id "_highest", id.highest, HIGHEST)

/* In the order in which they are shown. */
const struct stats_column stats_columns[] = {
	COLUMN("sessions", sessions, NOW),
	COLUMN("streams", streams, NOW),
	COLUMN("entities", entities, NOW),
	COLUMN("stanzas_in", stanzas_in, TOTAL),
	COLUMN("stanzas_out", stanzas_out, TOTAL),
	COLUMN("routed_local", routed_local, TOTAL),
	COLUMN("routed_away", routed_away, TOTAL),
	COLUMN("fanouts", fanouts, TOTAL),
	COLUMN("logins", logins, TOTAL),
	COLUMN("login_failures", login_failures, TOTAL),
	COLUMN("resumed", resumed, TOTAL),
	COLUMN("resume_refused", resume_refused, TOTAL),
	COLUMN("resume_expired", slept_out, TOTAL),
	COLUMN("refused", refused, TOTAL),
	COLUMN("transfers", transfers, NOW),
	COLUMN("relayed_bytes", relayed_bytes, TOTAL),
	COLUMN("http_connections", http_connections, NOW),
	COLUMN("http_requests", http_requests, TOTAL),
	COLUMN("http_2xx", http_2xx, TOTAL),
	COLUMN("http_3xx", http_3xx, TOTAL),
	COLUMN("http_4xx", http_4xx, TOTAL),
	COLUMN("http_5xx", http_5xx, TOTAL),
	COLUMN("http_bytes_in", http_bytes_in, TOTAL),
	COLUMN("http_bytes_out", http_bytes_out, TOTAL),
	COLUMN("turns", turns, TOTAL),
	COLUMN("mails", mails, TOTAL),
	COLUMN("cpu_ms", cpu_ms, TOTAL),
	GAUGE(mailbox_mails),
	GAUGE(mailbox_bytes),
	GAUGE(inbox_bytes),
	GAUGE(line_bytes),
	GAUGE(session_bytes),
	GAUGE(bytestream_bytes),
	GAUGE(link_bytes),
	GAUGE(write_bytes),
	{ .name = NULL },
};

/* --- any thread ---------------------------------------------------------- */

uint64_t
stats_value(const struct shard_stats *s, const struct stats_column *c)
{
	uint64_t value;

	memcpy(&value, (const char *)s + c->off, sizeof(value));
	return value;
}

static void
stats_set(struct shard_stats *s, const struct stats_column *c, uint64_t value)
{
	memcpy((char *)s + c->off, &value, sizeof(value));
}

void
stats_add(struct shard_stats *sum, const struct shard_stats *one)
{
	for (const struct stats_column *c = stats_columns; c->name != NULL;
		c++) {
		uint64_t a = stats_value(sum, c), b = stats_value(one, c);

		stats_set(sum, c, c->kind == STATS_HIGHEST ? MAX(a, b) : a + b);
	}
}

struct shard_stats
stats_rate(const struct shard_stats *now, const struct shard_stats *before)
{
	uint64_t us = (uint64_t)MAX(now->at_us - before->at_us, 1);
	struct shard_stats rate = { .at_us = now->at_us };

	for (const struct stats_column *c = stats_columns; c->name != NULL;
		c++) {
		uint64_t grown = stats_value(now, c) - stats_value(before, c);

		if (c->kind == STATS_TOTAL)
			stats_set(&rate, c, (grown * US_PER_S + us / 2) / us);
	}
	return rate;
}

/* --- owner shard ------------------------------------------------------------ */

static struct gauge
gauge_of(uint64_t now, uint64_t highest)
{
	return (struct gauge){ now, MAX(now, highest) };
}

struct shard_stats
stats_take(struct shard *sh)
{
	struct mailbox_depth depth = mailbox_depth(&sh->mailbox);
	struct mailbox_depth highest = mailbox_highest(&sh->mailbox);
	struct shard_stats *s = &sh->stats;

	ASSERT_ON(sh);
	s->at_us = sh->now_us;
	s->cpu_ms = (uint64_t)(clock_thread_us() / US_PER_MS);
	s->mailbox_mails = gauge_of(depth.mails, highest.mails);
	s->mailbox_bytes = gauge_of(depth.bytes, highest.bytes);
	s->write_bytes = net_left(sh->net);
	return *s;
}

void
stats_keep(struct shard *sh)
{
	if (sh->now_us - sh->next_before.at_us < KEEP_US)
		return;
	sh->before = sh->next_before;
	sh->next_before = stats_take(sh);
}
