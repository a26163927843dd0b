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

/* Is it in an archive? */
enum kept { KEPT, KEPT_PERHAPS, KEPT_NOT };

struct pair {
	unsigned sent;                       /* from one user to another */
	bool arrived[MESSAGES_MAX];          /* at any client */
	bool lost[MESSAGES_MAX];  /* went to a connection that had broken */
	bool acked[MESSAGES_MAX]; /* its sender knows that it is dealt with */
	bool told[MESSAGES_MAX];  /* or that it was refused; or he did not stay to
				   * hear it */
	bool archived[MESSAGES_MAX]; /* on both sides */
	uint8_t by[MESSAGES_MAX];           /* client of the sender */
	uint16_t number[MESSAGES_MAX];      /* as in sim_message() */
	uint16_t retracted[MESSAGES_MAX];   /* by this one; 0: by none */
	bool retracts[MESSAGES_MAX];        /* another one */
	uint8_t sender_keeps[MESSAGES_MAX]; /* enum kept */
	uint8_t keeps[MESSAGES_MAX];        /* the other one */
};

/* What a user wants to have in the archive (XEP-0441). */
enum standard { WANTS_ALL, WANTS_NONE, WANTS_ROSTER, WANTS_UNKNOWN };
enum listed { LISTED_NOT, LISTED_ALWAYS, LISTED_NEVER };

struct wants {
	enum standard standard;
	uint8_t list[USERS][CLIENTS + 1]; /* enum listed; the last is the bare one */
};

/* A page that is asked for in between. */
struct asking {
	bool is, flipped;
	unsigned no, max, n;
	uint64_t last; /* number that was shown */
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
	bool busy_disk;   /* refuses requests at random */
	bool archives;    /* mod_testarchive */
	bool archive;     /* the server's own, */
	bool small;       /* which is smaller than what is said */
	bool counts;      /* what is dealt with, and clients ask for it */
	unsigned step;
	struct sim_client clients[USERS][CLIENTS];
	struct pair pairs[USERS][USERS];
	unsigned next[USERS][CLIENTS][USERS]; /* numbers are per sending client */
	bool asked[USERS][USERS]; /* for a subscription */
	struct query *query; /* in the end: see sim_query.c */
	/* see sim_owner.c */
	struct wants wants[USERS];
	struct asking asking[USERS][CLIENTS];
	unsigned n_asked;
	char shown[USERS][STORE_ID_SIZE]; /* of the last result */
	enum { ANSWER_NONE, ANSWER_RESULT, ANSWER_ERROR } answer;
	bool quiet; /* nothing moves */
};

/* sc says something to a user. */
void sim_say_to(struct sim *s, struct sim_client *sc, unsigned to);
/* The same, of what retracts the message with the id of (NULL: it does not). */
void sim_say_with(struct sim *s, struct sim_client *sc, unsigned to,
	const char *of);
/* All clients read what has come; true: there was something. */
bool sim_read_all(struct sim *s);
/* So does the server, until nothing moves. */
void sim_settle(struct sim *s);

/* What all have archived, against what their clients got, and what was sent. */
void sim_check_archives(struct sim *s);
/* What they are shown of the server's own, against what is in it. */
void sim_check_queries(struct sim *s);
/* True: e was asked for there. */
bool sim_query_takes(struct sim_client *sc, struct arena *a, const struct elem *e);

/* --- sim_owner.c ------------------------------------------------------------------ */

/* Does user want what he and a client of another one say to each other?  index is
 * CLIENTS where it is said to the bare address. */
enum kept sim_is_wanted(const struct sim *s, unsigned user, unsigned with,
	unsigned index);
/* Asks for something, and waits.  True: it is answered, as .answer says. */
bool sim_owner_asks(struct sim *s, struct sim_client *sc, const char *payload);
/* He wants something else from now on; nothing is on its way then. */
void sim_set_wants(struct sim *s, struct sim_client *sc);
/* Some want something else when nothing moves any more, so that it is known what a
 * roster says, and all say something. */
void sim_want_anew(struct sim *s);
/* One of these things. */
void sim_owner_acts(struct sim *s, struct sim_client *sc, unsigned to);
/* True: e was asked for there. */
bool sim_owner_takes(struct sim_client *sc, const struct elem *e);
/* Its session is another one. */
void sim_owner_begins(struct sim_client *sc);
/* All that was asked for is answered. */
void sim_check_owners(struct sim *s);

/* --- sim_lost.c ------------------------------------------------------------------- */

/* What goes to its connection when that has broken is lost. */
void sim_tell_lost(struct sim_client *sc);

/* --- sim_late.c ------------------------------------------------------------------- */

/* A device that goes, and comes again, has all that was archived meanwhile. */
void sim_check_late(struct sim *s);

#endif
