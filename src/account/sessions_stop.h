/*
 * sessions_stop.h - what becomes of sessions when the server stops: those that can
 * sleep do, and are written to the store (sessions_wake.h); the others end.
 *
 * Each on its own shard; server/server_sleep.c says when.
 */
#ifndef ACCOUNT_SESSIONS_STOP_H
#define ACCOUNT_SESSIONS_STOP_H

struct entity;
struct entity_save;
struct shard;

/* --- owner shard ------------------------------------------------------------ */

/* Nothing is read any more: of each session that will not sleep those hear who may have
 * something to say to its client before it goes (HOOK_SESSION_PARTING). */
void sessions_part(struct shard *sh);
/*
 * Nothing is read any more, and what was is dealt with, as far as it will be.
 * HOOK_SESSION_STOPPING has the last word of each session, be it asleep; then those
 * that somebody wants to sleep (HOOK_SESSION_LOST) do, and their streams are cut
 * without an end, while the others say goodbye.
 */
void sessions_sleep(struct shard *sh);
/* Those that sleep are saved (entity_save.h), and are gone from memory without a word;
 * all are, when there is no time.  For account.c. */
void account_save(struct entity *e, struct entity_save *to);

#endif
