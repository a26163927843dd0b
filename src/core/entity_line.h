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
 * Who fills the line is slowed before it is full, where he can be: of what a stream says
 * to all at addresses of such a class (entity_class.has_line), its bytes count from when
 * they were read until their receipts are home, wherever they wait meanwhile.  Above a
 * part of inbox_bytes nothing more is read of it:
 *
 *     session, or stream --a, b, c (bounded)--> mailbox, inbox, line --> said to all
 *       | bytes of a, b, c: too many?                                       |
 *       | rests, until half of them are home <--------- receipts -----------'
 *
 * What is bounded in this way is not refused, for it is not much for each who sends: so
 * nobody loses what others have filled the line with, nor one who says at once what he
 * wrote while he was away.  The bound is for all else.
 *
 * Owner shard of the entity, but where it says so.
 */
#ifndef CORE_ENTITY_LINE_H
#define CORE_ENTITY_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct entity;
struct entity_line;
struct err;
struct receipt_line;
struct shard;
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
 * inbox_bytes (limits) wait, or mailbox_bytes if it is bounded, or the disk takes no
 * writes. */
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

/* --- any shard -------------------------------------------------------------- */

/* So much of st may wait with others for one entity, in bytes. */
size_t entity_line_most(const struct shard *sh, const struct stanza *st);

/* --- for who reads what others send, their shard ----------------------------- */

/* Such a part of inbox_bytes may be on its way: of one who sends, and of a stream that
 * brings what many send. */
enum { LINE_PART_OF_ONE = 16, LINE_PART_OF_MANY = 4 };

/* Is st said to all where it may wait in a line? */
bool entity_line_is_for(const struct shard *sh, const struct stanza *st);
/* st, of which that is true, counts in line, the sender's, of which it has got the last
 * receipt, or none. */
void entity_line_weigh(struct receipt_line *line, struct stanza *st);
/* Is so much of it on its way that he rests; or so little that he goes on? */
bool entity_line_is_heavy(const struct receipt_line *line, unsigned part);
bool entity_line_is_light(const struct receipt_line *line, unsigned part);

#endif
