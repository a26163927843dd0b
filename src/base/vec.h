/*
 * vec.h - an array that grows: elements of one type, how many there are, and for
 * how many there is room.
 *
 * One owner at a time.  VEC(type) is the body of a struct, named or not:
 *
 *	struct numbers VEC(int);
 *	struct numbers v = { .n = 0 };
 *
 *	*vec_push(&v) = 7;
 *
 * Zeroed memory is an empty one.  Elements are read and written as v.p[i], with
 * i < v.n, and v.n may be lowered by hand; p and room are changed here alone, so
 * that they belong together.  One that is replaced is replaced whole: v = other.
 *
 * Arguments are evaluated more than once.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct arena;

#define VEC(type)                                                              \
	{                                                                      \
		type *p;                                                       \
		uint32_t n;                                                    \
		uint32_t room;                                                 \
	}

/* The new last element, not initialised; valid until the next push. */
#define vec_push(v)                                                            \
	((v)->n < (v)->room ? (void)0 :                                        \
			      (void)((v)->p = vec_grow((v)->p, &(v)->room,     \
					     sizeof(*(v)->p))),                \
		&(v)->p[(v)->n++])

/* The same for an array that lies in an arena, always in this one. */
#define vec_push_in(arena, v)                                                  \
	((v)->n < (v)->room ? (void)0 :                                        \
			      (void)((v)->p = vec_grow_in((arena), (v)->p,     \
					     &(v)->room, sizeof(*(v)->p))),    \
		&(v)->p[(v)->n++])

/* Empty again, without memory; never for one in an arena. */
#define vec_done(v)                                                            \
	(free((v)->p), (v)->p = NULL, (v)->n = 0, (void)((v)->room = 0))

/* For the macros: room for more than *room_io elements of size bytes, which are
 * all in use; p is taken. */
void *vec_grow(void *p, uint32_t *room_io, size_t size)
	__attribute__((returns_nonnull));
void *vec_grow_in(struct arena *a, const void *p, uint32_t *room_io,
	size_t size) __attribute__((returns_nonnull));

#endif
