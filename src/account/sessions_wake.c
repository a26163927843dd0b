/*
 * sessions_wake.c - sessions that were saved when the server stopped, read, taken
 * out of the store, and restored.
 *
 * Owner shard.
 */
#include "config.h"

#include "account/sessions_wake.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "core/stored.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_save.h"

/* An answer of the store that is waited for. */
struct wake {
	uint32_t tag;
	struct entity_ref who;
};

static struct sleeper *
sleeper_of(const struct entity *e)
{
	return sleepers_find(e->shard, jid_str(e->jid), e->hash);
}

static struct wake *
wake_new(struct account *acc)
{
	struct wake *w = xmalloc(sizeof(*w));

	TAG_SET(w, "wake");
	entity_ref(&w->who, &acc->e);
	return w;
}

/* NULL: it has left memory. */
static struct entity *
wake_end(struct wake *w)
{
	struct entity *e;

	TAG_CHECK(w, "wake");
	e = entity_ref_end(&w->who);
	TAG_CLEAR(w);
	free(w);
	return e;
}

/* Nobody else can be told why there is no logging in. */
static void
wake_failed(struct entity *e, const struct err *why)
{
	struct err err = *why;

	err_prefix(&err, "its sessions of the last stop cannot be taken out of "
		"the store, until which nobody can use it; it is tried again");
	entity_failed(e, &err);
}

/* --- out of the store ------------------------------------------------------- */

/* Once more, if it could not be found out whether it was done: nobody else writes
 * there meanwhile.  It may be no sleeper any more, when a reload has removed its
 * host. */
static void
on_cleared(void *arg, bool ok, const struct err *err)
{
	struct entity *e = wake_end(arg);
	struct sleeper *s = e != NULL ? sleeper_of(e) : NULL;

	if (e == NULL)
		return;
	if (!ok) {
		wake_failed(e, err);
		return;
	}
	if (s != NULL)
		s->taken = true;
	e->class->load(e);
}

static void
wake_clear(struct account *acc)
{
	struct store_tx *tx = store_tx_new();

	store_tx_clear(tx, account_place(acc, MAP_SESSIONS));
	store_tx_insist(tx);
	shard_commit(acc->e.shard, tx, on_cleared, wake_new(acc));
}

static void
sleeper_take(struct sleeper *s, const struct store_answer *answer)
{
	s->arena = arena_new();
	s->n = answer->n;
	s->entries = arena_alloc(s->arena, MAX(s->n, 1) * sizeof(s->entries[0]));
	for (size_t i = 0; i < s->n; i++) {
		s->entries[i] = (struct store_entry){
			.key = arena_str(s->arena, answer->entries[i].key),
			.value = arena_str(s->arena, answer->entries[i].value),
		};
	}
}

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct entity *e = wake_end(arg);
	struct sleeper *s = e != NULL ? sleeper_of(e) : NULL;

	if (e == NULL)
		return;
	if (err != NULL) {
		wake_failed(e, err);
	} else if (s == NULL) {
		e->class->load(e);
	} else {
		sleeper_take(s, answer);
		wake_clear(account_of(e));
	}
}

bool
account_wake(struct account *acc)
{
	const struct sleeper *s = sleeper_of(&acc->e);

	if (s == NULL || s->taken)
		return false;
	if (s->arena != NULL)
		wake_clear(acc);
	else
		store_list(acc->e.shard->server->store,
			account_place(acc, MAP_SESSIONS), &acc->e.shard->mailbox,
			on_read, wake_new(acc));
	return true;
}

/* --- restored --------------------------------------------------------------- */

static void
restore_entry(struct account *acc, const struct store_entry *entry)
{
	struct str stop = str_c(acc->e.shard->server->stop_mark);
	struct arena *a = arena_new();
	struct elem *e = stored_read(a, entry->value);

	if (session_restore(acc, e, stop) == NULL)
		session_restore_rest(acc, entry->key, e);
	arena_free(a);
}

/* In the order in which they were bound, as they stood before. */
static void
sessions_order(struct account *acc)
{
	struct session *list = acc->sessions, *s, **at;

	acc->sessions = NULL;
	while ((s = list) != NULL) {
		list = s->next;
		at = &acc->sessions;
		while (*at != NULL && (*at)->bound_us <= s->bound_us)
			at = &(*at)->next;
		s->next = *at;
		*at = s;
	}
}

void
account_woken(struct account *acc)
{
	struct sleeper *s = sleeper_of(&acc->e);

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		restore_entry(acc, &s->entries[i]);
	sessions_order(acc);
	account_watch_remotes(acc);
	sleeper_done(acc->e.shard, s);
}
