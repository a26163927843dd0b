/*
 * iq.c - finds who answers a request, and gives the answer.
 *
 * Invariant: each get or set is answered exactly once.
 */
#include "config.h"

#include "core/iq.h"

#include <assert.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "core/host.h"
#include "core/iq_int.h"
#include "core/router.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "module/module.h"

static void
iq_finish(struct iq *iq, struct stanza *answer)
{
	struct shard *sh = iq->shard;
	struct stanza *st = iq->st;

	ASSERT_ON(sh);
	assert(!iq->answered);
	iq->answered = true;
	if (iq->alone)
		iq_alone_end(iq);
	router_send(sh, answer);
	if (iq->handled)
		stanza_free(st); /* and iq with it */
}

void
iq_result(struct iq *iq, struct elem *payload)
{
	struct stanza *answer = stanza_result(iq->st);

	if (payload != NULL)
		elem_append(answer->root, elem_copy(answer->arena, payload));
	iq_finish(iq, answer);
}

void
iq_error(struct iq *iq, enum stanza_cond cond, const char *text)
{
	iq_finish(iq, stanza_error(iq->st, cond, str_c(text)));
}

struct elem *
iq_payload(struct iq *iq, const char *ns, const char *name)
{
	return elem_new(iq->st->arena, ns, name);
}

void
iq_keep(struct iq *iq)
{
	iq->kept = true;
	iq->host = NULL;
	iq->account = NULL;
	iq->session = NULL;
}

struct account *
iq_account(struct iq *iq)
{
	struct entity *e = entity_find(iq->shard, jid_bare_str(iq->st->to));

	if (e == NULL || e->state != ENTITY_LOADED)
		return NULL;
	return account_of(e);
}

struct session *
iq_sender(const struct iq *iq)
{
	struct jid from = iq->st->from;
	struct entity *e;

	if (iq->session != NULL || iq->account != NULL)
		return iq->session;
	/* a host's requests are handled on the shard of whoever sent them */
	if (jid_local(from).n == 0 ||
		!str_eq(jid_domain(from), iq->host->domain))
		return NULL;
	e = entity_find(iq->shard, jid_bare_str(from));
	if (e == NULL || e->state != ENTITY_LOADED || e->class != &account_class)
		return NULL;
	return session_find(account_of(e), jid_resource(from));
}

/* --- finding ------------------------------------------------------------------ */

/* An account that does not exist answers like one that lets nobody ask, so that
 * accounts cannot be found out (RFC 6121 §8.5.1). */
static unsigned
iq_where(const struct iq *iq)
{
	unsigned where = 0;

	if (iq->account == NULL)
		return AT_HOST;
	if (iq->account->exists)
		where |= AT_ACCOUNT;
	/* not by the session, which may have ended since it has sent this */
	if (!jid_eq_bare(iq->account->e.jid, iq->st->from))
		where |= AT_OTHERS;
	else if (iq->account->exists)
		where |= AT_OWN_ACCOUNT;
	return where;
}

static bool
iq_cannot_store(const struct iq_entry *entry, const struct iq *iq)
{
	return (entry->handler->where & STORES) != 0 &&
		(iq->account == NULL || !iq->account->anonymous) &&
		shard_refuses_writes(iq->shard);
}

/* Is iq taken, answered or not? */
static bool
iq_call(const struct iq_entry *entry, struct iq *iq)
{
	if (iq_cannot_store(entry, iq)) {
		iq_error(iq, COND_RESOURCE_CONSTRAINT, SHARD_REFUSES_TEXT);
		return true;
	}
	if ((entry->handler->where & ONE_BY_ONE) != 0 && iq->account != NULL &&
		!iq_alone_begin(iq)) {
		iq->kept = true;
		return true;
	}
	if (entry->handler->fn(entry->ctx, iq) == HOOK_HANDLED) {
		assert(iq->answered || iq->kept);
		return true;
	}
	if (iq->alone)
		iq_alone_end(iq);
	return false;
}

static bool
iq_try(const struct iq_entry *entry, struct iq *iq)
{
	unsigned where = iq_where(iq);

	for (; entry != NULL; entry = entry->next) {
		if (entry->handler->type == iq->st->type &&
			(entry->handler->where & where) != 0 &&
			iq_call(entry, iq))
			return true;
	}
	return false;
}

void
iq_dispatch(struct shard *sh, struct host *host, struct account *acc,
	struct session *session, struct stanza *st)
{
	struct iq *iq = arena_zalloc(st->arena, sizeof(*iq));

	*iq = (struct iq){
		.shard = sh,
		.host = host,
		.account = acc,
		.session = session,
		.st = st,
		.payload = stanza_payload(st),
	};
	/* a reload may have taken the host away while st was waiting */
	if (host == NULL || !iq_try(host_iq_find(host, iq->payload), iq)) {
		router_bounce(sh, st, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	iq->handled = true;
	if (iq->answered)
		stanza_free(st);
}
