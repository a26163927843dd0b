/*
 * session_out_restore.c - what waits for a session, as it was saved: what several
 * of an account had is shared again.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_out.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/wire.h"
#include "account/account.h"
#include "account/session.h"
#include "account/session_bulk.h"

/* What a session keeps, by when it came: two may have the same in two orders, for what
 * stands behind a block of a bytestream waits longer (session_bulk.h). */
struct alike_item {
	int64_t wall_us;
	size_t at; /* among all of them */
	struct out_item *item; /* NULL: it was found */
};

struct alike {
	size_t n;
	struct alike_item items[];
};

static int
compare_alike(const void *a, const void *b)
{
	const struct alike_item *x = a, *y = b;

	if (x->wall_us != y->wall_us)
		return x->wall_us < y->wall_us ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
alike_add(struct alike *all, struct out_item *item)
{
	all->items[all->n] = (struct alike_item){ item->wire->wall_us, all->n,
		item };
	all->n++;
}

static struct alike *
alike_new(const struct session *s)
{
	struct out_item *item, **lanes;
	struct alike *all;
	uint32_t n;

	(void)session_bulk_bytes(s, &n);
	all = xmalloc(sizeof(*all) + (s->out->n + n) * sizeof(all->items[0]));
	all->n = 0;
	STAILQ_FOREACH (item, &s->out->queue, link)
		alike_add(all, item);
	lanes = xcalloc(MAX(n, 1), sizeof(lanes[0]));
	session_bulk_items(s, lanes);
	for (uint32_t i = 0; i < n; i++)
		alike_add(all, lanes[i]);
	free(lanes);
	qsort(all->items, all->n, sizeof(all->items[0]), compare_alike);
	return all;
}

/* The first that is not older. */
static size_t
alike_from(const struct alike *all, int64_t wall_us)
{
	size_t from = 0, until = all->n;

	while (from < until) {
		size_t mid = from + (until - from) / 2;

		if (all->items[mid].wall_us < wall_us)
			from = mid + 1;
		else
			until = mid;
	}
	return from;
}

void
session_out_restore_begin(struct session *s)
{
	struct session *other = s->account->sessions;

	for (; other != NULL; other = other->next) {
		if (other != s && other->out != NULL)
			other->out->alike = alike_new(other);
	}
}

void
session_out_restore_end(struct session *s)
{
	struct session *other = s->account->sessions;

	for (; other != NULL; other = other->next) {
		if (other->out == NULL)
			continue;
		free(other->out->alike);
		other->out->alike = NULL;
	}
}

/* have, or what it is a copy of. */
static struct wire *
wire_alike(struct wire *have, const struct wire *w)
{
	if (have->copy && !w->copy)
		have = have->of;
	return have != NULL && have->copy == w->copy &&
			str_eq(wire_str(have), wire_str(w)) ?
		have :
		NULL;
}

/* The same where another session keeps it, too; a message is found once, and presence
 * again, for each asks for that by itself. */
static struct wire *
out_find_wire(struct session_out *o, const struct wire *w)
{
	struct alike *all = o->alike;

	for (size_t i = alike_from(all, w->wall_us);
		i < all->n && all->items[i].wall_us == w->wall_us; i++) {
		const struct out_item *item = all->items[i].item;
		struct wire *found =
			item != NULL ? wire_alike(item->wire, w) : NULL;

		if (found == NULL)
			continue;
		if (stanza_type_kind(item->type) == STANZA_MESSAGE)
			all->items[i].item = NULL;
		return found;
	}
	return NULL;
}

/* One that s has twice was sent twice. */
static struct wire *
session_find_wire(const struct session *s, const struct wire *w)
{
	struct session *other = s->account->sessions;
	struct wire *found = NULL;

	for (; other != NULL && found == NULL; other = other->next) {
		if (other->out != NULL && other->out->alike != NULL)
			found = out_find_wire(other->out, w);
	}
	return found;
}

static void
out_item_share(struct out_item *item, const struct session *s)
{
	struct wire *shared = session_find_wire(s, item->wire);

	if (shared == NULL)
		return;
	wire_unref(item->wire);
	item->wire = wire_ref(shared);
}

/* What the copy st was of, where it is kept, or else as nobody keeps it. */
static void
out_item_restore_of(struct out_item *item, const struct session *s,
	const struct stanza *st)
{
	struct stanza *original = stanza_original(st);
	struct wire *own = wire_new(original), *found;

	own->wall_us = item->wire->wall_us;
	found = session_find_wire(s, own);
	wire_set_of(item->wire, found != NULL ? found : own);
	wire_unref(own);
	stanza_free(original);
}

void
session_out_restore(struct session *s, const struct stanza *st,
	const struct out_saved *saved)
{
	struct wire *own = wire_new(st);
	struct out_item *item;

	own->wall_us = saved->at_us;
	own->one_account = saved->shared;
	item = out_item_new(s, st, own, saved->to);
	item->kept = saved->kept;
	item->block = item->block && saved->kept == 0;
	if (!item->alone || own->copy || own->one_account)
		out_item_share(item, s);
	if (saved->of && item->wire->of == NULL)
		out_item_restore_of(item, s, st);
	item->wire->taken |= saved->taken;
	if (saved->written || !session_bulk_takes(s, st, item))
		out_append(s->out, s->account, item);
	wire_unref(own);
}

bool
session_out_renumber(struct session *s, bool keeps, uint32_t acked,
	uint32_t sent)
{
	struct session_out *o = s->out;

	o->keeps = keeps;
	o->acked = o->sent = acked;
	if (!keeps && sent != acked)
		return false;
	while (o->sent != sent && o->next != NULL)
		out_step(o);
	return o->sent == sent;
}
