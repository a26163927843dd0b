/*
 * test_str.c - text by pointer and length.
 */
#include "config.h"

#include "base/str.h"

#include <limits.h>

#include "base/mem.h"
#include "test.h"

TEST(str_eq_compares_lengths_and_bytes)
{
	CHECK(str_eq(STR("a"), str_c("a")));
	CHECK(!str_eq(STR("a"), STR("b")));
	CHECK(!str_eq(STR("a"), STR("ab")));
	CHECK(str_eq(STR_NONE, STR("")));
	CHECK(str_is(STR("abc"), "abc"));
	CHECK(!str_is(STR("abc"), "ab"));
	CHECK(str_is(STR_NONE, ""));
	CHECK(!str_eq(STR("a\0b"), STR("a\0c")));
}

TEST(str_starts_needs_the_whole_prefix)
{
	CHECK(str_starts(STR("example.net"), STR("example")));
	CHECK(str_starts(STR("example"), STR("example")));
	CHECK(str_starts(STR("example"), STR("")));
	CHECK(str_starts(STR_NONE, STR_NONE));
	CHECK(!str_starts(STR("exam"), STR("example")));
}

static const struct {
	const char *a, *b;
	int order;
} cmp_cases[] = {
	{ "", "", 0 },
	{ "", "a", -1 },
	{ "a", "ab", -1 },
	{ "ab", "a", 1 },
	{ "b", "ab", 1 },
	{ "\x7f", "\x80", -1 },
};

TEST(str_cmp_orders_by_bytes_then_by_length)
{
	for (size_t i = 0; i < COUNT(cmp_cases); i++) {
		int diff =
			str_cmp(str_c(cmp_cases[i].a), str_c(cmp_cases[i].b));

		TEST_CASE(cmp_cases[i].a);
		CHECK_INT((diff > 0) - (diff < 0), cmp_cases[i].order);
	}
}

static const struct {
	const char *in, *head, *tail;
} cut_cases[] = {
	{ "a/b/c", "a", "b/c" },
	{ "/b", "", "b" },
	{ "a/", "a", "" },
	{ "abc", "abc", NULL },
	{ "", "", NULL },
};

TEST(str_cut_splits_at_the_first_separator)
{
	for (size_t i = 0; i < COUNT(cut_cases); i++) {
		struct str head, tail;

		TEST_CASE(cut_cases[i].in);
		CHECK_INT(str_cut(str_c(cut_cases[i].in), '/', &head, &tail),
			cut_cases[i].tail != NULL);
		CHECK_STR(head, cut_cases[i].head);
		CHECK_STR(tail, cut_cases[i].tail);
	}
}

TEST(str_trim_takes_blanks_from_both_ends)
{
	CHECK_STR(str_trim(STR(" \t\r\n a b \n")), "a b");
	CHECK_STR(str_trim(STR(" \t")), "");
	CHECK_STR(str_trim(STR("")), "");
	CHECK_STR(str_trim(STR_NONE), NULL);
}

static const struct {
	const char *in;
	long long min, max;
	bool ok;
	long long value;
} int_cases[] = {
	{ "0", 0, 10, true, 0 },
	{ "10", 0, 10, true, 10 },
	{ "11", 0, 10, false, 0 },
	{ "-1", -1, 10, true, -1 },
	{ "-1", 0, 10, false, 0 },
	{ "007", 0, 10, true, 7 },
	{ "", 0, 10, false, 0 },
	{ "-", -10, 10, false, 0 },
	{ "+1", 0, 10, false, 0 },
	{ " 1", 0, 10, false, 0 },
	{ "1 ", 0, 10, false, 0 },
	{ "0x1", 0, 10, false, 0 },
	{ "9223372036854775807", 0, LLONG_MAX, true, LLONG_MAX },
	{ "9223372036854775808", 0, LLONG_MAX, false, 0 },
	{ "-9223372036854775808", LLONG_MIN, 0, true, LLONG_MIN },
	{ "-9223372036854775809", LLONG_MIN, 0, false, 0 },
	{ "99999999999999999999999", LLONG_MIN, LLONG_MAX, false, 0 },
};

TEST(str_to_int_takes_digits_within_bounds_only)
{
	for (size_t i = 0; i < COUNT(int_cases); i++) {
		long long out = 4711;

		TEST_CASE(int_cases[i].in);
		CHECK_INT(str_to_int(str_c(int_cases[i].in), int_cases[i].min,
				  int_cases[i].max, &out),
			int_cases[i].ok);
		CHECK_INT(out, int_cases[i].ok ? int_cases[i].value : 4711);
	}
}

static const struct {
	const char *label;
	struct str in;
	bool ok;
} utf8_cases[] = {
	{ "empty", { "", 0 }, true },
	{ "absent", { NULL, 0 }, true },
	{ "ascii", { "abc", 3 }, true },
	{ "two bytes", { "\xc3\xa4", 2 }, true },
	{ "four bytes", { "\xf0\x9f\x98\x80", 4 }, true },
	{ "nul", { "a\0b", 3 }, false },
	{ "cut short", { "\xc3", 1 }, false },
	{ "stray continuation", { "\x80", 1 }, false },
	{ "overlong", { "\xc0\xaf", 2 }, false },
	{ "surrogate", { "\xed\xa0\x80", 3 }, false },
	{ "above U+10FFFF", { "\xf4\x90\x80\x80", 4 }, false },
};

TEST(str_is_utf8_refuses_what_rfc_3629_refuses)
{
	for (size_t i = 0; i < COUNT(utf8_cases); i++) {
		TEST_CASE(utf8_cases[i].label);
		CHECK_INT(str_is_utf8(utf8_cases[i].in), utf8_cases[i].ok);
	}
}

TEST(str_dup_ends_in_nul)
{
	char *copy = str_dup((struct str){ "romeo@example.net", 5 });

	CHECK_CSTR(copy, "romeo");
	free(copy);
	copy = str_dup(STR_NONE);
	CHECK_CSTR(copy, "");
	free(copy);
}

TEST_MAIN
