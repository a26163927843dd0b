/*
 * test_buf.c - a growing run of bytes.
 */
#include "config.h"

#include "base/buf.h"

#include "base/mem.h"
#include "test.h"

TEST(buf_zeroed_is_empty_and_holds_no_memory)
{
	struct buf b = BUF_INIT;

	CHECK_STR(buf_str(&b), "");
	CHECK_INT(b.cap, 0);
	buf_add(&b, NULL, 0);
	buf_consume(&b, 0);
	CHECK_INT(b.cap, 0);
	buf_done(&b);
}

TEST(buf_grows_by_what_is_added)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_add_c(&b, "0123456789");
	CHECK_INT(b.n, 10000);
	CHECK(memcmp(b.p + 9990, "0123456789", 10) == 0);
	CHECK(b.cap < 4 * b.n);
	buf_done(&b);
	CHECK_INT(b.n, 0);
	CHECK(b.p == NULL);
}

TEST(buf_reserve_does_not_count_until_it_is_used)
{
	struct buf b = BUF_INIT;
	char *room = buf_reserve(&b, 5);

	CHECK_INT(b.n, 0);
	memcpy(room, "hello", 5);
	b.n += 5;
	CHECK_STR(buf_str(&b), "hello");
	buf_done(&b);
}

TEST(buf_consume_drops_from_the_front)
{
	struct buf b = BUF_INIT;

	buf_add_str(&b, STR("abcdef"));
	buf_consume(&b, 2);
	CHECK_STR(buf_str(&b), "cdef");
	buf_consume(&b, 4);
	CHECK_STR(buf_str(&b), "");
	buf_done(&b);
}

TEST(buf_c_ends_in_a_nul_that_does_not_count)
{
	struct buf b = BUF_INIT;

	CHECK_CSTR(buf_c(&b), "");
	buf_printf(&b, "%s=%d", "h", 118);
	CHECK_CSTR(buf_c(&b), "h=118");
	CHECK_INT(b.n, 5);
	buf_printf(&b, "%400d", 1);
	CHECK_INT(b.n, 405);
	buf_done(&b);
}

TEST_MAIN
