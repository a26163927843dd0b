/*
 * held.h - how much memory each kind of object holds, for who runs the server.
 *
 * Any thread.  Each thread counts what it takes and what it gives back, in
 * counters of its own that nobody else writes: no locked instruction, and what
 * one thread takes may be given back by another, since the sum over all threads
 * is what counts.  OpenSSL and expat ask for memory without saying for whom, so
 * there is no object in which the counters could lie.
 */
#ifndef BASE_HELD_H
#define BASE_HELD_H

#include <stddef.h>
#include <stdint.h>

enum held {
#define HELD(id, name) HELD_##id,
#include "base/held.def"
#undef HELD
	HELD_KINDS
};

struct held_sum {
	int64_t objects;
	int64_t bytes; /* of all objects, also when only some are counted */
};

/* --- any thread: counting ------------------------------------------------ */

/* p comes from malloc, and counts with all the bytes that malloc gave for it;
 * NULL counts as nothing.  One object more, or one that is about to be freed. */
void held_add(enum held what, const void *p);
void held_remove(enum held what, const void *p);
/* The same for what hangs from an object: bytes only. */
void held_add_part(enum held what, const void *p);
void held_remove_part(enum held what, const void *p);
/* For memory that does not come from malloc by the piece. */
void held_count(enum held what, int64_t objects, int64_t bytes);
/* Of these objects (fewer: < 0) bytes are counted; of the others of this kind
 * they are not, and held_sum() takes them for as large. */
void held_sample(enum held what, int64_t objects);

/* malloc() and so on, for libraries: parts of what.  They fail as those do. */
void *held_malloc(enum held what, size_t n);
void *held_realloc(enum held what, void *p, size_t n);
void held_free(enum held what, void *p);

/* --- any thread: asking -------------------------------------------------- */

const char *held_name(enum held what);
/* Over all threads.  Each counter is read once, while threads go on: a piece
 * that changes hands meanwhile may be counted twice, or not at all. */
struct held_sum held_sum(enum held what);
/* The bytes of several kinds (HELD_BIT, or-ed), none of which is sampled. */
#define HELD_BIT(what) (1u << (what))
int64_t held_bytes(unsigned kinds);

#endif
