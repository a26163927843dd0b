/*
 * flight.c - counts what is on its way to an audience, and slows who sends more.
 *
 * Invariant: it lives while an audience has it, or anything is on its way; who
 * rests is in the list, once, and told when it is emptied.
 */
#include "config.h"

#include "core/flight.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/timer.h"
#include "core/entity_message.h"
#include "core/place.h"
#include "core/shard.h"

/* Broadcasts to all members, before senders rest. */
#define IN_FLIGHT 4
/* Should it not be told that it may go on; before that it is told once more that
 * it rests, since what is on its way can take longer. */
#define REST_MAX_US (10 * US_PER_S)
#define AGAIN_US (REST_MAX_US / 2)

struct resting {
	SLIST_ENTRY(resting) link;
	struct jid jid; /* its text lies behind */
};

struct flight {
	struct shard *shard;
	unsigned refs;  /* of audiences */
	size_t members; /* to whom something is on its way, once for each */
	size_t low;     /* who rests goes on */
	SLIST_HEAD(, resting) resting;
	struct timer again; /* set while somebody rests */
};

struct landing {
	struct mail mail;
	struct flight *flight;
	size_t members;
};

/* --- who rests ----------------------------------------------------------------- */

/* us: 0, no longer. */
static void
flight_tell(const struct flight *f, struct jid who, int64_t us)
{
	entity_tell(f->shard,
		&(struct entity_message){
			.kind = TELL_REST,
			.to = who,
			.resource = jid_resource(who),
			.number = { us, us },
		});
}

static void
flight_wake(struct flight *f)
{
	struct resting *r;

	shard_timer_cancel(f->shard, &f->again);
	while ((r = SLIST_FIRST(&f->resting)) != NULL) {
		SLIST_REMOVE_HEAD(&f->resting, link);
		flight_tell(f, r->jid, 0);
		free(r);
	}
}

static void
on_again(struct timer *t)
{
	struct flight *f = CONTAINER_OF(t, struct flight, again);
	const struct resting *r;

	SLIST_FOREACH(r, &f->resting, link)
		flight_tell(f, r->jid, REST_MAX_US);
	shard_timer(f->shard, t, AGAIN_US, on_again);
}

static void
flight_add(struct flight *f, struct jid by)
{
	struct resting *r;
	char *text;

	SLIST_FOREACH(r, &f->resting, link) {
		if (jid_eq(r->jid, by))
			return;
	}
	r = xmalloc(sizeof(*r) + by.len);
	text = (char *)(r + 1);
	memcpy(text, by.text, by.len);
	r->jid = by;
	r->jid.text = text;
	SLIST_INSERT_HEAD(&f->resting, r, link);
	if (!timer_is_set(&f->again))
		shard_timer(f->shard, &f->again, AGAIN_US, on_again);
}

bool
flight_slows(struct flight *f, size_t members, struct jid by)
{
	if (f->members <= IN_FLIGHT * members)
		return false;
	f->low = IN_FLIGHT * members / 2;
	flight_add(f, by);
	/* each time: it may have gone on, because another audience let it */
	flight_tell(f, by, REST_MAX_US);
	return true;
}

/* --- counting ------------------------------------------------------------------ */

struct flight *
flight_new(struct shard *sh)
{
	struct flight *f = xcalloc(1, sizeof(*f));

	f->shard = sh;
	f->refs = 1;
	return f;
}

struct flight *
flight_ref(struct flight *f)
{
	f->refs++;
	return f;
}

static void
flight_settle(struct flight *f)
{
	if (f->members <= f->low || f->refs == 0)
		flight_wake(f);
	if (f->refs == 0 && f->members == 0)
		free(f);
}

void
flight_unref(struct flight *f)
{
	if (f == NULL)
		return;
	ASSERT_ON(f->shard);
	f->refs--;
	flight_settle(f);
}

void
flight_leaves(struct flight *f, size_t members)
{
	ASSERT_ON(f->shard);
	f->members += members;
}

static void
on_landed(struct mail *m, void *owner)
{
	struct landing *l = CONTAINER_OF(m, struct landing, mail);
	struct flight *f = l->flight;

	assert(f->shard == shard_arg(owner));
	f->members -= l->members;
	free(l);
	flight_settle(f);
}

/* Even on its own shard by mail: whoever drops it may be in the middle of sending
 * it. */
void
flight_landed(struct shard *sh, struct flight *f, size_t members)
{
	struct landing *l = xmalloc(sizeof(*l));

	l->mail.run = on_landed;
	l->mail.bytes = sizeof(*l);
	l->flight = f;
	l->members = members;
	place_put(sh, place_of_shard(f->shard), &l->mail);
}
