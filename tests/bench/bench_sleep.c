/*
 * bench_sleep.c - how long it takes to save sessions that sleep when the server
 * stops, and to bring them back, with the store on a disk.
 *
 *	bench_sleep FOLDER [SESSIONS [STANZAS]]
 *
 * FOLDER is there, and empty; the database stays in it.
 * Each session is of an account of its own, and so many messages wait in it.  The
 * store, accounts, sessions and modules are the real ones; one thread turns all
 * shards and the store, so that on several cores it takes less.  Saving and waking
 * are processes of their own, as they are in life.
 */
#include "config.h"

#include "million.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/entity.h"
#include "core/place.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account_int.h"
#include "account/session.h"
#include "server/server_sleep.h"

/* Loaded in one go. */
#define AT_ONCE 1000
#define SLEEP_US (600 * US_PER_S)
#define BODY "Where shall we dine?  O me!  What fray was here?  Yet tell me " \
	"not, for I have heard it all.  Here's much to do with hate, but more " \
	"with love."

struct bench {
	struct million million;
	unsigned stanzas;
};

/* The time that goes by, and that of the processor. */
struct moment {
	double wall_s, cpu_s;
};

static double
clock_s(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct moment
now(void)
{
	return (struct moment){ clock_s(CLOCK_MONOTONIC),
		clock_s(CLOCK_PROCESS_CPUTIME_ID) };
}

static void
report(const char *what, struct moment began)
{
	struct moment end = now();

	printf("%-6s %7.2f s, CPU %6.2f s\n", what,
		end.wall_s - began.wall_s, end.cpu_s - began.cpu_s);
}

/* Of this process, in MiB: now, or at most since it was asked last. */
static double
memory_mib(const char *which)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kib = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, which, strlen(which)) == 0)
			kib = strtol(line + strlen(which) + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	f = fopen("/proc/self/clear_refs", "w");
	if (f != NULL) {
		fputs("5", f);
		fclose(f);
	}
	return (double)kib / 1024;
}

static unsigned
sessions_of(const struct server *srv)
{
	unsigned n = 0;

	for (unsigned i = 0; i < srv->n_shards; i++)
		n += (unsigned)srv->shards[i]->stats.sessions;
	return n;
}

/* --- saving ----------------------------------------------------------------- */

static void
write_message(struct session *s, unsigned i)
{
	struct arena *a = arena_new();
	struct jid from = jid_make(a, STR("friend"), STR(MILLION_HOST),
		STR("balcony"));
	char id[16];
	struct stanza *st;

	snprintf(id, sizeof(id), "m%08x", i);
	st = stanza_new(MESSAGE_CHAT, from, session_jid(s), str_c(id));
	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body", STR(BODY));
	session_write(s, st);
	stanza_free(st);
	arena_free(a);
}

static void
on_loaded(struct entity *e, void *arg)
{
	const struct bench *b = arg;
	struct jid nobody = { .text = NULL };
	struct stanza *here;
	struct session *s;

	if (e == NULL)
		million_die("account", "cannot be loaded");
	s = session_enter_asleep(account_of(e), STR("phone"), SLEEP_US);
	here = stanza_new(PRESENCE_AVAILABLE, session_jid(s), nobody,
		STR_NONE);
	session_take_presence(s, here, 0, shard_wall_us(e->shard));
	stanza_free(here);
	session_keep_output(s, true);
	for (unsigned i = 0; i < b->stanzas; i++)
		write_message(s, i);
}

static void
make_sessions(struct bench *b)
{
	struct server *srv = b->million.server;
	struct arena *a = arena_new();

	for (unsigned i = 0; i < b->million.conf->sessions; i++) {
		char local[16];
		struct jid jid;
		struct shard *sh;

		snprintf(local, sizeof(local), "u%07u", i);
		jid = jid_make(a, str_c(local), STR(MILLION_HOST), STR_NONE);
		sh = srv->shards[server_place_of(srv, jid_str(jid)).shard];
		entity_when_loaded(account_get(sh, jid, NULL), on_loaded, b);
		if (i % AT_ONCE != 0)
			continue;
		million_settle(&b->million);
		arena_free(a);
		a = arena_new();
	}
	million_settle(&b->million);
	arena_free(a);
}

static void
on_done(void *arg)
{
	*(bool *)arg = true;
}

static void
save(struct bench *b, const char *folder)
{
	struct million *m = &b->million;
	struct moment began;
	double before_mib;
	bool done = false;

	million_open(m, folder);
	make_sessions(b);
	if (sessions_of(m->server) != m->conf->sessions)
		million_die("sessions", "are not all there");
	before_mib = memory_mib("VmRSS");
	began = now();
	server_sleep(m->server, on_done, &done);
	while (!done) {
		million_settle(m);
		million_pass(m, US_PER_MS);
	}
	report("saved", began);
	printf("       sessions left %u; memory before %.0f MiB, at most %.0f "
		"MiB\n", sessions_of(m->server), before_mib,
		memory_mib("VmHWM"));
	million_close(m);
}

/* --- waking ----------------------------------------------------------------- */

static void
wake(struct bench *b, const char *folder)
{
	struct million *m = &b->million;
	struct moment began = now();

	million_open(m, folder);
	report("found", began);
	began = now();
	while (m->server->stop_mark[0] != '\0') {
		million_settle(m);
		million_pass(m, US_PER_MS);
	}
	report("back", began);
	printf("       sessions %u; memory at most %.0f MiB\n",
		sessions_of(m->server), memory_mib("VmHWM"));
	if (sessions_of(m->server) != m->conf->sessions)
		million_die("sessions", "are not all back");
	million_close(m);
}

/* --- the whole -------------------------------------------------------------- */

static void
in_a_process(struct bench *b, void (*run)(struct bench *b, const char *folder),
	const char *folder)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run(b, folder);
		exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || status != 0)
		million_die("process", "it failed");
}

int
main(int argc, char **argv)
{
	struct million_conf conf = {
		.sessions = argc > 2 ? (unsigned)atoi(argv[2]) : 100000,
		.shards = 2,
		.module_dir = "modules/.libs",
	};
	struct bench b = {
		.million.conf = &conf,
		.stanzas = argc > 3 ? (unsigned)atoi(argv[3]) : 10,
	};

	if (argc < 2)
		million_die("usage", "bench_sleep FOLDER [SESSIONS [STANZAS]]");
	in_a_process(&b, save, argv[1]);
	in_a_process(&b, wake, argv[1]);
	return 0;
}
