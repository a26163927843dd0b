/*
 * session_save.h - a session that sleeps, as one element, and again a session
 * of such an element: so it survives a restart.
 *
 * Owner shard of the account.  Nothing in it depends on the process: not on the
 * number of shards, nor on the key of the hash.
 */
#ifndef ACCOUNT_SESSION_SAVE_H
#define ACCOUNT_SESSION_SAVE_H

#include "base/str.h"

struct account;
struct buf;
struct elem;
struct session;

/*
 * Appends s, which sleeps: its resource and times, its presence, what waits and
 * what is kept with its numbers, and what modules save of their state
 * (session_save of struct module); stop (STR_NONE: none) is the mark of the stop
 * at which it is saved.  Whoever saves a session ends it without a
 * word, or the process with it.
 */
void session_save(struct session *s, struct str stop, struct buf *out);
/*
 * The session that e (borrowed, read from what session_save() wrote with the same
 * stop; NULL: it cannot be read) describes, in acc, asleep for as long as it was to sleep when its stream was lost.  Its
 * contacts see no change, and no hook is run; the state of a module that is not
 * in force any more is dropped.  If that is the one that had it sleep, or the
 * account has more sessions than it may, it ends soon, with one line in the log.
 * NULL, with such a line: e is of another version or stop, or nothing that was
 * saved, or
 * there is no such account, or its resource is bound.
 */
struct session *session_restore(struct account *acc, const struct elem *e,
	struct str stop);
/*
 * Of one that is none any more: its contacts hear that it has ended, and the
 * stanzas in e (NULL: it cannot be read) that can be found out find another
 * place.
 */
void session_restore_rest(struct account *acc, struct str resource,
	const struct elem *e);

#endif
