/*
 * session_presence.h - what a session keeps of the presence that it broadcast
 * last: all of it, in one block that is as small as it can be, and without what
 * the session knows.
 *
 * Owner shard of the account.
 */
#ifndef ACCOUNT_SESSION_PRESENCE_H
#define ACCOUNT_SESSION_PRESENCE_H

#include <stdint.h>

#include "base/str.h"

struct session;
struct session_presence;
struct stanza;

/* XEP-0115 §4: what the client says that it can do. */
struct session_caps {
	struct str node, hash, ver;
};

/* --- owner shard: s is available ------------------------------------------------ */

/* As it was broadcast, without an address; owned by the caller. */
struct stanza *session_presence(const struct session *s);
/* RFC 6121 §4.7.2.1; STR_NONE: it is simply online.  Borrowed until its presence
 * changes, like the next. */
struct str session_show(const struct session *s);
/* What is missing is STR_NONE. */
struct session_caps session_caps(const struct session *s);

/* --- for session.c --------------------------------------------------------------- */

/* Of st (borrowed), owned by the caller. */
struct session_presence *session_presence_new(const struct stanza *st);
/* Copes with NULL. */
void session_presence_free(struct session_presence *p);
/* Bytes in memory; NULL: 0. */
int64_t session_presence_bytes(const struct session_presence *p);

#endif
