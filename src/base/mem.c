/*
 * mem.c - allocation that ends the process instead of failing.
 *
 * Any thread.
 */
#include "config.h"

#include "base/mem.h"

#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif
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

/* What each thread may have free before free() gives any of it back, and what is
 * so large that it is mapped and unmapped each time. */
#define KEEP_FREE_BYTES (1 << 20)
#define MAP_BYTES (1 << 20)

/*
 * By default a thread's memory shrinks when 128 KiB at its end are free, and
 * grows by what is asked for: the buffers that OpenSSL lets go with every record
 * lie there, so that a chat over TLS made a system call with every fourth
 * message.  Between growing and shrinking there is half a mebibyte now.  More
 * must not stay: malloc_trim() does not look at the end.
 */
void
mem_init(void)
{
#ifdef HAVE_MALLOC_TRIM
	mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
	mallopt(M_TOP_PAD, KEEP_FREE_BYTES / 2);
	mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
#endif
}

void
mem_trim(void)
{
#ifdef HAVE_MALLOC_TRIM
	malloc_trim(0);
#endif
}
