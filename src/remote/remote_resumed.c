/*
 * remote_resumed.c - what a stream of theirs that was a link has left: their next one
 * may go on with it (XEP-0198 §5), and then says how much of it has come.
 *
 *   it breaks --> kept, no attempt for a while --> attempt: who comes first is the link
 *                  | they go on with it
 *                  |   what has come is over, the rest was never sent: it waits ahead of
 *                  |   all else, for whatever link
 *                  | they begin anew, or another is the link
 *                  '-> nobody knows what has come (remote_unacked.c)
 *
 * The shard of the remote.  Invariant: p->theirs_us is set where p->kept is of a stream
 * of theirs, and not else.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "base/mem.h"

/* So long they have for it, but half of what stanzas wait in all: who has seen his
 * stream break comes at once. */
#define WITHIN_US (10 * US_PER_S)
/* What a small stanza takes. */
#define STANZA_BYTES 1024

void
theirs_keep(struct remote_pair *p, struct link_kept *k)
{
	p->kept = k;
	p->theirs_us = pair_shard(p)->now_us +
		MIN(WITHIN_US, remote_conf(p->remote)->timeout_us / 2);
}

bool
theirs_awaited(const struct remote_pair *p)
{
	return p->theirs_us > pair_shard(p)->now_us;
}

/* What many got is kept as few bytes of each, and makes a stanza of each now: as many of
 * them as one link may have wait, or that presence goes, as where nobody goes on. */
static bool
theirs_fit(const struct remote_pair *p)
{
	const struct config_limits *l = &pair_shard(p)->snap->config->limits;
	size_t bytes;

	return link_kept_size(p->kept, &bytes) * STANZA_BYTES <=
		l->write_queue_bytes + l->write_queue_max_bytes;
}

static bool
any(enum stanza_type type)
{
	(void)type;
	return true;
}

/* Ahead of what waits. */
static void
theirs_wait(struct remote_pair *p)
{
	struct stanza_queue later = STAILQ_HEAD_INITIALIZER(later);
	struct stanza_queue rest = STAILQ_HEAD_INITIALIZER(rest);
	struct stanza *st;

	link_kept_free(p->kept, theirs_fit(p) ? any : unacked_sent_again(p),
		&rest);
	p->kept = NULL;
	p->theirs_us = 0;
	STAILQ_CONCAT(&later, &p->waiting);
	while ((st = STAILQ_FIRST(&rest)) != NULL) {
		STAILQ_REMOVE_HEAD(&rest, link);
		pair_add_waiting(p, st);
	}
	STAILQ_CONCAT(&p->waiting, &later);
}

static void
theirs_settled(struct remote_pair *p)
{
	if (!pair_waits(p))
		p->until_us = 0;
	if (!offer_take(p))
		pair_go_on(p);
}

void
remote_resumed(struct shard *sh, struct str local, struct str remote,
	const char *id, uint32_t n)
{
	struct remote *r = remote_find(sh, remote);
	struct remote_pair *p = r != NULL ? pair_find(r, local) : NULL;

	if (p == NULL || p->theirs_us == 0 || !link_kept_is_of(p->kept, id))
		return;
	link_kept_came(p->kept, n);
	if (n != 0)
		p->n_unacked = 0;
	theirs_wait(p);
	theirs_settled(p);
}

void
remote_offer_begins(struct remote_offer *o)
{
	struct remote_pair *p = o->pair;

	ASSERT_ON(pair_shard(p));
	if (p->theirs_us == 0)
		return;
	unacked_lose(p);
	theirs_settled(p);
}
