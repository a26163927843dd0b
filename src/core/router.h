/*
 * router.h - carries stanzas between entities: where the recipient lives,
 * and how the stanza gets there.
 *
 * Between two entities order is kept.  A stanza for an entity of the same shard
 * waits in a queue until the current handler is done, so no handler is entered
 * from within another; one for another shard goes by its mailbox, and what many
 * receive is posted to each shard once (audience.h).  When a mailbox is
 * above its bound, sh->congested is set: the stream whose stanza it was rests.
 */
#ifndef CORE_ROUTER_H
#define CORE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "xmpp/jid.h"
#include "xmpp/stanza.h"

struct shard;
struct snapshot;

/* --- any shard: sh is the caller's --------------------------------------------- */

/*
 * Sends st (taken), whose from and to are set, on its way.  What cannot be
 * delivered is answered with an error by whoever finds out, unless it is an
 * error or a result itself.
 */
void router_send(struct shard *sh, struct stanza *st);

/* Is what from (an address of ours) sends to `to' refused by the configuration,
 * because that is not ours?  COND_NONE: no.  Else the error, with *why_out (kept)
 * for people. */
enum stanza_cond router_forbids(const struct snapshot *snap, struct jid from,
	struct jid to, const char **why_out);

/* Answers st (taken) with an error, or drops it when it must not be answered.
 * text may be NULL. */
void router_bounce(struct shard *sh, struct stanza *st, enum stanza_cond cond,
	const char *text);

/* Is st presence of which nobody is told that it was not delivered?  An account has
 * told it to whom its roster names, and tells it again; an entity of a module's
 * class, such as a room, has to know. */
bool router_need_not_bounce(const struct shard *sh, const struct stanza *st);

/* Delivers what waits in sh->local, and says how many stanzas have had their turn;
 * called by shard_turn. */
size_t router_run(struct shard *sh);

#endif
