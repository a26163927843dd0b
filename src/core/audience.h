/*
 * audience.h - who hears a broadcast: the contacts of an account, the occupants
 * of a room.
 *
 * An entity owns it, and it has one part for each shard on which members live.  A
 * broadcast posts to each shard its part, by reference: no list is made, and
 * nothing is copied.  A part that is on its way does not change; who joins or
 * leaves meanwhile makes the owner's part another one, which shares with it all
 * but the leaf concerned.
 *
 *     owner's shard                            a shard where members live
 *
 *     audience                                   stanza { part, flags }
 *       parts[0]                                        |
 *       parts[1] --> part { leaf, leaf, leaf } <--------'  holds what it was
 *                          |     |     |                   when it was sent
 *                        members, in the order of hashes
 *
 * The last to let go of a part frees it, on whichever thread.
 *
 * A member with a resource is delivered to as by router_send(); one without, too,
 * but of presence, which reaches only those in memory: it means nothing to an
 * account without sessions; at the domain of a component it reaches all.  Between the owner and each member, broadcasts and
 * what the owner sends him by the router keep their order.
 *
 * Owner shard.
 */
#ifndef CORE_AUDIENCE_H
#define CORE_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "xmpp/jid.h"

struct audience;
struct module_ctx;
struct route_last;
struct session;
struct shard;
struct stanza;

/* Which of the available sessions of a member get it, or whether the one that he
 * is does: they are asked where they are. */
struct audience_filter {
	struct module_ctx *m; /* stays loaded until the last has been asked */
	/* m is the module as it is used at the host of the session; where it is
	 * not, nobody gets anything. */
	bool (*wants)(struct module_ctx *m, struct session *s, struct str arg);
	struct str arg; /* copied */
};

/* owner: server_hash() of the entity's address; what the audience holds counts in
 * its share (budget.h). */
struct audience *audience_new(struct shard *sh, uint64_t owner);
/* Copes with NULL. */
void audience_free(struct audience *a);
/* With the same members; it shares everything until either changes. */
struct audience *audience_copy(struct audience *a);

/* jid is a member from now on, with these flags, of which at least one is set;
 * what they mean is the owner's.  False: he was one already, and has them now. */
bool audience_join(struct audience *a, struct jid jid, uint8_t flags);
/* The same for one who is known to be none, in less time; *last_io is of the one
 * before (core/route.h). */
void audience_add(struct audience *a, struct jid jid, uint8_t flags,
	struct route_last *last_io);
/* False: he was none. */
bool audience_leave(struct audience *a, struct jid jid);
/* Those of jid; 0: he is no member. */
uint8_t audience_flags(struct audience *a, struct jid jid);

size_t audience_members(const struct audience *a);
/* What it holds, in bytes, whoever else holds the same. */
size_t audience_bytes(const struct audience *a);

/* Sends st (taken), a message or presence that has a from and no to, to all
 * members that have one of the flags.  filter: NULL or borrowed.  by: the session
 * that made it come, which may lie in st; it rests while more is on its way than
 * a few broadcasts.  Not set: nobody of ours did, and nobody rests. */
void audience_send(struct audience *a, struct stanza *st, uint8_t flags,
	const struct audience_filter *filter, struct jid by);

#endif
