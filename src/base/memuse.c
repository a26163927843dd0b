/*
 * memuse.c - memory accounting: counters, one row of them for each thread.
 *
 * A row is made when its thread first counts, and stays when the thread has
 * ended: what it took may still be in use.  Invariant: only its own thread
 * writes a row, so a load and a store do what elsewhere takes an atomic
 * addition.
 */
#include "config.h"

#include "base/memuse.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

struct memuse_row {
	struct memuse_row *next;
	struct {
		_Atomic int64_t objects;
		_Atomic int64_t samples;
		_Atomic int64_t bytes;
	} kinds[MEMUSE_KINDS];
} __attribute__((aligned(64)));

static pthread_mutex_t rows_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memuse_row *_Atomic rows;
static _Thread_local struct memuse_row *own_row;

static struct memuse_row *
row_new(void)
{
	struct memuse_row *row = aligned_alloc(64, sizeof(*row));

	if (row == NULL)
		abort();
	for (int i = 0; i < MEMUSE_KINDS; i++) {
		atomic_init(&row->kinds[i].objects, 0);
		atomic_init(&row->kinds[i].samples, 0);
		atomic_init(&row->kinds[i].bytes, 0);
	}
	pthread_mutex_lock(&rows_lock);
	row->next = atomic_load_explicit(&rows, memory_order_relaxed);
	atomic_store_explicit(&rows, row, memory_order_release);
	pthread_mutex_unlock(&rows_lock);
	own_row = row;
	return row;
}

static inline struct memuse_row *
row_get(void)
{
	return own_row != NULL ? own_row : row_new();
}

static inline void
add(_Atomic int64_t *counter, int64_t n)
{
	int64_t was = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, was + n, memory_order_relaxed);
}

void
memuse_count(enum memuse what, int64_t objects, int64_t bytes)
{
	struct memuse_row *row = row_get();

	if (objects != 0)
		add(&row->kinds[what].objects, objects);
	add(&row->kinds[what].bytes, bytes);
}

void
memuse_sample(enum memuse what, int64_t objects)
{
	add(&row_get()->kinds[what].samples, objects);
}

static inline int64_t
block_bytes(const void *p)
{
	return (int64_t)malloc_usable_size((void *)(uintptr_t)p);
}

int64_t
memuse_size(const void *p)
{
	return p != NULL ? block_bytes(p) : 0;
}

void
memuse_add(enum memuse what, const void *p)
{
	if (p != NULL)
		memuse_count(what, 1, block_bytes(p));
}

void
memuse_remove(enum memuse what, const void *p)
{
	if (p != NULL)
		memuse_count(what, -1, -block_bytes(p));
}

void
memuse_add_part(enum memuse what, const void *p)
{
	if (p != NULL)
		memuse_count(what, 0, block_bytes(p));
}

void
memuse_remove_part(enum memuse what, const void *p)
{
	if (p != NULL)
		memuse_count(what, 0, -block_bytes(p));
}

/* --- for libraries ------------------------------------------------------- */

void *
memuse_malloc(enum memuse what, size_t n)
{
	void *p = malloc(n);

	memuse_add_part(what, p);
	return p;
}

void *
memuse_realloc(enum memuse what, void *p, size_t n)
{
	int64_t before = p != NULL ? block_bytes(p) : 0;
	void *q = realloc(p, n);

	if (q != NULL)
		memuse_count(what, 0, block_bytes(q) - before);
	return q;
}

void
memuse_free(enum memuse what, void *p)
{
	memuse_remove_part(what, p);
	free(p);
}

/* --- asking --------------------------------------------------------------- */

const char *
memuse_name(enum memuse what)
{
	static const char *const names[] = {
#define MEMUSE(id, name) name,
#include "base/memuse.def"
#undef MEMUSE
	};

	return names[what];
}

/* Without the lock: rows come, and never go. */
static const struct memuse_row *
rows_all(void)
{
	return atomic_load_explicit(&rows, memory_order_acquire);
}

struct memuse_sum
memuse_sum(enum memuse what)
{
	struct memuse_sum sum = { 0, 0 };
	int64_t samples = 0;

	for (const struct memuse_row *row = rows_all(); row != NULL;
		row = row->next) {
		sum.objects += atomic_load_explicit(
			&row->kinds[what].objects, memory_order_relaxed);
		sum.bytes += atomic_load_explicit(
			&row->kinds[what].bytes, memory_order_relaxed);
		samples += atomic_load_explicit(
			&row->kinds[what].samples, memory_order_relaxed);
	}
	if (samples > 0)
		sum.bytes = sum.bytes / samples * sum.objects;
	return sum;
}

int64_t
memuse_bytes(unsigned kinds)
{
	int64_t sum = 0;

	for (const struct memuse_row *row = rows_all(); row != NULL;
		row = row->next) {
		for (unsigned set = kinds; set != 0; set &= set - 1)
			sum += atomic_load_explicit(
				&row->kinds[__builtin_ctz(set)].bytes,
				memory_order_relaxed);
	}
	return sum;
}
