/*
 * room_join.h - what one who comes into a room is told, step by step, as his connection
 * takes it (XEP-0045 §7.1).
 *
 *	               others --> his own --> history --> subject --> what was said since
 *	                 |          (110)       ^ |                     |   ^
 *	    a slice each |                      | '- from the store     |   | heard: kept for
 *	    as the one   v                      |    or from memory     v   | all who come in
 *	    before is taken              private messages            all told
 *	                                 that have waited          he hears as all do
 *
 * From his coming on, what is said to all is live for him and waits in the list of what was
 * heard, which all who come in read, each from where he came; what was said before is
 * history.  What becomes of an occupant he learns as all do, but for those whom he has not
 * been told of yet (people_walk in room_people.h).  Where more waits than HEARD_BYTES, those
 * who hold it up have missed something, and leave (333).
 *
 * A client that comes in again while it is told begins anew: what was live stays live.
 *
 * Owner shard of the room.
 */
#ifndef MUC_ROOM_JOIN_H
#define MUC_ROOM_JOIN_H

#include <sys/queue.h>

#include "module/module.h"

struct room;
struct room_client;
struct room_heard;
struct room_join;

TAILQ_HEAD(room_join_list, room_join);

/* Up to where something has been said: in memory, and in the archive. */
struct room_mark {
	uint64_t added;  /* to the history in memory */
	uint64_t number; /* of the last entry in the archive that was said */
};

/* Of a room. */
struct room_joins {
	struct room_join_list all, ready;
	TAILQ_HEAD(, room_heard) heard; /* oldest first */
	size_t heard_bytes;
	struct turn_end work; /* those that are ready */
	uint64_t turn;        /* of the shard, in which so many were sent */
	size_t sent;
};

void joins_init(struct room *r);
/* All end, without having been told everything: it is as if the room had told them that they
 * have left, and the others are told so as soon as somebody is. */
void joins_done(struct room *r);

/* c, which is in the people, is told everything: from join_go() on, before which the others
 * are told of it.  x: of muc, or NULL; own: status codes for its own presence; id: of what
 * it has sent, or STR_NONE. */
void join_begin(struct room *r, struct room_client *c, const struct elem *x,
	const unsigned *own, struct str id);
void join_go(struct room_client *c);
/* c, which has come in or does, sees more of the others than it was told. */
void join_shown_again(struct room *r, struct room_client *c);
/* c leaves: it is told nothing more but what was for it alone.  It may have been told. */
void join_end(struct room_client *c);

/* Has c yet to get its own presence?  Then it gets none by another way. */
bool join_is_early(const struct room_client *c);
/* Is c owed the occupant with this number (people_walk_owes())? */
bool join_owes(const struct room_client *c, uint64_t number);
/* Those who are do not hear what the audience is told next; or they do again. */
void joins_set_aside(struct room *r, uint64_t number, bool aside);
/* st (taken if true) is for c alone, and waits behind its own presence. */
bool join_takes(struct room_client *c, struct stanza *st);
/* The same of st (borrowed) for all that have this flag in the audience, who do not hear
 * what that is told next; or, with NULL, do again. */
void joins_take(struct room *r, const struct stanza *st, uint8_t flag);

/* st (borrowed) is said to all now. */
void joins_hear(struct room *r, const struct stanza *st);

#endif
