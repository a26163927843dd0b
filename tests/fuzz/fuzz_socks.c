/*
 * fuzz_socks.c - any bytes as SOCKS5: what comes of them does not depend on how they
 * are cut, little is answered, and nothing is kept but a digest.
 */
#include "config.h"

#include "fuzz.h"

#include "../../modules/proxy65/proxy65_socks.h"

/* To methods, and to a request. */
#define ANSWER_MAX (2 + 10)

static void
check_done(const struct socks *s, struct str in)
{
	struct buf hex = BUF_INIT, answer = BUF_INIT;

	hex_encode(&hex, s->digest, sizeof(s->digest));
	FUZZ_CHECK(hex.n == DIGEST_HEX);
	for (size_t i = 0; i < hex.n; i++)
		FUZZ_CHECK(hex.p[i] == s->name[i] ||
			hex.p[i] == s->name[i] + ('a' - 'A'));
	socks_reply(s, SOCKS_OK, &answer);
	/* what was asked for stands at the end of what came */
	FUZZ_CHECK(answer.n == 7 + DIGEST_HEX && in.n >= answer.n);
	FUZZ_CHECK(memcmp(answer.p + 3, in.p + in.n - answer.n + 3,
			   answer.n - 3) == 0);
	buf_done(&hex);
	buf_done(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *in = (const char *)data;
	struct socks whole = { 0 }, parts = { 0 };
	struct buf one = BUF_INIT, other = BUF_INIT;
	size_t used = socks_feed(&whole, in, n, &one), at = 0;

	FUZZ_CHECK(used <= n && one.n <= ANSWER_MAX);
	FUZZ_CHECK(used == n || whole.state >= SOCKS_DONE);
	while (at < n) {
		/* a copy of that size: what is read behind it is seen */
		size_t step = MIN(n - at, (size_t)1 + (at * 7 + n) % 5);
		char *part = memcpy(xmalloc(step), in + at, step);
		size_t took = socks_feed(&parts, part, step, &other);

		free(part);
		at += took;
		if (took < step)
			break;
	}
	FUZZ_CHECK(at == used && parts.state == whole.state);
	FUZZ_CHECK(str_eq(buf_str(&one), buf_str(&other)));
	if (whole.state == SOCKS_DONE)
		check_done(&whole, (struct str){ in, used });
	buf_done(&one);
	buf_done(&other);
	return 0;
}
