/*
 * test_address_set.c - addresses are found by the whole and by what is bare,
 * however many there are.
 */
#include "config.h"

#include "core/address_set.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "core/server.h"
#include "test.h"

/* Addresses with a number between. */
static const struct crowd {
	const char *before, *after;
	bool one_owner;
} crowds[] = {
	{ "u", "@example.org", false },
	{ "u", "@example.org/a", false },
	{ "room@example.org/u", "", true },
	{ "s", ".example.org", false },
};

static struct jid
jid_of(struct arena *a, const struct crowd *crowd, unsigned i)
{
	char text[80];
	struct jid jid;

	snprintf(text, sizeof(text), "%s%u%s", crowd->before, i, crowd->after);
	CHECK(jid_parse(&jid, a, str_c(text), NULL));
	return jid_copy(a, jid);
}

TEST(each_is_found_until_it_is_removed)
{
	struct server srv = { .hash_key = { 1, 2 } };
	struct arena *a = arena_new();

	for (size_t c = 0; c < COUNT(crowds); c++) {
		struct address_set set = { .all.n = 0 };

		for (unsigned n = 0; n <= 300; n++) {
			struct jid jid = jid_of(a, &crowds[c], n);

			test_case_number("n", n);
			CHECK(address_set_find(&set, &srv, jid) == NULL);
			CHECK(address_set_has_bare(&set, &srv, jid) ==
				(n != 0 && crowds[c].one_owner));
			address_set_add(&set, &srv, jid);
			CHECK(address_set_has_bare(&set, &srv, jid));
			CHECK_INT(set.all.n, n + 1);
		}
		for (unsigned n = 0; n <= 300; n++) {
			struct jid jid = jid_of(a, &crowds[c], n);
			struct address *found =
				address_set_find(&set, &srv, jid);

			test_case_number("n", n);
			CHECK(found != NULL && jid_eq(found->jid, jid));
			address_set_remove(&set, found);
			CHECK(address_set_find(&set, &srv, jid) == NULL);
			CHECK(address_set_has_bare(&set, &srv, jid) ==
				(n != 300 && crowds[c].one_owner));
		}
		CHECK_INT(set.owners.n, 0);
		address_set_clear(&set);
	}
	arena_free(a);
}

TEST(all_are_removed_at_once)
{
	struct server srv = { .hash_key = { 1, 2 } };
	struct arena *a = arena_new();

	for (unsigned n = 0; n <= 300; n += 30) {
		struct address_set set = { .all.n = 0 };

		test_case_number("n", n);
		for (unsigned i = 0; i < n; i++)
			address_set_add(&set, &srv,
				jid_of(a, &crowds[i % 4], i));
		address_set_clear(&set);
		CHECK_INT(set.all.n, 0);
		CHECK(!address_set_has_bare(&set, &srv,
			jid_of(a, &crowds[0], 0)));
	}
	arena_free(a);
}

/* A linear search would take an hour. */
TEST(a_hundred_thousand_take_no_longer_than_one)
{
	struct server srv = { .hash_key = { 1, 2 } };

	for (size_t c = 0; c < COUNT(crowds); c++) {
		struct address_set set = { .all.n = 0 };
		int64_t begun_us = clock_thread_us();

		for (unsigned i = 0; i < 100000; i++) {
			struct arena *a = arena_new();
			struct jid jid = jid_of(a, &crowds[c], i);

			CHECK(address_set_find(&set, &srv, jid) == NULL);
			address_set_add(&set, &srv, jid);
			CHECK(address_set_has_bare(&set, &srv, jid));
			arena_free(a);
		}
		CHECK(clock_thread_us() - begun_us < 20 * US_PER_S);
		address_set_clear(&set);
	}
}

TEST_MAIN
