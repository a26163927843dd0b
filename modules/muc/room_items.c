/*
 * room_items.c - who is in a room, for whoever asks and is in it himself (XEP-0045 §6.5),
 * in pages (XEP-0059).
 *
 * Owner shard of the room.  Others learn nothing (§14.4), nor does anybody of those whose
 * presence is not broadcast; so it is what the client knows by presence, in the order in
 * which they came.
 */
#include "config.h"

#include "room.h"

#define ITEMS_MAX 1000 /* of one answer */

/* Which part of the list goes out: from that place on, and how many of them. */
struct part {
	size_t from, n;
	size_t all;
	bool known; /* what it is to be behind or before is in it */
};

/* In the places of those who are shown, of whom there are *n_out; false: nick is none of
 * them. */
static bool
place_find(const struct room *r, struct str nick, size_t *place_out, size_t *n_out)
{
	const struct occupant *o;
	bool found = false;

	*n_out = 0;
	TAILQ_FOREACH (o, &r->people.occupants, link) {
		if (!o->is_shown)
			continue;
		if (nick.p != NULL && str_eq(occupant_nick(o), nick)) {
			*place_out = *n_out;
			found = true;
		}
		++*n_out;
	}
	return found;
}

static struct part
part_of(const struct room *r, const struct rsm *rsm)
{
	struct part part = { .known = true };
	size_t end, max = rsm->has_max && rsm->max < ITEMS_MAX ? rsm->max : ITEMS_MAX;

	place_find(r, STR_NONE, &end, &part.all);
	end = part.all;
	if (rsm->before.p != NULL)
		part.known = place_find(r, rsm->before, &end, &part.all);
	if (rsm->after.p != NULL && part.known) {
		part.known = place_find(r, rsm->after, &part.from, &part.all);
		part.from++;
	}
	part.n = end > part.from ? end - part.from : 0;
	if (part.n > max && rsm->backwards)
		part.from = end - max;
	part.n = MIN(part.n, max);
	return part;
}

static void
add_items(const struct room *r, struct disco_query *q, const struct part *part,
	struct rsm_page *page)
{
	const struct occupant *o;
	size_t at = 0;

	TAILQ_FOREACH (o, &r->people.occupants, link) {
		struct str nick = occupant_nick(o);

		if (!o->is_shown || at++ < part->from || at > part->from + part->n)
			continue;
		elem_set_attr(q->arena, elem_add(q->arena, q->query,
					       NS_DISCO_ITEMS, "item"),
			"jid", jid_str(room_occupant_jid(r, q->arena, nick)));
		if (page->first.p == NULL)
			page->first = nick;
		page->last = nick;
	}
}

static void
answer(const struct room *r, struct disco_query *q)
{
	const char *why = NULL;
	struct rsm rsm;
	struct rsm_page page = { .count = -1 };
	enum stanza_cond cond = rsm_read(q->arena, q->iq->payload, &rsm, &why);
	struct part part;

	if (cond != COND_NONE) {
		iq_error(q->iq, cond, why);
		return;
	}
	part = part_of(r, &rsm);
	if (!part.known) { /* XEP-0059 §2.2 */
		iq_error(q->iq, COND_ITEM_NOT_FOUND, NULL);
		return;
	}
	add_items(r, q, &part, &page);
	page.count = (int64_t)part.all;
	page.by_index = part.from == 0;
	if (elem_child(q->iq->payload, NS_RSM, "set") != NULL || part.n < part.all)
		rsm_add(q->arena, q->query, &page);
	iq_result(q->iq, q->query);
}

enum hook_result
muc_on_room_items(struct module_ctx *m, void *arg)
{
	struct disco_query *q = arg;
	const struct room *r;

	(void)m;
	if (q->entity == NULL || q->entity->class != &muc_room_class ||
		q->node.p != NULL)
		return HOOK_PASS;
	r = room_of(q->entity);
	if (people_by_address(&r->people, q->from) == NULL)
		return HOOK_PASS;
	answer(r, q);
	return HOOK_HANDLED;
}
