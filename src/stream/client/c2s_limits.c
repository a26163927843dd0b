/*
 * c2s_limits.c - what one client, one address and all strangers together may
 * take from us.
 *
 * Owner shard of the stream; the counters behind it are shared by all shards.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include "base/crowd.h"
#include "base/mem.h"
#include "net/conn.h"
#include "core/host.h"
#include "core/listen.h"
#include "core/place.h"


static struct c2s_server *
c2s_server(const struct server *srv)
{
	return srv->streams;
}

static const struct config_limits *
c2s_limits(const struct c2s *c)
{
	return &c->x.shard->snap->config->limits;
}

/* --- connections ---------------------------------------------------------- */

static bool
c2s_refused(struct c2s *c, const char *why)
{
	struct c2s_shard *cs = c2s_shard(c->x.shard);

	c->x.shard->stats.refused++;
	if (log_limit_ok(&cs->refused, LOG_STREAM))
		log_warn(LOG_STREAM, stream_who(&c->x),
			"connection refused reason=\"%s\"", why);
	return false;
}

static void
c2s_crowd_out(struct c2s *c)
{
	struct shard *sh = c->x.shard;

	sh->stats.refused++;
	if (log_limit_ok(&c2s_shard(sh)->refused, LOG_STREAM))
		log_warn(LOG_STREAM, stream_who(&c->x),
			"one that has not logged in makes room for another reason=\"limits: unauthenticated_connections\"");
	/* those who go must not fill what there is of descriptors instead of
	 * those who stay */
	c->x.hasty = true;
	stream_end(&c->x, STREAM_RESOURCE_CONSTRAINT,
		"Too many connections have not logged in");
}

/* Its shard.  Meanwhile it may have logged in, ended by itself, or moved: then it
 * sees by itself that it is no member any more. */
static void
on_crowded_out(struct shard *sh, void *arg)
{
	struct c2s *c = c2s_find(sh, *(uint64_t *)arg);

	free(arg);
	if (c != NULL && !c->x.authenticated)
		c2s_crowd_out(c);
}

/* While strangers have all the room that there is for them, each who comes sends
 * away one of those who hold most of it: he may be a user. */
static void
c2s_enter_crowd(struct c2s *c)
{
	struct crowd_member *m = &c->login->stranger;
	struct crowd_leaver gone;
	uint64_t *token;

	m->home = place_number(place_of_shard(c->x.shard));
	m->token = stream_token(&c->x);
	if (!crowd_enter(c2s_server(c->x.shard->server)->strangers, m,
		    conn_peer_key(c->x.conn),
		    (size_t)c2s_limits(c)->unauthenticated_connections, &gone))
		return;
	token = xmalloc(sizeof(*token));
	*token = gone.token;
	place_post(c->x.shard->server, place_of_number(gone.home), on_crowded_out,
		token, sizeof(*token));
}

bool
c2s_count_in(struct c2s *c)
{
	const char *full = listen_count_in(c->x.shard, c->x.conn);

	if (full != NULL)
		return c2s_refused(c, full);
	c->x.counted = true;
	c2s_enter_crowd(c);
	return true;
}

void
c2s_count_moved(struct c2s *c)
{
	if (!crowd_move(c2s_server(c->x.shard->server)->strangers,
		    &c->login->stranger,
		    place_number(place_of_shard(c->x.shard)),
		    stream_token(&c->x)))
		c2s_crowd_out(c);
}

void
c2s_count_known(struct c2s *c)
{
	if (c->login != NULL)
		crowd_leave(c2s_server(c->x.shard->server)->strangers,
			&c->login->stranger);
}

void
c2s_count_out(struct c2s *c)
{
	if (!c->x.counted)
		return;
	c2s_count_known(c);
	listen_count_out(c->x.shard, c->x.conn);
}

/* --- what waits to be read by the client ----------------------------- */

void
c2s_full(struct stream *x, bool refused)
{
	struct c2s *c = c2s_of(x);

	if (c->session != NULL) {
		if (refused)
			session_full(c->session);
		return;
	}
	/* all that a client which has not logged in is answered is much smaller
	 * than what is asked for early (hostile 12) */
	x->shard->stats.refused++;
	stream_cut(x, "does not read what it is sent", conn_queued(x->conn));
}
