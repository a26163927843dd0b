/*
 * session_save.h - a session that sleeps, as one element, and again a session
 * of such an element: so it survives a restart.
 *
 * Owner shard of the account.  Nothing in it depends on the process: not on the
 * number of shards, nor on the key of the hash.
 */
#ifndef ACCOUNT_SESSION_SAVE_H
#define ACCOUNT_SESSION_SAVE_H

struct account;
struct buf;
struct elem;
struct session;

/*
 * Appends s, which sleeps: its resource and times, its presence, what waits and
 * what is kept with its numbers, and what modules save of their state
 * (session_save of struct module).  Whoever saves a session ends it without a
 * word, or the process with it.
 */
void session_save(struct session *s, struct buf *out);
/*
 * The session that e (borrowed, read from what session_save() wrote) describes,
 * in acc, asleep for as long as it was to sleep when its stream was lost.  Its
 * contacts see no change, and no hook is run; the state of a module that is not
 * in force any more is dropped.  NULL, with one line in the log: e is of
 * another version, or nothing that was saved, or there is no room or no such
 * account.
 */
struct session *session_restore(struct account *acc, const struct elem *e);

#endif
