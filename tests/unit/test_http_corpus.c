/*
 * test_http_corpus.c - each request in tests/fuzz/corpus/http comes to what its name
 * says, however it is cut: ok-*.req is taken whole, 400-*.req and so on are refused
 * with that status.  They are for the host example.org, and nearly all for the path
 * /x.
 *
 * test_http_lenient is the same program with an llhttp that is as lenient as it can
 * be: nothing may depend on how strict it is.
 */
#include "config.h"

#include "http/http_parse.h"

#include "base/buf.h"
#include "http/transcript.h"

#include "http_corpus.h"
#include "test.h"

/* The last line says how it ended. */
static struct str
last_line(struct str text)
{
	struct str line = STR_NONE, rest = text;

	while (rest.n != 0 && str_cut(rest, '\n', &line, &rest))
		continue;
	return line;
}

static void
check_outcome(const char *name, struct str text)
{
	char want[16];

	if (strncmp(name, "ok-", 3) == 0) {
		CHECK_STR(last_line(text), "end");
		return;
	}
	snprintf(want, sizeof(want), "bad %.3s ", name);
	/* and our own reader has found why: no other one had to */
	if (!str_starts(last_line(text), str_c(want)) ||
		memmem(text.p, text.n, "in two ways", 11) != NULL)
		test_fail(__FILE__, __LINE__, "not %s: %.*s", want,
			STR_ARG(last_line(text)));
}

/* All of it, at each place where it can be cut in two, and byte by byte; of long ones
 * some places are as good as all. */
static void
check_request(void *arg, const char *name, struct str text)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	char label[64];
	size_t step;

	(void)arg;
	snprintf(label, sizeof(label), "%.63s", name);
	TEST_CASE(label);
	step = text.n > 2000 ? 97 : 1;
	transcript(&whole, text, text.n, text.n);
	check_outcome(name, buf_str(&whole));
	for (size_t at = 0; at <= text.n; at += step) {
		cut.n = 0;
		transcript(&cut, text, at, text.n);
		CHECK(str_eq(buf_str(&cut), buf_str(&whole)));
	}
	cut.n = 0;
	transcript(&cut, text, 0, 1);
	CHECK(str_eq(buf_str(&cut), buf_str(&whole)));
	buf_done(&whole);
	buf_done(&cut);
}

TEST(each_request_comes_to_what_its_name_says)
{
	corpus_each(check_request, NULL);
}

/* Not one byte before its end. */
TEST(a_request_that_is_cut_off_is_never_whole)
{
	struct buf in = BUF_INIT, out = BUF_INIT;

	corpus_read("ok-chunked-trailers.req", &in);
	for (size_t n = 1; n < in.n; n++) {
		test_case_number("bytes", (unsigned)n);
		out.n = 0;
		transcript(&out, (struct str){ in.p, n }, n, n);
		CHECK_STR(last_line(buf_str(&out)), "more");
	}
	buf_done(&in);
	buf_done(&out);
}

TEST_MAIN
