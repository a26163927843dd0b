/*
 * clock.c - the machine's clocks, and one that a test moves.
 *
 * Any thread; a manual clock belongs to one thread.
 */
#include "config.h"

#include "base/clock.h"

#include <time.h>

static int64_t
system_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static int64_t
system_mono_us(const struct clock *c)
{
	(void)c;
	return system_us(CLOCK_MONOTONIC);
}

static int64_t
system_wall_us(const struct clock *c)
{
	(void)c;
	return system_us(CLOCK_REALTIME);
}

int64_t
clock_thread_us(void)
{
	return system_us(CLOCK_THREAD_CPUTIME_ID);
}

const struct clock clock_system = {
	.mono_us = system_mono_us,
	.wall_us = system_wall_us,
};

static const struct clock_manual *
manual_of(const struct clock *c)
{
	return (const struct clock_manual *)(const void *)c;
}

static int64_t
manual_mono_us(const struct clock *c)
{
	return manual_of(c)->mono_us;
}

static int64_t
manual_wall_us(const struct clock *c)
{
	return manual_of(c)->wall_us;
}

void
clock_manual_init(struct clock_manual *c, int64_t wall_us)
{
	*c = (struct clock_manual){
		.clock = { .mono_us = manual_mono_us,
			.wall_us = manual_wall_us },
		/* not 0: a machine that runs a test has been up for a while */
		.mono_us = 3600 * US_PER_S,
		.wall_us = wall_us,
	};
}

void
clock_manual_advance(struct clock_manual *c, int64_t us)
{
	c->mono_us += us;
	c->wall_us += us;
}

/* --- the calendar --------------------------------------------------------- */

/* Years are counted from March, so that the leap day is the last of its year. */
struct clock_date
clock_date_of_day(int64_t day)
{
	int64_t since = day + 719468; /* from 0000-03-01 to 1970-01-01 */
	int64_t era = since / 146097; /* of 400 years */
	int64_t doe = since - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t march = (5 * doy + 2) / 153; /* months since March */

	return (struct clock_date){
		.year = (int)(yoe + era * 400 + (march >= 10)),
		.month = (int)(march < 10 ? march + 3 : march - 9),
		.day = (int)(doy - (153 * march + 2) / 5 + 1),
	};
}

/* --- ahead of the machine ------------------------------------------------- */

static int64_t
shifted_mono_us(const struct clock *c)
{
	const struct clock_shifted *s = (const void *)c;

	return clock_mono_us(&clock_system) + atomic_load(&s->ahead_us);
}

static int64_t
shifted_wall_us(const struct clock *c)
{
	const struct clock_shifted *s = (const void *)c;

	return clock_wall_us(&clock_system) + atomic_load(&s->ahead_us);
}

void
clock_shifted_init(struct clock_shifted *c)
{
	c->clock = (struct clock){ shifted_mono_us, shifted_wall_us };
	atomic_init(&c->ahead_us, 0);
}

void
clock_shifted_advance(struct clock_shifted *c, int64_t us)
{
	atomic_fetch_add(&c->ahead_us, us);
}
