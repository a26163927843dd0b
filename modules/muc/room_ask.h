/*
 * room_ask.h - what somebody has asked of a room's archive, between the files that answer
 * him; room_archive.c draws it.
 *
 * Owner shard of the room.
 */
#ifndef MUC_ROOM_ASK_H
#define MUC_ROOM_ASK_H

#include <sys/queue.h>

#include "module/module.h"

struct room;

enum ask_step { ASK_PAGE, ASK_START, ASK_END };

struct room_ask {
	TAILQ_ENTRY(room_ask) link;
	struct room *room; /* NULL: it has left, and iq is answered */
	struct iq *iq;     /* kept; NULL: it is answered */
	struct jid by;     /* the bytes lie behind the object */
	size_t bytes;
	enum ask_step step;
	bool first; /* of its client */
	bool reads; /* the store is asked */
	bool waits; /* until he has got what is on its way */
	bool real;  /* he sees real addresses */
	bool lost;  /* he does not get what is sent to him */
	bool by_real; /* he has asked by one that is not his own */
	struct receipt_line line; /* of what is on its way */
	struct str nick;     /* `with' as it stands in entries; STR_NONE: none */
	struct str resource; /* of a real address; STR_NONE: of any */
	struct elem *metadata;
	struct archive_page page;
};

/* --- room_archive_show.c -------------------------------------------------------------- */

/* A page goes to who has asked. */
extern const struct archive_reader room_asker;
/* Is error about something that its sender was shown? */
bool room_has_shown(const struct room *r, const struct stanza *error);

#endif
