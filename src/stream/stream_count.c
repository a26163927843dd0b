/*
 * stream_count.c - connections: how many there may be, of one address, and of those
 * who have not said who they are.
 *
 * Owner shard of the stream; the counters behind it are shared by all shards.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/crowd.h"
#include "base/mem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/place.h"

static struct crowd *
strangers_of(const struct stream *x)
{
	struct stream_server *s = x->shard->server->streams;

	return s->strangers;
}

static bool
stream_refused(struct stream *x, const char *why)
{
	x->shard->stats.refused++;
	if (log_limit_ok(&stream_shard(x->shard)->refused, LOG_STREAM))
		log_warn(LOG_STREAM, stream_who(x),
			"connection refused reason=\"%s\"", why);
	return false;
}

static void
stream_crowd_out(struct stream *x)
{
	struct shard *sh = x->shard;

	sh->stats.refused++;
	if (log_limit_ok(&stream_shard(sh)->refused, LOG_STREAM))
		log_warn(LOG_STREAM, stream_who(x),
			"one that has not logged in makes room for another reason=\"limits: unauthenticated_connections\"");
	/* those who go must not fill what there is of descriptors instead of
	 * those who stay */
	x->hasty = true;
	stream_end(x, STREAM_RESOURCE_CONSTRAINT,
		"Too many connections have not logged in");
}

/* Its shard.  Meanwhile it may have logged in, ended by itself, or moved: then it
 * sees by itself that it is no member any more. */
static void
on_crowded_out(struct shard *sh, void *arg)
{
	struct stream *x = stream_find(sh, *(uint64_t *)arg);

	free(arg);
	if (x != NULL && !x->authenticated)
		stream_crowd_out(x);
}

/* While strangers have all the room that there is for them, each who comes sends
 * away one of those who hold most of it: he may be a user. */
static void
stream_enter_crowd(struct stream *x)
{
	struct crowd_member *m = &x->wait->stranger;
	const struct config_limits *l = &x->shard->snap->config->limits;
	struct crowd_leaver gone;
	uint64_t *token;

	m->home = place_number(place_of_shard(x->shard));
	m->token = stream_token(x);
	if (!crowd_enter(strangers_of(x), m, conn_peer_key(x->conn),
		    (size_t)l->unauthenticated_connections, &gone))
		return;
	token = xmalloc(sizeof(*token));
	*token = gone.token;
	place_post(x->shard->server, place_of_number(gone.home), on_crowded_out,
		token, sizeof(*token));
}

/* Ours count in all, and not by address: many domains may be behind one. */
static const struct conn *
conn_of_theirs(const struct stream *x)
{
	return x->initiated ? NULL : x->conn;
}

bool
stream_count_in(struct stream *x)
{
	const char *full = x->counted ? NULL :
		listen_count_in(x->shard, conn_of_theirs(x));

	if (full != NULL)
		return stream_refused(x, full);
	x->counted = true;
	if (!x->initiated)
		stream_enter_crowd(x);
	return true;
}

void
stream_count_moved(struct stream *x)
{
	if (!crowd_move(strangers_of(x), &x->wait->stranger,
		    place_number(place_of_shard(x->shard)), stream_token(x)))
		stream_crowd_out(x);
}

void
stream_count_known(struct stream *x)
{
	if (x->wait != NULL)
		crowd_leave(strangers_of(x), &x->wait->stranger);
}

void
stream_count_out(struct stream *x)
{
	if (!x->counted)
		return;
	stream_count_known(x);
	listen_count_out(x->shard, conn_of_theirs(x));
}
