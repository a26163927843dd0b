/*
 * transcript.h - what a parser of requests says of some bytes, as text.
 */
#ifndef TESTS_HTTP_TRANSCRIPT_H
#define TESTS_HTTP_TRANSCRIPT_H

#include <stddef.h>

#include "base/str.h"

struct buf;

/* What the seeds in tests/fuzz/corpus/http are made for. */
#define TRANSCRIPT_BOUNDS                                                      \
	{                                                                      \
		.head_bytes = 16384, .target_bytes = 8000, .headers = 100      \
	}

/*
 * Adds to out, a line each: what is asked, with its headers, its body in one piece,
 * "end"; "more", where a request was not whole; or "bad", status and text, behind
 * which nothing is read.  The parser gets first bytes at once, and what is behind
 * them in steps; each piece ends where its memory ends.  Ends the process if it does
 * not keep to its contract.
 */
void transcript(struct buf *out, struct str in, size_t first, size_t step);

#endif
