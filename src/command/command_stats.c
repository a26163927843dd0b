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
#include "base/build_id.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/worker.h"
#include "conf/conf.h"
#include "disk/disk.h"
#include "store/store.h"
#include "core/cert_expiry.h"
#include "core/hook.h"
#include "core/host.h"
#include "core/shard.h"
#include "core/stats.h"
#include "command/commands.h"

#define NAME_TEXT 64

struct counting {
	struct command_call *call;
	struct shard_stats sum;
	struct shard_stats *each; /* one for each shard */
	bool rates;
	int64_t rss_kib, pss_kib; /* -1: not known */
};

static void
count_visit(struct shard *sh, void *arg)
{
	struct counting *c = arg;
	struct shard_stats *one = &c->each[sh->index];

	*one = stats_take(sh);
	if (c->rates)
		*one = stats_rate(one, &sh->before);
	stats_add(&c->sum, one);
}

static void
count_start(struct command_call *call,
	void (*done)(struct shard *from, void *arg))
{
	struct counting *c = xcalloc(1, sizeof(*c));

	c->call = call;
	c->rates = command_switch(call, "rates");
	c->each = xcalloc(call->server->n_shards, sizeof(c->each[0]));
	shard_visit_all(call->shard, count_visit, done, c);
}

static void
count_free(struct counting *c)
{
	free(c->each);
	free(c);
}

static void
count_done(struct counting *c)
{
	struct command_call *call = c->call;

	count_free(c);
	command_done(call);
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
keeps_write(struct buf *out, const struct snapshot *snap, const char *domain)
{
	const struct host *host = snapshot_host(snap, str_c(domain));
	struct host_keeps keeps = { out };

	if (host != NULL)
		hook_run(host, HOOK_HOST_KEEPS, &keeps);
	if (out->n == 0)
		buf_add_c(out, "nothing");
}

/* What users have said, and for how long; hosts beside each other that do the same are
 * one phrase. */
static void
status_keeps(struct command_call *call)
{
	const struct snapshot *snap = call->server->newest;
	const struct config *conf = snap->config;
	struct buf out = BUF_INIT, last = BUF_INIT, text = BUF_INIT;

	for (size_t i = 0; i < conf->n_hosts; i++) {
		text.n = 0;
		keeps_write(&text, snap, conf->hosts[i].domain);
		if (i != 0 && str_eq(buf_str(&text), buf_str(&last)))
			continue;
		buf_printf(&out, "%s%s: ", i != 0 ? "; " : "",
			conf->hosts[i].domain);
		buf_add_str(&out, buf_str(&text));
		last.n = 0;
		buf_add_str(&last, buf_str(&text));
	}
	command_field(call, "keeps", buf_str(&out));
	buf_done(&out);
	buf_done(&last);
	buf_done(&text);
}

/* Of the certificates, the one that ends first. */
static void
status_expiry(struct command_call *call)
{
	struct str host;
	int64_t days;

	if (!cert_expiry_first(call->server->newest, &host, &days))
		return;
	command_field(call, "expires_first", host);
	command_number(call, "expires_days", days);
}

static void
status_writes(struct command_call *call)
{
	struct store_outage outage;

	store_outage(call->server->store, &outage);
	command_field(call, "writes", outage.now ? STR("refused") : STR("ok"));
	if (!outage.now)
		return;
	command_number(call, "refused_s", outage.for_us / US_PER_S);
	command_number(call, "refused", (int64_t)outage.refused);
	command_field(call, "refused_why", str_c(outage.why.text));
}

/* As somebody in another folder finds it. */
static void
status_path(struct command_call *call, const char *name, const char *path)
{
	char *whole = realpath(path, NULL);

	command_field(call, name, str_c(whole != NULL ? whole : path));
	free(whole);
}

/* As the start has found it. */
static void
status_crash(struct command_call *call)
{
	const struct crash_last *last = call->server->last_crash;

	if (last == NULL)
		return;
	command_field(call, "crashed", str_c(last->time));
	command_field(call, "crash_reason", str_c(last->reason));
	status_path(call, "crash_report", last->file);
	command_field(call, "crash_advice",
		STR("read the report and send it, see Crashes in antiphond(8)"));
}

static void
status_end(struct shard *from, void *arg)
{
	struct counting *c = arg;
	struct command_call *call = c->call;
	const struct server *srv = from->server;
	char build[BUILD_ID_SIZE];

	command_row(call);
	command_field(call, "version", STR(PACKAGE_VERSION));
	build_id(build);
	command_field(call, "build", str_c(build));
	command_number(call, "pid", getpid());
	status_uptime(call);
	command_number(call, "shards", srv->n_shards);
	command_number(call, "sessions", (int64_t)c->sum.sessions);
	command_number(call, "streams", (int64_t)c->sum.streams);
	command_number(call, "waiting_bytes", budget_waiting());
	command_number(call, "waiting_max", (int64_t)budget_max(from));
	command_field(call, "storage",
		str_c(srv->store_in_memory ?
				"memory" :
				config_storage_drivers
					[srv->newest->config->storage.driver]));
	status_writes(call);
	status_path(call, "config", srv->config_path);
	status_path(call, "modules", srv->module_dir);
	status_hosts(call);
	status_keeps(call);
	status_expiry(call);
	status_crash(call);
	count_done(c);
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
	stat_show(call, "store_outages", (int64_t)s.outages);
	stat_show(call, "store_refused", (int64_t)s.refused);
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
stats_disk(const struct counting *c)
{
	struct disk_stats disk = disk_stats(c->call->server->disk);

	stat_show(c->call, "disk_waiting", (int64_t)disk.waiting);
	stat_show(c->call, "files_open", (int64_t)disk.files);
	stat_show(c->call, "files_bytes", (int64_t)disk.bytes);
}

static void
stats_process(const struct counting *c)
{
	struct rusage usage;

	stat_show(c->call, "memory_rss_kib", c->rss_kib);
	stat_show(c->call, "memory_pss_kib", c->pss_kib);
	stat_show(c->call, "memory_waiting_bytes", budget_waiting());
	stat_show(c->call, "memory_waiting_max",
		(int64_t)budget_max(c->call->shard));
	getrusage(RUSAGE_SELF, &usage);
	stat_show(c->call, "cpu_user_ms", timeval_ms(usage.ru_utime));
	stat_show(c->call, "cpu_system_ms", timeval_ms(usage.ru_stime));
	stat_show(c->call, "worker_waiting",
		(int64_t)worker_waiting(c->call->server->worker));
	stats_disk(c);
}

/* Calls fn for each column that is asked for. */
static void
stats_columns_show(const struct counting *c, const struct shard_stats *s,
	void (*fn)(struct command_call *call, const char *name, int64_t value))
{
	for (const struct stats_column *col = stats_columns; col->name != NULL;
		col++) {
		if (!c->rates || col->kind == STATS_TOTAL)
			fn(c->call, col->name, (int64_t)stats_value(s, col));
	}
}

static void
stats_shards(const struct counting *c)
{
	for (unsigned n = 0; n < c->call->server->n_shards; n++) {
		command_row(c->call);
		command_number(c->call, "shard", n);
		stats_columns_show(c, &c->each[n], command_number);
	}
}

static void
on_memory_of_process(void *arg)
{
	struct counting *c = arg;

	stats_columns_show(c, &c->sum, stat_show);
	stats_store(c->call);
	stats_process(c);
	count_done(c);
}

/* --- stats --memory ------------------------------------------------------ */

static void
memory_bytes(const struct counting *c, const char *owner, int64_t bytes)
{
	command_row(c->call);
	command_field(c->call, "owner", str_c(owner));
	command_number(c->call, "bytes", bytes);
	if (c->sum.sessions > 0)
		command_number(c->call, "per_session",
			bytes / (int64_t)c->sum.sessions);
}

static void
memory_held(const struct counting *c, const char *owner, struct memuse_sum sum)
{
	memory_bytes(c, owner, sum.bytes);
	command_number(c->call, "objects", sum.objects);
	command_number(c->call, "each", sum.bytes / MAX(sum.objects, 1));
}

static void
on_memory_by_owner(void *arg)
{
	struct counting *c = arg;
	int64_t total = c->pss_kib * 1024, known = 0;

	for (int i = 0; i < MEMUSE_KINDS; i++) {
		struct memuse_sum sum = memuse_sum((enum memuse)i);

		memory_held(c, memuse_name((enum memuse)i), sum);
		known += sum.bytes;
	}
	if (c->pss_kib != -1) {
		memory_bytes(c, "other", total - known);
		memory_bytes(c, "total", total);
	}
	count_done(c);
}

/* --- the table ------------------------------------------------------------ */

static void
stats_end(struct shard *from, void *arg)
{
	struct counting *c = arg;
	struct worker *worker = from->server->worker;

	if (command_switch(c->call, "memory")) {
		worker_run(worker, memory_work, &from->mailbox,
			on_memory_by_owner, c);
	} else if (command_switch(c->call, "shard")) {
		stats_shards(c);
		count_done(c);
	} else if (c->rates) {
		stats_columns_show(c, &c->sum, stat_show);
		count_done(c);
	} else {
		worker_run(worker, memory_work, &from->mailbox,
			on_memory_of_process, c);
	}
}

static void
stats_run(struct command_call *call)
{
	struct err err = ERR_INIT;

	if (!command_switch(call, "memory") ||
		(!command_switch(call, "shard") &&
			!command_switch(call, "rates"))) {
		count_start(call, stats_end);
		return;
	}
	err_set(&err, ERR_INVALID,
		"--memory is of the whole process and of this moment: it goes with nothing else");
	command_fail(call, &err);
}

static const struct command_arg stats_args[] = {
	{ "shard", ARG_SWITCH, .optional = true, .option = true,
		.help = "the counters of each shard, not their sums" },
	{ "rates", ARG_SWITCH, .optional = true, .option = true,
		.help = "what was counted in the last seconds, per second" },
	{ "memory", ARG_SWITCH, .optional = true, .option = true,
		.help = "who holds how much memory, in bytes" },
	{ .name = NULL },
};

const struct command command_stats[] = {
	{ "stats", "show counters since the start",
		"Stanzas, logins, queues, storage, memory and processor time. sessions, streams, entities and what is queued or waiting are of this moment; _highest is the most of it at once since the start, on one shard; _minute is of the last minute. resumed counts sessions that a client went on with after its connection broke, resume_refused how often one could not, resume_expired sessions that nobody came back for. transfers are files that clients send each other through a proxy now, relayed_bytes what they have sent so. http_connections are open now, http_2xx to http_5xx answers to requests by HTTP, http_bytes_in what came in bodies, http_bytes_out all that was answered. cpu_ms is the processor time of shards: with --rates, 1000 keep one processor busy. write_bytes is what the network has yet to take at the end of a turn, session_bytes waits behind it for clients that do not keep up, bytestream_bytes are blocks of in-band bytestreams that wait so that nothing else has to wait for them, line_bytes waits behind a change that is not on disk yet, inbox_bytes for an account that is being loaded, link_bytes for components. store_batch counts the transactions in one commit, store_outages how often the disk ceased to take writes, store_refused the writes that were refused because of that. Of memory, tls is estimated from one connection in eight; arenas are stanzas and other short-lived trees; configuration is what the tables of options and hosts hold; other is all that has no row: programs and libraries, the database's cache, buffers, what is free.",
		stats_args, .run = stats_run, .may = BY_OPERATOR },
	{ "status", "show that the server runs, and since when",
		"expires_first is the host whose certificate ends first, "
		"expires_days the whole days until then. waiting_bytes is what "
		"waits in the process, waiting_max the bound on it (`limits: "
		"memory'). writes is ok, or refused while the disk takes none: "
		"then refused_why tells the reason, refused_s since how many "
		"seconds, and refused how many; the exit status is 0, "
		"as the server runs. build is the number that the linker has "
		"made of this program. Where there is a report of a crash, "
		"crashed tells when that was, crash_reason what has failed, "
		"crash_report the file; antiphond(8) says what to do with it. "
		"keeps is what is kept of what users say, and how long, at each "
		"host and those behind it up to the next that is named.",
		NULL, .run = status_run, .may = BY_OPERATOR },
	{ .name = NULL },
};
