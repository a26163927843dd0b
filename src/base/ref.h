/*
 * ref.h - how many hold an object that several threads read: what nobody changes
 * while it is shared, and the last to let go frees, on whichever thread that is.
 *
 * Any thread.
 */
#ifndef BASE_REF_H
#define BASE_REF_H

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
	atomic_uint n;
};

/* One holds it: who has made it. */
static inline void
ref_init(struct ref *r)
{
	atomic_init(&r->n, 1);
}

/* One more does; the caller does already. */
static inline void
ref_take(struct ref *r)
{
	atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}

/* One less; true: it was the last, and nobody else will touch the object. */
static inline bool
ref_drop(struct ref *r)
{
	return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}

/* Does nobody but the caller hold it, who may change it then?  What others have
 * read of it, they have read before. */
static inline bool
ref_is_sole(const struct ref *r)
{
	return atomic_load_explicit(&r->n, memory_order_acquire) == 1;
}

#endif
