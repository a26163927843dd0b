/*
 * test_sender.c - what a session has asked, and has yet to hear of when another one
 * takes its place and its address.
 */
#include "config.h"

#include "xmpp/ns.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define NEW_BINDS "<iq type='set' id='bind'><bind xmlns='" NS_BIND \
	"'><resource>r</resource></bind></iq>"
/* What follows it waits until the store has answered. */
#define ASKS_THE_STORE "<iq type='get' id='first'><query " \
	"xmlns='jabber:iq:private'><mark xmlns='urn:antiphon:test'/></query></iq>"

/* Two devices of juliet with the same resource, one of which has logged in when the
 * other's requests are under way. */
struct scene {
	struct world *w;
	struct witness romeo, old, next;
};

static void
on_login(struct client *c)
{
	(void)c; /* it binds when it is told to */
}

static void
scene_begin(struct scene *sc, int priority)
{
	struct witness *next = &sc->next;

	sc->w = world_of_two(1, TEST_MODULE_DIR, "");
	witness_start(&sc->romeo, sc->w, "romeo");
	witness_start_at(next, sc->w, "juliet", 0);
	client_done(&next->c);
	witness_turn(&sc->romeo);
	next->c.on_login = on_login;
	client_connect(&next->c);
	witness_turn(next);
	CHECK(next->c.state == CLIENT_BIND);
	witness_start_at(&sc->old, sc->w, "juliet", priority);
	seen_anew(&sc->old);
	seen_anew(&sc->next);
}

/* The old one asks, and has gone before it is asked of its account. */
static void
scene_asks(struct scene *sc, const char *request)
{
	client_send(&sc->old.c, ASKS_THE_STORE "%s", request);
	turn_shards(sc->w);
	CHECK_CSTR(seen(&sc->old), "");
	client_send(&sc->next.c, NEW_BINDS);
	turn_shards(sc->w);
	client_read(&sc->next.c);
	CHECK(sc->next.c.state == CLIENT_ONLINE);
	witness_turn(&sc->next);
	CHECK(sc->old.c.closed);
}

static void
scene_end(struct scene *sc)
{
	witness_done(&sc->romeo);
	witness_done(&sc->old);
	witness_done(&sc->next);
	world_free(sc->w);
}

/* XEP-0313 §6.1.1: who reads the archive before he is available has read what was kept
 * for him; the other one has read nothing. */
TEST(what_was_kept_is_for_the_one_who_has_not_read_it)
{
	struct scene sc;

	scene_begin(&sc, -1);
	for (char id = 'a'; id <= 'c'; id++)
		client_send(&sc.romeo.c,
			"<message type='chat' id='%c' to='juliet@" WORLD_HOST
			"'><body>x</body></message>", id);
	witness_turn(&sc.romeo);
	scene_asks(&sc, "<iq type='set' id='page'><query xmlns='" NS_MAM "'/></iq>");
	CHECK_CSTR(seen(&sc.next), "iq:roster message:a message:b message:c ");
	scene_end(&sc);
}

/* XEP-0280 §4 */
TEST(copies_are_for_the_one_who_has_asked_for_them)
{
	struct scene sc;
	struct witness other;

	scene_begin(&sc, -1);
	scene_asks(&sc, "<iq type='set' id='copies'><enable xmlns='" NS_CARBONS
		"'/></iq>");
	witness_start_copied(&other, sc.w, "juliet");
	seen_anew(&sc.next);
	client_send(&other.c, "<message type='chat' id='a' to='romeo@" WORLD_HOST
		"'><body>x</body></message>");
	witness_turn(&other);
	CHECK_CSTR(seen(&sc.next), "");
	witness_done(&other);
	scene_end(&sc);
}

/* XEP-0186 §3.1: nor does it become invisible, whose user knows nothing of that. */
TEST(who_has_asked_to_be_invisible_is_so_and_nobody_else)
{
	struct scene sc;
	struct witness other;

	scene_begin(&sc, 0);
	witness_start_copied(&other, sc.w, "juliet");
	scene_asks(&sc, "<iq type='set' id='hide'><invisible xmlns='"
		NS_INVISIBLE "'/></iq>");
	seen_anew(&other);
	client_send(&sc.next.c, "<presence id='a'/>");
	witness_turn(&sc.next);
	CHECK_CSTR(seen(&sc.next), "iq:roster presence:a ");
	CHECK_CSTR(seen(&other), "presence:a ");
	witness_done(&other);
	scene_end(&sc);
}

TEST_MAIN
