/*
 * http_date.c - dates as HTTP writes them (RFC 9110 §5.6.7).
 *
 * Any thread; pure functions.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "http/http_text.h"

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday",
	"Thursday", "Friday", "Saturday" };
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* The first of year 1, and the last of year 9999. */
#define EARLIEST (-62135596800LL)
#define LATEST 253402300799LL

void
http_date_write(int64_t unix_s, char out[HTTP_DATE_SIZE])
{
	time_t t = (time_t)MIN(MAX(unix_s, EARLIEST), LATEST);
	char text[80];
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		days[tm.tm_wday], tm.tm_mday, months + 3 * tm.tm_mon,
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(out, text, HTTP_DATE_SIZE);
}

/* What has been found so far; what is wrong shows at the end. */
struct reading {
	struct str rest;
	struct tm tm; /* tm_year as the text has it */
	bool bad;
};

static void
take_text(struct reading *r, const char *text)
{
	size_t n = strlen(text);

	r->bad = r->bad || !str_starts(r->rest, (struct str){ text, n });
	if (!r->bad)
		r->rest = (struct str){ r->rest.p + n, r->rest.n - n };
}

/* n digits, the first of which may be a space if spaced. */
static int
take_number(struct reading *r, size_t n, bool spaced)
{
	int value = 0;

	r->bad = r->bad || r->rest.n < n;
	for (size_t i = 0; i < n && !r->bad; i++) {
		char c = r->rest.p[i];

		if (spaced && i == 0 && c == ' ')
			c = '0';
		r->bad = c < '0' || c > '9';
		value = value * 10 + (c - '0');
	}
	if (!r->bad)
		r->rest = (struct str){ r->rest.p + n, r->rest.n - n };
	return value;
}

/* Whole names of days, or three letters of them; the day itself is not asked. */
static void
take_day_name(struct reading *r, bool whole)
{
	for (size_t i = 0; i < COUNT(days); i++) {
		size_t n = whole ? strlen(days[i]) : 3;

		if (!str_starts(r->rest, (struct str){ days[i], n }))
			continue;
		r->rest = (struct str){ r->rest.p + n, r->rest.n - n };
		return;
	}
	r->bad = true;
}

static void
take_month(struct reading *r)
{
	for (int i = 0; i < 12; i++) {
		if (!str_starts(r->rest, (struct str){ months + 3 * i, 3 }))
			continue;
		r->rest = (struct str){ r->rest.p + 3, r->rest.n - 3 };
		r->tm.tm_mon = i;
		return;
	}
	r->bad = true;
}

static void
take_time(struct reading *r)
{
	r->tm.tm_hour = take_number(r, 2, false);
	take_text(r, ":");
	r->tm.tm_min = take_number(r, 2, false);
	take_text(r, ":");
	r->tm.tm_sec = take_number(r, 2, false);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void
take_fixdate(struct reading *r)
{
	take_day_name(r, false);
	take_text(r, ", ");
	r->tm.tm_mday = take_number(r, 2, false);
	take_text(r, " ");
	take_month(r);
	take_text(r, " ");
	r->tm.tm_year = take_number(r, 4, false);
	take_text(r, " ");
	take_time(r);
	take_text(r, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; more than 50 years ahead is meant to be past. */
static void
take_rfc850(struct reading *r, int64_t now_s)
{
	time_t now = (time_t)MIN(MAX(now_s, EARLIEST), LATEST);
	struct tm tm;
	int year;

	gmtime_r(&now, &tm);
	take_day_name(r, true);
	take_text(r, ", ");
	r->tm.tm_mday = take_number(r, 2, false);
	take_text(r, "-");
	take_month(r);
	take_text(r, "-");
	year = (tm.tm_year + 1900) / 100 * 100 + take_number(r, 2, false);
	r->tm.tm_year = year > tm.tm_year + 1900 + 50 ? year - 100 : year;
	take_text(r, " ");
	take_time(r);
	take_text(r, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static void
take_asctime(struct reading *r)
{
	take_day_name(r, false);
	take_text(r, " ");
	take_month(r);
	take_text(r, " ");
	r->tm.tm_mday = take_number(r, 2, true);
	take_text(r, " ");
	take_time(r);
	take_text(r, " ");
	r->tm.tm_year = take_number(r, 4, false);
}

/* A leap second is the first second of the next minute. */
static bool
finish(const struct reading *r, int64_t *unix_s_out)
{
	struct tm day = { .tm_mday = r->tm.tm_mday,
		.tm_mon = r->tm.tm_mon,
		.tm_year = r->tm.tm_year - 1900 };
	int64_t s;

	if (r->bad || r->rest.n != 0 || r->tm.tm_hour > 23 ||
		r->tm.tm_min > 59 || r->tm.tm_sec > 60 || r->tm.tm_year < 1)
		return false;
	s = timegm(&day);
	/* the 31st of a month that has 30 days comes out as another day */
	if (day.tm_mday != r->tm.tm_mday)
		return false;
	*unix_s_out = s + r->tm.tm_hour * 3600 + r->tm.tm_min * 60 +
		r->tm.tm_sec;
	return true;
}

bool
http_date_read(struct str text, int64_t now_s, int64_t *unix_s_out)
{
	struct reading r = { .rest = text };

	if (text.n < 8)
		return false;
	if (text.p[3] == ',')
		take_fixdate(&r);
	else if (text.p[3] == ' ')
		take_asctime(&r);
	else
		take_rfc850(&r, now_s);
	return finish(&r, unix_s_out);
}
