/*
 * c2s_throttle.c - failed logins, and what they cost who comes next.
 *
 * Owner shard of the stream; what is remembered is shared by all shards.
 *
 * There are three counters: of an address, of an account, and of both together.
 * Nobody must be able to keep the owner of an account out by guessing at it, so
 * what comes to one account from many addresses is slowed, and only who guesses
 * much from one address is refused.  An address from which the account has
 * logged in before answers for nothing but what comes from there to this
 * account, and is never refused for long: a client that is left with an old
 * password shares it with one that has the new.
 */
#include "config.h"

#include "stream/client/c2s_int.h"

#include <assert.h>

#include "base/mem.h"
#include "base/throttle.h"
#include "base/visitors.h"
#include "net/conn.h"
#include "core/host.h"

/* From an address that the account has used: one guess at a time, so often, and
 * no more of them waiting than have their turn in this time. */
#define TURN_US (2 * US_PER_S)
#define TURNS_WAIT_US (10 * US_PER_S)
/* What is spread waits so long for each time that its bound was reached. */
#define SPREAD_US US_PER_S
#define SPREAD_MAX_US (10 * US_PER_S)

#define ADDRESS_MAX 16

enum failure_kind { OF_ADDRESS = 'a', OF_ACCOUNT = 'u', OF_BOTH = 'b' };

/* A kind, the length of the address, address, account. */
struct failure_key {
	char text[2 + ADDRESS_MAX + JID_MAX];
};

static struct str
failure_key(struct failure_key *k, enum failure_kind kind, struct str address,
	struct str account)
{
	struct str a = kind == OF_ACCOUNT ? STR("") : address;
	struct str u = kind == OF_ADDRESS ? STR("") : account;

	assert(a.n <= ADDRESS_MAX && u.n <= JID_MAX);
	k->text[0] = (char)kind;
	k->text[1] = (char)a.n;
	if (a.n != 0)
		memcpy(k->text + 2, a.p, a.n);
	if (u.n != 0)
		memcpy(k->text + 2 + a.n, u.p, u.n);
	return (struct str){ k->text, 2 + a.n + u.n };
}

static const struct config_limits *
limits_of(const struct c2s *c)
{
	return &c->x.shard->snap->config->limits;
}

static struct stream_server *
server_of(const struct c2s *c)
{
	return c->x.shard->server->streams;
}

static int64_t
failures(const struct c2s *c, enum failure_kind kind, struct str account)
{
	struct failure_key k;

	return throttle_count(server_of(c)->failures,
		failure_key(&k, kind, conn_peer_key(c->x.conn), account),
		c->x.shard->now_us);
}

/* Has account logged in from where c is? */
static bool
is_known(const struct c2s *c, struct str account)
{
	struct str address = conn_peer_key(c->x.conn);

	return address.n != 0 &&
		visitors_has(server_of(c)->known, account, address,
			limits_of(c)->known_address_age_us, c->x.shard->now_us);
}

/* --- before a password is judged ------------------------------------------ */

bool
c2s_throttled(struct c2s *c, struct str account)
{
	const struct config_limits *l = limits_of(c);
	bool here = conn_peer_key(c->x.conn).n != 0;

	if (failures(c, OF_BOTH, account) < l->auth_failures_per_account &&
		(!here || failures(c, OF_ADDRESS, account) <
				  l->auth_failures_per_address))
		return false;
	if (is_known(c, account))
		return false;
	c->x.shard->stats.refused++;
	return true;
}

/* Of a known address; -1: too many wait already. */
static int64_t
turn_wait(struct c2s *c, struct str account)
{
	struct failure_key k;
	int64_t wait = throttle_turn(server_of(c)->failures,
		failure_key(&k, OF_BOTH, conn_peer_key(c->x.conn), account),
		TURN_US, TURNS_WAIT_US, c->x.shard->now_us);

	if (wait < 0)
		c->x.shard->stats.refused++;
	return wait;
}

int64_t
c2s_throttle_wait(struct c2s *c, struct str account)
{
	const struct config_limits *l = limits_of(c);
	int64_t left = c->login->deadline_us - c->x.shard->now_us;
	int64_t times, wait = 0;
	bool much;

	if (c2s_throttled(c, account))
		return -1;
	times = failures(c, OF_ACCOUNT, account) / l->auth_failures_spread;
	much = failures(c, OF_BOTH, account) >= l->auth_failures_per_account;
	if (much)
		wait = turn_wait(c, account);
	else if (times != 0 && !is_known(c, account))
		wait = MIN(times * SPREAD_US, SPREAD_MAX_US);
	/* it would be no use to wait for the end */
	return MIN(wait, MAX(left, 0) / 2);
}

/* --- after ---------------------------------------------------------------- */

static void
failure_note(struct c2s *c, enum failure_kind kind, struct str account)
{
	struct failure_key k;

	throttle_add(server_of(c)->failures,
		failure_key(&k, kind, conn_peer_key(c->x.conn), account),
		c->x.shard->now_us);
}

void
c2s_throttle_failure(struct c2s *c, struct str account)
{
	failure_note(c, OF_ADDRESS, account);
	failure_note(c, OF_ACCOUNT, account);
	failure_note(c, OF_BOTH, account);
}

void
c2s_throttle_success(struct c2s *c, struct str account)
{
	struct str address = conn_peer_key(c->x.conn);

	if (address.n != 0)
		visitors_note(server_of(c)->known, account, address,
			c->x.shard->now_us);
}
