/*
 * sim_model.h - what a query of an archive is to show, found by looking at each entry:
 * no index, no cursor, and nothing of what the server has for that.
 *
 * One thread.
 */
#ifndef SIM_SIM_MODEL_H
#define SIM_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"
#include "store/store.h"

#define MODEL_WORDS 6 /* that there are */
#define MODEL_ADDRESS 48
#define MODEL_IDS 12

struct sim;

struct entry {
	char id[STORE_ID_SIZE];
	uint64_t number;
	int64_t wall_us;
	char from[MODEL_ADDRESS], to[MODEL_ADDRESS];
	unsigned words; /* bits: those it has */
	bool tombstone;
};

/* The archive of one user, as it lies in the store. */
struct model {
	struct sim *sim;
	unsigned user;
	struct VEC(struct entry) entries;
};

/* What a query asks for; zeroed: all. */
struct asked {
	char with[MODEL_ADDRESS];
	int64_t since_us, until_us; /* the last is in it; 0: no bound */
	uint64_t after, before;     /* numbers; 0: no bound */
	unsigned words;
	bool by_ids;
	unsigned n_ids;
	size_t ids[MODEL_IDS]; /* entries */
	bool descends;         /* XEP-0413 */
};

/* The word k as one says it, or as one asks for it. */
const char *model_said(unsigned k);
const char *model_asked(unsigned k);

/* Reads what has come since it was read. */
void model_look(struct model *m);
/* Reads all of it anew. */
void model_look_anew(struct model *m);
void model_done(struct model *m);

/* Is the entry at this place in the set that is asked for? */
bool model_has(const struct model *m, const struct asked *q, size_t at);

#endif
