/*
 * test_throttle.c - events within a minute, in fixed memory.
 */
#include "config.h"

#include "base/throttle.h"

#include <pthread.h>

#include "test.h"

#define THREADS 4
#define ROUNDS 10000
#define MINUTE THROTTLE_WINDOW_US

TEST(throttle_counts_within_the_minute_of_the_first_event)
{
	struct throttle *t = throttle_new(64);

	CHECK_INT(throttle_count(t, STR("a"), 5), 0);
	CHECK_INT(throttle_add(t, STR("a"), 5), 1);
	CHECK_INT(throttle_add(t, STR("a"), MINUTE), 2);
	CHECK_INT(throttle_count(t, STR("a"), MINUTE + 4), 2);
	CHECK_INT(throttle_count(t, STR("a"), MINUTE + 5), 0);
	CHECK_INT(throttle_add(t, STR("a"), MINUTE + 5), 1);
	CHECK_INT(throttle_count(t, STR("a"), 2 * MINUTE + 4), 1);
	throttle_free(t);
}

TEST(throttle_keeps_keys_apart)
{
	struct throttle *t = throttle_new(64);

	throttle_add(t, STR("a"), 1);
	throttle_add(t, STR("a"), 1);
	throttle_add(t, STR("b"), 1);
	CHECK_INT(throttle_count(t, STR("a"), 1), 2);
	CHECK_INT(throttle_count(t, STR("b"), 1), 1);
	CHECK_INT(throttle_count(t, STR("c"), 1), 0);
	throttle_free(t);
}

TEST(throttle_remembers_who_fails_often_in_a_crowd)
{
	struct throttle *t = throttle_new(64);
	char key[16];

	for (int i = 0; i < 50; i++)
		throttle_add(t, STR("guesser"), 1);
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		throttle_add(t, str_c(key), 2);
	}
	CHECK_INT(throttle_count(t, STR("guesser"), 3), 50);
	throttle_free(t);
}

TEST(throttle_gives_turns_one_after_the_other)
{
	struct throttle *t = throttle_new(64);

	throttle_add(t, STR("a"), 100);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 100), 10);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 100), 20);
	CHECK_INT(throttle_turn(t, STR("b"), 10, 35, 100), 10);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 105), 25);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 104), -1);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 105), 35);
	CHECK_INT(throttle_turn(t, STR("a"), 10, 35, 1000), 10);
	throttle_free(t);
}

static void *
many_times(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		throttle_add(arg, STR("shared"), i);
	return NULL;
}

TEST(throttle_loses_nothing_between_threads)
{
	struct throttle *t = throttle_new(64);
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, many_times, t), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(throttle_count(t, STR("shared"), ROUNDS), THREADS * ROUNDS);
	throttle_free(t);
}

TEST_MAIN
