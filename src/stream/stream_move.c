/*
 * stream_move.c - which shard a stream is on, how it is found there, and its way
 * to another one.
 *
 *   x: stream_move() --its mailbox--> on_arrived(): stream_release()
 *
 * Owner shard; in between, x belongs to the mail.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "net/conn.h"

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

static void
on_arrived(struct shard *sh, void *arg)
{
	struct stream *x = arg;
	struct stream_shard *ss = stream_shard(sh);

	stream_enter(x, sh);
	conn_attach(x->conn, sh->net);
	if (ss->closing) {
		stream_end(x, ss->closing_cond, NULL);
		return;
	}
	(void)stream_release(x);
}

void
stream_move(struct stream *x, struct place to)
{
	const struct server *srv = x->shard->server;
	size_t bytes = sizeof(*x) + sizeof(*x->wait) + x->wait->input.n;

	stream_leave(x);
	conn_detach(x->conn);
	place_post(srv, to, on_arrived, x, bytes);
}
