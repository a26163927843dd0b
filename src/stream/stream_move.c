/*
 * stream_move.c - which shard a stream is on, how it is found there, and its way
 * to another one.
 *
 *   here:  stream_move(), or stream_restart()
 *            | the element that asked has been handled, nobody holds x, and
 *            | there is no answer still to come: stream_do_move()
 *            |   off the lists: of streams, of tokens, of timers
 *            |   bytes that were read, and not handled: x->wait->input
 *            v
 *   there: on_arrived(): on the lists, by another token
 *            | closing, sent elsewhere, or no such host any more: the end
 *            v
 *          stream_continue(): input is handled, and reading goes on
 *
 * Owner shard; in between, x belongs to the mail, and nobody finds it.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "net/conn.h"
#include "stream/framing.h"

/* --- found again ---------------------------------------------------------- */

static void
wait_enter(struct stream_wait *w, struct stream_shard *ss)
{
	w->token = ++ss->last_token;
	HASH_ADD(hh, ss->waits, token, sizeof(w->token), w);
}

static void
wait_leave(struct stream_wait *w, struct stream_shard *ss)
{
	HASH_DEL(ss->waits, w);
}

void
stream_wait_make(struct stream *x)
{
	x->wait = xcalloc(1, sizeof(*x->wait));
	memuse_add_part(MEMUSE_STREAM, x->wait);
	x->wait->stream = x;
	wait_enter(x->wait, stream_shard(x->shard));
}

void
stream_wait_free(struct stream *x)
{
	struct stream_wait *w = x->wait;

	if (w == NULL)
		return;
	wait_leave(w, stream_shard(x->shard));
	buf_done(&w->input);
	memuse_remove_part(MEMUSE_STREAM, w);
	free(w);
	x->wait = NULL;
}

struct stream *
stream_find(struct shard *sh, uint64_t token)
{
	struct stream_shard *ss = sh->streams;
	struct stream_wait *w = NULL;

	if (ss != NULL)
		HASH_FIND(hh, ss->waits, &token, sizeof(token), w);
	if (w == NULL || w->stream->stage == STAGE_CLOSED)
		return NULL;
	return w->stream;
}

/* --- whose it is ---------------------------------------------------------- */

void
stream_enter(struct stream *x, struct shard *sh)
{
	struct stream_shard *ss = stream_shard(sh);

	x->shard = sh;
	TAILQ_INSERT_TAIL(&ss->streams, x, link);
	sh->stats.streams++;
	if (x->wait != NULL)
		wait_enter(x->wait, ss);
}

void
stream_leave(struct stream *x)
{
	struct stream_shard *ss = stream_shard(x->shard);

	shard_timer_cancel(x->shard, &x->timer);
	TAILQ_REMOVE(&ss->streams, x, link);
	x->shard->stats.streams--;
	if (x->wait != NULL)
		wait_leave(x->wait, ss);
}

/* --- moving --------------------------------------------------------------- */

/* What happened to all while x was on its way. */
static bool
stream_may_go_on(struct stream *x)
{
	const struct stream_shard *ss = stream_shard(x->shard);

	if (ss->closing)
		stream_end(x, ss->closing_cond, NULL);
	else if (x->authenticated && x->kind->may_go_elsewhere &&
		ss->drained > x->wait->drained)
		stream_end_with(x, STREAM_SEE_OTHER_HOST, str_c(ss->elsewhere),
			NULL);
	else if (x->stage != STAGE_CLOSED && x->headed &&
		x->kind->host(x) == NULL)
		stream_end(x, STREAM_HOST_GONE, NULL);
	return x->stage != STAGE_CLOSED;
}

static void
on_arrived(struct shard *sh, void *arg)
{
	struct stream *x = arg;

	TAG_CHECK(x, "strm");
	stream_enter(x, sh);
	conn_attach(x->conn, sh->net);
	if (x->parser != NULL)
		xml_parser_limit(x->parser, stream_limits(x));
	stream_unhold(x);
	x->kind->moved(x);
	if (!stream_may_go_on(x) || !stream_continue(x))
		return;
	stream_judge_rate(x);
	stream_arm(x);
}

/* Its parser goes with it if its header has declared more than others do, or an
 * element has begun. */
static void
stream_send(struct stream *x)
{
	const struct server *srv = x->shard->server;
	size_t bytes = sizeof(*x) + sizeof(*x->wait) + x->wait->input.n;

	if (x->parser != NULL && xml_parser_can_rest(x->parser))
		stream_put_parser(x);
	if (x->parser != NULL)
		bytes += xml_parser_bytes(x->parser);
	x->wait->drained = stream_shard(x->shard)->drained;
	stream_leave(x);
	conn_detach(x->conn);
	place_post(srv, x->wait->to, on_arrived, x, bytes);
}

bool
stream_do_move(struct stream *x, struct str rest)
{
	if (x->stage == STAGE_BOUND || place_is_here(x->shard, x->wait->to))
		return true;
	if (x->stage == STAGE_OPEN && x->wait->asked != 0) {
		x->next = NEXT_MOVE;
		stream_rest(x, REST_MOVE);
		return true;
	}
	stream_hold(x);
	buf_add(&x->wait->input, rest.p, rest.n);
	x->wait->asked = 0; /* of a stream that has ended */
	stream_send(x);
	return false;
}
