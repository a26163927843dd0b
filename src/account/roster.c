/*
 * roster.c - the contacts of one account, in memory.
 *
 * One block, as a page of a database has it: items lie at its front in the order
 * in which they came, and their places at its end, sorted by address.  With an
 * allocation and a pointer for each, a contact with a name and a group took 75
 * bytes instead of 52.  What goes leaves a hole, until the block is full.
 */
#include "config.h"

#include "account/roster.h"

#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/subscription.h"

/* What a block has too much after it grew: a quarter. */
#define SLACK_SHARE 4
/* Where numbers may stand. */
#define ROUND_UP(n) (((n) + sizeof(uint32_t) - 1) & ~(sizeof(uint32_t) - 1))
/* The place of an item is a number of 32 bits, and so is what all take when they
 * are written, six times as much at worst: this leaves room for the largest item
 * there can be, and for all that are made by requests. */
#define BYTES_MAX (UINT32_C(1) << 29)
/* Of an item as it is written, whatever its state. */
#define ITEM_BYTES                                                             \
	(sizeof("<item jid=\"\" name=\"\" subscription=\"both\" "              \
		"ask=\"subscribe\" approved=\"true\"></item>") -               \
		1)
#define GROUP_BYTES (sizeof("<group></group>") - 1)

/* Where the items begin, by address. */
static uint32_t *
roster_places(const struct roster *r)
{
	return (uint32_t *)(void *)(r->block + r->cap) - r->n;
}

static struct roster_item *
roster_item_in(const struct roster *r, uint32_t place)
{
	return (struct roster_item *)(void *)(r->block + place);
}

struct roster_item *
roster_at(const struct roster *r, uint32_t i)
{
	return roster_item_in(r, roster_places(r)[i]);
}

static uint32_t
item_size(const struct roster_item *it)
{
	return (uint32_t)ROUND_UP(sizeof(*it) + it->jid_len + it->name_len +
		it->groups_len);
}

/* Index of bare, or where it belongs. */
static uint32_t
roster_index(const struct roster *r, struct str bare, bool *found_out)
{
	uint32_t low = 0, high = r->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct roster_item *it = roster_at(r, mid);
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
	uint32_t i = roster_index(r, bare, &found);

	return found ? roster_at(r, i) : NULL;
}

struct roster_item *
roster_after(const struct roster *r, struct str bare)
{
	bool found;
	uint32_t i = roster_index(r, bare, &found) + found;

	return i < r->n ? roster_at(r, i) : NULL;
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
	const char *end = at + it->groups_len;

	while (at < end) {
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

/* --- as it is written ------------------------------------------------------------ */

static void
count_group(void *arg, struct str group)
{
	size_t *bytes = arg;

	*bytes += GROUP_BYTES + xml_written_bytes(group, false);
}

static uint32_t
item_written(const struct roster_item *it)
{
	size_t bytes = ITEM_BYTES +
		xml_written_bytes(jid_str(roster_item_jid(it)), true) +
		xml_written_bytes(roster_item_name(it), true);

	roster_item_groups(it, count_group, &bytes);
	return (uint32_t)bytes;
}

bool
roster_has_bytes(const struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups, uint64_t max)
{
	const struct roster_item *it = roster_find(r, jid_bare_str(bare));
	size_t before = it != NULL && it->listed ? item_written(it) : 0;
	size_t after = ITEM_BYTES + xml_written_bytes(name, true) +
		xml_written_bytes(jid_bare_str(bare), true);

	for (size_t i = 0; i < n_groups; i++)
		count_group(&after, groups[i]);
	return after <= before || r->listed_bytes - before + after <= max;
}

void
roster_set_listed(struct roster *r, struct roster_item *it, bool listed)
{
	if (listed && !it->listed)
		r->listed_bytes += item_written(it);
	else if (!listed && it->listed)
		r->listed_bytes -= item_written(it);
	it->listed = listed;
}

/* --- the block ----------------------------------------------------------------- */

/* Makes the block cap bytes long, which is enough for what is in it. */
static void
roster_resize(struct roster *r, uint32_t cap)
{
	size_t places = r->n * sizeof(uint32_t);

	if (cap < r->cap)
		memmove(r->block + cap - places, roster_places(r), places);
	memuse_remove_part(MEMUSE_ROSTER, r->block);
	r->block = xrealloc(r->block, cap);
	memuse_add_part(MEMUSE_ROSTER, r->block);
	if (cap > r->cap && places != 0)
		memmove(r->block + cap - places, roster_places(r), places);
	r->cap = cap;
}

/* The same with a new block, which has no holes. */
static void
roster_rebuild(struct roster *r, uint32_t cap)
{
	struct roster to = *r;

	to.block = xmalloc(cap);
	to.cap = cap;
	to.used = 0;
	to.has_holes = false;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct roster_item *it = roster_at(r, i);
		uint32_t n = item_size(it);

		memcpy(to.block + to.used, it, n);
		roster_places(&to)[i] = to.used;
		to.used += n;
	}
	memuse_remove_part(MEMUSE_ROSTER, r->block);
	free(r->block);
	*r = to;
	memuse_add_part(MEMUSE_ROSTER, r->block);
}

/* Bytes of the items, without holes. */
static uint32_t
roster_live(const struct roster *r)
{
	uint32_t live = 0;

	for (uint32_t i = 0; r->has_holes && i < r->n; i++)
		live += item_size(roster_at(r, i));
	return r->has_holes ? live : r->used;
}

/* For items of so many bytes, and one more of n bytes, if n is not 0. */
static uint32_t
roster_needs(const struct roster *r, uint32_t used, size_t n)
{
	size_t places = r->n + (n != 0 ? 1 : 0);

	return (uint32_t)(used + n + places * sizeof(uint32_t));
}

/* Room for one more item of n bytes.  When it is used up, a quarter of what is
 * there has been set: so a change costs the same however large the roster is. */
static void
roster_reserve(struct roster *r, size_t n)
{
	uint32_t needs;

	if (roster_needs(r, r->used, n) <= r->cap)
		return;
	needs = roster_needs(r, roster_live(r), n);
	needs = (uint32_t)ROUND_UP(needs + needs / SLACK_SHARE);
	if (r->has_holes)
		roster_rebuild(r, needs);
	else
		roster_resize(r, needs);
}

/* The i-th place is for a new item; there is room. */
static void
roster_open_place(struct roster *r, uint32_t i)
{
	uint32_t *places;

	r->n++;
	memuse_count(MEMUSE_ROSTER, 1, 0);
	places = roster_places(r);
	memmove(places, places + 1, i * sizeof(places[0]));
}

static void
roster_close_place(struct roster *r, uint32_t i)
{
	uint32_t *places = roster_places(r);

	memmove(places + 1, places, i * sizeof(places[0]));
	r->n--;
	memuse_count(MEMUSE_ROSTER, -1, 0);
}

/* The i-th item is taken out; its place is left. */
static void
roster_cut(struct roster *r, uint32_t i)
{
	uint32_t at = roster_places(r)[i];
	uint32_t n = item_size(roster_item_in(r, at));

	roster_set_listed(r, roster_item_in(r, at), false);
	if (at + n == r->used)
		r->used = at;
	else
		r->has_holes = true;
}

/* Puts a copy of head, with what belongs to it, into the i-th place; there is
 * room. */
static struct roster_item *
roster_put(struct roster *r, uint32_t i, const struct roster_item *head,
	struct jid bare, struct str name, const struct str *groups,
	size_t n_groups)
{
	struct roster_item *it = roster_item_in(r, r->used);
	char *at;

	*it = *head;
	at = mempcpy(it->bytes, bare.text, bare.bare_len);
	if (name.n != 0)
		at = mempcpy(at, name.p, name.n);
	for (size_t j = 0; j < n_groups; j++) {
		uint16_t n = (uint16_t)groups[j].n;

		at = mempcpy(at, &n, sizeof(n));
		at = mempcpy(at, groups[j].p, n);
	}
	roster_places(r)[i] = r->used;
	r->used += item_size(it);
	it->listed = false;
	roster_set_listed(r, it, head->listed);
	return it;
}

/* --- changing ------------------------------------------------------------------ */

static uint32_t
groups_size(const struct str *groups, size_t n_groups)
{
	size_t size = n_groups * sizeof(uint16_t);

	for (size_t i = 0; i < n_groups; i++)
		size += groups[i].n;
	return (uint32_t)size;
}

bool
roster_is_full(const struct roster *r)
{
	return r->used > BYTES_MAX && roster_live(r) > BYTES_MAX;
}

struct roster_item *
roster_set(struct roster *r, struct jid bare, struct str name,
	const struct str *groups, size_t n_groups)
{
	bool found;
	uint32_t i = roster_index(r, jid_bare_str(bare), &found);
	struct roster_item head = {
		.state = found ? roster_at(r, i)->state : 0,
		.listed = true,
		.jid_len = bare.bare_len,
		.jid_local_len = bare.local_len,
		.name_len = (uint16_t)name.n,
		.groups_len = groups_size(groups, n_groups),
	};

	roster_reserve(r, item_size(&head));
	if (found)
		roster_cut(r, i);
	else
		roster_open_place(r, i);
	return roster_put(r, i, &head, bare, name, groups, n_groups);
}

struct roster_item *
roster_set_state(struct roster *r, struct jid bare, uint8_t state)
{
	struct roster_item *it = roster_find(r, jid_bare_str(bare));

	if (it == NULL && state == 0)
		return NULL;
	if (it == NULL) {
		it = roster_set(r, bare, STR_NONE, NULL, 0);
		roster_set_listed(r, it, false);
	}
	it->state = state;
	/* a mere request makes no contact yet (RFC 6121 §3.1.3), a pre-approval
	 * does (§3.4.2) */
	if ((state & ~SUB_PENDING_IN) != 0)
		roster_set_listed(r, it, true);
	if (state == 0 && !it->listed) {
		roster_remove(r, jid_bare_str(bare));
		return NULL;
	}
	return it;
}

bool
roster_remove(struct roster *r, struct str bare)
{
	bool found;
	uint32_t i = roster_index(r, bare, &found);

	if (!found)
		return false;
	roster_cut(r, i);
	roster_close_place(r, i);
	return true;
}

void
roster_trim(struct roster *r)
{
	uint32_t needs = roster_needs(r, roster_live(r), 0);

	if (r->n == 0)
		roster_done(r);
	else if (r->has_holes)
		roster_rebuild(r, needs);
	else if (needs < r->cap)
		roster_resize(r, needs);
}

void
roster_done(struct roster *r)
{
	memuse_count(MEMUSE_ROSTER, -(int64_t)r->n, 0);
	memuse_remove_part(MEMUSE_ROSTER, r->block);
	free(r->block);
	*r = (struct roster){ .version = r->version };
}
