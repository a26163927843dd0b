/*
 * audience.c - the members of an audience: for each shard a part, whose leaves
 * are some KiB of members each, like the leaves of a tree with one inner node.
 *
 * Invariants: what several hold does not change; leaf i has the members whose
 * hashes are at least its low and below that of leaf i + 1, in any order; only
 * members of one hash may make a leaf larger than LEAF_MAX.
 */
#include "config.h"

#include "core/audience_int.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "core/budget.h"
#include "core/flight.h"
#include "core/host.h"
#include "core/place.h"
#include "core/route.h"
#include "core/shard.h"

#define LEAF_MIN 1024
#define LEAF_MAX 2048
#define SLOTS_MIN 4
/* Fewer cost hardly more than stanzas do: what is on its way to them is not
 * counted apart. */
#define FLIGHT_MEMBERS 256

/* --- memory: counted in the share of the owner, on any thread ----------------- */

static void *
block_new(struct share *share, size_t n)
{
	void *p = xmalloc(n);

	memuse_add_part(MEMUSE_AUDIENCE, p);
	share_count(share, (int64_t)n);
	return p;
}

static void
block_free(struct share *share, void *p, size_t n)
{
	memuse_remove_part(MEMUSE_AUDIENCE, p);
	share_count(share, -(int64_t)n);
	free(p);
}

/* --- members ------------------------------------------------------------------- */

/* NULL: he is not in l. */
static struct audience_member *
leaf_find(const struct audience_leaf *l, struct jid jid, uint64_t hash)
{
	struct audience_member *m;

	for (uint32_t at = 0; at < l->used; at += audience_member_size(m->len)) {
		m = audience_member_at(l, at);
		if (m->hash == hash && jid_eq(audience_member_jid(m), jid))
			return m;
	}
	return NULL;
}

/* --- leaves -------------------------------------------------------------------- */

static struct audience_leaf *
leaf_new(struct share *share, uint32_t room)
{
	struct audience_leaf *l = block_new(share, sizeof(*l) + room);

	ref_init(&l->ref);
	l->used = 0;
	l->room = room;
	l->share = share;
	return l;
}

static void
leaf_unref(struct audience_leaf *l)
{
	if (ref_drop(&l->ref))
		block_free(l->share, l, sizeof(*l) + l->room);
}

static uint32_t
leaf_room(uint32_t needs)
{
	uint32_t room = LEAF_MIN;

	while (room < needs)
		room *= 2;
	return room;
}

/* There is room. */
static void
leaf_append(struct audience_leaf *l, const struct audience_member *m,
	const char *text)
{
	struct audience_member *to = audience_member_at(l, l->used);

	*to = *m;
	memcpy(to->text, text, m->len);
	l->used += audience_member_size(m->len);
}

/* --- parts --------------------------------------------------------------------- */

static size_t
part_size(uint32_t room)
{
	return sizeof(struct audience_part) +
		room * sizeof(struct audience_slot);
}

static struct audience_part *
part_new(struct share *share, uint32_t room)
{
	struct audience_part *p = block_new(share, part_size(room));

	*p = (struct audience_part){ .room = room, .share = share };
	ref_init(&p->ref);
	return p;
}

struct audience_part *
audience_part_ref(struct audience_part *p)
{
	ref_take(&p->ref);
	return p;
}

void
audience_part_unref(struct audience_part *p)
{
	if (p == NULL || !ref_drop(&p->ref))
		return;
	for (uint32_t i = 0; i < p->n_leaves; i++)
		leaf_unref(p->leaves[i].leaf);
	block_free(p->share, p, part_size(p->room));
}

size_t
audience_part_own_bytes(const struct audience_part *p)
{
	return part_size(p->room) + MIN(p->leaf_bytes, LEAF_MAX);
}

/* Which leaf hash belongs to. */
static uint32_t
part_index(const struct audience_part *p, uint64_t hash)
{
	uint32_t low = 0, high = p->n_leaves;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (p->leaves[mid].low <= hash)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* --- changing ------------------------------------------------------------------ */

/* *p_io may be changed, and has room for one leaf more.  The caller's reference to
 * what it was becomes one to what it is. */
static struct audience_part *
part_own(struct audience_part **p_io)
{
	struct audience_part *old = *p_io, *p;

	if (ref_is_sole(&old->ref) && old->n_leaves < old->room)
		return old;
	p = part_new(old->share, MAX(old->n_leaves + old->n_leaves / 2 + 1,
					 SLOTS_MIN));
	p->n_leaves = old->n_leaves;
	p->members = old->members;
	p->leaf_bytes = old->leaf_bytes;
	memcpy(p->leaves, old->leaves, old->n_leaves * sizeof(old->leaves[0]));
	for (uint32_t i = 0; i < p->n_leaves; i++)
		ref_take(&p->leaves[i].leaf->ref);
	audience_part_unref(old);
	*p_io = p;
	return p;
}

static void
part_set_leaf(struct audience_part *p, uint32_t i, struct audience_leaf *l)
{
	struct audience_leaf *old = p->leaves[i].leaf;

	p->leaf_bytes += (size_t)l->room;
	p->leaf_bytes -= (size_t)old->room;
	p->leaves[i].leaf = l;
	leaf_unref(old);
}

/* The i-th leaf of p, which may be changed: then it has room for needs bytes, and
 * not for much more. */
static struct audience_leaf *
leaf_own(struct audience_part *p, uint32_t i, uint32_t needs)
{
	struct audience_leaf *old = p->leaves[i].leaf, *l;
	uint32_t room = leaf_room(needs);

	if (ref_is_sole(&old->ref) && old->room >= room &&
		old->room <= 2 * room)
		return old;
	l = leaf_new(p->share, room);
	memcpy(l->bytes, old->bytes, old->used);
	l->used = old->used;
	part_set_leaf(p, i, l);
	return l;
}

static void
part_insert_leaf(struct audience_part *p, uint32_t i, uint64_t low,
	struct audience_leaf *l)
{
	struct audience_slot *at = &p->leaves[i];

	memmove(at + 1, at, (p->n_leaves - i) * sizeof(*at));
	*at = (struct audience_slot){ low, l };
	p->n_leaves++;
	p->leaf_bytes += l->room;
}

static void
part_remove_leaf(struct audience_part *p, uint32_t i)
{
	struct audience_slot *at = &p->leaves[i];
	struct audience_leaf *l = at->leaf;

	p->n_leaves--;
	p->leaf_bytes -= l->room;
	memmove(at, at + 1, (p->n_leaves - i) * sizeof(*at));
	if (i == 0 && p->n_leaves != 0)
		p->leaves[0].low = 0;
	leaf_unref(l);
}

static int
hash_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The lowest hash of the upper half of l; 0: all have the same. */
static uint64_t
leaf_middle(const struct audience_leaf *l)
{
	uint64_t hashes[LEAF_MAX / sizeof(struct audience_member)];
	const struct audience_member *m;
	size_t n = 0, mid;

	for (uint32_t at = 0; at < l->used && n < COUNT(hashes);
		at += audience_member_size(m->len)) {
		m = audience_member_at(l, at);
		hashes[n++] = m->hash;
	}
	qsort(hashes, n, sizeof(hashes[0]), hash_cmp);
	mid = n / 2;
	while (mid < n && hashes[mid] == hashes[0])
		mid++;
	return mid < n ? hashes[mid] : 0;
}

/* Makes two of the i-th leaf, which is full: false where it cannot be done. */
static bool
part_split(struct audience_part *p, uint32_t i)
{
	struct audience_leaf *old = p->leaves[i].leaf;
	uint64_t middle = leaf_middle(old);
	struct audience_leaf *halves[2];
	const struct audience_member *m;

	if (middle == 0)
		return false;
	for (int half = 0; half < 2; half++)
		halves[half] = leaf_new(p->share, leaf_room(old->used));
	for (uint32_t at = 0; at < old->used;
		at += audience_member_size(m->len)) {
		m = audience_member_at(old, at);
		leaf_append(halves[m->hash >= middle], m, m->text);
	}
	part_set_leaf(p, i, halves[0]);
	part_insert_leaf(p, i + 1, middle, halves[1]);
	return true;
}

/* The i-th leaf and the next, when both fit into half a leaf: so that those who
 * leave do not leave almost nothing in each. */
static void
part_merge(struct audience_part *p, uint32_t i)
{
	const struct audience_leaf *next;
	struct audience_leaf *l;
	uint32_t used;

	if (i + 1 >= p->n_leaves)
		return;
	next = p->leaves[i + 1].leaf;
	used = p->leaves[i].leaf->used + next->used;
	if (used > LEAF_MAX / 2)
		return;
	l = leaf_own(p, i, used);
	memcpy(l->bytes + l->used, next->bytes, next->used);
	l->used = used;
	part_remove_leaf(p, i + 1);
}

/* As part_add(), where there may be something to make first. */
static void
part_add_slowly(struct audience_part **p_io, const struct audience_member *m,
	const char *text)
{
	struct audience_part *p = part_own(p_io);
	uint32_t size = audience_member_size(m->len);
	uint32_t i = part_index(p, m->hash);

	if (p->n_leaves == 0)
		part_insert_leaf(p, 0, 0, leaf_new(p->share, leaf_room(size)));
	if (p->leaves[i].leaf->used + size > LEAF_MAX && part_split(p, i))
		i = part_index(p, m->hash);
	leaf_append(leaf_own(p, i, p->leaves[i].leaf->used + size), m, text);
	p->members++;
}

/* Most often there is room, and nobody else holds any of it. */
static void
part_add(struct audience_part **p_io, const struct audience_member *m,
	const char *text)
{
	struct audience_part *p = *p_io;
	struct audience_leaf *l = p->n_leaves != 0 ?
		p->leaves[part_index(p, m->hash)].leaf :
		NULL;

	if (l != NULL && ref_is_sole(&p->ref) && ref_is_sole(&l->ref) &&
		l->used + audience_member_size(m->len) <=
			MIN(l->room, LEAF_MAX)) {
		leaf_append(l, m, text);
		p->members++;
	} else {
		part_add_slowly(p_io, m, text);
	}
}

static void
part_cut(struct audience_part **p_io, uint32_t i,
	const struct audience_member *found)
{
	uint32_t at = (uint32_t)((const char *)found -
		(*p_io)->leaves[i].leaf->bytes);
	uint32_t size = audience_member_size(found->len);
	struct audience_part *p = part_own(p_io);
	struct audience_leaf *l = leaf_own(p, i, p->leaves[i].leaf->used);

	l->used -= size;
	memmove(l->bytes + at, l->bytes + at + size, l->used - at);
	p->members--;
	if (l->used == 0) {
		part_remove_leaf(p, i);
	} else {
		part_merge(p, i);
		if (i > 0)
			part_merge(p, i - 1);
	}
}

/* --- the whole ----------------------------------------------------------------- */

struct audience *
audience_new(struct shard *sh, uint64_t owner)
{
	struct share *share = budget_share(sh->server, owner);
	unsigned n = sh->server->n_shards;
	struct audience *a =
		block_new(share, sizeof(*a) + n * sizeof(a->parts[0]));

	ASSERT_ON(sh);
	a->shard = sh;
	a->share = share;
	a->flight = NULL;
	a->serial = sh->snap->serial;
	a->by_domain = false;
	a->n_parts = n;
	memset(a->parts, 0, n * sizeof(a->parts[0]));
	memuse_count(MEMUSE_AUDIENCE, 1, 0);
	return a;
}

void
audience_free(struct audience *a)
{
	if (a == NULL)
		return;
	ASSERT_ON(a->shard);
	for (unsigned i = 0; i < a->n_parts; i++)
		audience_part_unref(a->parts[i]);
	flight_unref(a->flight);
	memuse_count(MEMUSE_AUDIENCE, -1, 0);
	block_free(a->share, a,
		sizeof(*a) + a->n_parts * sizeof(a->parts[0]));
}

struct audience *
audience_copy(struct audience *a)
{
	size_t n = sizeof(*a) + a->n_parts * sizeof(a->parts[0]);
	struct audience *copy = block_new(a->share, n);

	ASSERT_ON(a->shard);
	(void)audience_flight(a); /* they count together */
	memcpy(copy, a, n);
	for (unsigned i = 0; i < a->n_parts; i++) {
		if (a->parts[i] != NULL)
			audience_part_ref(a->parts[i]);
	}
	if (copy->flight != NULL)
		flight_ref(copy->flight);
	memuse_count(MEMUSE_AUDIENCE, 1, 0);
	return copy;
}

/* Where broadcasts go for him, so that they keep their order with what else is sent
 * to him.  Whose he is, is asked again where he is delivered to: a reload may make
 * something else of his domain. */
static inline struct audience_part **
audience_part_of(struct audience *a, struct jid jid, uint64_t hash,
	struct route_last *last_io)
{
	struct shard *sh = a->shard;

	if (route_is_whole_too(sh, jid, last_io)) {
		a->by_domain = true;
		return &a->parts[last_io->place.shard];
	}
	return &a->parts[server_place(sh->server, hash).shard];
}

/* He is in *i_out, or belongs there. */
static struct audience_member *
part_find(const struct audience_part *p, struct jid jid, uint64_t hash,
	uint32_t *i_out)
{
	if (p == NULL || p->n_leaves == 0)
		return NULL;
	*i_out = part_index(p, hash);
	return leaf_find(p->leaves[*i_out].leaf, jid, hash);
}

/* Was somebody's domain something else when he joined? */
static bool
audience_is_mixed(const struct audience *a)
{
	const struct snapshot *snap = a->shard->snap;

	return snap->serial != a->serial &&
		(a->by_domain || snap->has_whole);
}

/* The part that he is in, or belongs to (*found_out NULL). */
static struct audience_part **
audience_find(struct audience *a, struct jid jid, uint64_t hash,
	struct audience_member **found_out, uint32_t *i_out)
{
	struct audience_part **p = audience_part_of(a, jid, hash,
		&(struct route_last){ .whole = false });

	*found_out = part_find(*p, jid, hash, i_out);
	if (*found_out != NULL || !audience_is_mixed(a))
		return p;
	for (unsigned i = 0; i < a->n_parts; i++) {
		*found_out = part_find(a->parts[i], jid, hash, i_out);
		if (*found_out != NULL)
			return &a->parts[i];
	}
	return p;
}

/* In the same place of a leaf that may be changed. */
static void
part_set_flags(struct audience_part **p_io, uint32_t i,
	const struct audience_member *found, uint8_t flags)
{
	uint32_t at = (uint32_t)((const char *)found -
		(*p_io)->leaves[i].leaf->bytes);
	struct audience_part *p = part_own(p_io);

	audience_member_at(leaf_own(p, i, p->leaves[i].leaf->used), at)->flags = flags;
}

void
audience_add(struct audience *a, struct jid jid, uint8_t flags,
	struct route_last *last_io)
{
	uint64_t hash = server_hash(a->shard->server, jid_bare_str(jid));
	struct audience_part **p = audience_part_of(a, jid, hash, last_io);
	struct audience_member m = { hash, jid.local_len, jid.bare_len, jid.len,
		flags };

	if (*p == NULL)
		*p = part_new(a->share, SLOTS_MIN);
	part_add(p, &m, jid.text);
}

bool
audience_join(struct audience *a, struct jid jid, uint8_t flags)
{
	uint64_t hash = server_hash(a->shard->server, jid_bare_str(jid));
	struct audience_member *found;
	struct audience_part **p;
	uint32_t i;

	ASSERT_ON(a->shard);
	assert(flags != 0);
	p = audience_find(a, jid, hash, &found, &i);
	if (found == NULL)
		audience_add(a, jid, flags,
			&(struct route_last){ .whole = false });
	else if (found->flags != flags)
		part_set_flags(p, i, found, flags);
	return found == NULL;
}

bool
audience_leave(struct audience *a, struct jid jid)
{
	uint64_t hash = server_hash(a->shard->server, jid_bare_str(jid));
	struct audience_member *found;
	struct audience_part **p;
	uint32_t i;

	ASSERT_ON(a->shard);
	p = audience_find(a, jid, hash, &found, &i);
	if (found == NULL)
		return false;
	part_cut(p, i, found);
	if ((*p)->members == 0) {
		audience_part_unref(*p);
		*p = NULL;
	}
	return true;
}

uint8_t
audience_flags(struct audience *a, struct jid jid)
{
	uint64_t hash = server_hash(a->shard->server, jid_bare_str(jid));
	struct audience_member *found;
	uint32_t i;

	ASSERT_ON(a->shard);
	audience_find(a, jid, hash, &found, &i);
	return found != NULL ? found->flags : 0;
}

size_t
audience_members(const struct audience *a)
{
	size_t n = 0;

	for (unsigned i = 0; i < a->n_parts; i++)
		n += a->parts[i] != NULL ? a->parts[i]->members : 0;
	return n;
}

struct flight *
audience_flight(struct audience *a)
{
	if (a->flight == NULL && audience_members(a) >= FLIGHT_MEMBERS)
		a->flight = flight_new(a->shard);
	return a->flight;
}

size_t
audience_bytes(const struct audience *a)
{
	size_t n = sizeof(*a) + a->n_parts * sizeof(a->parts[0]);

	for (unsigned i = 0; i < a->n_parts; i++) {
		const struct audience_part *p = a->parts[i];

		if (p != NULL)
			n += part_size(p->room) + p->leaf_bytes +
				p->n_leaves * sizeof(struct audience_leaf);
	}
	return n;
}
