/*
 * test_mem.c - allocation that does not fail.
 */
#include "config.h"

#include "base/mem.h"

#include "test.h"

TEST(mem_of_no_bytes_can_still_be_freed)
{
	char *p = xmalloc(0);

	CHECK(p != NULL);
	p = xrealloc(p, 0);
	CHECK(p != NULL);
	free(p);
	p = xcalloc(0, 8);
	CHECK(p != NULL);
	free(p);
}

TEST(mem_calloc_is_zeroed_and_realloc_keeps_the_contents)
{
	char *p = xcalloc(4, 2);

	for (size_t i = 0; i < 8; i++)
		CHECK_INT(p[i], 0);
	memcpy(p, "abcdefg", 8);
	p = xrealloc(p, 10000);
	CHECK_CSTR(p, "abcdefg");
	free(p);
}

TEST(mem_strdup_copies)
{
	char text[] = "juliet";
	char *copy = xstrdup(text);

	text[0] = 'J';
	CHECK_CSTR(copy, "juliet");
	free(copy);
}

TEST(mem_wipe_free_copes_with_null)
{
	mem_wipe_free(NULL, 0);
	mem_wipe_free(xstrdup("secret"), 6);
}

TEST(mem_container_of_finds_the_outer_struct)
{
	struct outer {
		int first;
		int inner;
	} o = { 1, 2 };
	int *inner = &o.inner;

	CHECK(CONTAINER_OF(inner, struct outer, inner) == &o);
}

TEST_MAIN
