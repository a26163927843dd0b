/*
 * test_conn_states.c - where the states of a connection meet: its end, its TLS
 * and what the kernel takes, as net_int.h draws them.
 */
#include "config.h"

#include "net/conn.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net_peer.h"
#include "test.h"

#define LINGER INT64_C(5000000)

static void
fill(struct pair *p)
{
	char *text = big_text();

	conn_write(p->server.c, text, BIG);
	free(text);
	CHECK(!conn_flush(p->server.c));
}

/* --- refused, and then ... ------------------------------------------------- */

TEST(what_was_refused_before_tls_drains_after_the_handshake)
{
	struct tls_both t;
	struct pair p;
	struct err err = ERR_INIT;

	tls_both_init(&t);
	pair_init_small(&p);
	fill(&p);
	CHECK(conn_start_tls(
		p.server.c, t.set, STR("example.org"), STR_NONE, false, &err));
	conn_write(p.server.c, "secret", 6);
	PAIR_UNTIL(&p, p.in.n == BIG);
	CHECK_INT(p.server.drained, 0);
	check_big(&p.in);
	p.in.n = 0;
	p.ssl = SSL_new(t.client);
	SSL_set_fd(p.ssl, p.fd);
	SSL_set_connect_state(p.ssl);
	PAIR_UNTIL(&p, p.in.n == 6);
	PAIR_UNTIL(&p, p.server.drained == 1);
	pair_done(&p);
	tls_both_done(&t);
}

static void
drain_elsewhere(struct pair *p)
{
	struct net *net = net_new(p->base);

	fill(p);
	conn_detach(p->server.c);
	conn_attach(p->server.c, net);
	for (int i = 0; i < 200000 && p->server.drained == 0; i++) {
		net_flush(net);
		pair_turn(p);
	}
	CHECK_INT(p->server.drained, 1);
	CHECK_INT(conn_queued(p->server.c), 0);
	PAIR_UNTIL(p, p->in.n == BIG);
	conn_abort(p->server.c);
	net_free(net);
}

TEST(what_was_refused_drains_on_the_loop_where_the_connection_is_then)
{
	with_and_without_tls(drain_elsewhere, true);
}

static void
close_refused(struct pair *p)
{
	fill(p);
	conn_close(p->server.c, LINGER);
	CHECK(!conn_flush(p->server.c));
	PAIR_UNTIL(p, p->client_eof);
	check_big(&p->in);
	CHECK_INT(p->server.drained, 0);
	close(p->fd);
	p->fd = -1;
	PAIR_UNTIL(p, p->server.closed);
	CHECK(!p->server.broken);
}

TEST(who_has_closed_is_not_told_that_it_drained)
{
	with_and_without_tls(close_refused, true);
}

/* --- the end, and then ... ------------------------------------------------ */

static void
abort_shut(struct pair *p)
{
	conn_close(p->server.c, LINGER);
	PAIR_UNTIL(p, p->client_eof);
	CHECK_INT(p->server.closed, 0);
	conn_abort(p->server.c);
	net_flush(p->net);
	CHECK_INT(p->server.closed, 1);
	CHECK(!p->server.broken);
}

TEST(one_that_waits_for_its_peer_can_be_aborted)
{
	with_and_without_tls(abort_shut, false);
}

static void
reset_while_closing(struct pair *p)
{
	struct linger hard = { .l_onoff = 1 };

	fill(p);
	conn_close(p->server.c, LINGER);
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p->fd);
	p->fd = -1;
	PAIR_UNTIL(p, p->server.closed);
	CHECK(!p->server.broken);
}

TEST(a_reset_while_closing_is_no_news)
{
	with_and_without_tls(reset_while_closing, true);
}

static void
on_last_call(void *arg, const struct err *why)
{
	struct seen *seen = arg;

	(void)why;
	conn_write(seen->c, "too late", 8);
	buf_add(conn_out(seen->c), "too late", 8);
	conn_wrote(seen->c);
	conn_resume(seen->c);
	conn_close(seen->c, LINGER);
	conn_abort(seen->c);
	seen->closed++;
}

static const struct conn_events last_events = { .closed = on_last_call };

TEST(the_last_call_can_neither_write_nor_close_again)
{
	struct pair p;

	pair_init(&p);
	conn_set_owner(p.server.c, &last_events, &p.server);
	conn_pause(p.server.c);
	conn_abort(p.server.c);
	net_flush(p.net);
	CHECK_INT(p.server.closed, 1);
	CHECK_INT(net_count(p.net), 0);
	CHECK(!net_is_busy(p.net));
	PAIR_UNTIL(&p, p.client_eof || p.client_broken);
	CHECK_INT(p.in.n, 0);
	pair_done(&p);
}

/* --- a handshake, and then ... -------------------------------------------- */

static void
tls_begin(struct pair *p, struct tls_both *t)
{
	struct err err = ERR_INIT;

	tls_both_init(t);
	pair_init(p);
	conn_write(p->server.c, "<proceed/>", 10);
	CHECK(conn_start_tls(
		p->server.c, t->set, STR("example.org"), STR_NONE, false, &err));
	conn_write(p->server.c, "secret", 6);
}

TEST(closing_during_a_handshake_writes_what_precedes_it_alone)
{
	struct tls_both t;
	struct pair p;

	tls_begin(&p, &t);
	conn_close(p.server.c, LINGER);
	PAIR_UNTIL(&p, p.client_eof);
	CHECK_STR(buf_str(&p.in), "<proceed/>");
	close(p.fd);
	p.fd = -1;
	PAIR_UNTIL(&p, p.server.closed);
	CHECK(!p.server.broken);
	CHECK_INT(p.server.secured, 0);
	pair_done(&p);
	tls_both_done(&t);
}

TEST(a_handshake_that_failed_leaves_nothing_secure)
{
	struct tls_both t;
	struct pair p;

	tls_begin(&p, &t);
	PAIR_UNTIL(&p, p.in.n == 10);
	pair_say(&p, "this is no hello of TLS", 23);
	while (!net_is_busy(p.net))
		event_base_loop(p.base, EVLOOP_ONCE);
	CHECK_INT(p.server.closed, 0);
	CHECK(!conn_is_secure(p.server.c));
	CHECK_INT(conn_queued(p.server.c), 6);
	PAIR_UNTIL(&p, p.server.closed);
	CHECK_INT(p.server.why.code, ERR_TLS);
	CHECK_INT(p.server.secured, 0);
	pair_done(&p);
	tls_both_done(&t);
}

/* --- paused, and then ... ------------------------------------------------- */

static void
close_paused(struct pair *p)
{
	conn_pause(p->server.c);
	pair_say(p, "nobody reads", 12);
	conn_close(p->server.c, LINGER);
	conn_resume(p->server.c);
	PAIR_UNTIL(p, p->client_eof);
	CHECK_INT(p->server.in.n, 0);
	close(p->fd);
	p->fd = -1;
	PAIR_UNTIL(p, p->server.closed);
}

TEST(one_that_is_paused_closes_all_the_same)
{
	with_and_without_tls(close_paused, false);
}

TEST_MAIN
