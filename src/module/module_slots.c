/*
 * module_slots.c - what modules keep with shards, entities and sessions: the kinds
 * of slots of each, and when a module leaves.
 *
 * Owner shard of the object.
 */
#include "config.h"

#include "module/module.h"
#include "module/module_int.h"

struct module_ctx *
module_of_entity(const struct entity *e)
{
	const struct host *host = shard_host(e->shard, jid_domain(e->jid));

	return host != NULL && host->service != NULL ? &host->modules[0] : NULL;
}

void *
module_entry_state(struct module_entry *entry, struct shard *sh)
{
	return slot_get(&sh->slots, &entry->shard_slot);
}

void *
module_shard_state(struct module_ctx *m, struct shard *sh)
{
	return module_entry_state(m->entry, sh);
}

void *
module_entity_state(struct module_ctx *m, struct entity *e)
{
	return slot_get(&e->slots, &m->entry->entity_slot);
}

void *
module_session_state(struct module_ctx *m, struct session *s)
{
	return slot_get(&s->slots, &m->entry->session_slot);
}

void *
module_session_state_if_made(struct module_ctx *m, const struct session *s)
{
	return slot_find(s->slots, &m->entry->session_slot);
}

void
module_follow(struct shard *sh)
{
	for (struct host *h = sh->snap->hosts; h != NULL; h = h->hh.next) {
		for (size_t i = 0; h->service == NULL && i < h->n_modules; i++) {
			struct module_ctx *m = &h->modules[i];

			if (m->module->follow != NULL)
				m->module->follow(m, sh);
		}
	}
}

/* --- the kinds ----------------------------------------------------------------------- */

static void
shard_slot_done(const struct slot_kind *kind, void *object, void *state)
{
	const struct module *m =
		CONTAINER_OF(kind, struct module_entry, shard_slot)->module;

	if (m->shard_done != NULL)
		m->shard_done(object, state);
}

static void
entity_slot_done(const struct slot_kind *kind, void *object, void *state)
{
	const struct module *m =
		CONTAINER_OF(kind, struct module_entry, entity_slot)->module;

	if (m->entity_done != NULL)
		m->entity_done(object, state);
}

static void
session_slot_done(const struct slot_kind *kind, void *object, void *state)
{
	const struct module *m =
		CONTAINER_OF(kind, struct module_entry, session_slot)->module;

	if (m->session_done != NULL)
		m->session_done(object, state);
}

static void
session_slot_save(const struct slot_kind *kind, void *object, const void *state,
	struct arena *a, struct elem *into)
{
	const struct module *m =
		CONTAINER_OF(kind, struct module_entry, session_slot)->module;

	m->session_save(object, state, a, into);
}

static bool
session_slot_restore(const struct slot_kind *kind, void *object, void *state,
	const struct elem *from)
{
	const struct module *m =
		CONTAINER_OF(kind, struct module_entry, session_slot)->module;

	return m->session_restore(object, state, from);
}

void
module_slots_init(struct module_entry *entry)
{
	const struct module *m = entry->module;

	entry->shard_slot = (struct slot_kind){
		.size = m->shard_state,
		.done = shard_slot_done,
	};
	entry->entity_slot = (struct slot_kind){
		.size = m->entity_state,
		.done = entity_slot_done,
	};
	entry->session_slot = (struct slot_kind){
		.size = m->session_state,
		.done = session_slot_done,
		.name = m->name,
		.save = m->session_save != NULL ? session_slot_save : NULL,
		.restore = m->session_save != NULL ? session_slot_restore : NULL,
	};
}

/* --- freeing ------------------------------------------------------------------------- */

void
module_slots_drop(struct shard *sh, const struct module_entry *entry)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL)
		entity_forget_module(e, entry);
	slot_drop(&sh->slots, &entry->shard_slot, sh);
}
