/*
 * test_crowd.c - who makes room for whom.
 */
#include "config.h"

#include "base/crowd.h"

#include <pthread.h>

#include "base/mem.h"
#include "test.h"

#define MANY 300
#define THREADS 4
#define ROUNDS 20000

/* Token of who goes when m comes with token; 0: nobody. */
static uint64_t
enter(struct crowd *c, struct crowd_member *m, const char *group,
	uint64_t token, size_t max)
{
	struct crowd_leaver gone = { .token = 0 };

	*m = (struct crowd_member){ .home = 7, .token = token };
	if (!crowd_enter(c, m, str_c(group), max, &gone))
		return 0;
	CHECK_INT(gone.home, 7);
	return gone.token;
}

TEST(crowd_lets_in_who_comes_while_there_is_room)
{
	struct crowd *c = crowd_new();
	struct crowd_member m[MANY];

	for (uint64_t i = 0; i < MANY; i++)
		CHECK_INT(enter(c, &m[i], i % 2 == 0 ? "a" : "", i + 1, MANY),
			0);
	for (size_t i = 0; i < MANY; i++) {
		crowd_leave(c, &m[i]);
		crowd_leave(c, &m[i]);
	}
	crowd_free(c);
}

TEST(crowd_sends_away_the_oldest_of_the_largest_group)
{
	struct crowd *c = crowd_new();
	struct crowd_member m[12];

	/* a: 1 4 5 6, b: 2 3 */
	enter(c, &m[1], "a", 1, 6);
	enter(c, &m[2], "b", 2, 6);
	enter(c, &m[3], "b", 3, 6);
	enter(c, &m[4], "a", 4, 6);
	enter(c, &m[5], "a", 5, 6);
	enter(c, &m[6], "a", 6, 6);
	CHECK_INT(enter(c, &m[7], "c", 7, 6), 1);
	CHECK_INT(enter(c, &m[8], "b", 8, 6), 4);
	/* a: 5 6, b: 2 3 8, c: 7 */
	CHECK_INT(enter(c, &m[9], "b", 9, 6), 2);
	CHECK_INT(enter(c, &m[10], "c", 10, 6), 3);
	for (size_t i = 1; i <= 10; i++)
		crowd_leave(c, &m[i]);
	crowd_free(c);
}

TEST(crowd_finds_a_member_where_it_has_moved_to)
{
	struct crowd *c = crowd_new();
	struct crowd_member m[4];

	enter(c, &m[1], "a", 1, 2);
	enter(c, &m[2], "a", 2, 2);
	CHECK(crowd_move(c, &m[1], 7, 11));
	CHECK_INT(m[1].home, 7);
	CHECK_INT(enter(c, &m[3], "a", 3, 2), 11);
	/* gone while it moved: nobody found it, and it has to see for itself */
	CHECK(!crowd_move(c, &m[1], 8, 12));
	for (size_t i = 1; i <= 3; i++)
		crowd_leave(c, &m[i]);
	crowd_free(c);
}

/* One address of many connections does not touch those of one each. */
TEST(crowd_of_any_size_keeps_the_small_groups)
{
	static const size_t sizes[] = { 2, 3, 10, 64, MANY };
	struct crowd_member small, big[2 * MANY];

	for (size_t s = 0; s < COUNT(sizes); s++) {
		struct crowd *c = crowd_new();
		size_t n = 2 * sizes[s];

		CHECK_INT(enter(c, &small, "user", 1000, sizes[s]), 0);
		for (size_t i = 0; i < n; i++)
			CHECK_INT(enter(c, &big[i], "many", i + 1, sizes[s]),
				i + 1 < sizes[s] ? 0 :
				sizes[s] == 2 && i == 1 ? 1000 :
				i + 2 - sizes[s] - (sizes[s] == 2));
		crowd_leave(c, &small);
		for (size_t i = 0; i < n; i++)
			crowd_leave(c, &big[i]);
		crowd_free(c);
	}
}

TEST(crowd_of_groups_of_one_is_a_queue)
{
	struct crowd *c = crowd_new();
	struct crowd_member m[MANY];
	char group[16];

	for (uint64_t i = 0; i < MANY; i++) {
		snprintf(group, sizeof(group), "g%u", (unsigned)i);
		CHECK_INT(enter(c, &m[i], group, i + 1, 100),
			i < 100 ? 0 : i - 99);
	}
	for (size_t i = 0; i < MANY; i++)
		crowd_leave(c, &m[i]);
	crowd_free(c);
}

TEST(crowd_whose_bound_was_lowered_does_not_grow)
{
	struct crowd *c = crowd_new();
	struct crowd_member m[21];

	for (uint64_t i = 0; i < 20; i++)
		enter(c, &m[i], "a", i + 1, 20);
	CHECK_INT(enter(c, &m[20], "b", 21, 5), 1);
	for (size_t i = 0; i < COUNT(m); i++)
		crowd_leave(c, &m[i]);
	crowd_free(c);
}

struct runner {
	struct crowd *crowd;
	const char *group;
};

static void *
in_and_out(void *arg)
{
	const struct runner *r = arg;
	struct crowd_member m[8] = { { .token = 0 } };
	struct crowd_leaver gone;

	for (size_t i = 0; i < ROUNDS; i++) {
		struct crowd_member *one = &m[i % COUNT(m)];

		crowd_leave(r->crowd, one);
		crowd_enter(r->crowd, one, str_c(r->group), 20, &gone);
	}
	for (size_t i = 0; i < COUNT(m); i++)
		crowd_leave(r->crowd, &m[i]);
	return NULL;
}

TEST(crowd_may_be_used_by_many_threads)
{
	static const char *const groups[] = { "a", "a", "b", "c" };
	struct crowd *c = crowd_new();
	struct runner r[THREADS];
	pthread_t t[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		r[i] = (struct runner){ c, groups[i] };
		CHECK_INT(pthread_create(&t[i], NULL, in_and_out, &r[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(t[i], NULL), 0);
	crowd_free(c);
}

TEST_MAIN
