/*
 * fuzz_http.c - any bytes as requests: what is read is the same however they are cut,
 * and keeps the promises of http_parse.h (tests/http/transcript.c holds it to them).
 *
 * The seeds are requests, good and bad; their names say what is to come of them
 * (tests/unit/test_http_corpus.c).
 */
#include "config.h"

#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/transcript.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = { (const char *)data, n };
	struct buf whole = BUF_INIT, cut = BUF_INIT;

	transcript(&whole, in, n, n);
	/* in two pieces at a place that the bytes choose; then byte by byte */
	transcript(&cut, in, n != 0 ? (data[n - 1] * 257u) % (n + 1) : 0, n);
	FUZZ_CHECK(str_eq(buf_str(&whole), buf_str(&cut)));
	cut.n = 0;
	transcript(&cut, in, 0, 1);
	FUZZ_CHECK(str_eq(buf_str(&whole), buf_str(&cut)));
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
