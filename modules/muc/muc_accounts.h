/*
 * muc_accounts.h - in which rooms accounts of this server have an affiliation: so that
 * these, and nicknames that are reserved, go with an account from rooms that are loaded and
 * from those that are not, before somebody else can have its name.
 *
 *	account's map "rooms": room's address -> affiliation
 *
 * A row is written by the transaction that changes the affiliation.  An account does not
 * have them in memory: they are read when it is removed.  One at a host where this module
 * is off is as one of another server, whose end nobody hears of.
 */
#ifndef MUC_MUC_ACCOUNTS_H
#define MUC_MUC_ACCOUNTS_H

#include "module/module.h"
#include "room_rights.h"

#define MAP_ROOMS_OF "rooms"

/* --- any shard: what is stored ------------------------------------------------------------ */

/* Is it an address of a host of ours, and not of a service or a component? */
bool muc_is_account(struct shard *sh, struct jid jid);
/* As an operation of tx: jid has this affiliation (AFF_NONE: none) in the room whose map
 * is at.  Nothing, where it is no account of ours. */
void muc_accounts_note(struct shard *sh, struct store_tx *tx, struct store_place at,
	struct jid jid, enum room_affiliation aff);

/* --- accounts that go ------------------------------------------------------------------------- */

/* State of an account that is being removed: the rooms that are to be told. */
struct muc_leaving {
	struct VEC(char *) rooms;
};

void muc_leaving_done(struct entity *e, void *state);
/* Hooks. */
enum hook_result muc_on_account_remove(struct module_ctx *m, void *arg);
enum hook_result muc_on_account_removing(struct module_ctx *m, void *arg);
#endif
