/*
 * clock.h - what time it is, behind an interface that a test can move.
 *
 * Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define US_PER_S INT64_C(1000000)
#define US_PER_MS INT64_C(1000)

struct clock {
	int64_t (*mono_us)(const struct clock *c); /* never goes back */
	int64_t (*wall_us)(const struct clock *c); /* since 1970, UTC */
};

/* The machine's clocks. */
extern const struct clock clock_system;

static inline int64_t
clock_mono_us(const struct clock *c)
{
	return c->mono_us(c);
}

static inline int64_t
clock_wall_us(const struct clock *c)
{
	return c->wall_us(c);
}

/* The calendar, computed here: gmtime_r() takes a lock, which all threads would
 * share, and which a handler of signals may find taken. */
struct clock_date {
	int year, month, day; /* 1 to 12, 1 to 31 */
};

/* Of a day since 1970-01-01 that is not before the year 0. */
struct clock_date clock_date_of_day(int64_t day);

/* The processor's time that the calling thread has used. */
int64_t clock_thread_us(void);

/* The machine's clocks and an offset, which a test adds to from any thread. */
struct clock_shifted {
	struct clock clock;
	atomic_int_fast64_t ahead_us;
};

void clock_shifted_init(struct clock_shifted *c);
void clock_shifted_advance(struct clock_shifted *c, int64_t us);

/* A clock that stands still until it is moved: both times advance together. */
struct clock_manual {
	struct clock clock;
	int64_t mono_us;
	int64_t wall_us;
};

void clock_manual_init(struct clock_manual *c, int64_t wall_us);
void clock_manual_advance(struct clock_manual *c, int64_t us);

#endif
