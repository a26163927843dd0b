/*
 * test_saslprep.c - preparation of passwords (RFC 4013).
 */
#include "config.h"

#include "xmpp/saslprep.h"

#include "base/buf.h"
#include "base/err.h"
#include "test.h"

static const struct {
	const char *what, *in, *out; /* out NULL: refused */
} cases[] = {
	{ "RFC 4013 §3: soft hyphen", "I\xc2\xadX", "IX" },
	{ "RFC 4013 §3: no change", "user", "user" },
	{ "RFC 4013 §3: case is kept", "USER", "USER" },
	{ "RFC 4013 §3: NFKC of U+00AA", "\xc2\xaa", "a" },
	{ "RFC 4013 §3: NFKC of U+2168", "\xe2\x85\xa8", "IX" },
	{ "RFC 4013 §3: control character", "\x07", NULL },
	{ "RFC 4013 §3: bidirectional", "\xd8\xa7" "1", NULL },
	{ "empty", "", NULL },
	{ "nothing left", "\xc2\xad", NULL },
	{ "ASCII space", " a b ", " a b " },
	{ "no-break space", "a\xc2\xa0" "b", "a b" },
	{ "ideographic space", "\xe3\x80\x80", " " },
	{ "combining", "e\xcc\x81", "\xc3\xa9" },
	{ "delete", "a\x7f", NULL },
	{ "C1 control", "\xc2\x85", NULL },
	{ "line separator", "a\xe2\x80\xa8" "b", NULL },
	{ "private use", "\xee\x80\x80", NULL },
	{ "non-character", "\xf0\x9f\xbf\xbe", NULL },
	{ "replacement character", "\xef\xbf\xbd", NULL },
	{ "tag", "\xf3\xa0\x80\x81", NULL },
	{ "not UTF-8", "a\xff", NULL },
	{ "truncated UTF-8", "a\xe2\x80", NULL },
	{ "surrogate", "\xed\xa0\x80", NULL },
	{ "emoji", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	{ "Hebrew", "\xd7\x90\xd7\x91", "\xd7\x90\xd7\x91" },
	{ "Hebrew with Latin inside", "\xd7\x90" "a\xd7\x91", NULL },
};

TEST(saslprep_prepares_or_refuses)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = BUF_INIT;
		bool ok;

		TEST_CASE(cases[i].what);
		buf_add_c(&out, "<");
		ok = saslprep(&out, str_c(cases[i].in), NULL);
		CHECK_INT(ok, cases[i].out != NULL);
		buf_consume(&out, 1);
		CHECK_STR(buf_str(&out), ok ? cases[i].out : "");
		buf_done(&out);
	}
}

TEST(saslprep_bounds_what_goes_in_and_what_comes_out)
{
	char text[SASLPREP_MAX + 1];
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	memset(text, 'a', sizeof(text));
	CHECK(saslprep(&out, (struct str){ text, SASLPREP_MAX }, &err));
	CHECK_INT(out.n, SASLPREP_MAX);
	CHECK(!saslprep(&out, (struct str){ text, SASLPREP_MAX + 1 }, &err));
	CHECK_INT(err.code, ERR_INVALID);
	/* U+FDFA becomes 18 characters */
	for (size_t i = 0; i + 3 <= SASLPREP_MAX; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	out.n = 0;
	CHECK(!saslprep(&out, (struct str){ text, SASLPREP_MAX }, &err));
	CHECK_INT(out.n, 0);
	buf_done(&out);
}

TEST(saslprep_refuses_nul)
{
	struct buf out = BUF_INIT;

	CHECK(!saslprep(&out, STR("a\0b"), NULL));
	CHECK_INT(out.n, 0);
	buf_done(&out);
}

TEST_MAIN
