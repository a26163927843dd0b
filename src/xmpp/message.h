/*
 * message.h - what a message is worth: when nobody is there to read it, in years to
 * come, and to the other devices of who has sent or got it.
 *
 * Pure, any thread.
 */
#ifndef XMPP_MESSAGE_H
#define XMPP_MESSAGE_H

#include <stdbool.h>

struct elem;
struct stanza;

/* Does it say something (XEP-0160 §3), or ask to be stored (XEP-0334 §4.4)?  Chat
 * states, hints, ids and requests for receipts alone say nothing. */
bool message_is_worth_keeping(const struct stanza *st);
/* May it wait for who comes next (RFC 6121 §8.5.2.2.1)?  So may chat and normal
 * messages that are worth it, unless they ask not to be stored (XEP-0334 §4.2). */
bool message_may_wait(const struct stanza *st);
/*
 * Does it belong into the archives of who sends and who gets it (XEP-0313 §6.1.1)?
 * The table in message.c says what makes it worth that.  Errors never do, nor
 * groupchat, which is its room's; headlines where they ask for it.  What asks not
 * to be stored (XEP-0334 §4.1, §4.2) does not, whatever else it says.
 */
bool message_is_archived(const struct stanza *st);
/* And does groupchat belong into that of its room (XEP-0313 §6.1.2)?  By the same table,
 * and where it asks for it. */
bool message_is_archived_in_room(const struct stanza *st);
/* Is it of this moment, as a chat state alone is, and means nothing to who looks later
 * (XEP-0085 §5.5)? */
bool message_is_passing(const struct stanza *st);
/* Should somebody have it soon who does not look (XEP-0352 §3.2)?  Presence can wait,
 * but what asks for something or tells of the user's own fate, and headlines that say
 * nothing to people. */
bool stanza_is_urgent(const struct stanza *st);
/* Is encrypted in it what it says, so that its <body/> is for clients that cannot read
 * that (XEP-0380 §3.1)? */
bool message_is_encrypted(const struct elem *message);
/*
 * Do the other devices of who has sent it (sent), or of who has got it, see a copy
 * (XEP-0280 §6.1)?  Of an error nobody can tell by looking at it: false.
 */
bool message_is_copied(const struct stanza *st, bool sent);

#endif
