/*
 * sessions_wake.h - sessions that were saved when the server stopped come back
 * when their account is loaded, and before anybody sees it.
 *
 *   map "sessions" of the account: resource -> <session/> (session_save.h)
 *
 *   load --> a sleeper? --no--------------------------------> read --> loaded
 *               | yes                                          ^
 *               v                                              |
 *            map read --> copied --> map cleared --durable-----'  then restored
 *
 * So the state is good for one start: a crash before it is deleted brings them back
 * next time, and one behind that does not.  While it cannot be deleted, the account
 * is not there: better than twice.
 *
 * Which accounts have any is asked of the store once, at the start, and only when
 * the mark of a stop stands there; all others are loaded as ever.
 */
#ifndef ACCOUNT_SESSIONS_WAKE_H
#define ACCOUNT_SESSIONS_WAKE_H

#include <stdbool.h>

struct account;

/* --- for account.c, owner shard ---------------------------------------------- */

/* True: it is a sleeper, and is loaded when what it had is ours alone. */
bool account_wake(struct account *acc);
/* It has been read: its sessions come back, if it is one. */
void account_woken(struct account *acc);

#endif
