/*
 * roster.h - the contacts of one account, in memory and on disk (RFC 6121 §2).
 *
 * Owner shard of the account.  Items are small and sorted by address: one
 * allocation each, rosters are read much more often than changed.
 */
#ifndef CORE_ROSTER_H
#define CORE_ROSTER_H

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

/* One contact.  bytes: address, name, then each group with its length (two
 * bytes, host order) before it. */
struct roster_item {
	uint8_t state;     /* subscription flags, xmpp/subscription.h */
	bool listed;       /* shown in the roster: not so a mere pending-in */
	uint16_t jid_len;
	uint16_t jid_local_len;
	uint16_t name_len; /* 0: no name */
	uint16_t n_groups;
	uint16_t groups_len;
	char bytes[];
};

struct roster {
	struct roster_item **items; /* sorted by address */
	uint32_t n;
	uint32_t cap;
	uint64_t version; /* counts changes (RFC 6121 §2.6) */
};

/* --- reading ------------------------------------------------------------- */

struct roster_item *roster_find(const struct roster *r, struct str bare);
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

/* --- changing, in memory ------------------------------------------------------- */

/* Name and groups as the user set them; creates the item, and lists it.  The
 * returned item replaces any earlier pointer to it. */
struct roster_item *roster_set(struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups);
/* Sets the subscription flags.  Creates the item if need be, and lists it unless
 * the flags are SUB_PENDING_IN alone; removes one that is not listed and has no
 * flags left (NULL then). */
struct roster_item *roster_set_state(struct roster *r, struct jid bare,
	uint8_t state);
/* False when there was none. */
bool roster_remove(struct roster *r, struct str bare);
void roster_done(struct roster *r);

/* --- on disk: map MAP_ROSTER, key: address; the version under the empty key ----- */

/* Counts the version up, and writes the present state of bare, or its absence,
 * into tx. */
void roster_save(struct account *acc, struct str bare, struct store_tx *tx);
/* One entry of the map, when the account is loaded; false when the value cannot
 * be read. */
bool roster_load(struct roster *r, const struct store_entry *entry);

#endif
