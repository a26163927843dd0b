/*
 * audience_int.h - what an audience consists of, between audience.c, which keeps
 * it, and fanout.c, which sends to it.
 */
#ifndef CORE_AUDIENCE_INT_H
#define CORE_AUDIENCE_INT_H

#include "base/ref.h"
#include "core/audience.h"

struct flight;
struct share;

/* Packed: the address lies behind, and the next one at the next multiple of
 * eight. */
struct audience_member {
	uint64_t hash; /* server_hash() of the bare address */
	uint16_t local_len, bare_len, len;
	uint8_t flags;
	char text[];
};

struct audience_leaf {
	struct ref ref;
	uint32_t used, room;  /* bytes */
	struct share *share;
	_Alignas(struct audience_member) char bytes[];
};

struct audience_part {
	struct ref ref;
	uint32_t n_leaves, room;
	size_t members;
	size_t leaf_bytes;
	struct share *share;
	/* By the lowest hash that belongs there: 0 of the first. */
	struct audience_slot {
		uint64_t low;
		struct audience_leaf *leaf;
	} leaves[];
};

struct audience {
	struct shard *shard;
	struct share *share;
	struct flight *flight; /* shared by copies; NULL: none was counted */
	uint64_t serial;  /* of the snapshot with which it began */
	bool by_domain;   /* some members are where their domain is */
	unsigned n_parts; /* one for each shard */
	struct audience_part *parts[]; /* NULL: nobody lives there */
};

static inline uint32_t
audience_member_size(size_t len)
{
	size_t n = offsetof(struct audience_member, text) + len;
	size_t align = _Alignof(struct audience_member);

	return (uint32_t)((n + align - 1) & ~(align - 1));
}

static inline struct audience_member *
audience_member_at(const struct audience_leaf *l, uint32_t at)
{
	return (struct audience_member *)(void *)(uintptr_t)(l->bytes + at);
}

static inline struct jid
audience_member_jid(const struct audience_member *m)
{
	return (struct jid){ m->text, m->local_len, m->bare_len, m->len };
}

/* --- owner shard --------------------------------------------------------------- */

/* What counts its broadcasts; NULL: it is too small. */
struct flight *audience_flight(struct audience *a);

/* --- any thread: of a part that the caller has a reference to ----------------- */

struct audience_part *audience_part_ref(struct audience_part *p);
/* Copes with NULL. */
void audience_part_unref(struct audience_part *p);
/* What a part keeps from being freed that is not its audience's any more: about
 * as much as one change copies. */
size_t audience_part_own_bytes(const struct audience_part *p);

/* Zeroed, it stands before the first. */
struct audience_walk {
	uint32_t leaf, at;
};

/* The next one, NULL at the end. */
static inline const struct audience_member *
audience_step(const struct audience_part *p, struct audience_walk *walk)
{
	const struct audience_member *m;

	while (walk->leaf < p->n_leaves &&
		walk->at == p->leaves[walk->leaf].leaf->used)
		*walk = (struct audience_walk){ walk->leaf + 1, 0 };
	if (walk->leaf == p->n_leaves)
		return NULL;
	m = audience_member_at(p->leaves[walk->leaf].leaf, walk->at);
	walk->at += audience_member_size(m->len);
	return m;
}

#endif
