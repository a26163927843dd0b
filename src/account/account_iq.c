/*
 * account_iq.c - requests to accounts: who may ask, and who has asked.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "core/host.h"
#include "core/iq.h"
#include "account/account_int.h"
#include "account/session.h"

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
	if (!jid_eq_bare(e->jid, st->from))
		where |= AT_OTHERS;
	else if (acc->exists)
		where |= AT_OWN_ACCOUNT;
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
	return session_find(acc, jid_resource(from));
}
