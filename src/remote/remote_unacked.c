/*
 * remote_unacked.c - what a stream that counts was given before it broke, and of
 * which nobody knows whether it has come.
 *
 *   messages, subscriptions --> wait for the next stream, ahead of all else; not for
 *                               ever: one may be what breaks the streams
 *   requests ----------------> are answered: to do one twice may be wrong
 *   all other presence ------> is asked for anew
 *   results -----------------> are nobody's that could be told
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

/* So often it is sent, where nothing of it is ever acknowledged. */
#define SENT_MAX 5

static const char unacked_text[] =
	"has not said whether it got this before the connection broke";

/* Whoever gets it twice finds the same id, or the state that he is in: so it bears no
 * <delay/>, by which the second one would differ. */
static bool
is_sent_again(const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE ||
		(st->type >= PRESENCE_SUBSCRIBE &&
			st->type <= PRESENCE_UNSUBSCRIBED);
}

/* st is taken. */
static void
unacked_take_one(struct remote_pair *p, struct stanza *st)
{
	if (is_sent_again(st) && p->n_unacked < SENT_MAX) {
		pair_add_waiting(p, st);
	} else if (is_sent_again(st) || st->type == IQ_GET ||
		st->type == IQ_SET) {
		remote_refuse(p->remote, st, COND_REMOTE_SERVER_TIMEOUT,
			unacked_text);
	} else {
		watch_missed(p->remote, st);
		stanza_free(st);
	}
}

void
unacked_take(struct remote_pair *p, struct link_kept *k)
{
	struct stanza_queue unacked = STAILQ_HEAD_INITIALIZER(unacked);
	struct stanza *st;

	if (link_kept_gained(k))
		p->n_unacked = 0;
	link_kept_free(k, &unacked);
	p->n_unacked = STAILQ_EMPTY(&unacked) ? 0 : p->n_unacked + 1;
	while ((st = STAILQ_FIRST(&unacked)) != NULL) {
		STAILQ_REMOVE_HEAD(&unacked, link);
		unacked_take_one(p, st);
	}
}
