/*
 * c2s_limits.c - what one client, one address and all strangers together may
 * take from us.
 *
 * Owner shard of the stream; the counters behind it are shared by all shards.
 * Who sends too fast is read more slowly, and TCP tells him; nothing is
 * dropped.
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

/* Of answers to a client that has not logged in; all there are before that
 * together are much smaller. */
#define STRANGER_QUEUE_BYTES (64 * 1024)
/* The kernel is asked in the middle of a turn when so much waits; most turns write
 * less, and are done with one call at their end. */
#define EARLY_BYTES (64 * 1024)

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
	return &c->shard->snap->config->limits;
}

/* --- elements ------------------------------------------------------------- */

void
c2s_limits_set(struct shard *sh, struct c2s_shard *cs)
{
	const struct config_limits *l = &sh->snap->config->limits;

	cs->after = (struct xml_limits){
		.stanza_bytes = (uint32_t)l->stanza_bytes,
		.depth = (uint32_t)l->depth,
		.elements = (uint32_t)l->elements,
		.attrs = (uint32_t)l->attributes,
		.name_bytes = (uint32_t)l->name_bytes,
	};
	cs->before = cs->after;
	cs->before.stanza_bytes = (uint32_t)l->stanza_bytes_unauthenticated;
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
	struct c2s_shard *cs = c2s_shard(c->shard);

	c->shard->stats.refused++;
	if (log_limit_ok(&cs->refused, LOG_STREAM))
		log_warn(LOG_STREAM, c2s_who(c),
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
	if (c == NULL || c->authenticated)
		return;
	sh->stats.refused++;
	if (log_limit_ok(&c2s_shard(sh)->refused, LOG_STREAM))
		log_warn(LOG_STREAM, c2s_who(c),
			"one that has not logged in makes room for another reason=\"limits: unauthenticated_connections\"");
	c->login->crowded_out = true;
	c2s_end(c, STREAM_RESOURCE_CONSTRAINT,
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

	m->home = place_number(place_of_shard(c->shard));
	m->token = c->login->token;
	if (!crowd_enter(c2s_server(c->shard->server)->strangers, m,
		    conn_peer_key(c->conn),
		    (size_t)c2s_limits(c)->unauthenticated_connections, &gone))
		return;
	token = xmalloc(sizeof(*token));
	*token = gone.token;
	place_post(c->shard->server, place_of_number(gone.home), on_crowded_out,
		token, sizeof(*token));
}

bool
c2s_count_in(struct c2s *c)
{
	const struct config_limits *l = c2s_limits(c);
	struct tally *t = c2s_server(c->shard->server)->tally;
	char mem[KEY_MAX];
	struct str address = key_make(mem, 'a', conn_peer_key(c->conn));

	if (!tally_add(t, KEY_ALL, (uint64_t)l->connections))
		return c2s_refused(c, "limits: connections");
	if (address.p != NULL &&
		!tally_add(t, address, (uint64_t)l->connections_per_address)) {
		tally_remove(t, KEY_ALL);
		return c2s_refused(c, "limits: connections_per_address");
	}
	c->counted = true;
	c2s_enter_crowd(c);
	return true;
}

void
c2s_count_known(struct c2s *c)
{
	if (c->login != NULL)
		crowd_leave(c2s_server(c->shard->server)->strangers,
			&c->login->stranger);
}

void
c2s_count_out(struct c2s *c)
{
	struct tally *t = c2s_server(c->shard->server)->tally;
	char mem[KEY_MAX];
	struct str address = key_make(mem, 'a', conn_peer_key(c->conn));

	if (!c->counted)
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

/* --- rates ---------------------------------------------------------------- */

/*
 * A token bucket in one number: the time at which all that came would have come
 * at the permitted rate.  It is ahead of the clock by what was taken from the
 * burst.
 */
static void
bucket_take(int64_t *full_us, int64_t now_us, uint64_t n, uint64_t rate)
{
	*full_us = MAX(*full_us, now_us) +
		(int64_t)(n * (uint64_t)US_PER_S / rate);
}

/* When the bucket has room again; not later than now when it has. */
static int64_t
bucket_ready(int64_t full_us, uint64_t rate, uint64_t burst)
{
	return full_us - (int64_t)(burst * (uint64_t)US_PER_S / rate);
}

void
c2s_count_stanza(struct c2s *c)
{
	bucket_take(&c->stanzas_us, c->shard->now_us, 1,
		(uint64_t)c2s_limits(c)->stanzas_per_second);
}

void
c2s_count_bytes(struct c2s *c, size_t n)
{
	const struct config_limits *l = c2s_limits(c);
	int64_t now = c->shard->now_us, ready;

	if (c->stage == C2S_CLOSED)
		return;
	bucket_take(&c->bytes_us, now, n, l->bytes_per_second);
	ready = MAX(bucket_ready(c->bytes_us, l->bytes_per_second,
			l->bytes_burst),
		bucket_ready(c->stanzas_us, (uint64_t)l->stanzas_per_second,
			(uint64_t)l->stanzas_burst));
	if (ready <= now)
		return;
	c2s_rest_until(c, ready);
}

/* --- what waits to be read by the client ----------------------------- */

void
c2s_cut(struct c2s *c, const char *why)
{
	if (c->stage == C2S_CLOSED)
		return;
	if (log_limit_ok(&c2s_shard(c->shard)->unread, LOG_STREAM))
		log_info(LOG_STREAM, c2s_who(c), "cut off reason=\"%s\" queued=%zu",
			why, c->session != NULL ? session_queued(c->session) :
						  conn_queued(c->conn));
	c->stage = C2S_CLOSED;
	shard_timer_cancel(c->shard, &c->timer);
	conn_abort(c->conn);
}

/* Much was written in this turn. */
static void
c2s_write_early(struct c2s *c)
{
	bool taken = conn_flush(c->conn);

	if (c->stage == C2S_CLOSED)
		return;
	if (c->session != NULL) {
		if (!taken && conn_queued(c->conn) > EARLY_BYTES)
			session_full(c->session);
	} else if (conn_queued(c->conn) > STRANGER_QUEUE_BYTES) {
		c->shard->stats.refused++;
		c2s_cut(c, "does not read what it is sent");
	}
}

void
c2s_wrote(struct c2s *c)
{
	conn_wrote(c->conn);
	if (conn_queued(c->conn) > EARLY_BYTES)
		c2s_write_early(c);
}
