/*
 * room_save.h - who is in a room when the server stops, and is in it again after the next
 * start (core/entity_save.h), with no presence to anybody.
 *
 *	map "asleep" of the room
 *	  "."          <room version='1' k0='...' k1='...'/>
 *	  "c00000000"  <client jid='...' nick='...' role='...'><presence>...</presence>
 *	               </client>, in the order in which they came
 *	  "h00000000"  <said at='...'><message>...</message></said>, oldest first
 *
 * of the namespace NS_MUC_SAVED.  Affiliations stand where they always do.  Any thread;
 * pure functions on what they are given.
 */
#ifndef MUC_ROOM_SAVE_H
#define MUC_ROOM_SAVE_H

#include "module/module.h"
#include "room_people.h"

#define MAP_ASLEEP "asleep"
#define ROOM_SAVED_VERSION "1"

/* What one row says of a client. */
struct room_saved {
	struct jid jid; /* full */
	struct str nick, key;
	enum room_role role;
	bool shown;     /* the others have his presence */
	bool told;      /* he was told that the server stops, and is not to come back:
			 * the others have yet to hear that he is gone */
	uint32_t private_ids[4];
	const struct elem *presence; /* its children count */
};

/* c, in the arena a. */
struct elem *room_saved_elem(struct arena *a, const struct room_client *c);
/* False: e, in the arena of a, is none. */
bool room_saved_read(struct room_saved *out, struct arena *a, const struct elem *e);
/* c comes in as it was, behind those who are in it; its affiliation is to be set where it
 * is the first of its occupant.  NULL: it is in it already, or its nickname is another's. */
struct room_client *room_saved_enter(struct room_people *p,
	const struct room_saved *saved);

#endif
