/*
 * session.c - one bound resource: bound, fed by its stream, asleep, ended.
 *
 *                      session_attach(), in place of the stream before
 *                          .---.
 *                          v   |
 *    session_bind() --> ATTACHED --session_lost(): a handler keeps it--> ASLEEP
 *                          |   ^                                           |
 *                          |   '-------------session_attach()--------------|
 *                          |                                               |
 *     session_lost(): goodbye, or nobody keeps it     its time is over, or too
 *     session_close(): kick, conflict, removal, ...   much waits; session_close()
 *                          |                                               |
 *                          |--- the account is held: HELD until it goes on --|
 *                          '------------------> ENDING <-------------------'
 *                                                 | unavailable; the rest
 *                                                 v goes elsewhere
 *                                               freed
 *
 * Invariant: a session is in its account's list from session_bind(), when nothing
 * can refuse it any more, until session_free(), and in that time
 * account->n_sessions counts it.  It has a stream exactly while it is attached,
 * and is full whenever it is asleep.
 */
#include "config.h"

#include "account/session.h"
#include "account/session_bulk.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/share.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/budget.h"
#include "core/host.h"
#include "core/router.h"
#include "core/slot.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session_flow.h"
#include "account/session_out.h"
#include "account/session_presence.h"
#include "account/session_quiet.h"

#define RENAME_TRIES 8

/* --- asking -------------------------------------------------------------------- */

struct jid
session_jid(const struct session *s)
{
	struct jid jid = s->account->e.jid;

	jid.text = s->bytes;
	jid.len = s->jid_len;
	return jid;
}

struct str
session_resource(const struct session *s)
{
	return jid_resource(session_jid(s));
}

struct shard *
session_shard(const struct session *s)
{
	return s->account->e.shard;
}

const char *
session_describe_stream(const struct session *s, const char *what)
{
	return s->stream != NULL && s->ops->describe != NULL ?
		s->ops->describe(s->stream, what) :
		NULL;
}

struct session *
session_find(const struct account *acc, struct str resource)
{
	struct session *s = acc->sessions;

	while (s != NULL &&
		(session_ends(s) || !str_eq(session_resource(s), resource)))
		s = s->next;
	return s;
}

struct session *
session_find_one(const struct account *acc, struct str resource, uint32_t id)
{
	struct session *s = session_find(acc, resource);

	return s != NULL && (id == 0 || s->id == id) ? s : NULL;
}

bool
account_is_available(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_is_available(s))
		s = s->next;
	return s != NULL;
}

static void
session_describe(const void *obj, char *out, size_t n)
{
	const struct session *s = obj;

	snprintf(out, n, "s%u c2s %06x %s", session_shard(s)->index,
		s->id & 0xffffff, s->bytes);
}

struct log_who
session_who(const struct session *s)
{
	return (struct log_who){ session_describe, s };
}

/* --- what it keeps ----------------------------------------------------------------- */

/* For as long as it is there, so that it counts in the share of its account. */
static void
session_keep_presence(struct session *s, struct session_presence *presence)
{
	struct share *share =
		budget_share(session_shard(s)->server, s->account->e.hash);

	share_count(share, session_presence_bytes(presence) -
			session_presence_bytes(s->presence));
	session_presence_free(s->presence);
	s->presence = presence;
}

/* --- binding (RFC 6120 §7) -------------------------------------------------------- */

static struct session *
session_new(struct account *acc, struct str resource)
{
	struct jid bare = acc->e.jid;
	struct session *s =
		xcalloc(1, sizeof(*s) + bare.len + 1 + resource.n + 1);
	char *at = mempcpy(s->bytes, bare.text, bare.len);

	*at++ = '/';
	memcpy(at, resource.p, resource.n);
	s->jid_len = (uint16_t)(bare.len + 1 + resource.n);
	s->account = acc;
	s->bound_us = shard_wall_us(acc->e.shard);
	memuse_add(MEMUSE_SESSION, s);
	return s;
}

static void
session_enter(struct session *s)
{
	struct account *acc = s->account;
	struct session **end = &acc->sessions;

	while (*end != NULL)
		end = &(*end)->next;
	*end = s;
	acc->n_sessions++;
	acc->e.shard->stats.sessions++;
	entity_in_use(&acc->e);
}

/* One that has not entered, or has left. */
static void
session_discard(struct session *s)
{
	/* what it kept is not for those who keep something with it */
	session_out_drop(session_out_take(s), s->account);
	slot_drop_all(&s->slots, s);
	session_keep_presence(s, NULL);
	memuse_remove(MEMUSE_SESSION, s);
	free(s);
}

void
session_free(struct session *s)
{
	struct account *acc = s->account;
	struct session **at = &acc->sessions;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	acc->n_sessions--;
	acc->e.shard->stats.sessions--;
	requests_done(s);
	session_discard(s);
}

struct session *
session_enter_asleep(struct account *acc, struct str resource, int64_t for_us)
{
	struct session *s = session_new(acc, resource);

	session_enter(s);
	session_detach(s, for_us);
	return s;
}

/* A name of our own choice (§7.6), or one for a client whose own was taken. */
static struct str
resource_make(struct account *acc, char out[RAND_ID_SIZE])
{
	struct str id;
	int tries = 0;

	do {
		id = rand_id(acc->e.shard->rand, out);
	} while (session_find(acc, id) != NULL && ++tries < RENAME_TRIES);
	return id;
}

/* §7.7.2.2; false when the new one is refused.  One that sleeps is in nobody's
 * way.  *old_out: the one that has to go
 * for it, or NULL. */
static bool
resource_resolve(struct account *acc, struct str *resource_io,
	char made[RAND_ID_SIZE], struct session **old_out)
{
	const struct config_limits *limits =
		&acc->e.shard->snap->config->limits;
	struct session *old = resource_io->p != NULL ?
		session_find(acc, *resource_io) :
		NULL;

	*old_out = NULL;
	if (resource_io->p == NULL) {
		*resource_io = resource_make(acc, made);
		return true;
	}
	if (old == NULL)
		return true;
	if (old->state == SESSION_ASLEEP) {
		*old_out = old;
		return true;
	}
	switch ((enum resource_conflict)limits->resource_conflict) {
	case CONFLICT_REPLACE:
		*old_out = old;
		return true;
	case CONFLICT_REFUSE:
		return false;
	case CONFLICT_RENAME:
		*resource_io = resource_make(acc, made);
		return true;
	}
	return false;
}

/* The one that sleeps for the longest time, which nobody may come back for: who
 * cannot resume it has to be let in all the same.  NULL: none sleeps. */
static struct session *
longest_asleep(const struct account *acc)
{
	struct session *found = NULL;

	for (struct session *s = acc->sessions; s != NULL; s = s->next) {
		if (s->state == SESSION_ASLEEP &&
			(found == NULL ||
				session_asleep_since(s) <
					session_asleep_since(found)))
			found = s;
	}
	return found;
}

/* The old one goes when nothing can refuse the new one any more. */
struct session *
session_bind(struct account *acc, struct str resource,
	const struct session_stream *ops, void *stream,
	enum stanza_cond *cond_out)
{
	struct shard *sh = acc->e.shard;
	char made[RAND_ID_SIZE];
	struct session *s, *old;
	int64_t most;

	ASSERT_OWNER(&acc->e);
	if (acc->removing || !resource_resolve(acc, &resource, made, &old)) {
		*cond_out = acc->removing ? COND_NOT_ALLOWED : COND_CONFLICT;
		return NULL;
	}
	most = sh->snap->config->limits.sessions_per_account;
	if (old == NULL && acc->n_sessions >= most)
		old = longest_asleep(acc);
	if (acc->n_sessions - (old != NULL) >= most) {
		sh->stats.refused++;
		*cond_out = COND_RESOURCE_CONSTRAINT;
		return NULL;
	}
	s = session_new(acc, resource);
	s->ops = ops;
	s->stream = stream;
	rand_bytes(sh->rand, &s->id, sizeof(s->id));
	if (hook_run(account_host(acc), HOOK_SESSION_BIND, s) == HOOK_HANDLED) {
		session_discard(s);
		entity_check_idle(&acc->e);
		*cond_out = COND_NOT_ALLOWED;
		return NULL;
	}
	session_enter(s);
	if (old != NULL)
		session_close(old, STREAM_CONFLICT,
			"Replaced by a new connection");
	log_info(LOG_SESSION, session_who(s), "bound sessions=%u",
		(unsigned)acc->n_sessions);
	hook_run(account_host(acc), HOOK_SESSION_BOUND, s);
	return s;
}

/* --- resting ------------------------------------------------------------------- */

static void
session_set_rest(struct session *s, uint8_t rest)
{
	bool rested = s->rest != 0;
	bool behind = session_is_behind(s);

	s->rest = rest & 0x1f;
	if ((rest != 0) != rested && s->stream != NULL && s->ops->rest != NULL)
		s->ops->rest(s->stream, rest != 0);
	if (behind && !session_is_behind(s))
		session_out_tell(s);
}

void
session_rest(struct session *s, enum session_rest why)
{
	ASSERT_ON(session_shard(s));
	session_set_rest(s, s->rest | (uint8_t)why);
}

void
session_go_on(struct session *s, enum session_rest why)
{
	ASSERT_ON(session_shard(s));
	session_set_rest(s, s->rest & (uint8_t)~why);
}

/* --- presence --------------------------------------------------------------------- */

void
session_take_presence(struct session *s, const struct stanza *st,
	int8_t priority, int64_t wall_us)
{
	session_keep_presence(s, st != NULL ? session_presence_new(st) : NULL);
	s->priority = st != NULL ? priority : 0;
	s->presence_us = wall_us;
}

void
session_set_presence(struct session *s, const struct stanza *st,
	int8_t priority)
{
	struct host *host = account_host(s->account);
	bool was_available = session_is_available(s);
	bool took_messages = session_takes_messages(s);

	session_take_presence(s, st, priority,
		shard_wall_us(session_shard(s)));
	if (!was_available && session_is_available(s))
		hook_run(host, HOOK_SESSION_AVAILABLE, s);
	if (!took_messages && session_takes_messages(s))
		hook_run(host, HOOK_SESSION_MESSAGES, s);
	if (was_available && !session_is_available(s))
		hook_run(host, HOOK_SESSION_UNAVAILABLE, s);
}

void
session_write_element(struct session *s, const struct elem *e)
{
	if (s->stream != NULL)
		s->ops->write_element(s->stream, e);
}

void
session_cut(struct session *s, const char *why)
{
	if (s->stream != NULL)
		s->ops->cut(s->stream, why);
}

int64_t
session_heard_us(const struct session *s)
{
	return s->stream != NULL && s->ops->heard_us != NULL ?
		s->ops->heard_us(s->stream) :
		session_shard(s)->now_us;
}

uint64_t
session_taken(const struct session *s)
{
	return s->stream != NULL && s->ops->taken != NULL ?
		s->ops->taken(s->stream) :
		0;
}

size_t
session_untaken(const struct session *s)
{
	return s->stream != NULL && s->ops->untaken != NULL ?
		s->ops->untaken(s->stream) :
		0;
}

/* --- without a stream, and with another --------------------------------------------- */

static void
session_forget_stream(struct session *s, enum session_state next)
{
	s->ops = NULL;
	s->stream = NULL;
	s->state = next;
	session_go_on(s, SESSION_REST_READER);
	session_flow_free(s);
	session_bulk_stop(s);
}

static void session_end(struct session *s);

void
on_session_slept(struct session *s)
{
	assert(s->state == SESSION_ASLEEP);
	session_shard(s)->stats.slept_out++;
	s->lost = !s->left;
	session_end(s);
}

void
session_detach(struct session *s, int64_t for_us)
{
	ASSERT_OWNER(&s->account->e);
	session_forget_stream(s, SESSION_ASLEEP);
	s->full = true;
	session_out_end_in(s, for_us);
	s->out->sleep_us = for_us;
	s->out->slept_us = shard_wall_us(session_shard(s));
	requests_look(s);
	session_out_keeper(s, STR_NONE);
	session_quiet_begin(s);
	log_info(LOG_SESSION, session_who(s), "asleep for_s=%lld",
		(long long)(for_us / US_PER_S));
}

int64_t
session_asleep_since(const struct session *s)
{
	return s->state == SESSION_ASLEEP ? s->out->slept_us : 0;
}

void
session_end_soon(struct session *s)
{
	assert(s->state == SESSION_ASLEEP);
	session_out_end_in(s, 0);
}

bool
session_attach(struct session *s, const struct session_stream *ops, void *stream)
{
	ASSERT_OWNER(&s->account->e);
	if (!ops->attach(stream, s))
		return false;
	if (s->state == SESSION_ATTACHED)
		session_put_to_sleep(s, NULL, STREAM_CONFLICT,
			"Resumed by a new connection", 0);
	session_out_awake(s);
	session_quiet_end(s);
	session_out_rewind(s);
	s->ops = ops;
	s->stream = stream;
	s->state = SESSION_ATTACHED;
	if (s->rest != 0 && ops->rest != NULL)
		ops->rest(stream, true);
	log_info(LOG_SESSION, session_who(s), "attached queued=%zu",
		session_queued(s));
	session_flow_run(s);
	return true;
}

/* --- the end ---------------------------------------------------------------------- */

/* As if the client had said goodbye (RFC 6121 §4.5.2). */
static void
session_goodbye(struct session *s)
{
	struct jid nobody = { .text = NULL };
	struct stanza *st = stanza_new(PRESENCE_UNAVAILABLE, session_jid(s),
		nobody, STR_NONE);

	st->gone = s->lost ? GONE_LOST : GONE_ENDED;
	session_send(s, st);
}

/* What it is sent meanwhile is kept, as if it slept. */
static void
session_wait_to_end(struct session *s)
{
	(void)session_out_get(s);
	session_out_awake(s);
	s->full = true;
	s->state = SESSION_HELD;
}

/* What it has sent is sent on before that, when it is known whether it is there
 * already; so it waits while the account is held. */
static void
session_end(struct session *s)
{
	struct account *acc = s->account;
	struct session_out *out;

	session_forget_stream(s, SESSION_ENDING);
	if (!requests_flush(s)) {
		session_wait_to_end(s);
		return;
	}
	session_goodbye(s);
	hook_run(account_host(acc), HOOK_SESSION_CLOSED, s);
	log_info(LOG_SESSION, session_who(s), "ended");
	out = session_out_take(s);
	session_free(s);
	session_out_return(out, acc);
	account_keep_line(acc);
	if (acc->anonymous && acc->sessions == NULL)
		acc->exists = false;
	entity_check_idle(&acc->e);
}

void
sessions_go_on(struct account *acc)
{
	struct session *s = acc->sessions;

	/* with one that ends others may, and what it has sent may hold acc again */
	while (s != NULL && !account_hold_waits(acc)) {
		if (s->state != SESSION_HELD) {
			s = s->next;
		} else {
			session_end(s);
			s = acc->sessions;
		}
	}
}

void
session_lost(struct session *s, bool goodbye)
{
	struct session_sleep how;

	ASSERT_OWNER(&s->account->e);
	if (!goodbye && session_may_sleep(s, &how)) {
		session_fall_asleep(s, &how);
		return;
	}
	s->lost = !goodbye && !s->left;
	session_end(s);
}

void
session_close(struct session *s, enum stream_cond cond, const char *text)
{
	ASSERT_OWNER(&s->account->e);
	if (s->stream != NULL)
		s->ops->close(s->stream, cond, text);
	/* the password was changed, or the account removed */
	s->left |= cond == STREAM_NOT_AUTHORIZED;
	session_end(s);
}
