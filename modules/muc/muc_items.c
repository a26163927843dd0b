/*
 * muc_items.c - the list of rooms as the items of the service (XEP-0045 §6.3).
 *
 * Shard of the asker.
 */
#include "config.h"

#include "muc.h"
#include "muc_list.h"

static void
items_answer(struct iq *iq, const struct muc_ask *ask, const struct muc_rows *rows,
	const struct rsm_page *page, bool is_complete)
{
	struct arena *a = iq->st->arena;
	struct elem *query = iq_payload(iq, NS_DISCO_ITEMS, "query");

	for (size_t i = 0; i < rows->n; i++) {
		struct elem *item = elem_add(a, query, NS_DISCO_ITEMS, "item");

		elem_set_attr(a, item, "jid", rows->p[i].jid);
		elem_set_attr(a, item, "name", rows->p[i].name);
	}
	/* who does not ask for a page is told that it is one, if there are more */
	if (ask->arg != NULL || !is_complete)
		rsm_add(a, query, page);
	iq_result(iq, query);
}

enum hook_result
muc_on_disco_items(struct module_ctx *m, void *arg)
{
	struct disco_query *q = arg;
	struct muc_ask ask = { .max = MUC_PAGE_MAX, .answer = items_answer };
	const char *why = NULL;
	enum stanza_cond cond;

	if (q->account != NULL || q->node.p != NULL || q->host->service == NULL ||
		q->host->address_class != &muc_room_class ||
		(q->entity != NULL && jid_local(q->entity->jid).n != 0))
		return HOOK_PASS;
	cond = rsm_read_counted(q->arena, q->iq->payload, &ask.rsm, &why);
	if (cond != COND_NONE) {
		iq_error(q->iq, cond, why);
		return HOOK_HANDLED;
	}
	if (ask.rsm.has_max)
		ask.max = ask.rsm.max;
	ask.arg = elem_child(q->iq->payload, NS_RSM, "set");
	(void)muc_list_ask(m, q->iq, &ask); /* of all rooms */
	return HOOK_HANDLED;
}
