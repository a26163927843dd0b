/*
 * test_visitors.c - who has met whom, in fixed memory.
 */
#include "config.h"

#include "base/visitors.h"

#include "test.h"

#define AGE 1000

static bool
has(struct visitors *a, const char *host, const char *visitor, int64_t now_us)
{
	return visitors_has(a, str_c(host), str_c(visitor), AGE, now_us);
}

TEST(acquaint_knows_who_has_met_whom)
{
	struct visitors *a = visitors_new(1000);

	CHECK(!has(a, "h", "v", 5));
	visitors_note(a, STR("h"), STR("v"), 5);
	CHECK(has(a, "h", "v", 5));
	CHECK(!has(a, "h", "w", 5));
	CHECK(!has(a, "i", "v", 5));
	CHECK(!has(a, "v", "h", 5));
	visitors_free(a);
}

TEST(acquaint_forgets_with_the_time)
{
	struct visitors *a = visitors_new(1000);

	visitors_note(a, STR("h"), STR("v"), 5);
	CHECK(has(a, "h", "v", 5 + AGE));
	CHECK(!has(a, "h", "v", 6 + AGE));
	visitors_note(a, STR("h"), STR("v"), 500);
	CHECK(has(a, "h", "v", 500 + AGE));
	visitors_free(a);
}

TEST(acquaint_of_one_host_does_not_push_out_those_of_others)
{
	struct visitors *a = visitors_new(8000);
	size_t kept = 0;
	char text[16];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "h%d", i);
		visitors_note(a, str_c(text), STR("home"), 1);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "v%d", i);
		visitors_note(a, STR("busy"), str_c(text), 2 + i);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "h%d", i);
		kept += has(a, text, "home", 3);
	}
	CHECK(kept >= 490);
	/* and of its own it knows those that came last */
	CHECK(has(a, "busy", "v9999", 10001));
	CHECK(has(a, "busy", "v9992", 10001));
	CHECK(!has(a, "busy", "v9991", 10001));
	visitors_free(a);
}

TEST_MAIN
