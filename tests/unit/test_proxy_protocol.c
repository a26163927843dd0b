/*
 * test_proxy_protocol.c - headers of the PROXY protocol, cut anywhere.
 */
#include "config.h"

#include "net/proxy_protocol.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include "test.h"

#define BYTES(text) { text, sizeof(text) - 1 }
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\300\0\2\7\300\0\2\1\234\100\24\146" /* 40000, 5222 */
#define IPV6                                                                   \
	"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"                                 \
	"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2\234\100\1\273"
#define X8 "xxxxxxxx"
#define X108 X8 X8 X8 X8 X8 X8 X8 X8 X8 X8 X8 X8 X8 "xxxx"
/* Up to a checksum (§2.2.3). */
#define V4_CRC SIGNATURE "\41\21\0\23" IPV4 "\3\0\4"

static const struct header_case {
	const char *name;
	struct str in;
	enum proxy_got got;
	enum proxy_told told;
	const char *ip; /* with PROXY_ADDRESS */
	unsigned port;
	bool plain;
} cases[] = {
	/* §2.1 */
	{ "TCP4", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 40000 5222\r\n"),
		PROXY_DONE, PROXY_ADDRESS, "192.0.2.7", 40000, false },
	{ "TCP6", BYTES("PROXY TCP6 2001:DB8::1 2001:db8::2 0 443\r\n"),
		PROXY_DONE, PROXY_ADDRESS, "2001:db8::1", 0, false },
	{ "IPv4 as IPv6", BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 65535\r\n"),
		PROXY_DONE, PROXY_ADDRESS, "192.0.2.7", 1, false },
	{ "unknown", BYTES("PROXY UNKNOWN\r\n"), PROXY_DONE, PROXY_SOMEBODY,
		NULL, 0, false },
	{ "unknown, and more",
		BYTES("PROXY UNKNOWN ffff::1 a b  c\r\n"), PROXY_DONE,
		PROXY_SOMEBODY, NULL, 0, false },
	{ "the longest",
		BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		PROXY_DONE, PROXY_SOMEBODY, NULL, 0, false },
	{ "one byte too long",
		BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "LF alone", BYTES("PROXY UNKNOWN\n"), PROXY_BAD, 0, NULL, 0, false },
	{ "CR alone", BYTES("PROXY UNKNOWN\rx"), PROXY_BAD, 0, NULL, 0, false },
	{ "two blanks", BYTES("PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "a blank at the end", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "a tab", BYTES("PROXY TCP4\t192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "IPv6 for TCP4", BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_BAD, 0,
		NULL, 0, false },
	{ "IPv4 for TCP6", BYTES("PROXY TCP6 192.0.2.7 ::1 1 2\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "octal", BYTES("PROXY TCP4 192.0.02.7 192.0.2.1 1 2\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "a zero in front", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "a sign", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "a port too high", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "no port", BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "no address to", BYTES("PROXY TCP4 192.0.2.7 x 1 2\r\n"), PROXY_BAD,
		0, NULL, 0, false },
	{ "UDP", BYTES("PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_BAD, 0,
		NULL, 0, false },
	{ "small letters", BYTES("proxy UNKNOWN\r\n"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "HTTP", BYTES("PUT / HTTP/1.1\r\n"), PROXY_BAD, 0, NULL, 0, false },
	{ "a stream", BYTES("<?xml version='1.0'?>"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "a client hello", BYTES("\26\3\1\2\0\1"), PROXY_BAD, 0, NULL, 0,
		false },
	/* §2.2 */
	{ "IPv4", BYTES(SIGNATURE "\41\21\0\14" IPV4), PROXY_DONE,
		PROXY_ADDRESS, "192.0.2.7", 40000, false },
	{ "IPv6", BYTES(SIGNATURE "\41\41\0\44" IPV6), PROXY_DONE,
		PROXY_ADDRESS, "2001:db8::1", 40000, false },
	{ "from UDP", BYTES(SIGNATURE "\41\22\0\14" IPV4), PROXY_DONE,
		PROXY_ADDRESS, "192.0.2.7", 40000, false },
	{ "a socket of UNIX", BYTES(SIGNATURE "\41\61\0\330" X108 X108),
		PROXY_DONE, PROXY_SOMEBODY, NULL, 0, false },
	{ "nothing is said", BYTES(SIGNATURE "\41\0\0\0"), PROXY_DONE,
		PROXY_SOMEBODY, NULL, 0, false },
	{ "nothing is said, at length", BYTES(SIGNATURE "\41\20\0\3abc"),
		PROXY_DONE, PROXY_SOMEBODY, NULL, 0, false },
	{ "LOCAL", BYTES(SIGNATURE "\40\0\0\0"), PROXY_DONE, PROXY_ITSELF, NULL,
		0, false },
	{ "LOCAL, with an address", BYTES(SIGNATURE "\40\21\0\14" IPV4),
		PROXY_DONE, PROXY_ITSELF, NULL, 0, false },
	{ "LOCAL, with anything", BYTES(SIGNATURE "\40\21\0\3abc"), PROXY_DONE,
		PROXY_ITSELF, NULL, 0, false },
	{ "without TLS", BYTES(SIGNATURE "\41\21\0\24" IPV4 "\40\0\5\0\0\0\0\1"),
		PROXY_DONE, PROXY_ADDRESS, "192.0.2.7", 40000, true },
	{ "with TLS",
		BYTES(SIGNATURE "\41\21\0\36" IPV4
				"\40\0\17\1\0\0\0\0\41\0\7TLSv1.3"),
		PROXY_DONE, PROXY_ADDRESS, "192.0.2.7", 40000, false },
	{ "what nobody knows, and a name",
		BYTES(SIGNATURE "\41\21\0\34" IPV4 "\356\0\0\4\0\2..\2\0\5a.org"),
		PROXY_DONE, PROXY_ADDRESS, "192.0.2.7", 40000, false },
	{ "a checksum", BYTES(V4_CRC "\x10\xf1\x11\x7f"), PROXY_DONE, PROXY_ADDRESS,
		"192.0.2.7", 40000, false },
	{ "a wrong checksum", BYTES(V4_CRC "\x10\xf1\x11\x7e"), PROXY_BAD, 0, NULL,
		0, false },
	{ "two checksums",
		BYTES(SIGNATURE "\41\21\0\32" IPV4 "\3\0\4....\3\0\4...."),
		PROXY_BAD, 0, NULL, 0, false },
	{ "half a checksum", BYTES(SIGNATURE "\41\21\0\21" IPV4 "\3\0\2.."),
		PROXY_BAD, 0, NULL, 0, false },
	{ "half of what says of TLS", BYTES(SIGNATURE "\41\21\0\23" IPV4 "\40\0\4...."),
		PROXY_BAD, 0, NULL, 0, false },
	{ "something that does not end", BYTES(SIGNATURE "\41\21\0\20" IPV4 "\4\0\2."),
		PROXY_BAD, 0, NULL, 0, false },
	{ "half a length", BYTES(SIGNATURE "\41\21\0\16" IPV4 "\4\0"),
		PROXY_BAD, 0, NULL, 0, false },
	{ "no room for an address", BYTES(SIGNATURE "\41\41\0\14" IPV4),
		PROXY_BAD, 0, NULL, 0, false },
	{ "version 1 in bytes", BYTES(SIGNATURE "\21"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "another command", BYTES(SIGNATURE "\42"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "another family", BYTES(SIGNATURE "\41\101"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "another transport", BYTES(SIGNATURE "\41\23"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "too long", BYTES(SIGNATURE "\41\21\17\361"), PROXY_BAD, 0, NULL, 0,
		false },
	{ "as long as may be", BYTES(SIGNATURE "\41\21\17\360"), PROXY_MORE, 0,
		NULL, 0, false },
};

static void
check_header(const struct header_case *c, const struct proxy_header *h)
{
	char text[INET6_ADDRSTRLEN] = "";

	CHECK_INT(h->told, c->told);
	CHECK_INT(h->plain, c->plain);
	CHECK_INT(h->n, c->in.n);
	if (h->told != PROXY_ADDRESS)
		return;
	inet_ntop(h->ip.n == 4 ? AF_INET : AF_INET6, h->ip.bytes, text,
		sizeof(text));
	CHECK_CSTR(text, c->ip);
	CHECK_INT(h->port, c->port);
}

/* n bytes of what there is, in memory of that size, and more behind them. */
static enum proxy_got
read_part(struct str in, size_t n, const char *more, struct proxy_header *h)
{
	struct err err = ERR_INIT;
	size_t n_more = strlen(more);
	char *part = xmalloc(n + n_more + 1);
	enum proxy_got got;

	memcpy(part, in.p, n);
	memcpy(part + n, more, n_more);
	got = proxy_header_read((struct str){ part, n + n_more }, h, &err);
	CHECK_INT(got == PROXY_BAD, err.text[0] != '\0');
	free(part);
	return got;
}

TEST(a_header_is_read_whole_or_not_at_all)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct header_case *c = &cases[i];
		struct proxy_header h = { .n = 0 };

		TEST_CASE(c->name);
		CHECK_INT(read_part(c->in, c->in.n, "", &h), c->got);
		if (c->got != PROXY_DONE)
			continue;
		check_header(c, &h);
		CHECK_INT(read_part(c->in, c->in.n, "PROXY ", &h), PROXY_DONE);
		check_header(c, &h);
		for (size_t cut = 0; cut < c->in.n; cut++)
			CHECK_INT(read_part(c->in, cut, "", &h), PROXY_MORE);
	}
}

/* Nothing is waited for that would not help. */
TEST(what_is_no_header_is_told_at_its_first_wrong_byte)
{
	static const struct str begins[] = { BYTES("PROXY "), BYTES(SIGNATURE) };

	for (size_t i = 0; i < COUNT(begins); i++)
		for (size_t cut = 0; cut < begins[i].n; cut++) {
			struct proxy_header h;
			char wrong[] = { (char)(begins[i].p[cut] ^ 1), '\0' };

			if (wrong[0] == '\0')
				continue;
			TEST_CASE(begins[i].p);
			CHECK_INT(read_part(begins[i], cut, wrong, &h),
				PROXY_BAD);
		}
}

TEST(a_line_that_does_not_end_is_not_waited_for)
{
	char line[108] = "PROXY UNKNOWN ";
	struct proxy_header h;

	memset(line + strlen(line), 'x', sizeof(line) - strlen(line));
	CHECK_INT(read_part((struct str){ line, 105 }, 105, "", &h), PROXY_MORE);
	CHECK_INT(read_part((struct str){ line, 106 }, 106, "", &h), PROXY_BAD);
}

TEST_MAIN
