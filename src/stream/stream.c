/*
 * stream.c - the life of a stream, its timer, and what its connection reports.
 *
 * Called by the net folder and the timers of the shard that it is on.
 */
#include "config.h"

#include "stream/stream_int.h"

#include <assert.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "base/tag.h"
#include "net/conn.h"
#include "conf/option.h"
#include "core/host.h"
#include "stream/framing.h"

struct stream_shard *
stream_shard(struct shard *sh)
{
	struct stream_shard *ss = sh->streams;

	if (ss == NULL) {
		ss = xcalloc(1, sizeof(*ss));
		TAILQ_INIT(&ss->streams);
		sh->streams = ss;
	}
	return ss;
}

static struct stream *
stream_arg(void *arg)
{
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	ASSERT_ON(x->shard);
	/* the loop calls us before the turn has read the clock */
	x->shard->now_us = clock_mono_us(x->shard->server->clock);
	return x;
}

struct log_who
stream_who(const struct stream *x)
{
	return (struct log_who){ x->kind->describe, x };
}

void
stream_authenticated(struct stream *x)
{
	stream_count_known(x);
	x->authenticated = true;
	if (x->parser != NULL)
		xml_parser_limit(x->parser, stream_limits(x));
}

void
stream_bound(struct stream *x)
{
	x->stage = STAGE_BOUND;
	if ((x->rest & REST_KEEPS) == 0)
		stream_wait_free(x);
}

/* --- its timer ------------------------------------------------------------ */

static void
on_stream_timer(struct timer *t)
{
	struct stream *x = CONTAINER_OF(t, struct stream, timer);

	if ((x->rest & REST_RATE) != 0 && x->resume_us <= x->shard->now_us)
		stream_go_on(x, REST_RATE);
	/* x may have moved behind this, which arms it where it is */
	x->kind->do_due(x);
}

void
stream_arm(struct stream *x)
{
	int64_t due;

	if (x->stage == STAGE_CLOSED)
		return;
	due = x->kind->due(x);
	if ((x->rest & REST_RATE) != 0)
		due = MIN(due, x->resume_us);
	/* a timer that fires too early finds nothing to do and is set again:
	 * that costs less than moving it with everything that comes */
	if (due < OPTION_NEVER &&
		(!timer_is_set(&x->timer) || x->timer.at_us > due))
		timer_set(&x->shard->timers, &x->timer, due, on_stream_timer);
}

/* --- its connection ------------------------------------------------------- */

/* An element that has begun and does not end waits too. */
static void
stream_count_parser(struct stream *x)
{
	size_t now = x->parser != NULL && x->stage == STAGE_BOUND ?
		xml_parser_bytes(x->parser) :
		0;
	int64_t more = (int64_t)now - x->parser_bytes;

	if (more == 0)
		return;
	x->parser_bytes += (uint32_t)more;
	memuse_count(MEMUSE_QUEUE, 0, more);
	share_count(conn_share(x->conn), more);
}

static void
on_conn_data(void *arg, const char *p, size_t n)
{
	struct stream *x = stream_arg(arg);
	bool here;

	if (x->stage == STAGE_CLOSED)
		return;
	stream_seen(x);
	stream_count_bytes(x, n);
	share_set(conn_share(x->conn));
	here = stream_read(x, p, n);
	share_set(NULL);
	if (!here)
		return;
	stream_count_parser(x);
	stream_judge_rate(x);
	stream_arm(x);
}

static void
on_conn_secured(void *arg)
{
	stream_secured(stream_arg(arg));
}

static void
on_conn_drained(void *arg)
{
	struct stream *x = stream_arg(arg);

	x->kind->drained(x);
}

/* Called at the end of a turn, when nobody holds x. */
void
stream_conn_closed(void *arg, const struct err *why)
{
	struct stream *x = stream_arg(arg);

	if (why != NULL)
		x->kind->log_end(x, "connection lost", why->text);
	x->stage = STAGE_CLOSED;
	x->kind->ended(x, x->leaving);
	x->kind->closed(x);
	stream_put_parser(x);
	stream_count_parser(x);
	stream_wait_free(x);
	stream_leave(x);
	memuse_remove_part(MEMUSE_STREAM, x->lang);
	free(x->lang);
	TAG_CLEAR(x);
	memuse_remove(MEMUSE_STREAM, x);
	free(x);
}

static const struct conn_events stream_conn_events = {
	.data = on_conn_data,
	.secured = on_conn_secured,
	.drained = on_conn_drained,
	.closed = stream_conn_closed,
};

void
stream_open(struct stream *x, const struct stream_kind *kind, struct shard *sh,
	struct conn *conn)
{
	sh->now_us = clock_mono_us(sh->server->clock);
	memuse_add(MEMUSE_STREAM, x);
	TAG_SET(x, "strm");
	x->kind = kind;
	x->framing = FRAMING_TCP;
	x->stage = STAGE_HEADER;
	x->conn = conn;
	x->seen_us = sh->now_us;
	stream_enter(x, sh);
	stream_wait_make(x);
	conn_set_owner(conn, &stream_conn_events, x);
}

void
stream_open_to(struct stream *x, const struct stream_kind *kind,
	struct shard *sh, struct conn *conn, bool direct)
{
	stream_open(x, kind, sh, conn);
	x->initiated = true;
	if (direct)
		stream_tls_direct(x);
	else
		stream_greet(x);
}
