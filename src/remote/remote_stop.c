/*
 * remote_stop.c - what is under way to another server when ours stops: messages go into
 * the log, and are sent after the next start; who has asked for something is told.
 *
 *   remotes_stop() --> written --durable--> senders' receipts are let go
 *     |                   '--the disk fails--> they are told, as of all else
 *     |  the link stays, for what sessions say last: acknowledged, trimmed
 *   the end --> the same for that; what is in the log is freed when its link has left
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

/* Is st kept for the next start? */
static bool
stop_keeps(const struct remote_pair *p, const struct stanza *st)
{
	return log_is_for(st) && remote_conf(p->remote)->keep_us != 0 &&
		(log_has(p, st) || !p->stop_fails);
}

/* Of those of queue, in their order. */
static void
stop_sort(struct remote_pair *p, struct stanza_queue *queue,
	struct stanza_queue *kept, enum stanza_cond cond, const char *why)
{
	struct stanza *st;

	while ((st = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, link);
		if (stop_keeps(p, st))
			STAILQ_INSERT_TAIL(kept, st, link);
		else
			remote_refuse(p->remote, st, cond, why);
	}
}

static void
stop_waiting(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	struct stanza_queue all = STAILQ_HEAD_INITIALIZER(all);
	struct stanza_queue kept = STAILQ_HEAD_INITIALIZER(kept);
	struct stanza *st;

	while (!STAILQ_EMPTY(&p->waiting)) {
		st = pair_take_waiting(p);
		STAILQ_INSERT_TAIL(&all, st, link);
	}
	stop_sort(p, &all, &kept, cond, why);
	while ((st = STAILQ_FIRST(&kept)) != NULL) {
		STAILQ_REMOVE_HEAD(&kept, link);
		pair_add_waiting(p, st);
	}
	p->until_us = 0;
}

/* What is for its link, and was not given to its stream: who sent that is gone when it
 * ends. */
static void
stop_link(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	struct stanza_queue all = STAILQ_HEAD_INITIALIZER(all);
	struct stanza_queue kept = STAILQ_HEAD_INITIALIZER(kept);
	struct stanza *st;

	link_take_back(p->link, &all);
	stop_sort(p, &all, &kept, cond, why);
	while ((st = STAILQ_FIRST(&kept)) != NULL) {
		STAILQ_REMOVE_HEAD(&kept, link);
		link_give(p->link, st);
	}
}

static void
stop_refuse(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	unacked_lose(p);
	if (p->link != NULL)
		stop_link(p, cond, why);
	stop_waiting(p, cond, why);
}

/* They are in the log, or were answered: nobody is told of them any more. */
static void
stop_leave(struct remote_pair *p)
{
	log_done(p);
	while (!STAILQ_EMPTY(&p->waiting))
		stanza_free(pair_take_waiting(p));
}

void
pair_stop_refuse(struct remote_pair *p, enum stanza_cond cond, const char *why)
{
	stop_refuse(p, cond, why);
	if (!p->stop_fails && remote_conf(p->remote)->keep_us != 0)
		log_write_all(p);
	pair_stop_go_on(p);
}

/* What has been acknowledged or answered this turn is still in the log. */
void
pair_stop_go_on(struct remote_pair *p)
{
	if (p->link != NULL)
		return;
	if (p->log != NULL && !p->stop_fails)
		log_go_on(p->log);
	if (p->log == NULL || p->log->write == NULL)
		stop_leave(p);
}

void
pair_stop_failed(struct remote_pair *p)
{
	p->stop_fails = true;
	stop_refuse(p, COND_REMOTE_SERVER_TIMEOUT, remote_stops_text);
	pair_stop_go_on(p);
}
