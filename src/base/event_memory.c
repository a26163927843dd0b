/*
 * event_memory.c - keeps what libevent never gives back apart from all else.
 *
 * Any thread.  Small pieces are cut from slabs, which are never given back; all
 * else is malloc's.  Which is which is seen from the address: a piece begins in
 * the middle between two places at which malloc's memory may begin.
 */
#include "config.h"

#include "base/event_memory.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <event2/event.h>

#include "base/mem.h"

#define SLAB_BYTES 65536
#define PIECE_BYTES 24 /* what it can hold; libevent's are of 16 */
#define PIECE_STEP 32
#define MALLOC_ALIGN 16

struct piece {
	struct piece *next;
};

/* Libevent hands no argument through, so this is one of the few globals. */
static struct {
	pthread_mutex_t lock;
	struct piece *free;
} pieces = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
is_piece(const void *p)
{
	return (uintptr_t)p % MALLOC_ALIGN == MALLOC_ALIGN / 2;
}

static void
slab_cut(void)
{
	char *slab = xmalloc(SLAB_BYTES);

	for (size_t at = 0; at + PIECE_STEP <= SLAB_BYTES; at += PIECE_STEP) {
		struct piece *p = (struct piece *)(void *)(slab + at +
			MALLOC_ALIGN / 2);

		p->next = pieces.free;
		pieces.free = p;
	}
}

void *
event_memory_alloc(size_t n)
{
	struct piece *p;

	if (n > PIECE_BYTES)
		return malloc(n);
	pthread_mutex_lock(&pieces.lock);
	if (pieces.free == NULL)
		slab_cut();
	p = pieces.free;
	pieces.free = p->next;
	pthread_mutex_unlock(&pieces.lock);
	return p;
}

void
event_memory_free(void *p)
{
	struct piece *piece = p;

	if (!is_piece(p)) {
		free(p);
		return;
	}
	pthread_mutex_lock(&pieces.lock);
	piece->next = pieces.free;
	pieces.free = piece;
	pthread_mutex_unlock(&pieces.lock);
}

void *
event_memory_resize(void *p, size_t n)
{
	void *grown;

	if (p == NULL)
		return event_memory_alloc(n);
	/* malloc's smallest need not be aligned like all else */
	if (!is_piece(p))
		return realloc(p, MAX(n, PIECE_STEP));
	if (n <= PIECE_BYTES)
		return p;
	grown = malloc(n);
	if (grown != NULL) {
		memcpy(grown, p, PIECE_BYTES);
		event_memory_free(p);
	}
	return grown;
}

void
event_memory_init(void)
{
	/* elsewhere pieces could not be told apart: a 32-bit machine, where
	 * memory is not the trouble */
	if (alignof(max_align_t) == MALLOC_ALIGN)
		event_set_mem_functions(event_memory_alloc,
			event_memory_resize, event_memory_free);
}
