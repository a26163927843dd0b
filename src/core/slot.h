/*
 * slot.h - what somebody above keeps with an object of ours: a list of states,
 * each made when it is first asked for, and found by its kind.
 *
 * Owner shard of the object.  Few keep anything with one object, so a list costs
 * less memory than a place for each, and finds as fast.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct elem;

/* Its address is the key; it outlives all states of its kind. */
struct slot_kind {
	size_t size;
	/* Ends state before it is freed; object is what it belongs to. */
	void (*done)(const struct slot_kind *kind, void *object, void *state);
	const char *name; /* of who keeps it */
	/* What of state is to outlive the process, as children of into, in the
	 * arena a; and such a state again, zeroed before: false when from is
	 * nothing that save() has made.  NULL: nothing is. */
	void (*save)(const struct slot_kind *kind, void *object,
		const void *state, struct arena *a, struct elem *into);
	bool (*restore)(const struct slot_kind *kind, void *object, void *state,
		const struct elem *from);
};

struct slot; /* the first of a list; NULL: there is none */

/* NULL: it was not asked for yet. */
void *slot_find(struct slot *list, const struct slot_kind *kind);
/* Never NULL: zeroed when it is made. */
void *slot_get(struct slot **list, const struct slot_kind *kind);
/* Ends the state of this kind, if there is one. */
void slot_drop(struct slot **list, const struct slot_kind *kind, void *object);
/* Adds to parent, in the arena a, an element called name with the attribute
 * `of' for each state that has something to save. */
void slot_save_all(struct slot *list, void *object, struct arena *a,
	struct elem *parent, const char *ns, const char *name);
/* The object ends. */
void slot_drop_all(struct slot **list, void *object);

#endif
