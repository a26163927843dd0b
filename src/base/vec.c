/*
 * vec.c - arrays that grow.
 *
 * Whichever thread owns the array.
 */
#include "config.h"

#include "base/vec.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

#define SMALLEST 4

static uint32_t
room_next(uint32_t room)
{
	assert(room <= UINT32_MAX / 2);
	return MAX(2 * room, SMALLEST);
}

void *
vec_grow(void *p, uint32_t *room_io, size_t size)
{
	*room_io = room_next(*room_io);
	return xrealloc(p, *room_io * size);
}

void *
vec_grow_in(struct arena *a, const void *p, uint32_t *room_io, size_t size)
{
	size_t used = *room_io * size;
	void *more;

	*room_io = room_next(*room_io);
	more = arena_alloc(a, *room_io * size);
	if (used != 0)
		memcpy(more, p, used);
	return more;
}
