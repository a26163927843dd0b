/*
 * test_relay.c - two connections that are joined, by pipes and without.
 */
#include "config.h"

#include "net/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/mem.h"
#include "net_peer.h"
#include "test.h"

/* One side: the peer's socket, and our connection to it. */
struct side {
	int fd; /* -1: closed */
	struct seen seen;
	struct buf in; /* what the peer got */
	bool eof, reset;
	size_t moved; /* as it was told */
};

struct both {
	struct event_base *base;
	struct net *net;
	struct side a, b;
	size_t may;
	int asked;
};

static size_t
on_may(void *arg)
{
	struct both *t = arg;

	t->asked++;
	return t->may;
}

static void
on_moved(void *arg, struct conn *c, size_t n)
{
	struct both *t = arg;
	struct side *s = c == t->a.seen.c ? &t->a : &t->b;

	CHECK(n > 0 && n <= t->may);
	s->moved += n;
}

static const struct relay_events events = { on_may, on_moved };

static void
side_open(struct both *t, struct side *s, int small)
{
	struct sockaddr_in sa = { .sin_family = AF_INET }, peer;
	socklen_t n = sizeof(sa);
	int listening = socket(AF_INET, SOCK_STREAM, 0), fd;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (small > 0)
		setsockopt(listening, SOL_SOCKET, SO_SNDBUF, &small,
			sizeof(small));
	CHECK(bind(listening, (struct sockaddr *)&sa, n) == 0);
	CHECK(listen(listening, 1) == 0);
	CHECK(getsockname(listening, (struct sockaddr *)&sa, &n) == 0);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (small > 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	CHECK(connect(s->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	n = sizeof(peer);
	fd = accept4(listening, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK);
	CHECK(fd != -1);
	close(listening);
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	s->seen.c = conn_new_tcp(t->net, fd, (struct sockaddr *)&peer, n);
	conn_set_owner(s->seen.c, &seen_events, &s->seen);
}

static void
both_open(struct both *t, int small)
{
	*t = (struct both){ .may = SIZE_MAX, .base = event_base_new() };
	t->net = net_new(t->base);
	side_open(t, &t->a, small);
	side_open(t, &t->b, small);
}

static void
both_join(struct both *t)
{
	relay_join(t->a.seen.c, t->b.seen.c, &events, t);
}

static void
side_hear(struct side *s)
{
	char bytes[16384];
	ssize_t n = 0;

	while (s->fd != -1 && !s->eof && !s->reset &&
		(n = recv(s->fd, bytes, sizeof(bytes), 0)) > 0)
		buf_add(&s->in, bytes, (size_t)n);
	s->eof = s->eof || (s->fd != -1 && n == 0 && !s->reset);
	s->reset = s->reset || (n == -1 && errno == ECONNRESET);
}

static void
both_turn(struct both *t)
{
	event_base_loop(t->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(t->net);
}

#define UNTIL(t, expr)                                                         \
	do {                                                                   \
		for (int i_ = 0; i_ < 200000 && !(expr); i_++) {               \
			both_turn(t);                                          \
			side_hear(&(t)->a);                                    \
			side_hear(&(t)->b);                                    \
		}                                                              \
		CHECK(expr);                                                   \
	} while (0)

static void
side_done(struct side *s)
{
	if (s->seen.c != NULL && !s->seen.closed)
		conn_abort(s->seen.c);
	if (s->fd != -1)
		close(s->fd);
	buf_done(&s->in);
	buf_done(&s->seen.in);
}

static void
both_done(struct both *t)
{
	side_done(&t->a);
	side_done(&t->b);
	net_flush(t->net);
	CHECK_INT(relay_pipes_lent(t->net), 0);
	net_free(t->net);
	event_base_free(t->base);
}

static void
side_close(struct side *s)
{
	close(s->fd);
	s->fd = -1;
}

/* With pipes, and without. */
static void
each_way(void (*fn)(struct both *t), int small)
{
	struct both t;

	both_open(&t, small);
	fn(&t);
	both_done(&t);
	both_open(&t, small);
	relay_use_pipes(t.net, 0);
	fn(&t);
	both_done(&t);
}

/* --- bytes ------------------------------------------------------------------ */

static void
talk(struct both *t)
{
	both_join(t);
	CHECK(send(t->a.fd, "question", 8, 0) == 8);
	UNTIL(t, t->b.in.n == 8);
	CHECK(send(t->b.fd, "answer", 6, 0) == 6);
	UNTIL(t, t->a.in.n == 6);
	CHECK_STR(buf_str(&t->b.in), "question");
	CHECK_STR(buf_str(&t->a.in), "answer");
	CHECK_INT(t->a.moved, 8);
	CHECK_INT(t->b.moved, 6);
	CHECK_INT(t->a.seen.in.n, 0);
	CHECK_INT(relay_pipes_lent(t->net), 0);
}

TEST(what_one_says_the_other_hears)
{
	each_way(talk, 0);
}

/* Says of text what is not said yet. */
static void
say_on(struct side *s, const char *text, size_t *at)
{
	ssize_t n = *at < BIG ? send(s->fd, text + *at, BIG - *at, 0) : 0;

	*at += n > 0 ? (size_t)n : 0;
}

static void
talk_much(struct both *t)
{
	char *text = big_text();
	size_t from_a = 0, from_b = 0;

	both_join(t);
	for (int i = 0; i < 200000 && (t->a.in.n < BIG || t->b.in.n < BIG);
		i++) {
		say_on(&t->a, text, &from_a);
		say_on(&t->b, text, &from_b);
		both_turn(t);
		/* one of them reads in fits and starts */
		side_hear(&t->a);
		if (i % 7 == 0)
			side_hear(&t->b);
	}
	free(text);
	check_big(&t->a.in);
	check_big(&t->b.in);
	CHECK_INT(t->a.moved, BIG);
	CHECK_INT(t->b.moved, BIG);
	CHECK_INT(t->a.seen.drained + t->b.seen.drained, 0);
}

TEST(much_goes_both_ways_in_order)
{
	each_way(talk_much, 8192);
	each_way(talk_much, 0);
}

/* --- what the system answers, at random: linked in front of it by --wrap -------- */

static bool faulty;
static unsigned draws, failed;

static bool
fails(unsigned one_in)
{
	draws = draws * 1103515245 + 12345;
	if (!faulty || (draws >> 16) % one_in != 0)
		return false;
	failed++;
	return true;
}

ssize_t __real_splice(int from, off_t *from_at, int to, off_t *to_at, size_t n,
	unsigned flags);
ssize_t __wrap_splice(int from, off_t *from_at, int to, off_t *to_at, size_t n,
	unsigned flags);
ssize_t
__wrap_splice(int from, off_t *from_at, int to, off_t *to_at, size_t n,
	unsigned flags)
{
	struct stat st;

	if (fails(4)) {
		errno = EINTR;
	} else if (fails(4)) {
		errno = EAGAIN;
	} else if (fails(8) && fstat(to, &st) == 0 && S_ISFIFO(st.st_mode)) {
		errno = EINVAL; /* from such a socket it cannot */
	} else {
		if (n > 1 && fails(2))
			n = 1 + draws % (n - 1);
		return __real_splice(from, from_at, to, to_at, n, flags);
	}
	return -1;
}

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
int
__wrap_pipe2(int fds[2], int flags)
{
	if (!fails(2))
		return __real_pipe2(fds, flags);
	errno = EMFILE;
	return -1;
}

TEST(much_goes_both_ways_whatever_the_system_answers)
{
	for (draws = 1; draws < 12; draws++) {
		unsigned seed = draws;

		faulty = true;
		each_way(talk_much, draws % 2 == 0 ? 8192 : 0);
		faulty = false;
		draws = seed;
	}
	CHECK(failed > 1000);
}

static void
written_before(struct both *t)
{
	char *text = big_text();

	conn_write(t->b.seen.c, text, BIG);
	both_join(t);
	CHECK(send(t->a.fd, "behind", 6, 0) == 6);
	CHECK(shutdown(t->a.fd, SHUT_WR) == 0);
	UNTIL(t, t->b.eof);
	CHECK_INT(t->b.in.n, BIG + 6);
	CHECK(memcmp(t->b.in.p + BIG, "behind", 6) == 0);
	t->b.in.n = BIG;
	check_big(&t->b.in);
	free(text);
}

TEST(what_was_written_before_goes_first)
{
	each_way(written_before, 8192);
}

TEST(a_pipe_is_lent_while_bytes_are_in_it)
{
	struct both t;
	char *text = big_text();
	size_t at = 0;

	both_open(&t, 8192);
	both_join(&t);
	for (int i = 0; i < 1000; i++) {
		say_on(&t.a, text, &at);
		both_turn(&t);
	}
	free(text);
	CHECK_INT(relay_pipes_lent(t.net), 1);
	UNTIL(&t, t.b.in.n == at);
	CHECK_INT(relay_pipes_lent(t.net), 0);
	both_done(&t);
}

/* --- bounds ----------------------------------------------------------------- */

static void
hold(struct both *t)
{
	t->may = 3;
	both_join(t);
	CHECK(send(t->a.fd, "0123456789", 10, 0) == 10);
	UNTIL(t, t->b.in.n == 10);
	t->may = 0;
	CHECK(send(t->a.fd, "more", 4, 0) == 4);
	for (int i = 0; i < 100; i++)
		both_turn(t);
	CHECK_INT(t->a.moved, 10);
	t->asked = 0;
	for (int i = 0; i < 100; i++)
		both_turn(t);
	CHECK_INT(t->asked, 0); /* it waits, and does not ask again */
	t->may = 100;
	relay_go_on(t->b.seen.c);
	UNTIL(t, t->b.in.n == 14);
}

TEST(no_more_is_taken_than_may_be)
{
	each_way(hold, 0);
}

/* --- the end ---------------------------------------------------------------- */

static void
half_close(struct both *t)
{
	both_join(t);
	CHECK(send(t->a.fd, "all", 3, 0) == 3);
	CHECK(shutdown(t->a.fd, SHUT_WR) == 0);
	UNTIL(t, t->b.eof);
	CHECK_STR(buf_str(&t->b.in), "all");
	CHECK(!t->a.eof && !t->a.seen.closed && !t->b.seen.closed);
	CHECK(send(t->b.fd, "thanks", 6, 0) == 6);
	UNTIL(t, t->a.in.n == 6);
	side_close(&t->b);
	UNTIL(t, t->a.eof);
	CHECK_INT(t->a.seen.closed, 1);
	CHECK_INT(t->b.seen.closed, 1);
	CHECK(!t->a.seen.broken && !t->b.seen.broken && !t->a.reset);
}

TEST(one_may_say_all_and_still_listen)
{
	each_way(half_close, 0);
}

static void
end_behind_much(struct both *t)
{
	char *text = big_text();
	size_t at = 0;

	both_join(t);
	while (at < BIG) {
		say_on(&t->a, text, &at);
		both_turn(t);
		if (t->b.in.n < BIG / 2)
			side_hear(&t->b);
		else if (t->a.moved < BIG / 2 + 1)
			break;
		side_hear(&t->b);
	}
	side_close(&t->a);
	UNTIL(t, t->b.eof || t->b.reset);
	free(text);
	CHECK(t->b.eof && !t->b.reset);
	check_big(&t->b.in);
}

TEST(the_end_comes_behind_all_that_was_said)
{
	each_way(end_behind_much, 8192);
}

static void
broken(struct both *t)
{
	struct linger none = { .l_onoff = 1 };

	both_join(t);
	CHECK(send(t->a.fd, "part", 4, 0) == 4);
	UNTIL(t, t->b.in.n == 4);
	setsockopt(t->a.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	side_close(&t->a);
	UNTIL(t, t->b.reset);
	CHECK(t->a.seen.closed == 1 && t->a.seen.broken);
	CHECK_INT(t->a.seen.why.code, ERR_CLOSED);
	CHECK(t->b.seen.closed == 1 && !t->b.seen.broken);
	CHECK(!t->b.eof);
}

TEST(who_breaks_resets_the_other)
{
	each_way(broken, 0);
}

/* b takes nothing, and goes while bytes wait for it. */
static void
broken_full(struct both *t)
{
	char *text = big_text();
	size_t at = 0;

	both_join(t);
	for (int i = 0; i < 1000; i++) {
		say_on(&t->a, text, &at);
		both_turn(t);
	}
	free(text);
	side_close(&t->b); /* with bytes unread: that is a reset */
	UNTIL(t, t->a.reset);
	CHECK(t->a.seen.closed == 1 && t->b.seen.closed == 1);
	CHECK_INT(relay_pipes_lent(t->net), 0);
}

TEST(who_goes_while_bytes_wait_resets_the_other)
{
	each_way(broken_full, 8192);
}

static void
closed_by_us(struct both *t)
{
	both_join(t);
	conn_close(t->b.seen.c, 5000000);
	UNTIL(t, t->a.reset && t->b.reset);
	CHECK(t->a.seen.closed == 1 && t->b.seen.closed == 1);
}

TEST(closing_one_resets_both)
{
	each_way(closed_by_us, 0);
}

TEST_MAIN
