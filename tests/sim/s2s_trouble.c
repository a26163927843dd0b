/*
 * s2s_trouble.c - two servers that can reach each other, and what befalls them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "xmpp/error.h"
#include "xmpp/stanza.h"
#include "core/server.h"
#include "core/shard.h"
#include "stream/server/s2s_command.h"
#include "sim_s2s.h"

const char *const sim_domains[WORLDS][DOMAINS] = {
	{ "a.example", "x.example" },
	{ "b.example", "y.example" },
};

/* --- the servers --------------------------------------------------------------------- */

static unsigned
world_with(const char *domain)
{
	for (unsigned i = 0; i < WORLDS; i++)
		for (unsigned j = 0; j < DOMAINS; j++)
			if (strcmp(domain, sim_domains[i][j]) == 0)
				return i;
	return WORLDS;
}

static struct sim *the_sim; /* for those that are given a server only */

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	struct sim *s = the_sim;
	unsigned to = world_with(domain);
	struct server *other;

	if (to == WORLDS || s->worlds[to]->server == srv || s->unreachable ||
		s->dead[0] || s->dead[1])
		return NULL;
	other = s->worlds[to]->server;
	return wires_open(&s->wires, !to, sh,
		other->shards[sim_draw(s, other->n_shards)]);
}

static void
hosts_write(struct sim *s, unsigned world)
{
	struct buf *out = &s->hosts[world];

	out->n = 0;
	for (unsigned i = 0; i < DOMAINS; i++)
		buf_printf(out,
			"  %s: { auth: { tls_required: no }, federation: { mode: %s } }\n",
			sim_domains[world][i],
			s->off[world][i] ? "off" : "on");
	if (s->worlds[world] != NULL)
		s->worlds[world]->hosts = buf_c(out);
}

/* Nobody is slowed for what he sends, or it would not be known where it is when a
 * connection breaks. */
static const char conf[] =
	"limits: { account_idle: 1s, stanzas_burst: 100000, bytes_burst: 16MiB }\n"
	"s2s: { backoff_max: 60s, unreachable_after: 90s, idle_timeout: 2m,\n"
	"  bytes_per_second: 1GiB, stanzas_per_second: 1000000 }\n"
	"modules: { testresume: {}, archive: %s }\n";

static void
on_settle(struct world *w)
{
	(void)w;
	sim_settle(the_sim);
}

/* Until what was lost has been done, nothing else is. */
static bool
on_moment(void *arg, enum store_moment at)
{
	struct world *w = arg;
	struct sim *s = the_sim;
	unsigned i = w == s->worlds[1];
	bool loses = !s->spared[i] && sim_draw(s, 8) == 0;

	if (loses) {
		s->spared[i] = true;
		s->lost_at[i] = at;
	} else if (at == STORE_AT_ANSWER ||
		(at == STORE_AT_ASKED && s->lost_at[i] == STORE_AT_ANSWER)) {
		s->spared[i] = false;
	}
	return loses;
}

static bool
on_busy(void *arg, bool writes)
{
	(void)arg;
	return writes && sim_draw(the_sim, 4) == 0;
}

static void
store_trouble(struct sim *s, unsigned i, bool begins)
{
	struct store *store = s->worlds[i]->server->store;

	if (!s->bad_store)
		return;
	if (s->worlds[i]->store == NULL)
		store_lose_when(store, begins ? on_moment : NULL,
			begins ? s->worlds[i] : NULL);
	store_busy_when(store, begins ? on_busy : NULL, NULL);
	s->worlds[i]->slow_store = begins;
}

static void
log_all(void)
{
	for (int i = 0; seeds_verbose && i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, LEVEL_INFO);
}

static void
world_started(struct sim *s, unsigned i)
{
	command_register(s->worlds[i]->server, s2s_commands);
	log_all();
}

void
sim_start_worlds(struct sim *s, const char *module_dir)
{
	struct world like = { .hosts = NULL, .reach = on_reach, .settle = on_settle };
	char more[512];

	the_sim = s;
	for (unsigned i = 0; i < WORLDS; i++) {
		hosts_write(s, i);
		snprintf(more, sizeof(more), conf,
			sim_draw(s, 2) == 0 ? "on" : "off");
		like.hosts = buf_c(&s->hosts[i]);
		s->worlds[i] = world_new_like(2 * s->seed + i,
			1 + (unsigned)sim_draw(s, 3), module_dir, more,
			s->stops, &like);
		world_started(s, i);
	}
}

/* Whoever makes an error calls it. */
struct stanza *__real_stanza_error(const struct stanza *st, enum stanza_cond cond,
	struct str text);
struct stanza *__wrap_stanza_error(const struct stanza *st, enum stanza_cond cond,
	struct str text);

struct stanza *
__wrap_stanza_error(const struct stanza *st, enum stanza_cond cond,
	struct str text)
{
	struct stanza *error = __real_stanza_error(st, cond, text);

	/* what one does that is being killed nobody sees */
	if (error != NULL && !the_sim->dead[0] && !the_sim->dead[1])
		users_on_refused(the_sim, error);
	return error;
}

/* --- trouble ------------------------------------------------------------------------- */

static void
do_stop(struct sim *s)
{
	unsigned i = (unsigned)sim_draw(s, WORLDS);
	unsigned n_shards = 1 + (unsigned)sim_draw(s, 3);
	bool kill = sim_draw(s, 2) == 0;

	seeds_say("server %u is %s", i, kill ? "killed" : "stopped");
	users_of_world_go(s, i, kill);
	if (kill) {
		wires_kill(&s->wires, i);
		s->dead[i] = true;
		s->worlds[i]->settle = NULL; /* nobody sees its end */
		world_kill(s->worlds[i], n_shards);
		s->worlds[i]->settle = on_settle;
		s->dead[i] = false;
	} else {
		s->stopping[i] = true;
		world_restart(s->worlds[i], n_shards);
		users_of_world_go(s, i, false);
		s->stopping[i] = false;
	}
	world_started(s, i);
	store_trouble(s, i, true);
	sim_settle(s);
}

static void
do_reload(struct sim *s)
{
	unsigned i = (unsigned)sim_draw(s, WORLDS);
	unsigned j = (unsigned)sim_draw(s, DOMAINS);

	if (sim_draw(s, 2) == 0)
		s->off[i][j] = !s->off[i][j];
	seeds_say("%s talks to %s", sim_domains[i][j],
		s->off[i][j] ? "nobody" : "others");
	hosts_write(s, i);
	world_reload(s->worlds[i]);
}

struct closing {
	struct command_call call;
	struct str value;
};

static void
on_finished(struct command_call *call, const struct err *err)
{
	(void)err; /* there was none */
	arena_free(call->arena);
	free(call);
}

static void
on_close(struct shard *sh, void *arg)
{
	static const struct command_door door = { "simulation", true };
	struct closing *c = xcalloc(1, sizeof(*c));

	c->call = (struct command_call){
		.server = sh->server,
		.shard = sh,
		.command = command_find(sh->server, STR("s2s close")),
		.caller = { .door = &door, .as = BY_OPERATOR, .user = "sim" },
		.arena = arena_new(),
		.values = &c->value,
		.finish = on_finished,
	};
	c->value = arena_str(c->call.arena, str_c(arg));
	command_run(&c->call);
}

static void
do_close(struct sim *s)
{
	unsigned i = (unsigned)sim_draw(s, WORLDS);
	const char *domain = sim_domains[!i][sim_draw(s, DOMAINS)];

	seeds_say("server %u closes its streams to %s", i, domain);
	shard_post(s->worlds[i]->server->shards[0], on_close,
		(void *)(uintptr_t)domain, 0);
}

void
sim_draw_trouble(struct sim *s)
{
	s->wires.slow = sim_draw(s, 2) == 0;
	if (sim_draw(s, 2) == 0)
		s->wires.room = 512 << sim_draw(s, 6);
	s->long_bytes = 1000;
	s->leaves = sim_draw(s, 2) == 0;
	s->sleeps = sim_draw(s, 2) == 0;
	if (s->seed % 4 == 0)
		return;
	s->heavy = sim_draw(s, 6) == 0;
	if (s->heavy) {
		s->long_bytes = 40000;
		s->wires.room = 4096;
	}
	s->cuts = sim_draw(s, 2) == 0 || s->heavy;
	s->stalls = sim_draw(s, 3) == 0 || s->heavy;
	s->outages = sim_draw(s, 4) == 0;
	s->stops = sim_draw(s, 4) == 0;
	s->reloads = sim_draw(s, 4) == 0;
	s->closes = sim_draw(s, 4) == 0;
	s->bad_store = sim_draw(s, 4) == 0;
	s->lossy = s->cuts || s->stalls || s->outages || s->stops || s->reloads;
	s->any_trouble = s->lossy || s->closes;
}

void
sim_begin_trouble(struct sim *s)
{
	for (unsigned i = 0; i < WORLDS; i++)
		store_trouble(s, i, true);
}

void
sim_trouble(struct sim *s)
{
	struct wire *w = s->heavy && sim_draw(s, 2) == 0 ?
		wires_fullest(&s->wires) :
		wires_any(&s->wires);

	if (s->cuts && w != NULL && sim_draw(s, 12) == 0)
		wire_cut(w);
	else if (s->stalls && w != NULL && sim_draw(s, 8) == 0)
		wire_stall(w);
	if (s->outages && sim_draw(s, 40) == 0) {
		s->unreachable = !s->unreachable;
		seeds_say("the network is %s",
			s->unreachable ? "gone" : "there again");
	}
	if (s->reloads && sim_draw(s, 40) == 0)
		do_reload(s);
	if (s->closes && sim_draw(s, 20) == 0)
		do_close(s);
	if (s->stops && sim_draw(s, 50) == 0)
		do_stop(s);
}

/* From now on, nothing befalls them. */
void
sim_calm(struct sim *s)
{
	s->unreachable = false;
	s->wires.slow = false;
	s->cuts = s->stalls = s->outages = s->stops = s->reloads = false;
	wires_go_on(&s->wires);
	for (unsigned i = 0; i < WORLDS; i++) {
		store_trouble(s, i, false);
		memset(s->off[i], 0, sizeof(s->off[i]));
		hosts_write(s, i);
		world_reload(s->worlds[i]);
	}
}
