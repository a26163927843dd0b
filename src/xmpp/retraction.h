/*
 * retraction.h - messages that their authors take back (XEP-0424), in chats of two:
 * which message is meant, and what is left of it.
 *
 * Pure, any thread.  Rooms know their messages by other ids (§5.1), and have other
 * authors.
 */
#ifndef XMPP_RETRACTION_H
#define XMPP_RETRACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct elem;
struct stanza;

/* What one says. */
struct retraction {
	struct str of;       /* the id of the message that is retracted */
	struct str id;       /* its own id; may be empty, though it must not (§5) */
	struct str from;     /* the address of who retracts */
	struct str occupant; /* who he is in a room (XEP-0421), or STR_NONE */
	bool in_room;        /* it came by way of one */
};

/* out is borrowed from st.  False, and out is not touched: it retracts nothing. */
bool retraction_read(struct retraction *out, const struct stanza *st);
/* The same in the arena of a. */
struct retraction retraction_copy(struct arena *a, const struct retraction *r);

enum retracted {
	RETRACTED_NOT,
	RETRACTED_TEXT, /* it says the same anew (XEP-0308): to look further */
	RETRACTED_IT,   /* this is the message */
};

/*
 * Is message what r retracts?  If both are of one author (§5): one bare address; but
 * in a room, that many share, one full address and one occupant, unless own: it was
 * sent by who asks, by whichever of his devices.  Retractions stand, and so does what
 * is a tombstone already.
 */
enum retracted retraction_of(const struct retraction *r,
	const struct elem *message, bool own);

/* Can it be so of a message that was written as these bytes (xml/writer.h)?  Most can
 * not, and need not be read to know. */
bool retraction_may_be_of(const struct retraction *r, struct str written);

/* What is left of message (§4), in the arena of a: who sent it to whom, under which
 * id, and that it was retracted at that time. */
struct elem *retraction_tombstone(struct arena *a, const struct retraction *r,
	const struct elem *message, int64_t wall_us);

#endif
