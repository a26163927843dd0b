/*
 * memuse.h - memory accounting: how much each kind of object holds, for who
 * runs the server.
 *
 * Any thread.  Each thread counts what it takes and what it gives back, in
 * counters of its own that nobody else writes: no locked instruction, and what
 * one thread takes may be given back by another, since the sum over all threads
 * is what counts.  OpenSSL and expat ask for memory without saying for whom, so
 * there is no object in which the counters could lie.
 */
#ifndef BASE_MEMUSE_H
#define BASE_MEMUSE_H

#include <stddef.h>
#include <stdint.h>

enum memuse {
#define MEMUSE(id, name) MEMUSE_##id,
#include "base/memuse.def"
#undef MEMUSE
	MEMUSE_KINDS
};

struct memuse_sum {
	int64_t objects;
	int64_t bytes; /* of all objects, also when only some are counted */
};

/* --- any thread: counting ------------------------------------------------ */

/* p comes from malloc, and counts with all the bytes that malloc gave for it;
 * NULL counts as nothing.  One object more, or one that is about to be freed. */
void memuse_add(enum memuse what, const void *p);
void memuse_remove(enum memuse what, const void *p);
/* The same for what hangs from an object: bytes only. */
void memuse_add_part(enum memuse what, const void *p);
void memuse_remove_part(enum memuse what, const void *p);
/* The bytes that they count; 0 of NULL. */
int64_t memuse_size(const void *p);
/* For memory that does not come from malloc by the piece. */
void memuse_count(enum memuse what, int64_t objects, int64_t bytes);
/* Of these objects (fewer: < 0) bytes are counted; of the others of this kind
 * they are not, and memuse_sum() takes them for as large. */
void memuse_sample(enum memuse what, int64_t objects);

/* malloc() and so on, for libraries: parts of what.  They fail as those do. */
void *memuse_malloc(enum memuse what, size_t n);
void *memuse_realloc(enum memuse what, void *p, size_t n);
void memuse_free(enum memuse what, void *p);

/* --- any thread: asking -------------------------------------------------- */

const char *memuse_name(enum memuse what);
/* Over all threads.  Each counter is read once, while threads go on: a piece
 * that changes hands meanwhile may be counted twice, or not at all. */
struct memuse_sum memuse_sum(enum memuse what);
/* The bytes of several kinds (MEMUSE_BIT, or-ed), none of which is sampled. */
#define MEMUSE_BIT(what) (1u << (what))
int64_t memuse_bytes(unsigned kinds);

#endif
