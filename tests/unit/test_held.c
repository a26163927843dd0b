/*
 * test_held.c - who holds how much memory.
 */
#include "config.h"

#include "base/held.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/mem.h"
#include "test.h"

static void
check_held(enum held what, struct held_sum before, int64_t objects,
	int64_t at_least, int64_t at_most)
{
	struct held_sum sum = held_sum(what);

	CHECK_INT(sum.objects - before.objects, objects);
	CHECK(sum.bytes - before.bytes >= at_least);
	CHECK(sum.bytes - before.bytes <= at_most);
}

TEST(an_object_counts_until_it_is_removed)
{
	struct held_sum before = held_sum(HELD_SESSION);
	char *p = xmalloc(1000), *part = xmalloc(500);

	held_add(HELD_SESSION, p);
	check_held(HELD_SESSION, before, 1, 1000, 1100);
	held_add_part(HELD_SESSION, part);
	held_add_part(HELD_SESSION, NULL);
	check_held(HELD_SESSION, before, 1, 1500, 1700);
	held_remove_part(HELD_SESSION, part);
	held_remove(HELD_SESSION, p);
	check_held(HELD_SESSION, before, 0, 0, 0);
	free(part);
	free(p);
}

TEST(a_library_is_counted_as_it_takes_and_gives_back)
{
	struct held_sum before = held_sum(HELD_PARSER);
	void *p = held_malloc(HELD_PARSER, 100);

	check_held(HELD_PARSER, before, 0, 100, 200);
	p = held_realloc(HELD_PARSER, p, 10000);
	check_held(HELD_PARSER, before, 0, 10000, 20000);
	held_free(HELD_PARSER, p);
	held_free(HELD_PARSER, NULL);
	check_held(HELD_PARSER, before, 0, 0, 0);
	p = held_realloc(HELD_PARSER, NULL, 64);
	check_held(HELD_PARSER, before, 0, 64, 128);
	held_free(HELD_PARSER, p);
}

static void *
give_back(void *arg)
{
	arena_free(arg);
	return NULL;
}

TEST(what_one_thread_takes_another_may_give_back)
{
	struct held_sum before = held_sum(HELD_ARENA);
	struct arena *a = arena_new();
	pthread_t thread;

	arena_alloc(a, 100000);
	check_held(HELD_ARENA, before, 1, (int64_t)arena_bytes(a),
		(int64_t)arena_bytes(a));
	CHECK_INT(pthread_create(&thread, NULL, give_back, a), 0);
	pthread_join(thread, NULL);
	check_held(HELD_ARENA, before, 0, 0, 0);
}

TEST(samples_stand_for_all)
{
	held_count(HELD_WIRE, 10, 0);
	held_sample(HELD_WIRE, 2);
	held_count(HELD_WIRE, 0, 600);
	CHECK_INT(held_sum(HELD_WIRE).objects, 10);
	CHECK_INT(held_sum(HELD_WIRE).bytes, 3000);
	held_count(HELD_WIRE, -10, -600);
	held_sample(HELD_WIRE, -2);
	CHECK_INT(held_sum(HELD_WIRE).bytes, 0);
}

TEST(each_kind_has_a_name)
{
	for (int i = 0; i < HELD_KINDS; i++) {
		CHECK(held_name((enum held)i)[0] != '\0');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(held_name((enum held)i),
				      held_name((enum held)j)) != 0);
	}
}

TEST_MAIN
