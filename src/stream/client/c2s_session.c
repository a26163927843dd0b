/*
 * c2s_session.c - a stream with a session: stanzas in, stanzas out.
 *
 * Owner shard of the account.  Nothing here ends the session while the session
 * is on the stack: who is cut off is so at the end of the turn.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "net/tls.h"

/* --- in ------------------------------------------------------------------- */

static enum budget_level
c2s_budget(const struct c2s *c)
{
	if (c->x.shard->budget.level == BUDGET_FINE || c->session == NULL)
		return BUDGET_FINE;
	return budget_judge(c->x.shard, c->session->account->e.hash);
}

void
c2s_write_stanza(struct c2s *c, struct stanza *st)
{
	if (c->session != NULL)
		session_write_own(c->session, st);
	else
		stream_write(&c->x, st->root);
}

void
c2s_refuse_elem(struct c2s *c, const struct elem *e, enum stanza_cond cond)
{
	struct stanza *error = stanza_error_of_elem(e, cond, STR_NONE);

	if (error != NULL)
		c2s_write_stanza(c, error);
	stanza_free(error);
}

/* RFC 6120 §4.9.3.9: an address that is none is not the session's either. */
static bool
from_is_an_address(const struct elem *e)
{
	struct arena *a = arena_new();
	struct str from = elem_attr(e, "from");
	struct jid jid;
	bool ok = from.p == NULL || jid_parse(&jid, a, from, NULL);

	arena_free(a);
	return ok;
}

/* Too much waits in the server, and much of it because of this account.  What
 * asks for nothing passes. */
static bool
c2s_refuses(struct c2s *c, struct stanza *st)
{
	bool asks = st->type == IQ_GET || st->type == IQ_SET ||
		(st->kind == STANZA_MESSAGE && st->type != MESSAGE_ERROR);
	struct stanza *error;

	if (!asks || c2s_budget(c) != BUDGET_OVER)
		return false;
	error = stanza_error(st, COND_RESOURCE_CONSTRAINT,
		STR("The server is short of memory"));
	session_write(c->session, error); /* waits if the client reads slowly */
	stanza_free(error);
	stanza_free(st);
	c->x.shard->stats.refused++;
	return true;
}

/* st is taken. */
static void
c2s_stanza(struct c2s *c, struct stanza *st)
{
	if (c2s_bound_iq(c, st))
		return;
	st->secure = conn_is_secure(c->x.conn);
	if (!c2s_refuses(c, st) && !session_receive(c->session, st)) {
		stream_end(&c->x, STREAM_INVALID_FROM,
			"\"from\" is not your address");
		return;
	}
	if (c->session != NULL)
		stream_give_way(&c->x, c->session->account->e.hash);
}

void
c2s_bound_element(struct c2s *c, struct arena *a, struct elem *e)
{
	enum stanza_cond cond;
	struct stanza *st;

	session_count(c->session);
	stream_stamp_lang(&c->x, a, e);
	st = stanza_from_elem(a, e, &cond);
	if (st != NULL) {
		c2s_stanza(c, st);
		return;
	}
	if (from_is_an_address(e))
		c2s_refuse_elem(c, e, cond);
	else
		stream_end(&c->x, STREAM_INVALID_FROM, "\"from\" is no address");
	arena_free(a);
}

/* --- out ------------------------------------------------------------------ */

static struct c2s *
session_stream(void *stream)
{
	struct c2s *c = stream;

	TAG_CHECK(&c->x, "strm");
	return c;
}

static bool
on_attach(void *stream, struct session *s)
{
	struct c2s *c = session_stream(stream);

	assert(c->x.authenticated);
	if (c->x.stage == STAGE_CLOSED || !c2s_may_take(c, s->account))
		return false;
	c2s_bound(c, s);
	return true;
}

static void
on_write(void *stream, const struct stanza *st)
{
	stream_write_stanza(stream, st);
}

static void
on_write_wire(void *stream, const struct wire *w, struct str to)
{
	stream_write_wire(stream, w, to);
}

static void
on_write_element(void *stream, const struct elem *e)
{
	stream_write(stream, e);
}

static void
on_close(void *stream, enum stream_cond cond, const char *text)
{
	struct c2s *c = session_stream(stream);

	c->session = NULL; /* it ends by itself */
	stream_end(&c->x, cond, text);
}

static const char *
on_describe(void *stream, const char *what)
{
	const struct c2s *c = session_stream(stream);

	if (strcmp(what, "peer") == 0)
		return conn_peer(c->x.conn);
	if (strcmp(what, "tls") == 0)
		return tls_version(c->x.conn);
	if (strcmp(what, "cipher") == 0)
		return tls_cipher(c->x.conn);
	if (strcmp(what, "mechanism") == 0)
		return sasl_mech_name((enum sasl_mech)c->x.method);
	return NULL;
}

static size_t
on_queued(void *stream)
{
	const struct c2s *c = session_stream(stream);

	return conn_queued(c->x.conn);
}

static uint64_t
on_taken(void *stream)
{
	const struct c2s *c = session_stream(stream);

	return conn_taken(c->x.conn);
}

static size_t
on_untaken(void *stream)
{
	const struct c2s *c = session_stream(stream);

	return conn_untaken(c->x.conn);
}

static int64_t
on_heard(void *stream)
{
	const struct c2s *c = session_stream(stream);

	return c->x.rest != 0 ? c->x.shard->now_us : c->x.seen_us;
}

static void
on_cut(void *stream, const char *why)
{
	struct c2s *c = session_stream(stream);

	stream_cut(stream, why, session_queued(c->session));
}

static void
on_leave(void *stream)
{
	struct c2s *c = session_stream(stream);

	stream_leave_open(&c->x);
	c->session = NULL; /* it sleeps */
}

/* A client that was not read is not silent. */
static void
on_rest(void *stream, bool rests)
{
	struct c2s *c = session_stream(stream);

	if (rests) {
		stream_rest(&c->x, REST_READER);
		return;
	}
	stream_seen(&c->x);
	stream_go_on(&c->x, REST_READER);
	stream_arm(&c->x);
}

static void
on_warm(const void *stream, unsigned step)
{
	const struct c2s *c = stream; /* not looked at: it is asked for */

	if (step == 0)
		mem_warm(c, sizeof(*c));
	else
		conn_warm(c->x.conn);
}

const struct session_stream c2s_session_stream = {
	.attach = on_attach,
	.write = on_write,
	.write_wire = on_write_wire,
	.write_element = on_write_element,
	.close = on_close,
	.describe = on_describe,
	.queued = on_queued,
	.taken = on_taken,
	.untaken = on_untaken,
	.heard_us = on_heard,
	.counted = c2s_on_counted,
	.cut = on_cut,
	.leave = on_leave,
	.rest = on_rest,
	.warm = on_warm,
};
