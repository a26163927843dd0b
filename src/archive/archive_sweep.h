/*
 * archive_sweep.h - what archives hold goes when it is too old, or when there is too much
 * of it: in one of them, or in all of a domain together.
 *
 * Of each module that keeps archives, at each of its domains, on the shard where that
 * lives; archive_sweep.c draws it.  Owner shard.
 */
#ifndef ARCHIVE_ARCHIVE_SWEEP_H
#define ARCHIVE_ARCHIVE_SWEEP_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "store/store.h"

struct archive_sweep;
struct module_ctx;
struct shard;
struct store_tx;

/* How much is kept at a domain. */
struct archive_bounds {
	int64_t keep_us;     /* OPTION_NEVER: for ever */
	uint64_t max_bytes;  /* of one archive, with STORE_ENTRY_BYTES for each message */
	uint64_t host_bytes; /* of all of them, counted like that; 0: any */
};

/* What a module says of its archives; static. */
struct archive_kind {
	const char *log;
	const char *waits; /* as in struct store_trim; NULL: nothing */
	const char *of;    /* whose they are, for the log: "user", "room" */
	const char *own;   /* a map of the domain: by owner, for how many seconds an
			    * archive is kept that is kept less long; NULL: none */
	void (*bounds)(const struct module_ctx *m, struct archive_bounds *out);
};

/*
 * So many bytes were added to the archive at, in tx, by which what is too much goes, too.  *room_io is how many there is still room for, 0 where that is not known: so it is
 * looked for in steps.
 */
void archive_make_room(uint64_t *room_io, uint64_t max_bytes, struct str waits,
	struct store_tx *tx, struct store_place at, uint64_t bytes);

/* In the state of a module with a shard; zeroed before. */
struct archive_sweeps {
	LIST_HEAD(, archive_sweep) all;
	struct shard *shard; /* NULL: it has none */
};

/* Something else is in force at domain, one of those of m. */
void archive_sweep_follow(struct archive_sweeps *sweeps, struct module_ctx *m,
	struct shard *sh, struct str domain, const struct archive_kind *kind);
void archive_sweeps_done(struct archive_sweeps *sweeps);

#endif
