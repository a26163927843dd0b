/*
 * account_remote.c - what an account does for the sake of contacts at other servers:
 * nobody else tells it who is there, and what goes between the two can be lost
 * (remote/remote_watch.c).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "base/rand.h"
#include "xmpp/subscription.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/router.h"
#include "account/account_int.h"
#include "account/block_list.h"
#include "account/session.h"

static bool
is_at(const struct roster_item *it, struct str domain)
{
	return str_eq(jid_domain(roster_item_jid(it)), domain);
}

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
			!account_blocks(acc, roster_item_jid(it)) &&
			host_is_remote(shard_host(acc->e.shard,
				jid_domain(roster_item_jid(it)))))
			ask(acc, PRESENCE_SUBSCRIBE, it);
	}
}

/* From the bare address, which stands for all resources (RFC 6121 §4.5.4): which of
 * them were shown nobody knows. */
static void
show_away(struct account *acc, const struct roster_item *it)
{
	if ((it->state & SUB_TO) != 0)
		router_send(acc->e.shard,
			stanza_new(PRESENCE_UNAVAILABLE, roster_item_jid(it),
				acc->e.jid, STR_NONE));
}

static void
ask_again(struct account *acc, const struct roster_item *it)
{
	if ((it->state & SUB_TO) == 0) {
		if (account_is_visible(acc))
			ask(acc, PRESENCE_SUBSCRIBE, it);
	} else if (account_probes(acc)) {
		ask(acc, PRESENCE_PROBE, it);
	}
}

/* Does acc want to know who is there? */
static bool
is_watched(const struct account *acc, const struct roster_item *it)
{
	return (it->state & (SUB_TO | SUB_PENDING_OUT)) != 0 &&
		!account_blocks(acc, roster_item_jid(it));
}

void
account_remote_told(struct account *acc, struct entity_message *m)
{
	bool any = false;

	for (uint32_t i = 0; account_is_available(acc) && i < acc->roster.n;
		i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);

		if (!is_watched(acc, it) || !is_at(it, m->text))
			continue;
		any = true;
		if (m->kind == TELL_DOMAIN_AWAY)
			show_away(acc, it);
		else if (m->kind == TELL_DOMAIN_BACK)
			ask_again(acc, it);
	}
	if (any)
		entity_answer(m, NULL);
	else
		entity_refuse(m, ERR_MISSING, "watches nobody there");
}

void
account_watch_remotes(struct account *acc)
{
	for (uint32_t i = 0; account_probes(acc) && i < acc->roster.n;
		i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);
		struct str domain = jid_domain(roster_item_jid(it));

		if (!is_watched(acc, it) ||
			shard_host(acc->e.shard, domain) != NULL)
			continue;
		entity_tell(acc->e.shard,
			&(struct entity_message){
				.kind = TELL_WATCH,
				.to = jid_trusted(domain),
				.resource = STR_NONE,
				.text = jid_str(acc->e.jid),
			});
	}
}
