/*
 * test_shown.c - what a thousand senders show is known again, whatever key their
 * addresses are hashed by.
 */
#include "config.h"

#include "core/shown.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/rand.h"
#include "core/server.h"
#include "test.h"
#include "xmpp/stanza.h"

#define SENDERS 1000
#define KEYS 100

static bool
is_shown(struct shown **shown, const struct server *srv, unsigned i,
	enum stanza_type type)
{
	struct arena *a = arena_new();
	char from[40];
	struct jid jid;
	struct stanza *st;
	bool before;

	snprintf(from, sizeof(from), "c%u@irc.example.org/x", i);
	CHECK(jid_parse(&jid, a, str_c(from), NULL));
	st = stanza_new(type, jid, jid, STR_NONE);
	before = shown_before(shown, srv, st);
	stanza_free(st);
	arena_free(a);
	return before;
}

TEST(what_a_thousand_show_is_known_again)
{
	struct rand_seeded rand;

	rand_seeded_init(&rand, 1);
	for (unsigned k = 0; k < KEYS; k++) {
		struct server srv = { 0 };
		struct shown *shown = NULL;

		test_case_number("key", k);
		rand_bytes(&rand.source, &srv.hash_key, sizeof(srv.hash_key));
		for (unsigned turn = 0; turn < 4; turn++)
			for (unsigned i = 0; i < SENDERS; i++)
				CHECK(is_shown(&shown, &srv, i,
					      turn < 2 ? PRESENCE_AVAILABLE :
							 PRESENCE_UNAVAILABLE) ==
					(turn % 2 == 1));
		free(shown);
	}
}

TEST_MAIN
