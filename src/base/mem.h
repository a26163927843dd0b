/*
 * mem.h - allocation that does not fail, and the few macros every file needs.
 *
 * Any thread.  Small allocations do not fail: the process ends instead.  What
 * a peer can make large is limited before it comes here.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The result is owned by the caller, and given back with free(). */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* n bytes at p will be read soon: tells the processor's caches. */
static inline void
mem_warm(const void *p, size_t n)
{
	for (size_t at = 0; at < n; at += 64)
		__builtin_prefetch((const char *)p + at);
}

/* Frees p (may be NULL) after overwriting its n bytes: for secrets. */
void mem_wipe_free(void *p, size_t n);

/* Start-up, before threads: has malloc keep what is free at its end for the next
 * who needs it, until mem_trim(). */
void mem_init(void);
/*
 * Gives free memory back to the system where malloc leaves that to its user, as
 * glibc's does: 0.4 ms for each MiB that goes, in which who asks for memory may
 * have to wait.
 */
void mem_trim(void);

#endif
