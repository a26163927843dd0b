/*
 * sim_s2s.c - two servers, each of several shards, and what lies between them, in
 * one thread: their users come and go, talk, ask and want to see each other.
 *
 *   sim_s2s [--seeds N] [--first SEED] [--steps N] [--module-dir DIR] [--verbose]
 *
 * What must hold for every seed: a message arrives once and in order, or its sender
 * is told once that it does not, or has gone before it was acknowledged to him; nothing
 * that was acknowledged is lost over a stop or a kill.  There is one answer to a
 * question, or none where something broke.  What was not acknowledged when a connection
 * ended comes again, and may so come twice, but not where another connection resumes
 * that one.  In the end, when all is calm and everybody has come anew, those agree who
 * see each other, and who is there is seen.  Nothing is left when they have gone.
 *
 * In half of the seeds one client of each user has stream management: its session
 * sleeps while its server is stopped, or its own connection has broken, and what it
 * has said, and what was said to it meanwhile, is held to the same.
 *
 * The seed says what befalls the servers, none of it in one seed of four:
 * connections that break at any byte, of which either side hears early or late; that
 * are not read for a while; a network that is away; servers that are stopped, and
 * killed; domains that do not talk to others for a while; reloads; streams that are
 * closed by command; a database that is slow, too busy, or gone for one try.
 *
 * A seed that fails is printed, and replays exactly.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "core/entity_message.h"
#include "core/server.h"
#include "core/shard.h"
#include "sim_s2s.h"

#define SEEDS 40 /* whatever is to be tried happens in so many */
#define NOBODY_COMES_US (2 * INT64_C(3600) * US_PER_S)

void
sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	s->failed = true;
	va_start(ap, fmt);
	seeds_fail(s->seed, fmt, ap);
	va_end(ap);
}

/* --- time and turns ----------------------------------------------------------------- */

/* A server that stops moves its own. */
static void
clocks_align(struct sim *s)
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
sim_turn(struct sim *s)
{
	uint64_t which = sim_draw(s, WORLDS + 1);

	if (which == WORLDS)
		(void)wires_turn(&s->wires);
	else
		world_turn(s->worlds[which]);
}

void
sim_settle(struct sim *s)
{
	unsigned idle = 0;

	clocks_align(s);
	while (idle < 2) {
		bool busy = wires_turn(&s->wires);

		for (unsigned i = 0; i < WORLDS; i++)
			busy = (!s->dead[i] && world_round(s->worlds[i])) || busy;
		users_read(s);
		idle = busy ? 0 : idle + 1;
	}
	wires_quiet(&s->wires);
}

void
sim_sleep(struct sim *s, int64_t us)
{
	int64_t next;

	sim_settle(s);
	next = wires_next_us(&s->wires);
	for (unsigned i = 0; i < WORLDS; i++)
		next = MIN(next, world_next_us(s->worlds[i]));
	next = next > s->now_us ? MIN(next - s->now_us, us) : us;
	clock_manual_advance(&s->worlds[0]->clock, next);
	sim_settle(s);
}

void
sim_pass(struct sim *s, int64_t us)
{
	int64_t until_us = s->now_us + us;

	while (s->now_us < until_us)
		sim_sleep(s, until_us - s->now_us);
}

/* --- one seed ------------------------------------------------------------------------ */

static void
sim_step(struct sim *s)
{
	users_act(s);
	sim_trouble(s);
	for (uint64_t n = sim_draw(s, 8); n > 0; n--) {
		sim_turn(s);
		users_read(s);
	}
	if (sim_draw(s, 24) == 0)
		sim_sleep(s, 30 * US_PER_S);
	if (sim_draw(s, 200) == 0)
		sim_pass(s, 5 * 60 * US_PER_S);
}

/* Time for pauses to end, and for all that waits to get there, or to be answered. */
static void
sim_end(struct sim *s)
{
	sim_calm(s);
	sim_pass(s, 10 * 60 * US_PER_S);
	users_connect(s);
	sim_pass(s, 2 * 60 * US_PER_S);
	users_ask(s);
	sim_settle(s);
	sim_check_said(s);
	if (!s->lossy)
		sim_check_seen(s);
	users_leave(s);
	sim_pass(s, 30 * US_PER_S);
	users_connect(s);
	sim_pass(s, 2 * 60 * US_PER_S);
	sim_check(s);
	users_leave(s);
	sim_pass(s, NOBODY_COMES_US);
	sim_check_nothing_left(s);
}

static const enum memuse counted[] = { MEMUSE_CONN, MEMUSE_STREAM,
	MEMUSE_SESSION, MEMUSE_WIRE, MEMUSE_ACCOUNT, MEMUSE_ROSTER,
	MEMUSE_AUDIENCE, MEMUSE_MODULE, MEMUSE_ARENA };

static void
sim_open(struct sim *s, const char *module_dir)
{
	rand_seeded_init(&s->turns, ~s->seed);
	wires_init(&s->wires, &s->turns.source, &s->now_us);
	s->wires.handed = users_on_handed;
	s->wires.lost = users_on_lost;
	s->wires.again = users_on_again;
	s->wires.once = users_on_once;
	s->wires.unkept = users_on_unkept;
	s->wires.late = users_on_late;
	s->wires.arg = s;
	sim_draw_trouble(s);
	seeds_say("cuts=%d stalls=%d outages=%d stops=%d reloads=%d closes=%d bad_store=%d slow=%d",
		s->cuts, s->stalls, s->outages, s->stops, s->reloads, s->closes,
		s->bad_store, s->wires.slow);
	sim_start_worlds(s, module_dir);
	users_init(s);
	sim_begin_trouble(s);
	clocks_align(s);
}

static void
sim_close(struct sim *s)
{
	users_done(s);
	s->dead[0] = s->dead[1] = true;
	for (unsigned i = 0; i < WORLDS; i++) {
		s->worlds[i]->settle = NULL;
		wires_kill(&s->wires, i);
	}
	for (unsigned i = 0; i < WORLDS; i++) {
		world_free(s->worlds[i]);
		buf_done(&s->hosts[i]);
	}
	wires_done(&s->wires);
}

static void
sum_add(struct sim_sum *to, const struct sim_sum *n)
{
	to->sent += n->sent;
	to->arrived += n->arrived;
	to->refused += n->refused;
	to->lost += n->lost;
	to->untold += n->untold;
	to->late += n->late;
	to->slept += n->slept;
	to->woken += n->woken;
	to->wires.opened += n->wires.opened;
	to->wires.cut += n->wires.cut;
	to->wires.resumed += n->wires.resumed;
	to->wires.refused += n->wires.refused;
	to->wires.handed += n->wires.handed;
	to->wires.back += n->wires.back;
}

static bool
sum_has_all(const struct sim_sum *n)
{
	return n->arrived != 0 && n->refused != 0 && n->wires.cut != 0 &&
		n->wires.resumed != 0 && n->wires.refused != 0 &&
		n->wires.back != 0 && n->slept != 0 && n->woken != 0;
}

static bool
sim_run(uint64_t seed, unsigned steps, const char *module_dir, void *sum)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	int64_t before[COUNT(counted)];
	bool ok;

	for (size_t i = 0; i < COUNT(counted); i++)
		before[i] = memuse_sum(counted[i]).bytes;
	s->seed = seed;
	sim_open(s, module_dir);
	for (unsigned i = 0; i < steps && !s->failed; i++)
		sim_step(s);
	if (!s->failed)
		sim_end(s);
	sim_close(s);
	for (size_t i = 0; i < COUNT(counted); i++)
		if (memuse_sum(counted[i]).bytes != before[i])
			sim_fail(s, "%lld bytes of %s are left",
				(long long)(memuse_sum(counted[i]).bytes -
					before[i]),
				memuse_name(counted[i]));
	s->sum.wires = s->wires.n;
	sum_add(sum, &s->sum);
	ok = !s->failed;
	free(s);
	return ok;
}

int
main(int argc, char **argv)
{
	struct seeds seeds = { .program = "sim_s2s", .first = 1, .n = SEEDS,
		.steps = 300, .module_dirs = "modules/.libs:tests/modules/.libs" };
	struct sim_sum sum = { 0 };

	if (!seeds_read(&seeds, argc, argv))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0); /* in line with the log */
	/* there are no certificates, and the system's authorities are many */
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	seeds_run(&seeds, sim_run, &sum);
	if (seeds.n >= SEEDS && !sum_has_all(&sum)) {
		fprintf(stderr, "something of what is to be tried never happened\n");
		seeds.failed++;
	}
	printf("%u connections, %u cut, %u resumed, %u not; of %llu stanzas %llu went back\n",
		sum.wires.opened, sum.wires.cut, sum.wires.resumed,
		sum.wires.refused, (unsigned long long)sum.wires.handed,
		(unsigned long long)sum.wires.back);
	printf("%u sessions slept over a stop; %u went on after whatever sleep\n",
		sum.slept, sum.woken);
	printf("%llu seeds, %u failed; of %u messages %u arrived, %u were refused, %u lost, %u nobody would hear of, %u late\n",
		(unsigned long long)seeds.n, seeds.failed, sum.sent, sum.arrived,
		sum.refused, sum.lost, sum.untold, sum.late);
	return seeds.failed != 0;
}
