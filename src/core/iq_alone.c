/*
 * iq_alone.c - requests of one entity that are done one by one (ONE_BY_ONE):
 * what reads, decides and writes must not be done twice at a time, be it for two
 * sessions.
 *
 *   iq_dispatch --(none is under way)--> handler --iq_finish--> the next is due
 *        `--(one is)--> waiting --(on_next)--^
 *
 * Owner shard of the entity.  How much waits is bounded by what each session may
 * have under way (requests.h); at a service, which others ask, too, as an inbox is.
 */
#include "config.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/iq_int.h"
#include "core/shard.h"

/* There is one while a request is under way, even if its entity has left memory:
 * another one at this address has nothing to do with it. */
struct iq_alone {
	struct entity *entity; /* NULL: it has left */
	struct stanza_queue waiting;
	size_t bytes; /* that wait */
	bool under_way; /* until it is answered */
	bool due; /* the one that is dispatched now may begin */
};

bool
iq_alone_is_full(const struct iq *iq)
{
	const struct iq_alone *a = iq->entity->alone;
	const struct host *host =
		shard_host(iq->shard, jid_domain(iq->entity->jid));

	/* one alone may be larger */
	return a != NULL && !a->due && a->bytes != 0 && host != NULL &&
		host->service != NULL &&
		a->bytes + stanza_bytes(iq->st) >
			iq->shard->snap->config->limits.inbox_bytes;
}

bool
iq_alone_begin(struct iq *iq)
{
	struct iq_alone *a = iq->entity->alone;

	if (a != NULL && !a->due) {
		STAILQ_INSERT_TAIL(&a->waiting, iq->st, link);
		a->bytes += stanza_bytes(iq->st);
		return false;
	}
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		STAILQ_INIT(&a->waiting);
		a->entity = iq->entity;
		iq->entity->alone = a;
	}
	a->due = false;
	a->under_way = true;
	iq->alone = a;
	return true;
}

static struct stanza *
alone_next(struct iq_alone *a)
{
	struct stanza *st = STAILQ_FIRST(&a->waiting);

	if (st != NULL) {
		STAILQ_REMOVE_HEAD(&a->waiting, link);
		a->bytes -= stanza_bytes(st);
	}
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
	struct iq_alone *a = iq->alone;

	iq->alone = NULL;
	a->under_way = false;
	if (a->entity != NULL)
		entity_when_loaded(a->entity, on_next, NULL);
	else
		free(a);
}

void
iq_alone_done(struct entity *e)
{
	struct iq_alone *a = e->alone;
	struct stanza *st;

	if (a == NULL)
		return;
	while ((st = alone_next(a)) != NULL)
		stanza_free(st);
	e->alone = NULL;
	a->entity = NULL;
	if (!a->under_way)
		free(a);
}

void
iq_alone_again(struct entity *e)
{
	struct stanza_queue *local = &e->shard->local;

	if (e->alone == NULL)
		return;
	/* before those that have come since */
	STAILQ_CONCAT(&e->alone->waiting, local);
	STAILQ_CONCAT(local, &e->alone->waiting);
	e->alone->bytes = 0;
}
