/*
 * stored.h - XML elements as values of the store.
 *
 * Any thread; pure functions.
 */
#ifndef CORE_STORED_H
#define CORE_STORED_H

#include "base/str.h"

struct arena;
struct buf;
struct elem;

/* Appends e as a document of its own. */
void stored_write(struct buf *out, const struct elem *e);
/* The element, in the arena of a; NULL when value is nothing that
 * stored_write() has written: the database was damaged or edited. */
struct elem *stored_read(struct arena *a, struct str value);

#endif
