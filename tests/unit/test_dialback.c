/*
 * test_dialback.c - keys of Server Dialback.
 */
#include "config.h"

#include "stream/server/dialback.h"

#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

/* XEP-0185 §3, and the examples of XEP-0220 §2.1.1 and §2.2.2. */
static const struct {
	const char *secret, *receiving, *originating, *id, *key;
} vectors[] = {
	{ "s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
		"37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643" },
	{ "s3cr3tf0rd14lb4ck", "montague.example", "capulet.example",
		"D60000229F",
		"b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3" },
	{ "d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
		"225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d" },
};

TEST(keys_are_those_of_the_examples)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char key[DIALBACK_KEY_SIZE];

		TEST_CASE(vectors[i].id);
		dialback_key(key, str_c(vectors[i].secret),
			str_c(vectors[i].receiving),
			str_c(vectors[i].originating), str_c(vectors[i].id));
		CHECK_STR(str_c(key), vectors[i].key);
	}
}

static bool
key_ok(const char *key, const char *receiving, const char *originating,
	const char *id)
{
	return dialback_key_ok(str_c(key), STR("s3cr3tf0rd14lb4ck"),
		str_c(receiving), str_c(originating), str_c(id));
}

/* XEP-0220 has line feeds and blanks around it. */
TEST(a_key_is_known_again_with_blanks_around_it)
{
	struct buf key = BUF_INIT;

	CHECK(key_ok(vectors[0].key, "xmpp.example.com", "example.org",
		"D60000229F"));
	buf_printf(&key, "\n\t  %s \r\n", vectors[0].key);
	CHECK(key_ok(buf_c(&key), "xmpp.example.com", "example.org",
		"D60000229F"));
	buf_done(&key);
}

/* hostile 39 */
TEST(a_key_is_for_one_set_of_fields)
{
	const char *key = vectors[0].key;
	char wrong[DIALBACK_KEY_SIZE];

	CHECK(!key_ok(key, "xmpp.example.co", "mexample.org", "D60000229F"));
	CHECK(!key_ok(key, "xmpp.example.com", "example.or", "gD60000229F"));
	CHECK(!key_ok(key, "example.org", "xmpp.example.com", "D60000229F"));
	CHECK(!key_ok(key, "xmpp.example.com", "example.org", "D60000229f"));
	CHECK(!key_ok(key, "xmpp.example.com", "example.org", ""));
	CHECK(!key_ok("", "xmpp.example.com", "example.org", "D60000229F"));
	memcpy(wrong, key, sizeof(wrong));
	wrong[DIALBACK_KEY_SIZE - 2] ^= 1;
	CHECK(!key_ok(wrong, "xmpp.example.com", "example.org", "D60000229F"));
	wrong[DIALBACK_KEY_SIZE - 2] = '\0';
	CHECK(!key_ok(wrong, "xmpp.example.com", "example.org", "D60000229F"));
	CHECK(!dialback_key_ok(str_c(key), STR("another"),
		STR("xmpp.example.com"), STR("example.org"),
		STR("D60000229F")));
}

TEST_MAIN
