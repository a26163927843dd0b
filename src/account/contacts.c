/*
 * contacts.c - the contacts of an account as an audience.
 *
 * Invariant: while there is one, it has those with SUB_FROM or SUB_TO, and which
 * of the two, but for whom the account has blocked.
 */
#include "config.h"

#include "account/contacts.h"

#include "base/mem.h"
#include "xmpp/subscription.h"
#include "core/audience.h"
#include "core/route.h"
#include "account/account.h"
#include "account/block_list.h"

#define SEES (SUB_FROM | SUB_TO)
/* So many are as soon found in the roster again; what an idle session would keep
 * for that is half of what it holds. */
#define SMALL 64
#define KEEP_US (5 * US_PER_S)

/* Of a large roster. */
struct contacts {
	struct account *account;
	struct audience *audience;
	struct timer timer; /* when it is dropped */
};

static void
contacts_free(struct contacts *c)
{
	c->account->contacts = NULL;
	shard_timer_cancel(c->account->e.shard, &c->timer);
	audience_free(c->audience);
	free(c);
}

static void
on_idle(struct timer *t)
{
	contacts_free(CONTAINER_OF(t, struct contacts, timer));
}

static struct audience *
contacts_find(const struct account *acc)
{
	const struct roster *r = &acc->roster;
	struct audience *a = audience_new(acc->e.shard, acc->e.hash);
	struct route_last last = { .whole = false };

	for (uint32_t i = 0; i < r->n; i++) {
		const struct roster_item *it = roster_at(r, i);

		if ((it->state & SEES) != 0 &&
			!account_blocks(acc, roster_item_jid(it)))
			audience_add(a, roster_item_jid(it), it->state & SEES,
				&last);
	}
	return a;
}

struct audience *
contacts_get(struct account *acc)
{
	struct contacts *c = acc->contacts;

	ASSERT_OWNER(&acc->e);
	if (c == NULL && acc->roster.n <= SMALL)
		return contacts_find(acc);
	if (c == NULL) {
		c = acc->contacts = xcalloc(1, sizeof(*c));
		c->account = acc;
		c->audience = contacts_find(acc);
	}
	shard_timer(acc->e.shard, &c->timer, KEEP_US, on_idle);
	return audience_copy(c->audience);
}

void
contacts_changed(struct account *acc, struct jid contact)
{
	uint8_t state = roster_state(&acc->roster, jid_str(contact)) & SEES;

	account_line_forget_contacts(acc);
	if (acc->contacts == NULL)
		return;
	if (state != 0 && !account_blocks(acc, contact))
		audience_join(acc->contacts->audience, contact, state);
	else
		audience_leave(acc->contacts->audience, contact);
}

void
contacts_drop(struct account *acc)
{
	account_line_forget_contacts(acc);
	if (acc->contacts != NULL)
		contacts_free(acc->contacts);
}
