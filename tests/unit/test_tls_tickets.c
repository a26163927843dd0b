/*
 * test_tls_tickets.c - how long a session can be resumed, and where.
 */
#include "config.h"

#include "net/tls.h"

#include "test.h"
#include "tls_world.h"

static const struct {
	int version;
	const char *name;
} version_cases[] = {
	{ TLS1_2_VERSION, "TLSv1.2" },
	{ TLS1_3_VERSION, "TLSv1.3" },
};

/* A client of this version, with a ticket of hour 0. */
static void
world_with_ticket(struct world *w, int version)
{
	world_init(w);
	w->host = "a.example";
	set_version(w->client, version);
	world_meet(w, NULL);
	CHECK(!SSL_session_reused(w->p.ssl));
	CHECK(w->ticket != NULL);
	CHECK(SSL_SESSION_has_ticket(w->ticket));
	w->resume = true;
}

/* Was the session resumed that the client has the ticket of?  With a new ticket
 * (may be NULL) the client goes on; on TLS 1.2 nobody but the session tells. */
static bool
world_resumes(struct world *w, bool *renewed_out)
{
	bool renewed;

	world_again(w);
	world_meet(w, NULL);
	renewed = SSL_get_session(w->p.ssl) != w->ticket;
	if (renewed && SSL_version(w->p.ssl) == TLS1_2_VERSION) {
		SSL_SESSION_free(w->ticket);
		w->ticket = SSL_get1_session(w->p.ssl);
	}
	if (renewed_out != NULL)
		*renewed_out = renewed;
	return SSL_session_reused(w->p.ssl) == 1;
}

/* Whether the client has got a new ticket is told apart on TLS 1.2 alone, as
 * TLS 1.3 gives one each time. */
static const struct {
	int64_t us;
	bool resumed, renewed;
} time_cases[] = {
	{ 0, true, false },
	{ 1, true, false },
	{ TLS_TICKETS_US - 1, true, false },
	{ TLS_TICKETS_US, true, true },
	{ TLS_TICKETS_US + 1, true, true },
	{ 2 * TLS_TICKETS_US - 1, true, true },
	{ 2 * TLS_TICKETS_US, false, false },
	{ 3 * TLS_TICKETS_US, false, false },
	{ 400 * TLS_TICKETS_US, false, false },
};

static void
check_time(int version, int64_t us, bool resumed, bool renewed)
{
	struct world w;
	bool fresh;

	world_with_ticket(&w, version);
	clock_manual_advance(&w.clock, us);
	CHECK(world_resumes(&w, &fresh) == resumed);
	if (version == TLS1_2_VERSION && resumed)
		CHECK(fresh == renewed);
	CHECK(world_resumes(&w, NULL));
	world_done(&w);
}

TEST(a_ticket_is_good_for_its_hour_and_the_next)
{
	for (size_t v = 0; v < COUNT(version_cases); v++) {
		TEST_CASE(version_cases[v].name);
		for (size_t i = 0; i < COUNT(time_cases); i++)
			check_time(version_cases[v].version, time_cases[i].us,
				time_cases[i].resumed, time_cases[i].renewed);
	}
}

TEST(who_comes_every_hour_is_known_for_ever)
{
	struct world w;
	bool renewed;

	world_with_ticket(&w, TLS1_2_VERSION);
	for (int i = 0; i < 300; i++) {
		clock_manual_advance(&w.clock, TLS_TICKETS_US);
		CHECK(world_resumes(&w, &renewed));
		CHECK(renewed);
	}
	world_done(&w);
}

/* One began with them, the other goes on from long ago. */
TEST(nets_agree_however_long_nobody_came)
{
	for (int i = 0; i < 300; i += 1 + i / 8) {
		struct world w;

		world_init(&w);
		set_version(w.client, TLS1_2_VERSION);
		clock_manual_advance(&w.clock, i * TLS_TICKETS_US);
		if (i % 2 == 0)
			net_wipe_tickets(w.p.net);
		world_meet(&w, NULL);
		w.resume = true;
		CHECK(world_resumes(&w, NULL));
		world_done(&w);
	}
}

/* OpenSSL's, which keys are made with, counted. */
static int n_derived;

unsigned char *
HMAC(const EVP_MD *type, const void *key, int key_n, const unsigned char *data,
	size_t n, unsigned char *out, unsigned *out_n)
{
	size_t size = 0;

	n_derived++;
	if (EVP_Q_mac(NULL, "HMAC", NULL, EVP_MD_get0_name(type), NULL, key,
		    (size_t)key_n, data, n, out, EVP_MAX_MD_SIZE, &size) == NULL)
		return NULL;
	if (out_n != NULL)
		*out_n = (unsigned)size;
	return out;
}

/* One net goes on in so many steps, the other one in a single one: a day, years,
 * and as long as the clock can tell. */
static const struct {
	int64_t hours;
	int steps;
} long_cases[] = {
	{ 2, 2 },
	{ 62, 1 },
	{ 63, 1 },
	{ 64, 64 },
	{ 65, 5 },
	{ 4095, 3 },
	{ 4096, 4096 },
	{ 262144, 100 },
	{ 8766 * 200, 7 },
	{ INT64_MAX / TLS_TICKETS_US - 3, 9 },
};

TEST(years_without_anybody_are_skipped)
{
	for (size_t i = 0; i < COUNT(long_cases); i++) {
		int64_t left = long_cases[i].hours;
		struct world w;

		world_init(&w);
		set_version(w.client, TLS1_2_VERSION);
		for (int n = long_cases[i].steps; n > 0; n--) {
			clock_manual_advance(&w.clock,
				left / n * TLS_TICKETS_US);
			left -= left / n;
			net_wipe_tickets(w.p.net);
		}
		world_meet(&w, NULL);
		w.resume = true;
		n_derived = 0;
		CHECK(world_resumes(&w, NULL));
		CHECK(n_derived > 0 && n_derived < 500);
		world_done(&w);
	}
}

TEST(a_ticket_of_somebody_else_is_not_taken)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		TEST_CASE(version_cases[i].name);
		world_with_ticket(&w, version_cases[i].version);
		w.seed[NET_SEED_SIZE - 1] ^= 1;
		CHECK(!world_resumes(&w, NULL));
		CHECK(world_resumes(&w, NULL));
		world_done(&w);
	}
}

TEST(a_net_without_keys_gives_no_tickets)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		TEST_CASE(version_cases[i].name);
		world_with_ticket(&w, version_cases[i].version);
		SSL_SESSION_free(w.ticket);
		w.ticket = NULL;
		w.resume = false;
		pair_done(&w.p);
		pair_init(&w.p);
		world_meet(&w, NULL);
		CHECK(w.ticket == NULL || !SSL_SESSION_has_ticket(w.ticket));
		world_done(&w);
	}
}

TEST(a_session_is_resumed_at_its_own_host_only)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		TEST_CASE(version_cases[i].name);
		world_with_ticket(&w, version_cases[i].version);
		w.host = "b.example";
		CHECK(!world_resumes(&w, NULL));
		CHECK(client_saw(&w, &w.b));
		CHECK(world_resumes(&w, NULL));
		world_done(&w);
	}
}

static void
world_reload(struct world *w)
{
	tls_set_unref(w->set);
	world_load(w);
}

TEST(a_reload_keeps_tickets_unless_the_rules_change)
{
	for (size_t i = 0; i < COUNT(version_cases); i++) {
		struct world w;

		TEST_CASE(version_cases[i].name);
		world_with_ticket(&w, version_cases[i].version);
		world_reload(&w);
		CHECK(world_resumes(&w, NULL));
		world_cert(&w, &w.a, "a.example", "a.pem", w.paths[0]);
		world_reload(&w);
		CHECK(world_resumes(&w, NULL));
		w.conf.ciphers = "ECDHE+AESGCM";
		world_reload(&w);
		CHECK(!world_resumes(&w, NULL));
		CHECK(world_resumes(&w, NULL));
		w.conf.client_ca = w.paths[0];
		world_reload(&w);
		CHECK(!world_resumes(&w, NULL));
		CHECK(world_resumes(&w, NULL));
		world_cert(&w, &w.a, "a.example", "a.pem", w.paths[0]);
		world_reload(&w);
		CHECK(!world_resumes(&w, NULL));
		world_done(&w);
	}
}

TEST_MAIN
