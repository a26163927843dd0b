/*
 * test_conn.c - connections over sockets, in the clear and under TLS.
 */
#include "config.h"

#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_peer.h"
#include "test.h"

#define LINGER INT64_C(5000000)

/* --- bytes ---------------------------------------------------------------- */

static void
echo_once(struct seen *seen)
{
	conn_write(seen->c, "echo", 4);
}

static void
say_and_hear(struct pair *p)
{
	p->server.on_data = echo_once;
	pair_say(p, "hello", 5);
	PAIR_UNTIL(p, p->in.n == 4);
	CHECK_STR(buf_str(&p->server.in), "hello");
	CHECK_STR(buf_str(&p->in), "echo");
	CHECK_INT(conn_queued(p->server.c), 0);
	CHECK_INT(p->server.drained, 0);
}

TEST(bytes_go_both_ways)
{
	with_and_without_tls(say_and_hear, false);
}

static void
write_big(struct pair *p)
{
	char *text = big_text();

	conn_write(p->server.c, text, BIG);
	free(text);
	event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(p->net);
	CHECK(conn_queued(p->server.c) > 0);
	CHECK_INT(p->server.drained, 0);
	conn_write(p->server.c, "", 0);
	PAIR_UNTIL(p, p->in.n >= BIG);
	PAIR_UNTIL(p, p->server.drained > 0);
	CHECK_INT(p->server.drained, 1);
	check_big(&p->in);
}

TEST(more_than_the_kernel_takes_arrives_and_drains)
{
	with_and_without_tls(write_big, true);
}

/* In the middle of a turn, as often as one likes. */
static void
flush_early(struct pair *p)
{
	struct conn *c = p->server.c;
	char *text = big_text();
	bool refused = false;
	size_t before = conn_queued(c);

	CHECK_INT(before, 0);
	CHECK(conn_flush(c));
	conn_write(c, text, 1000);
	CHECK(conn_flush(c));
	CHECK_INT(conn_queued(c), 0);
	for (size_t at = 1000; at < BIG;) {
		size_t n = MIN(BIG - at, 40001);

		conn_write(c, text + at, n);
		at += n;
		refused = !conn_flush(c) || refused;
		CHECK(refused || conn_queued(c) == 0);
	}
	free(text);
	CHECK(refused);
	CHECK(conn_taken(c) < BIG);
	PAIR_UNTIL(p, p->server.drained > 0);
	PAIR_UNTIL(p, p->in.n >= BIG);
	PAIR_UNTIL(p, conn_taken(c) >= BIG);
	check_big(&p->in);
}

TEST(what_is_queued_can_leave_before_the_end_of_the_turn)
{
	with_and_without_tls(flush_early, true);
}

/* Whoever measures progress would take less for very much more. */
static void
taken_grows(struct pair *p)
{
	struct conn *c = p->server.c;
	char *text = big_text();
	uint64_t before = conn_taken(c), given = before;

	for (size_t at = 0; at < BIG;) {
		size_t n = MIN(BIG - at, 4001);

		conn_write(c, text + at, n);
		given += n;
		(void)conn_flush(c);
		CHECK(conn_taken(c) >= before);
		before = conn_taken(c);
		CHECK(before + conn_untaken(c) >= given);
		at += n;
	}
	free(text);
	PAIR_UNTIL(p, p->in.n >= BIG);
	PAIR_UNTIL(p, conn_taken(c) == given && conn_untaken(c) == 0);
}

TEST(what_the_peer_has_taken_never_becomes_less)
{
	with_and_without_tls(taken_grows, false);
}

/* Writing on while the kernel is full must neither reorder nor confuse TLS. */
static void
write_while_blocked(struct pair *p)
{
	char *text = big_text();
	size_t at = 0;

	while (at < BIG) {
		size_t n = MIN(BIG - at, 40001);

		conn_write(p->server.c, text + at, n);
		at += n;
		event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		net_flush(p->net);
	}
	free(text);
	PAIR_UNTIL(p, p->in.n >= BIG);
	check_big(&p->in);
}

TEST(writing_on_while_blocked_keeps_the_order)
{
	with_and_without_tls(write_while_blocked, true);
}

static void
read_big(struct pair *p)
{
	char *text = big_text();

	pair_say(p, text, BIG);
	free(text);
	PAIR_UNTIL(p, p->server.in.n >= BIG);
	check_big(&p->server.in);
}

TEST(much_input_arrives_in_order)
{
	with_and_without_tls(read_big, false);
}

/* --- where its owner wants it ------------------------------------------------ */

/* Every other time a place of its own, which has not room for all. */
static struct placed {
	char place[3000];
	bool is_asked, is_given;
	size_t n_placed, n_elsewhere;
	struct buf in;
} placed;

static char *
on_place(void *arg, size_t *n_out)
{
	(void)arg;
	placed.is_asked = true;
	if (!placed.is_given)
		return NULL;
	*n_out = sizeof(placed.place);
	return placed.place;
}

static void
on_placed(void *arg, const char *p, size_t n)
{
	(void)arg;
	CHECK(placed.is_asked);
	CHECK_INT(p == placed.place, placed.is_given);
	CHECK(!placed.is_given || n <= sizeof(placed.place));
	*(placed.is_given ? &placed.n_placed : &placed.n_elsewhere) += n;
	buf_add(&placed.in, p, n);
	placed.is_given = !placed.is_given;
	placed.is_asked = false;
}

static void
read_placed(struct pair *p)
{
	struct conn_events events = seen_events;
	char *text = big_text();

	placed = (struct placed){ .is_given = true };
	events.place = on_place;
	events.data = on_placed;
	conn_set_owner(p->server.c, &events, &p->server);
	pair_say(p, text, BIG);
	free(text);
	PAIR_UNTIL(p, placed.in.n >= BIG);
	check_big(&placed.in);
	CHECK(placed.n_placed > 0 && placed.n_elsewhere > 0);
	buf_done(&placed.in);
	conn_set_owner(p->server.c, &seen_events, &p->server);
}

TEST(what_comes_is_put_where_its_owner_wants_it)
{
	with_and_without_tls(read_placed, false);
}

static void
pause_once(struct seen *seen)
{
	conn_pause(seen->c);
}

static void
pause_and_resume(struct pair *p)
{
	size_t before;

	p->server.on_data = pause_once;
	for (int i = 0; i < 10; i++)
		pair_say(p, "0123456789", 10);
	PAIR_UNTIL(p, p->server.in.n > 0);
	before = p->server.in.n;
	pair_say(p, "more", 4);
	shutdown(p->fd, SHUT_WR);
	for (int i = 0; i < 50; i++)
		pair_turn(p);
	CHECK_INT(p->server.in.n, before);
	CHECK_INT(p->server.closed, 0);
	conn_resume(p->server.c);
	PAIR_UNTIL(p, p->server.closed);
	CHECK_INT(p->server.in.n, 104);
	CHECK(p->server.broken);
	CHECK_INT(p->server.why.code, ERR_CLOSED);
}

TEST(a_paused_connection_reads_nothing_and_goes_on_later)
{
	with_and_without_tls(pause_and_resume, false);
}

TEST(bytes_before_tls_leave_in_the_clear_and_later_ones_do_not)
{
	struct tls_both t;
	struct pair p;
	struct err err = ERR_INIT;

	tls_both_init(&t);
	pair_init(&p);
	conn_write(p.server.c, "<proceed/>", 10);
	CHECK(conn_start_tls(
		p.server.c, t.set, STR("example.org"), STR_NONE, false, &err));
	conn_write(p.server.c, "secret", 6);
	PAIR_UNTIL(&p, p.in.n >= 10);
	for (int i = 0; i < 20; i++)
		pair_turn(&p);
	CHECK_STR(buf_str(&p.in), "<proceed/>");
	p.in.n = 0;
	p.ssl = SSL_new(t.client);
	SSL_set_fd(p.ssl, p.fd);
	SSL_set_connect_state(p.ssl);
	PAIR_UNTIL(&p, p.in.n > 0);
	CHECK_STR(buf_str(&p.in), "secret");
	CHECK(conn_is_secure(p.server.c));
	pair_done(&p);
	tls_both_done(&t);
}

/* --- the end -------------------------------------------------------------- */

static void
close_politely(struct pair *p)
{
	conn_write(p->server.c, "bye", 3);
	conn_close(p->server.c, LINGER);
	conn_close(p->server.c, 0);
	conn_write(p->server.c, "dropped", 7);
	PAIR_UNTIL(p, p->client_eof);
	CHECK_STR(buf_str(&p->in), "bye");
	CHECK_INT(p->server.closed, 0);
	pair_say(p, "nobody listens", 14);
	for (int i = 0; i < 20; i++)
		pair_turn(p);
	CHECK_INT(p->server.in.n, 0);
	close(p->fd);
	p->fd = -1;
	PAIR_UNTIL(p, p->server.closed);
	CHECK(!p->server.broken);
	CHECK_INT(net_count(p->net), 0);
}

TEST(closing_writes_the_rest_says_goodbye_and_waits_for_the_peer)
{
	with_and_without_tls(close_politely, false);
}

static void
close_big(struct pair *p)
{
	char *text = big_text();

	conn_write(p->server.c, text, BIG);
	free(text);
	conn_close(p->server.c, LINGER);
	PAIR_UNTIL(p, p->client_eof);
	check_big(&p->in);
	CHECK(!p->client_broken);
}

TEST(closing_writes_what_the_kernel_did_not_take_at_once)
{
	with_and_without_tls(close_big, true);
}

static void
linger_runs_out(struct pair *p)
{
	char *text = big_text();

	conn_write(p->server.c, text, BIG);
	free(text);
	conn_close(p->server.c, 20000);
	net_flush(p->net);
	while (!p->server.closed) { /* the peer neither reads nor closes */
		event_base_loop(p->base, EVLOOP_ONCE);
		net_flush(p->net);
	}
	CHECK(!p->server.broken);
}

TEST(a_peer_who_does_not_read_is_cut_when_linger_runs_out)
{
	with_and_without_tls(linger_runs_out, true);
}

static void
abort_now(struct pair *p)
{
	conn_abort(p->server.c);
	conn_abort(p->server.c);
	CHECK_INT(p->server.closed, 0);
	net_flush(p->net);
	CHECK_INT(p->server.closed, 1);
	CHECK(!p->server.broken);
	CHECK_INT(net_count(p->net), 0);
	PAIR_UNTIL(p, p->client_eof || p->client_broken);
}

TEST(an_aborted_connection_is_gone_at_the_end_of_the_turn)
{
	with_and_without_tls(abort_now, false);
}

static void
reset(struct pair *p)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p->fd);
	p->fd = -1;
	conn_write(p->server.c, "to nobody", 9);
	PAIR_UNTIL(p, p->server.closed);
	CHECK(p->server.broken);
	CHECK_INT(p->server.why.code, ERR_CLOSED);
	CHECK(strlen(p->server.why.text) > 0);
}

TEST(a_reset_by_the_peer_is_reported_with_its_reason)
{
	with_and_without_tls(reset, false);
}

static void
close_in_data(struct seen *seen)
{
	conn_write(seen->c, "done", 4);
	conn_close(seen->c, LINGER);
}

static void
answer_to_half_close(struct pair *p)
{
	p->server.on_data = close_in_data;
	pair_say(p, "last", 4);
	shutdown(p->fd, SHUT_WR);
	PAIR_UNTIL(p, p->server.closed && p->client_eof);
	CHECK_STR(buf_str(&p->in), "done");
	CHECK(!p->server.broken);
}

TEST(an_answer_still_reaches_a_peer_who_has_said_all)
{
	with_and_without_tls(answer_to_half_close, false);
}

TEST(lingering_connections_are_cut_with_their_net)
{
	struct pair p;

	pair_init(&p);
	conn_close(p.server.c, LINGER);
	pair_turn(&p);
	CHECK_INT(p.server.closed, 0);
	net_free(p.net);
	CHECK_INT(p.server.closed, 1);
	p.net = net_new(p.base);
	pair_done(&p);
}

/* --- moving --------------------------------------------------------------- */

static void
detach_once(struct seen *seen)
{
	conn_detach(seen->c);
}

/* The connection moves in the middle of its input, with output queued. */
static void
move_in_data(struct pair *p)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	char *text = big_text();

	conn_write(p->server.c, "before ", 7);
	p->server.on_data = detach_once;
	pair_say(p, text, 100000);
	PAIR_UNTIL(p, net_count(p->net) == 0);
	CHECK(p->server.in.n < 100000);
	conn_attach(p->server.c, net);
	conn_write(p->server.c, "after", 5);
	for (int i = 0; i < 20000 && p->server.in.n < 100000; i++) {
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		net_flush(net);
	}
	CHECK_INT(p->server.in.n, 100000);
	CHECK(memcmp(p->server.in.p, text, 100000) == 0);
	free(text);
	PAIR_UNTIL(p, p->in.n == 12);
	CHECK_STR(buf_str(&p->in), "before after");
	conn_abort(p->server.c);
	net_free(net);
	event_base_free(base);
	p->server.c = NULL;
}

TEST(a_connection_moves_with_input_in_flight)
{
	with_and_without_tls(move_in_data, false);
}

/* The kernel was full when it left; the rest goes out from the new loop. */
static void
move_while_blocked(struct pair *p)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	char *text = big_text();

	conn_write(p->server.c, text, BIG);
	free(text);
	pair_turn(p);
	CHECK(conn_queued(p->server.c) > 0);
	conn_detach(p->server.c);
	conn_attach(p->server.c, net);
	for (int i = 0; i < 200000 && p->in.n < BIG; i++) {
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		net_flush(net);
		pair_hear(p);
	}
	check_big(&p->in);
	conn_abort(p->server.c);
	net_free(net);
	event_base_free(base);
	p->server.c = NULL;
}

TEST(a_connection_moves_with_output_that_the_kernel_refused)
{
	with_and_without_tls(move_while_blocked, true);
}

/* One byte under TLS 1.3: header, byte, type and tag. */
#define RECORD_BYTES (5 + 1 + 1 + 16)

/* Until n bytes lie in the socket. */
static void
wait_for_input(int fd, int n)
{
	int there = 0;

	for (int i = 0; i < 1000000 && there < n; i++)
		CHECK_INT(ioctl(fd, FIONREAD, &there), 0);
	CHECK(there >= n);
}

/* Small records, of which one read takes many from the socket: what TLS holds
 * then must come without any further byte from the peer. */
TEST(records_that_tls_holds_already_are_reported_on_the_new_loop)
{
	struct event_base *base = event_base_new();
	struct net *net = net_new(base);
	struct tls_both t;
	struct pair p;

	tls_both_init(&t);
	pair_init(&p);
	pair_tls(&p, t.set, t.client, "example.org", NULL);
	PAIR_UNTIL(&p, p.server.secured && SSL_is_init_finished(p.ssl));
	p.server.on_data = detach_once;
	for (int i = 0; i < 10; i++)
		CHECK_INT(SSL_write(p.ssl, "x", 1), 1);
	wait_for_input(SSL_get_fd(conn_ssl(p.server.c)), 10 * RECORD_BYTES);
	PAIR_UNTIL(&p, net_count(p.net) == 0);
	CHECK_INT(p.server.in.n, 1);
	conn_attach(p.server.c, net);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	CHECK(p.server.in.n > 1);
	for (int i = 0; i < 100 && p.server.in.n < 10; i++) {
		net_flush(net);
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	CHECK_STR(buf_str(&p.server.in), "xxxxxxxxxx");
	conn_abort(p.server.c);
	net_free(net);
	event_base_free(base);
	pair_done(&p);
	tls_both_done(&t);
}

TEST(a_connection_that_broke_in_this_turn_can_still_move)
{
	struct pair p;
	struct net *net;

	pair_init(&p);
	net = net_new(p.base);
	close(p.fd);
	p.fd = -1;
	for (int i = 0; i < 20000 && !net_is_busy(p.net); i++)
		event_base_loop(p.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	conn_detach(p.server.c);
	conn_attach(p.server.c, net);
	CHECK_INT(p.server.closed, 0);
	net_flush(net);
	CHECK_INT(p.server.closed, 1);
	CHECK_INT(p.server.why.code, ERR_CLOSED);
	net_free(net);
	pair_done(&p);
}

/* --- asking --------------------------------------------------------------- */

static const struct {
	const char *address;
	const char *text;
	size_t n_key;
	unsigned char key[8];
} peer_cases[] = {
	{ "192.0.2.1", "192.0.2.1:40000", 4, { 192, 0, 2, 1 } },
	{ "::ffff:192.0.2.1", "192.0.2.1:40000", 4, { 192, 0, 2, 1 } },
	{ "2001:db8::1", "[2001:db8::1]:40000", 8,
		{ 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0 } },
};

static unsigned
peer_sockaddr(const char *address, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(40000);
		return sizeof(*in);
	}
	CHECK_INT(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(40000);
	return sizeof(*in6);
}

TEST(the_peers_address_is_shown_and_counted_by_network)
{
	struct pair p;

	pair_init(&p);
	for (size_t i = 0; i < COUNT(peer_cases); i++) {
		struct sockaddr_storage sa;
		unsigned n = peer_sockaddr(peer_cases[i].address, &sa);
		struct conn *c;

		TEST_CASE(peer_cases[i].address);
		c = conn_new_tcp(p.net, dup(p.fd), (struct sockaddr *)&sa, n);
		CHECK_CSTR(conn_peer(c), peer_cases[i].text);
		CHECK_INT(conn_peer_key(c).n, peer_cases[i].n_key);
		CHECK(memcmp(conn_peer_key(c).p, peer_cases[i].key,
			      peer_cases[i].n_key) == 0);
		conn_abort(c);
	}
	net_flush(p.net);
	pair_done(&p);
}

TEST_MAIN
