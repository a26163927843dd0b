/*
 * sim_rooms.c - rooms on a server of several shards in one thread (XEP-0045): users of it
 * and of another server come in and go, have nicknames that read the same, talk, kick, ban,
 * configure and destroy; their sessions break and sleep, and the server ends.
 *
 *   sim_rooms [--seeds N] [--first SEED] [--steps N] [--module-dir DIR] [--verbose]
 *
 * What must hold for every seed stands in rooms_heard.c, of each stanza as it comes, and
 * in rooms_check.c, of all of them.  Nothing is known there of how rooms do it: clients'
 * views are compared with each other, and with that of an auditor, who comes last.
 *
 * In a third of the seeds the disk refuses commits, in another third the server is stopped
 * and killed.  Forty seeds in which one of the things that are counted does not happen fail.
 * A seed that fails is printed, and replays exactly.
 */
#include "config.h"

#include "sim_rooms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "core/server.h"
#include "core/shard.h"

#define SEEDS 40
#define REST_US (3 * US_PER_S)  /* acknowledgements between servers come by then */
#define CALM_US (60 * US_PER_S) /* nothing waits for the other server any more */

static struct scene *the_scene; /* for those that are given a server only */

void
scene_fail(struct scene *s, const char *fmt, ...)
{
	va_list ap;

	s->failed = true;
	va_start(ap, fmt);
	seeds_fail(s->seed, fmt, ap);
	va_end(ap);
}

unsigned
scene_draw(struct scene *s, unsigned below)
{
	return (unsigned)rand_below(&s->turns.source, below);
}

/* --- time and turns ----------------------------------------------------------------- */

/* A server that stops moves its own. */
static void
clocks_align(struct scene *s)
{
	int64_t most = s->now_us;

	for (unsigned i = 0; i < WORLDS; i++)
		most = MAX(most, s->worlds[i]->clock.mono_us);
	s->now_us = most;
	for (unsigned i = 0; i < WORLDS; i++)
		clock_manual_advance(&s->worlds[i]->clock,
			most - s->worlds[i]->clock.mono_us);
}

static void
scene_turn(struct scene *s)
{
	unsigned which = scene_draw(s, WORLDS + 1);

	if (which == WORLDS)
		(void)wires_turn(&s->wires);
	else
		world_turn(s->worlds[which]);
	persons_read(s);
}

void
scene_settle(struct scene *s)
{
	unsigned idle = 0;

	clocks_align(s);
	while (idle < 2) {
		bool busy = wires_turn(&s->wires);

		for (unsigned i = 0; i < WORLDS; i++)
			busy = (!s->dead[i] && world_round(s->worlds[i])) || busy;
		persons_read(s);
		idle = busy ? 0 : idle + 1;
	}
	wires_quiet(&s->wires);
}

static void
scene_sleep(struct scene *s, int64_t us)
{
	int64_t next;

	scene_settle(s);
	next = wires_next_us(&s->wires);
	for (unsigned i = 0; i < WORLDS; i++)
		next = MIN(next, world_next_us(s->worlds[i]));
	next = next > s->now_us ? MIN(next - s->now_us, us) : us;
	clock_manual_advance(&s->worlds[0]->clock, next);
	scene_settle(s);
}

void
scene_pass(struct scene *s, int64_t us)
{
	int64_t until_us = s->now_us + us;

	while (s->now_us < until_us)
		scene_sleep(s, until_us - s->now_us);
}

void
scene_rest(struct scene *s)
{
	scene_pass(s, REST_US);
	while (wires_next_us(&s->wires) != INT64_MAX)
		scene_sleep(s, US_PER_S);
}

/* --- the servers -------------------------------------------------------------------- */

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	struct scene *s = the_scene;
	size_t n = strlen(domain), m = strlen(OTHER);
	unsigned to = n >= m && strcmp(domain + n - m, OTHER) == 0;
	struct server *other;

	if (s->worlds[to]->server == srv || s->dead[0] || s->dead[1])
		return NULL;
	other = s->worlds[to]->server;
	return wires_open(&s->wires, !to, sh,
		other->shards[scene_draw(s, other->n_shards)]);
}

static void
on_settle(struct world *w)
{
	(void)w;
	scene_settle(the_scene);
}

static void
on_letter(void *arg, const struct letter *l)
{
	(void)arg;
	(void)l;
}

static bool
on_disk(void *arg, bool writes)
{
	struct scene *s = arg;
	bool fails = writes && scene_draw(s, 5) == 0;

	s->counts->faults += fails;
	return fails;
}

static void
disk_trouble(struct scene *s, bool begins)
{
	if (s->bad_disk)
		store_fail_when(s->worlds[0]->server->store,
			begins ? on_disk : NULL, begins ? s : NULL);
}

static void
log_quiet(const struct scene *s)
{
	for (int i = 0; i < LOG_AREAS; i++)
		if (seeds_verbose)
			log_set_level((enum log_area)i, LEVEL_INFO);
		else if (s->bad_disk)
			log_set_level((enum log_area)i, (enum log_level)-1);
}

/* The first has the rooms. */
static void
do_stop(struct scene *s)
{
	struct world *w = s->worlds[0];
	unsigned n_shards = 1 + scene_draw(s, 4);
	bool kill = scene_draw(s, 2) == 0;

	seeds_say("the server is %s", kill ? "killed" : "stopped");
	if (kill) {
		s->counts->killed++;
		persons_of_world_go(s, 0, true);
		wires_kill(&s->wires, 0);
		s->dead[0] = true;
		w->settle = NULL; /* nobody sees its end */
		world_kill(w, n_shards);
		w->settle = on_settle;
		s->dead[0] = false;
	} else {
		s->counts->stopped++;
		world_restart(w, n_shards);
		persons_of_world_go(s, 0, false);
	}
	disk_trouble(s, true);
	log_quiet(s);
	scene_settle(s);
}

static const char conf[] =
	"limits: { account_idle: 1s, stanzas_burst: 100000, bytes_burst: 16MiB }\n"
	"s2s: { bytes_per_second: 1GiB, stanzas_per_second: 1000000 }\n"
	"modules: { sm: { sleep: 5m }, muc: { message_rate: 0, join_rate: 0,\n"
	"  presence_rate: 0, nick_rate: 0, request_rate: 0 } }\n";

static void
worlds_start(struct scene *s, const char *modules)
{
	static const char *const hosts[WORLDS] = {
		"  " HOST ": { auth: { tls_required: no }, federation: { mode: on },"
		" admins: [ admin@" HOST " ] }\n",
		"  " OTHER ": { auth: { tls_required: no }, federation: { mode: on } }\n",
	};
	struct world like = { .reach = on_reach, .settle = on_settle };

	the_scene = s;
	for (unsigned i = 0; i < WORLDS; i++) {
		like.hosts = hosts[i];
		s->worlds[i] = world_new_like(2 * s->seed + i,
			i == 0 ? 1 + (unsigned)(s->seed % 4) : 1, modules, conf,
			i == 0 && s->stops, &like);
	}
}

/* --- one seed ----------------------------------------------------------------------- */

static void
scene_step(struct scene *s)
{
	persons_act(s);
	for (unsigned n = scene_draw(s, 6); n > 0; n--)
		scene_turn(s);
	if (s->stops && scene_draw(s, 80) == 0)
		do_stop(s);
	if (scene_draw(s, 40) == 0)
		scene_sleep(s, 30 * US_PER_S);
	if (scene_draw(s, 200) == 0)
		scene_pass(s, 6 * 60 * US_PER_S);
	if (scene_draw(s, 8) == 0) {
		s->calm = scene_draw(s, 8) == 0;
		if (s->calm)
			scene_pass(s, CALM_US);
		scene_rest(s);
		scene_check(s);
	}
}

static void
scene_end(struct scene *s)
{
	disk_trouble(s, false);
	scene_pass(s, CALM_US);
	persons_connect(s);
	scene_pass(s, CALM_US);
	s->calm = true;
	persons_ping(s, true);
	scene_rest(s);
	scene_check(s);
	persons_ping(s, false);
	scene_rest(s);
	scene_audit(s);
	scene_check_heard(s);
}

static void
scene_open(struct scene *s, const char *modules)
{
	rand_seeded_init(&s->turns, ~s->seed);
	wires_init(&s->wires, &s->turns.source, &s->now_us);
	s->wires.handed = s->wires.lost = s->wires.again = s->wires.once =
		s->wires.unkept = s->wires.late = on_letter;
	s->wires.slow = scene_draw(s, 2) == 0;
	s->bad_disk = s->seed % 3 == 0;
	s->stops = s->seed % 3 == 1;
	worlds_start(s, modules);
	log_quiet(s);
	persons_init(s);
	disk_trouble(s, true);
	clocks_align(s);
}

static void
scene_close(struct scene *s)
{
	persons_done(s);
	s->dead[0] = s->dead[1] = true;
	for (unsigned i = 0; i < WORLDS; i++) {
		s->worlds[i]->settle = NULL;
		wires_kill(&s->wires, i);
	}
	for (unsigned i = 0; i < WORLDS; i++)
		world_free(s->worlds[i]);
	wires_done(&s->wires);
	for (size_t i = 0; i < s->stays.n; i++) {
		vec_done(&s->stays.p[i]->heard);
		free(s->stays.p[i]);
	}
	vec_done(&s->stays);
	buf_done(&s->answer);
}

static const enum memuse counted[] = { MEMUSE_CONN, MEMUSE_STREAM, MEMUSE_SESSION,
	MEMUSE_WIRE, MEMUSE_ACCOUNT, MEMUSE_ROSTER, MEMUSE_AUDIENCE, MEMUSE_ROOM,
	MEMUSE_OCCUPANT, MEMUSE_AFFILIATION, MEMUSE_MODULE,
	MEMUSE_ARENA };

static bool
run(uint64_t seed, unsigned steps, const char *modules, void *counts)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	int64_t before[COUNT(counted)];
	bool ok;

	for (size_t i = 0; i < COUNT(counted); i++)
		before[i] = memuse_sum(counted[i]).bytes;
	s->seed = seed;
	s->counts = counts;
	scene_open(s, modules);
	for (unsigned i = 0; i < steps && !s->failed; i++)
		scene_step(s);
	if (!s->failed)
		scene_end(s);
	scene_close(s);
	for (size_t i = 0; i < COUNT(counted); i++)
		if (memuse_sum(counted[i]).bytes != before[i])
			scene_fail(s, "%lld bytes of %s are left",
				(long long)(memuse_sum(counted[i]).bytes -
					before[i]),
				memuse_name(counted[i]));
	ok = !s->failed;
	free(s);
	return ok;
}

/* Each of the counts. */
static bool
has_all(const struct counts *c)
{
	const unsigned *n = (const unsigned *)(const void *)c;

	for (size_t i = 0; i < sizeof(*c) / sizeof(*n); i++)
		if (n[i] == 0)
			return false;
	return true;
}

static void
counts_print(const struct counts *c)
{
	printf("%u came in, %u were refused; %u kicked, %u banned, %u for members only, %u destroyed\n",
		c->came, c->refused, c->kicked, c->banned, c->closed, c->destroyed);
	printf("%u renamed, %u conflicts; %u found out that they were not in it, %u were told\n",
		c->renamed, c->conflicts, c->lost, c->told);
	printf("of %u messages %u were heard, %u as history; %u subjects, %u in private, %u errors\n",
		c->said, c->heard, c->history, c->subjects, c->private, c->errors);
	printf("%u real addresses; %u sessions resumed, %u anew; %u stops, %u kills, %u faults; %u checks, %u moments\n",
		c->real, c->resumed, c->anew, c->stopped, c->killed, c->faults,
		c->checks, c->anchored);
}

int
main(int argc, char **argv)
{
	struct seeds seeds = { .program = "sim_rooms", .first = 1, .n = SEEDS,
		.steps = 300, .module_dirs = "modules/.libs:tests/modules/.libs" };
	struct counts c = { 0 };

	if (!seeds_read(&seeds, argc, argv))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0); /* in line with the log */
	/* there are no certificates, and the system's authorities are many */
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	seeds_run(&seeds, run, &c);
	if (seeds.n >= SEEDS && !has_all(&c)) {
		fprintf(stderr, "something of what is to be tried never happened\n");
		seeds.failed++;
	}
	counts_print(&c);
	printf("%llu seeds, %u failed\n", (unsigned long long)seeds.n, seeds.failed);
	return seeds.failed != 0;
}
