/*
 * test_room_people.c - who is in a room: nicknames, users, and their clients.
 */
#include "config.h"

#include "../../modules/muc/room_people.h"

#include "test.h"

static const struct hash_key hash = { 1, 2 };

/* jid is prepared. */
static struct room_client *
enter(struct room_people *p, const char *jid, const char *nick)
{
	struct arena *a = arena_new();
	struct room_client *c;
	struct str key;

	CHECK(people_key(&key, a, str_c(nick)));
	c = people_enter(p, jid_trusted(str_c(jid)), str_c(nick), key);
	arena_free(a);
	return c;
}

static void
rename_to(struct room_people *p, struct room_client *c, const char *nick)
{
	struct arena *a = arena_new();
	struct str key;

	CHECK(people_key(&key, a, str_c(nick)));
	people_rename(p, c, str_c(nick), key);
	arena_free(a);
}

static bool
is_in_the_way(const struct room_people *p, const char *nick, const char *user)
{
	struct arena *a = arena_new();
	struct str key;
	bool found;

	CHECK(people_key(&key, a, str_c(nick)));
	found = people_in_the_way(p, key, jid_trusted(str_c(user))) != NULL;
	arena_free(a);
	return found;
}

static size_t
occupants_of(const struct room_people *p, const char *user)
{
	struct jid jid = jid_trusted(str_c(user));
	size_t at = people_by_user_start(p, jid), n = 0;

	while (people_by_user(p, jid, &at) != NULL)
		n++;
	return n;
}

TEST(an_occupant_is_found_by_all_that_he_has)
{
	struct room_people p;
	struct room_client *c;

	people_init(&p, &hash);
	c = enter(&p, "anna@a.example/x", "Anna");
	CHECK(people_by_nick(&p, STR("Anna")) == c->occupant);
	CHECK(people_by_nick(&p, STR("anna")) == NULL);
	CHECK(people_by_address(&p, jid_trusted(STR("anna@a.example/x"))) ==
		c);
	CHECK(people_by_address(&p, jid_trusted(STR("anna@a.example/y"))) ==
		NULL);
	CHECK_INT(occupants_of(&p, "anna@a.example"), 1);
	CHECK_INT(p.n, 1);
	CHECK(people_leave(&p, c));
	CHECK(people_by_nick(&p, STR("Anna")) == NULL);
	CHECK_INT(occupants_of(&p, "anna@a.example"), 0);
	CHECK_INT(p.n, 0);
	people_done(&p);
}

TEST(a_nickname_that_reads_the_same_is_in_the_way_of_others_alone)
{
	struct room_people p;

	people_init(&p, &hash);
	enter(&p, "anna@a.example/x", "Anna B");
	CHECK(is_in_the_way(&p, "Anna B", "bob@a.example"));
	CHECK(is_in_the_way(&p, "anna  b", "bob@a.example"));
	CHECK(is_in_the_way(&p, "\uff21nna\u3000B", "bob@a.example"));
	CHECK(!is_in_the_way(&p, "annab", "bob@a.example"));
	CHECK(!is_in_the_way(&p, "ANNA B", "anna@a.example"));
	/* as both of them she stands in the way, and goes as one */
	people_leave(&p, enter(&p, "anna@a.example/y", "anna b"));
	CHECK(is_in_the_way(&p, "anna b", "bob@a.example"));
	people_done(&p);
}

TEST(nobody_has_a_nickname_that_cannot_be_seen)
{
	static const char *const nicks[] = { "", " ", "\u3000", "a\u200b" };
	struct arena *a = arena_new();
	struct str key;

	for (size_t i = 0; i < COUNT(nicks); i++) {
		TEST_CASE(nicks[i]);
		CHECK(!people_key(&key, a, str_c(nicks[i])));
	}
	arena_free(a);
}

TEST(clients_of_a_user_share_a_nickname)
{
	struct room_people p;
	struct room_client *phone, *desk;

	people_init(&p, &hash);
	phone = enter(&p, "anna@a.example/phone", "Anna");
	phone->occupant->role = ROLE_MODERATOR;
	desk = enter(&p, "anna@a.example/desk", "Anna");
	CHECK(desk->occupant == phone->occupant);
	CHECK_INT(p.n, 1);
	CHECK_INT(p.n_clients, 2);
	CHECK_INT(desk->occupant->role, ROLE_MODERATOR);
	CHECK(!people_leave(&p, phone));
	CHECK(people_by_nick(&p, STR("Anna")) == desk->occupant);
	CHECK(people_leave(&p, desk));
	people_done(&p);
}

TEST(a_user_may_have_several_nicknames)
{
	struct room_people p;

	people_init(&p, &hash);
	enter(&p, "anna@a.example/x", "Anna");
	enter(&p, "anna@a.example/y", "Owl");
	enter(&p, "bob@a.example/y", "Bob");
	CHECK_INT(occupants_of(&p, "anna@a.example"), 2);
	CHECK_INT(p.n, 3);
	people_done(&p);
}

TEST(who_takes_another_nickname_keeps_place_and_role)
{
	struct room_people p;
	struct room_client *c;

	people_init(&p, &hash);
	c = enter(&p, "anna@a.example/x", "Anna");
	c->occupant->role = ROLE_VISITOR;
	enter(&p, "bob@a.example/x", "Bob");
	rename_to(&p, c, "Owl");
	CHECK(people_by_nick(&p, STR("Anna")) == NULL);
	CHECK(people_by_nick(&p, STR("Owl")) == c->occupant);
	CHECK(TAILQ_FIRST(&p.occupants) == c->occupant);
	CHECK_INT(c->occupant->role, ROLE_VISITOR);
	CHECK(!is_in_the_way(&p, "anna", "bob@a.example"));
	CHECK(is_in_the_way(&p, "OWL", "bob@a.example"));
	people_done(&p);
}

TEST(one_of_two_clients_takes_another_nickname)
{
	struct room_people p;
	struct room_client *phone, *desk;

	people_init(&p, &hash);
	phone = enter(&p, "anna@a.example/phone", "Anna");
	phone->occupant->role = ROLE_MODERATOR;
	desk = enter(&p, "anna@a.example/desk", "Anna");
	rename_to(&p, desk, "Owl");
	CHECK_INT(p.n, 2);
	CHECK_INT(desk->occupant->role, ROLE_MODERATOR);
	CHECK(people_by_nick(&p, STR("Anna")) == phone->occupant);
	/* and the other follows */
	rename_to(&p, phone, "Owl");
	CHECK_INT(p.n, 1);
	CHECK(phone->occupant == desk->occupant);
	people_done(&p);
}

TEST(the_last_word_of_any_client_is_shown)
{
	struct room_people p;
	struct room_client *phone, *desk;
	struct arena *a = arena_new();
	struct elem *presence = elem_new(a, NS_CLIENT, "presence");

	people_init(&p, &hash);
	phone = enter(&p, "anna@a.example/phone", "Anna");
	people_say(&p, phone, presence);
	desk = enter(&p, "anna@a.example/desk", "Anna");
	elem_add_with_text(a, presence, NS_CLIENT, "show", STR("away"));
	people_say(&p, desk, presence);
	CHECK(elem_child(people_presence(desk->occupant, a), NS_CLIENT,
		      "show") != NULL);
	people_leave(&p, desk);
	CHECK(elem_child(people_presence(phone->occupant, a), NS_CLIENT,
		      "show") == NULL);
	people_done(&p);
	arena_free(a);
}

static struct str
id_of(const struct room_people *p, const char *user)
{
	static char ids[4][OCCUPANT_ID_BYTES];
	static unsigned n;
	char *id = ids[n++ % COUNT(ids)];

	people_id(p, jid_trusted(str_c(user)), (unsigned char *)id);
	return (struct str){ id, OCCUPANT_ID_BYTES };
}

/* XEP-0421 §4.1 */
TEST(an_id_is_of_a_user_in_a_room)
{
	struct room_people p, other;
	struct room_client *c;
	struct str id;

	people_init(&p, &hash);
	people_init(&other, &hash);
	people_set_secret(&p, STR("a secret"));
	people_set_secret(&other, STR("another"));
	id = id_of(&p, "anna@a.example");
	c = enter(&p, "anna@a.example/x", "Anna");
	CHECK(str_eq(id_of(&p, "anna@a.example/y"), id));
	CHECK(!str_eq(id_of(&p, "bob@a.example"), id));
	CHECK(!str_eq(id_of(&other, "anna@a.example"), id));
	people_rename(&p, c, STR("Bob"), STR("bob"));
	CHECK(str_eq(id_of(&p, "anna@a.example"), id));
	people_leave(&p, c);
	CHECK(str_eq(id_of(&p, "anna@a.example"), id));
	people_done(&p);
	people_done(&other);
}

/* --- walks -------------------------------------------------------------------------- */

#define MANY 24
#define WALKS 4

/* What one has been told: by his walk, or with everybody. */
struct told {
	struct people_walk walk;
	bool walks;
	bool sees[MANY];
};

struct crowd {
	struct room_people p;
	struct room_client *of[MANY]; /* NULL: is not there */
	struct told told[WALKS];
};

static void
tell_all(struct crowd *k, unsigned who, uint64_t number, bool is_there)
{
	for (unsigned i = 0; i < WALKS; i++) {
		struct told *t = &k->told[i];

		if (t->walks && people_walk_owes(&t->walk, number))
			continue;
		CHECK(is_there || t->sees[who]);
		t->sees[who] = is_there;
	}
}

static void
come_or_go(struct crowd *k, unsigned who)
{
	char jid[32], nick[8];
	uint64_t number;

	snprintf(jid, sizeof(jid), "c%u@a.example/x", who);
	snprintf(nick, sizeof(nick), "c%u", who);
	if (k->of[who] == NULL) {
		k->of[who] = enter(&k->p, jid, nick);
		tell_all(k, who, k->of[who]->occupant->number, true);
		return;
	}
	number = k->of[who]->occupant->number;
	people_leave(&k->p, k->of[who]);
	k->of[who] = NULL;
	tell_all(k, who, number, false);
}

static void
step(struct crowd *k, struct told *t)
{
	const struct occupant *o = people_walk_next(&t->walk);
	unsigned who = 0;
	char nick[8];

	if (o == NULL) {
		people_walk_end(&t->walk);
		t->walks = false;
		for (unsigned i = 0; i < MANY; i++)
			CHECK(t->sees[i] == (k->of[i] != NULL));
		return;
	}
	snprintf(nick, sizeof(nick), "%.*s", STR_ARG(occupant_nick(o)));
	CHECK_INT(sscanf(nick, "c%u", &who), 1);
	t->sees[who] = true;
}

static void
begin_or_again(struct crowd *k, struct told *t, bool knows)
{
	if (t->walks) {
		people_walk_again(&k->p, &t->walk);
		return;
	}
	t->walks = true;
	people_walk_begin(&k->p, &t->walk, !knows);
	if (!knows)
		memset(t->sees, 0, sizeof(t->sees));
}

TEST(who_is_told_of_all_some_at_a_time_ends_with_the_right_picture)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct rand_seeded rand;
		struct crowd k = { .of = { NULL } };

		rand_seeded_init(&rand, seed);
		people_init(&k.p, &hash);
		for (int i = 0; i < 2000; i++) {
			uint64_t what = rand_below(&rand.source, 8);
			struct told *t = &k.told[rand_below(&rand.source, WALKS)];

			if (what < 3)
				come_or_go(&k, (unsigned)rand_below(&rand.source,
						       MANY));
			else if (what == 3)
				begin_or_again(&k, t,
					rand_below(&rand.source, 2) == 0);
			else if (t->walks)
				step(&k, t);
		}
		people_done(&k.p);
	}
}

TEST_MAIN
