/*
 * stored.h - XML elements as values of the store.
 *
 * Any thread; pure functions, but for the pool.
 */
#ifndef CORE_STORED_H
#define CORE_STORED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena;
struct buf;
struct elem;
struct xml_pool;

/* Appends e as a document of its own. */
void stored_write(struct buf *out, const struct elem *e);
/* The same with a seal behind it (below): 8 bytes, which whoever reads it passes
 * over. */
void stored_write_sealed(struct buf *out, const struct elem *e);
/* Appends the seal of what has been appended since `from', which stored_write() has
 * written, or which is a part of that, and well-formed. */
void stored_seal_behind(struct buf *out, size_t from);
/* The element, in the arena of a; NULL when value is nothing that
 * stored_write() has written: the database was damaged or edited. */
struct elem *stored_read(struct arena *a, struct str value);
/* The same in an arena of its own, owned by the caller, with a parser of the
 * pool: a third of the time, for those who read many (1.7 instead of 5.3 us for
 * a message).  The pool's thread. */
struct elem *stored_read_own(struct xml_pool *pool, struct str value,
	struct arena **a_out);

/* An attribute of the outermost element, as it was written, without reading the
 * rest; STR_NONE: there is none.  Borrowed from value. */
struct str stored_attr(struct str value, const char *name);
/* text as it is written there, in the arena of a: for comparing. */
struct str stored_attr_text(struct arena *a, struct str text);

/*
 * A mark to be stored beside a value, in out: who finds it there again knows that
 * he has what stored_write() wrote, byte for byte, and may hand it on without
 * reading it.  What was edited or damaged does not fit.  Against mistakes only:
 * nobody but us can send what lies in the database.
 */
#define STORED_SEAL_SIZE 16
struct str stored_seal(struct str value, char out[STORED_SEAL_SIZE]);
bool stored_is_sealed(struct str value, struct str seal);
/* Is value, from end to end, what stored_write_sealed() has written? */
bool stored_is_whole(struct str value);
/* What may be handed on as it is: what stored_write_sealed() has written, without its
 * seal; and where there is none that fits, as behind all that was written before there
 * were any, what can be read.  STR_NONE: it was damaged.  Borrowed from value. */
struct str stored_text(struct xml_pool *pool, struct str value);

#endif
