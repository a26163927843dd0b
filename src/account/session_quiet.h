/*
 * session_quiet.h - a session to which nobody looks: its client has said that it is
 * inactive (XEP-0352), or it sleeps.  What can wait is held, and of presence no more
 * than the last of each full address.
 *
 *     stanza
 *       |  a chat state, and nothing else --> nobody sees it
 *       |  what can wait (not stanza_is_urgent; of what is said in rooms what does not
 *       |  name the session: HOOK_SESSION_ROOM_SAYS) --> held; presence in place of the one
 *       |                                      from the same address, as the last
 *       |  all else, and more than may be held
 *       v                     |
 *     what is held goes first, in the order in which it came
 *       v
 *     queue (session_out.h), where it gets its number
 *
 * So nothing overtakes anything but what it replaces, and what goes out wakes the
 * client once, with all that there is.  A session that is not quiet has none of this,
 * and costs a pointer.  Owner shard of the account.
 */
#ifndef ACCOUNT_SESSION_QUIET_H
#define ACCOUNT_SESSION_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out_item;
struct session;
struct session_quiet;
struct stanza;

/* As much may be held; what is more goes out. */
#define QUIET_STANZAS 1024
#define QUIET_BYTES ((size_t)256 << 10)

/* From now on s is quiet, if it was not. */
void session_quiet_begin(struct session *s);
/* It is not; what is held goes to the queue, which is to be run. */
void session_quiet_end(struct session *s);
bool session_is_quiet(const struct session *s);
/* Nobody is to see st (borrowed), for s is quiet. */
bool session_quiet_drops(const struct session *s, const struct stanza *st);
/* item, which is that of st, is taken when it is held.  False: it goes to the queue,
 * behind what was held. */
bool session_quiet_takes(struct session *s, const struct stanza *st,
	struct out_item *item);
/* What is held: bytes, and stanzas. */
size_t session_quiet_bytes(const struct session *s, uint32_t *n_out);

#endif
