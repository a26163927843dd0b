/*
 * mem.c - allocation that ends the process instead of failing.
 *
 * Any thread.
 */
#include "config.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void *
must(void *p)
{
	if (p == NULL) {
		fputs("antiphond: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
xmalloc(size_t n)
{
	return must(malloc(n != 0 ? n : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	return must(calloc(count != 0 ? count : 1, size != 0 ? size : 1));
}

void *
xrealloc(void *p, size_t n)
{
	return must(realloc(p, n != 0 ? n : 1));
}

char *
xstrdup(const char *s)
{
	return must(strdup(s));
}

void
mem_wipe_free(void *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
	free(p);
}
