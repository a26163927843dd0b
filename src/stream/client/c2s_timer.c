/*
 * c2s_timer.c - the one timer of a stream: it fires when the first of all that a
 * stream may wait for is due.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/mem.h"
#include "conf/option.h"

static void on_c2s_timer(struct timer *t);

static int64_t
c2s_due(const struct c2s *c)
{
	int64_t due = c2s_ping_due(c);

	if ((c->rest & C2S_REST_RATE) != 0)
		due = MIN(due, c->resume_us);
	if (c->login != NULL)
		due = MIN(due, c->login->deadline_us);
	if (c->login != NULL && c->login->answer_us != 0)
		due = MIN(due, c->login->answer_us);
	if (c->login != NULL && c->login->slowed_us != 0)
		due = MIN(due, c->login->slowed_us);
	return due;
}

void
c2s_arm(struct c2s *c)
{
	int64_t due;

	if (c->stage == C2S_CLOSED)
		return;
	due = c2s_due(c);
	/* a timer that fires too early finds nothing to do and is set again:
	 * that costs less than moving it with everything that comes */
	if (due < OPTION_NEVER &&
		(!timer_is_set(&c->timer) || c->timer.at_us > due))
		timer_set(&c->shard->timers, &c->timer, due, on_c2s_timer);
}

static void
on_c2s_timer(struct timer *t)
{
	struct c2s *c = CONTAINER_OF(t, struct c2s, timer);
	int64_t now = c->shard->now_us;

	if (c->login != NULL && c->login->deadline_us <= now) {
		c2s_end(c, STREAM_CONNECTION_TIMEOUT,
			"You did not log in in time");
		return;
	}
	if (c->login != NULL && c->login->answer_us != 0 &&
		c->login->answer_us <= now && !c2s_auth_answer(c))
		return;
	if (c->login != NULL && c->login->slowed_us != 0 &&
		c->login->slowed_us <= now)
		c2s_credentials_due(c);
	if ((c->rest & C2S_REST_RATE) != 0 && c->resume_us <= now)
		c2s_go_on(c, C2S_REST_RATE);
	if (c2s_ping_due(c) <= now)
		c2s_ping(c);
	c2s_arm(c);
}
