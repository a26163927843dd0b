/*
 * sim_quiet.h - what the simulation of clients to which nobody looks knows of what was
 * said, and of what the witness and the phones have got of it.
 *
 * A sender is a client, so one full address: of its presence the last counts.
 */
#ifndef SIM_SIM_QUIET_H
#define SIM_SIM_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "device.h"
#include "seeds.h"
#include "world.h"

struct elem;

#define ROMEO "romeo@" WORLD_HOST
#define CONTACTS 3
#define STRANGER (2 * CONTACTS) /* the first: two clients of each contact come before */
#define DESK (STRANGER + 2)     /* romeo's, which talks to contacts */
#define SENDERS (DESK + 1)
#define PHONES 2
#define SAID_MAX 400 /* by one sender */

enum kind {
	PRESENCE, /* may be merged */
	STATE,    /* for who looks */
	HELD,     /* can wait, and is not merged */
	URGENT,
};

struct said {
	enum kind kind;
	unsigned phones;  /* bits: for whom it is */
	bool all;         /* and for the witness */
	unsigned witness; /* when he got it, 1 is the first; 0: not yet */
};

struct sender {
	struct client c;
	struct scene *scene;
	unsigned n;
	struct said said[SAID_MAX];
	bool away; /* its presence is unavailable */
	unsigned request; /* of a stranger: to see romeo; 0: none yet */
	unsigned asked, answered; /* pings of phones */
};

struct heard {
	unsigned sender, at;
};

struct phone {
	struct device *d;
	struct VEC(struct device *) left; /* streams that another one has replaced */
	struct scene *scene;
	unsigned index;
	bool inactive, stalls;
	bool anew;    /* has another session: what came before counts no more */
	bool calm;    /* nothing of this has changed since then */
	unsigned from[SENDERS];  /* in this session: behind these */
	unsigned next[SENDERS];  /* of each, what is expected, or later */
	unsigned got[SENDERS][SAID_MAX]; /* when; 0: not */
	struct VEC(struct heard) heard;  /* in this session */
	size_t seen;             /* of them, when it was looked last */
	unsigned seen_to[SENDERS]; /* what had been said then */
	bool pings;              /* has said that it is active, and asks (§5.1): */
	unsigned due[SENDERS];   /* up to here it has all when that is answered */
};

struct counts {
	unsigned said, heard, copied, merged, dropped, still, waits, woken, resumed, moved,
		lives, pings;
};

struct scene {
	struct world *w;
	uint64_t seed;
	bool failed;
	bool copies; /* phones see copies (XEP-0280) */
	bool again; /* somebody has come anew, and is told again who is there */
	struct client witness;
	unsigned witnessed;
	unsigned lives; /* sessions of phones */
	struct sender senders[SENDERS];
	struct phone phones[PHONES];
	struct counts *counts;
};

void scene_fail(struct scene *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

unsigned scene_draw(struct scene *s, unsigned below);

/* --- quiet_senders.c ------------------------------------------------------------- */

void sender_open(struct scene *s, unsigned i);
/* Something, to all or to one phone. */
void sender_says(struct scene *s, unsigned sender);
/* A stranger asks, once, to see romeo. */
void sender_asks(struct scene *s, unsigned sender);
/* The server asks who has been silent for long. */
void scene_answer(struct client *c, const struct elem *e);

/* --- quiet_check.c --------------------------------------------------------------- */

/* What comes, by its id, SENDER-NUMBER. */
void witness_hears(struct scene *s, unsigned sender, unsigned at);
void phone_hears(struct phone *p, unsigned sender, unsigned at);
/* It has all that was said up to these numbers, but what need not come. */
void phone_has_all(struct phone *p, const unsigned until[SENDERS]);
/* What it never got of what was for its session, whose end this is. */
void phone_count(const struct phone *p);
/* Nothing moves: all that must hold does. */
void scene_check(struct scene *s);

#endif
