/*
 * session_out_restore.c - what waits for a session, as it was saved: what several
 * of an account had is shared again.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_out.h"

#include "core/wire.h"
#include "account/account.h"
#include "account/session.h"

void
session_out_restore_begin(struct session *s)
{
	struct session *other = s->account->sessions;

	for (; other != NULL; other = other->next) {
		if (other->out != NULL)
			other->out->alike = STAILQ_FIRST(&other->out->queue);
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

/* The same message where another session keeps it, too.  All have what they share
 * in one order, but for presence, which each asks for by itself: each is gone
 * through once, however much there is. */
static struct wire *
out_find_wire(struct session_out *o, const struct wire *w)
{
	struct out_item *item;

	while (o->alike != NULL && o->alike->wire->wall_us < w->wall_us)
		o->alike = STAILQ_NEXT(o->alike, link);
	for (item = o->alike;
		item != NULL && item->wire->wall_us == w->wall_us;
		item = STAILQ_NEXT(item, link)) {
		struct wire *found = wire_alike(item->wire, w);

		if (found == NULL)
			continue;
		if (stanza_type_kind(item->type) == STANZA_MESSAGE)
			o->alike = STAILQ_NEXT(item, link);
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
		if (other != s && other->out != NULL)
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
	if (!item->alone || own->copy || own->one_account)
		out_item_share(item, s);
	if (saved->of && item->wire->of == NULL)
		out_item_restore_of(item, s, st);
	item->wire->taken |= saved->taken;
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
