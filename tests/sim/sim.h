/*
 * sim.h - what the simulation knows of its users.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "store/store.h"
#include "world.h"

#define USERS 6
#define CLIENTS 2 /* of each user */
#define MESSAGES_MAX 512

struct pair {
	unsigned sent;                       /* from one user to another */
	bool arrived[MESSAGES_MAX];          /* at any client */
	bool excused[MESSAGES_MAX];          /* lost with a connection that broke */
};

/* A message that nobody had got before. */
struct arrival {
	unsigned from, serial;
};

struct sim_client {
	struct client c;
	unsigned user, index;
	bool leaving; /* has said goodbye: what it says now is not heard */
	int last[USERS][CLIENTS]; /* number of the last message, by sender */
	struct VEC(struct arrival) arrivals;
	bool sees[USERS][CLIENTS];
};

struct sim {
	struct world *w;
	uint64_t seed;
	unsigned steps;
	bool failed;
	bool bad_disk;   /* one of these: */
	bool shaky_disk; /* refuses at random */
	bool full_disk;  /* is full for stretches, such as */
	bool is_full;    /* this one */
	bool long_losses; /* the database is gone for stretches, such as */
	bool is_gone;     /* this one */
	/* or for one try: something was lost at this moment, and is not done
	 * yet */
	bool spared;
	enum store_moment lost_at;
	bool archives;
	unsigned step;
	unsigned shaky[USERS]; /* until which step a break may go unnoticed */
	struct sim_client clients[USERS][CLIENTS];
	struct pair pairs[USERS][USERS];
	unsigned next[USERS][CLIENTS][USERS]; /* numbers are per sending client */
	bool asked[USERS][USERS]; /* for a subscription */
};

void sim_fail(struct sim *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What user u has archived against what its clients got, and what was sent to
 * it. */
void sim_check_archive(struct sim *s, unsigned u);

#endif
