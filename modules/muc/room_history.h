/*
 * room_history.h - the last that was said in a room, for those who come in (XEP-0045
 * §7.2.13, §7.2.14): out of the archive, or, where the room has none, out of memory.
 *
 * Owner shard of the room.  Bounded by number, as the room is configured, and by bytes.
 */
#ifndef MUC_ROOM_HISTORY_H
#define MUC_ROOM_HISTORY_H

#include <sys/queue.h>

#include "module/module.h"

struct history_read;
struct room;
struct room_mark;
struct room_said;

/* In memory: what all have heard.  Of the archive: with a delay. */
struct room_said {
	STAILQ_ENTRY(room_said) link;
	uint32_t refs;
	bool gone;       /* it was taken back (XEP-0424, 0425): it is told to nobody */
	int64_t wall_us; /* when, for the delay; 0: it has one */
	size_t bytes;    /* packed behind it (elem_pack.h), with from and id */
};

struct room_history {
	STAILQ_HEAD(, room_said) said; /* oldest first */
	size_t n, bytes;
	uint64_t added; /* since it was loaded */
};

void history_init(struct room_history *h);
void history_done(struct room_history *h);
/* st (borrowed) was said to all; at most max are kept. */
void history_add(struct room_history *h, const struct stanza *st, int64_t wall_us,
	uint32_t max);

/* The same of e, with from and id, as history_unpack() gives it. */
void history_put(struct room_history *h, const struct elem *e, int64_t wall_us,
	uint32_t max);
struct elem *history_unpack(const struct room_said *said, struct arena *a);
/* The same for one. */
struct stanza *history_stanza(const struct room *r, const struct room_said *said,
	struct jid to);

/* What one is told of it. */
struct history_told {
	struct VEC(struct room_said *) said; /* references; oldest first */
	size_t at; /* the next */
	struct history_read *read; /* asks the archive; NULL: all is there */
};

/* t becomes what x (of muc, or NULL), of to, asks for of what was said until mark.  Where that has
 * to be read, fn(arg) is called when it has been, if t has not ended before. */
void history_ask(struct history_told *t, struct room *r, const struct elem *x,
	struct jid to, const struct room_mark *mark, void (*fn)(void *arg),
	void *arg);
void history_told_end(struct history_told *t);
static inline bool
history_waits(const struct history_told *t)
{
	return t->read != NULL;
}
/* To one who comes in; NULL: there is no more. */
struct stanza *history_next(struct history_told *t, const struct room *r,
	struct jid to);

/* What elem_pack() has made of a stanza that all have heard, for one. */
struct stanza *room_unpack(struct str packed, struct jid to);

#endif
