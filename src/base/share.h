/*
 * share.h - whose the memory is that waits: what is taken while a share is set
 * counts in it until it is given back, on whichever thread that is.
 *
 * Any thread.  Shares live as long as the server.
 */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct share {
	_Atomic int64_t bytes;
};

/* Of the calling thread, from now on (NULL: nobody); returns the one before. */
struct share *share_set(struct share *s);
struct share *share_current(void);

/* n bytes more, or less; s may be NULL. */
static inline void
share_count(struct share *s, int64_t n)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->bytes, n, memory_order_relaxed);
}

static inline int64_t
share_bytes(struct share *s)
{
	return atomic_load_explicit(&s->bytes, memory_order_relaxed);
}

#endif
