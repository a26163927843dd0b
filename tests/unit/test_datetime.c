/*
 * test_datetime.c - dates are written and read as XEP-0082 says.
 */
#include "config.h"

#include "xmpp/datetime.h"

#include "test.h"

#define S 1000000LL

static const struct {
	const char *in;
	int64_t us;
} good[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1970-01-01T00:00:00.000001Z", 1 },
	{ "1970-01-01T00:00:01.5Z", 1500000 },
	{ "1970-01-01T00:00:00.1234567899999Z", 123456 },
	{ "2002-09-10T23:08:25Z", 1031699305 * S },
	{ "2000-02-29T12:00:00Z", 951825600 * S },
	{ "2026-11-21T09:45:00.123456Z", 1795254300 * S + 123456 },
	{ "2100-12-31T23:59:59Z", 4133980799 * S },
	{ "1969-12-31T23:00:00-01:00", 0 },
	{ "1970-01-01T14:00:00+14:00", 0 },
	{ "2101-01-01T00:30:00+01:00", (4133980800 - 1800) * S },
	{ "2004-02-29T23:30:00-00:30", 1078099200 * S },
};

static const char *const bad[] = {
	"",
	"Z",
	"2026-11-21",
	"2026-11-21T09:45:00",
	"2026-11-21T09:45Z",
	"2026-11-21 09:45:00Z",
	"2026-11-21T09:45:00.Z",
	"2026-11-21T09:45:00Zx",
	"2026-11-21T09:45:00+1:00",
	"2026-11-21T09:45:00+0100",
	"2026-11-21T09:45:00+14:01",
	"2026-11-21T09:45:00+01:60",
	"2026-11-21T24:00:00Z",
	"2026-11-21T23:60:00Z",
	"2026-11-21T23:59:60Z",
	"2026-00-21T09:45:00Z",
	"2026-13-21T09:45:00Z",
	"2026-11-00T09:45:00Z",
	"2026-11-31T09:45:00Z",
	"2025-02-29T09:45:00Z",
	"2100-02-29T09:45:00Z",
	"1969-12-31T23:59:59Z",
	"1970-01-01T00:00:00+00:01",
	"2101-01-01T00:00:00Z",
	"2100-12-31T23:59:59-00:01",
	"9999-12-31T23:59:59Z",
	"-2026-11-21T09:45:00Z",
	"+2026-11-21T09:45:00Z",
	"12026-11-21T09:45:00Z",
	"20020910T23:08:25",
	"2026-1 -21T09:45:00Z",
};

TEST(a_date_that_the_profile_allows_is_read)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t us = -1;

		TEST_CASE(good[i].in);
		CHECK(datetime_parse(str_c(good[i].in), &us));
		CHECK_INT(us, good[i].us);
	}
}

TEST(hostile_70_anything_else_is_refused_and_nothing_written)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t us = -7;

		TEST_CASE(bad[i]);
		CHECK(!datetime_parse(str_c(bad[i]), &us));
		CHECK_INT(us, -7);
	}
}

TEST(every_prefix_of_a_date_is_refused)
{
	struct str in = STR("2026-11-21T09:45:00.5+01:00");
	int64_t us;

	for (size_t n = 0; n < in.n; n++)
		CHECK(!datetime_parse((struct str){ in.p, n }, &us));
	CHECK(datetime_parse(in, &us));
}

TEST(a_date_is_written_in_whole_seconds_of_utc)
{
	char out[DATETIME_SIZE];

	CHECK_STR(datetime_format(out, 0), "1970-01-01T00:00:00Z");
	CHECK_STR(datetime_format(out, 1031699305 * S + 999999),
		"2002-09-10T23:08:25Z");
	CHECK_STR(datetime_format(out, 951825600 * S), "2000-02-29T12:00:00Z");
}

TEST(a_clock_out_of_range_still_writes_a_date_that_can_be_read)
{
	char out[DATETIME_SIZE];

	CHECK_STR(datetime_format(out, INT64_MIN), "1970-01-01T00:00:00Z");
	CHECK_STR(datetime_format(out, INT64_MAX), "2100-12-31T23:59:59Z");
}

TEST(what_is_written_reads_as_the_same_second)
{
	char out[DATETIME_SIZE];
	int64_t us;

	/* a step that meets every month, weekday and hour over 131 years */
	for (int64_t s = 0; s < 4133980800; s += 86400 * 3 + 3677) {
		CHECK(datetime_parse(datetime_format(out, s * S), &us));
		CHECK_INT(us, s * S);
	}
}

TEST(a_bound_is_moved_to_what_there_is)
{
	static const struct {
		const char *in;
		int64_t us;
	} cases[] = {
		{ "2002-09-10T23:08:25.5Z", 1031699305 * S + S / 2 },
		{ "0001-01-01T00:00:00Z", 0 },
		{ "0001-01-01T00:00:00+14:00", 0 },
		{ "1969-12-31T23:59:59.999999Z", 0 },
		{ "1970-01-01T00:00:00.000001Z", 1 },
		{ "2100-12-31T23:59:59.999999Z", 4133980800 * S - 1 },
		{ "2101-01-01T00:00:00Z", 4133980800 * S - 1 },
		{ "9999-12-31T23:59:59.9999999-14:00", 4133980800 * S - 1 },
	};
	int64_t us;

	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].in);
		CHECK(datetime_parse_bound(str_c(cases[i].in), &us));
		CHECK_INT(us, cases[i].us);
	}
	CHECK(!datetime_parse_bound(STR("0000-01-01T00:00:00Z"), &us));
	CHECK(!datetime_parse_bound(STR("9999-13-01T00:00:00Z"), &us));
	CHECK(!datetime_parse_bound(STR("10000-01-01T00:00:00Z"), &us));
}

TEST_MAIN
