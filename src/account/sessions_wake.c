/*
 * sessions_wake.c - sessions that were saved when the server stopped are restored.
 *
 * Owner shard.
 */
#include "config.h"

#include "account/sessions_wake.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "store/store.h"
#include "core/shard.h"
#include "core/stored.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_save.h"

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
account_woken(struct entity *e, const struct store_answer *saved)
{
	struct account *acc = account_of(e);

	for (size_t i = 0; i < saved->n; i++)
		restore_entry(acc, &saved->entries[i]);
	sessions_order(acc);
	account_watch_remotes(acc);
}
