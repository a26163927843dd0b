/*
 * roster.c - the contacts of one account, in memory.
 *
 * Items are replaced as a whole when they change, so that an item is one
 * allocation without slack.  Invariant: items are sorted by address.
 */
#include "config.h"

#include "core/roster.h"

#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/subscription.h"

#define NS_ROSTER "jabber:iq:roster"

/* Index of bare, or where it belongs. */
static uint32_t
roster_place(const struct roster *r, struct str bare, bool *found_out)
{
	uint32_t low = 0, high = r->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct roster_item *it = r->items[mid];
		int diff = str_cmp((struct str){ it->bytes, it->jid_len }, bare);

		if (diff == 0) {
			*found_out = true;
			return mid;
		}
		if (diff < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found_out = false;
	return low;
}

struct roster_item *
roster_find(const struct roster *r, struct str bare)
{
	bool found;
	uint32_t i = roster_place(r, bare, &found);

	return found ? r->items[i] : NULL;
}

struct jid
roster_item_jid(const struct roster_item *it)
{
	return (struct jid){
		.text = it->bytes,
		.local_len = it->jid_local_len,
		.bare_len = it->jid_len,
		.len = it->jid_len,
	};
}

struct str
roster_item_name(const struct roster_item *it)
{
	if (it->name_len == 0)
		return STR_NONE;
	return (struct str){ it->bytes + it->jid_len, it->name_len };
}

void
roster_item_groups(const struct roster_item *it,
	void (*fn)(void *arg, struct str group), void *arg)
{
	const char *at = it->bytes + it->jid_len + it->name_len;

	for (uint16_t i = 0; i < it->n_groups; i++) {
		uint16_t n;

		memcpy(&n, at, sizeof(n));
		fn(arg, (struct str){ at + sizeof(n), n });
		at += sizeof(n) + n;
	}
}

uint8_t
roster_state(const struct roster *r, struct str bare)
{
	const struct roster_item *it = roster_find(r, bare);

	return it != NULL ? it->state : 0;
}

struct adding {
	struct arena *arena;
	struct elem *item;
};

static void
add_group(void *arg, struct str group)
{
	struct adding *adding = arg;

	elem_add_with_text(adding->arena, adding->item, NS_ROSTER, "group",
		group);
}

struct elem *
roster_item_elem(struct arena *a, struct elem *parent,
	const struct roster_item *it)
{
	struct elem *item = elem_add(a, parent, NS_ROSTER, "item");
	struct adding adding = { a, item };

	elem_set_attr(a, item, "jid", jid_str(roster_item_jid(it)));
	if (it->name_len != 0)
		elem_set_attr(a, item, "name", roster_item_name(it));
	elem_set_attr(a, item, "subscription",
		str_c(subscription_name(it->state)));
	if ((it->state & SUB_PENDING_OUT) != 0)
		elem_set_attr(a, item, "ask", STR("subscribe"));
	if ((it->state & SUB_APPROVED) != 0)
		elem_set_attr(a, item, "approved", STR("true"));
	roster_item_groups(it, add_group, &adding);
	return item;
}

/* --- changing ------------------------------------------------------------------ */

static struct roster_item *
item_new(struct jid bare, struct str name, const struct str *groups,
	size_t n_groups)
{
	size_t groups_len = n_groups * sizeof(uint16_t);
	struct roster_item *it;
	char *at;

	for (size_t i = 0; i < n_groups; i++)
		groups_len += groups[i].n;
	it = xcalloc(1, sizeof(*it) + bare.bare_len + name.n + groups_len);
	it->jid_len = bare.bare_len;
	it->jid_local_len = bare.local_len;
	it->name_len = (uint16_t)name.n;
	it->n_groups = (uint16_t)n_groups;
	it->groups_len = (uint16_t)groups_len;
	at = mempcpy(it->bytes, bare.text, bare.bare_len);
	if (name.n != 0)
		at = mempcpy(at, name.p, name.n);
	for (size_t i = 0; i < n_groups; i++) {
		uint16_t n = (uint16_t)groups[i].n;

		at = mempcpy(at, &n, sizeof(n));
		at = mempcpy(at, groups[i].p, n);
	}
	return it;
}

static void
roster_insert(struct roster *r, uint32_t at, struct roster_item *it)
{
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 4 : r->cap + r->cap / 2;
		r->items = xrealloc(r->items, r->cap * sizeof(r->items[0]));
	}
	memmove(&r->items[at + 1], &r->items[at],
		(r->n - at) * sizeof(r->items[0]));
	r->items[at] = it;
	r->n++;
}

struct roster_item *
roster_set(struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups)
{
	bool found;
	uint32_t i = roster_place(r, jid_bare_str(bare), &found);
	struct roster_item *it = item_new(bare, name, groups, n_groups);

	it->listed = true;
	if (!found) {
		roster_insert(r, i, it);
		return it;
	}
	it->state = r->items[i]->state;
	free(r->items[i]);
	r->items[i] = it;
	return it;
}

struct roster_item *
roster_set_state(struct roster *r, struct jid bare, uint8_t state)
{
	bool found;
	uint32_t i = roster_place(r, jid_bare_str(bare), &found);

	if (!found && state == 0)
		return NULL;
	if (!found)
		roster_insert(r, i, item_new(bare, STR_NONE, NULL, 0));
	r->items[i]->state = state;
	/* a mere request makes no contact yet (RFC 6121 §3.1.3), a pre-approval
	 * does (§3.4.2) */
	if ((state & ~SUB_PENDING_IN) != 0)
		r->items[i]->listed = true;
	if (state == 0 && !r->items[i]->listed) {
		roster_remove(r, jid_bare_str(bare));
		return NULL;
	}
	return r->items[i];
}

bool
roster_remove(struct roster *r, struct str bare)
{
	bool found;
	uint32_t i = roster_place(r, bare, &found);

	if (!found)
		return false;
	free(r->items[i]);
	r->n--;
	memmove(&r->items[i], &r->items[i + 1],
		(r->n - i) * sizeof(r->items[0]));
	return true;
}

void
roster_done(struct roster *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		free(r->items[i]);
	free(r->items);
	*r = (struct roster){ .items = NULL };
}
