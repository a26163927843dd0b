/*
 * module_slots.c - what modules keep with shards, accounts and sessions: a short
 * list of states, each made when its module first asks for it.
 *
 * Owner shard of the object.  Few modules keep anything with one object, so a
 * list costs less memory than a place for each module, and finds as fast.
 */
#include "config.h"

#include "module/module.h"

#include <stdalign.h>

#include "base/memuse.h"
#include "module/module_int.h"

struct module_slot {
	struct module_slot *next;
	const struct module_entry *entry;
	alignas(max_align_t) char state[];
};

static void *
slot_get(struct module_slot **list, const struct module_entry *entry,
	size_t size)
{
	struct module_slot *slot = *list;

	while (slot != NULL && slot->entry != entry)
		slot = slot->next;
	if (slot == NULL) {
		slot = xcalloc(1, sizeof(*slot) + size);
		memuse_add(MEMUSE_MODULE, slot);
		slot->entry = entry;
		slot->next = *list;
		*list = slot;
	}
	return slot->state;
}

void *
module_shard_state(struct module_ctx *m, struct shard *sh)
{
	return slot_get(&sh->slots, m->entry, m->module->shard_state);
}

void *
module_account_state(struct module_ctx *m, struct account *acc)
{
	return slot_get(&acc->slots, m->entry, m->module->account_state);
}

void *
module_session_state(struct module_ctx *m, struct session *s)
{
	return slot_get(&s->slots, m->entry, m->module->session_state);
}

/* --- freeing ------------------------------------------------------------------------- */

/* Tells the module that keeps state with owner that it ends. */
typedef void (*slot_done_fn)(void *owner, const struct module *module,
	void *state);

/* The state of one module, or of all (NULL). */
static void
slots_free(struct module_slot **list, const struct module_entry *entry,
	slot_done_fn done, void *owner)
{
	while (*list != NULL) {
		struct module_slot *slot = *list;

		if (entry != NULL && slot->entry != entry) {
			list = &slot->next;
			continue;
		}
		*list = slot->next;
		done(owner, slot->entry->module, slot->state);
		memuse_remove(MEMUSE_MODULE, slot);
		free(slot);
	}
}

static void
shard_state_done(void *owner, const struct module *module, void *state)
{
	if (module->shard_done != NULL)
		module->shard_done(owner, state);
}

static void
account_state_done(void *owner, const struct module *module, void *state)
{
	if (module->account_done != NULL)
		module->account_done(owner, state);
}

static void
session_state_done(void *owner, const struct module *module, void *state)
{
	if (module->session_done != NULL)
		module->session_done(owner, state);
}

void
module_shard_slots_free(struct shard *sh)
{
	slots_free(&sh->slots, NULL, shard_state_done, sh);
}

void
module_account_slots_free(struct account *acc)
{
	slots_free(&acc->slots, NULL, account_state_done, acc);
}

void
module_session_slots_free(struct session *s)
{
	slots_free(&s->slots, NULL, session_state_done, s);
}

void
module_slots_leave(struct account *acc, const struct host *before,
	const struct host *now)
{
	for (size_t i = 0; before != NULL && i < before->n_modules; i++) {
		const struct module_entry *entry = before->modules[i].entry;

		if (now != NULL && module_at_host(now, entry) != NULL)
			continue;
		for (struct session *s = acc->sessions; s != NULL; s = s->next)
			slots_free(&s->slots, entry, session_state_done, s);
		slots_free(&acc->slots, entry, account_state_done, acc);
	}
}

void
module_slots_drop(struct shard *sh, const struct module_entry *entry)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		struct account *acc;

		if (e->class != &account_class)
			continue;
		acc = account_of(e);
		for (struct session *s = acc->sessions; s != NULL; s = s->next)
			slots_free(&s->slots, entry, session_state_done, s);
		slots_free(&acc->slots, entry, account_state_done, acc);
	}
	slots_free(&sh->slots, entry, shard_state_done, sh);
}
