/*
 * test_conn_proxy.c - a connection that a proxy has opened, cut anywhere: its peer,
 * and what is left to whom it is given.
 */
#include "config.h"

#include "net/conn_proxy.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/ip_network.h"
#include "net_peer.h"
#include "test.h"

#define LINE "PROXY TCP6 2001:db8::7 2001:db8::1 40000 5222\r\n"
#define BYTES "\r\n\r\n\0\r\nQUIT\n\41\21\0\24\300\0\2\7\300\0\2\1\234\100\24\146" \
	      "\40\0\5\0\0\0\0\1"
#define BEHIND "\26\3\1 and so on"

struct told {
	int times;
	bool broken;
	struct err why;
};

static void
on_told(void *arg, const struct err *why)
{
	struct told *t = arg;

	t->times++;
	t->broken = why != NULL;
	if (why != NULL)
		t->why = *why;
}

static struct conn_proxy *
begin(struct pair *p, struct told *t)
{
	pair_init(p);
	conn_set_owner(p->server.c, NULL, NULL);
	*t = (struct told){ .why = ERR_INIT };
	return conn_proxy_read(p->server.c, on_told, t);
}

/* Who has none is not freed by its end. */
static void
finish(struct pair *p)
{
	conn_set_owner(p->server.c, &seen_events, &p->server);
	pair_done(p);
}

static const struct {
	const char *name;
	struct str header;
	const char *peer; /* NULL: the proxy's own */
	size_t n_key;
	enum conn_through through;
} cases[] = {
	{ "a line", { LINE, sizeof(LINE) - 1 }, "[2001:db8::7]:40000", 8,
		CONN_PROXIED },
	{ "bytes", { BYTES, sizeof(BYTES) - 1 }, "192.0.2.7:40000", 4,
		CONN_PROXIED_PLAIN },
	{ "unknown", { "PROXY UNKNOWN\r\n", 15 }, NULL, 4,
		CONN_PROXIED_NOBODY },
	{ "local", { "\r\n\r\n\0\r\nQUIT\n\40\0\0\0", 16 }, NULL, 4,
		CONN_DIRECT },
};

static void
check_cut(size_t i, size_t cut)
{
	struct str header = cases[i].header;
	char own[64];
	struct told t;
	struct pair p;

	begin(&p, &t);
	snprintf(own, sizeof(own), "%s", conn_peer(p.server.c));
	pair_say(&p, header.p, cut);
	for (int turn = 0; turn < 3; turn++)
		pair_turn(&p);
	CHECK_INT(t.times, 0);
	pair_say(&p, header.p + cut, header.n - cut);
	pair_say(&p, BEHIND, strlen(BEHIND));
	PAIR_UNTIL(&p, t.times != 0);
	CHECK(!t.broken);
	CHECK_CSTR(conn_peer(p.server.c),
		cases[i].peer != NULL ? cases[i].peer : own);
	CHECK_INT(conn_peer_key(p.server.c).n, cases[i].n_key);
	CHECK_INT(conn_through(p.server.c), cases[i].through);
	conn_set_owner(p.server.c, &seen_events, &p.server);
	PAIR_UNTIL(&p, p.server.in.n == strlen(BEHIND));
	CHECK_CSTR(buf_c(&p.server.in), BEHIND);
	CHECK_INT(t.times, 1);
	pair_done(&p);
}

TEST(it_does_not_matter_how_a_header_is_cut)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].name);
		for (size_t cut = 0; cut < cases[i].header.n; cut++)
			check_cut(i, cut);
	}
}

TEST(the_whole_address_is_known)
{
	struct ip ip, same;
	struct told t;
	struct pair p;

	begin(&p, &t);
	ip = conn_peer_ip(p.server.c);
	CHECK(ip_read(STR("127.0.0.1"), &same));
	CHECK(memcmp(&ip, &same, sizeof(ip)) == 0);
	pair_say(&p, LINE, strlen(LINE));
	PAIR_UNTIL(&p, t.times != 0);
	ip = conn_peer_ip(p.server.c);
	CHECK(ip_read(STR("2001:db8::7"), &same));
	CHECK(memcmp(&ip, &same, sizeof(ip)) == 0);
	finish(&p);
}

/* said NULL: nothing, and the proxy is gone. */
static const struct {
	const char *said;
	enum err_code code;
} refused[] = {
	{ "GET / HTTP/1.1\r\n", ERR_INVALID },
	{ "PROXY TCP4 192.0.2.7 \r\n", ERR_INVALID },
	{ "PROXY TCP4 192", ERR_CLOSED },
	{ NULL, ERR_MISSING },
};

TEST(a_proxy_that_does_not_say_it_is_told)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct told t;
		struct pair p;

		TEST_CASE(refused[i].said != NULL ? refused[i].said : "");
		begin(&p, &t);
		if (refused[i].said != NULL)
			pair_say(&p, refused[i].said, strlen(refused[i].said));
		for (int turn = 0; turn < 3; turn++)
			pair_turn(&p);
		shutdown(p.fd, SHUT_WR);
		PAIR_UNTIL(&p, t.times != 0);
		CHECK(t.broken);
		CHECK_INT(t.why.code, refused[i].code);
		finish(&p);
	}
}

TEST(who_has_stopped_is_told_nothing)
{
	struct told t;
	struct pair p;
	struct conn_proxy *proxy = begin(&p, &t);

	pair_say(&p, "PROXY ", 6);
	for (int turn = 0; turn < 3; turn++)
		pair_turn(&p);
	conn_proxy_stop(proxy);
	pair_say(&p, "UNKNOWN\r\n", 9);
	for (int turn = 0; turn < 3; turn++)
		pair_turn(&p);
	CHECK_INT(t.times, 0);
	finish(&p);
}

TEST_MAIN
