/*
 * test_quota.c - how much each of many has.
 */
#include "config.h"

#include "base/quota.h"

#include "base/buf.h"

#include "test.h"

#define MANY 300

TEST(quotas_of_nobody_take_nothing)
{
	struct quotas *s = NULL;

	CHECK_INT(quotas_get(s, STR("a")).n, 0);
	CHECK_INT(quotas_apart(s).n, 0);
	quotas_set(&s, STR("a"), (struct quota){ .n = 0, .bytes = 5 });
	CHECK(s == NULL);
	quotas_set(&s, STR("a"), (struct quota){ .n = 1, .bytes = 5 });
	CHECK(s != NULL);
	quotas_set(&s, STR("a"), (struct quota){ .n = 0 });
	CHECK(s == NULL);
	quotas_free(&s);
	CHECK(s == NULL);
}

TEST(quotas_are_found_by_name_and_added_up)
{
	struct quotas *s = NULL;
	char name[16];
	struct quota got;

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		quotas_set(&s, str_c(name), (struct quota){ 1, i, false });
		quotas_set(&s, str_c(name),
			(struct quota){ i + 1, 2 * i, i % 3 == 0 });
	}
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		got = quotas_get(s, str_c(name));
		CHECK_INT(got.n, i + 1);
		CHECK_INT(got.bytes, 2 * i);
	}
	CHECK_INT(quotas_get(s, STR("n")).n, 0);
	got = quotas_apart(s);
	CHECK_INT(got.n, 3 * (99 * 100 / 2) + 100);
	CHECK_INT(got.bytes, 2 * 3 * (99 * 100 / 2));
	quotas_free(&s);
	CHECK(s == NULL);
}

TEST(quotas_grow_and_shrink_by_one)
{
	struct quotas *s = NULL;

	quotas_less(&s, STR("a"), 10);
	CHECK(s == NULL);
	quotas_more(&s, STR("a"), 10, true);
	quotas_more(&s, STR("a"), 5, false);
	CHECK_INT(quotas_get(s, STR("a")).bytes, 15);
	CHECK_INT(quotas_apart(s).n, 0);
	quotas_less(&s, STR("a"), 100);
	CHECK_INT(quotas_get(s, STR("a")).n, 1);
	CHECK_INT(quotas_get(s, STR("a")).bytes, 0);
	quotas_less(&s, STR("a"), 1);
	CHECK(s == NULL);
}

TEST(quota_is_read_as_it_was_written)
{
	static const char *const odd[] = { "", "*", "1", "0 5", "*0 5", "1 -1",
		"x 1", "1 x", "1 99999999999999999999", "-1 1", "1  1" };
	struct quota got = { 7, 1200, true };
	struct buf text = BUF_INIT;

	quota_format(&text, got);
	CHECK_STR(buf_str(&text), "*7 1200");
	got = quota_parse(buf_str(&text));
	CHECK(got.n == 7 && got.bytes == 1200 && got.apart);
	got = quota_parse(STR("7 0"));
	CHECK(got.n == 7 && got.bytes == 0 && !got.apart);
	for (size_t i = 0; i < COUNT(odd); i++)
		CHECK_INT(quota_parse(str_c(odd[i])).n, 0);
	buf_done(&text);
}

TEST_MAIN
