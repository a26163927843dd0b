/*
 * test_c2s_throttle.c - failed logins: nobody keeps an owner out, and nobody
 * guesses at will.
 */
#include "config.h"

#include "stream/client/c2s.h"

#include "net/conn.h"
#include "stream/client/c2s_int.h"
#include "c2s_world.h"
#include "test.h"

/* n,,n=romeo,r=abc and a proof of 32 bytes that is wrong */
#define SCRAM_FIRST AUTH("SCRAM-SHA-256", "biwsbj1yb21lbyxyPWFiYw==")
#define HOME "192.0.2.1"

enum outcome { IN, WRONG, REFUSED, NOTHING };

/* One connection, one try; waits up to that long for the answer. */
static enum outcome
attempt(struct world *w, const char *address, const char *auth, int64_t wait_us)
{
	enum outcome got = NOTHING;
	struct peer p;

	peer_open_from(&p, w, 0, address);
	peer_say(&p, HEADER);
	peer_say(&p, auth);
	for (int64_t us = 0; us <= wait_us; us += 100 * US_PER_MS) {
		if (us != 0)
			world_advance(w, 100 * US_PER_MS);
		if (peer_has(&p, "<success"))
			got = IN;
		else if (peer_has(&p, "<not-authorized/>"))
			got = WRONG;
		else if (peer_has(&p, "<temporary-auth-failure/>"))
			got = REFUSED;
		if (got != NOTHING)
			break;
	}
	peer_done(&p);
	return got;
}

static const char *
stranger(unsigned i)
{
	static _Thread_local char text[32];

	snprintf(text, sizeof(text), "10.%u.%u.%u", i / 62500, i / 250 % 250,
		i % 250 + 1);
	return text;
}

/* As fast as answers come: each takes 100 ms at least. */
static void
guess(struct world *w, const char *address, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK_INT(attempt(w, address, AUTH_WRONG, 12 * US_PER_S),
			WRONG);
}

TEST(guesses_from_one_address_are_refused_and_nobody_else_is)
{
	struct world w;

	world_init(&w, 2, "", "");
	guess(&w, "192.0.2.66", 30);
	CHECK_INT(attempt(&w, "192.0.2.66", AUTH_WRONG, US_PER_S), REFUSED);
	CHECK_INT(attempt(&w, "192.0.2.66", AUTH_ROMEO, US_PER_S), REFUSED);
	/* an address from which he never came waits, and gets in */
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 500 * US_PER_MS), NOTHING);
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 2 * US_PER_S), IN);
	/* and from now on it does not wait */
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	world_advance(&w, 61 * US_PER_S);
	CHECK_INT(attempt(&w, "192.0.2.66", AUTH_ROMEO, US_PER_S), IN);
	world_done(&w);
}

TEST(an_ipv6_network_counts_as_one_address)
{
	struct world w;

	world_init(&w, 1, "limits: { auth_failures_per_account: 3 }", "");
	guess(&w, "2001:db8:1:2::1", 1);
	guess(&w, "2001:db8:1:2:ffff::7", 1);
	guess(&w, "2001:db8:1:2:3:4:5:6", 1);
	CHECK_INT(attempt(&w, "2001:db8:1:2::9", AUTH_ROMEO, US_PER_S),
		REFUSED);
	CHECK_INT(attempt(&w, "2001:db8:1:3::9", AUTH_ROMEO, US_PER_S), IN);
	world_done(&w);
}

/* However many there are, and however many addresses. */
TEST(guesses_from_many_addresses_are_slowed_and_keep_nobody_out)
{
	static const unsigned crowds[] = { 1, 10, 29, 30, 31, 59, 60, 300 };
	static struct peer p[300];
	int64_t wait, longest = 0;
	struct world w;

	for (size_t i = 0; i < COUNT(crowds); i++) {
		world_init(&w, 2, "", "");
		CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
		/* all are told before the first has failed */
		for (unsigned k = 0; k < crowds[i]; k++) {
			peer_open_from(&p[k], &w, k % 2, stranger(k));
			peer_say(&p[k], HEADER SCRAM_FIRST);
			CHECK_GOT(&p[k], "<challenge");
		}
		for (unsigned k = 0; k < crowds[i]; k++)
			peer_done(&p[k]);
		CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
		for (wait = 0; wait <= 12 * US_PER_S; wait += US_PER_S) {
			if (attempt(&w, stranger((unsigned)(1000 +
						wait / US_PER_S)),
				    AUTH_ROMEO, wait) == IN)
				break;
		}
		CHECK(wait <= 10 * US_PER_S);
		CHECK((wait == 0) == (crowds[i] < 30));
		longest = MAX(longest, wait);
		world_done(&w);
	}
	CHECK_INT(longest, 10 * US_PER_S);
}

TEST(an_address_is_not_known_for_ever)
{
	struct world w;

	world_init(&w, 1,
		"limits: { known_address_age: 1h, auth_failures_spread: 2 }",
		"");
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	clock_manual_advance(&w.clock, 3601 * US_PER_S);
	guess(&w, "192.0.2.66", 2);
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 500 * US_PER_MS), NOTHING);
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 2 * US_PER_S), IN);
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	world_done(&w);
}

/* One device has the old password and asks three times whenever it connects,
 * another has the new one: both at home. */
TEST(a_stale_password_at_home_does_not_keep_the_new_one_out)
{
	struct world w;
	int in = 0;

	world_init(&w, 1, "", "");
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	for (int minute = 0; minute < 5; minute++) {
		for (int i = 0; i < 14; i++) {
			for (int k = 0; k < 3; k++)
				CHECK_INT(attempt(&w, HOME, AUTH_WRONG,
						12 * US_PER_S), WRONG);
			in += attempt(&w, HOME, AUTH_ROMEO, 12 * US_PER_S) ==
				IN;
		}
	}
	CHECK_INT(in, 5 * 14);
	world_done(&w);
}

/* Who sits behind the same address guesses thirty times, then one by one. */
TEST(guesses_from_an_address_of_the_owner_come_one_by_one)
{
	struct peer p[8];
	size_t judged = 0, refused = 0;
	struct world w;

	world_init(&w, 1, "limits: { auth_failures_per_account: 3 }", "");
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	guess(&w, HOME, 3);
	for (size_t i = 0; i < COUNT(p); i++) {
		peer_open_from(&p[i], &w, 0, HOME);
		peer_say(&p[i], HEADER);
		peer_say(&p[i], AUTH_WRONG);
		refused += peer_has(&p[i], "<temporary-auth-failure/>");
	}
	CHECK_INT(refused, 3);
	world_advance(&w, 4500 * US_PER_MS);
	for (size_t i = 0; i < COUNT(p); i++)
		judged += peer_has(&p[i], "<not-authorized/>");
	CHECK_INT(judged, 2);
	for (size_t i = 0; i < COUNT(p); i++)
		peer_done(&p[i]);
	world_done(&w);
}

TEST(an_address_that_failed_elsewhere_is_still_known_to_its_account)
{
	struct world w;

	world_init(&w, 1, "limits: { auth_failures_per_address: 5 }", "");
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	for (int i = 0; i < 5; i++) /* \0nobody\0secret-one */
		CHECK_INT(attempt(&w, HOME,
				AUTH("PLAIN", "AG5vYm9keQBzZWNyZXQtb25l"),
				US_PER_S), WRONG);
	/* \0juliet\0secret-one */
	CHECK_INT(attempt(&w, HOME, AUTH("PLAIN", "AGp1bGlldABzZWNyZXQtb25l"),
			US_PER_S), REFUSED);
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 0), IN);
	world_done(&w);
}

TEST(one_who_is_slowed_may_hang_up_and_is_sent_away_in_time)
{
	struct world w;
	struct peer p;

	world_init(&w, 2, "limits: { auth_failures_spread: 1, "
			  "login_timeout: 1s }", "");
	guess(&w, "192.0.2.66", 20);
	peer_open_from(&p, &w, 0, HOME);
	peer_say(&p, HEADER AUTH_ROMEO);
	peer_done(&p);
	/* never longer than half of the time that there is */
	CHECK_INT(attempt(&w, HOME, AUTH_ROMEO, 600 * US_PER_MS), IN);
	world_done(&w);
}

/* --- exchanges that are left unfinished ----------------------------------- */

static uint64_t
counted(struct world *w)
{
	return w->server->shards[0]->stats.login_failures;
}

TEST(an_exchange_that_is_left_counts_as_failed_however_it_is_left)
{
	static const char *const ways[] = { SASL("abort", ""),
		SASL("response", "%%"), SASL("response", "YQ=="), AUTH_ROMEO,
		"</stream:stream>", "<presence/>", "" };
	struct world w;
	struct peer p;

	world_init(&w, 1, "limits: { auth_failures_per_account: 7 }", "");
	for (size_t i = 0; i < COUNT(ways); i++) {
		TEST_CASE(ways[i]);
		peer_open_from(&p, &w, 0, HOME);
		peer_say(&p, HEADER SCRAM_FIRST);
		CHECK_GOT(&p, "<challenge");
		CHECK_INT(counted(&w), i);
		peer_say(&p, ways[i]);
		peer_done(&p);
		CHECK_INT(counted(&w), i + 1);
	}
	CHECK_INT(attempt(&w, HOME, SCRAM_FIRST, US_PER_S), REFUSED);
	world_done(&w);
}

TEST(an_exchange_that_was_told_nothing_does_not_count_when_it_is_left)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open_from(&p, &w, 0, HOME);
	peer_say(&p, HEADER AUTH("PLAIN", ""));
	CHECK_GOT(&p, "<challenge");
	peer_say(&p, SASL("abort", ""));
	CHECK_GOT(&p, "<aborted/>");
	peer_done(&p);
	CHECK_INT(counted(&w), 0);
	world_done(&w);
}

TEST(challenges_that_were_asked_for_together_are_judged_up_to_the_bound)
{
	size_t refused = 0, judged = 0;
	struct peer p[6];
	struct world w;

	world_init(&w, 1, "limits: { auth_failures_per_account: 2 }", "");
	for (size_t i = 0; i < COUNT(p); i++) {
		peer_open_from(&p[i], &w, 0, HOME);
		peer_say(&p[i], HEADER SCRAM_FIRST);
		CHECK_GOT(&p[i], "<challenge");
	}
	for (size_t i = 0; i < COUNT(p); i++) {
		/* c=biws,r=wrong,p=(32 bytes of zero) */
		peer_say(&p[i], SASL("response", "Yz1iaXdzLHI9d3JvbmcscD1BQUFB"
			"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBPQ=="));
		world_advance(&w, 100 * US_PER_MS);
		judged += peer_has(&p[i], "<not-authorized/>");
		refused += peer_has(&p[i], "<temporary-auth-failure/>");
	}
	CHECK_INT(judged, 2);
	CHECK_INT(refused, 4);
	for (size_t i = 0; i < COUNT(p); i++)
		peer_done(&p[i]);
	world_done(&w);
}

TEST_MAIN
