/*
 * flight.h - what was sent to a large audience and has not reached all of its
 * members, and whose sessions rest until it has.
 *
 *     audience_send(): members += those of each part
 *       | more than IN_FLIGHT times all?      a shard with a part
 *       | the sender's session rests            |
 *       v  TELL_REST                            | delivered to the last
 *     flight <---- a mail: members -= those <---'
 *       | less than half of that
 *       v  TELL_REST: no longer
 *     those who rest go on
 *
 * Owner shard of the audience, but where it says so.
 */
#ifndef CORE_FLIGHT_H
#define CORE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "xmpp/jid.h"

struct flight;
struct shard;

/* Of an audience on sh, with a reference for it. */
struct flight *flight_new(struct shard *sh);
struct flight *flight_ref(struct flight *f);
/* The audience is gone: nobody rests for it any more.  Copes with NULL. */
void flight_unref(struct flight *f);

/* A broadcast leaves for so many. */
void flight_leaves(struct flight *f, size_t members);
/* Any shard, sh: it has reached, or will never reach, so many of them. */
void flight_landed(struct shard *sh, struct flight *f, size_t members);
/* True: by, who sends one more, rests, since more is on its way than an audience
 * of so many should have: while that is so, however long it takes. */
bool flight_slows(struct flight *f, size_t members, struct jid by);

#endif
