/*
 * test_listener.c - accepting connections.
 */
#include "config.h"

#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/net.h"
#include "test.h"

struct door {
	struct listener *l;
	int accepted;
	int fd; /* the last one */
	struct sockaddr_storage peer;
	bool stop;
};

static void
on_door_accept(
	void *arg, int fd, const struct sockaddr *peer, unsigned peer_len)
{
	struct door *d = arg;

	memcpy(&d->peer, peer, peer_len);
	if (d->fd != -1)
		close(d->fd);
	d->fd = fd;
	d->accepted++;
	if (d->stop)
		listener_stop(d->l);
}

/* A client's socket, connected, or -1. */
static int
knock(int family, uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = family == AF_INET
		? connect(fd, (struct sockaddr *)&in, sizeof(in))
		: connect(fd, (struct sockaddr *)&in6, sizeof(in6));

	if (fd != -1 && ret == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Waits for an event; the base has a timer that ends the test should none
 * come. */
static void
door_wait(struct event_base *base, const struct door *d, int accepted)
{
	while (d->accepted < accepted)
		CHECK_INT(event_base_loop(base, EVLOOP_ONCE), 0);
}

static const struct {
	const char *address;
	int family;
} bind_cases[] = {
	{ "127.0.0.1", AF_INET },
	{ "localhost", AF_INET },
	{ "*", AF_INET },
	{ "*", AF_INET6 },
	{ "::1", AF_INET6 },
};

static bool
has_ipv6(void)
{
	uint16_t port;
	int fd;

	if (!listener_bind("::1", 0, 1, &fd, 1, &port, NULL))
		return false;
	close(fd);
	return true;
}

TEST(each_kind_of_address_accepts)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);

	for (size_t i = 0; i < COUNT(bind_cases); i++) {
		struct door d = { .fd = -1 };
		struct err err = ERR_INIT;
		uint16_t port = 0;
		int fd, client;

		if (bind_cases[i].family == AF_INET6 && !has_ipv6())
			continue;
		TEST_CASE(bind_cases[i].address);
		CHECK(listener_bind(
			bind_cases[i].address, 0, 8, &fd, 1, &port, &err));
		CHECK(port != 0);
		d.l = listener_start(net, fd, on_door_accept, &d);
		client = knock(bind_cases[i].family, port);
		CHECK(client != -1);
		door_wait(base, &d, 1);
		CHECK(fcntl(d.fd, F_GETFL) & O_NONBLOCK);
		CHECK(fcntl(d.fd, F_GETFD) & FD_CLOEXEC);
		close(d.fd);
		close(client);
		listener_stop(d.l);
	}
	net_free(net);
	event_base_free(base);
}

TEST(several_sockets_share_one_port)
{
	int fds[4];
	uint16_t port = 0;

	CHECK(listener_bind("127.0.0.1", 0, 8, fds, COUNT(fds), &port, NULL));
	for (size_t i = 0; i < COUNT(fds); i++) {
		struct sockaddr_in sa;
		socklen_t n = sizeof(sa);

		CHECK_INT(getsockname(fds[i], (struct sockaddr *)&sa, &n), 0);
		CHECK_INT(ntohs(sa.sin_port), port);
		close(fds[i]);
	}
}

/* The first of them is bound in another way than the others. */
TEST(sockets_of_one_port_share_what_comes)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	struct door doors[4];
	int fds[COUNT(doors)], clients[200], accepted = 0;
	uint16_t port = 0;

	CHECK(listener_bind("127.0.0.1", 0, 256, fds, COUNT(fds), &port, NULL));
	for (size_t i = 0; i < COUNT(doors); i++) {
		doors[i] = (struct door){ .fd = -1 };
		doors[i].l = listener_start(net, fds[i], on_door_accept,
			&doors[i]);
	}
	for (size_t i = 0; i < COUNT(clients); i++) {
		clients[i] = knock(AF_INET, port);
		CHECK(clients[i] != -1);
	}
	while (accepted < (int)COUNT(clients)) {
		CHECK_INT(event_base_loop(base, EVLOOP_ONCE), 0);
		accepted = 0;
		for (size_t i = 0; i < COUNT(doors); i++)
			accepted += doors[i].accepted;
	}
	for (size_t i = 0; i < COUNT(doors); i++) {
		CHECK(doors[i].accepted >= 20);
		listener_stop(doors[i].l);
		close(doors[i].fd);
	}
	for (size_t i = 0; i < COUNT(clients); i++)
		close(clients[i]);
	net_free(net);
	event_base_free(base);
}

static int
somebody_listens(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_INT(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	CHECK_INT(listen(fd, 1), 0);
	return fd;
}

/* Also of a port that the system has chosen. */
TEST(a_port_that_is_paused_refuses_and_goes_on)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);

	for (size_t n = 1; n <= 3; n++) {
		struct door doors[3];
		int fds[COUNT(doors)], client, other, accepted = 0;
		struct err err = ERR_INIT;
		uint16_t port = 0;
		char byte;

		CHECK(listener_bind("127.0.0.1", 0, 8, fds, n, &port, NULL));
		for (size_t i = 0; i < n; i++) {
			doors[i] = (struct door){ .fd = -1 };
			doors[i].l = listener_start(net, fds[i], on_door_accept,
				&doors[i]);
		}
		for (int round = 0; round < 3; round++) {
			/* one waits to be accepted */
			client = knock(AF_INET, port);
			CHECK(client != -1);
			for (size_t i = 0; i < n; i++) {
				listener_pause(doors[i].l);
				listener_pause(doors[i].l);
			}
			CHECK_INT(recv(client, &byte, 1, 0), -1);
			CHECK_INT(errno, ECONNRESET);
			close(client);
			CHECK_INT(knock(AF_INET, port), -1);
			for (size_t i = 0; i < n; i++)
				CHECK(listener_resume(doors[i].l, 8, &err));
			CHECK(listener_resume(doors[0].l, 4, &err));
			client = knock(AF_INET, port);
			CHECK(client != -1);
			for (; accepted <= round; accepted = doors[0].accepted +
				(n > 1 ? doors[1].accepted : 0) +
				(n > 2 ? doors[2].accepted : 0))
				CHECK_INT(event_base_loop(base, EVLOOP_ONCE),
					0);
			close(client);
		}
		/* somebody takes it meanwhile */
		for (size_t i = 0; i < n; i++)
			listener_pause(doors[i].l);
		other = somebody_listens(port);
		CHECK(!listener_resume(doors[0].l, 8, &err));
		CHECK(err.text[0] != '\0');
		close(other);
		for (size_t i = 0; i < n; i++) {
			listener_stop(doors[i].l);
			close(doors[i].fd);
		}
	}
	net_free(net);
	event_base_free(base);
}

/* Of the same user, and whoever came first: SO_REUSEPORT would let it in. */
TEST(a_port_in_use_is_refused_in_words)
{
	static const size_t counts[][2] = { { 1, 1 }, { 1, 4 }, { 4, 1 },
		{ 4, 4 } };

	for (size_t i = 0; i < COUNT(counts); i++) {
		struct err err = ERR_INIT;
		int ours[4], theirs[4];
		uint16_t port = 0, again;
		char text[16];

		CHECK(listener_bind("127.0.0.1", 0, 8, ours, counts[i][0],
			&port, NULL));
		CHECK(!listener_bind("127.0.0.1", port, 8, theirs, counts[i][1],
			&again, &err));
		CHECK_INT(err.code, ERR_CONFLICT);
		snprintf(text, sizeof(text), "port %u", port);
		CHECK(strstr(err.text, text) != NULL);
		CHECK(!listener_bind("*", port, 8, theirs, counts[i][1], &again,
			&err));
		for (size_t k = 0; k < counts[i][0]; k++)
			close(ours[k]);
		/* nobody has it any more */
		CHECK(listener_bind("127.0.0.1", port, 8, theirs, counts[i][1],
			&again, NULL));
		for (size_t k = 0; k < counts[i][1]; k++)
			close(theirs[k]);
	}
}

/* Somebody else may have the port at b alone: then another one is tried. */
static bool
is_in_the_way(const char *a, const char *b)
{
	uint16_t port, again;
	int ours, theirs;
	bool both;

	do {
		port = 0;
		CHECK(listener_bind(a, 0, 8, &ours, 1, &port, NULL));
		both = listener_bind(b, port, 8, &theirs, 1, &again, NULL);
		close(ours);
	} while (!both && !listener_bind(b, port, 8, &theirs, 1, &again, NULL));
	close(theirs);
	return !both;
}

TEST(addresses_collide_where_one_port_cannot_be_bound_at_both)
{
	static const char *const all[] = { "*", "localhost", "127.0.0.1",
		"127.0.0.2", "0.0.0.0", "::", "::1", "0:0::1" };

	for (size_t i = 0; i < COUNT(all) * COUNT(all); i++) {
		const char *a = all[i / COUNT(all)], *b = all[i % COUNT(all)];

		TEST_CASE(a);
		CHECK_INT(listener_collides(a, b), is_in_the_way(a, b));
	}
	CHECK(listener_collides("example.org", "example.org"));
	CHECK(!listener_collides("example.org", "*"));
}

TEST(what_cannot_be_bound_is_named)
{
	struct err err = ERR_INIT;
	uint16_t port = 7;
	int fd;

	CHECK(!listener_bind("example.org", 0, 8, &fd, 1, &port, &err));
	CHECK_INT(err.code, ERR_INVALID);
	CHECK(strstr(err.text, "example.org") != NULL);
	/* TEST-NET-1 (RFC 5737) is no address of this machine */
	CHECK(!listener_bind("192.0.2.1", 0, 8, &fd, 1, &port, &err));
	CHECK_INT(err.code, ERR_SYSTEM);
	CHECK(strstr(err.text, "192.0.2.1") != NULL);
	CHECK(strstr(err.text, "this machine has no such address") != NULL);
	CHECK_INT(port, 7);
}

TEST(a_listener_may_be_stopped_by_its_own_callback)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	struct door d = { .fd = -1, .stop = true };
	uint16_t port;
	int fd, a, b;

	CHECK(listener_bind("127.0.0.1", 0, 8, &fd, 1, &port, NULL));
	d.l = listener_start(net, fd, on_door_accept, &d);
	a = knock(AF_INET, port);
	b = knock(AF_INET, port);
	door_wait(base, &d, 1);
	CHECK_INT(d.accepted, 1);
	CHECK_INT(knock(AF_INET, port), -1);
	close(a);
	close(b);
	close(d.fd);
	net_free(net);
	event_base_free(base);
}

TEST(without_descriptors_accepting_rests_and_goes_on)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	struct door d = { .fd = -1 };
	struct rlimit before, none;
	uint16_t port;
	int fd, client;

	CHECK(listener_bind("127.0.0.1", 0, 8, &fd, 1, &port, NULL));
	d.l = listener_start(net, fd, on_door_accept, &d);
	client = knock(AF_INET, port);
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
	event_base_loop(base, EVLOOP_ONCE); /* fails: no descriptor */
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
	CHECK_INT(d.accepted, 0);
	door_wait(base, &d, 1); /* a second later */
	close(d.fd);
	close(client);
	listener_stop(d.l);
	net_free(net);
	event_base_free(base);
}

/* With a bound of n descriptors, for each n. */
TEST(the_last_descriptors_are_not_for_connections)
{
	static const int bounds[] = { 64, 100, 200, 500 };
	struct rlimit before, low;
	int clients[600], kept[600];

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		struct event_base *base = event_base_new();
		struct net *net = net_new(base);
		struct door d = { .fd = -1 };
		int reserve = bounds[i] / 4 < 32 ? bounds[i] / 4 : 32;
		uint16_t port;
		int fd, n = 0, k = 0;

		CHECK(listener_bind("127.0.0.1", 0, 600, &fd, 1, &port, NULL));
		d.l = listener_start(net, fd, on_door_accept, &d);
		low = before;
		low.rlim_cur = (rlim_t)bounds[i];
		CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
		/* what the process has open, up to the last but two */
		do
			kept[k++] = dup(fd);
		while (kept[k - 1] < bounds[i] - reserve - 3);
		clients[n] = knock(AF_INET, port);
		CHECK_INT(clients[n++], bounds[i] - reserve - 2);
		door_wait(base, &d, 1);
		CHECK_INT(d.fd, bounds[i] - reserve - 1);
		clients[n++] = knock(AF_INET, port);
		event_base_loop(base, EVLOOP_ONCE);
		CHECK_INT(d.accepted, 1);
		/* the administrator gets in */
		while ((clients[n] = dup(fd)) != -1)
			n++;
		CHECK_INT(n, 2 + reserve - 1);
		CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
		while (n > 0)
			close(clients[--n]);
		while (k > 0)
			close(kept[--k]);
		clients[0] = knock(AF_INET, port);
		door_wait(base, &d, 2); /* a second later */
		close(clients[0]);
		close(d.fd);
		listener_stop(d.l);
		net_free(net);
		event_base_free(base);
	}
}

TEST_MAIN
