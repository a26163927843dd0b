/*
 * module_slots.c - what modules keep with shards, accounts and sessions: one slot
 * for each module in an array that an object gets when the first is asked for.
 *
 * Owner shard of the object.
 */
#include "config.h"

#include "core/module.h"
#include "core/module_int.h"

static void *
slot_get(void ***slots, unsigned slot, size_t size)
{
	if (*slots == NULL)
		*slots = xcalloc(MODULES_MAX, sizeof(**slots));
	if ((*slots)[slot] == NULL)
		(*slots)[slot] = xcalloc(1, size);
	return (*slots)[slot];
}

void *
module_shard_state(struct module_ctx *m, struct shard *sh)
{
	return slot_get(&sh->slots, m->entry->slot, m->module->shard_state);
}

void *
module_account_state(struct module_ctx *m, struct account *acc)
{
	return slot_get(&acc->slots, m->entry->slot, m->module->account_state);
}

void *
module_session_state(struct module_ctx *m, struct session *s)
{
	return slot_get(&s->slots, m->entry->slot, m->module->session_state);
}

/* --- freeing ------------------------------------------------------------------------- */

static void
shard_slot_free(struct shard *sh, const struct module_entry *e)
{
	void *state = sh->slots != NULL ? sh->slots[e->slot] : NULL;

	if (state == NULL)
		return;
	if (e->module->shard_done != NULL)
		e->module->shard_done(sh, state);
	free(state);
	sh->slots[e->slot] = NULL;
}

static void
account_slot_free(struct account *acc, const struct module_entry *e)
{
	void *state = acc->slots != NULL ? acc->slots[e->slot] : NULL;

	if (state == NULL)
		return;
	if (e->module->account_done != NULL)
		e->module->account_done(acc, state);
	free(state);
	acc->slots[e->slot] = NULL;
}

static void
session_slot_free(struct session *s, const struct module_entry *e)
{
	void *state = s->slots != NULL ? s->slots[e->slot] : NULL;

	if (state == NULL)
		return;
	if (e->module->session_done != NULL)
		e->module->session_done(s, state);
	free(state);
	s->slots[e->slot] = NULL;
}

static const struct module_entry *
entry_at(const struct shard *sh, unsigned slot)
{
	return &sh->server->modules->entries[slot];
}

void
module_shard_slots_free(struct shard *sh)
{
	for (unsigned i = 0; sh->slots != NULL && i < MODULES_MAX; i++)
		shard_slot_free(sh, entry_at(sh, i));
	free(sh->slots);
	sh->slots = NULL;
}

void
module_account_slots_free(struct account *acc)
{
	for (unsigned i = 0; acc->slots != NULL && i < MODULES_MAX; i++)
		account_slot_free(acc, entry_at(acc->e.shard, i));
	free(acc->slots);
	acc->slots = NULL;
}

void
module_session_slots_free(struct session *s)
{
	for (unsigned i = 0; s->slots != NULL && i < MODULES_MAX; i++)
		session_slot_free(s, entry_at(session_shard(s), i));
	free(s->slots);
	s->slots = NULL;
}

void
module_slots_drop(struct shard *sh, const struct module_entry *entry)
{
	struct entity *e, *next;

	HASH_ITER (hh, sh->entities, e, next) {
		if (e->class != &account_class)
			continue;
		for (struct session *s = account_of(e)->sessions; s != NULL;
			s = s->next)
			session_slot_free(s, entry);
		account_slot_free(account_of(e), entry);
	}
	shard_slot_free(sh, entry);
}
