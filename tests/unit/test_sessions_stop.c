/*
 * test_sessions_stop.c - sessions that are saved when the server stops, and come
 * back: in one process, with an account that has left memory in between.
 */
#include "config.h"

#include "account/sessions_stop.h"

#include <stdio.h>
#include <unistd.h>

#include "net/conn.h"
#include "core/entity_save.h"
#include "core/place.h"
#include "core/sleepers.h"
#include "server/server_quiet.h"
#include "server/server_sleep.h"
#include "session_scene.h"

#define IDLE_US (3600 * US_PER_S)

static void
on_told(void *arg)
{
	*(bool *)arg = true;
}

/* As at a stop, until all is written. */
static void
stop(struct scene *s)
{
	bool done = false;

	server_sleep(s->w.server, on_told, &done);
	for (int i = 0; i < 1000 && !done; i++)
		world_advance(&s->w, US_PER_MS);
	CHECK(done);
	world_advance(&s->w, IDLE_US);
	CHECK(entity_find(world_owner(&s->w, "romeo"), STR(ROMEO)) == NULL);
}

static unsigned n_done;

static void
on_all_woken(struct shard *sh)
{
	CHECK(sh->sleepers == NULL);
	n_done++;
}

/* As at a start. */
static void
start(struct scene *s)
{
	struct shard *sh = world_owner(&s->w, "romeo");

	n_done = 0;
	sleepers_add(sh, &account_class, jid_trusted(STR(ROMEO)), on_all_woken);
	sleepers_run(sh);
	world_settle(&s->w);
}

static bool
is_back(struct scene *s)
{
	return account_find(world_owner(&s->w, "romeo"), STR(ROMEO)) != NULL &&
		is_there(s, "a");
}

TEST(what_was_saved_is_there_again_once)
{
	static const unsigned sizes[] = { 0, 1, 2, 300 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned kept = sizes[i] / 2, end = sizes[i];
		struct scene s;

		scene_init(&s);
		session_keep_output(s.s, true);
		say(&s, ROMEO "/a", 0, kept, 10);
		sleep_now(&s);
		say(&s, ROMEO "/a", kept, end, 10);
		stop(&s);
		start(&s);
		CHECK(is_back(&s) && n_done == 1);
		s.s = session_find(romeo_of(&s), STR("a"));
		CHECK(session_acked(s.s, kept / 2));
		session_attach(s.s, &fake_ops, &s.two);
		check_got(&s.two.got, kept / 2, end);
		session_close(s.s, STREAM_RESET, NULL);
		world_advance(&s.w, IDLE_US);
		/* the state was good for one start */
		start(&s);
		CHECK(n_done == 1 && !is_back(&s));
		scene_done(&s);
	}
}

/* Those that have been there longer stand before the others. */
TEST(they_stand_in_the_order_in_which_they_were_bound)
{
	struct scene s;
	struct session *other;

	scene_init(&s);
	world_advance(&s.w, US_PER_S);
	other = bind(&s, "0", &s.two);
	sleep_now(&s);
	session_detach(other, SLEEP_US);
	stop(&s);
	start(&s);
	CHECK_STR(session_resource(romeo_of(&s)->sessions), "a");
	CHECK_STR(session_resource(romeo_of(&s)->sessions->next), "0");
	scene_done(&s);
}

/* Whoever needs the account before its turn has it with its sessions. */
TEST(who_is_asked_for_early_is_woken_first)
{
	struct scene s;
	struct shard *sh;

	scene_init(&s);
	sleep_now(&s);
	stop(&s);
	sh = world_owner(&s.w, "romeo");
	sleepers_add(sh, &account_class, jid_trusted(STR(ROMEO)), on_all_woken);
	CHECK(account_get(sh, jid_trusted(STR(ROMEO)), NULL) != NULL);
	world_settle(&s.w);
	CHECK(is_back(&s) && sh->sleepers == NULL);
	scene_done(&s);
}

/* What is logged meanwhile. */
static char logged[64 * 1024];
static int stderr_before;

static void
log_begin(FILE *f)
{
	fflush(stderr);
	stderr_before = dup(STDERR_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	log_set_level(LOG_ROUTER, LEVEL_ERROR);
}

static void
log_end(FILE *f)
{
	size_t n;

	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	rewind(f);
	n = fread(logged, 1, sizeof(logged) - 1, f);
	logged[n] = '\0';
	fclose(f);
}

/* Rather not there than twice; and the log says why nobody can log in. */
TEST(while_the_disk_takes_nothing_they_are_not_there)
{
	FILE *f = tmpfile();
	struct scene s;
	struct store *store;
	struct shard *sh;

	scene_init(&s);
	store = s.w.server->store;
	sh = world_owner(&s.w, "romeo");
	sleep_now(&s);
	stop(&s);
	store_set_full(store, true);
	log_begin(f);
	start(&s);
	world_advance(&s.w, 60 * US_PER_S);
	log_end(f);
	CHECK(strstr(logged, "account " ROMEO ": cannot be loaded, what waited for "
		"it is refused reason=\"its sessions of the last stop cannot be "
		"taken out of the store, until which nobody can use it; it is "
		"tried again: the disk is full") != NULL);
	CHECK(account_find(sh, STR(ROMEO)) == NULL && sh->sleepers != NULL);
	store_set_full(store, false);
	world_advance(&s.w, 60 * US_PER_S);
	CHECK(is_back(&s) && n_done == 1);
	scene_done(&s);
}

/* What a stop finds that could not come back goes where it was. */
TEST(what_did_not_come_back_before_the_next_stop_is_kept)
{
	struct scene s;
	struct store *store;

	scene_init(&s);
	store = s.w.server->store;
	sleep_now(&s);
	stop(&s);
	store_set_full(store, true);
	start(&s);
	store_set_full(store, false);
	stop(&s);
	sleepers_free(world_owner(&s.w, "romeo"));
	start(&s);
	CHECK(is_back(&s));
	scene_done(&s);
}

static void
on_saved(struct shard *sh, const struct entities_saved *n, void *arg)
{
	(void)sh;
	*(struct entities_saved *)arg = *n;
}

TEST(for_what_there_is_no_time_is_lost)
{
	struct entities_saved n = { 7, 7 };
	struct scene s;

	scene_init(&s);
	sleep_now(&s);
	say(&s, ROMEO "/a", 0, 3, 10);
	sessions_sleep(world_owner(&s.w, "romeo"));
	world_settle(&s.w);
	s.juliet.got.n = 0;
	entities_save(world_owner(&s.w, "romeo"), &account_class, 0, on_saved, &n);
	CHECK_INT(n.saved, 7); /* not from within the call */
	world_settle(&s.w);
	CHECK_INT(n.saved, 0);
	CHECK_INT(n.lost, 1);
	check_got(&s.juliet.got, 0, 0);
	scene_done(&s);
}

/* It would not fit into the store, or not be read again. */
TEST(a_session_that_is_too_large_ends_by_the_table)
{
	struct entities_saved n = { 7, 7 };
	struct scene s;

	scene_init(&s);
	sleep_now(&s);
	say(&s, ROMEO "/a", 0, 3, 10);
	s.s->out->waiting_bytes += (size_t)33 << 20; /* as if */
	sessions_sleep(world_owner(&s.w, "romeo"));
	world_settle(&s.w);
	entities_save(world_owner(&s.w, "romeo"), &account_class, INT64_MAX, on_saved, &n);
	world_settle(&s.w);
	CHECK_INT(n.saved + n.lost, 0);
	scene_done(&s);
}

/* --- quiet ---------------------------------------------------------------------- */

static void
on_quiet(struct server *srv, void *arg)
{
	*(int64_t *)arg = srv->shards[0]->now_us;
}

TEST(it_is_quiet_when_nothing_moves_or_the_time_is_over)
{
	struct scene s;
	int64_t quiet_us = 0, began_us;

	scene_init(&s);
	began_us = s.w.server->shards[0]->now_us;
	server_when_quiet(s.w.server, US_PER_S, on_quiet, &quiet_us);
	CHECK(quiet_us == 0);
	for (int i = 0; i < 20; i++)
		world_advance(&s.w, US_PER_MS);
	CHECK(quiet_us != 0 && quiet_us - began_us < 20 * US_PER_MS);
	/* the store does not answer: this takes all the time there is */
	quiet_us = 0;
	began_us = s.w.server->shards[0]->now_us;
	server_when_quiet(s.w.server, 20 * US_PER_MS, on_quiet, &quiet_us);
	for (int i = 0; i < 40; i++) {
		store_commit(s.w.server->store, store_tx_new(), NULL, NULL,
			NULL);
		clock_manual_advance(&s.w.clock, US_PER_MS);
		for (unsigned j = 0; j < 4 * s.w.server->n_shards; j++)
			shard_turn(s.w.server->shards[j %
				s.w.server->n_shards]);
	}
	CHECK(quiet_us - began_us >= 20 * US_PER_MS);
	scene_done(&s);
}

TEST_MAIN
