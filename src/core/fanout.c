/*
 * fanout.c - sends to an audience, and delivers to its members where they are.
 *
 * Invariant: whoever has a stanza with many has a reference to its part, and the
 * module of its filter is held.
 */
#include "config.h"

#include "core/fanout.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/share.h"
#include "conf/conf.h"
#include "core/audience_int.h"
#include "core/entity.h"
#include "core/entity_message.h"
#include "core/entity_ring.h"
#include "core/flight.h"
#include "core/module_ctx.h"
#include "core/route.h"
#include "core/router_int.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "core/wire.h"

/* A broadcast to no more is delivered in one go, where others have left room in the
 * turn. */
#define MEMBERS_AT_ONCE 512
/* So many broadcasts are delivered together. */
#define TRAIN_MAX 64
/* What delivery to a member makes wait at the least, in bytes. */
#define MEMBER_BYTES 64
/* So long somebody rests for each broadcast to a shard that has too much to do,
 * and at most. */
#define LOAD_REST_US (20 * US_PER_MS)
#define LOAD_REST_MAX_US US_PER_S

/* In the arena of its stanza. */
struct fanout {
	struct audience_part *part; /* a reference */
	struct audience_walk walk;  /* who comes next: behind the last, the first */
	size_t left;                /* members that it has not come by */
	uint8_t flags;
	struct wire *wire;          /* kept from one turn to the next */
	struct flight *flight;      /* NULL: it is not counted */
	struct place at;            /* where it is, or goes */
	int64_t load;               /* what it counts there */
	bool returns;               /* the rest of them miss it */
	struct module_entry *entry; /* whose filter it is; NULL: there is none */
	bool (*wants)(struct module_ctx *m, struct session *s, struct str arg);
	struct str arg;
};

/* What members have in common that one call delivers to. */
struct fanout_turn {
	struct fanout_one one; /* of the broadcast that has its turn */
	struct ring_event *ev;
	struct str domain;  /* of the last whose domain is one entity */
	struct route whole; /* to that */
};

/* --- sending ----------------------------------------------------------------- */

static void
fanout_put(struct shard *sh, struct stanza *st, const struct fanout *what)
{
	struct fanout *f = arena_alloc(st->arena, sizeof(*f));

	*f = *what;
	audience_part_ref(f->part);
	f->left = f->part->members;
	if (f->entry != NULL)
		module_entry_hold(f->entry);
	if (f->flight != NULL)
		flight_leaves(f->flight, f->part->members);
	f->arg = arena_str(st->arena, what->arg);
	st->many = f;
	f->load = (int64_t)(stanza_bytes(st) + fanout_bytes(st) +
		f->part->members * MEMBER_BYTES);
	place_hold(sh, f->at, f->load);
	router_put(sh, f->at, st);
}

static bool
audience_is_behind(const struct audience *a)
{
	size_t bound = a->shard->snap->config->limits.mailbox_bytes;
	struct place p = { 0 };

	for (unsigned i = 0; i < a->n_parts; i++) {
		p.shard = (uint16_t)i;
		if (a->parts[i] != NULL && place_load(a->shard, p) > bound)
			return true;
	}
	return false;
}

/* Whose broadcast it was rests until those that came before have got on. */
static void
audience_slow(const struct audience *a, struct jid by)
{
	if (!jid_is_set(by) || jid_is_bare(by))
		return;
	if (a->flight != NULL &&
		flight_slows(a->flight, audience_members(a), by))
		return;
	if (audience_is_behind(a))
		entity_tell(a->shard,
			&(struct entity_message){
				.kind = TELL_REST,
				.to = by,
				.resource = jid_resource(by),
				.number = { LOAD_REST_US, LOAD_REST_MAX_US },
			});
}

/* The last place gets st itself, those before it copies. */
void
audience_send(struct audience *a, struct stanza *st, uint8_t flags,
	const struct audience_filter *filter, struct jid by)
{
	struct shard *sh = a->shard;
	struct fanout f = { .flags = flags };

	ASSERT_ON(sh);
	assert(jid_is_set(st->from) && !jid_is_set(st->to));
	assert(st->kind != STANZA_IQ);
	f.flight = audience_flight(a);
	if (filter != NULL) {
		f.entry = filter->m->entry;
		f.wants = filter->wants;
		f.arg = filter->arg;
	}
	for (unsigned i = 0; i < a->n_parts; i++) {
		if (a->parts[i] == NULL)
			continue;
		if (f.part != NULL)
			fanout_put(sh, stanza_copy(st), &f);
		f.part = a->parts[i];
		f.at.shard = (uint16_t)i;
	}
	audience_slow(a, by); /* lies in st, perhaps */
	if (f.part != NULL)
		fanout_put(sh, st, &f);
	else
		stanza_free(st);
	sh->stats.fanouts++;
}

size_t
fanout_bytes(const struct stanza *st)
{
	return st->many != NULL && st->many->part != NULL ?
		audience_part_own_bytes(st->many->part) :
		0;
}

void
fanout_drop(struct shard *sh, struct stanza *st)
{
	struct fanout *f = st->many;
	struct module_entry *entry = f != NULL ? f->entry : NULL;

	if (f != NULL) {
		place_hold(sh, f->at, -f->load);
		if (f->flight != NULL)
			flight_landed(sh, f->flight, f->part->members);
		audience_part_unref(f->part);
		wire_unref(f->wire);
	}
	stanza_free(st);
	if (entry != NULL)
		module_release(entry);
}

/* --- delivering ---------------------------------------------------------------- */

bool
fanout_wants(const struct fanout *f, const struct host *host, struct session *s)
{
	struct module_ctx *m =
		host != NULL ? module_at_host(host, f->entry) : NULL;

	return m != NULL && f->wants(m, s, f->arg);
}

/* By the way of all stanzas.  A probe of somebody elsewhere is from the bare address
 * (RFC 6121 §4.3). */
static void
fanout_copy(struct shard *sh, const struct stanza *st, struct jid to,
	uint64_t hash)
{
	struct stanza *copy = stanza_copy(st);
	struct place place;

	copy->many = NULL;
	copy->to_hash = hash;
	stanza_set_to(copy, to);
	if (st->type == PRESENCE_PROBE && route_is_whole(sh, to, &place))
		stanza_set_from(copy, jid_bare(copy->from));
	router_deliver(sh, copy);
}

/* One who sleeps still from the last stop, or is being loaded, may have sessions
 * that want it: they are asked when he is there, in its turn. */
static void
fanout_later(struct shard *sh, const struct stanza *st, struct jid to,
	uint64_t hash)
{
	const struct fanout *f = st->many;
	struct stanza *copy = stanza_copy(st);
	struct fanout *own = arena_alloc(copy->arena, sizeof(*own));

	*own = (struct fanout){
		.at = f->at,
		.entry = f->entry,
		.wants = f->wants,
		.arg = arena_str(copy->arena, f->arg),
	};
	module_entry_hold(own->entry);
	copy->many = own;
	copy->to_hash = hash;
	stanza_set_to(copy, to);
	router_deliver(sh, copy);
}

void
fanout_arrived(struct entity *e, struct stanza *st)
{
	struct fanout_one one = { .to = st->to, .fanout = st->many,
		.filtered = true };

	if (e->class->receive_shared != NULL)
		(void)e->class->receive_shared(e, st, &one);
	wire_unref(one.wire);
	fanout_drop(e->shard, st);
}

/* Whom a filter would ask has no session while he is not in memory, unless he
 * sleeps. */
static bool
fanout_has_sessions(struct shard *sh, const struct entity *e,
	const struct audience_member *m)
{
	return e != NULL ? e->state != ENTITY_LOADED :
		sleepers_find(sh, jid_bare_str(audience_member_jid(m)),
			m->hash) != NULL;
}

/* False: e (may be NULL) has not got it. */
static bool
fanout_share(struct entity *e, struct stanza *st, struct fanout_turn *t)
{
	if (e == NULL || e->state != ENTITY_LOADED ||
		e->class->receive_shared == NULL)
		return false;
	ring_next(t->ev, &ring_fanout, e, e->hash);
	return e->class->receive_shared(e, st, &t->one);
}

/* Is the domain of the member, with all its addresses, one entity? */
static bool
fanout_find_whole(struct shard *sh, const struct audience_member *m,
	struct fanout_turn *t)
{
	struct route r;

	if (!sh->snap->has_whole)
		return false;
	r = route_by_hash(sh, t->one.to, m->hash);
	if (r.class == NULL || !r.class->whole_domain)
		return false;
	t->domain = jid_domain(t->one.to);
	t->whole = r;
	return true;
}

/* To that entity. */
static void
fanout_whole(struct shard *sh, struct stanza *st,
	const struct audience_member *m, struct fanout_turn *t)
{
	const struct route *r = &t->whole;
	struct entity *e = NULL;

	if (r->class->receive_shared != NULL && place_is_here(sh, r->place))
		e = entity_find_by_hash(sh, jid_str(r->key), r->hash);
	/* one of another class is about to leave */
	if (e == NULL || e->class != r->class || !fanout_share(e, st, t))
		fanout_copy(sh, st, t->one.to, m->hash);
}

static void
fanout_one(struct shard *sh, struct stanza *st, const struct audience_member *m,
	struct fanout_turn *t)
{
	struct fanout_one *one = &t->one;
	struct entity *e;

	one->to = audience_member_jid(m);
	/* many are of the same */
	if (!one->filtered && str_eq(jid_domain(one->to), t->domain)) {
		fanout_whole(sh, st, m, t);
		return;
	}
	e = entity_find_by_hash(sh, jid_bare_str(one->to), m->hash);
	if (fanout_share(e, st, t))
		return;
	if (one->filtered) {
		if (fanout_has_sessions(sh, e, m))
			fanout_later(sh, st, one->to, m->hash);
	} else if (fanout_find_whole(sh, m, t)) {
		fanout_whole(sh, st, m, t);
	} else if (e != NULL || st->kind != STANZA_PRESENCE ||
		sleepers_find(sh, jid_bare_str(one->to), m->hash)) {
		fanout_copy(sh, st, one->to, m->hash);
	}
}

/* NULL: it has come by all. */
static const struct audience_member *
fanout_step(struct fanout *f)
{
	const struct audience_member *m;

	if (f->left == 0)
		return NULL;
	f->left--;
	m = audience_step(f->part, &f->walk);
	if (m == NULL) {
		f->walk = (struct audience_walk){ 0 };
		m = audience_step(f->part, &f->walk);
	}
	return m;
}

/* Whose class is told at once; NULL: nobody is, any more. */
static struct entity *
fanout_sender(struct shard *sh, const struct stanza *st)
{
	struct entity *e = entity_find(sh, jid_bare_str(st->from));

	return e != NULL && e->state == ENTITY_LOADED &&
			e->class->missed != NULL ?
		e :
		NULL;
}

/* True: nobody misses it any more, and st is gone. */
static bool
fanout_miss(struct shard *sh, struct stanza *st, size_t *members_io)
{
	struct fanout *f = st->many;
	struct entity *e = fanout_sender(sh, st);
	const struct audience_member *m;

	while (e != NULL) {
		if (*members_io == 0)
			return false;
		m = fanout_step(f);
		if (m == NULL)
			break;
		--*members_io;
		if ((m->flags & f->flags) != 0)
			e->class->missed(e, audience_member_jid(m));
	}
	fanout_drop(sh, st);
	return true;
}

void
fanout_return(struct shard *sh, struct stanza *st)
{
	struct fanout *f = st->many;
	struct route r = route(sh, st->from);

	if (f->part == NULL || f->returns || r.class == NULL ||
		r.class->missed == NULL) {
		fanout_drop(sh, st);
		return;
	}
	f->returns = true;
	place_hold(sh, f->at, -f->load);
	f->at = r.place;
	place_hold(sh, f->at, f->load);
	router_put(sh, f->at, st);
}

/* --- broadcasts that go together ------------------------------------------------- */

/*
 * What one says to the same members while something of his is on its way goes along
 * with that, from where it is, and comes by those who were before at the end:
 *
 *     members   a b c d e f g h
 *     1st           ======>         each hears the first, and then the second;
 *     2nd           ======>         a and b do when the first is over
 *
 * So what goes to one connection in a turn is one system call, and no broadcast waits
 * for another.  Who stands in front of another has less left than he.
 */

/* st, which is behind first, goes with it. */
static bool
fanout_goes_along(const struct stanza *first, const struct stanza *st)
{
	const struct fanout *a = first->many;
	struct fanout *b = st->many;

	if (b == NULL || b->part != a->part || b->returns)
		return false;
	if (b->left == b->part->members)
		b->walk = a->walk;
	return b->walk.leaf == a->walk.leaf && b->walk.at == a->walk.at;
}

/* How many at the head of q go together; *flags_out: who gets one of them. */
static size_t
train_length(struct stanza_queue *q, uint8_t *flags_out)
{
	const struct stanza *first = STAILQ_FIRST(q), *st;
	size_t n = 0;

	*flags_out = 0;
	STAILQ_FOREACH(st, q, link) {
		if (n == TRAIN_MAX || !fanout_goes_along(first, st))
			break;
		*flags_out |= st->many->flags;
		n++;
	}
	return n;
}

/* The next members that have one of the flags, AHEAD at most; the n of the train have
 * come by them then. */
static size_t
train_step(struct shard *sh, struct stanza_queue *q, size_t n, uint8_t flags,
	const struct audience_member **some)
{
	struct stanza *st = STAILQ_FIRST(q);
	struct fanout *first = st->many;
	const struct audience_member *m;
	uint64_t hashes[AHEAD];
	size_t before = first->left, found = 0;

	while (found < AHEAD && (m = fanout_step(first)) != NULL) {
		if ((m->flags & flags) == 0)
			continue;
		hashes[found] = m->hash;
		some[found++] = m;
	}
	while (--n != 0) {
		st = STAILQ_NEXT(st, link);
		st->many->walk = first->walk;
		st->many->left -= before - first->left;
	}
	router_warm(sh, hashes, found);
	return found;
}

/* To how many of some. */
static size_t
fanout_some(struct shard *sh, struct stanza *st,
	const struct audience_member *const *some, size_t n,
	struct fanout_turn *t)
{
	struct fanout *f = st->many;
	size_t done = 0;

	share_set(arena_share(st->arena));
	t->one = (struct fanout_one){ .fanout = f, .wire = f->wire,
		.filtered = f->entry != NULL };
	t->ev = ring_note(&ring_fanout, NULL, 0, st->type, 0);
	for (size_t i = 0; i < n; i++) {
		if ((some[i]->flags & f->flags) == 0)
			continue;
		fanout_one(sh, st, some[i], t);
		done++;
	}
	f->wire = t->one.wire;
	return done;
}

/* To some members.  False: the first has come by all, and is gone, as are those that
 * have done so with it. */
static bool
train_run(struct shard *sh, struct stanza_queue *q, struct fanout_turn *t,
	size_t *members_io)
{
	const struct audience_member *some[AHEAD];
	struct stanza *st;
	uint8_t flags;
	size_t n = train_length(q, &flags), done = 0, found;
	bool goes_on = true;

	found = train_step(sh, q, n, flags, some);
	STAILQ_FOREACH(st, q, link) {
		if (n-- == 0)
			break;
		done += fanout_some(sh, st, some, found, t);
	}
	*members_io -= MIN(done, *members_io);
	while ((st = STAILQ_FIRST(q)) != NULL && st->many != NULL &&
		st->many->part != NULL && st->many->left == 0) {
		STAILQ_REMOVE_HEAD(q, link);
		fanout_drop(sh, st);
		goes_on = false;
	}
	return goes_on;
}

/* For which there is no train: true, if st is gone. */
static bool
fanout_alone(struct shard *sh, struct stanza *st, size_t *members_io)
{
	if (st->many->returns)
		return fanout_miss(sh, st, members_io);
	router_deliver(sh, st); /* fanout_later(), and moved meanwhile */
	return true;
}

void
fanout_run(struct shard *sh, struct stanza_queue *q, struct turn_left *left)
{
	struct stanza *st = STAILQ_FIRST(q);
	const struct fanout *f = st->many;
	struct fanout_turn t = { .domain = STR_NONE };

	if (f->part == NULL || f->returns) {
		STAILQ_REMOVE_HEAD(q, link);
		share_set(arena_share(st->arena));
		if (!fanout_alone(sh, st, &left->members))
			STAILQ_INSERT_HEAD(q, st, link);
		return;
	}
	while (!turn_is_full(sh, left) &&
		train_run(sh, q, &t, &left->members))
		;
}

bool
fanout_deliver(struct shard *sh, struct stanza *st, struct turn_left *left)
{
	struct stanza_queue q = STAILQ_HEAD_INITIALIZER(q);

	if (st->many->part != NULL &&
		st->many->part->members > MEMBERS_AT_ONCE)
		return false;
	STAILQ_INSERT_TAIL(&q, st, link);
	fanout_run(sh, &q, left);
	return STAILQ_EMPTY(&q);
}
