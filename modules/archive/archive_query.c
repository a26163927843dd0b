/*
 * archive_query.c - what the owner of an archive may ask it (XEP-0313 §4).
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "archive.h"

/* Where the client does not say how many. */
#define PAGE_DEFAULT 50

enum hook_result
archive_on_others(struct module_ctx *m, struct iq *iq)
{
	(void)m;

	iq_error(iq, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}

static void
feature_add(const struct disco_query *q, const char *name)
{
	struct elem *e = elem_add(q->arena, q->query, NS_DISCO_INFO, "feature");

	elem_set_attr(q->arena, e, "var", str_c(name));
}

enum hook_result
archive_on_disco(struct module_ctx *m, void *arg)
{
	const struct archive_conf *conf = m->conf;
	const struct disco_query *q = arg;

	if (q->account == NULL || q->node.p != NULL)
		return HOOK_PASS;
	if (conf->search)
		feature_add(q, NS_FULLTEXT);
	if (conf->inbox)
		feature_add(q, NS_INBOX);
	if (conf->client_trim)
		feature_add(q, NS_MAM_TRIM);
	return HOOK_PASS;
}

enum hook_result
archive_on_form(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;
	struct elem *query = iq_payload(iq, NS_MAM, "query");

	archive_form_add(iq->st->arena, query, conf->search);
	iq_result(iq, query);
	return HOOK_HANDLED;
}

/* XEP-0313 §6.1.1: who reads the archive before he says that he is there reads in it
 * what was kept for him, and is not given that once more.  Not who asks for one
 * conversation, for words, or for what he has heard of. */
static void
note_read(struct module_ctx *m, struct session *s, const struct archive_query *q,
	uint32_t max)
{
	const struct archive_state *state =
		module_entity_state(m, &s->account->e);
	struct archive_session *as;

	if (s->presence_us != 0 || max == 0 || jid_is_set(q->with) ||
		q->words.p != NULL || q->by_ids)
		return;
	as = module_session_state(m, s);
	as->read = state->last;
}

enum hook_result
archive_on_query(struct module_ctx *m, struct iq *iq)
{
	const struct archive_conf *conf = m->conf;
	struct arena *a = iq->st->arena;
	struct archive_query *q = arena_zalloc(a, sizeof(*q));
	struct session *s = iq_sender(iq);
	uint32_t max = (uint32_t)conf->page_max;
	const char *text = NULL;
	enum stanza_cond cond =
		archive_query_read(a, iq->payload, conf->search, q, &text);

	if (cond != COND_NONE) {
		iq_error(iq, cond, text);
		return HOOK_HANDLED;
	}
	/* a component that asks as the owner (XEP-0356) takes no pages */
	if (s == NULL) {
		iq_error(iq, COND_NOT_ALLOWED,
			"Only a session of the owner is shown what is archived");
		return HOOK_HANDLED;
	}
	max = MIN(max, q->rsm.has_max ? q->rsm.max : PAGE_DEFAULT);
	note_read(m, s, q, max);
	archive_pages_begin(m, s, iq, q, max);
	return HOOK_HANDLED;
}
