/*
 * roster_store.c - a roster on disk: one map entry for each contact, its value
 * the item as in a roster result, with what is not shown there in attributes of
 * our own; the version under the empty key.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/subscription.h"
#include "core/stored.h"
#include "account/account.h"
#include "account/roster.h"

#define KEY_VERSION ""
#define GROUPS_MAX 1024

static void
save_item(const struct roster_item *it, struct store_place at, struct str bare,
	struct store_tx *tx)
{
	struct arena *a = arena_new();
	struct elem *parent = elem_new(a, NS_ROSTER, "query");
	struct elem *item = roster_item_elem(a, parent, it);
	struct buf out = BUF_INIT;

	if ((it->state & SUB_PENDING_IN) != 0)
		elem_set_attr(a, item, "pending-in", STR("true"));
	if (!it->listed)
		elem_set_attr(a, item, "listed", STR("false"));
	xml_write(&out, item, STR_NONE);
	store_tx_set(tx, at, bare, buf_str(&out));
	buf_done(&out);
	arena_free(a);
}

void
roster_save(struct account *acc, struct str bare, struct store_tx *tx)
{
	struct store_place at = {
		.host = account_domain(acc),
		.owner = account_local(acc),
		.name = STR(MAP_ROSTER),
	};
	const struct roster_item *it = roster_find(&acc->roster, bare);
	char version[24];

	/* one of an earlier account of the same name, which a client may still
	 * have, must not come again */
	acc->roster.version = MAX(acc->roster.version + 1,
		(uint64_t)(shard_wall_us(acc->e.shard) / US_PER_S));
	if (acc->anonymous)
		return;
	if (it != NULL)
		save_item(it, at, bare, tx);
	else
		store_tx_delete(tx, at, bare);
	snprintf(version, sizeof(version), "%llu",
		(unsigned long long)acc->roster.version);
	store_tx_set(tx, at, STR(KEY_VERSION), str_c(version));
}

/* --- loading ------------------------------------------------------------------- */

static uint8_t
flag_if(const struct elem *item, const char *attr, const char *value,
	uint8_t flags)
{
	struct str s = elem_attr(item, attr);

	return s.p != NULL && str_is(s, value) ? flags : 0;
}

static uint8_t
item_state(const struct elem *item)
{
	uint8_t state = 0;

	state |= flag_if(item, "subscription", "to", SUB_TO);
	state |= flag_if(item, "subscription", "from", SUB_FROM);
	state |= flag_if(item, "subscription", "both", SUB_TO | SUB_FROM);
	state |= flag_if(item, "ask", "subscribe", SUB_PENDING_OUT);
	state |= flag_if(item, "pending-in", "true", SUB_PENDING_IN);
	state |= flag_if(item, "approved", "true", SUB_APPROVED);
	return state;
}

/* What was written by us is, and is not more than there is room for. */
static bool
item_fits(const struct roster *r, struct str name, const struct str *groups,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (groups[i].n > ROSTER_TEXT_MAX)
			return false;
	}
	return name.n <= ROSTER_TEXT_MAX && !roster_is_full(r);
}

static bool
load_item(struct roster *r, struct arena *a, struct str bare,
	const struct elem *item)
{
	struct str name, groups[GROUPS_MAX];
	struct roster_item *it;
	size_t n = 0;
	uint8_t state;

	if (!elem_is(item, NS_ROSTER, "item"))
		return false;
	state = item_state(item);
	if (!subscription_is_legal(state))
		return false;
	elem_each_child(item, group) {
		if (n == GROUPS_MAX)
			return false;
		if (elem_is(group, NS_ROSTER, "group"))
			groups[n++] = elem_text(a, group);
	}
	name = elem_attr(item, "name");
	if (!item_fits(r, name, groups, n))
		return false;
	it = roster_set(r, jid_trusted(bare), name, groups, n);
	it->state = state;
	roster_set_listed(r, it, flag_if(item, "listed", "false", 1) == 0);
	return true;
}

bool
roster_load(struct roster *r, struct xml_pool *pool,
	const struct store_entry *entry)
{
	struct arena *a;
	struct elem *item;
	long long version;
	bool ok;

	if (entry->key.n == 0) {
		ok = str_to_int(entry->value, 0, INT64_MAX, &version);
		r->version = ok ? (uint64_t)version : 0;
		return ok;
	}
	item = stored_read_own(pool, entry->value, &a);
	if (item == NULL)
		return false;
	ok = load_item(r, a, entry->key, item);
	arena_free(a);
	return ok;
}
