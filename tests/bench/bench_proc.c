/*
 * bench_proc.c - what the server used, as the system tells it, and results.
 */
#include "config.h"

#include "bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

bool
pids_parse(struct bench_conf *conf, const char *text)
{
	char *end;
	long pid;

	conf->n_pids = 0;
	do {
		pid = strtol(text, &end, 10);
		if (end == text || pid < 1 || conf->n_pids == PIDS_MAX)
			return false;
		conf->pids[conf->n_pids++] = (pid_t)pid;
		text = end + 1;
	} while (*end == ',');
	return *end == '\0';
}

void
usage_now(const struct bench *b, struct usage *out)
{
	struct timespec ts;
	clockid_t clock;

	out->wall_us = clock_mono_us(&clock_system);
	out->cpu_us = 0;
	/* user and system time of all their threads: the same as in
	 * /proc/PID/stat, but exact */
	for (unsigned i = 0; i < b->conf->n_pids; i++)
		if (clock_getcpuclockid(b->conf->pids[i], &clock) == 0 &&
			clock_gettime(clock, &ts) == 0)
			out->cpu_us += ts.tv_sec * US_PER_S +
				ts.tv_nsec / 1000;
}

static uint64_t
process_bytes(pid_t pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * 1024;
}

uint64_t
usage_bytes(const struct bench *b)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < b->conf->n_pids; i++)
		bytes += process_bytes(b->conf->pids[i]);
	return bytes;
}

void
usage_settle(struct bench *b)
{
	struct usage then, now;

	usage_now(b, &now);
	for (int i = 0; i < 100; i++) {
		then = now;
		do {
			bench_turn(b, 10);
			usage_now(b, &now);
		} while (now.wall_us - then.wall_us < 50 * US_PER_MS);
		if (now.cpu_us - then.cpu_us < US_PER_MS)
			return;
	}
}

void
usage_mark(struct bench *b)
{
	if (b->conf->mark != NULL && system(b->conf->mark) != 0)
		bench_error(b, "the command failed: %s", b->conf->mark);
}

void
usage_begin(struct bench *b, struct usage *out)
{
	usage_settle(b);
	usage_mark(b);
	usage_now(b, out);
}

void
result_add(struct bench *b, const char *name, const char *fmt, ...)
{
	char value[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (b->conf->table)
		buf_printf(&b->results, "%-28s %s\n", name, value);
	else
		buf_printf(&b->results, " %s=%s", name, value);
}

void
usage_result(struct bench *b, const struct usage *start, uint64_t n)
{
	struct usage now;
	double seconds;

	usage_now(b, &now);
	usage_mark(b);
	seconds = (double)(now.wall_us - start->wall_us) / US_PER_S;
	result_add(b, "n", "%" PRIu64, n);
	result_add(b, "seconds", "%.3f", seconds);
	if (n == 0)
		return;
	result_add(b, "per_second", "%.0f", (double)n / seconds);
	if (b->conf->n_pids != 0)
		result_add(b, "server_cpu_ms_per_1000", "%.2f",
			(double)(now.cpu_us - start->cpu_us) / (double)n);
}

void
result_print(struct bench *b, const char *mode)
{
	static const char *const tls[] = { "starttls", "direct", "none" };

	if (b->mechanism != NULL)
		result_add(b, "mechanism", "%s", b->mechanism);
	result_add(b, "lost", "%" PRIu64, b->lost);
	result_add(b, "doubled", "%" PRIu64, b->doubled);
	result_add(b, "reordered", "%" PRIu64, b->reordered);
	result_add(b, "errors", "%" PRIu64, b->errors);
	if (b->conf->table)
		printf("%s%s, TLS: %s\n%.*s", mode,
			b->conf->floor ? " of the floor" : "",
			tls[b->conf->tls], STR_ARG(buf_str(&b->results)));
	else
		printf("mode=%s%s tls=%s%.*s\n", mode,
			b->conf->floor ? " floor=yes" : "",
			tls[b->conf->tls], STR_ARG(buf_str(&b->results)));
	fflush(stdout);
}
