/*
 * arena.h - memory that is filled piece by piece and freed at once.
 *
 * One owner at a time, on whichever thread that owner is.  A stanza is one
 * arena: tree, addresses, whatever handlers add.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena;
struct share;

/* How far an arena is filled. */
struct arena_mark {
	void *chunk;
	char *at;
	char *end;
};

/* Owned by the caller.  arena_free copes with NULL. */
struct arena *arena_new(void);
/* The same for what stays as long as the configuration: it counts as that, and in
 * nobody's share, since it waits for nobody. */
struct arena *arena_new_lasting(void);
void arena_free(struct arena *a);

/* In the arena of a; aligned for any type; not initialised. */
void *arena_alloc(struct arena *a, size_t n);
/* The same, filled with zeros. */
void *arena_zalloc(struct arena *a, size_t n);
/* A copy with a NUL behind it, which does not count; STR_NONE stays STR_NONE. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What is taken behind the mark is freed again by arena_rewind, which may be
 * called once for each: what lies before it stays. */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

/* Bytes asked of malloc for a: what bounds on queues count. */
size_t arena_bytes(const struct arena *a);
/* In which they count: that of the thread when a was made.  NULL: in none. */
struct share *arena_share(const struct arena *a);

#endif
