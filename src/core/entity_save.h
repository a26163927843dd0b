/*
 * entity_save.h - what entities have in memory when the server stops, and have
 * again after the next start: the sessions of an account, who is in a room.
 *
 *   map of the entity, of the name that its class has as .asleep: key -> element
 *
 *	stop                                     start, if there is a mark
 *	  nothing is under way any more            whose maps: sleepers (sleepers.h)
 *	  class->save(), of each in memory         some at a time, or when needed:
 *	  rows, with the mark of the stop            map read --> copied --> cleared
 *	                                             --durable--> loaded as ever,
 *	                                             class->wake(), then stanzas
 *
 * So what was saved is good for one start: a crash before it is deleted brings it
 * back next time, and one behind that does not.  While it cannot be deleted, the
 * entity is not there: better than twice.  After a kill there is no mark, and nobody
 * asks.
 */
#ifndef CORE_ENTITY_SAVE_H
#define CORE_ENTITY_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct elem;
struct entity;
struct entity_class;
struct entity_save;
struct shard;
struct store_entry;

/* Of the map of the server itself: the mark of the last stop, as long as something
 * of it sleeps. */
#define KEY_STOP "stop"
/* What one entity may have saved: it is written, and read again, as a whole. */
#define ENTITY_SAVED_MAX ((size_t)32 << 20)

struct entities_saved {
	uint64_t saved; /* rows */
	uint64_t lost;  /* there was no time, or they could not be stored */
};

/* --- for classes, from within save() ----------------------------------------- */

/* One more row: e, an element of the class's own, in the arena a, which gets the mark
 * of the stop.  False: there is no time, or no room, and it is lost. */
bool entity_save_elem(struct entity_save *to, struct str key, struct arena *a,
	struct elem *e);
/* The same of text that bears the mark already; what the rows of an entity are
 * together its class bounds then. */
bool entity_save_text(struct entity_save *to, struct str key, struct str value);
/* There is no time: rows are counted as lost, whatever they say. */
bool entity_save_is_late(const struct entity_save *to);

/* --- for classes, from within wake() ----------------------------------------- */

/* The element that was saved in entry, in the arena a.  NULL: it is of another
 * stop, or was damaged. */
struct elem *entity_saved_elem(const struct entity *e, struct arena *a,
	const struct store_entry *entry);

/* --- owner shard -------------------------------------------------------------- */

/*
 * Entities of class, or for NULL those of all others, are saved, some at a time, with
 * the mark of the server.  From until_us (monotonic) on what is left is lost as by a
 * crash.  Then done(sh, n, arg); never before the call has returned.
 */
void entities_save(struct shard *sh, const struct entity_class *class,
	int64_t until_us,
	void (*done)(struct shard *sh, const struct entities_saved *n, void *arg),
	void *arg);

/* --- for entity.c -------------------------------------------------------------- */

/* True: it is a sleeper, and is loaded (entity_load_awake()) when what it had is ours
 * alone. */
bool entity_wake(struct entity *e);
/* It has been loaded: what it had comes back, if it is one. */
void entity_woken(struct entity *e);

#endif
