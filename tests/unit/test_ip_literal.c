/*
 * test_ip_literal.c - which domains are addresses of IP, and which are no names.
 */
#include "config.h"

#include "xmpp/ip_literal.h"

#include <string.h>

#include "test.h"

/* n: how many bytes it has; like: it is no name. */
static const struct {
	const char *in;
	const char *bytes;
	size_t n;
	bool like;
} cases[] = {
	{ "192.0.2.1", "\xc0\0\x02\x01", 4, true },
	{ "0.0.0.0", "\0\0\0\0", 4, true },
	{ "255.255.255.255", "\xff\xff\xff\xff", 4, true },
	{ "192.0.2.1.", NULL, 0, true },
	{ "[::1]", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16, true },
	{ "[2001:db8::1]", "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16,
		true },
	{ "[2001:DB8::1]", "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16,
		true },
	{ "[2001:db8::1].", NULL, 0, true },
	{ "[::ffff:192.0.2.1]", "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01",
		16, true },
	/* as `remotes' may have it, and no domain can be */
	{ "::1", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16, false },
	/* scopes */
	{ "[fe80::1%eth0]", NULL, 0, true },
	{ "fe80::1%1", NULL, 0, false },
	/* what inet_aton() would take */
	{ "0300.0.2.1", NULL, 0, true },
	{ "192.0.2.01", NULL, 0, true },
	{ "127.1", NULL, 0, true },
	{ "3221225985", NULL, 0, true },
	{ "0xc0000201", NULL, 0, true },
	{ "192.0.2.0x1", NULL, 0, true },
	{ "192.0.2.256", NULL, 0, true },
	{ "1.192.0.2.1", NULL, 0, true },
	/* brackets that do not fit */
	{ "[192.0.2.1]", NULL, 0, true },
	{ "[2001:db8::1", NULL, 0, true },
	{ "2001:db8::1]", NULL, 0, false },
	{ "[]", NULL, 0, true },
	{ "[", NULL, 0, true },
	{ "[::1]x", NULL, 0, true },
	{ "[::1]:5269", NULL, 0, true },
	{ "192.0.2.1:5269", NULL, 0, false },
	{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL,
		0, true },
	/* names */
	{ "example.net", NULL, 0, false },
	{ "localhost", NULL, 0, false },
	{ "1.2.3.4.example", NULL, 0, false },
	{ "192.0.2.1a", NULL, 0, false },
	{ "0x7g", NULL, 0, false },
	{ "x", NULL, 0, false },
	{ " 192.0.2.1", NULL, 0, true },
	{ "192.0.2.1 ", NULL, 0, false },
	{ "", NULL, 0, false },
	{ ".", NULL, 0, false },
	{ "example..", NULL, 0, true },
};

TEST(addresses_and_what_looks_like_one)
{
	char out[IP_LITERAL_SIZE];

	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].in);
		CHECK_INT(ip_literal_read(str_c(cases[i].in), out), cases[i].n);
		CHECK(memcmp(out, cases[i].bytes != NULL ? cases[i].bytes : "",
			cases[i].n) == 0);
		CHECK(ip_literal_is_like(str_c(cases[i].in)) == cases[i].like);
	}
}

TEST(a_nul_ends_nothing)
{
	char out[IP_LITERAL_SIZE];

	CHECK_INT(ip_literal_read(STR("192.0.2.1\0.example"), out), 0);
	CHECK(!ip_literal_is_like(STR("192.0.2.1\0.example")));
	CHECK_INT(ip_literal_read(STR_NONE, out), 0);
	CHECK(!ip_literal_is_like(STR_NONE));
}

TEST_MAIN
