/*
 * iq_alone.c - requests of one entity that are done one by one (ONE_BY_ONE):
 * what reads, decides and writes must not be done twice at a time, be it for two
 * sessions.
 *
 *   iq_dispatch --(none is under way)--> handler --iq_finish--> the next is due
 *        `--(one is)--> waiting --(on_next)--^
 *
 * Owner shard of the entity.  How much waits is bounded by what each session may
 * have under way (requests.h).
 */
#include "config.h"

#include "base/mem.h"
#include "core/entity.h"
#include "core/iq_int.h"
#include "core/router.h"

/* There is one while a request is under way. */
struct iq_alone {
	struct stanza_queue waiting;
	bool due; /* the one that is dispatched now may begin */
};

bool
iq_alone_begin(struct iq *iq)
{
	struct iq_alone *a = iq->entity->alone;

	if (a != NULL && !a->due) {
		STAILQ_INSERT_TAIL(&a->waiting, iq->st, link);
		return false;
	}
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		STAILQ_INIT(&a->waiting);
		iq->entity->alone = a;
	}
	a->due = false;
	iq->alone = true;
	return true;
}

static struct stanza *
alone_next(struct iq_alone *a)
{
	struct stanza *st = STAILQ_FIRST(&a->waiting);

	if (st != NULL)
		STAILQ_REMOVE_HEAD(&a->waiting, link);
	return st;
}

/* Those that nobody answers any more, because a reload took the module away, are
 * refused one after the other. */
static void
on_next(struct entity *e, void *arg)
{
	struct stanza *st;

	(void)arg;
	if (e == NULL || e->alone == NULL)
		return;
	e->alone->due = true;
	while (e->alone->due && (st = alone_next(e->alone)) != NULL)
		iq_dispatch(e, st);
	if (!e->alone->due)
		return;
	free(e->alone);
	e->alone = NULL;
	entity_check_idle(e);
}

void
iq_alone_end(struct iq *iq)
{
	struct entity *e =
		entity_find(iq->shard, jid_bare_str(iq->st->to));

	iq->alone = false;
	if (e != NULL && e->alone != NULL)
		entity_when_loaded(e, on_next, NULL);
}

void
iq_alone_done(struct entity *e)
{
	struct stanza *st;

	if (e->alone == NULL)
		return;
	while ((st = alone_next(e->alone)) != NULL)
		stanza_free(st);
	free(e->alone);
	e->alone = NULL;
}

void
iq_alone_refuse(struct entity *e)
{
	struct stanza *st;

	while (e->alone != NULL && (st = alone_next(e->alone)) != NULL)
		router_bounce(e->shard, st, COND_ITEM_NOT_FOUND,
			"This address is no longer served here");
}
