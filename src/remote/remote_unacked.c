/*
 * remote_unacked.c - what a stream that counts was given before it broke, and of
 * which nobody knows whether it has come; where no other stream goes on with it
 * (XEP-0198 §5), which would be told:
 *
 *   messages, subscriptions --> wait for the next stream, ahead of all else; not for
 *                               ever: one may be what breaks the streams
 *   requests ----------------> are answered: to do one twice may be wrong
 *   all other presence ------> is asked for anew; but that of a service, such as a
 *                              room's, nobody asks for: it waits as messages do
 *   results -----------------> are nobody's that could be told
 *
 * What it was not given yet waits behind that, as much of it as one link may have; or
 * who breaks each one, and takes a little of it, would make more and more of it wait.
 *
 * The shard of the remote.
 */
#include "config.h"

#include "core/host.h"
#include "remote/remote_int.h"

/* So often it is sent, where nothing of it is ever acknowledged. */
#define SENT_MAX 5

static const char unacked_text[] =
	"has not said whether it got this before the connection broke";
static const char too_much_text[] =
	"breaks its connections, and too much waits for it";

/* Whoever gets it twice finds the same id, or the state that he is in: so it bears no
 * <delay/>, by which the second one would differ. */
static bool
accounts_again(enum stanza_type type)
{
	return stanza_type_kind(type) == STANZA_MESSAGE ||
		(type >= PRESENCE_SUBSCRIBE && type <= PRESENCE_UNSUBSCRIBED);
}

static bool
services_again(enum stanza_type type)
{
	return accounts_again(type) || type == PRESENCE_AVAILABLE ||
		type == PRESENCE_UNAVAILABLE;
}

unacked_fn
unacked_sent_again(const struct remote_pair *p)
{
	const struct host *host = shard_host(pair_shard(p), pair_local(p));

	return host != NULL && host->service != NULL ? services_again :
						       accounts_again;
}

/* st is taken. */
static void
unacked_take_one(struct remote_pair *p, struct stanza *st)
{
	bool again = unacked_sent_again(p)(st->type);

	if (again && p->n_unacked < SENT_MAX) {
		pair_add_waiting(p, st);
	} else if (again || st->type == IQ_GET ||
		st->type == IQ_SET) {
		remote_refuse(p->remote, st, COND_REMOTE_SERVER_TIMEOUT,
			unacked_text);
	} else {
		watch_missed(p->remote, st);
		stanza_free(st);
	}
}

/* k is taken. */
static void
unacked_take(struct remote_pair *p, struct link_kept *k)
{
	struct stanza_queue unacked = STAILQ_HEAD_INITIALIZER(unacked);
	struct stanza *st;

	/* of what many got, none asks for presence */
	link_kept_free(k, unacked_sent_again(p), &unacked);
	while ((st = STAILQ_FIRST(&unacked)) != NULL) {
		STAILQ_REMOVE_HEAD(&unacked, link);
		unacked_take_one(p, st);
	}
}

/* k is taken: the next stream, of whoever had this one, may go on with it; else some of
 * it waits again, some is answered. */
static void
unacked_keep(struct remote_pair *p, struct link_kept *k, bool theirs)
{
	size_t bytes;

	p->n_unacked = link_kept_gained(k) || link_kept_size(k, &bytes) == 0 ?
		0 :
		p->n_unacked + 1;
	if (!link_kept_resumes(k) || p->n_unacked >= SENT_MAX)
		unacked_take(p, k);
	else if (theirs)
		theirs_keep(p, k);
	else
		p->kept = k;
}

/* One alone may be larger. */
static bool
back_has_room(const struct remote_pair *p, const struct stanza *st)
{
	const struct config_limits *l = &pair_shard(p)->snap->config->limits;
	size_t kept = 0;

	if (p->kept != NULL)
		(void)link_kept_size(p->kept, &kept);
	return !pair_waits(p) || kept + p->bytes + stanza_bytes(st) <=
			l->write_queue_bytes + l->write_queue_max_bytes;
}

/* All of back waits, or is answered. */
static void
back_take(struct remote_pair *p, struct stanza_queue *back)
{
	struct stanza *st;
	bool room = true;

	while ((st = STAILQ_FIRST(back)) != NULL) {
		STAILQ_REMOVE_HEAD(back, link);
		room = room && back_has_room(p, st);
		if (room) {
			pair_add_waiting(p, st);
		} else {
			pair_shard(p)->stats.refused++;
			remote_refuse(p->remote, st, COND_RESOURCE_CONSTRAINT,
				too_much_text);
		}
	}
}

bool
pair_take_back(struct remote_pair *p)
{
	struct stanza_queue back = STAILQ_HEAD_INITIALIZER(back);
	struct stanza_queue later = STAILQ_HEAD_INITIALIZER(later);
	bool has_taken = p->link->sent != 0, theirs = p->offer != NULL;
	struct link_kept *k = link_leave(p->link, &back);

	p->link = NULL;
	p->offer = NULL;
	STAILQ_CONCAT(&later, &p->waiting);
	if (k != NULL) {
		has_taken = link_kept_gained(k);
		unacked_keep(p, k, theirs);
	}
	back_take(p, &back);
	STAILQ_CONCAT(&p->waiting, &later);
	return has_taken;
}

void
unacked_lose(struct remote_pair *p)
{
	struct stanza_queue later = STAILQ_HEAD_INITIALIZER(later);
	struct link_kept *k = p->kept;

	if (k == NULL)
		return;
	p->kept = NULL;
	p->theirs_us = 0;
	STAILQ_CONCAT(&later, &p->waiting);
	unacked_take(p, k);
	STAILQ_CONCAT(&p->waiting, &later);
}

void
remote_not_resumed(struct link *l)
{
	struct remote_pair *p = pair_of(l);
	struct stanza_queue again = STAILQ_HEAD_INITIALIZER(again);
	struct stanza_queue later = STAILQ_HEAD_INITIALIZER(later);

	ASSERT_ON(pair_shard(p));
	STAILQ_CONCAT(&later, &p->waiting); /* come since l began to end */
	unacked_take(p, link_keep_no_more(l));
	while (!STAILQ_EMPTY(&p->waiting)) {
		struct stanza *st = pair_take_waiting(p);

		STAILQ_INSERT_TAIL(&again, st, link);
	}
	STAILQ_CONCAT(&p->waiting, &later);
	link_give_first(l, &again);
}
