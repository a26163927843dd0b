/*
 * sessions_wake.h - sessions that were saved when the server stopped come back
 * when their account is loaded, and before anybody sees it (core/entity_save.h).
 *
 *   map "sessions" of the account: resource -> <session/> (session_save.h)
 */
#ifndef ACCOUNT_SESSIONS_WAKE_H
#define ACCOUNT_SESSIONS_WAKE_H

struct entity;
struct store_answer;

/* --- for account.c, owner shard ---------------------------------------------- */

/* It has been read: its sessions come back. */
void account_woken(struct entity *e, const struct store_answer *saved);

#endif
