/*
 * test_invisible.c - clients that nobody is to see (XEP-0186), and what else happens
 * meanwhile.
 */
#include "config.h"

#include "xmpp/ns.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define TO(local) " to='" local "@" WORLD_HOST "'"
#define ROSTER "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
#define SET(name) "<iq type='set' id='i'><" name " xmlns='" NS_INVISIBLE "'/></iq>"
#define SEEDS 8

/* juliet sees romeo, who is not available. */
static struct world *
meet(uint64_t seed, struct witness *romeo, struct witness *juliet)
{
	struct world *w = world_of_two(seed, TEST_MODULE_DIR, "");

	witness_start(romeo, w, "romeo");
	witness_start_at(juliet, w, "juliet", 0);
	client_send(&juliet->c, "<presence type='subscribe'" TO("romeo") "/>");
	witness_turn(juliet);
	client_send(&romeo->c, "<presence type='subscribed'" TO("juliet") "/>");
	witness_turn(romeo);
	client_send(&romeo->c, "<presence type='unavailable'/>");
	witness_turn(romeo);
	witness_turn(juliet);
	seen_anew(juliet);
	return w;
}

static void
part(struct world *w, struct witness *romeo, struct witness *juliet)
{
	witness_done(juliet);
	witness_done(romeo);
	world_free(w);
}

/* Its own presence waits behind the requests before it, and is not sent on ahead of
 * them because the session ends. */
TEST(who_leaves_without_waiting_for_answers_is_not_seen)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct witness romeo, juliet;
		struct world *w = meet(seed, &romeo, &juliet);

		client_send(&romeo.c,
			ROSTER SET("invisible") "<presence id='p'/>"
			"</stream:stream>");
		witness_turn(&romeo);
		witness_turn(&juliet);
		CHECK_CSTR(seen(&juliet), "");
		part(w, &romeo, &juliet);
	}
}

/* §3.2, in one write: what was said before is not seen, what is said behind is. */
TEST(what_is_said_is_seen_by_what_was_asked_before)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct witness romeo, juliet;
		struct world *w = meet(seed, &romeo, &juliet);

		client_send(&romeo.c,
			"<presence id='a'/>" ROSTER SET("invisible")
			"<presence id='b'/>" ROSTER "<presence id='c'/>"
			SET("visible") "<presence id='d'/>");
		witness_turn(&romeo);
		witness_turn(&juliet);
		CHECK_CSTR(seen(&juliet),
			"presence:a presence:unavailable presence:d ");
		part(w, &romeo, &juliet);
	}
}

TEST_MAIN
