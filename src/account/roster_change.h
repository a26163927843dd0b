/*
 * roster_change.h - one change of a roster, and what follows from it once it is
 * durable: stanzas to the own sessions, a roster push (RFC 6121 §2.1.6), stanzas
 * to the contact, the answer to the request.
 *
 * Owner shard of the account.  The change is in force in memory at once; its
 * effects happen in turn, in the order of the changes (account_line.h).
 */
#ifndef ACCOUNT_ROSTER_CHANGE_H
#define ACCOUNT_ROSTER_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "xmpp/jid.h"
#include "xmpp/stanza.h"
#include "account/roster.h"

struct account;
struct iq;
struct roster_change;
struct store_tx;

/* Who gets a stanza that is delivered with a change. */
enum roster_audience {
	AUDIENCE_AVAILABLE,  /* requests: RFC 6121 §3.1.3 */
	AUDIENCE_INTERESTED, /* all else: §3.1.6, §3.2.3, §3.3.3 */
};

/* contact (bare) is copied.  Ends in roster_change_commit(). */
struct roster_change *roster_change_new(struct account *acc,
	struct jid contact);

/* The roster has the new item already: writes it, and pushes it. */
void roster_change_item(struct roster_change *ch);
/* Sets its subscription flags; no push when nothing changes that shows. */
void roster_change_state(struct roster_change *ch, uint8_t state);
/* Takes it off the list, with a push; a request of the contact that waits for
 * an answer goes on waiting, unseen.  False when it was not listed. */
bool roster_change_remove(struct roster_change *ch);
/* What else is stored with it, all or nothing. */
struct store_tx *roster_change_tx(struct roster_change *ch);

/* To the own sessions, before the push; st is taken. */
void roster_change_deliver(struct roster_change *ch, struct stanza *st,
	enum roster_audience audience);
/* To the contact; st is taken. */
void roster_change_send(struct roster_change *ch, struct stanza *st);
/* The same, a stanza of that type from the bare address of the account. */
void roster_change_tell(struct roster_change *ch, enum stanza_type type);
/* The same, the presence of each available session as it is now, or the end
 * of it. */
void roster_change_presence(struct roster_change *ch, bool available);

/* st (borrowed), of these addresses, asked for the change: it is answered with an
 * error if that cannot be stored, and its receipt is held until then. */
void roster_change_request(struct roster_change *ch, const struct stanza *st,
	struct jid from, struct jid to);

/* ch is taken; iq (NULL, or kept by iq_keep) is answered. */
void roster_change_commit(struct roster_change *ch, struct iq *iq);

#endif
