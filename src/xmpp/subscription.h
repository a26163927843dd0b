/*
 * subscription.h - the state machine of presence subscriptions (RFC 6121
 * appendix A), as tables.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_SUBSCRIPTION_H
#define XMPP_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "xmpp/stanza.h"

/* The nine states of §A.1 are the legal sets of these flags; APPROVED is the
 * pre-approval of §3.4 beside them. */
enum {
	SUB_TO = 1,          /* we get the contact's presence */
	SUB_FROM = 2,        /* the contact gets ours */
	SUB_PENDING_OUT = 4, /* we asked: ask='subscribe' */
	SUB_PENDING_IN = 8,  /* the contact asked: not shown in the roster */
	SUB_APPROVED = 16,   /* approved='true' */
};

/* Is this set of flags one of the nine states, approved or not? */
bool subscription_is_legal(uint8_t state);

/* "none", "to", "from", "both". */
const char *subscription_name(uint8_t state);

/* What to do with one presence stanza of type subscribe, subscribed,
 * unsubscribe or unsubscribed. */
struct subscription_step {
	uint8_t state;   /* from now on */
	bool pass;       /* outbound: route it; inbound: deliver it to the user */
	enum stanza_type reply; /* inbound: answer the contact on the user's
				 * behalf; PRESENCE_AVAILABLE means no answer */
};

/* §A.2: sent by our user. */
struct subscription_step subscription_out(uint8_t state, enum stanza_type type);
/* §A.3: arrived from the contact. */
struct subscription_step subscription_in(uint8_t state, enum stanza_type type);

#endif
