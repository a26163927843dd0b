/*
 * fuzz_proxy_protocol.c - any bytes as a header of the PROXY protocol: it is bounded,
 * nothing behind it counts, and it does not matter how it is cut.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/proxy_protocol.h"

#include "fuzz.h"

static enum proxy_got
read_part(const uint8_t *data, size_t n, struct proxy_header *h)
{
	struct err err = ERR_INIT;
	/* a copy of that size: what is read behind it is seen */
	char *part = memcpy(xmalloc(n + (n == 0)), data, n);
	enum proxy_got got = proxy_header_read((struct str){ part, n }, h, &err);

	free(part);
	FUZZ_CHECK((got == PROXY_BAD) == (err.text[0] != '\0'));
	return got;
}

static void
check_done(const struct proxy_header *h, size_t n)
{
	FUZZ_CHECK(h->n <= n && h->n <= PROXY_HEADER_MAX && h->n >= 15);
	FUZZ_CHECK(h->told != PROXY_ADDRESS || h->ip.n == 4 || h->ip.n == 16);
	FUZZ_CHECK(h->told != PROXY_ITSELF || !h->plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct proxy_header whole = { .n = 0 }, part = { .n = 0 };
	enum proxy_got got = read_part(data, n, &whole);
	size_t cut = n / 2;

	FUZZ_CHECK(got != PROXY_MORE || n < PROXY_HEADER_MAX);
	if (got == PROXY_DONE) {
		check_done(&whole, n);
		FUZZ_CHECK(read_part(data, whole.n, &part) == PROXY_DONE);
		FUZZ_CHECK(part.n == whole.n && part.told == whole.told);
		FUZZ_CHECK(read_part(data, whole.n - 1, &part) == PROXY_MORE);
	}
	switch (read_part(data, cut, &part)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		FUZZ_CHECK(got == PROXY_DONE && part.n == whole.n);
		break;
	case PROXY_BAD:
		FUZZ_CHECK(got == PROXY_BAD);
	}
	return 0;
}
