/*
 * tally.h - how many there are of something, by key: connections of an address,
 * streams that have not logged in.
 *
 * Any thread: a table in stripes, each with its own lock, held for one look-up
 * only.  A key that comes back to zero takes no memory, so the table is as
 * large as what it counts.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Bytes of a key. */
#define TALLY_KEY_MAX 64

struct tally;

/* Owned by the caller; tally_free copes with NULL. */
struct tally *tally_new(void);
void tally_free(struct tally *t);

/* One more of key (1 to TALLY_KEY_MAX bytes), unless there are max already:
 * false, and nothing has changed. */
bool tally_add(struct tally *t, struct str key, uint64_t max);
/* One less; there must be one. */
void tally_remove(struct tally *t, struct str key);
uint64_t tally_count(struct tally *t, struct str key);

#endif
