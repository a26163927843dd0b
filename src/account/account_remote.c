/*
 * account_remote.c - what an account does for the sake of contacts at other servers:
 * what goes between the two can be lost.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "base/rand.h"
#include "xmpp/subscription.h"
#include "core/host.h"
#include "account/account_int.h"
#include "account/session.h"

static void
ask(struct account *acc, enum stanza_type type, const struct roster_item *it)
{
	char id[RAND_ID_SIZE];

	account_send(acc,
		stanza_new(type, acc->e.jid, roster_item_jid(it),
			rand_id(acc->e.shard->rand, id)));
}

void
account_subscribe_again(struct account *acc)
{
	ASSERT_OWNER(&acc->e);
	for (uint32_t i = 0; i < acc->roster.n; i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);

		if ((it->state & SUB_PENDING_OUT) != 0 &&
			host_is_remote(shard_host(acc->e.shard,
				jid_domain(roster_item_jid(it)))))
			ask(acc, PRESENCE_SUBSCRIBE, it);
	}
}
