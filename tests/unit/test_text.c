/*
 * test_text.c - base64, hex, and comparison of secrets.
 */
#include "config.h"

#include "base/text.h"

#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

/* RFC 4648 §10 */
static const struct {
	const char *plain, *coded;
} base64_cases[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/" },
};

TEST(base64_goes_both_ways)
{
	for (size_t i = 0; i < COUNT(base64_cases); i++) {
		struct buf coded = BUF_INIT, plain = BUF_INIT;

		TEST_CASE(base64_cases[i].plain);
		base64_encode(&coded, base64_cases[i].plain,
			strlen(base64_cases[i].plain));
		CHECK_STR(buf_str(&coded), base64_cases[i].coded);
		CHECK(base64_decode(&plain, buf_str(&coded)));
		CHECK_STR(buf_str(&plain), base64_cases[i].plain);
		buf_done(&coded);
		buf_done(&plain);
	}
}

TEST(base64_appends_and_carries_every_byte)
{
	struct buf coded = BUF_INIT, plain = BUF_INIT;
	unsigned char all[256];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	base64_encode(&coded, all, sizeof(all));
	buf_add_c(&plain, "x");
	CHECK(base64_decode(&plain, buf_str(&coded)));
	CHECK_INT(plain.n, 1 + sizeof(all));
	CHECK(memcmp(plain.p + 1, all, sizeof(all)) == 0);
	buf_done(&coded);
	buf_done(&plain);
}

static const struct {
	const char *label;
	struct str in;
} base64_bad[] = {
	{ "no padding", { "Zg", 2 } },
	{ "half the padding", { "Zg=", 3 } },
	{ "too much padding", { "Z===", 4 } },
	{ "padding alone", { "====", 4 } },
	{ "a single =", { "=", 1 } },
	{ "padding in the middle", { "Zg==Zg==", 8 } },
	{ "letter after padding", { "Zg=v", 4 } },
	{ "white space", { "Zm9v\n", 5 } },
	{ "white space within", { "Zm 9vYg=", 8 } },
	{ "url alphabet", { "-_-_", 4 } },
	{ "NUL", { "Zm9\0", 4 } },
	{ "eight bit", { "Zm9\xff", 4 } },
	{ "unused bits after one byte", { "Zh==", 4 } },
	{ "unused bits after two bytes", { "Zm9=", 4 } },
};

TEST(base64_decode_is_strict_and_leaves_the_buffer_alone)
{
	for (size_t i = 0; i < COUNT(base64_bad); i++) {
		struct buf out = BUF_INIT;

		buf_add_c(&out, "kept");
		TEST_CASE(base64_bad[i].label);
		CHECK(!base64_decode(&out, base64_bad[i].in));
		CHECK_STR(buf_str(&out), "kept");
		buf_done(&out);
	}
}

TEST(base64_decode_takes_nothing_for_nothing)
{
	struct buf out = BUF_INIT;

	CHECK(base64_decode(&out, STR_NONE));
	CHECK(base64_decode(&out, STR("")));
	CHECK_INT(out.n, 0);
	buf_done(&out);
}

TEST(hex_is_lower_case)
{
	struct buf out = BUF_INIT;

	hex_encode(&out, "\x00\x9f\xff", 3);
	CHECK_STR(buf_str(&out), "009fff");
	buf_done(&out);
}

TEST(secret_eq_compares_whole_texts)
{
	CHECK(secret_eq(STR("s3cret"), STR("s3cret")));
	CHECK(!secret_eq(STR("s3cret"), STR("s3cres")));
	CHECK(!secret_eq(STR("s3cret"), STR("s3cre")));
	CHECK(secret_eq(STR(""), STR_NONE));
	CHECK(!secret_eq(STR("a\0b"), STR("a\0c")));
}

TEST_MAIN
