/*
 * remote_offer.c - streams that have come from a domain of others, and take what goes
 * there, too (XEP-0288): each is offered for the pairs that it stands for, and is the
 * link of one that has none.
 *
 *	                 there is a link                 it leaves
 *	remote_offer() -------------------> kept ------------------------.
 *	   | there is none                    ^                           |
 *	   |   an attempt that has told the   |                           v
 *	   |   peer who we are: its end is ---'                         taken: the
 *	   |   awaited                                                  newest one
 *	   |   any other attempt: cancelled
 *	   '---------------------------------------------------------->
 *
 * So the link of a pair changes only where it ends, and two servers that open streams
 * to each other at the same time do not both give up theirs: whose stream is offered
 * over there has said who he is, and waits for what becomes of it.
 *
 * What a stream of ours has left that can be resumed (XEP-0198 §5) waits for the next
 * of ours, as long as one may come; and what one of theirs has left, for theirs
 * (remote_resumed.c).
 *
 * Keys are never asked about by such a stream, but by an attempt, which may go beside
 * it for that (XEP-0288 §2.2).
 *
 * The shard of the remote.  Invariant: p->offer is the one whose link p->link is.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "core/server.h"

/* Of all domains that may be in memory, pairs that we have never used are here for
 * such streams to at most such a part. */
#define GUESTS_PART 4

/* --- how many ---------------------------------------------------------------- */

/* What has come up for a stranger's key alone, as that of such a stream has, is not. */
static bool
pair_is_used(const struct remote_pair *p)
{
	return p->stranger == NULL && (p->link != NULL || p->asker != NULL);
}

/* p is here for such a stream alone. */
static bool
guest_enter(struct remote_pair *p)
{
	struct remotes *all = pair_shard(p)->remotes;

	if (p->guest || pair_is_used(p))
		return true;
	if (all->guests >= remotes_max(pair_shard(p)) / GUESTS_PART)
		return false;
	p->guest = true;
	all->guests++;
	return true;
}

void
guest_leave(struct remote_pair *p)
{
	if (!p->guest)
		return;
	p->guest = false;
	pair_shard(p)->remotes->guests--;
}

/* --- offers ------------------------------------------------------------------ */

bool
offer_take(struct remote_pair *p)
{
	struct shard *sh = pair_shard(p);
	struct remote_offer *o = LIST_FIRST(&p->offers);

	if (o == NULL || p->link != NULL || p->kept != NULL ||
		p->remote->closed != STREAM_COND_NONE)
		return false;
	if (p->attempt != NULL && !p->for_keys) {
		if (sh->server->remote_streams->has_shown(p->attempt))
			return false;
		pair_cancel(p);
	}
	p->offer = o;
	o->link = link_new(&p->remote->e, o->ops, o->stream);
	pair_linked(p, o->link);
	o->linked(o);
	pair_go_on(p); /* there may be keys */
	return true;
}

bool
offer_take_at_last(struct remote_pair *p)
{
	if (!LIST_EMPTY(&p->offers) && !theirs_awaited(p))
		unacked_lose(p);
	return offer_take(p);
}

static struct remote *
remote_get(struct shard *sh, struct str domain)
{
	struct entity *e = entity_get(sh, &remote_class, jid_trusted(domain),
		server_hash(sh->server, domain));

	return e != NULL && e->state == ENTITY_LOADED ?
		(struct remote *)(void *)e :
		NULL;
}

bool
remote_offer(struct shard *sh, struct str local, struct str remote,
	struct remote_offer *o)
{
	struct remote *r = remote_get(sh, remote);
	struct remote_pair *p;
	const char *why;

	if (r == NULL || r->closed != STREAM_COND_NONE ||
		remote_judge(r, local, &why) != COND_NONE ||
		(p = pair_get(r, local)) == NULL)
		return false;
	if (!guest_enter(p)) {
		sh->stats.refused++;
		pair_go_on(p);
		return false;
	}
	o->pair = p;
	o->link = NULL;
	LIST_INSERT_HEAD(&p->offers, o, in);
	if (!offer_take(p))
		pair_go_on(p);
	return true;
}

void
remote_withdraw(struct remote_offer *o)
{
	struct remote_pair *p = o->pair;

	ASSERT_ON(pair_shard(p));
	LIST_REMOVE(o, in);
	o->pair = NULL;
	if (LIST_EMPTY(&p->offers))
		guest_leave(p);
	if (o->link != NULL)
		remote_leave(o->link);
	else
		pair_go_on(p);
	o->link = NULL;
}
