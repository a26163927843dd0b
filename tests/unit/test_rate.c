/*
 * test_rate.c - how often each of many did something.
 */
#include "config.h"

#include "base/rate.h"

#include "test.h"

#define WINDOW 1000

static const struct {
	const char *key;
	int64_t now;
	bool admitted;
} steps[] = {
	{ "a", 0, true },
	{ "a", 500, true },
	{ "a", 999, false },
	{ "b", 999, true },
	{ "a", 1000, true }, /* a's time began at 0 */
	{ "a", 1001, true },
	{ "a", 1002, false },
	{ "b", 1998, true },
	{ "b", 1998, false },
	{ "b", 1999, true },
};

TEST(each_key_has_so_many_in_a_window)
{
	struct rate r = { .counters = NULL };

	for (size_t i = 0; i < COUNT(steps); i++) {
		char label[32];

		snprintf(label, sizeof(label), "step %zu", i);
		TEST_CASE(label);
		CHECK(rate_admit(&r, str_c(steps[i].key), 2, WINDOW,
			      steps[i].now) == steps[i].admitted);
	}
	rate_done(&r);
}

TEST(keys_are_bounded_and_forgotten_in_time)
{
	struct rate r = { .counters = NULL };
	char key[16];

	for (int i = 0; i < RATE_KEYS_MAX; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK(rate_admit(&r, str_c(key), 1, WINDOW, i % 2));
	}
	/* who comes into a crowd is not refused, the oldest is forgotten */
	CHECK(rate_admit(&r, STR("new"), 1, WINDOW, 2));
	CHECK(!rate_admit(&r, STR("new"), 1, WINDOW, 2));
	CHECK(!rate_admit(&r, STR("1"), 1, WINDOW, 2));
	CHECK(rate_admit(&r, STR("0"), 1, WINDOW, 2));
	CHECK(rate_admit(&r, STR("new"), 1, WINDOW, WINDOW + 2));
	rate_done(&r);
}

TEST(a_refusal_does_not_count)
{
	struct rate r = { .counters = NULL };

	CHECK(rate_admit(&r, STR("a"), 1, WINDOW, 0));
	CHECK(!rate_admit(&r, STR("a"), 1, WINDOW, 1));
	CHECK(rate_admit(&r, STR("a"), 2, WINDOW, 2));
	rate_done(&r);
}

TEST_MAIN
