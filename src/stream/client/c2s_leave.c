/*
 * c2s_leave.c - the goodbye of a client: where it counts, it hears first that all it
 * has sent is dealt with (XEP-0198 §4), if that is so within close_timeout.
 *
 *   </stream:stream> --> leaving --all is durable, delivered or refused--> <a/>,
 *                           '-----its time is over---------------> </stream:stream>
 *
 * Owner shard.  Whatever becomes of a connection on which a goodbye has come, the
 * session does not sleep.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/tag.h"
#include "core/host.h"

bool
c2s_leaves(struct stream *x)
{
	struct c2s *c = c2s_of(x);

	return c->session != NULL && !session_leaves(c->session, true);
}

/* The peer may close its connection, and is read for that. */
static void
leave(struct c2s *c)
{
	stream_go_on(&c->x, REST_HOLD);
	stream_end(&c->x, STREAM_COND_NONE, NULL);
}

void
c2s_on_counted(void *stream)
{
	struct c2s *c = stream;

	TAG_CHECK(&c->x, "strm");
	if (c->x.leaving && c->x.stage == STAGE_BOUND &&
		session_leaves(c->session, true))
		leave(c);
}

int64_t
c2s_leave_due(const struct stream *x)
{
	return x->seen_us + x->shard->snap->config->limits.close_timeout_us;
}

void
c2s_leave_now(struct c2s *c)
{
	if (c->session != NULL)
		(void)session_leaves(c->session, false);
	leave(c);
}
