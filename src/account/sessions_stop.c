/*
 * sessions_stop.c - sessions that are sent to sleep when the server stops, and
 * saved.
 *
 * Owner shard.  Invariant: a session that has been saved is in memory no more, so
 * that nothing comes to it that would be lost.
 */
#include "config.h"

#include "account/sessions_stop.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/vec.h"
#include "core/entity_save.h"
#include "core/host.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_out.h"
#include "account/session_quiet.h"
#include "account/session_save.h"

/* What the sessions of one account may take: it is read again as a whole, and one
 * of them is one value (STORE_VALUE_MAX, STORE_ANSWER_MAX).  Written, a stanza
 * takes less than it does in memory, and an attribute or two. */
#define ACCOUNT_BYTES_MAX ENTITY_SAVED_MAX

/* Hashes of accounts: entities come and go while they are looked at. */
struct crowd_of_accounts VEC(uint64_t);

static void
accounts_gather(struct shard *sh, struct crowd_of_accounts *out)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		if (account_if(e) != NULL && account_of(e)->sessions != NULL)
			*vec_push(out) = e->hash;
	}
}

/* The account with this hash that has sessions, NULL when it has none left. */
static struct account *
account_with(struct shard *sh, uint64_t hash)
{
	size_t at = table_start(&sh->entities, hash);
	struct entity *e;

	do
		e = table_next(&sh->entities, hash, &at);
	while (e != NULL &&
		(account_if(e) == NULL || account_of(e)->sessions == NULL));
	return account_if(e);
}

/* --- asleep ----------------------------------------------------------------- */

/* Is there anything of it after a restart? */
static bool
account_stays(const struct account *acc)
{
	return acc->exists && !acc->anonymous && !acc->removing;
}

static struct session *
attached_session(const struct account *acc)
{
	struct session *s = acc->sessions;

	while (s != NULL && s->state != SESSION_ATTACHED)
		s = s->next;
	return s;
}

static bool
session_could_stay(struct session *s)
{
	return !s->left && s->ops->leave != NULL &&
		account_stays(s->account) && session_could_sleep(s);
}

void
sessions_part(struct shard *sh)
{
	struct crowd_of_accounts all = { .n = 0 };
	const struct account *acc;
	struct session *s, *next;

	ASSERT_ON(sh);
	accounts_gather(sh, &all);
	for (size_t i = 0; i < all.n; i++) {
		acc = account_with(sh, all.p[i]);
		for (s = acc != NULL ? acc->sessions : NULL; s != NULL;
			s = next) {
			next = s->next;
			if (s->state == SESSION_ATTACHED &&
				!session_could_stay(s))
				hook_run(account_host(acc),
					HOOK_SESSION_PARTING, s);
		}
	}
	vec_done(&all);
}

static void
session_stop(struct session *s)
{
	struct session_sleep how;

	(void)session_leaves(s, false);
	if (s->left || s->ops->leave == NULL || !account_stays(s->account) ||
		!session_may_sleep(s, &how)) {
		session_close(s, STREAM_SYSTEM_SHUTDOWN, NULL);
		return;
	}
	s->ops->leave(s->stream);
	requests_stop(s);
	session_fall_asleep(s, &how);
}

/* Those that sleep have nobody to hear a last word; but what waits for their clients is
 * answered, since that is what remains of it. */
static void
sleepers_stop(const struct account *acc)
{
	struct session *s;

	for (s = acc->sessions; s != NULL; s = s->next) {
		if (s->state != SESSION_ASLEEP)
			continue;
		requests_stop(s);
		(void)session_leaves(s, false);
	}
}

static size_t
session_bytes(const struct session *s)
{
	uint32_t n;

	return s->out != NULL ? s->out->waiting_bytes + s->out->kept_bytes +
			session_bulk_bytes(s, &n) +
			session_quiet_bytes(s, &n) :
				0;
}

/* The one with the most, if it is too much for them all; none that ends. */
static struct session *
session_too_large(const struct account *acc)
{
	struct session *s = acc->sessions, *most = NULL;
	size_t bytes = 0;

	for (; s != NULL; s = s->next) {
		if (session_ends(s))
			continue;
		bytes += session_bytes(s);
		if (most == NULL || session_bytes(s) > session_bytes(most))
			most = s;
	}
	return bytes > ACCOUNT_BYTES_MAX || !account_stays(acc) ? most : NULL;
}

void
sessions_sleep(struct shard *sh)
{
	struct crowd_of_accounts all = { .n = 0 };
	struct account *acc;
	struct session *s;

	ASSERT_ON(sh);
	sleepers_rest(sh);
	accounts_gather(sh, &all);
	for (size_t i = 0; i < all.n; i++) {
		if ((acc = account_with(sh, all.p[i])) != NULL)
			sleepers_stop(acc);
		while ((acc = account_with(sh, all.p[i])) != NULL &&
			(s = attached_session(acc)) != NULL)
			session_stop(s);
		while ((acc = account_with(sh, all.p[i])) != NULL &&
			(s = session_too_large(acc)) != NULL)
			session_close(s, STREAM_SYSTEM_SHUTDOWN, NULL);
	}
	vec_done(&all);
}

/* --- written ---------------------------------------------------------------- */

static void
session_put(struct session *s, struct entity_save *to, struct buf *text)
{
	text->n = 0;
	if (!entity_save_is_late(to))
		session_save(s, str_c(s->account->e.shard->server->stop_mark),
			text);
	(void)entity_save_text(to, session_resource(s), buf_str(text));
}

/* All are written before one of them goes, for what they share says so. */
void
account_save(struct entity *e, struct entity_save *to)
{
	struct account *acc = account_of(e);
	bool late = entity_save_is_late(to);
	struct buf text = BUF_INIT;
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = s->next) {
		if (late || s->state == SESSION_ASLEEP)
			session_put(s, to, &text);
	}
	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (late || s->state == SESSION_ASLEEP)
			session_free(s);
	}
	buf_done(&text);
}
