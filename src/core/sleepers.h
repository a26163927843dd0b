/*
 * sleepers.h - entities of a shard that have yet to be woken: something of the
 * run before waits in the store for them, such as what they had in memory at the stop
 * (entity_save.h), or messages for another server (remote/remote_wake.c).
 *
 *   sleepers_add() --> waits --sleepers_run(), or whoever needs it--> loaded by its
 *                        ^                                              class
 *                        '---- it cannot be, later ----'                  |
 *                                                        sleeper_done() <-'
 *
 * Owner shard; made at the start, before threads, and gone with the last of them.
 * A few are loaded at a time.  Until it is woken, an entity is not as if nobody
 * were there: a broadcast that reaches only those in memory loads it.
 */
#ifndef CORE_SLEEPERS_H
#define CORE_SLEEPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/table.h"
#include "base/timer.h"
#include "xmpp/jid.h"
#include "store/store.h"
#include "core/shard.h"

struct arena;
struct entity_class;

struct sleeper {
	TAILQ_ENTRY(sleeper) link; /* while it waits */
	const struct entity_class *class;
	uint64_t hash;             /* server_hash() of jid */
	struct jid jid;            /* bare */
	struct str map;            /* what its class has as .asleep, whose code may
				    * go; "": this is not for entity_wake.c */
	bool waits;
	/* for entity_wake.c: what was read of the store, or is nowhere else, which
	 * goes back where the server stops before it is woken */
	bool taken;                /* it is not there any more */
	struct arena *arena;       /* NULL: it was not read */
	struct store_entry *entries;
	size_t n;
	char text[];
};

TAILQ_HEAD(sleeper_list, sleeper);

struct sleepers {
	struct shard *shard;
	struct table all;
	struct sleeper_list waiting;
	unsigned loading; /* for us */
	bool failed;      /* some of those that are in no list */
	bool rests;
	struct timer timer;
	/* The last of them has been woken, and there are no sleepers any more. */
	void (*done)(struct shard *sh);
};

/* --- start-up, before threads ----------------------------------------------- */

/* jid (bare, prepared) is copied; it has the class.  done is the same for all. */
struct sleeper *sleepers_add(struct shard *sh, const struct entity_class *class,
	struct jid jid, void (*done)(struct shard *sh));

/* --- owner shard ------------------------------------------------------------ */

/* They are loaded from now on. */
void sleepers_run(struct shard *sh);
/* Those that wait still are not, but for who needs them: the server stops. */
void sleepers_rest(struct shard *sh);
void sleepers_free(struct shard *sh);

struct sleeper *sleepers_search(const struct sleepers *all, struct str bare,
	uint64_t hash);

/* NULL: the entity with this address and hash is none, any more. */
static inline struct sleeper *
sleepers_find(const struct shard *sh, struct str bare, uint64_t hash)
{
	return sh->sleepers != NULL ?
		sleepers_search(sh->sleepers, bare, hash) :
		NULL;
}

/* s, which has been woken, is freed; with the last one, all. */
void sleeper_done(struct shard *sh, struct sleeper *s);

#endif
