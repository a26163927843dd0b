/*
 * test_race.c - the first of several addresses that answers.
 */
#include "config.h"

#include "net/race.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/net.h"
#include "test.h"

struct track {
	struct event_base *base;
	struct net *net;
	bool told;
	int fd;
	size_t which;
	struct err err;
};

static void
track_init(struct track *t)
{
	*t = (struct track){ .base = event_base_new(), .fd = -1 };
	t->net = net_new(t->base);
}

static void
track_done(struct track *t)
{
	if (t->fd != -1)
		close(t->fd);
	net_free(t->net);
	event_base_free(t->base);
}

static void
on_raced(void *arg, int fd, size_t which, const struct err *err)
{
	struct track *t = arg;

	CHECK(!t->told);
	t->told = true;
	t->fd = fd;
	t->which = which;
	if (err != NULL)
		t->err = *err;
	CHECK((fd == -1) == (err != NULL));
}

/* A socket that listens, or, with backlog -1, one that is bound and refuses. */
static int
door_open(int backlog, struct sockaddr_storage *address_out)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd != -1 && bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
	if (backlog >= 0)
		CHECK(listen(fd, backlog) == 0);
	memset(address_out, 0, sizeof(*address_out));
	memcpy(address_out, &in, sizeof(in));
	return fd;
}

/* One whose queue is full, so that who comes is not answered; in fds_out, what has
 * to be closed. */
static void
door_stalled(struct sockaddr_storage *address_out, int fds_out[3])
{
	fds_out[0] = door_open(0, address_out);
	for (int i = 1; i < 3; i++) {
		fds_out[i] = socket(AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(fds_out[i], (struct sockaddr *)address_out,
			sizeof(struct sockaddr_in));
	}
	usleep(20000); /* the kernel's own queue */
}

static void
run(struct track *t, const struct sockaddr_storage *list, size_t n,
	int64_t timeout_us)
{
	race_start(t->net, list, n, timeout_us, on_raced, t);
	CHECK(!t->told);
	while (!t->told)
		event_base_loop(t->base, EVLOOP_ONCE);
}

TEST(the_first_that_answers_wins)
{
	struct sockaddr_storage list[RACE_MAX + 4];
	struct track t;
	int doors[2];

	doors[0] = door_open(-1, &list[0]);
	doors[1] = door_open(8, &list[1]);
	track_init(&t);
	run(&t, list, 2, 5 * US_PER_S);
	CHECK(t.fd != -1);
	CHECK_INT(t.which, 1);
	track_done(&t);
	close(doors[0]);
	close(doors[1]);
}

TEST(a_silent_one_costs_a_quarter_of_a_second)
{
	struct sockaddr_storage list[2];
	int stalled[3], door = door_open(8, &list[1]);
	struct track t;
	int64_t began_us, took_us;

	door_stalled(&list[0], stalled);
	track_init(&t);
	began_us = clock_mono_us(&clock_system);
	run(&t, list, 2, 60 * US_PER_S);
	took_us = clock_mono_us(&clock_system) - began_us;
	CHECK_INT(t.which, 1);
	CHECK(took_us >= RACE_STEP_US - 10 * US_PER_MS);
	track_done(&t);
	for (int i = 0; i < 3; i++)
		close(stalled[i]);
	close(door);
}

TEST(all_refuse_for_any_number_of_them)
{
	struct sockaddr_storage list[RACE_MAX + 4];
	int door = door_open(-1, &list[0]);

	for (size_t n = 0; n <= COUNT(list); n++) {
		struct track t;

		for (size_t i = 1; i < n; i++)
			list[i] = list[0];
		track_init(&t);
		run(&t, list, n, 20 * US_PER_S);
		CHECK_INT(t.fd, -1);
		CHECK(t.err.text[0] != '\0');
		track_done(&t);
	}
	close(door);
}

TEST(the_time_is_over_for_all)
{
	struct sockaddr_storage list[1];
	struct track t;
	int stalled[3];

	door_stalled(&list[0], stalled);
	track_init(&t);
	run(&t, list, 1, 50 * US_PER_MS);
	CHECK_INT(t.fd, -1);
	CHECK_INT(t.err.code, ERR_TIMEOUT);
	track_done(&t);
	for (int i = 0; i < 3; i++)
		close(stalled[i]);
}

TEST(who_cancels_is_not_told)
{
	struct sockaddr_storage list[1];
	int door = door_open(8, &list[0]);
	struct track t;

	track_init(&t);
	race_cancel(race_start(t.net, list, 1, US_PER_S, on_raced, &t));
	event_base_loop(t.base, EVLOOP_NONBLOCK);
	CHECK(!t.told);
	track_done(&t);
	close(door);
}

TEST_MAIN
