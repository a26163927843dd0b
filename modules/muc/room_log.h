/*
 * room_log.h - what is in the archive of a room, and what of it who sees (XEP-0313
 * §6.1.2).
 *
 * It is the log LOG_ARCHIVE at entity_place() of the room, of store_tx_append_at(); the
 * map of rooms names it too, so that a room that is loaded knows the last number.  An
 * entry is a message as all have heard it, each once:
 *
 *	<message xmlns='jabber:client' from='room@service/nick' type='groupchat' id='his'>
 *	  what he has said, without what rooms alone say (room_clean())
 *	  <occupant-id xmlns='urn:xmpp:occupant-id:0' id='...'/>
 *	  <x xmlns='http://jabber.org/protocol/muc#user'>       the last child: who it was
 *	    <item affiliation='..' role='..' jid='who@host/res'/></x>    when he said it
 *	</message>
 *
 * with a seal behind it (core/stored.h).  It has no to, no delay, and not its id, which is
 * the key of the entry, and which all were told as <stanza-id/> by the room; wall_us is
 * when it was said.  `with' of the entry is the bare address of its author, whichever
 * nickname he had: so it can be compared without reading the value, and who may not see
 * real addresses must not ask by it.
 *
 * What the room itself says is there, too: from its bare address, without occupant-id and
 * x; `with' is the moderator on whose word it says it.  What is retracted or moderated
 * away (XEP-0424, 0425) becomes a tombstone of the same form in its place: <retracted/> is
 * left of what he said.
 *
 * Private messages are in no log of a room; nor is presence, nor what was said while it
 * had no archive.
 */
#ifndef MUC_ROOM_LOG_H
#define MUC_ROOM_LOG_H

#include "module/module.h"
#include "room_rights.h"

struct room;

/* Of its last entry, and of those that are on their way to the disk.  A clock that was
 * set back does not turn the order of times. */
struct room_log {
	uint64_t last;
	int64_t last_us;
	uint64_t said; /* of the last that all have heard: what is behind it is in line */
	uint64_t room; /* as in archive_make_room() */
};

/* Who says something: what he is at that moment. */
struct room_author {
	struct jid jid; /* full */
	enum room_role role;
	enum room_affiliation aff;
};

/* --- any thread: pure --------------------------------------------------------------- */

/* Does st (groupchat) belong into the archive?  What says something does, as in those of
 * accounts (message.h), and so does what changes the subject; not what asks not to be
 * stored (XEP-0334 §4.1, §4.2). */
bool room_log_wants(const struct stanza *st);

/* Appends the value that is to be stored of st (borrowed, and as it was before when this
 * returns), which has a from and no to; NULL: it is the room that says it. */
void room_log_write(struct buf *out, struct stanza *st,
	const struct room_author *author);

/*
 * What of the value of an entry is for whoever sees real addresses, or does not: as a value
 * again, for wire_result(), stored_text() and the like (room_shows_real() says to whom it is).  Borrowed from value, or from out,
 * to which it is appended.  STR_NONE: it was damaged.  The pool's thread.
 */
struct str room_log_value(struct xml_pool *pool, struct str value, bool real,
	struct buf *out);

/* --- owner shard of the room ---------------------------------------------------------- */

/* What the store says of the log when the room is loaded. */
void room_log_take(struct room *r, const struct store_entry *last);

/* st (as room_log_write() has it) will be in the archive when tx is durable: under the id
 * that is returned, in out; with: author's, or the moderator's. */
struct str room_log_add(struct room *r, struct store_tx *tx, struct stanza *st,
	const struct room_author *author, struct jid with, char out[STORE_ID_SIZE]);

/* st, with the id that it has got, is durable, and all hear it in this turn. */
void room_log_said(struct room *r, const struct stanza *st);

/* An entry as a message of the room to `to', as it is told in the history of who comes in
 * (XEP-0045 §7.2.14): with its stanza-id and the time.  Owned by the caller; NULL: it was
 * damaged. */
struct stanza *room_log_message(const struct room *r, const struct store_entry *entry,
	bool real, struct jid to);

#endif
