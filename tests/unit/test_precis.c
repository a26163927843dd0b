/*
 * test_precis.c - the string classes, contextual rules and profiles of PRECIS.
 */
#include "config.h"

#include "xmpp/precis.h"

#include <unistr.h>

#include "base/arena.h"
#include "base/err.h"
#include "test.h"

struct prep_case {
	const char *in, *out; /* NULL: refused */
};

typedef bool prep_fn(struct str *out, struct arena *a, struct str in,
	struct err *err);

static void
check_cases(const struct prep_case *cases, size_t n, prep_fn *prep)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		struct str out = STR_NONE, again = STR_NONE;
		struct err err = ERR_INIT;

		TEST_CASE(cases[i].in);
		CHECK_INT(prep(&out, a, str_c(cases[i].in), &err),
			cases[i].out != NULL);
		CHECK_STR(out, cases[i].out);
		if (cases[i].out != NULL) {
			CHECK(prep(&again, a, out, &err));
			CHECK_STR(again, cases[i].out);
		} else {
			CHECK_INT(err.code, ERR_INVALID);
		}
		arena_free(a);
	}
}

/* RFC 8265 §3.6, and after it the rules one by one. */
static const struct prep_case usernames[] = {
	{ "juliet@example.com", "juliet@example.com" },
	{ "fussball", "fussball" },
	{ "fu\u00dfball", "fu\u00dfball" },
	{ "\u03c0", "\u03c0" },
	{ "\u03a3", "\u03c3" },
	{ "\u03c3", "\u03c3" },
	{ "\u03c2", "\u03c2" },
	{ "foo bar", NULL },
	{ "", NULL },
	{ "henry\u2163", NULL },
	{ "\u221e", NULL },
	/* case: no special final sigma; what grows; titlecase has a
	 * compatibility mapping */
	{ "\u0391\u03a3", "\u03b1\u03c3" },
	{ "\u0130", "i\u0307" },
	{ "\u1e9e", "\u00df" },
	{ "\u00c4NNA", "\u00e4nna" },
	{ "\u01c5", NULL },
	/* width */
	{ "\uff21\uff22\uff11", "ab1" },
	{ "\uff76\uff9e", "\u30ac" },
	{ "\u3000", NULL },
	{ "\uffe9", NULL },
	/* normalisation, and singletons, which have a "compatibility" form */
	{ "e\u0301", "\u00e9" },
	{ "\u212b", NULL },
	{ "\ufb01", NULL },
	/* exceptions, ignorable, unassigned, private use, controls, jamo */
	{ "\u3007", "\u3007" },
	{ "\u0640", NULL },
	{ "a\u00ad", NULL },
	{ "a\ufe0f", NULL },
	{ "a\u200b", NULL },
	{ "\u0378", NULL },
	{ "\ufdd0", NULL },
	{ "\ue000", NULL },
	{ "a\x7f", NULL },
	{ "\u1100\u1161", NULL },
	{ "\uac00", "\uac00" },
	/* contextual rules of RFC 5892 appendix A */
	{ "l\u00b7l", "l\u00b7l" },
	{ "l\u00b7", NULL },
	{ "a\u00b7l", NULL },
	{ "\u0375\u03b1", "\u0375\u03b1" },
	{ "\u0375a", NULL },
	{ "\u05d0\u05f3", "\u05d0\u05f3" },
	{ "\u05d0\u05f4\u05d1", "\u05d0\u05f4\u05d1" },
	{ "a\u05f3", NULL },
	{ "\u05f3", NULL },
	{ "\u30fb", NULL },
	{ "a\u30fb", NULL },
	{ "\u30fb\u30a2", "\u30fb\u30a2" },
	{ "\u6f22\u30fba", "\u6f22\u30fba" },
	{ "\u0628\u0660", "\u0628\u0660" },
	{ "\u0628\u0660\u06f0", NULL },
	{ "\u0628\u06f0", "\u0628\u06f0" },
	{ "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937" },
	{ "\u0915\u200d\u0937", NULL },
	{ "\u0915\u094d\u200c\u0937", "\u0915\u094d\u200c\u0937" },
	{ "\u0628\u200c\u0628", "\u0628\u200c\u0628" },
	{ "\u0628\u064e\u200c\u064e\u0628", "\u0628\u064e\u200c\u064e\u0628" },
	{ "\u0627\u200c\u0628", NULL },
	{ "\u0628\u200c", NULL },
	{ "\u200c", NULL },
	{ "a\u200cb", NULL },
	/* directions, RFC 5893 §2 */
	{ "\u05d0\u05d1", "\u05d0\u05d1" },
	{ "\u05d0a\u05d1", NULL },
	{ "a\u05d0", NULL },
	{ "1\u05d0", NULL },
	{ "\u05d01", "\u05d01" },
	{ "\u05d0-", NULL },
	{ "\u05d0\u05b0", "\u05d0\u05b0" },
	{ "\u0628\u06601", NULL },
};

/* RFC 8265 §4.3, and what usernames refuse. */
static const struct prep_case opaques[] = {
	{ "correct horse battery staple", "correct horse battery staple" },
	{ "Correct Horse Battery Staple", "Correct Horse Battery Staple" },
	{ "\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5" },
	{ "Jack of \u2666s", "Jack of \u2666s" },
	{ "foo\u1680bar", "foo bar" },
	{ "", NULL },
	{ "my cat is a \tby", NULL },
	{ " \u3000\u00a0", "   " },
	{ "henry\u2163", "henry\u2163" },
	{ "\uff21", "\uff21" },
	{ "e\u0301", "\u00e9" },
	{ "\u212b", "\u00c5" },
	{ "\u265a", "\u265a" },
	{ "\U0001f600", "\U0001f600" },
	{ "a\u05d0\u0628", "a\u05d0\u0628" },
	{ "\u2028", NULL },
	{ "\u0378", NULL },
	{ "\ue000", NULL },
	{ "\uffff", NULL },
	{ "l\u00b7l", "l\u00b7l" },
	{ "a\u00b7b", NULL },
	{ "\u1100\u1161", NULL },
};

/* RFC 8266 §3, and after it the rules one by one. */
static const struct prep_case nicknames[] = {
	{ "Foo", "foo" },
	{ "foo", "foo" },
	{ "Foo Bar", "foo bar" },
	{ "foo bar", "foo bar" },
	{ "\u03a3", "\u03c3" },
	{ "\u03c3", "\u03c3" },
	{ "\u03c2", "\u03c2" },
	{ "\u03d4", "\u03cb" }, /* takes two passes */
	{ "\u221e", "\u221e" },
	{ "Richard \u2163", "richard iv" },
	/* spaces */
	{ "  St   Peter ", "st peter" },
	{ "St\u3000\u00a0Peter", "st peter" },
	{ " ", NULL },
	{ "\u3000", NULL },
	{ "", NULL },
	/* what looks the same */
	{ "\uff21\uff22\uff11", "ab1" },
	{ "\ufb01sh", "fish" },
	{ "\u212bngstr\u00f6m", "\u00e5ngstr\u00f6m" },
	/* no bidi rule, and no more than the class lets through */
	{ "a\u05d0", "a\u05d0" },
	{ "a\u200b", NULL },
	{ "a\nb", NULL },
};

TEST(nicknames_are_compared_as_rfc_8266_says)
{
	check_cases(nicknames, COUNT(nicknames), precis_nickname_key);
}

TEST(usernames_follow_rfc_8265)
{
	check_cases(usernames, COUNT(usernames), precis_username);
}

TEST(opaque_strings_follow_rfc_8265)
{
	check_cases(opaques, COUNT(opaques), precis_opaque);
}

/* Preparing the prepared, for each character in a frame that lets contextual
 * rules and composition take hold. */
static void
check_stable(ucs4_t cp, const char *before, const char *after, prep_fn *prep)
{
	struct arena *a = arena_new();
	struct str out, again = STR_NONE;
	char in[32], hex[48];
	size_t n = strlen(before);

	snprintf(hex, sizeof(hex), "%s U+%04X %s", before, (unsigned)cp,
		after);
	TEST_CASE(hex);
	memcpy(in, before, n);
	n += (size_t)u8_uctomb((uint8_t *)in + n, cp, 8);
	memcpy(in + n, after, strlen(after));
	n += strlen(after);
	if (prep(&out, a, (struct str){ in, n }, NULL)) {
		CHECK(str_is_utf8(out));
		CHECK(prep(&again, a, out, NULL));
		CHECK(str_eq(again, out));
	}
	arena_free(a);
}

TEST(preparing_what_is_prepared_changes_nothing)
{
	for (ucs4_t cp = 1; cp < 0x20000; cp++) {
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		check_stable(cp, "", "", precis_username);
		check_stable(cp, "E\u0345", "\u0301", precis_username);
		check_stable(cp, "\u0301", "", precis_opaque);
	}
}

TEST(every_cased_letter_that_is_allowed_ends_up_in_lower_case)
{
	struct arena *a = arena_new();
	struct str upper, lower;

	CHECK(precis_username(&upper, a, STR("\u0416\u00d6\u0394A"), NULL));
	CHECK(precis_username(&lower, a, STR("\u0436\u00f6\u03b4a"), NULL));
	CHECK(str_eq(upper, lower));
	arena_free(a);
}

TEST_MAIN
