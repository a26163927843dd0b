/*
 * testroom.h - what tests look at in the entities of mod_testroom.c.
 */
#ifndef TESTS_MODULES_TESTROOM_H
#define TESTS_MODULES_TESTROOM_H

#include "base/vec.h"
#include "core/audience.h"
#include "core/entity.h"
#include "core/entity_line.h"

#define NS_ROOM "urn:antiphon:test:room"

/* An address that begins with "r": it does what it is told by
 *
 *   <message to='room' from='anybody'><do xmlns='urn:antiphon:test:room'
 *     what='join | leave | tell | say | know' to='member' filter='...'
 *     kind='presence | groupchat | chat | iq' nick='from/nick' quiet=''/></message>
 *
 * and numbers all that it says in the order in which it was told.  To whom joins,
 * leaves or is told something it says so alone, unless it is quiet.  With the option
 * `stores' it says what it is to say when that is on disk.  With the option `lasts' it
 * has its members and its number over a stop of the server. */
struct room {
	struct entity e; /* first */
	struct audience *audience;
	struct VEC(char *) members; /* of one that lasts */
	unsigned number;
	unsigned errors; /* that came back, and of the last: */
	struct {
		char from[96], to[96], condition[48];
	} error;
	unsigned woken;  /* rows that it had again */
	struct entity_line *line; /* of one that stores */
	unsigned taken;  /* that are stored, or on their way */
	unsigned gone;   /* accounts that were removed, and it was told */
	unsigned missed; /* times that a member has not got what all were told */
	unsigned failed; /* of what was to be said could not be stored */
};

struct heard {
	char room[8];
	unsigned number;
};

/* Any other address: it keeps what it hears. */
struct listener {
	struct entity e; /* first */
	struct VEC(struct heard) heard;
	unsigned shared; /* of those, what was not copied for it */
};

#endif
