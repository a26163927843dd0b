/*
 * recent.h - what an account has archived of late: whether a message that was sent
 * again is there already.
 *
 * Owner shard.  Of a message that may have been sent before (stanza.again) sender
 * and recipient each find out for themselves whether they have it: by its sender's
 * bare address, its `to', the id that the sender has given it (XEP-0359: origin-id,
 * else id), and all that it says, so that nothing that differs is ever taken for
 * the same.  Without an id nothing is recognised.
 *
 *   a message that was perhaps sent before
 *      | the account is held, once
 *      v
 *   log "archive", the last minutes --> keys in memory --RECENT_US--> dropped
 *                                        ^
 *                  what is archived meanwhile
 *
 * They go, too, when the account is read anew: what could not be stored is not there.
 * Where nobody looks there is none of this, and it costs the test of a bit.
 */
#ifndef ACCOUNT_RECENT_H
#define ACCOUNT_RECENT_H

#include "base/clock.h"
#include "base/str.h"

struct account;
struct stanza;

#define LOG_ARCHIVE "archive" /* of the account; values: stanzas (stored.h) */
/* What waits for who is away; values: stanzas, or ids of entries of the archive,
 * which stay there meanwhile. */
#define LOG_OFFLINE "offline"
/* So far back. */
#define RECENT_US (600 * US_PER_S)

/* --- for who keeps the archive, owner shard ------------------------------------ */

/* By which id acc has archived st; borrowed until the turn ends.  STR_NONE: it has
 * not, of late, or st is not sent again. */
struct str recent_find(const struct account *acc, const struct stanza *st);
/* st was archived by this id. */
void recent_add(struct account *acc, const struct stanza *st, struct str id);

/* --- for account_deliver.c and requests.c -------------------------------------- */

/* st (borrowed), which may have been sent before, is about to come to acc, or to be
 * sent by it: acc is held until it can be found, if it may be there. */
void recent_look(struct account *acc, const struct stanza *st);

#endif
