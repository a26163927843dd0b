/*
 * block_list.h - whom an account has blocked: addresses, in order, and which others each
 * of them stands for (XEP-0191 §6).
 *
 * Owner shard.  A module keeps the list; here is what the house asks of it, so that
 * nothing that an account says by itself goes to somebody who is on it.  An account
 * that has blocked nobody has none, and pays for the test of a pointer.
 */
#ifndef ACCOUNT_BLOCK_LIST_H
#define ACCOUNT_BLOCK_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"
#include "xmpp/jid.h"
#include "account/account.h"

/* Zeroed memory is an empty list. */
struct block_list {
	struct VEC(char *) rows; /* prepared addresses, in byte order */
	size_t bytes;            /* of these, with what holds them */
};

/* jid is copied; false: it is there already. */
bool block_list_add(struct block_list *b, struct jid jid);
/* False: it is not there. */
bool block_list_remove(struct block_list *b, struct jid jid);
/* Is jid itself on the list? */
bool block_list_lists(const struct block_list *b, struct jid jid);
/* Valid until the next change. */
struct jid block_list_row(const struct block_list *b, uint32_t i);
/*
 * Is who meant by a row?  A full address means that resource, a bare one all of
 * its resources, and a domain itself, its users and their resources; no
 * subdomain (§6).
 */
bool block_list_matches(const struct block_list *b, struct jid who);
void block_list_clear(struct block_list *b);

/* b (borrowed, until this is called again; NULL or empty: nobody) is the list of acc
 * from now on, or has changed. */
void account_set_blocked(struct account *acc, const struct block_list *b);
/* st (taken) is dealt with as if nobody was there, and nothing could be kept for him:
 * a request and a message are answered with service-unavailable, presence is not
 * (XEP-0191 §3.3). */
void account_turn_away(struct account *acc, struct stanza *st);
/* What an account gets that has sent st to whom it has blocked (§3.3); NULL: st is not
 * answered. */
struct stanza *block_error(const struct stanza *st);

/* May nothing pass between acc and who?  No resource of his own is blocked for
 * anybody (note 1). */
static inline bool
account_blocks(const struct account *acc, struct jid who)
{
	return acc->blocked != NULL && !jid_eq_bare(acc->e.jid, who) &&
		block_list_matches(acc->blocked, who);
}

#endif
