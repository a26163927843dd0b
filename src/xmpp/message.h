/*
 * message.h - what a message is worth: when nobody is there to read it, and in
 * years to come.
 *
 * Pure, any thread.
 */
#ifndef XMPP_MESSAGE_H
#define XMPP_MESSAGE_H

#include <stdbool.h>

struct stanza;

/* Does it say something (XEP-0160 §3), or ask to be stored (XEP-0334 §4.4)?  Chat
 * states, hints, ids and requests for receipts alone say nothing. */
bool message_is_worth_keeping(const struct stanza *st);
/*
 * Does it belong into the archives of who sends and who gets it (XEP-0313 §6.1.1)?
 * The table in message.c says what makes it worth that.  Errors never do, nor
 * groupchat, which is its room's; headlines where they ask for it.  What asks not
 * to be stored (XEP-0334 §4.1, §4.2) does not, whatever else it says.
 */
bool message_is_archived(const struct stanza *st);

#endif
