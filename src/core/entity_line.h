/*
 * entity_line.h - stanzas to an entity of a module's class whose effect has to be
 * durable first, and that have it in the order in which they came.
 *
 *     a, b, c from anybody: receive()
 *       | entity_line_takes()? --no--> refused, the sender told
 *       v
 *     +---- line ----------------+
 *     | a: tx --commit--> durable |--> fn(a): the class says it to others
 *     | b: no tx, waits for a     |--> fn(b)
 *     | c: tx --commit-->         |--> not yet
 *     +--------------------------+
 *
 * The stanza is kept, and so is its receipt (receipt.h): who counts what he sends
 * learns that it was taken when it is on disk, and he has got what came of it.
 *
 * Memory of the class is ahead of the disk by what is in line.  When one cannot be
 * stored, all behind it that store something fail with it, for they rest on it, and
 * each fn is told so, in order, in one turn, before anything new comes to the entity:
 * then the class takes back what it had changed, and what it stores from then on stands
 * by itself.  What the database loses (store/store.h) waits in line while it is tried
 * again.
 *
 * Owner shard of the entity.
 */
#ifndef CORE_ENTITY_LINE_H
#define CORE_ENTITY_LINE_H

#include <stdbool.h>

struct entity;
struct entity_line;
struct err;
struct stanza;
struct store_tx;

/* Owned by e, which is not idle while it is not empty. */
struct entity_line *entity_line_new(struct entity *e);
/* With e: what is in line is answered with item-not-found, whether it was stored or
 * not, and no fn is called any more.  Copes with NULL. */
void entity_line_free(struct entity_line *l);
bool entity_line_is_empty(const struct entity_line *l);

/* May st be in line, with something to store or not?  It is asked before anything is
 * changed in memory.  False: st was taken, and refused with resource-constraint, since
 * inbox_bytes (limits) wait, or the disk takes no writes. */
bool entity_line_takes(struct entity_line *l, struct stanza *st, bool stores);

/* st is taken.  err: why it was not stored; NULL: it was.  e, which is not to leave
 * memory from within, may get further turns. */
typedef void (*entity_turn_fn)(struct entity *e, struct stanza *st,
	const struct err *err);

/* Commits tx (taken; NULL: nothing is stored), and calls fn with st (taken) when that
 * is durable, and all in line before it has happened; never before this has
 * returned. */
void entity_turn(struct entity_line *l, struct stanza *st, struct store_tx *tx,
	entity_turn_fn fn);

/* For fn: st (taken) is answered as err asks for. */
void entity_turn_refuse(struct entity *e, struct stanza *st,
	const struct err *err);

#endif
