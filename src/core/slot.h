/*
 * slot.h - what somebody above keeps with an object of ours: a list of states,
 * each made when it is first asked for, and found by its kind.
 *
 * Owner shard of the object.  Few keep anything with one object, so a list costs
 * less memory than a place for each, and finds as fast.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include <stddef.h>

/* Its address is the key; it outlives all states of its kind. */
struct slot_kind {
	size_t size;
	/* Ends state before it is freed; object is what it belongs to. */
	void (*done)(const struct slot_kind *kind, void *object, void *state);
};

struct slot; /* the first of a list; NULL: there is none */

/* Never NULL: zeroed when it is made. */
void *slot_get(struct slot **list, const struct slot_kind *kind);
/* Ends the state of this kind, if there is one. */
void slot_drop(struct slot **list, const struct slot_kind *kind, void *object);
/* The object ends. */
void slot_drop_all(struct slot **list, void *object);

#endif
