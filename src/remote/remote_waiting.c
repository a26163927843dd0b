/*
 * remote_waiting.c - what waits for the next link of a pair.
 *
 * The shard of the remote.  Invariant: what of it there is is counted with the pair, with
 * its remote, and in the shard's gauge.
 */
#include "config.h"

#include "remote/remote_int.h"

void
pair_add_waiting(struct remote_pair *p, struct stanza *st)
{
	struct remote *r = p->remote;
	size_t bytes = stanza_bytes(st);

	STAILQ_INSERT_TAIL(&p->waiting, st, link);
	r->n_waiting++;
	r->bytes += bytes;
	p->n_waiting++;
	p->n_last += st->away_us != 0;
	p->bytes += bytes;
	gauge_add(&pair_shard(p)->stats.link_bytes, bytes);
}

struct stanza *
pair_take_waiting(struct remote_pair *p)
{
	struct stanza *st = STAILQ_FIRST(&p->waiting);
	struct remote *r = p->remote;
	size_t bytes = stanza_bytes(st);

	STAILQ_REMOVE_HEAD(&p->waiting, link);
	r->n_waiting--;
	r->bytes -= bytes;
	p->n_waiting--;
	p->n_last -= st->away_us != 0;
	p->bytes -= bytes;
	gauge_remove(&pair_shard(p)->stats.link_bytes, bytes);
	return st;
}

void
pair_refuse_waiting(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	unacked_lose(p);
	while (pair_waits(p))
		remote_refuse(p->remote, pair_take_waiting(p), cond, why);
	p->until_us = 0;
}

/* The same, but for what was kept over a stop. */
void
pair_refuse_behind(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	struct stanza_queue all = STAILQ_HEAD_INITIALIZER(all);
	struct stanza *st;

	unacked_lose(p);
	while (pair_waits(p)) {
		st = pair_take_waiting(p);
		STAILQ_INSERT_TAIL(&all, st, link);
	}
	while ((st = STAILQ_FIRST(&all)) != NULL) {
		STAILQ_REMOVE_HEAD(&all, link);
		if (st->away_us != 0)
			pair_add_waiting(p, st);
		else
			remote_refuse(p->remote, st, cond, why);
	}
	p->until_us = 0;
}
