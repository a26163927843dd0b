/*
 * arena.c - memory that is filled piece by piece and freed at once.
 *
 * A list of chunks, the newest first; the arena itself lies in its first
 * chunk, so that a small stanza costs one malloc.  Invariant: the free space
 * is always that of the newest chunk.
 */
#include "config.h"

#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"

/* With malloc's header this stays within glibc's per-thread cache (1032). */
#define FIRST_CHUNK 1008
#define NEXT_CHUNK 4080

struct chunk {
	struct chunk *next;
	size_t size;
};

struct arena {
	struct chunk *chunks;
	char *at;
	char *end;
	size_t bytes;
	struct share *share;
	enum memuse kind;
	struct chunk first;
};

#define ALIGNED(n)                                                             \
	(((n) + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1))

static struct arena *
arena_new_of(enum memuse kind, struct share *share)
{
	char *mem = xmalloc(FIRST_CHUNK);
	struct arena *a = (struct arena *)(void *)mem;

	a->first = (struct chunk){ .next = NULL, .size = FIRST_CHUNK };
	a->chunks = &a->first;
	a->at = mem + ALIGNED(sizeof(*a));
	a->end = mem + FIRST_CHUNK;
	a->bytes = FIRST_CHUNK;
	a->share = share;
	a->kind = kind;
	memuse_count(kind, 1, FIRST_CHUNK);
	share_count(a->share, FIRST_CHUNK);
	return a;
}

struct arena *
arena_new(void)
{
	return arena_new_of(MEMUSE_ARENA, share_current());
}

struct arena *
arena_new_lasting(void)
{
	return arena_new_of(MEMUSE_CONFIG, NULL);
}

void
arena_free(struct arena *a)
{
	struct chunk *c, *next;

	if (a == NULL)
		return;
	memuse_count(a->kind, -1, -(int64_t)a->bytes);
	share_count(a->share, -(int64_t)a->bytes);
	for (c = a->chunks; c != &a->first; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static void
arena_grow(struct arena *a, size_t n)
{
	size_t size = MAX(
		MIN(a->bytes, NEXT_CHUNK), ALIGNED(sizeof(struct chunk)) + n);
	struct chunk *c = xmalloc(size);

	*c = (struct chunk){ .next = a->chunks, .size = size };
	a->chunks = c;
	a->at = (char *)c + ALIGNED(sizeof(*c));
	a->end = (char *)c + size;
	a->bytes += size;
	memuse_count(a->kind, 0, (int64_t)size);
	share_count(a->share, (int64_t)size);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	void *p;

	n = ALIGNED(n);
	if ((size_t)(a->end - a->at) < n)
		arena_grow(a, n);
	p = a->at;
	a->at += n;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *copy;

	if (s.p == NULL)
		return s;
	copy = arena_alloc(a, s.n + 1);
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return (struct str){ copy, s.n };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *out;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	out = arena_alloc(a, (size_t)n + 1);
	vsnprintf(out, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct str){ out, (size_t)n };
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->chunks, a->at, a->end };
}

void
arena_rewind(struct arena *a, struct arena_mark mark)
{
	size_t before = a->bytes;
	struct chunk *c, *next;

	for (c = a->chunks; c != mark.chunk; c = next) {
		next = c->next;
		a->bytes -= c->size;
		free(c);
	}
	memuse_count(a->kind, 0, (int64_t)a->bytes - (int64_t)before);
	share_count(a->share, (int64_t)a->bytes - (int64_t)before);
	a->chunks = c;
	a->at = mark.at;
	a->end = mark.end;
}

size_t
arena_bytes(const struct arena *a)
{
	return a->bytes;
}

struct share *
arena_share(const struct arena *a)
{
	return a->share;
}
