/*
 * remote_link.c - the link of a pair: it comes, is idle, is told to end, has ended.
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "base/mem.h"

/* One that breaks sooner counts as a failure, or who accepts and breaks would keep us
 * busy. */
#define STAYS_US (10 * US_PER_S)
/* A link that came up for a key alone stays so long for an answer to whoever showed
 * it: or a stranger who has many domains would fill the room of all others. */
#define STRANGER_IDLE_US (10 * US_PER_S)

void
pair_linked(struct remote_pair *p, struct link *l)
{
	struct stanza *st;

	p->link = l;
	/* a stranger's counts until it is used; one that is offered does so by
	 * itself */
	if (p->stranger == NULL || p->offer != NULL)
		asker_leave(p);
	p->since_us = p->used_us = p->remote->linked_us =
		pair_shard(p)->now_us;
	p->received = 0;
	failure_over(p);
	watch_reached(p->remote);
	if (!pair_waits(p))
		p->until_us = 0;
	else
		guest_leave(p);
	if (p->theirs_us != 0)
		unacked_lose(p);
	if (p->kept != NULL)
		link_keep(l, p->kept);
	p->kept = NULL;
	while (!STAILQ_EMPTY(&p->waiting)) {
		st = pair_take_waiting(p);
		last_stamp(p, st); /* it may be larger then */
		link_give(l, st);
	}
	try_answer(p, ERR_NONE, NULL);
	pair_settle(p);
	pause_reached(p);
}

struct link *
remote_up(struct remote_pair *p, const struct link_stream *ops, void *stream)
{
	struct link *l = link_new(&p->remote->e, ops, stream);

	ASSERT_ON(pair_shard(p));
	assert(p->attempt != NULL && p->link == NULL && !p->for_keys);
	p->attempt = NULL;
	steps_shrink(p);
	pair_linked(p, l);
	return l;
}

void
pair_end_link(struct remote_pair *p, enum stream_cond cond, const char *text)
{
	struct link *l = p->link;

	if (p->ending)
		return;
	p->ending = true;
	pair_settle(p);
	if (cond == STREAM_COND_NONE || cond == STREAM_POLICY_VIOLATION)
		link_end(l, cond, text);
	else /* our domain, or the server, goes, and nobody waits for that */
		l->ops->end(l->stream, cond, text);
}

int64_t
pair_idle_us(const struct remote_pair *p)
{
	int64_t idle_us = remote_conf(p->remote)->idle_us;

	if (p->stranger != NULL && p->offer == NULL &&
		verify_due(p) == INT64_MAX)
		idle_us = MIN(idle_us, STRANGER_IDLE_US);
	return p->used_us + idle_us;
}

bool
pair_link_is_idle(struct remote_pair *p)
{
	int64_t now_us = pair_shard(p)->now_us;
	size_t bytes;

	if (p->link->received != p->received || p->link->n_waiting != 0 ||
		link_unacked(p->link, &bytes) != 0)
		p->used_us = now_us;
	p->received = p->link->received;
	if (p->offer != NULL)
		p->used_us = MAX(p->used_us, *p->offer->used_us);
	return pair_idle_us(p) <= now_us;
}

struct remote_pair *
pair_of(const struct link *l)
{
	const struct remote *r = (const struct remote *)(const void *)l->entity;
	struct remote_pair *p;

	assert(l->entity->class == &remote_class);
	LIST_FOREACH (p, &r->pairs, in) {
		if (p->link == l)
			break;
	}
	assert(p != NULL);
	return p;
}

/* Where it has taken something, the limit begins anew for what is left. */
static void
pair_broke(struct remote_pair *p, bool was_ours, bool has_taken)
{
	struct shard *sh = pair_shard(p);
	bool early = was_ours && !p->ending &&
		sh->now_us - p->since_us < STAYS_US;

	p->remote->linked_us = sh->now_us;
	if (early)
		pause_own(p);
	else
		p->pause = (struct remote_pause){ .failures = 0 };
	if (!pair_waits(p))
		p->until_us = 0;
	else if (has_taken || p->until_us == 0)
		p->until_us = sh->now_us + remote_conf(p->remote)->timeout_us;
	p->ending = false;
}

void
remote_leave(struct link *l)
{
	struct remote_pair *p = pair_of(l);
	bool was_ours = p->offer == NULL;

	ASSERT_ON(pair_shard(p));
	pair_broke(p, was_ours, pair_take_back(p));
	if (pair_stops(p))
		pair_stop_refuse(p, COND_REMOTE_SERVER_TIMEOUT,
			remote_stops_text);
	else if (p->end_why != NULL)
		pair_refuse_waiting(p, p->end_cond, p->end_why);
	else if (pair_waits(p))
		asker_take(p, pair_first_from(p));
	p->end_why = NULL;
	if (offer_take(p))
		return;
	if (pair_waits(p))
		pair_needs_link(p);
	pair_go_on(p);
}
