/*
 * command_stats.c - the commands that count: status, stats.
 *
 * Shard 0.  Shards are asked one after the other; what the kernel knows about
 * our memory takes it a while to add up, so the worker asks.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/worker.h"
#include "core/commands.h"
#include "core/conf.h"
#include "core/host.h"
#include "core/shard.h"
#include "store/store.h"

#define NAME_TEXT 64

/* Columns of shard_stats, in the order in which they are shown. */
static const struct {
	const char *name;
	size_t off;
} columns[] = {
#define COLUMN(field) { #field, offsetof(struct shard_stats, field) }
	COLUMN(sessions),
	COLUMN(streams),
	COLUMN(entities),
	COLUMN(stanzas_in),
	COLUMN(stanzas_out),
	COLUMN(routed_local),
	COLUMN(routed_away),
	COLUMN(fanouts),
	COLUMN(logins),
	COLUMN(login_failures),
	COLUMN(refused),
	COLUMN(turns),
	COLUMN(mails),
#undef COLUMN
};

static uint64_t
column_value(const struct shard_stats *stats, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + columns[i].off, sizeof(value));
	return value;
}

struct counting {
	struct command_call *call;
	struct shard_stats sum;
	struct shard_stats *each; /* one for each shard */
	int64_t rss_kib, pss_kib; /* -1: not known */
};

static void
count_visit(struct shard *sh, void *arg)
{
	struct counting *c = arg;
	uint64_t sum;

	c->each[sh->index] = sh->stats;
	for (size_t i = 0; i < COUNT(columns); i++) {
		sum = column_value(&c->sum, i) + column_value(&sh->stats, i);
		memcpy((char *)&c->sum + columns[i].off, &sum, sizeof(sum));
	}
}

static void
count_start(struct command_call *call,
	void (*done)(struct shard *from, void *arg))
{
	struct counting *c = xcalloc(1, sizeof(*c));

	c->call = call;
	c->each = xcalloc(call->server->n_shards, sizeof(c->each[0]));
	shard_tour(call->shard, count_visit, done, c);
}

static void
count_free(struct counting *c)
{
	free(c->each);
	free(c);
}

/* --- status ------------------------------------------------------------- */

static void
status_uptime(struct command_call *call)
{
	int64_t s = (clock_mono_us(call->server->clock) -
			    call->server->started_us) /
		US_PER_S;

	command_number(call, "uptime_s", s);
}

static void
status_hosts(struct command_call *call)
{
	const struct config *conf = call->server->newest->config;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < conf->n_hosts; i++)
		buf_printf(&out, "%s%s", i != 0 ? " " : "",
			conf->hosts[i].domain);
	command_field(call, "hosts", buf_str(&out));
	buf_done(&out);
}

static void
status_end(struct shard *from, void *arg)
{
	struct counting *c = arg;
	struct command_call *call = c->call;
	const struct server *srv = from->server;

	command_row(call);
	command_field(call, "version", STR(PACKAGE_VERSION));
	command_number(call, "pid", getpid());
	status_uptime(call);
	command_number(call, "shards", srv->n_shards);
	command_number(call, "sessions", (int64_t)c->sum.sessions);
	command_number(call, "streams", (int64_t)c->sum.streams);
	command_field(call, "storage",
		str_c(srv->store_in_memory ?
				"memory" :
				config_storage_drivers
					[srv->newest->config->storage.driver]));
	command_field(call, "config", str_c(srv->config_path));
	status_hosts(call);
	count_free(c);
	command_done(call);
}

static void
status_run(struct command_call *call)
{
	count_start(call, status_end);
}

/* --- stats -------------------------------------------------------------- */

/* The worker: "Pss:   1234 kB" in a file of /proc. */
static int64_t
proc_kib(FILE *f, const char *name)
{
	char line[256];
	size_t n = strlen(name);
	int64_t kib = -1;

	rewind(f);
	while (kib == -1 && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, n) == 0)
			kib = strtoll(line + n, NULL, 10);
	}
	return kib;
}

static void
memory_work(void *arg)
{
	struct counting *c = arg;
	FILE *f = fopen("/proc/self/smaps_rollup", "re");

	c->rss_kib = c->pss_kib = -1;
	if (f == NULL)
		return;
	c->rss_kib = proc_kib(f, "Rss:");
	c->pss_kib = proc_kib(f, "Pss:");
	fclose(f);
}

static void
stat_show(struct command_call *call, const char *name, int64_t value)
{
	command_row(call);
	command_field(call, "name", str_c(name));
	command_number(call, "value", value);
}

static void
stats_gauge(struct command_call *call, const char *name, struct gauge g)
{
	char highest[NAME_TEXT];

	snprintf(highest, sizeof(highest), "%s_highest", name);
	stat_show(call, name, (int64_t)g.now);
	stat_show(call, highest, (int64_t)g.highest);
}

static void
stats_hist(struct command_call *call, const char *prefix, const struct hist *h)
{
	const struct {
		const char *what;
		uint64_t value;
	} figures[] = {
		{ "mean", hist_mean(h) },
		{ "p99", hist_quantile(h, 990) },
		{ "max", h->max },
	};
	char name[NAME_TEXT];

	for (size_t i = 0; i < COUNT(figures); i++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, figures[i].what);
		stat_show(call, name, (int64_t)figures[i].value);
	}
}

static void
stats_store(struct command_call *call)
{
	struct store_stats s;

	store_stats(call->server->store, &s);
	stat_show(call, "store_reads", (int64_t)s.reads);
	stat_show(call, "store_writes", (int64_t)s.writes);
	stat_show(call, "store_failures", (int64_t)s.failures);
	stat_show(call, "store_commits", (int64_t)s.batches.n);
	stats_hist(call, "store_batch", &s.batches);
	stats_hist(call, "store_batch_minute", &s.late_batches);
	stats_hist(call, "store_commit_us", &s.commit_us);
	stats_hist(call, "store_commit_us_minute", &s.late_commit_us);
	stats_gauge(call, "store_queued", s.queued);
	stats_gauge(call, "store_queued_bytes", s.queued_bytes);
}

static int64_t
timeval_ms(struct timeval tv)
{
	return (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

static void
stats_process(const struct counting *c)
{
	struct rusage usage;

	stat_show(c->call, "memory_rss_kib", c->rss_kib);
	stat_show(c->call, "memory_pss_kib", c->pss_kib);
	getrusage(RUSAGE_SELF, &usage);
	stat_show(c->call, "cpu_user_ms", timeval_ms(usage.ru_utime));
	stat_show(c->call, "cpu_system_ms", timeval_ms(usage.ru_stime));
	stat_show(c->call, "worker_waiting",
		(int64_t)worker_waiting(c->call->server->worker));
}

static void
stats_shards(const struct counting *c)
{
	for (unsigned n = 0; n < c->call->server->n_shards; n++) {
		command_row(c->call);
		command_number(c->call, "shard", n);
		for (size_t i = 0; i < COUNT(columns); i++)
			command_number(c->call, columns[i].name,
				(int64_t)column_value(&c->each[n], i));
	}
}

static void
on_memory(void *arg)
{
	struct counting *c = arg;
	struct command_call *call = c->call;

	for (size_t i = 0; i < COUNT(columns); i++)
		stat_show(call, columns[i].name,
			(int64_t)column_value(&c->sum, i));
	stats_store(call);
	stats_process(c);
	count_free(c);
	command_done(call);
}

static void
stats_end(struct shard *from, void *arg)
{
	struct counting *c = arg;
	struct command_call *call = c->call;

	if (!command_switch(call, "shard")) {
		worker_run(from->server->worker, memory_work, &from->mailbox,
			on_memory, c);
		return;
	}
	stats_shards(c);
	count_free(c);
	command_done(call);
}

static void
stats_run(struct command_call *call)
{
	count_start(call, stats_end);
}

static const struct command_arg stats_args[] = {
	{ "shard", ARG_SWITCH, .optional = true, .option = true,
		.help = "the counters of each shard, not their sums" },
	{ .name = NULL },
};

const struct command command_stats[] = {
	{ "stats", "show counters since the start",
		"Stanzas, logins, storage, memory and processor time. sessions, streams, entities and what is queued or waiting are of this moment.",
		stats_args, stats_run },
	{ "status", "show that the server runs, and since when", NULL, NULL,
		status_run },
	{ .name = NULL },
};
