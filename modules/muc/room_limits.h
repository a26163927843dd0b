/*
 * room_limits.h - how often somebody may do in a room what others are told of: say
 * something, come in, change, invite; and slow mode (XEP-0500).
 *
 * Owner shard of the room.  Who is counted is a user, by his bare address, whatever
 * nicknames and clients he has, and whether he has left meanwhile; each room is counted
 * for itself.  Counts are those of a minute, and lie in memory of a fixed size for each
 * shard; slow mode alone remembers each who spoke, as long as he has to wait.
 */
#ifndef MUC_ROOM_LIMITS_H
#define MUC_ROOM_LIMITS_H

#include "module/module.h"

struct room;

enum room_doing {
	DOING_MESSAGE,  /* to all, or to one of them */
	DOING_JOIN,     /* also again, by one who is in it */
	DOING_PRESENCE, /* something new of himself */
	DOING_NICK,     /* another nickname */
	DOING_REQUEST,  /* invitations, declining, asking for voice */
	DOINGS
};

/* Zeroed in a room to which nobody has to wait to speak. */
struct room_limits {
	struct rate slow; /* who has spoken, by bare address */
	int64_t slow_us;  /* what slow was counted by */
};

/* May he who has sent st do this now?  False: he was answered, and st is gone; else st is
 * the caller's still. */
bool limits_let(struct room *r, struct stanza *st, enum room_doing what);
/* The same of user, for what nobody is answered for: it is counted, and is it few enough? */
bool limits_count(struct room *r, struct jid user, enum room_doing what);
/* Is this too much to be shown to all?  The same. */
bool limits_let_presence(struct room *r, struct stanza *st);
bool limits_fit_presence(const struct room *r, const struct stanza *st);
/* What e takes where it is kept. */
size_t limits_bytes(const struct elem *e);
void limits_done(struct room_limits *l);

#endif
