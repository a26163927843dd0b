/*
 * iq.c - finds who answers a request, and gives the answer.
 *
 * Invariant: each get or set is answered exactly once.
 */
#include "config.h"

#include "core/iq.h"

#include <assert.h>

#include "base/arena.h"
#include "xml/elem.h"
#include "core/entity.h"
#include "core/handler_table.h"
#include "core/host.h"
#include "core/iq_int.h"
#include "core/receipt.h"
#include "core/router.h"
#include "core/shard.h"

static void
iq_finish(struct iq *iq, struct stanza *answer)
{
	struct stanza *st = iq->st;

	ASSERT_ON(iq->shard);
	assert(!iq->answered);
	iq->answered = true;
	if (iq->alone != NULL)
		iq_alone_end(iq);
	answer->passed_on = st->passed_on;
	if (iq->passer != NULL)
		iq_passed_end(iq);
	receipt_move(answer, st);
	router_send(iq->shard, answer);
	if (iq->handled)
		stanza_free(st); /* and iq with it */
}

void
iq_result(struct iq *iq, struct elem *payload)
{
	struct stanza *answer = stanza_result(iq->st);

	if (payload != NULL)
		elem_append(answer->root, elem_copy(answer->arena, payload));
	iq_finish(iq, answer);
}

void
iq_error(struct iq *iq, enum stanza_cond cond, const char *text)
{
	iq_finish(iq, stanza_error(iq->st, cond, str_c(text)));
}

void
iq_error_with(struct iq *iq, enum stanza_cond cond, const char *text,
	const struct elem *more)
{
	iq_error_typed(iq, cond, stanza_cond_type(cond), text, more);
}

void
iq_error_typed(struct iq *iq, enum stanza_cond cond, const char *type,
	const char *text, const struct elem *more)
{
	struct stanza *answer = stanza_error(iq->st, cond, str_c(text));
	struct elem *error = elem_child(answer->root, NULL, "error");

	elem_set_attr(answer->arena, error, "type", str_c(type));
	elem_append(error, elem_copy(answer->arena, more));
	iq_finish(iq, answer);
}

struct elem *
iq_payload(struct iq *iq, const char *ns, const char *name)
{
	return elem_new(iq->st->arena, ns, name);
}

void
iq_keep(struct iq *iq)
{
	iq->kept = true;
	iq->host = NULL;
	iq->entity = NULL;
}

struct entity *
iq_entity(const struct iq *iq)
{
	struct entity *e = iq->entity;

	if (e == NULL)
		e = entity_find(iq->shard, jid_bare_str(iq->st->to));
	return e != NULL && e->class == iq->class && e->state == ENTITY_LOADED ?
		e :
		NULL;
}

/* --- finding ------------------------------------------------------------------ */

static bool
iq_cannot_store(
	const struct iq_handler *h, const struct iq *iq, unsigned where)
{
	return (h->where & STORES) != 0 &&
		(where & KEEPS_NOTHING) == 0 && shard_refuses_writes(iq->shard);
}

/* Is iq taken, answered or not? */
static bool
iq_call(const struct handler_entry *entry, struct iq *iq, unsigned where)
{
	const struct iq_handler *h = entry->row;

	if (iq_cannot_store(h, iq, where)) {
		iq_error(iq, COND_RESOURCE_CONSTRAINT, SHARD_REFUSES_TEXT);
		return true;
	}
	if ((h->where & ONE_BY_ONE) != 0 && !iq->entity->class->everywhere) {
		if (iq_alone_is_full(iq)) {
			iq->shard->stats.refused++;
			iq_error(iq, COND_RESOURCE_CONSTRAINT,
				"Too much is waiting for this address");
			return true;
		}
		if (!iq_alone_begin(iq)) {
			iq->kept = true;
			return true;
		}
	}
	if (h->fn(entry->ctx, iq) == HOOK_HANDLED) {
		assert(iq->answered || iq->kept);
		return true;
	}
	if (iq->alone != NULL)
		iq_alone_end(iq);
	return false;
}

static unsigned
iq_where(const struct iq *iq)
{
	const struct entity *e = iq->entity;

	if (e->class->iq_where != NULL)
		return e->class->iq_where(e, iq->st);
	if (iq->host->service == NULL)
		return AT_HOST;
	return jid_local(e->jid).n == 0 ? AT_SERVICE : AT_SERVICE_ADDRESS;
}

static bool
iq_try(struct iq *iq)
{
	const struct handler_entry *entry = NULL;
	unsigned where = iq_where(iq);

	if (iq->payload != NULL)
		entry = handler_table_find(iq->host->iqs, iq->payload);
	for (; entry != NULL; entry = entry->next) {
		const struct iq_handler *h = entry->row;

		if (h->type == iq->st->type && (h->where & where) != 0 &&
			iq_call(entry, iq, where))
			return true;
	}
	return false;
}

static bool
iq_is_taken(struct iq *iq)
{
	return iq->host->hooks[HOOK_IQ_RECEIVED].n != 0 &&
		hook_run(iq->host, HOOK_IQ_RECEIVED, iq) == HOOK_HANDLED;
}

void
iq_again(struct iq *iq)
{
	struct entity *e = iq_entity(iq);

	assert(iq->kept && iq->alone == NULL);
	iq->entity = e;
	iq->host = shard_host(iq->shard, jid_domain(iq->st->to));
	iq->kept = false;
	iq->handled = false;
	if (e == NULL || iq->host == NULL || !iq_try(iq))
		iq_error(iq, COND_SERVICE_UNAVAILABLE, NULL);
	iq->handled = true;
	if (iq->answered)
		stanza_free(iq->st);
}

void
iq_dispatch(struct entity *e, struct stanza *st)
{
	struct host *host = shard_host(e->shard, jid_domain(e->jid));
	struct iq *iq = arena_zalloc(st->arena, sizeof(*iq));

	*iq = (struct iq){
		.shard = e->shard,
		.host = host,
		.entity = e,
		.class = e->class,
		.st = st,
		.payload = stanza_payload(st),
	};
	/* a reload may have taken the host away while st was waiting */
	if (host == NULL || !(iq_is_taken(iq) || iq_try(iq))) {
		router_bounce(e->shard, st, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	iq->handled = true;
	if (iq->answered)
		stanza_free(st);
}
