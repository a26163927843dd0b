/*
 * iq_alone.c - requests of one account that are done one by one (ONE_BY_ONE):
 * what reads, decides and writes must not be done twice at a time, be it for two
 * sessions.
 *
 *   iq_dispatch --(none is under way)--> handler --iq_finish--> the next is due
 *        `--(one is)--> waiting --(on_next)--^
 *
 * Owner shard of the account.  How much waits is bounded by what its sessions
 * may have under way (requests.h).
 */
#include "config.h"

#include "base/mem.h"
#include "core/iq_int.h"
#include "account/account_int.h"

/* There is one while a request is under way. */
struct iq_alone {
	struct stanza_queue waiting;
	bool due; /* the one that is dispatched now may begin */
};

bool
iq_alone_begin(struct iq *iq)
{
	struct iq_alone *a = iq->account->alone;

	if (a != NULL && !a->due) {
		STAILQ_INSERT_TAIL(&a->waiting, iq->st, link);
		return false;
	}
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		STAILQ_INIT(&a->waiting);
		iq->account->alone = a;
	}
	a->due = false;
	iq->alone = true;
	return true;
}

static void
alone_end(struct account *acc)
{
	free(acc->alone);
	acc->alone = NULL;
	entity_check_idle(&acc->e);
}

/* Those that nobody answers any more, because a reload took the module away, are
 * refused one after the other. */
static void
on_next(struct entity *e, void *arg)
{
	struct account *acc = e != NULL ? account_of(e) : NULL;
	struct stanza *st;

	(void)arg;
	if (acc == NULL || acc->alone == NULL)
		return;
	acc->alone->due = true;
	while (acc->alone->due &&
		(st = STAILQ_FIRST(&acc->alone->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&acc->alone->waiting, link);
		account_deliver_now(acc, st);
	}
	if (acc->alone->due)
		alone_end(acc);
}

void
iq_alone_end(struct iq *iq)
{
	struct account *acc = iq_account(iq);

	iq->alone = false;
	if (acc != NULL && acc->alone != NULL)
		entity_when_loaded(&acc->e, on_next, NULL);
}

void
iq_alone_done(struct account *acc)
{
	struct stanza *st;

	while (acc->alone != NULL &&
		(st = STAILQ_FIRST(&acc->alone->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&acc->alone->waiting, link);
		stanza_free(st);
	}
	free(acc->alone);
	acc->alone = NULL;
}
