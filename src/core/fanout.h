/*
 * fanout.h - a broadcast on its way to one part of an audience, and who gets it
 * there.
 *
 * It is in the queue among other stanzas (stanza.many), so that order is kept.
 */
#ifndef CORE_FANOUT_H
#define CORE_FANOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "xmpp/jid.h"

struct account;
struct entity;
struct fanout;
struct host;
struct session;
struct shard;
struct stanza;
struct stanza_queue;
struct turn_left;
struct wire;

/* To one of the members: what his class is given (entity.h). */
struct fanout_one {
	struct jid to; /* as he has joined, bare or full; borrowed */
	const struct fanout *fanout;
	struct wire *wire; /* what was serialised for an earlier one; or NULL */
	bool filtered; /* sessions are asked one by one whether they want it */
};

/* --- for classes: owner shard ----------------------------------------------- */

/* Where it is filtered: s, at host (NULL: none any more), is asked. */
bool fanout_wants(const struct fanout *f, const struct host *host,
	struct session *s);

/* --- for the router ----------------------------------------------------------- */

/* st (taken) is for e, which a filter could not be asked about on its way. */
void fanout_arrived(struct entity *e, struct stanza *st);
/* Delivers st, whose many is set and which has just come, and takes from *left what
 * that needs.  True: to all, and st is gone; or else it is to wait in a lane. */
bool fanout_deliver(struct shard *sh, struct stanza *st, struct turn_left *left);
/* The same of q, of one lane, whose first has its many set, and of what can go along
 * with that: those that are finished have left q. */
void fanout_run(struct shard *sh, struct stanza_queue *q, struct turn_left *left);
/* What st holds beside its arena: nothing where its many is not set. */
size_t fanout_bytes(const struct stanza *st);
/* st (taken), whose many is set, goes no further: on the shard that has sent it, its
 * class is told whom it does not reach (entity.h: missed), where it wants to know. */
void fanout_return(struct shard *sh, struct stanza *st);
/* As stanza_free(), of one that may be on its way to many; at any shard. */
void fanout_drop(struct shard *sh, struct stanza *st);

#endif
