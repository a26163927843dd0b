/*
 * entity_wake.c - what was saved of an entity when the server stopped: read, taken
 * out of the store, and given back to it.
 *
 * Owner shard.
 */
#include "config.h"

#include "core/entity_save.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/tag.h"
#include "xml/elem.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/sleepers.h"
#include "core/stored.h"

/* An answer of the store that is waited for. */
struct wake {
	uint32_t tag;
	struct entity_ref who;
};

/* NULL: nothing that this file wakes. */
static struct sleeper *
sleeper_of(const struct entity *e)
{
	struct sleeper *s =
		sleepers_find(e->shard, jid_str(e->jid), e->hash);

	return s != NULL && s->class == e->class && s->map.n != 0 ? s : NULL;
}

static struct wake *
wake_new(struct entity *e)
{
	struct wake *w = xmalloc(sizeof(*w));

	TAG_SET(w, "wake");
	entity_ref(&w->who, e);
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

	err_prefix(&err, "its %s of the last stop cannot be taken out of the "
		"store, until which nobody can use it; it is tried again",
		e->class->asleep);
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
	entity_load_awake(e);
}

static void
wake_clear(struct entity *e)
{
	struct store_tx *tx = store_tx_new();

	store_tx_clear(tx, entity_place(e, e->class->asleep));
	store_tx_insist(tx);
	shard_commit(e->shard, tx, on_cleared, wake_new(e));
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
		entity_load_awake(e);
	} else {
		sleeper_take(s, answer);
		wake_clear(e);
	}
}

bool
entity_wake(struct entity *e)
{
	const struct sleeper *s = sleeper_of(e);

	if (s == NULL || s->taken)
		return false;
	if (s->arena != NULL)
		wake_clear(e);
	else
		store_list(e->shard->server->store,
			entity_place(e, e->class->asleep), &e->shard->mailbox,
			on_read, wake_new(e));
	return true;
}

/* --- given back ------------------------------------------------------------- */

struct elem *
entity_saved_elem(const struct entity *e, struct arena *a,
	const struct store_entry *entry)
{
	struct elem *saved = stored_read(a, entry->value);

	return saved != NULL &&
			str_is(elem_attr(saved, "stop"),
				e->shard->server->stop_mark) ?
		saved :
		NULL;
}

void
entity_woken(struct entity *e)
{
	struct sleeper *s = sleeper_of(e);
	struct store_answer saved = { .complete = true };

	if (s == NULL)
		return;
	saved.entries = s->entries;
	saved.n = s->n;
	e->class->wake(e, &saved);
	sleeper_done(e->shard, s);
}
