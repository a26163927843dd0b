/*
 * contacts.h - the contacts of an account as an audience (core/audience.h), each
 * with the subscription flags that say who sees whom.
 *
 * Owner shard of the account.  A small one is made of the roster when presence is
 * told.  A large one is kept for a while then, and follows the roster; but most
 * of the time nobody has anything to tell.
 */
#ifndef ACCOUNT_CONTACTS_H
#define ACCOUNT_CONTACTS_H

#include "xmpp/jid.h"

struct account;
struct audience;
struct contacts;

/* Owned by the caller. */
struct audience *contacts_get(struct account *acc);
/* contact (bare) has another state in the roster of acc now, or none. */
void contacts_changed(struct account *acc, struct jid contact);
/* The whole roster is another one, or is about to go. */
void contacts_drop(struct account *acc);

#endif
