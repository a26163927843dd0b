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

/* Of one broadcast delivered in one go. */
#define MEMBERS_AT_ONCE 1024
/* What delivery to a member makes wait at the least, in bytes. */
#define MEMBER_BYTES 64
/* So long somebody rests for each broadcast to a shard that has too much to do,
 * and at most. */
#define LOAD_REST_US (20 * US_PER_MS)
#define LOAD_REST_MAX_US US_PER_S

/* In the arena of its stanza. */
struct fanout {
	struct audience_part *part; /* a reference */
	struct audience_walk walk;  /* who comes next */
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

/* What the members have in common that one call delivers to. */
struct fanout_turn {
	struct fanout_one one;
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

/* Those of the next AHEAD that have one of the flags; 0 at the end. */
static size_t
fanout_next(struct shard *sh, struct fanout *f,
	const struct audience_member **some)
{
	const struct audience_member *m;
	uint64_t hashes[AHEAD];
	size_t n = 0;

	while (n < AHEAD && (m = audience_step(f->part, &f->walk)) != NULL) {
		if ((m->flags & f->flags) == 0)
			continue;
		hashes[n] = m->hash;
		some[n++] = m;
	}
	router_warm(sh, hashes, n);
	return n;
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

/* As fanout_deliver(), of one that returns. */
static bool
fanout_miss(struct shard *sh, struct stanza *st, size_t *members_io)
{
	struct fanout *f = st->many;
	struct entity *e = fanout_sender(sh, st);
	const struct audience_member *m;

	while (e != NULL) {
		if (*members_io == 0)
			return false;
		m = audience_step(f->part, &f->walk);
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

bool
fanout_deliver(struct shard *sh, struct stanza *st, size_t *members_io)
{
	struct fanout *f = st->many;
	struct fanout_turn t = {
		.one = { .fanout = f, .wire = f->wire,
			.filtered = f->entry != NULL },
		.ev = ring_note(&ring_fanout, NULL, 0, st->type, 0),
	};
	const struct audience_member *some[AHEAD];
	size_t most = MIN(*members_io, MEMBERS_AT_ONCE), done = 0, n = AHEAD;

	if (f->part == NULL) { /* fanout_later(), and moved meanwhile */
		router_deliver(sh, st);
		return true;
	}
	if (f->returns)
		return fanout_miss(sh, st, members_io);
	while (n != 0 && done < most) {
		n = fanout_next(sh, f, some);
		for (size_t i = 0; i < n; i++)
			fanout_one(sh, st, some[i], &t);
		done += n;
	}
	f->wire = t.one.wire;
	*members_io -= MIN(done, *members_io);
	if (n != 0)
		return false;
	fanout_drop(sh, st);
	return true;
}
