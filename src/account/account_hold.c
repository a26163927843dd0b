/*
 * account_hold.c - accounts that are held still, and read anew.
 *
 *   account_hold ----> HELD --account_release--> goes on
 *                       |  ^
 *       account_reload  v  | read: thrown away, taken, goes on
 *                      READ --cannot be read--> leaves memory
 *
 * Invariant: while account->hold is set, no handler sees a stanza of the account
 * but those of sessions that end.
 */
#include "config.h"

#include "account/account_hold.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/entity_ring.h"
#include "core/router.h"
#include "account/account_int.h"
#include "account/requests.h"
#include "account/session.h"

/* The store is behind: it is asked again. */
#define AGAIN_US US_PER_S

struct account_hold {
	struct account *account;
	struct stanza_queue list;   /* has come */
	size_t bytes;               /* of the stanzas, bounded by inbox_bytes */
	struct account_read *read;  /* in flight */
	bool reads;                 /* READ */
	bool again;                 /* what is read will be too old */
	bool given_up;              /* what sessions send does not wait for it */
	struct timer retry;
};

/* --- held ------------------------------------------------------------------- */

void
account_hold(struct account *acc)
{
	struct account_hold *h = xcalloc(1, sizeof(*h));

	ASSERT_OWNER(&acc->e);
	assert(acc->hold == NULL);
	h->account = acc;
	STAILQ_INIT(&h->list);
	acc->hold = h;
}

bool
account_is_read(const struct account *acc)
{
	return acc->hold != NULL && acc->hold->reads;
}

bool
account_is_held(const struct entity *e)
{
	const struct account *acc = (const struct account *)(const void *)e;

	return acc->hold != NULL;
}

bool
account_hold_waits(const struct account *acc)
{
	return acc->hold != NULL && !acc->hold->given_up;
}

void
account_hold_give_up(struct account *acc)
{
	if (acc->hold != NULL)
		acc->hold->given_up = true;
}

bool
account_hold_keeps(struct account *acc, struct stanza *st)
{
	struct account_hold *h = acc->hold;
	struct shard *sh = acc->e.shard;
	size_t bytes = stanza_bytes(st);

	if (h == NULL)
		return false;
	if (!requests_is_answer(acc, st) &&
		h->bytes + bytes > sh->snap->config->limits.inbox_bytes) {
		sh->stats.refused++;
		router_bounce(sh, st, COND_RESOURCE_CONSTRAINT,
			"Too much is waiting for this account");
		return true;
	}
	h->bytes += bytes;
	gauge_add(&sh->stats.inbox_bytes, bytes);
	STAILQ_INSERT_TAIL(&h->list, st, link);
	return true;
}

static void
held_count_out(struct account_hold *h, const struct stanza *st)
{
	h->bytes -= stanza_bytes(st);
	gauge_remove(&h->account->e.shard->stats.inbox_bytes,
		stanza_bytes(st));
}

/* --- going on --------------------------------------------------------------- */

static void
hold_free(struct account_hold *h)
{
	shard_timer_cancel(h->account->e.shard, &h->retry);
	h->account->hold = NULL;
	free(h);
}

void
account_release(struct account *acc)
{
	struct stanza_queue list = STAILQ_HEAD_INITIALIZER(list);
	struct account_hold *h = acc->hold;
	struct stanza *st;

	STAILQ_FOREACH (st, &h->list, link)
		held_count_out(h, st);
	STAILQ_CONCAT(&list, &h->list);
	hold_free(h);
	account_line_unchain(acc);
	account_line_go_on(acc);
	while ((st = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, link);
		account_receive(&acc->e, st); /* it may have to wait again */
	}
	sessions_go_on(acc);
	requests_go_on(acc);
	entity_go_on(&acc->e);
}

/* bounce: who sent what waits is told. */
static void
hold_drop(struct account *acc, bool bounce)
{
	struct account_hold *h = acc->hold;
	struct stanza *st;

	while ((st = STAILQ_FIRST(&h->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&h->list, link);
		held_count_out(h, st);
		if (bounce)
			router_bounce(acc->e.shard, st,
				COND_INTERNAL_SERVER_ERROR,
				"The server cannot read its storage");
		else
			stanza_free(st);
	}
	hold_free(h);
}

void
account_hold_done(struct account *acc)
{
	if (acc->hold != NULL)
		hold_drop(acc, false);
}

/* --- reading anew ----------------------------------------------------------- */

static void reload_read(struct account_hold *h);

static void
on_retry(struct timer *t)
{
	struct account_hold *h = CONTAINER_OF(t, struct account_hold, retry);

	entity_note(&ring_due, &h->account->e, 0);
	reload_read(h);
}

static void
reload_fail(struct account *acc, const struct err *why)
{
	struct account_hold *h = acc->hold;

	if (why->code == ERR_BUSY) {
		shard_timer(acc->e.shard, &h->retry, AGAIN_US, on_retry);
		return;
	}
	if (log_limit_ok(&acc->e.shard->storage, LOG_STORE))
		log_error(LOG_STORE, LOG_NOBODY,
			"an account cannot be read anew, its sessions end account=%.*s reason=\"%s\"",
			STR_ARG(jid_str(acc->e.jid)), why->text);
	account_hold_give_up(acc);
	account_close_sessions(acc, STR_NONE, STREAM_INTERNAL_SERVER_ERROR,
		NULL);
	account_line_let_out(acc); /* what they have sent, and their goodbye */
	hold_drop(acc, true);
	entity_drop(&acc->e);
}

static void
on_reread(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct account_read *read = arg;
	struct account *acc = account_if(account_read_entity(read));
	struct account_hold *h = acc != NULL ? acc->hold : NULL;
	bool fresh = h != NULL && h->read == read && !h->again &&
		account_read_is_fresh(read);

	if (h == NULL || h->read != read) {
		account_read_free(read);
		return;
	}
	h->read = NULL;
	account_read_free(read);
	if (err != NULL) {
		reload_fail(acc, err);
	} else if (!fresh) {
		reload_read(h);
	} else {
		account_forget(acc);
		account_take(acc, answer);
		account_release(acc);
	}
}

static void
reload_read(struct account_hold *h)
{
	h->again = false;
	h->read = account_read(h->account, on_reread);
}

void
account_reload(struct account *acc)
{
	struct account_hold *h = acc->hold;

	ASSERT_OWNER(&acc->e);
	/* of those nothing is stored; what is removed is read anew if that
	 * fails, and gone otherwise */
	if (acc->anonymous || (acc->removing && h != NULL))
		return;
	if (h != NULL && h->reads) {
		h->again = true;
		return;
	}
	if (h == NULL) {
		account_hold(acc);
		h = acc->hold;
	}
	h->reads = true;
	reload_read(h);
}

void
account_hold_changed(struct account *acc)
{
	if (acc->hold != NULL)
		acc->hold->again = true;
}
