/*
 * account_iq.c - requests to accounts: who may ask, and who has asked.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "core/entity_message.h"
#include "core/host.h"
#include "core/iq.h"
#include "core/receipt.h"
#include "core/route.h"
#include "core/shard.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"

/* XEP-0356: what somebody who is no user was permitted. */
static bool
asks_as_owner(const struct account *acc, const struct stanza *st)
{
	struct shard *sh = acc->e.shard;
	const struct host *from;
	struct account_asked asked;

	if (!sh->snap->has_components || !jid_is_set(st->from))
		return false;
	from = shard_host(sh, jid_domain(st->from));
	if (from == NULL || from->component == NULL)
		return false;
	asked = (struct account_asked){ acc, st, from->component };
	return hook_run(account_host(acc), HOOK_ACCOUNT_ASKED, &asked) ==
		HOOK_HANDLED;
}

/* An account that does not exist answers like one that lets nobody ask, so that
 * accounts cannot be found out (RFC 6121 §8.5.1). */
unsigned
account_iq_where(const struct entity *e, const struct stanza *st)
{
	const struct account *acc = (const struct account *)(const void *)e;
	unsigned where = 0;

	if (acc->exists)
		where |= AT_ACCOUNT;
	/* not by the session, which may have ended since it has sent this */
	if (acc->exists && (jid_eq_bare(e->jid, st->from) ||
			asks_as_owner(acc, st)))
		where |= AT_OWN_ACCOUNT;
	else if (!jid_eq_bare(e->jid, st->from))
		where |= AT_OTHERS;
	if (acc->anonymous)
		where |= KEEPS_NOTHING;
	return where;
}

struct account *
iq_account(const struct iq *iq)
{
	return account_if(iq_entity(iq));
}

struct session *
iq_sender(const struct iq *iq)
{
	struct account *acc = iq_account(iq);
	struct jid from = iq->st->from;

	/* a host's requests are handled on the shard of whoever sent them */
	if (acc == NULL && jid_local(from).n != 0 &&
		str_eq(jid_domain(from), iq->host->domain))
		acc = account_find(iq->shard, jid_bare_str(from));
	if (acc == NULL || !jid_eq_bare(acc->e.jid, from))
		return NULL;
	return session_find_one(acc, jid_resource(from), iq->st->session);
}

/* The session that has sent iq may be anywhere. */
static void
sender_let_go(const struct iq *iq)
{
	struct session *s = iq_sender(iq);
	struct jid from = iq->st->from;
	const struct host *host = shard_host(iq->shard, jid_domain(from));

	if (s != NULL)
		requests_let_go(s, iq->st->to);
	else if (host != NULL && !jid_is_bare(from) &&
		host_class_of(host, from) == &account_class)
		entity_tell(iq->shard,
			&(struct entity_message){
				.kind = TELL_PASSED_ON,
				.to = from,
				.resource = jid_resource(from),
				.text = jid_str(iq->st->to),
				.number = { iq->st->session },
			});
}

bool
iq_pass_on(struct iq *iq)
{
	const char *why = iq_passed_begin(iq);

	if (why != NULL) {
		iq_error(iq, COND_RESOURCE_CONSTRAINT, why);
		return false;
	}
	iq->st->passed_on = true;
	sender_let_go(iq);
	receipt_let_go(iq->st);
	iq_keep(iq);
	return true;
}
