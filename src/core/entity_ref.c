/*
 * entity_ref.c - entities that may be gone when an answer comes: references to
 * them, and what a class has read of the store before they are loaded.
 *
 * Owner shard.  Invariant: all references to an entity that have not ended are
 * in the table of its shard, under its hash; so they cost nothing where there
 * are none.
 */
#include "config.h"

#include <assert.h>

#include "base/mem.h"
#include "core/entity.h"

void
entity_ref(struct entity_ref *ref, struct entity *e)
{
	ASSERT_OWNER(e);
	*ref = (struct entity_ref){ e->shard, e, e->hash };
	table_add(&e->shard->refs, e->hash, ref);
}

struct entity *
entity_ref_end(struct entity_ref *ref)
{
	ASSERT_ON(ref->shard);
	table_remove(&ref->shard->refs, ref->hash, ref);
	return ref->e;
}

void
entity_refs_leave(struct entity *e)
{
	const struct table *refs = &e->shard->refs;
	size_t at = table_start(refs, e->hash);
	struct entity_ref *ref;

	while ((ref = table_next(refs, e->hash, &at)) != NULL) {
		if (ref->e == e)
			ref->e = NULL;
	}
}

/* --- loading ---------------------------------------------------------------- */

struct store_place
entity_place(const struct entity *e, const char *name)
{
	return (struct store_place){
		.host = jid_domain(e->jid),
		.owner = jid_local(e->jid),
		.name = str_c(name),
	};
}

/* Who has left meanwhile may have been of a class whose code is gone. */
static void
on_maps_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct entity_ref *ref = arg;
	struct entity *e = entity_ref_end(ref);

	free(ref);
	if (e == NULL)
		return;
	if (err != NULL) {
		entity_failed(e, err);
	} else {
		e->class->take(e, answer);
		entity_loaded(e);
	}
}

void
entity_load_maps(struct entity *e)
{
	struct store *store = e->shard->server->store;
	struct entity_ref *ref = xmalloc(sizeof(*ref));
	struct str names[ENTITY_MAPS_MAX];
	size_t n = 0;

	for (; e->class->maps[n] != NULL; n++) {
		assert(n < ENTITY_MAPS_MAX);
		names[n] = str_c(e->class->maps[n]);
	}
	entity_ref(ref, e);
	store_list_many(store, jid_domain(e->jid), jid_local(e->jid), names, n,
		&e->shard->mailbox, on_maps_read, ref);
}
