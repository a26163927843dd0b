/*
 * roster.h - the contacts of one account, in memory and on disk (RFC 6121 §2).
 *
 * Owner shard of the account.  There are as many items as all sessions have
 * contacts, so a roster is one block of memory: rosters are read much more often
 * than changed.
 */
#ifndef ACCOUNT_ROSTER_H
#define ACCOUNT_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/jid.h"

struct account;
struct arena;
struct elem;
struct store_entry;
struct store_tx;
struct xml_pool;

#define ROSTER_TEXT_MAX UINT16_MAX

/* One contact.  bytes: address, name, then each group with its length (two
 * bytes, host order) before it. */
struct roster_item {
	uint8_t state; /* subscription flags, xmpp/subscription.h */
	bool listed;   /* shown in the roster: not so a mere pending-in */
	uint16_t jid_len;
	uint16_t jid_local_len;
	uint16_t name_len; /* 0: no name */
	uint32_t groups_len;
	char bytes[];
};

/* Zeroed memory is an empty roster. */
struct roster {
	char *block;   /* items from its front; their places from its end */
	uint32_t n : 31;
	uint32_t has_holes : 1; /* between the items, of some that went */
	uint32_t used; /* bytes of the items, and of holes */
	uint32_t cap;  /* of the block */
	uint32_t listed_bytes; /* of those listed, as written in a result */
	uint64_t version; /* counts changes (RFC 6121 §2.6) */
};

/* --- reading: borrowed until the roster changes ------------------------------- */

/* The i-th in the order of addresses, i < r->n. */
struct roster_item *roster_at(const struct roster *r, uint32_t i);
struct roster_item *roster_find(const struct roster *r, struct str bare);
/* The first whose address is behind bare, which may be none; NULL. */
struct roster_item *roster_after(const struct roster *r, struct str bare);
struct jid roster_item_jid(const struct roster_item *it);
/* STR_NONE when there is none. */
struct str roster_item_name(const struct roster_item *it);
/* Calls fn for each group; borrowed. */
void roster_item_groups(const struct roster_item *it,
	void (*fn)(void *arg, struct str group), void *arg);
/* Subscription flags of bare; 0 when there is no item. */
uint8_t roster_state(const struct roster *r, struct str bare);
/* Adds <item/>, as in a roster result, to parent, which lies in a. */
struct elem *roster_item_elem(struct arena *a, struct elem *parent,
	const struct roster_item *it);

/* --- changing, in memory: nothing that is given may lie in the roster ----------- */

/* May the item be set so, with max bytes for all that is listed as it is written
 * in a result?  Yes, if it takes no more than before. */
bool roster_has_bytes(const struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups, uint64_t max);
/* No room for another item that a user makes; there is for those of requests. */
bool roster_is_full(const struct roster *r);
/* Name and groups as the user set them, each of at most ROSTER_TEXT_MAX bytes;
 * creates the item, and lists it. */
struct roster_item *roster_set(struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups);
/* Sets the subscription flags.  Creates the item if need be, and lists it unless
 * the flags are SUB_PENDING_IN alone; removes one that is not listed and has no
 * flags left (NULL then). */
struct roster_item *roster_set_state(struct roster *r, struct jid bare,
	uint8_t state);
void roster_set_listed(struct roster *r, struct roster_item *it, bool listed);
/* False when there was none. */
bool roster_remove(struct roster *r, struct str bare);
/* It will not change for a while: gives back memory that it does not need. */
void roster_trim(struct roster *r);
void roster_done(struct roster *r);

/* --- on disk: map MAP_ROSTER, key: address; the version under the empty key ----- */

/* Counts the version up, and writes the present state of bare, or its absence,
 * into tx. */
void roster_save(struct account *acc, struct str bare, struct store_tx *tx);
/* One entry of the map, when the account is loaded; false when the value cannot
 * be read.  The pool is of the same shard. */
bool roster_load(struct roster *r, struct xml_pool *pool,
	const struct store_entry *entry);

#endif
