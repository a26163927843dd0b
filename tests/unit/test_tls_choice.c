/*
 * test_tls_choice.c - a port that speaks several protocols under TLS: which one a
 * peer has chosen by ALPN, and what he is asked for then.
 */
#include "config.h"

#include "net/tls.h"

#include <openssl/err.h>

#include "test.h"
#include "tls_world.h"

#define CLIENT "\x0bxmpp-client"
#define SERVER "\x0bxmpp-server"
#define HTTP "\x08http/1.1"

static const struct conn_protocol both[] = { { "xmpp-client", false },
	{ "xmpp-server", true } };
static const struct conn_protocol servers[] = { { "xmpp-server", true },
	{ "other-server", true } };

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int
on_cert_asked(SSL *ssl, void *arg)
{
	(void)ssl;
	*(int *)arg += 1;
	return 1;
}

static void
choice_init(struct world *w, const struct conn_protocol *all, int version)
{
	world_init(w);
	set_version(w->client, version);
	w->p.protocols = all;
	w->p.n_protocols = 2;
}

static void
choice_offer(struct world *w, const char *list)
{
	SSL_CTX_set_alpn_protos(w->client, (const unsigned char *)list,
		(unsigned)strlen(list));
}

/* --- which --------------------------------------------------------------------- */

static const struct {
	const char *offered; /* "": no ALPN */
	const char *agreed;
	bool asked; /* for a certificate */
} cases[] = {
	{ "", "", false },
	{ CLIENT, "xmpp-client", false },
	{ SERVER, "xmpp-server", true },
	{ CLIENT SERVER, "xmpp-client", false },
	{ SERVER CLIENT, "xmpp-server", true },
	{ HTTP SERVER CLIENT, "xmpp-server", true },
	{ HTTP CLIENT, "xmpp-client", false },
	{ "\x0cxmpp-clients" CLIENT, "xmpp-client", false },
	{ "\x03xmp" SERVER, "xmpp-server", true },
};

static void
check_case(size_t i, int version)
{
	struct world w;
	int asked = 0;

	TEST_CASE(cases[i].offered);
	choice_init(&w, both, version);
	SSL_CTX_set_cert_cb(w.client, on_cert_asked, &asked);
	if (*cases[i].offered != '\0')
		choice_offer(&w, cases[i].offered);
	world_meet(&w, "a.example");
	CHECK_STR(conn_alpn(w.p.server.c), cases[i].agreed);
	CHECK_INT(asked, cases[i].asked);
	/* what a server shows is no part of a ticket */
	CHECK(version == TLS1_2_VERSION ||
		(w.ticket == NULL) == cases[i].asked);
	world_done(&w);
}

TEST(the_first_of_the_peers_that_is_spoken_counts)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t v = 0; v < COUNT(versions); v++)
			check_case(i, versions[v]);
}

TEST(a_protocol_of_none_of_them_is_refused)
{
	static const char *const lists[] = { HTTP, "\x0cxmpp-clients",
		("\x04xmpp" HTTP) };

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct world w;

		TEST_CASE(lists[i]);
		choice_init(&w, both, TLS1_3_VERSION);
		choice_offer(&w, lists[i]);
		ERR_clear_error();
		world_fail(&w);
		CHECK_CSTR(w.p.server.why.text,
			"TLS handshake: no application protocol");
		world_done(&w);
	}
}

TEST(a_port_of_servers_asks_whoever_comes_for_a_certificate)
{
	struct world w;
	int asked = 0;

	choice_init(&w, servers, TLS1_3_VERSION);
	SSL_CTX_set_cert_cb(w.client, on_cert_asked, &asked);
	world_meet(&w, "a.example");
	CHECK_STR(conn_alpn(w.p.server.c), "");
	CHECK_INT(asked, 1);
	world_done(&w);
}

/* --- what comes of it ------------------------------------------------------------ */

TEST(a_ticket_of_a_client_is_of_no_use_to_a_server)
{
	struct world w;

	choice_init(&w, both, TLS1_3_VERSION);
	choice_offer(&w, CLIENT);
	world_meet(&w, "a.example");
	CHECK(w.ticket != NULL);
	world_again(&w);
	w.p.protocols = both;
	w.p.n_protocols = 2;
	choice_offer(&w, SERVER);
	w.resume = true;
	world_meet(&w, "a.example");
	CHECK(!SSL_session_reused(w.p.ssl));
	world_done(&w);
}

TEST(only_who_may_be_a_server_names_domains_below_a_host)
{
	static const struct {
		const char *offered;
		bool near;
	} names[] = { { SERVER, true }, { CLIENT, false }, { "", true } };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct world w;

		TEST_CASE(names[i].offered);
		choice_init(&w, both, TLS1_3_VERSION);
		if (*names[i].offered != '\0')
			choice_offer(&w, names[i].offered);
		world_meet(&w, "rooms.b.example");
		CHECK(client_saw(&w, names[i].near ? &w.b : &w.a));
		world_done(&w);
	}
}

/* --- telling again ---------------------------------------------------------------- */

static void
on_again(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
}

static const struct conn_events again_events = { .data = on_again };

static void
hand_over(struct seen *seen)
{
	conn_set_owner(seen->c, &again_events, seen->arg);
	conn_tell_again(seen->c, seen->in.p, seen->in.n);
}

TEST(who_takes_over_is_told_what_came_before_and_what_comes)
{
	struct buf again = BUF_INIT;
	struct world w;

	choice_init(&w, both, TLS1_3_VERSION);
	world_meet(&w, "a.example");
	w.p.server.on_data = hand_over;
	w.p.server.arg = &again;
	pair_say(&w.p, "one ", 4);
	PAIR_UNTIL(&w.p, again.n == 4);
	pair_say(&w.p, "two", 3);
	PAIR_UNTIL(&w.p, again.n == 7);
	CHECK_STR(buf_str(&again), "one two");
	conn_set_owner(w.p.server.c, &seen_events, &w.p.server);
	buf_done(&again);
	world_done(&w);
}

TEST_MAIN
