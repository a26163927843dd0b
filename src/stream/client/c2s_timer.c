/*
 * c2s_timer.c - what the stream of a client may have to do later.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/mem.h"

int64_t
c2s_due(const struct stream *x)
{
	const struct c2s *c = (const struct c2s *)x;
	const struct c2s_login *l = c->login;
	int64_t due = c2s_ping_due(c);

	if (x->leaving)
		return c2s_leave_due(x);
	if (l == NULL)
		return due;
	due = MIN(due, l->deadline_us);
	if (l->answer_us != 0)
		due = MIN(due, l->answer_us);
	if (l->slowed_us != 0)
		due = MIN(due, l->slowed_us);
	return due;
}

/* False when c has moved.  One thing at a time: an answer lets c read on, and it
 * may be logged in then, without a login. */
static bool
login_do_due(struct c2s *c)
{
	struct c2s_login *l = c->login;
	int64_t now = c->x.shard->now_us;

	if (l->answer_us != 0 && l->answer_us <= now)
		return c2s_auth_answer(c);
	if (l->slowed_us != 0 && l->slowed_us <= now)
		c2s_credentials_due(c);
	return true;
}

void
c2s_do_due(struct stream *x)
{
	struct c2s *c = c2s_of(x);

	if (c->login != NULL && c->login->deadline_us <= x->shard->now_us) {
		stream_end(x, STREAM_CONNECTION_TIMEOUT,
			"You did not log in in time");
		return;
	}
	if (c->login != NULL && !login_do_due(c))
		return;
	if (x->leaving && c2s_leave_due(x) <= x->shard->now_us) {
		c2s_leave_now(c);
		return;
	}
	if (c2s_ping_due(c) <= x->shard->now_us)
		c2s_ping(c);
	stream_arm(x);
}
