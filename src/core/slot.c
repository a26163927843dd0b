/*
 * slot.c - lists of states, of whatever kind.
 */
#include "config.h"

#include "core/slot.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"

struct slot {
	struct slot *next;
	const struct slot_kind *kind;
	alignas(max_align_t) char state[];
};

void *
slot_find(struct slot *list, const struct slot_kind *kind)
{
	while (list != NULL && list->kind != kind)
		list = list->next;
	return list != NULL ? list->state : NULL;
}

void *
slot_get(struct slot **list, const struct slot_kind *kind)
{
	void *state = slot_find(*list, kind);
	struct slot *slot;

	if (state != NULL)
		return state;
	slot = xcalloc(1, sizeof(*slot) + kind->size);
	memuse_add(MEMUSE_MODULE, slot);
	slot->kind = kind;
	slot->next = *list;
	*list = slot;
	return slot->state;
}

static void
slot_free(struct slot *slot, void *object)
{
	slot->kind->done(slot->kind, object, slot->state);
	memuse_remove(MEMUSE_MODULE, slot);
	free(slot);
}

void
slot_drop(struct slot **list, const struct slot_kind *kind, void *object)
{
	struct slot *slot;

	while (*list != NULL && (*list)->kind != kind)
		list = &(*list)->next;
	slot = *list;
	if (slot == NULL)
		return;
	*list = slot->next;
	slot_free(slot, object);
}

void
slot_save_all(struct slot *list, void *object, struct arena *a,
	struct elem *parent, const char *ns, const char *name)
{
	for (; list != NULL; list = list->next) {
		const struct slot_kind *kind = list->kind;
		struct elem *e;

		if (kind->save == NULL)
			continue;
		e = elem_new(a, ns, name);
		elem_set_attr(a, e, "of", str_c(kind->name));
		kind->save(kind, object, list->state, a, e);
		if (e->first != NULL)
			elem_append(parent, e);
	}
}

void
slot_drop_all(struct slot **list, void *object)
{
	struct slot *slot;

	while ((slot = *list) != NULL) {
		*list = slot->next;
		slot_free(slot, object);
	}
}
