/*
 * remote_log.c - what is under way to another server, and how long it holds the
 * receipts of those who have sent it.
 *
 *   it comes --> held --acknowledged, written by a link that does not count,
 *                 |     or answered--------------------------------> freed
 *                 | a look, each second: was it there at the one before?
 *                 v
 *               let go
 *
 * The shard of the remote.  So a receipt is held for two seconds at most, and a link
 * that answers within one costs nothing but a timer.
 */
#include "config.h"

#include "remote/remote_int.h"

#include "base/clock.h"
#include "core/receipt.h"

#define LOOK_US US_PER_S

/* --- what is under way ----------------------------------------------------------- */

bool
pair_each(struct remote_pair *p, stanza_fn fn, void *arg)
{
	struct stanza *st;

	if (p->link != NULL && !link_each(p->link, fn, arg))
		return false;
	if (p->kept != NULL && !link_kept_each(p->kept, fn, arg))
		return false;
	STAILQ_FOREACH (st, &p->waiting, link)
		if (!fn(arg, st))
			return false;
	return true;
}

static bool
is_under_way(const struct remote_pair *p)
{
	size_t bytes;

	return pair_waits(p) ||
		(p->link != NULL && (p->link->n_waiting != 0 ||
				link_unacked(p->link, &bytes) != 0));
}

static bool
count_one(void *arg, struct stanza *st)
{
	size_t *n = arg;

	(void)st;
	(*n)++;
	return true;
}

/* Those that were there at the look before: the last ones have come since. */
static size_t
count_old(struct remote_pair *p)
{
	size_t n = 0;

	pair_each(p, count_one, &n);
	return n > p->n_came ? n - p->n_came : 0;
}

/* --- looks ----------------------------------------------------------------------- */

void
log_came(struct remote_pair *p, bool receipt)
{
	p->n_came++;
	if (!receipt || p->look_us != 0 || !is_under_way(p))
		return;
	p->n_came = 1;
	p->look_us = pair_shard(p)->now_us + LOOK_US;
	pair_settle(p);
}

struct look {
	size_t n_old; /* that are left */
	bool holds;   /* others do */
};

static bool
look_at_one(void *arg, struct stanza *st)
{
	struct look *look = arg;

	if (look->n_old == 0) {
		look->holds = look->holds || st->receipt != NULL;
		return !look->holds;
	}
	look->n_old--;
	receipt_let_go(st);
	return true;
}

void
log_look(struct remote_pair *p)
{
	struct look look = { .n_old = count_old(p) };

	pair_each(p, look_at_one, &look);
	p->n_came = 0;
	p->look_us = look.holds ? pair_shard(p)->now_us + LOOK_US : 0;
}
