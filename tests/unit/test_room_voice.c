/*
 * test_room_voice.c - whom a moderator has given voice, or taken it from.
 */
#include "config.h"

#include "../../modules/muc/room_voice.h"

#include "test.h"

static const struct hash_key hash = { 1, 2 };

static struct jid
user(struct arena *a, unsigned n)
{
	struct jid jid;

	CHECK(jid_parse(&jid, a, arena_printf(a, "u%u@a.example/r%u", n, n), NULL));
	return jid;
}

TEST(voice_is_that_of_a_bare_address_until_it_is_taken_back)
{
	struct arena *a = arena_new();
	struct room_voices v;
	struct jid other;

	voices_init(&v, &hash);
	CHECK_INT(voices_find(&v, user(a, 1)), ROLE_NONE);
	voices_set(&v, user(a, 1), ROLE_PARTICIPANT);
	CHECK(jid_parse(&other, a, STR("u1@a.example/other"), NULL));
	CHECK_INT(voices_find(&v, other), ROLE_PARTICIPANT);
	CHECK_INT(voices_find(&v, user(a, 2)), ROLE_NONE);
	voices_set(&v, other, ROLE_VISITOR);
	CHECK_INT(voices_find(&v, user(a, 1)), ROLE_VISITOR);
	CHECK_INT(v.n, 1);
	voices_set(&v, user(a, 1), ROLE_NONE);
	CHECK_INT(voices_find(&v, other), ROLE_NONE);
	CHECK_INT(v.n, 0);
	voices_done(&v);
	arena_free(a);
}

TEST(the_oldest_goes_where_there_are_many)
{
	struct arena *a = arena_new();
	struct room_voices v;

	voices_init(&v, &hash);
	for (unsigned i = 0; i < VOICES_MAX; i++)
		voices_set(&v, user(a, i), ROLE_PARTICIPANT);
	voices_set(&v, user(a, 0), ROLE_VISITOR); /* the newest now */
	voices_set(&v, user(a, VOICES_MAX), ROLE_PARTICIPANT);
	CHECK_INT(v.n, VOICES_MAX);
	CHECK_INT(voices_find(&v, user(a, 0)), ROLE_VISITOR);
	CHECK_INT(voices_find(&v, user(a, 1)), ROLE_NONE);
	CHECK_INT(voices_find(&v, user(a, VOICES_MAX)), ROLE_PARTICIPANT);
	voices_clear(&v);
	CHECK_INT(v.n, 0);
	CHECK_INT(voices_find(&v, user(a, 0)), ROLE_NONE);
	voices_done(&v);
	arena_free(a);
}

TEST_MAIN
