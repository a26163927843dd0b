/*
 * bench_million.c - what a session costs in memory, and a message in CPU, while
 * the number of sessions grows to a million in one process.
 *
 * Streams, sessions, router, rosters, modules and store are the real ones; the
 * connections are in memory (net/conn_mem.c), the clock stands still until it is
 * moved, and one thread turns all shards.  So what is measured is our own code,
 * without the kernel and without TLS.
 *
 *   cold    sender and recipient are drawn from all sessions: nothing of either
 *           is in a cache when there are many
 *   active  they are drawn from a few percent, as on a real server, where most
 *           sessions are idle
 *
 * The clients' own work (drawing, writing the text) happens outside of what is
 * measured.
 */
#include "config.h"

#include "million.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/conn.h"
#include "core/server.h"
#include "core/shard.h"
#include "stream/client/c2s.h"

#define SIZES_MAX 8
/* The median of so many is the figure. */
#define ROUNDS 9
#define TEXT_MAX 512
#define BATCH_MAX 4096

/* A message that is ready to be sent. */
struct letter {
	struct conn *from;
	size_t n;
	char text[TEXT_MAX];
};

struct figures {
	unsigned sessions;
	double bytes;     /* for each */
	double cold_us;   /* for each message */
	double active_us;
};

static struct million million;

/* --- connections ---------------------------------------------------------------- */

/* "...0000017</body></message>": for whom it is. */
static bool
is_for(const char *p, size_t n, unsigned number)
{
	static const char end[] = "</body></message>";
	size_t tail = sizeof(end) - 1 + MILLION_DIGITS;
	unsigned found = 0;

	if (n < tail || memcmp(p + n - sizeof(end) + 1, end, sizeof(end) - 1) != 0)
		return false;
	for (int i = 0; i < MILLION_DIGITS; i++)
		found = found * 10 + (unsigned)(p[n - tail + i] - '0');
	return found == number;
}

/* A presence is no surprise, anything else is. */
static void
on_written(void *arg, const char *p, size_t n)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct million *m = &million;

	if (million_login_takes(m, number, p, n))
		return;
	if (n > 8 && memcmp(p, "<message", 8) == 0 && is_for(p, n, number))
		m->arrived++;
	else if (m->closing)
		return;
	else if (n < 9 || memcmp(p, "<presence", 9) != 0)
		m->strayed++;
}

struct conn *
million_connect(struct million *m, unsigned number)
{
	struct shard *sh = m->server->shards[number % m->conf->shards];
	struct conn_mem_sink sink = {
		.write = on_written,
		.arg = (void *)(uintptr_t)number,
	};
	struct conn *c = conn_new_mem(sh->net, &sink);

	c2s_accept_mem(sh, c, false);
	return c;
}

/* --- what is used ------------------------------------------------------------------ */

static double
memory_used(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long all, resident = 0;

	if (f == NULL || fscanf(f, "%lu %lu", &all, &resident) != 2)
		million_die("memory", "/proc/self/statm cannot be read");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- messages ------------------------------------------------------------------------ */

/* One of the first n in the order of activity: the active ones are spread over
 * all, and so over all memory. */
static unsigned
draw(struct million *m, unsigned n)
{
	uint64_t i = rand_below(&m->choices.source, n);

	return (unsigned)(i * m->online / n);
}

static void
letter_write(struct million *m, struct letter *l, unsigned among)
{
	static const char body[] = "What light through yonder window breaks? "
		"It is the east, and Juliet is the sun.";
	unsigned from = draw(m, among), to = draw(m, among);

	l->from = m->conns[from];
	l->n = (size_t)snprintf(l->text, sizeof(l->text),
		"<message type='chat' id='m%07u' to='" MILLION_ADDRESS
		"/phone'><body>%s %07u</body></message>",
		from, to, body, to);
}

/* CPU time of n messages, in turns that find a batch each. */
static double
round_cost(struct million *m, struct letter *letters, unsigned among)
{
	unsigned batch = m->conf->batch, n = m->conf->messages / ROUNDS;
	int64_t step_us = (int64_t)batch * US_PER_S / m->conf->rate;
	double used = 0;

	n = MAX(n / batch, 1);
	for (unsigned i = 0; i < n; i++) {
		double start;

		for (unsigned j = 0; j < batch; j++)
			letter_write(m, &letters[j], among);
		start = cpu_us();
		million_pass(m, step_us);
		for (unsigned j = 0; j < batch; j++)
			conn_mem_feed(letters[j].from, letters[j].text,
				letters[j].n);
		million_settle(m);
		used += cpu_us() - start;
	}
	return used / (n * batch);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint64_t
stanzas_out(const struct million *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->server->n_shards; i++)
		n += m->server->shards[i]->stats.stanzas_out;
	return n;
}

static double
message_cost(struct million *m, unsigned among)
{
	struct letter *letters = xmalloc(m->conf->batch * sizeof(*letters));
	uint64_t before = stanzas_out(m);
	uint64_t sent = (uint64_t)ROUNDS * m->conf->batch *
		MAX(m->conf->messages / ROUNDS / m->conf->batch, 1);
	double costs[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		costs[i] = round_cost(m, letters, among);
	free(letters);
	m->strayed += sent - (stanzas_out(m) - before);
	qsort(costs, ROUNDS, sizeof(costs[0]), compare);
	return costs[ROUNDS / 2];
}

/* --- the run -------------------------------------------------------------------------- */

static void
figures_print(const struct figures *f, const struct figures *first)
{
	printf("sessions=%u bytes_per_session=%.0f cold_us=%.2f cold_growth=%+.1f%% cold_more_us=%.2f active_us=%.2f active_growth=%+.1f%% active_more_us=%.2f\n",
		f->sessions, f->bytes, f->cold_us,
		100 * (f->cold_us / first->cold_us - 1),
		f->cold_us - first->cold_us, f->active_us,
		100 * (f->active_us / first->active_us - 1),
		f->active_us - first->active_us);
	fflush(stdout);
}

/* Parsers come to rest, and what logins have left goes. */
static void
calm_down(struct million *m)
{
	for (int i = 0; i < 10; i++) {
		million_pass(m, US_PER_S);
		million_settle(m);
	}
}

static void
run(struct million *m)
{
	struct figures first = { 0 };
	unsigned n = MIN(m->conf->first, m->conf->sessions);
	double before = memory_used();

	for (;;) {
		struct figures f = { .sessions = n };

		million_login(m, n);
		calm_down(m);
		f.bytes = (memory_used() - before) / n;
		f.cold_us = message_cost(m, n);
		f.active_us = message_cost(m,
			MAX(n / 100 * m->conf->active, 2));
		if (first.sessions == 0)
			first = f;
		figures_print(&f, &first);
		if (n == m->conf->sessions)
			return;
		n = n > m->conf->sessions / 10 ? m->conf->sessions : n * 10;
	}
}

static const struct {
	const char *name, *help;
	size_t off;
	unsigned min, max;
} numbers[] = {
	{ "sessions", "how many, in the end (1000000)",
		offsetof(struct million_conf, sessions), 10, MILLION_MAX },
	{ "first", "how many at first; then ten times as many (1000)",
		offsetof(struct million_conf, first), 10, MILLION_MAX },
	{ "contacts", "in each roster (5)",
		offsetof(struct million_conf, contacts), 0, 100 },
	{ "shards", "all turned by one thread (1)",
		offsetof(struct million_conf, shards), 1, 64 },
	{ "batch", "messages that one turn finds (64)",
		offsetof(struct million_conf, batch), 1, BATCH_MAX },
	{ "messages", "for one figure (180000)",
		offsetof(struct million_conf, messages), 1, 100000000 },
	{ "rate", "messages a second, by the simulated clock (20000)",
		offsetof(struct million_conf, rate), 1, 1000000 },
	{ "active", "percent of the sessions that chat, where not all do (5)",
		offsetof(struct million_conf, active), 1, 100 },
};

static _Noreturn void
usage(FILE *out, int code)
{
	fputs("usage: bench_million [--OPTION VALUE]...\n"
		"  --folder      where the database is kept, and found again\n"
		"  --module-dir  where modules lie (modules/.libs)\n", out);
	for (size_t i = 0; i < COUNT(numbers); i++)
		fprintf(out, "  --%-10s  %s\n", numbers[i].name,
			numbers[i].help);
	exit(code);
}

static void
option_set(struct million_conf *conf, const char *name, const char *value)
{
	long long n;

	if (strcmp(name, "folder") == 0) {
		conf->folder = value;
		return;
	}
	if (strcmp(name, "module-dir") == 0) {
		conf->module_dir = value;
		return;
	}
	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		if (!str_to_int(str_c(value), numbers[i].min, numbers[i].max,
			&n))
			usage(stderr, 2);
		*(unsigned *)(void *)((char *)conf + numbers[i].off) =
			(unsigned)n;
		return;
	}
	usage(stderr, 2);
}

static void
options_read(struct million_conf *conf, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		usage(stdout, 0);
	for (int i = 1; i < argc; i += 2) {
		if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
			usage(stderr, 2);
		option_set(conf, argv[i] + 2, argv[i + 1]);
	}
}

static void
folder_remove(const char *folder)
{
	static const char *const files[] = { "million.sqlite",
		"million.sqlite-wal", "million.sqlite-shm",
		"million.sqlite.lock" };
	struct buf path = BUF_INIT;

	for (size_t i = 0; i < COUNT(files); i++) {
		path.n = 0;
		buf_printf(&path, "%s/%s", folder, files[i]);
		unlink(buf_c(&path));
	}
	buf_done(&path);
	rmdir(folder);
}

int
main(int argc, char **argv)
{
	struct million_conf conf = {
		.sessions = MILLION_MAX, .first = 1000, .contacts = 5,
		.shards = 1, .batch = 64, .messages = 180000, .rate = 20000, .active = 5,
		.module_dir = "modules/.libs",
	};
	char folder[] = "/tmp/bench_million.XXXXXX";
	struct million *m = &million;

	options_read(&conf, argc, argv);
	m->conf = &conf;
	rand_seeded_init(&m->choices, 2);
	m->conns = xmalloc(conf.sessions * sizeof(*m->conns));
	/* its memory is there before anything is measured */
	memset(m->conns, 1, conf.sessions * sizeof(*m->conns));
	if (conf.folder == NULL && mkdtemp(folder) == NULL)
		million_die("folder", "cannot be made");
	million_open(m, conf.folder != NULL ? conf.folder : folder);
	run(m);
	million_close(m);
	if (conf.folder == NULL)
		folder_remove(folder);
	printf("arrived=%" PRIu64 " strayed=%" PRIu64 "\n", m->arrived,
		m->strayed);
	return m->strayed == 0 ? 0 : 1;
}
