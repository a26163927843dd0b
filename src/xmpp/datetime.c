/*
 * datetime.c - date and time profiles (XEP-0082).
 *
 * Any thread.
 */
#include "config.h"

#include "xmpp/datetime.h"

#include <stdio.h>

#include "base/clock.h"

#define SECOND_US 1000000LL
#define DAY_S 86400LL
#define LAST_YEAR 2100
/* 2101-01-01T00:00:00Z */
#define END_S 4133980800LL
#define LAST_US (END_S * SECOND_US - 1)
/* XML Schema allows zones up to 14 hours away from UTC. */
#define ZONE_MAX_HOURS 14

static int64_t
day_of_date(struct clock_date d)
{
	int64_t year = d.year - (d.month <= 2);
	int64_t era = year / 400;
	int64_t yoe = year - era * 400;
	int64_t march = d.month > 2 ? d.month - 3 : d.month + 9;
	int64_t doy = (153 * march + 2) / 5 + d.day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct str
datetime_format(char out[DATETIME_SIZE], int64_t wall_us)
{
	int64_t s = wall_us / SECOND_US;
	struct clock_date d;
	int rest, n;

	/* a clock that is set wrongly must not write what we would refuse */
	if (s < 0)
		s = 0;
	if (s >= END_S)
		s = END_S - 1;
	d = clock_date_of_day(s / DAY_S);
	rest = (int)(s % DAY_S);
	n = snprintf(out, DATETIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		d.year % 10000, d.month % 100, d.day % 100, rest / 3600,
		rest / 60 % 60, rest % 60);
	return (struct str){ out, (size_t)n };
}

/* Takes n digits off the front of in. */
static bool
take_number(struct str *in, size_t n, int min, int max, int *out)
{
	int value = 0;

	if (in->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (in->p[i] < '0' || in->p[i] > '9')
			return false;
		value = value * 10 + (in->p[i] - '0');
	}
	if (value < min || value > max)
		return false;
	in->p += n;
	in->n -= n;
	*out = value;
	return true;
}

static bool
take_char(struct str *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	in->p++;
	in->n--;
	return true;
}

static bool
take_date(struct str *in, int first_year, int last_year, struct clock_date *d)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap;

	if (!take_number(in, 4, first_year, last_year, &d->year) ||
		!take_char(in, '-') || !take_number(in, 2, 1, 12, &d->month) ||
		!take_char(in, '-') ||
		!take_number(in, 2, 1, days[d->month - 1], &d->day))
		return false;
	leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
	return leap || d->month != 2 || d->day < 29;
}

static bool
take_time(struct str *in, int64_t *s)
{
	int hour, minute, second;

	if (!take_number(in, 2, 0, 23, &hour) || !take_char(in, ':') ||
		!take_number(in, 2, 0, 59, &minute) || !take_char(in, ':') ||
		!take_number(in, 2, 0, 59, &second))
		return false;
	*s = hour * 3600 + minute * 60 + second;
	return true;
}

/* Any number of digits; what is below a microsecond is dropped. */
static bool
take_fraction(struct str *in, int64_t *us)
{
	int64_t unit = SECOND_US / 10;
	int digit;

	*us = 0;
	if (!take_char(in, '.'))
		return true;
	if (!take_number(in, 1, 0, 9, &digit))
		return false;
	do {
		*us += digit * unit;
		unit /= 10;
	} while (take_number(in, 1, 0, 9, &digit));
	return true;
}

/* Seconds that the zone is ahead of UTC. */
static bool
take_zone(struct str *in, int64_t *s)
{
	bool behind;
	int hours, minutes;

	*s = 0;
	if (take_char(in, 'Z'))
		return true;
	behind = take_char(in, '-');
	if (!behind && !take_char(in, '+'))
		return false;
	if (!take_number(in, 2, 0, ZONE_MAX_HOURS, &hours) ||
		!take_char(in, ':') || !take_number(in, 2, 0, 59, &minutes) ||
		hours * 60 + minutes > ZONE_MAX_HOURS * 60)
		return false;
	*s = (behind ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

/* Microseconds since 1970. */
static bool
parse(struct str in, int first_year, int last_year, int64_t *us_out)
{
	struct clock_date d;
	int64_t s, us, ahead_s;

	if (!take_date(&in, first_year, last_year, &d) ||
		!take_char(&in, 'T') || !take_time(&in, &s) ||
		!take_fraction(&in, &us) || !take_zone(&in, &ahead_s) ||
		in.n != 0)
		return false;
	s += day_of_date(d) * DAY_S - ahead_s;
	*us_out = s * SECOND_US + us;
	return true;
}

/* A zone may move the last day of 1969 into 1970, and so at the end. */
bool
datetime_parse(struct str in, int64_t *wall_us_out)
{
	int64_t us;

	if (!parse(in, 1969, LAST_YEAR + 1, &us) || us < 0 || us > LAST_US)
		return false;
	*wall_us_out = us;
	return true;
}

bool
datetime_parse_bound(struct str in, int64_t *wall_us_out)
{
	int64_t us;

	if (!parse(in, 1, 9999, &us))
		return false;
	*wall_us_out = us < 0 ? 0 : us > LAST_US ? LAST_US : us;
	return true;
}
