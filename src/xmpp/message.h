/*
 * message.h - what a message is worth when nobody is there to read it.
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

#endif
