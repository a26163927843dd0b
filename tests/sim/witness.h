/*
 * witness.h - a client of a world that writes down what it gets, as
 * "presence:a iq:b! ": the name, the id, and ! for an error; or of a copy
 * (XEP-0280), which may be sent or received, "sent:a ".
 */
#ifndef SIM_WITNESS_H
#define SIM_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "world.h"

struct witness {
	struct client c;
	struct buf seen;
	/* What has no id, too, by its type; and the first roster. */
	bool sees_all;
};

/* Logs in and settles; local is the account's. */
void witness_start(struct witness *x, struct world *w, const char *local);
/* The same, of a priority, and sees all. */
void witness_start_at(
	struct witness *x, struct world *w, const char *local, int priority);
/* Another device of local, to which copies are shown. */
void witness_start_copied(struct witness *x, struct world *w,
	const char *local);
void witness_done(struct witness *x);
/* Until nothing moves. */
void witness_turn(struct witness *x);
/* What it got since it started; borrowed until it gets more. */
const char *seen(struct witness *x);

/* Forgets what it has got. */
void seen_anew(struct witness *x);

struct faults {
	unsigned writes, reads; /* so many to come fail */
};

/* For store_fail_when(); arg: struct faults. */
bool witness_disk(void *arg, bool writes);

/* The shards turn, and the store does not. */
void turn_shards(struct world *w);
/* With accounts of romeo and juliet; module_dir and conf as for world_new(). */
struct world *world_of_two(
	uint64_t seed, const char *module_dir, const char *conf);

#endif
