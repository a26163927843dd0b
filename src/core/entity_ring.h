/*
 * entity_ring.h - what happened last to entities, for the report of a crash
 * (base/ring.h).
 *
 * Owner shard.  An event keeps a pointer that is not followed before the crash,
 * and the hash of the address, which tells then whether it is that entity still.
 */
#ifndef CORE_ENTITY_RING_H
#define CORE_ENTITY_RING_H

#include <stdint.h>

#include "base/ring.h"
#include "core/entity.h"

/* The type of each event is an enum stanza_type where it says so. */
extern const struct ring_kind ring_sent;      /* by a session; stanza_type */
extern const struct ring_kind ring_delivered; /* to it; stanza_type */
extern const struct ring_kind ring_fanout;    /* to it and others; stanza_type */
extern const struct ring_kind ring_told;      /* enum entity_message_kind */
extern const struct ring_kind ring_loaded;    /* it was, and gets what waited */
extern const struct ring_kind ring_turn;      /* a step of its line; its kind */
extern const struct ring_kind ring_due;       /* a timer of it or its sessions */

static inline void
entity_note(const struct ring_kind *kind, const struct entity *e, uint32_t type)
{
	ring_note(kind, e, e->hash, type, 0);
}

#endif
