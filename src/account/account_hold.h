/*
 * account_hold.h - holds an account still: what comes to it and what its sessions
 * send waits, in order, until it goes on.
 *
 * Owner shard.  It is held while it is removed, and while it is read anew: when a
 * commit has failed, because what is in memory is ahead of the disk then; and
 * when a module was switched on that has never seen it.
 */
#ifndef ACCOUNT_ACCOUNT_HOLD_H
#define ACCOUNT_ACCOUNT_HOLD_H

#include <stdbool.h>
#include <stddef.h>

struct account;
struct entity;
struct session;
struct stanza;

/* --- owner shard ------------------------------------------------------------ */

/*
 * Throws away what the account and its modules hold of it in memory, and reads
 * it anew; the line waits meanwhile, and HOOK_ACCOUNT_LOAD is run.  Sessions
 * stay, for they were told only what was durable; they end when it cannot be
 * read.  Whoever finds that a change of an account was not stored calls it; so
 * no module has to take back what it has changed in memory.
 */
void account_reload(struct account *acc);

/* --- for the files of accounts and sessions --------------------------------- */

/* Until account_release() or account_reload(); not twice. */
void account_hold(struct account *acc);
/* It goes on, with all that has waited. */
void account_release(struct account *acc);

/* Is it being read anew? */
bool account_is_read(const struct account *acc);

/* True, and st, which has come, is taken, when it has to wait. */
bool account_hold_keeps(struct account *acc, struct stanza *st);
/* Has what a session sends to wait, in its lines (requests.h)? */
bool account_hold_waits(const struct account *acc);
/* It has no longer, for acc may never go on. */
void account_hold_give_up(struct account *acc);
bool account_is_held(const struct entity *e);
/* Something of acc is being stored: what is read meanwhile is too old. */
void account_hold_changed(struct account *acc);
/* acc leaves memory: what waits is dropped. */
void account_hold_done(struct account *acc);

#endif
