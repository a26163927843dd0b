/*
 * sim_s2s.h - what the simulation of two servers knows of their users.
 */
#ifndef SIM_SIM_S2S_H
#define SIM_SIM_S2S_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"
#include "seeds.h"
#include "sim_client.h"
#include "wires.h"
#include "world.h"

#define WORLDS 2
/* Of each: the last two users of both are at the second ones. */
#define DOMAINS 2
#define MESSAGES_MAX 256
#define ASKED_MAX 1024

struct stanza;

struct pair {
	unsigned sent; /* from one user to another */
	uint8_t by[MESSAGES_MAX]; /* which of his clients */
	bool arrived[MESSAGES_MAX];
	bool refused[MESSAGES_MAX];   /* there was an error about it */
	uint8_t errors[MESSAGES_MAX]; /* that its sender got */
	bool lost[MESSAGES_MAX];      /* it, or an error about it, was on a
				       * connection that broke, or in a server
				       * that was killed */
	uint8_t again[MESSAGES_MAX];  /* it may come so much more than once */
	bool unkept[MESSAGES_MAX];    /* it was on a connection on which nothing
				       * was acknowledged yet */
	bool late[MESSAGES_MAX];      /* the next stream may overtake it */
	bool acked[MESSAGES_MAX];     /* its sender knows that it is dealt with */
	bool asleep[MESSAGES_MAX];    /* it may have waited for a client that slept
				       * when the server was killed */
	bool gone[MESSAGES_MAX];      /* its sender does not hear of it any more */
	bool asked;       /* to see the other */
	bool unsure;      /* a wish to see the other may be missing there, or its
			   * end */
	bool unshown;     /* whether it is there may be unknown to the other */
	bool denied;      /* the other was told that it does not see this one:
			   * that may have crossed its next wish */
};

struct question {
	unsigned user, index;
	unsigned answers;
	bool may_miss; /* it, or its answer */
	uint8_t again; /* it may be answered more than once */
	bool is_there; /* with the other server: nobody hears of it when that
			* cannot bring the answer */
};

/* What became of messages. */
struct sim_sum {
	unsigned sent, arrived, refused;
	unsigned lost;   /* with a connection, or a server */
	unsigned untold; /* missing otherwise: who sent them had gone */
	unsigned late;   /* could be overtaken */
	unsigned slept;  /* sessions, over a stop, */
	unsigned woken;  /* and that went on in the end, for whatever they slept */
	struct wires_sum wires;
};

struct sim {
	uint64_t seed;
	bool failed;
	struct world *worlds[WORLDS];
	struct buf hosts[WORLDS]; /* as the configuration has them */
	bool off[WORLDS][DOMAINS]; /* talks to no other server */
	bool dead[WORLDS];         /* it is being killed: nobody is there */
	struct rand_seeded turns;
	struct wires wires;
	int64_t now_us;     /* monotonic: the later of both clocks */
	bool cuts, stalls, outages, stops, reloads, closes, bad_store;
	bool any_trouble;  /* but for the store, which shows nowhere, */
	bool lossy;        /* and for streams that are closed in order */
	bool sleeps;         /* one client of each returns to its session */
	bool stopping[WORLDS];
	bool forgets[USERS]; /* messages may come to it again, and not in order */
	bool leaves;         /* who comes, or stays to hear of all that he says */
	bool heavy;          /* links get more than they take, so that stanzas wait
			      * in them: */
	unsigned long_bytes; /* so long some messages are */
	bool unreachable;   /* no connection comes up */
	bool spared[WORLDS]; /* see on_moment() */
	enum store_moment lost_at[WORLDS];
	struct sim_client clients[USERS][CLIENTS];
	struct pair pairs[USERS][USERS];
	unsigned next[USERS][CLIENTS][USERS];
	struct question questions[ASKED_MAX];
	unsigned n_questions;
	struct sim_sum sum;
};

extern const char *const sim_domains[WORLDS][DOMAINS];

static inline unsigned
world_of(unsigned user)
{
	return user % WORLDS;
}

static inline const char *
domain_of(unsigned user)
{
	return sim_domains[world_of(user)][user / WORLDS == 2];
}

static inline uint64_t
sim_draw(struct sim *s, uint64_t below)
{
	return rand_below(&s->turns.source, below);
}

/* --- sim_s2s.c ---------------------------------------------------------------- */

/* Until nothing moves, without moving the clocks. */
void sim_settle(struct sim *s);
/* Both clocks move to where the next thing is due, but not by more than us. */
void sim_sleep(struct sim *s, int64_t us);
/* So long, by as many steps as it takes. */
void sim_pass(struct sim *s, int64_t us);

/* --- s2s_trouble.c: the servers, and what befalls them -------------------------- */

void sim_draw_trouble(struct sim *s);
void sim_start_worlds(struct sim *s, const char *module_dir);
/* From now on the database is in trouble, too. */
void sim_begin_trouble(struct sim *s);
/* One thing, perhaps. */
void sim_trouble(struct sim *s);
/* Nothing any more. */
void sim_calm(struct sim *s);

/* --- s2s_users.c: what they do ------------------------------------------------- */

void users_init(struct sim *s);
void users_done(struct sim *s);
/* One of them does something. */
void users_act(struct sim *s);
void users_connect(struct sim *s);
void users_leave(struct sim *s);
/* Their server ends: what is not dealt with yet may be missing.  What had come to it
 * and was nobody's yet, the wires tell. */
void users_of_world_go(struct sim *s, unsigned world, bool killed);
/* Asks up to which number all is dealt with. */
void users_ask(struct sim *s);

/* --- s2s_heard.c: what they get ------------------------------------------------- */

void users_read(struct sim *s);
/* For a client. */
void users_on_stanza(struct client *c, struct arena *a, struct elem *e);
void users_on_got(struct sim_client *sc, const struct elem *e);
/* A server tells the sender that it does not arrive. */
void users_on_refused(struct sim *s, const struct stanza *error);
/* For wires. */
void users_on_handed(void *arg, const struct letter *l);
void users_on_lost(void *arg, const struct letter *l);
void users_on_again(void *arg, const struct letter *l);
void users_on_once(void *arg, const struct letter *l);
void users_on_unkept(void *arg, const struct letter *l);
void users_on_late(void *arg, const struct letter *l);

/* --- s2s_check.c: what must hold ------------------------------------------------- */

/* With everybody online, and nothing that moves: what became of all that was said and
 * asked. */
void sim_check_said(struct sim *s);
/* Who sees whom, of those who have come anew; and the disk. */
void sim_check(struct sim *s);
/* Who sees whom, of those who were there all the time. */
void sim_check_seen(struct sim *s);
/* With nobody online for long. */
void sim_check_nothing_left(struct sim *s);

#endif
