/*
 * test_conn_bulk.c - who reads into a file, or is moved by a guest, has his turn behind
 * the others, and for a bounded time.
 */
#include "config.h"

#include "net/conn.h"

#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "net/conn_guest.h"
#include "net/net.h"
#include "test.h"

#define BULKY 4
/* More than a turn is for. */
#define SLOW_US 2000

/* Of a connection, over a pair of sockets. */
struct one {
	struct conn_guest guest; /* first */
	struct conn *c;
	int fd; /* the other side's */
	char name;
	bool is_bulky;
	char place;
};

static struct room {
	struct event_base *base;
	struct net *net;
	struct one all[BULKY + 1]; /* the last one is not bulky */
	char said[64];		   /* whose turn it was, by name */
	size_t n;
	void (*meanwhile)(struct one *one);
} room;

static void
note(const struct one *one)
{
	int64_t end_us = clock_mono_us(&clock_system) + SLOW_US;

	CHECK(room.n < sizeof(room.said) - 1);
	room.said[room.n++] = one->name;
	room.said[room.n] = '\0';
	while (one->is_bulky && clock_mono_us(&clock_system) < end_us)
		;
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct one *one = arg;

	CHECK(!one->is_bulky || (p == &one->place && n == 1));
	note(one);
	if (room.meanwhile != NULL)
		room.meanwhile(one);
}

/* A byte at a time: there is always more. */
static char *
on_place(void *arg, size_t *n_out)
{
	struct one *one = arg;

	*n_out = 1;
	return one->is_bulky ? &one->place : NULL;
}

static void
on_closed(void *arg, const struct err *why)
{
	(void)why;
	((struct one *)arg)->c = NULL;
}

static const struct conn_events events = {
	.data = on_data,
	.place = on_place,
	.closed = on_closed,
};

static void
room_init(void)
{
	memset(&room, 0, sizeof(room));
	room.base = event_base_new();
	room.net = net_new(room.base);
	for (int i = 0; i <= BULKY; i++) {
		struct one *one = &room.all[i];
		int fds[2];

		CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
			0);
		one->fd = fds[1];
		one->name = (char)('a' + i);
		one->is_bulky = i < BULKY;
		one->c = conn_new_tcp(room.net, fds[0], NULL, 0);
		conn_set_owner(one->c, &events, one);
		CHECK_INT(write(one->fd, "0123456789", 10), 10);
	}
}

static void
turn(void)
{
	event_base_loop(room.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(room.net);
}

static void
room_done(void)
{
	for (int i = 0; i <= BULKY; i++) {
		if (room.all[i].c != NULL)
			conn_abort(room.all[i].c);
		close(room.all[i].fd);
	}
	net_flush(room.net);
	net_free(room.net);
	event_base_free(room.base);
}

/* Turns of which each is that of one connection; a read is four calls at most. */
static const char *
turns(int n)
{
	size_t kept = 0;

	room.n = 0;
	for (int i = 0; i < n; i++)
		turn();
	for (size_t i = 0; i < room.n; i++)
		if (i == 0 || room.said[i] != room.said[i - 1])
			room.said[kept++] = room.said[i];
	room.said[kept] = '\0';
	return room.said;
}

TEST(who_reads_into_a_file_is_behind_others_and_one_after_the_other)
{
	char first[BULKY + 1];

	room_init();
	turns(1);
	CHECK_INT(strlen(room.said), 2); /* not one more */
	CHECK_INT(room.said[0], 'a' + BULKY);
	/* in whatever order, and then in that order again */
	memcpy(first, room.said + 1, 1);
	memcpy(first + 1, turns(BULKY - 1), BULKY - 1);
	first[BULKY] = '\0';
	for (int i = 0; i < BULKY; i++)
		CHECK(strchr(first, 'a' + i) != NULL);
	CHECK_STR(str_c(turns(BULKY)), first);
	CHECK_INT(write(room.all[BULKY].fd, "now", 3), 3);
	CHECK_INT(turns(1)[0], 'a' + BULKY);
	room_done();
}

/* --- who leaves the line ------------------------------------------------------------- */

static void
abort_others(struct one *one)
{
	for (int i = 0; i < BULKY; i++)
		if (&room.all[i] != one && room.all[i].c != NULL)
			conn_abort(room.all[i].c);
}

static void
pause_others(struct one *one)
{
	for (int i = 0; i < BULKY; i++)
		if (&room.all[i] != one)
			conn_pause(room.all[i].c);
}

static void
detach_others(struct one *one)
{
	room.meanwhile = NULL;
	for (int i = 0; i < BULKY; i++)
		if (&room.all[i] != one)
			conn_detach(room.all[i].c);
	for (int i = 0; i < BULKY; i++) {
		if (&room.all[i] != one) {
			room.all[i].is_bulky = false;
			conn_attach(room.all[i].c, room.net);
		}
	}
}

TEST(who_ends_rests_or_moves_while_he_waits_is_not_asked_for)
{
	static const struct {
		const char *name;
		void (*what)(struct one *one);
		size_t heard; /* of how many, from then on */
	} cases[] = {
		{ "ends", abort_others, 1 },
		{ "rests", pause_others, 1 },
		{ "moves", detach_others, BULKY },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t heard = 0;

		TEST_CASE(cases[i].name);
		room_init();
		CHECK_INT(strlen(turns(1)), 2);
		room.meanwhile = cases[i].what;
		turns(1);
		turns(2 * BULKY);
		for (int j = 0; j < BULKY; j++)
			heard += strchr(room.said, 'a' + j) != NULL;
		CHECK(heard <= cases[i].heard);
		CHECK(i != 2 || heard >= BULKY - 1);
		room_done();
	}
}

/* --- guests --------------------------------------------------------------------------- */

static short
guest_wants(struct conn *c, struct conn_guest *g)
{
	(void)c;
	(void)g;
	return EV_READ;
}

static void
guest_ready(struct conn *c, struct conn_guest *g, short what)
{
	(void)c;
	CHECK_INT(what, EV_READ);
	note((struct one *)g);
}

static void
guest_drained(struct conn *c, struct conn_guest *g)
{
	(void)c;
	(void)g;
}

static void
guest_ended(struct conn *c, struct conn_guest *g)
{
	(void)c;
	(void)g;
}

static const struct conn_guest_kind guest_kind = { guest_wants, guest_ready,
	guest_drained, guest_ended };

TEST(guests_are_behind_others_too)
{
	room_init();
	for (int i = 0; i < BULKY; i++) {
		room.all[i].guest.kind = &guest_kind;
		conn_set_guest(room.all[i].c, &room.all[i].guest);
	}
	turns(1);
	CHECK_INT(strlen(room.said), 2);
	CHECK_INT(room.said[0], 'a' + BULKY);
	CHECK_INT(strlen(turns(BULKY)), BULKY);
	room_done();
}

TEST_MAIN
