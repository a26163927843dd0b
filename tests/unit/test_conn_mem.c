/*
 * test_conn_mem.c - connections in memory.
 */
#include "config.h"

#include "net/conn.h"

#include "base/buf.h"
#include "base/err.h"
#include "net/net.h"
#include "net/net_int.h"
#include "net_peer.h"
#include "test.h"

struct side {
	struct conn *c;
	struct buf in, out, lost;
	int closed, sink_closed, drained;
	bool broken, echo;
	char room[4];
	bool elsewhere; /* it wants it nowhere */
};

static void
on_side_data(void *arg, const char *p, size_t n)
{
	struct side *s = arg;

	buf_add(&s->in, p, n);
	if (s->echo)
		conn_write(s->c, p, n);
}

static void
on_side_closed(void *arg, const struct err *why)
{
	struct side *s = arg;

	s->closed++;
	s->broken = why != NULL;
}

static void
on_side_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

static const struct conn_events side_events = {
	.data = on_side_data,
	.drained = on_side_drained,
	.closed = on_side_closed,
};

static void
on_sink_write(void *arg, const char *p, size_t n)
{
	buf_add(&((struct side *)arg)->out, p, n);
}

static void
on_sink_lost(void *arg, const char *p, size_t n)
{
	buf_add(&((struct side *)arg)->lost, p, n);
}

static void
on_sink_closed(void *arg)
{
	((struct side *)arg)->sink_closed++;
}

static struct net *
side_open(struct side *s)
{
	struct net *net = net_new(NULL);
	struct conn_mem_sink sink = { on_sink_write, on_sink_closed, s };

	*s = (struct side){ .c = conn_new_mem(net, &sink) };
	conn_mem_tell_lost(s->c, on_sink_lost);
	conn_set_owner(s->c, &side_events, s);
	return net;
}

static void
side_done(struct side *s, struct net *net)
{
	if (!s->closed)
		conn_abort(s->c);
	net_free(net);
	buf_done(&s->in);
	buf_done(&s->out);
	buf_done(&s->lost);
}

TEST(what_is_written_leaves_at_the_end_of_the_turn)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_write(s.c, "one ", 4);
	buf_add_c(conn_out(s.c), "two");
	conn_wrote(s.c);
	CHECK_INT(s.out.n, 0);
	CHECK_INT(conn_queued(s.c), 7);
	CHECK(net_is_busy(net));
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "one two");
	CHECK_INT(conn_queued(s.c), 0);
	CHECK(!net_is_busy(net));
	side_done(&s, net);
}

TEST(what_is_fed_is_reported_at_once)
{
	struct side s;
	struct net *net = side_open(&s);

	s.echo = true;
	conn_mem_feed(s.c, "hello", 5);
	CHECK_STR(buf_str(&s.in), "hello");
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "hello");
	side_done(&s, net);
}

static char *
on_side_place(void *arg, size_t *n_out)
{
	struct side *s = arg;

	*n_out = sizeof(s->room);
	return s->elsewhere ? NULL : s->room;
}

static void
on_side_placed(void *arg, const char *p, size_t n)
{
	struct side *s = arg;

	CHECK(s->elsewhere || (p == s->room && n <= sizeof(s->room)));
	on_side_data(arg, p, n);
	s->elsewhere = s->in.n == 12;
	if (s->in.n == 8)
		conn_pause(s->c);
}

TEST(what_is_fed_is_put_where_the_owner_wants_it)
{
	static const struct conn_events placing = {
		.data = on_side_placed,
		.closed = on_side_closed,
		.place = on_side_place,
	};
	struct side s;
	struct net *net = side_open(&s);

	conn_set_owner(s.c, &placing, &s);
	conn_mem_feed(s.c, "abcdefghijklmnopqrst", 20);
	CHECK_STR(buf_str(&s.in), "abcdefgh");
	conn_mem_feed(s.c, "uv", 2);
	conn_resume(s.c);
	net_flush(net);
	CHECK_STR(buf_str(&s.in), "abcdefghijklmnopqrstuv");
	side_done(&s, net);
}

TEST(a_paused_owner_gets_everything_later_in_order)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_pause(s.c);
	conn_mem_feed(s.c, "one ", 4);
	conn_mem_feed(s.c, "two ", 4);
	net_flush(net);
	CHECK_INT(s.in.n, 0);
	conn_resume(s.c);
	conn_mem_feed(s.c, "three", 5);
	net_flush(net);
	CHECK_STR(buf_str(&s.in), "one two three");
	side_done(&s, net);
}

TEST(a_peer_may_take_as_much_as_he_likes)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_mem_take(s.c, 5);
	CHECK(conn_flush(s.c));
	conn_write(s.c, "0123", 4);
	CHECK(conn_flush(s.c));
	conn_write(s.c, "456789", 6);
	CHECK(!conn_flush(s.c));
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "01234");
	CHECK_INT(conn_queued(s.c), 5);
	CHECK_INT(conn_taken(s.c), 5);
	conn_mem_take(s.c, 4);
	net_flush(net);
	CHECK_INT(s.drained, 0);
	conn_write(s.c, "a", 1);
	conn_mem_take(s.c, SIZE_MAX);
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "0123456789a");
	CHECK_INT(s.drained, 1);
	CHECK_INT(conn_taken(s.c), 11);
	conn_write(s.c, "b", 1);
	net_flush(net);
	CHECK_INT(s.drained, 1);
	side_done(&s, net);
}

/* Of what was said last, only a part is kept. */
TEST(what_the_peer_has_taken_goes_on_behind_four_gib)
{
	struct side s;
	struct net *net = side_open(&s);

	s.c->given = UINT32_MAX - 1;
	CHECK_INT(conn_taken(s.c), UINT32_MAX - 1);
	for (int i = 0; i < 4; i++) {
		conn_write(s.c, "x", 1);
		net_flush(net);
		CHECK_INT(conn_taken(s.c), UINT32_MAX + (int64_t)i);
	}
	s.c->given += (uint64_t)3 << 32;
	CHECK_INT(conn_taken(s.c), (int64_t)UINT32_MAX + 3 + ((int64_t)3 << 32));
	side_done(&s, net);
}

/* A million of them wait for hours: what few need lies where it costs the others
 * nothing. */
TEST(a_connection_is_no_larger_than_it_has_to_be)
{
	CHECK(sizeof(struct conn) <= 344);
}

TEST(a_hangup_is_noticed_after_what_was_fed)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_pause(s.c);
	conn_mem_feed(s.c, "last words", 10);
	conn_mem_hangup(s.c);
	net_flush(net);
	CHECK_INT(s.closed, 0);
	conn_resume(s.c);
	net_flush(net);
	CHECK_STR(buf_str(&s.in), "last words");
	CHECK_INT(s.closed, 1);
	CHECK(s.broken);
	CHECK_INT(s.sink_closed, 0);
	side_done(&s, net);
}

/* Each byte that was written has gone to one of the two. */
TEST(what_a_broken_connection_has_not_sent_is_told)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_mem_take(s.c, 3);
	conn_write(s.c, "one two", 7);
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "one");
	CHECK_INT(s.lost.n, 0);
	conn_mem_hangup(s.c);
	net_flush(net);
	CHECK_INT(s.closed, 1);
	CHECK_STR(buf_str(&s.out), "one");
	CHECK_STR(buf_str(&s.lost), " two");
	side_done(&s, net);
}

TEST(what_is_written_before_a_hangup_is_noticed_is_lost)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_mem_hangup(s.c);
	conn_write(s.c, "three", 5);
	net_flush(net);
	CHECK_INT(s.out.n, 0);
	CHECK_STR(buf_str(&s.lost), "three");
	side_done(&s, net);
}

TEST(closing_writes_the_rest_and_tells_both_sides)
{
	struct side s;
	struct net *net = side_open(&s);

	conn_write(s.c, "bye", 3);
	conn_close(s.c, 1000000);
	conn_write(s.c, "too late", 8);
	conn_mem_feed(s.c, "not read", 8);
	CHECK_INT(s.closed, 0);
	net_flush(net);
	CHECK_STR(buf_str(&s.out), "bye");
	CHECK_INT(s.in.n, 0);
	CHECK_INT(s.closed, 1);
	CHECK_INT(s.sink_closed, 1);
	CHECK(!s.broken);
	CHECK_INT(net_count(net), 0);
	side_done(&s, net);
}

TEST(moving_to_another_net_loses_nothing)
{
	struct side s;
	struct net *net = side_open(&s);
	struct net *other = net_new(NULL);

	conn_write(s.c, "queued ", 7);
	conn_detach(s.c);
	CHECK_INT(net_count(net), 0);
	CHECK(!net_is_busy(net));
	conn_write(s.c, "between ", 8);
	conn_mem_feed(s.c, "one ", 4);
	conn_attach(s.c, other);
	conn_mem_feed(s.c, "two", 3);
	net_flush(other);
	CHECK_STR(buf_str(&s.in), "one two");
	CHECK_STR(buf_str(&s.out), "queued between ");
	side_done(&s, other);
	net_free(net);
}

TEST(it_has_no_address_to_limit_and_can_pretend_tls)
{
	struct side s;
	struct net *net = side_open(&s);

	CHECK_CSTR(conn_peer(s.c), "memory");
	CHECK_INT(conn_peer_key(s.c).n, 0);
	CHECK(conn_kind(s.c) == CONN_MEM);
	CHECK(!conn_is_secure(s.c));
	conn_mem_secure(s.c);
	CHECK(conn_is_secure(s.c));
	CHECK(conn_ssl(s.c) == NULL);
	side_done(&s, net);
}

/* Two connections that answer each other for ever. */
static void
on_sink_pong(void *arg, const char *p, size_t n)
{
	struct side *other = arg;

	conn_mem_feed(other->c, p, n);
}

TEST(a_flush_ends_although_two_connections_never_stop_talking)
{
	struct side a = { .echo = true }, b = { .echo = true };
	struct net *net = net_new(NULL);
	struct conn_mem_sink to_a = { on_sink_pong, NULL, &a };
	struct conn_mem_sink to_b = { on_sink_pong, NULL, &b };

	a.c = conn_new_mem(net, &to_b);
	b.c = conn_new_mem(net, &to_a);
	conn_set_owner(a.c, &side_events, &a);
	conn_set_owner(b.c, &side_events, &b);
	conn_write(a.c, "ping", 4);
	net_flush(net);
	CHECK(net_is_busy(net));
	conn_abort(a.c);
	conn_abort(b.c);
	net_free(net);
	buf_done(&a.in);
	buf_done(&b.in);
}

TEST_MAIN
