/*
 * test_tally.c - counters by key, from one thread and from several.
 */
#include "config.h"

#include "base/tally.h"

#include <pthread.h>

#include "test.h"

#define THREADS 4
#define ROUNDS 20000

TEST(tally_counts_each_key_by_itself)
{
	struct tally *t = tally_new();

	CHECK(tally_add(t, STR("a"), 10));
	CHECK(tally_add(t, STR("a"), 10));
	CHECK(tally_add(t, STR("b"), 10));
	CHECK_INT(tally_count(t, STR("a")), 2);
	CHECK_INT(tally_count(t, STR("b")), 1);
	CHECK_INT(tally_count(t, STR("c")), 0);
	tally_remove(t, STR("a"));
	CHECK_INT(tally_count(t, STR("a")), 1);
	tally_free(t);
}

TEST(tally_refuses_at_the_bound_and_changes_nothing)
{
	struct tally *t = tally_new();

	CHECK(!tally_add(t, STR("a"), 0));
	CHECK(tally_add(t, STR("a"), 2));
	CHECK(tally_add(t, STR("a"), 2));
	CHECK(!tally_add(t, STR("a"), 2));
	CHECK_INT(tally_count(t, STR("a")), 2);
	tally_remove(t, STR("a"));
	CHECK(tally_add(t, STR("a"), 2));
	tally_free(t);
}

TEST(tally_takes_keys_of_any_bytes)
{
	struct tally *t = tally_new();
	char key[TALLY_KEY_MAX] = { 0 };

	for (size_t n = 1; n <= sizeof(key); n++)
		CHECK(tally_add(t, (struct str){ key, n }, 1));
	for (size_t n = 1; n <= sizeof(key); n++)
		tally_remove(t, (struct str){ key, n });
	CHECK_INT(tally_count(t, (struct str){ key, 1 }), 0);
	tally_free(t);
}

static void *
many_times(void *arg)
{
	struct tally *t = arg;
	char key[2] = { 'k', 0 };

	for (int i = 0; i < ROUNDS; i++) {
		struct str s = { key, 2 };

		key[1] = (char)(i % 7);
		if (tally_add(t, s, THREADS - 1))
			tally_remove(t, s);
		if (i % 100 == 0)
			(void)tally_add(t, STR("kept"), UINT64_MAX);
	}
	return NULL;
}

TEST(tally_loses_nothing_between_threads)
{
	struct tally *t = tally_new();
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, many_times, t), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(tally_count(t, STR("kept")), THREADS * ROUNDS / 100);
	for (char k = 0; k < 7; k++)
		CHECK_INT(tally_count(t,
				  (struct str){ (char[]){ 'k', k }, 2 }),
			0);
	tally_free(t);
}

TEST_MAIN
