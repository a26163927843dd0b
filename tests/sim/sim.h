/*
 * sim.h - what the simulation knows of its users.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"
#include "sim_client.h"
#include "world.h"

#define MESSAGES_MAX 512

struct arena;
struct elem;
struct query;

struct pair {
	unsigned sent;                       /* from one user to another */
	bool arrived[MESSAGES_MAX];          /* at any client */
	bool lost[MESSAGES_MAX];  /* on the way to a connection that broke */
	bool acked[MESSAGES_MAX]; /* its sender knows that it is dealt with */
	bool told[MESSAGES_MAX];  /* or that it was refused; or he did not stay to
				   * hear it */
	bool archived[MESSAGES_MAX]; /* on both sides */
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
	bool archives;    /* mod_testarchive */
	bool archive;     /* the server's own, */
	bool small;       /* which is smaller than what is said */
	bool counts;      /* what is dealt with, and clients ask for it */
	unsigned step;
	unsigned shaky[USERS]; /* until which step a break may go unnoticed */
	struct sim_client clients[USERS][CLIENTS];
	struct pair pairs[USERS][USERS];
	unsigned next[USERS][CLIENTS][USERS]; /* numbers are per sending client */
	bool asked[USERS][USERS]; /* for a subscription */
	struct query *query; /* in the end: see sim_query.c */
};

/* sc says something to a user. */
void sim_say_to(struct sim *s, struct sim_client *sc, unsigned to);
/* All clients read what has come. */
void sim_read_all(struct sim *s);

/* What all have archived, against what their clients got, and what was sent. */
void sim_check_archives(struct sim *s);
/* What they are shown of the server's own, against what is in it. */
void sim_check_queries(struct sim *s);
/* True: e was asked for there. */
bool sim_query_takes(struct sim_client *sc, struct arena *a, const struct elem *e);

#endif
