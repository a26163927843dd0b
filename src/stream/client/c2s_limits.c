/*
 * c2s_limits.c - what one client, one address and all strangers together may
 * take from us.
 *
 * Owner shard of the stream; the counters behind it are shared by all shards.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include <assert.h>

#include "base/crowd.h"
#include "base/mem.h"
#include "base/tally.h"
#include "net/conn.h"
#include "core/host.h"
#include "core/place.h"

#define KEY_ALL STR("connections")

/* The longest key: a letter, and an address of the network or of an account. */
#define KEY_MAX (1 + JID_MAX)

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

/* None for a connection in memory, which has no address. */
static struct str
key_make(char *out, char kind, struct str of)
{
	assert(of.n < KEY_MAX);
	if (of.n == 0)
		return STR_NONE;
	out[0] = kind;
	memcpy(out + 1, of.p, of.n);
	return (struct str){ out, of.n + 1 };
}

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

/* Its shard.  Meanwhile it may have logged in, or ended by itself. */
static void
on_crowded_out(struct shard *sh, void *arg)
{
	uint64_t token = *(uint64_t *)arg;
	struct c2s *c = c2s_find(sh, token);

	free(arg);
	if (c == NULL || c->x.authenticated)
		return;
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
	const struct config_limits *l = c2s_limits(c);
	struct tally *t = c2s_server(c->x.shard->server)->tally;
	char mem[KEY_MAX];
	struct str address = key_make(mem, 'a', conn_peer_key(c->x.conn));

	if (!tally_add(t, KEY_ALL, (uint64_t)l->connections))
		return c2s_refused(c, "limits: connections");
	if (address.p != NULL &&
		!tally_add(t, address, (uint64_t)l->connections_per_address)) {
		tally_remove(t, KEY_ALL);
		return c2s_refused(c, "limits: connections_per_address");
	}
	c->x.counted = true;
	c2s_enter_crowd(c);
	return true;
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
	struct tally *t = c2s_server(c->x.shard->server)->tally;
	char mem[KEY_MAX];
	struct str address = key_make(mem, 'a', conn_peer_key(c->x.conn));

	if (!c->x.counted)
		return;
	c2s_count_known(c);
	if (address.p != NULL)
		tally_remove(t, address);
	tally_remove(t, KEY_ALL);
}

uint64_t
c2s_streams_left(const struct server *srv)
{
	return tally_count(c2s_server(srv)->tally, KEY_ALL);
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
