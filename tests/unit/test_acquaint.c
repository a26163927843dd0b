/*
 * test_acquaint.c - who has met whom, in fixed memory.
 */
#include "config.h"

#include "base/acquaint.h"

#include "test.h"

#define AGE 1000

static bool
has(struct acquaint *a, const char *host, const char *visitor, int64_t now_us)
{
	return acquaint_has(a, str_c(host), str_c(visitor), AGE, now_us);
}

TEST(acquaint_knows_who_has_met_whom)
{
	struct acquaint *a = acquaint_new(1000);

	CHECK(!has(a, "h", "v", 5));
	acquaint_note(a, STR("h"), STR("v"), 5);
	CHECK(has(a, "h", "v", 5));
	CHECK(!has(a, "h", "w", 5));
	CHECK(!has(a, "i", "v", 5));
	CHECK(!has(a, "v", "h", 5));
	acquaint_free(a);
}

TEST(acquaint_forgets_with_the_time)
{
	struct acquaint *a = acquaint_new(1000);

	acquaint_note(a, STR("h"), STR("v"), 5);
	CHECK(has(a, "h", "v", 5 + AGE));
	CHECK(!has(a, "h", "v", 6 + AGE));
	acquaint_note(a, STR("h"), STR("v"), 500);
	CHECK(has(a, "h", "v", 500 + AGE));
	acquaint_free(a);
}

TEST(acquaint_of_one_host_does_not_push_out_those_of_others)
{
	struct acquaint *a = acquaint_new(8000);
	size_t kept = 0;
	char text[16];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "h%d", i);
		acquaint_note(a, str_c(text), STR("home"), 1);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "v%d", i);
		acquaint_note(a, STR("busy"), str_c(text), 2 + i);
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
	acquaint_free(a);
}

TEST_MAIN
