/*
 * test_proxy65_socks.c - SOCKS5 as a proxy for bytestreams speaks it, cut anywhere.
 */
#include "config.h"

#include "../../modules/proxy65/proxy65_socks.h"

#include "test.h"

#define NAME "0123456789abcdefABCDEF0123456789abcdef01"
#define HELLO "\5\1\0"
#define CONNECT "\5\1\0\3\50" NAME "\0\0"
#define REFUSAL(reply) "\5" reply "\0\1\0\0\0\0\0\0"

#define BYTES(text) { text, sizeof(text) - 1 }

static const struct socks_case {
	const char *name;
	struct str in, out;
	enum socks_state state;
	size_t used; /* 0: all */
} cases[] = {
	{ "nothing", BYTES(""), BYTES(""), SOCKS_METHODS, 0 },
	{ "a greeting", BYTES(HELLO), BYTES("\5\0"), SOCKS_REQUEST, 0 },
	{ "several methods", BYTES("\5\3\2\0\1"), BYTES("\5\0"), SOCKS_REQUEST,
		0 },
	{ "a name and a password alone", BYTES("\5\1\2"), BYTES("\5\xff"),
		SOCKS_REFUSED, 0 },
	{ "no method", BYTES("\5\0x"), BYTES("\5\xff"), SOCKS_REFUSED, 2 },
	{ "SOCKS4", BYTES("\4\1\0\x50"), BYTES(""), SOCKS_REFUSED, 1 },
	{ "HTTP", BYTES("GET / HTTP/1.1\r\n"), BYTES(""), SOCKS_REFUSED, 1 },
	{ "all of it", BYTES(HELLO CONNECT), BYTES("\5\0"), SOCKS_DONE, 0 },
	{ "more behind it", BYTES(HELLO CONNECT "early"), BYTES("\5\0"),
		SOCKS_DONE, 50 },
	{ "a port", BYTES(HELLO "\5\1\0\3\50" NAME "\x12\x34"), BYTES("\5\0"),
		SOCKS_DONE, 0 },
	{ "another version", BYTES(HELLO "\4\1"), BYTES("\5\0" REFUSAL("\1")),
		SOCKS_REFUSED, 4 },
	{ "BIND", BYTES(HELLO "\5\2\0\3"), BYTES("\5\0" REFUSAL("\7")),
		SOCKS_REFUSED, 5 },
	{ "UDP", BYTES(HELLO "\5\3\0\3"), BYTES("\5\0" REFUSAL("\7")),
		SOCKS_REFUSED, 5 },
	{ "something reserved", BYTES(HELLO "\5\1\1"),
		BYTES("\5\0" REFUSAL("\1")), SOCKS_REFUSED, 6 },
	{ "IPv4", BYTES(HELLO "\5\1\0\1\x7f\0\0\1\0\x16"),
		BYTES("\5\0" REFUSAL("\10")), SOCKS_REFUSED, 7 },
	{ "IPv6", BYTES(HELLO "\5\1\0\4"), BYTES("\5\0" REFUSAL("\10")),
		SOCKS_REFUSED, 7 },
	{ "a host", BYTES(HELLO "\5\1\0\3\13example.org\0\x50"),
		BYTES("\5\0" REFUSAL("\2")), SOCKS_REFUSED, 8 },
	{ "no name", BYTES(HELLO "\5\1\0\3\0\0\0"),
		BYTES("\5\0" REFUSAL("\2")), SOCKS_REFUSED, 8 },
	{ "no digest", BYTES(HELLO "\5\1\0\3\50" "0123x"),
		BYTES("\5\0" REFUSAL("\2")), SOCKS_REFUSED, 13 },
	{ "nearly all", BYTES(HELLO "\5\1\0\3\50" NAME "\0"), BYTES("\5\0"),
		SOCKS_REQUEST, 0 },
};

static void
check_state(const struct socks_case *c, const struct socks *s, size_t used,
	struct buf *out)
{
	CHECK_INT(s->state, c->state);
	CHECK_INT(used, c->used != 0 ? c->used : c->in.n);
	CHECK(str_eq(buf_str(out), c->out));
	buf_done(out);
}

/* At every cut, and in single bytes. */
TEST(it_does_not_matter_how_what_is_said_is_cut)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct socks_case *c = &cases[i];

		TEST_CASE(c->name);
		for (size_t cut = 0; cut <= c->in.n; cut++) {
			struct socks s = { 0 };
			struct buf out = BUF_INIT;
			size_t used = socks_feed(&s, c->in.p, cut, &out);

			used += socks_feed(&s, c->in.p + cut, c->in.n - cut,
				&out);
			check_state(c, &s, used, &out);
		}
		for (size_t step = 1; step < 5; step++) {
			struct socks s = { 0 };
			struct buf out = BUF_INIT;
			size_t used = 0;

			for (size_t at = 0; at < c->in.n; at += step)
				used += socks_feed(&s, c->in.p + at,
					MIN(step, c->in.n - at), &out);
			check_state(c, &s, used, &out);
		}
	}
}

TEST(the_answer_repeats_what_was_asked_for)
{
	struct str in = BYTES(HELLO "\5\1\0\3\50" NAME "\x12\x34");
	struct str want = BYTES("\5\0\5\0\0\3\50" NAME "\x12\x34");
	struct str refused = BYTES("\5\2\0\3\50" NAME "\x12\x34");
	static const uint8_t digest[DIGEST_BYTES] = { 0x01, 0x23, 0x45, 0x67,
		0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
		0x67, 0x89, 0xab, 0xcd, 0xef, 0x01 };
	struct socks s = { 0 };
	struct buf out = BUF_INIT;

	CHECK_INT(socks_feed(&s, in.p, in.n, &out), in.n);
	CHECK_INT(s.state, SOCKS_DONE);
	CHECK(memcmp(s.digest, digest, sizeof(digest)) == 0);
	socks_reply(&s, SOCKS_OK, &out);
	CHECK(str_eq(buf_str(&out), want));
	out.n = 0;
	socks_reply(&s, SOCKS_NOT_ALLOWED, &out);
	CHECK(str_eq(buf_str(&out), refused));
	buf_done(&out);
}

static void
check_digest(const char *sid, const char *from, const char *to, const char *want)
{
	struct arena *a = arena_new();
	uint8_t digest[DIGEST_BYTES];
	struct jid jids[2];
	struct buf hex = BUF_INIT;

	CHECK(jid_parse(&jids[0], a, str_c(from), NULL));
	CHECK(jid_parse(&jids[1], a, str_c(to), NULL));
	proxy65_digest(str_c(sid), jids[0], jids[1], digest);
	hex_encode(&hex, digest, sizeof(digest));
	CHECK_STR(buf_str(&hex), want);
	buf_done(&hex);
	arena_free(a);
}

/* The first two are those of XEP-0260 §2.2; the others by sha1sum(1). */
TEST(a_transfer_has_the_name_that_both_ends_reckon)
{
	static const char romeo[] = "romeo@montague.lit/orchard",
			  juliet[] = "juliet@capulet.lit/balcony";

	check_digest("vj3hs98y", romeo, juliet,
		"972b7bf47291ca609517f67f86b5081086052dad");
	check_digest("vj3hs98y", juliet, romeo,
		"1a12fb7bc625e55f3ed5b29a53dbe0e4aa7d80ba");
	/* prepared, but for the resource */
	check_digest("vj3hs98y", "ROMEO@Montague.LIT/orchard", juliet,
		"972b7bf47291ca609517f67f86b5081086052dad");
	check_digest("vj3hs98y", "romeo@montague.lit/Orchard", juliet,
		"1b8e384769260efd959af6fb07472e44a4add06e");
	check_digest("", "montague.lit", "romeo@montague.lit", "0cd7e454e0517ca8ed415cdcf2f91cac5874329c");
}

TEST_MAIN
