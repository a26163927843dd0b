/*
 * mention.h - does what is said in a room name somebody who is in it?
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_MENTION_H
#define XMPP_MENTION_H

#include <stdbool.h>

#include "xmpp/jid.h"

struct stanza;

/*
 * Is st (groupchat) for occupant (room/nickname), whose client is user's, more than for
 * all others?  It is when
 *
 *	it is his own, as it comes back: it was taken
 *	its text has his nickname, as a word, whatever its case (of a nickname with blanks
 *	all words; of one that has none, such as a picture, the very same)
 *	it is encrypted, so that nobody here can tell, or too long to be looked through
 *	it refers to him (XEP-0372), or replies to him (XEP-0461), by either address
 *	it is a subject: the last thing that one hears who comes in (XEP-0045 §7.1)
 *	it calls all, or asks for attention (XEP-0482, XEP-0224)
 *	it is an error
 */
bool message_names(const struct stanza *st, struct jid occupant, struct jid user);

#endif
