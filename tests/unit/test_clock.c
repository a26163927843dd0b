/*
 * test_clock.c - what time it is.
 */
#include "config.h"

#include "base/clock.h"

#include "test.h"

TEST(clock_system_is_after_2020_and_does_not_go_back)
{
	int64_t before = clock_mono_us(&clock_system);

	CHECK(clock_wall_us(&clock_system) > 1577836800 * US_PER_S);
	CHECK(before > 0);
	CHECK(clock_mono_us(&clock_system) >= before);
}

TEST(clock_manual_stands_still_until_it_is_moved)
{
	struct clock_manual m;
	int64_t mono;

	clock_manual_init(&m, 1700000000 * US_PER_S);
	mono = clock_mono_us(&m.clock);
	CHECK_INT(clock_mono_us(&m.clock), mono);
	CHECK_INT(clock_wall_us(&m.clock), 1700000000 * US_PER_S);
	clock_manual_advance(&m, 5);
	CHECK_INT(clock_mono_us(&m.clock), mono + 5);
	CHECK_INT(clock_wall_us(&m.clock), 1700000000 * US_PER_S + 5);
}

TEST_MAIN
