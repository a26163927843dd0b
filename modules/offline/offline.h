/*
 * offline.h - between the files of the module: what waits for an account.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_OFFLINE_OFFLINE_H
#define MODULES_OFFLINE_OFFLINE_H

#include "module/module.h"

#define LOG_OFFLINE "offline"
#define MAP_SHARES "offline_shares"

/* What a message takes beside its text: two rows, their index, and the sender's
 * address twice. */
#define ENTRY_BYTES 256

struct flood;

/* In the slot of an account. */
struct backlog {
	uint64_t n : 24;
	uint64_t bytes : 40;
	struct flood *flood; /* NULL: none is going on */
	struct quotas *senders; /* by bare address; apart: no contacts */
	/* Up to this entry they were delivered and could not be deleted, and
	 * do not count any more; 0: all could. */
	long long given;
};

/* --- offline.c ---------------------------------------------------------------- */

/* What sender has now. */
void offline_share_write(struct store_tx *tx, struct account *acc,
	const struct backlog *b, struct str sender);
/* Who has sent an entry; empty in those of an earlier version. */
struct str offline_sender(const struct store_entry *entry);

/* Is something kept?  Then the account is told so. */
static inline void
offline_look(struct account *acc, const struct backlog *b)
{
	acc->backlog = b->n != 0;
}

/* --- offline_flood.c ---------------------------------------------------------- */

/* Unless there is nothing, or nobody who can take it now. */
void offline_flood_begin(struct module_ctx *m, struct account *acc);
/* A session has room again, or is none to wait for any more; or there is another
 * one, which must not be held up. */
void offline_flood_go_on(struct module_ctx *m, struct account *acc);
/* One more is kept behind what somebody has yet to get. */
void offline_flood_more(struct module_ctx *m, struct account *acc);
/* A session has fallen asleep: nobody waits for it. */
void offline_flood_asleep(struct module_ctx *m, struct account *acc);
/* The account forgets b. */
void offline_flood_forget(struct backlog *b);

#endif
