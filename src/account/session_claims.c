/*
 * session_claims.c - takes out of a stanza what only the server may say.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_claims.h"

#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/shard.h"
#include "account/session.h"

static bool
is_our_delay(struct shard *sh, struct arena *a, const struct elem *e)
{
	struct jid from;

	return elem_is(e, NS_DELAY, "delay") &&
		jid_parse(&from, a, elem_attr(e, "from"), NULL) &&
		jid_local(from).n == 0 &&
		shard_host(sh, jid_domain(from)) != NULL;
}

/* What of a message we have copied from another device, only we say: clients take
 * such for what their owner has sent and got (XEP-0280 §11, hostile 45). */
static bool
is_our_copy(const struct elem *e)
{
	return str_is(e->ns, NS_CARBONS) &&
		(str_is(e->name, "received") || str_is(e->name, "sent"));
}

struct claims {
	const struct account *account;
	struct stanza *st;
};

static bool
is_claim(void *arg, const struct elem *e)
{
	const struct claims *c = arg;

	return is_our_delay(c->account->e.shard, c->st->arena, e) ||
		stanza_is_id_by(c->st, e, c->account->e.jid) ||
		is_our_copy(e);
}

/* Few have any. */
static bool
may_claim(const struct stanza *st)
{
	elem_each_child(st->root, e) {
		if (str_is(e->name, "delay") || str_is(e->name, "stanza-id") ||
			str_is(e->ns, NS_CARBONS))
			return true;
	}
	return false;
}

/* XEP-0203 §5: what we have delayed, only we say (hostile 48); and by which id
 * the account knows it (XEP-0359 §3, hostile 47).  An iq keeps its one payload. */
void
session_drop_claims(const struct account *acc, struct stanza *st)
{
	struct claims claims = { acc, st };

	if (st->kind != STANZA_IQ && may_claim(st))
		elem_drop(st->root, is_claim, &claims);
}
