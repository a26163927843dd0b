/*
 * sim_rooms.h - what the simulation of rooms knows: of each client what it has been told
 * of each room, and of all that was said who got it, in which order.
 *
 *	client --may be in--> view: who it is there, whom it sees   (rooms_heard.c)
 *	                        |
 *	                        '--> stay: what it heard, from coming in till it goes
 *
 * Views are compared with each other and with that of a newcomer when nothing moves, and
 * stays with each other at the end (rooms_check.c).  One thread.
 */
#ifndef SIM_SIM_ROOMS_H
#define SIM_SIM_ROOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/vec.h"
#include "device.h"
#include "store/store.h"
#include "seeds.h"
#include "wires.h"
#include "world.h"

struct arena;
struct elem;
struct scene;

#define WORLDS 2
#define HOST "a.example"  /* with the rooms */
#define OTHER "b.example" /* of another server */
#define ROOM_HOST "conference." HOST
#define ROOMS 3
#define USERS 6
#define REMOTE 4 /* the first of the other server */
#define CLIENTS 2
#define AUDITOR (USERS * CLIENTS) /* an admin of the host, who looks at all in the end */
#define PERSONS (AUDITOR + 1)
#define NICK 8
#define SAID_MAX 2000
#define CAME_MAX 1000

/* An affiliation by its second letter, a role by its first. */
#define AFF_OF(name) ((name)[1])
#define OWNER 'w'
#define ADMIN 'd'
#define MEMBER 'e'
#define OUTCAST 'u'
#define MODERATOR 'm'

/* Somebody in a room, as he is seen. */
struct seen {
	char nick[NICK];
	char role, aff;
	int real; /* the person; -1: not told */
	bool early; /* before it was known what one may see */
};

/* What was heard: an id, of a message or of a subject. */
struct heard {
	unsigned id;
	enum { AS_HISTORY, LIVE, AS_SUBJECT } as;
};

struct stay {
	unsigned room, person;
	unsigned came;    /* as which of those who came; 0: nobody saw him come */
	unsigned begun;   /* the moment */
	struct VEC(struct heard) heard;
};

enum phase {
	OUTSIDE,
	TOLD_HISTORY, /* he has his own presence, and not the subject yet */
	INSIDE,
};

struct view {
	enum phase phase;
	unsigned joining; /* as which of those who come; 0: it has not asked */
	bool stale;     /* what comes may still be for its session before this one */
	bool repeats;   /* of what came, some may come again: a server has ended, from which
			 * it comes by a stream that counts */
	bool going;     /* it has said that it goes */
	bool lost;      /* it has asked anew, and forgotten what it knew */
	unsigned renaming;
	bool may_miss;  /* the answer to what it has asked: a server has ended since */
	bool doubt;     /* something happened of which it may not have been told */
	bool open;      /* everybody sees real addresses */
	char nick[NICK];
	char role, aff;
	unsigned came, subject;
	unsigned told; /* the subject, as it came in */
	struct stay *stay; /* NULL: not in it */
	struct VEC(struct seen) sees;
};

struct person {
	union {
		struct client c;
		struct device d; /* which begins with it: if it is managed */
	};
	struct scene *scene;
	bool managed; /* it has stream management */
	bool leaving;
	unsigned woke; /* the moment at which it was there again, having slept */
	unsigned index, user;
	struct view views[ROOMS];
};

/* A message, a subject, or a private message. */
struct said {
	unsigned room, person;
	bool told;   /* that it was refused */
	bool unsure; /* its sender is gone, or something broke */
	bool is_private;
	char nick[NICK]; /* for whom, then */
	bool heard;  /* by somebody, */
	char stanza_id[STORE_ID_SIZE]; /* by the room; "": none */
	unsigned by; /* private ones: bits, by whom */
};

/* Somebody has come in. */
struct came {
	unsigned person, room, asked; /* when */
	unsigned seen_by; /* bits: those who were there before he asked */
	bool seen;        /* by one of these, behind something that was said: */
	unsigned after; /* the last that this one had heard; 0: nothing */
};

struct affiliated {
	char kept; /* that this was set is acknowledged, and nothing else was asked
		    * for since; 0: it is not known */
	char asked; /* and this will be, if it is answered well */
	unsigned on_its_way;
	bool mixed; /* with another one, so that it is not known which came first */
};

/* What follows what, by id; 0: nothing does that anybody has heard. */
struct order {
	unsigned next[SAID_MAX], before[SAID_MAX];
	unsigned chain[SAID_MAX], at[SAID_MAX]; /* from 1 on */
};

/* How often it was what. */
struct counts {
	unsigned came, refused, kicked, banned, renamed, conflicts, closed, destroyed,
		lost, told, said, heard, history, subjects, private, errors, real,
		resumed, anew, stopped, killed, checks, anchored, faults,
		archived, notes, haunted;
};

struct scene {
	uint64_t seed;
	bool failed;
	struct world *worlds[WORLDS];
	bool dead[WORLDS];
	struct wires wires;
	struct rand_seeded turns;
	int64_t now_us; /* monotonic: the later of both clocks */
	bool stops, bad_disk, slow;
	bool calm; /* much time has passed, and nobody did anything */
	unsigned moment;
	struct person persons[PERSONS];
	struct VEC(struct stay *) stays;
	struct said said[SAID_MAX];
	unsigned n_said;
	struct came came[CAME_MAX];
	unsigned n_came;
	struct affiliated aff[ROOMS][USERS];
	unsigned changed[ROOMS]; /* the moment at which somebody last asked for one */
	struct buf answer; /* to the auditor */
	bool answered;
	struct counts *counts;
};

/* --- sim_rooms.c ------------------------------------------------------------------- */

void scene_fail(struct scene *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
unsigned scene_draw(struct scene *s, unsigned below);
/* Until nothing moves that need not wait for a time; */
void scene_settle(struct scene *s);
/* or nothing at all, not even between the servers. */
void scene_rest(struct scene *s);
void scene_pass(struct scene *s, int64_t us);

/* --- rooms_users.c ----------------------------------------------------------------- */

void persons_init(struct scene *s);
void persons_done(struct scene *s);
void persons_read(struct scene *s);
/* One of them does something. */
void persons_act(struct scene *s);
void persons_connect(struct scene *s);
/* All ask whether they are in the rooms where they think they are (XEP-0410). */
void persons_ping(struct scene *s, bool doubtful_only);
void persons_leave(struct scene *s);
/* A server ends: who was there may not be in a room any more. */
void persons_of_world_go(struct scene *s, unsigned world, bool killed);
bool person_is_on(const struct person *p);
void person_send(struct person *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *person_domain(const struct person *p);

/* --- rooms_acts.c ------------------------------------------------------------------ */

/* "room1@..." with a nickname comes in. */
void person_join(struct person *p, unsigned room, const char *nick);
/* Something new is said; 0: no more. */
unsigned person_says(struct person *p, unsigned room);
/* Its affiliations are forgotten, or may be. */
void scene_is_anew(struct scene *s, unsigned room);
/* The same, and p has made it, as one of those who come. */
void scene_is_made(struct person *p, unsigned room, unsigned came);
/* One thing, of those that anybody may do there, or that he who is not in it does; */
void person_acts_inside(struct person *p, unsigned room);
void person_acts_outside(struct person *p, unsigned room);
/* or of those that not everybody may. */
void person_rules(struct person *p, unsigned room);
void person_affiliates(struct person *p, unsigned room);
/* Its goodbye may have been lost between the servers, when one ended: then it says that again
 * as soon as it notices. */
bool person_may_haunt(const struct person *p);
void person_flees(struct person *p, unsigned room);
/* Is it in the room still (XEP-0410)? */
void person_pings(struct person *p, unsigned room);

/* --- rooms_heard.c ----------------------------------------------------------------- */

void person_hears(struct person *p, const struct elem *e);
/* The number of an id that begins so; 0: it is none. */
unsigned heard_id(struct str text, char letter);
bool heard_code(const struct elem *x, const char *code);
/* Of a child; STR_NONE: there is none. */
struct str heard_text(struct arena *a, const struct elem *e, const char *child);

/* --- rooms_seen.c ------------------------------------------------------------------- */

/* e: presence. */
void person_sees(struct person *p, unsigned room, const char *nick,
	const struct elem *e);
/* It is in no room any more, or does not know of any. */
void person_forgets(struct person *p);
void view_forgets(struct view *v);

/* --- rooms_check.c ----------------------------------------------------------------- */

/* Nothing moves: those who are in a room see the same. */
void scene_check(struct scene *s);
/* All that was heard, by whomever, in one order. */
void scene_check_heard(struct scene *s);
/* The auditor comes into all rooms, and says something; then what is stored is what was
 * in memory. */
void scene_audit(struct scene *s);

/* --- rooms_archive.c ---------------------------------------------------------------- */

/* What is in the archive of a room, against what was heard. */
void scene_check_archive(struct scene *s, const struct order *order, unsigned room);

#endif
