/*
 * test_c2s_plain.c - logins with PLAIN while the worker is busy.
 *
 * The shards are turned by the test, and the worker has a thread, so that a
 * login waits as long as the test wants.
 */
#include "config.h"

#include "stream/streams.h"
#include "stream/client/c2s.h"

#include <sched.h>
#include <semaphore.h>

#include "base/err.h"
#include "base/worker.h"
#include "net/conn.h"
#include "core/server.h"
#include "server/server_start.h"
#include "c2s_world.h"
#include "test.h"

/* As many as may wait. */
#define WAITING_MAX 1000

struct busy {
	struct world world;
	sem_t go_on;
};

static void
busy_work(void *arg)
{
	struct busy *b = arg;

	while (sem_wait(&b->go_on) != 0)
		;
}

static void
busy_done(void *arg)
{
	(void)arg;
}

static void
busy_add(struct busy *b)
{
	struct server *srv = b->world.server;

	worker_run(srv->worker, busy_work, &srv->shards[0]->mailbox, busy_done,
		b);
}

static void
busy_init(struct busy *b, unsigned n_shards, const char *more)
{
	struct err err = ERR_INIT;

	world_init(&b->world, n_shards, more, "");
	worker_free(b->world.server->worker);
	b->world.server->worker = worker_new(1, &err);
	CHECK(b->world.server->worker != NULL);
	sem_init(&b->go_on, 0, 0);
	busy_add(b);
}

/* n of those that keep the worker busy end; waits until it has none left. */
static void
busy_end(struct busy *b, size_t n)
{
	while (n-- > 0)
		sem_post(&b->go_on);
	while (worker_waiting(b->world.server->worker) != 0)
		sched_yield();
	world_settle(&b->world);
}

static void
busy_leave(struct busy *b)
{
	world_done(&b->world);
	sem_destroy(&b->go_on);
}

TEST(a_password_is_checked_away_from_the_shard)
{
	struct busy b;
	struct peer p, q;

	busy_init(&b, 2, "");
	peer_open(&p, &b.world, 0, true);
	peer_say(&p, HEADER);
	peer_say(&p, AUTH_ROMEO HEADER BIND("a"));
	CHECK(!peer_has(&p, "<success") && !peer_has(&p, "<failure"));
	CHECK_INT(worker_waiting(b.world.server->worker), 2);
	/* n,,n=romeo,r=abc: the others are served meanwhile */
	peer_open(&q, &b.world, 0, true);
	peer_say(&q, HEADER AUTH("SCRAM-SHA-256", "biwsbj1yb21lbyxyPWFiYw=="));
	CHECK_GOT(&q, "<challenge ");
	busy_end(&b, 1);
	CHECK_GOT(&p, "<success ", "<jid>romeo@example.org/a</jid>");
	peer_done(&p);
	peer_done(&q);
	busy_leave(&b);
}

TEST(one_who_hangs_up_while_the_password_is_checked_is_forgotten)
{
	struct busy b;
	struct peer p;

	busy_init(&b, 1, "");
	peer_open(&p, &b.world, 0, true);
	peer_say(&p, HEADER AUTH_ROMEO);
	peer_done(&p);
	busy_end(&b, 1);
	CHECK_INT(b.world.server->shards[0]->stats.streams, 0);
	busy_leave(&b);
}

TEST(a_login_that_ends_in_time_is_not_the_workers_to_delay)
{
	struct busy b;
	struct peer p;

	busy_init(&b, 1, "limits: { login_timeout: 20s }");
	peer_open(&p, &b.world, 0, true);
	peer_say(&p, HEADER AUTH_ROMEO);
	world_advance(&b.world, 21 * US_PER_S);
	CHECK_GOT(&p, "<connection-timeout ");
	CHECK(p.closed);
	busy_end(&b, 1);
	CHECK_INT(b.world.server->shards[0]->stats.logins, 0);
	peer_done(&p);
	busy_leave(&b);
}

static void
on_all_closed(void *arg)
{
	struct busy *b = arg;

	sem_post(&b->go_on);
}

TEST(a_shutdown_does_not_wait_for_a_password)
{
	struct busy b;
	struct peer p;

	busy_init(&b, 1, "");
	peer_open(&p, &b.world, 0, true);
	peer_say(&p, HEADER AUTH_ROMEO);
	streams_close_all(b.world.server, STREAM_SYSTEM_SHUTDOWN, on_all_closed,
		&b);
	world_advance(&b.world, US_PER_S);
	CHECK(p.closed);
	CHECK_GOT(&p, "<system-shutdown ", "</stream:stream>");
	/* ends only with the answer, which finds nobody */
	server_stop(b.world.server);
	certs_dir_done(&b.world.dir);
	sem_destroy(&b.go_on);
	buf_done(&p.got);
}

TEST(when_too_much_waits_the_client_is_to_try_later)
{
	struct busy b;
	struct peer p;

	busy_init(&b, 1, "");
	for (size_t i = 1; i < WAITING_MAX; i++)
		busy_add(&b);
	peer_open(&p, &b.world, 0, true);
	peer_say(&p, HEADER);
	peer_say(&p, AUTH_ROMEO);
	CHECK_GOT(&p, "<temporary-auth-failure/>");
	busy_end(&b, WAITING_MAX);
	peer_say(&p, AUTH_WRONG);
	while (worker_waiting(b.world.server->worker) != 0)
		sched_yield();
	world_advance(&b.world, US_PER_S);
	CHECK_GOT(&p, "<not-authorized/>");
	peer_done(&p);
	busy_leave(&b);
}

TEST(of_guesses_made_together_no_more_are_judged_than_one_by_one)
{
	struct peer peers[5];
	size_t judged = 0, put_off = 0;
	struct busy b;

	busy_init(&b, 1, "limits: { auth_failures_per_account: 2 }");
	for (size_t i = 0; i < COUNT(peers); i++) {
		peer_open(&peers[i], &b.world, 0, true);
		peer_say(&peers[i], HEADER);
		peer_say(&peers[i], AUTH_WRONG);
	}
	busy_end(&b, 1);
	world_advance(&b.world, US_PER_S);
	for (size_t i = 0; i < COUNT(peers); i++) {
		judged += peer_has(&peers[i], "<not-authorized/>");
		put_off += peer_has(&peers[i], "<temporary-auth-failure/>");
		peer_done(&peers[i]);
	}
	CHECK_INT(judged, 2);
	CHECK_INT(put_off, 3);
	busy_leave(&b);
}

TEST_MAIN
