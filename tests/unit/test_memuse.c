/*
 * test_memuse.c - who holds how much memory.
 */
#include "config.h"

#include "base/memuse.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/mem.h"
#include "test.h"

static void
check_held(enum memuse what, struct memuse_sum before, int64_t objects,
	int64_t at_least, int64_t at_most)
{
	struct memuse_sum sum = memuse_sum(what);

	CHECK_INT(sum.objects - before.objects, objects);
	CHECK(sum.bytes - before.bytes >= at_least);
	CHECK(sum.bytes - before.bytes <= at_most);
}

TEST(an_object_counts_until_it_is_removed)
{
	struct memuse_sum before = memuse_sum(MEMUSE_SESSION);
	char *p = xmalloc(1000), *part = xmalloc(500);

	memuse_add(MEMUSE_SESSION, p);
	check_held(MEMUSE_SESSION, before, 1, 1000, 1100);
	memuse_add_part(MEMUSE_SESSION, part);
	memuse_add_part(MEMUSE_SESSION, NULL);
	check_held(MEMUSE_SESSION, before, 1, 1500, 1700);
	memuse_remove_part(MEMUSE_SESSION, part);
	memuse_remove(MEMUSE_SESSION, p);
	check_held(MEMUSE_SESSION, before, 0, 0, 0);
	free(part);
	free(p);
}

TEST(a_library_is_counted_as_it_takes_and_gives_back)
{
	struct memuse_sum before = memuse_sum(MEMUSE_PARSER);
	void *p = memuse_malloc(MEMUSE_PARSER, 100);

	check_held(MEMUSE_PARSER, before, 0, 100, 200);
	p = memuse_realloc(MEMUSE_PARSER, p, 10000);
	check_held(MEMUSE_PARSER, before, 0, 10000, 20000);
	memuse_free(MEMUSE_PARSER, p);
	memuse_free(MEMUSE_PARSER, NULL);
	check_held(MEMUSE_PARSER, before, 0, 0, 0);
	p = memuse_realloc(MEMUSE_PARSER, NULL, 64);
	check_held(MEMUSE_PARSER, before, 0, 64, 128);
	memuse_free(MEMUSE_PARSER, p);
}

static void *
give_back(void *arg)
{
	arena_free(arg);
	return NULL;
}

TEST(what_one_thread_takes_another_may_give_back)
{
	struct memuse_sum before = memuse_sum(MEMUSE_ARENA);
	struct arena *a = arena_new();
	pthread_t thread;

	arena_alloc(a, 100000);
	check_held(MEMUSE_ARENA, before, 1, (int64_t)arena_bytes(a),
		(int64_t)arena_bytes(a));
	CHECK_INT(pthread_create(&thread, NULL, give_back, a), 0);
	pthread_join(thread, NULL);
	check_held(MEMUSE_ARENA, before, 0, 0, 0);
}

TEST(samples_stand_for_all)
{
	memuse_count(MEMUSE_WIRE, 10, 0);
	memuse_sample(MEMUSE_WIRE, 2);
	memuse_count(MEMUSE_WIRE, 0, 600);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).objects, 10);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).bytes, 3000);
	memuse_count(MEMUSE_WIRE, -10, -600);
	memuse_sample(MEMUSE_WIRE, -2);
	CHECK_INT(memuse_sum(MEMUSE_WIRE).bytes, 0);
}

TEST(each_kind_has_a_name)
{
	for (int i = 0; i < MEMUSE_KINDS; i++) {
		CHECK(memuse_name((enum memuse)i)[0] != '\0');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(memuse_name((enum memuse)i),
				      memuse_name((enum memuse)j)) != 0);
	}
}

TEST_MAIN
