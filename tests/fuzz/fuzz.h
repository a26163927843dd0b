/*
 * fuzz.h - what a fuzz target offers to its driver, libFuzzer or standalone.c.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns 0; aborts when something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FUZZ_CHECK(expr)                                                       \
	do {                                                                   \
		if (!(expr))                                                   \
			abort();                                               \
	} while (0)

#endif
