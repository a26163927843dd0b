/*
 * test.h - a thin layer over cmocka, so that a test file is a list of
 * sentences about behaviour.
 *
 * A file holds TEST(sentence) { ... } any number of times, and TEST_MAIN at
 * its end.  Checks run on the thread of the test only: a failing one leaves
 * the function by longjmp.  The program takes one argument, a pattern ('*',
 * '?') for the names of the tests to run.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

#define TEST_MAX 256

struct test_file {
	struct CMUnitTest tests[TEST_MAX];
	size_t n;
	char label[120]; /* the row of the table that is being checked */
};

/* One for each test program: filled before main(), by TEST(). */
static struct test_file test_file;

static inline void
test_add(const char *name, CMUnitTestFunction run)
{
	if (test_file.n == TEST_MAX) {
		fprintf(stderr, "more than %d tests in one file\n", TEST_MAX);
		abort();
	}
	test_file.tests[test_file.n++] = (struct CMUnitTest){
		.name = name,
		.test_func = run,
	};
}

#define TEST(name)                                                             \
	static void name(void);                                                \
	static void test_run_##name(void **state)                              \
	{                                                                      \
		(void)state;                                                   \
		test_file.label[0] = '\0';                                     \
		name();                                                        \
	}                                                                      \
	__attribute__((constructor)) static void test_add_##name(void)         \
	{                                                                      \
		test_add(#name, test_run_##name);                              \
	}                                                                      \
	static void name(void)

#define TEST_MAIN                                                              \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		if (argc > 1)                                                  \
			cmocka_set_test_filter(argv[1]);                       \
		return _cmocka_run_group_tests(argv[0], test_file.tests,       \
			       test_file.n, NULL, NULL) != 0;                  \
	}

/* Names the row of a table; shown when a check fails.  NULL: no row. */
static inline void
test_case(const char *label)
{
	char *out = test_file.label;

	snprintf(out, sizeof(test_file.label), "%s", label ? label : "");
	for (; *out != '\0'; out++)
		if ((unsigned char)*out < ' ')
			*out = '?';
}

#define TEST_CASE(label) test_case(label)

/* "what n" */
static inline void
test_case_number(const char *what, unsigned n)
{
	char label[64];

	snprintf(label, sizeof(label), "%s %u", what, n);
	test_case(label);
}

static inline void __attribute__((noreturn, format(printf, 3, 4)))
test_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (test_file.label[0] != '\0')
		print_error("case \"%s\": %s\n", test_file.label, text);
	else
		print_error("%s\n", text);
	_fail(file, line);
	abort(); /* not reached: _fail() jumps out of the test */
}

static inline void
test_check_int(long long got, long long want, const char *what,
	const char *file, int line)
{
	if (got != want)
		test_fail(file, line, "%s is %lld (0x%llx), not %lld (0x%llx)",
			what, got, (unsigned long long)got, want,
			(unsigned long long)want);
}

static inline void
test_check_str(struct str got, struct str want, const char *what,
	const char *file, int line)
{
	if ((got.p == NULL) == (want.p == NULL) && str_eq(got, want))
		return;
	test_fail(file, line, "%s is %s%.*s%s, not %s%.*s%s", what,
		got.p != NULL ? "\"" : "absent", STR_ARG(got),
		got.p != NULL ? "\"" : "", want.p != NULL ? "\"" : "absent",
		STR_ARG(want), want.p != NULL ? "\"" : "");
}

#define CHECK(expr)                                                            \
	do {                                                                   \
		if (!(expr))                                                   \
			test_fail(__FILE__, __LINE__, "not so: %s", #expr);    \
	} while (0)

/* Integers of any type; what is there, then what should be. */
#define CHECK_INT(got, want)                                                   \
	test_check_int(                                                        \
		(long long)(got), (long long)(want), #got, __FILE__, __LINE__)

/* A struct str against a string; NULL means absent, which is not empty. */
#define CHECK_STR(got, want)                                                   \
	test_check_str(got, str_c(want), #got, __FILE__, __LINE__)

/* Two strings, either may be NULL. */
#define CHECK_CSTR(got, want)                                                  \
	test_check_str(str_c(got), str_c(want), #got, __FILE__, __LINE__)

#endif
