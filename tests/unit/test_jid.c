/*
 * test_jid.c - addresses are split and prepared as RFC 7622 says.
 */
#include "config.h"

#include "xmpp/jid.h"

#include <unictype.h>
#include <unistr.h>

#include "base/arena.h"
#include "base/err.h"
#include "xmpp/precis.h"
#include "test.h"

/* RFC 7622 §3.5, table 1, and other ways to write an address. */
static const struct {
	const char *in, *local, *domain, *resource;
} good[] = {
	{ "juliet@example.com", "juliet", "example.com", NULL },
	{ "juliet@example.com/foo", "juliet", "example.com", "foo" },
	{ "juliet@example.com/foo bar", "juliet", "example.com", "foo bar" },
	{ "juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar" },
	{ "foo\\20bar@example.com", "foo\\20bar", "example.com", NULL },
	{ "fussball@example.com", "fussball", "example.com", NULL },
	{ "fu\u00dfball@example.com", "fu\u00dfball", "example.com", NULL },
	{ "\u03c0@example.com", "\u03c0", "example.com", NULL },
	{ "\u03a3@example.com/foo", "\u03c3", "example.com", "foo" },
	{ "\u03c3@example.com/foo", "\u03c3", "example.com", "foo" },
	{ "\u03c2@example.com/foo", "\u03c2", "example.com", "foo" },
	{ "king@example.com/\u265a", "king", "example.com", "\u265a" },
	{ "example.com", NULL, "example.com", NULL },
	{ "example.com/foobar", NULL, "example.com", "foobar" },
	{ "a.example.com/b@example.net", NULL, "a.example.com",
		"b@example.net" },
	/* erratum 4560 takes example 18 out: OpaqueString lets a resource
	 * begin with a space */
	{ "juliet@example.com/ foo", "juliet", "example.com", " foo" },
	/* XEP-0029 §4, XEP-0106 §4 */
	{ "node@domain/resource/with/slashes", "node", "domain",
		"resource/with/slashes" },
	{ "space\\20cadet@example.com", "space\\20cadet", "example.com", NULL },
	{ "call\\20me\\20\\22ishmael\\22@example.com",
		"call\\20me\\20\\22ishmael\\22", "example.com", NULL },
	{ "at\\26t\\20guy@example.com", "at\\26t\\20guy", "example.com", NULL },
	{ "\\5c3and\\2is\\5c5@example.com", "\\5c3and\\2is\\5c5", "example.com",
		NULL },
	/* case and width */
	{ "Juliet@Example.COM/Balcony", "juliet", "example.com", "Balcony" },
	{ "JULIET@example.com", "juliet", "example.com", NULL },
	{ "\uff2a\uff35@example.com/\uff2a", "ju", "example.com", "\uff2a" },
	/* domains */
	{ "localhost", NULL, "localhost", NULL },
	{ "example.com.", NULL, "example.com", NULL },
	{ "a@example.com./r", "a", "example.com", "r" },
	{ "a@EXAMPLE.com.", "a", "example.com", NULL },
	{ "b\u00fccher.example", NULL, "b\u00fccher.example", NULL },
	{ "B\u00dcCHER.example", NULL, "b\u00fccher.example", NULL },
	{ "bu\u0308cher.example", NULL, "b\u00fccher.example", NULL },
	{ "xn--bcher-kva.example", NULL, "b\u00fccher.example", NULL },
	{ "XN--BCHER-KVA.example", NULL, "b\u00fccher.example", NULL },
	{ "fu\u00df.example", NULL, "fu\u00df.example", NULL },
	{ "b\u00fccher\u3002example", NULL, "b\u00fccher.example", NULL },
	{ "\uff45\uff58.example", NULL, "ex.example", NULL },
	{ "\u05d0\u05d1.example", NULL, "\u05d0\u05d1.example", NULL },
	{ "192.0.2.1", NULL, "192.0.2.1", NULL },
	{ "a@[2001:DB8:0::1]/r", "a", "[2001:db8::1]", "r" },
	{ "[::1]", NULL, "[::1]", NULL },
	{ "a@[::1].", "a", "[::1]", NULL },
};

/* RFC 7622 §3.5, table 2, and worse. */
static const char *const bad[] = {
	"\"juliet\"@example.com",
	"foo bar@example.com",
	"@example.com/",
	"henry\u2163@example.com",
	"\u265a@example.com",
	"juliet@",
	"/foobar",
	"",
	"@",
	"/",
	"@example.com",
	"example.com/",
	"a@/b",
	"a@b@c",
	"a&b@example.com",
	"a'b@example.com",
	"a:b@example.com",
	"a<b@example.com",
	"a>b@example.com",
	"a\x01@example.com",
	"a\x7f@example.com",
	"a@example.com/\t",
	"a@example.com/\n",
	"a@example.com/b\x7f",
	/* separators that mapping would make */
	"a\uff20b@example.com",
	"a\uff0fb@example.com",
	"a@b\uff0fc",
	"a@b\u2100c",
	"a@b\uff20c",
	"a@b\u2260c",
	"b\u00fc@c@d",
	/* domains */
	".",
	"..",
	".example.com",
	"example..com",
	"example.com..",
	"example.com\u3002\u3002",
	"exa mple.com",
	"-a.example",
	"a-.example",
	"ab--c.example",
	"a_b.example",
	"a@exam:ple",
	"xn--\x80.example",
	"xn--a.example",
	"xn--bcher-kva8.example",
	"xn--.example",
	"\u265a.example",
	"\u200c.example",
	"\u0301a.example",
	"\u05d0a.example",
	"[::1",
	"[::1]x",
	"[]",
	"[fe80::1%25eth0]",
	"[127.0.0.1]",
	/* not UTF-8 */
	"\xff@example.com",
	"a@\xc3",
	"a@example.com/\xed\xa0\x80",
	"a@example.com/\xc0\x80",
	"a@example.com/\xf4\x90\x80\x80",
};

TEST(addresses_are_split_and_prepared)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct jid j = { 0 }, again = { 0 };

		TEST_CASE(good[i].in);
		if (!jid_parse(&j, a, str_c(good[i].in), &err))
			CHECK_CSTR(err.text, "");
		CHECK_STR(jid_local(j), good[i].local);
		CHECK_STR(jid_domain(j), good[i].domain);
		CHECK_STR(jid_resource(j), good[i].resource);
		CHECK(jid_parse(&again, a, jid_str(j), NULL));
		CHECK(jid_eq(j, again));
		CHECK(jid_eq(j, jid_trusted(jid_str(j))));
		arena_free(a);
	}
}

TEST(what_is_no_address_is_refused_with_a_reason)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct jid j = { 0 };

		TEST_CASE(bad[i]);
		CHECK(!jid_parse(&j, a, str_c(bad[i]), &err));
		CHECK_INT(err.code, ERR_INVALID);
		CHECK(err.text[0] != '\0');
		CHECK(!jid_is_set(j));
		arena_free(a);
	}
}

TEST(a_nul_byte_is_refused_in_every_part)
{
	static const struct str in[] = { STR("a\0b@example.com"),
		STR("example\0.com"), STR("example.com/a\0b"),
		STR("\xc3\xa4\0@b"), STR("b\xc3\xbc\0.com"),
		STR("b/\xc3\xa4\0") };
	struct arena *a = arena_new();
	struct jid j;

	for (size_t i = 0; i < COUNT(in); i++)
		CHECK(!jid_parse(&j, a, in[i], NULL));
	arena_free(a);
}

TEST(plain_ascii_is_borrowed_and_allocates_nothing)
{
	struct str in = STR("romeo@montague.example/Orchard 1");
	struct jid j;

	CHECK(jid_parse(&j, NULL, in, NULL));
	CHECK(j.text == in.p);
	CHECK_INT(j.local_len, 5);
	CHECK_INT(j.bare_len, 22);
	CHECK_INT(j.len, in.n);
}

static struct str
filled(struct arena *a, const char *unit, size_t times)
{
	size_t n = strlen(unit);
	char *p = arena_alloc(a, n * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(p + i * n, unit, n);
	return (struct str){ p, n * times };
}

TEST(a_part_has_at_most_1023_bytes_once_prepared)
{
	struct arena *a = arena_new();
	struct str out;

	CHECK(jid_prep_local(&out, a, filled(a, "a", 1023), NULL));
	CHECK(!jid_prep_local(&out, a, filled(a, "a", 1024), NULL));
	CHECK(jid_prep_local(&out, a, filled(a, "A", 1023), NULL));
	CHECK(!jid_prep_local(&out, a, filled(a, "A", 1024), NULL));
	CHECK(jid_prep_resource(&out, a, filled(a, "a", 1023), NULL));
	CHECK(!jid_prep_resource(&out, a, filled(a, "a", 1024), NULL));
	CHECK(jid_prep_local(&out, a, filled(a, "\u00e4", 511), NULL));
	CHECK(!jid_prep_local(&out, a, filled(a, "\u00e4", 512), NULL));
	/* three bytes become one, three become two */
	CHECK(jid_prep_local(&out, a, filled(a, "\uff21", 1023), NULL));
	CHECK_INT(out.n, 1023);
	CHECK(!jid_prep_local(&out, a, filled(a, "\uff21", 1024), NULL));
	CHECK(jid_prep_resource(&out, a, filled(a, "e\u0301", 511), NULL));
	CHECK_INT(out.n, 1022);
	CHECK(!jid_prep_resource(&out, a, filled(a, "e\u0301", 512), NULL));
	arena_free(a);
}

TEST(a_label_has_at_most_63_bytes_and_a_domain_253)
{
	struct arena *a = arena_new();
	struct str label = filled(a, "a", 63), out;

	CHECK(jid_prep_domain(&out, a, label, NULL));
	CHECK(!jid_prep_domain(&out, a, filled(a, "a", 64), NULL));
	CHECK(!jid_prep_domain(&out, a, filled(a, "A", 64), NULL));
	CHECK(!jid_prep_domain(&out, a, filled(a, "\u00fc", 63), NULL));
	CHECK(jid_prep_domain(&out, a,
		arena_printf(a, "%.63s.%.63s.%.63s.%.61s", label.p, label.p,
			label.p, label.p),
		NULL));
	CHECK_INT(out.n, 253);
	CHECK(!jid_prep_domain(&out, a,
		arena_printf(a, "%.63s.%.63s.%.63s.%.62s", label.p, label.p,
			label.p, label.p),
		NULL));
	arena_free(a);
}

/* What UTS #46 maps to nothing. */
static bool
is_invisible(ucs4_t cp)
{
	return uc_is_property_default_ignorable_code_point(cp);
}

TEST(hostile_17_absurd_lengths_are_refused_before_unicode_is_asked)
{
	struct arena *a = arena_new();
	struct str big = filled(a, "\u0301", 500000), out;
	struct jid j;

	CHECK(!jid_prep_local(&out, a, big, NULL));
	CHECK(!jid_prep_domain(&out, a, big, NULL));
	CHECK(!jid_prep_resource(&out, a, big, NULL));
	CHECK(!jid_parse(&j, a, big, NULL));
	CHECK(!jid_parse(&j, a, filled(a, "@", 100000), NULL));
	CHECK(!jid_parse(&j, a, filled(a, "a.", 100000), NULL));
	arena_free(a);
}

/* Libraries have been seen to drop what they should refuse. */
TEST(a_domain_keeps_or_maps_each_character_or_is_refused)
{
	for (ucs4_t cp = 1; cp < 0x20000; cp++) {
		struct arena *a = arena_new();
		struct str out = STR_NONE, again = STR_NONE, username;
		char in[32] = "a", label[16];
		size_t n = 1;

		snprintf(label, sizeof(label), "U+%04X", (unsigned)cp);
		TEST_CASE(label);
		n += (size_t)u8_uctomb((uint8_t *)in + n, cp, 8);
		memcpy(in + n, "b", 2);
		if ((cp < 0xd800 || cp >= 0xe000) &&
			jid_prep_domain(&out, a, str_c(in), NULL)) {
			CHECK(jid_prep_domain(&again, a, out, NULL));
			CHECK(str_eq(out, again));
			CHECK(precis_username(&username, a, out, NULL));
			if (str_is(out, "ab"))
				CHECK(is_invisible(cp));
		}
		arena_free(a);
	}
}

TEST(an_address_is_made_of_its_parts_and_copied)
{
	struct arena *a = arena_new();
	struct jid j = jid_make(a, STR("a"), STR("b"), STR("c")), k;

	CHECK_STR(jid_str(j), "a@b/c");
	CHECK_STR(jid_bare_str(j), "a@b");
	CHECK(!jid_is_bare(j));
	CHECK(jid_is_bare(jid_bare(j)));
	CHECK_STR(jid_str(jid_make(a, STR_NONE, STR("b"), STR_NONE)), "b");
	CHECK_STR(jid_str(jid_make(a, STR_NONE, STR("b"), STR("c"))), "b/c");
	CHECK_STR(jid_str(jid_make(a, STR("a"), STR("b"), STR_NONE)), "a@b");
	k = jid_copy(a, j);
	CHECK(k.text != j.text);
	CHECK(jid_eq(k, j));
	CHECK(jid_eq_bare(k, jid_bare(j)));
	CHECK(!jid_is_set(jid_copy(a, (struct jid){ 0 })));
	CHECK(!jid_is_set(jid_trusted(STR_NONE)));
	arena_free(a);
}

TEST(the_dns_has_other_letters)
{
	static const struct {
		const char *domain, *ascii;
	} all[] = {
		{ "example.org", "example.org" },
		{ "b\u00fccher.example", "xn--bcher-kva.example" },
		{ "fa\u00df.example", "xn--fa-hia.example" },
		{ "[2001:db8::1]", "[2001:db8::1]" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(all); i++)
		CHECK_STR(jid_domain_ascii(a, str_c(all[i].domain)),
			all[i].ascii);
	arena_free(a);
}

TEST_MAIN
