/*
 * test_clock.c - what time it is.
 */
#include "config.h"

#include "base/clock.h"

#include <time.h>

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

TEST(clock_date_agrees_with_the_calendar_of_the_system)
{
	for (int64_t day = 0; day < 400 * 366; day++) {
		struct clock_date date = clock_date_of_day(day);
		time_t s = (time_t)(day * 86400);
		struct tm tm;

		gmtime_r(&s, &tm);
		CHECK_INT(date.year, tm.tm_year + 1900);
		CHECK_INT(date.month, tm.tm_mon + 1);
		CHECK_INT(date.day, tm.tm_mday);
	}
}

TEST_MAIN
