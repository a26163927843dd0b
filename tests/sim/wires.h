/*
 * wires.h - what lies between two worlds: connections in memory that one server
 * opens and the other accepts, slow as the seed wants it, which break at any byte.
 *
 *	stream --writes--> half: bytes on their way --feeds--> stream
 *	                     |
 *	                     '- a letter for each stanza: handed over, or lost
 *
 * So of each stanza that a stream was given it is known what became of it: whoever
 * breaks a connection says what may be missing from now on, and nothing else may.
 *
 * One thread.
 */
#ifndef SIM_WIRES_H
#define SIM_WIRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/vec.h"
#include "stream/server/s2s_sm.h"

struct conn;
struct shard;
struct wire;
struct wires;

/* A stanza, as it goes over a wire. */
struct letter {
	uint64_t end;    /* of its last byte, in the half */
	char name[12], type[16], id[24];
	char from[32], to[32]; /* bare */
	bool handed;     /* its last byte was, and there was no quiet since */
};

/* What one end has said. */
struct half {
	struct buf data;        /* and the other has not got yet */
	uint64_t written, fed;
	struct buf tag;         /* the one that is being written */
	bool in_tag;
	bool counts;            /* what it says is acknowledged (XEP-0198) */
	bool over;              /* it has ended: it may come again */
	int depth;              /* of elements */
	struct letter next;
	struct VEC(struct letter) letters;
	struct VEC(struct letter) all; /* messages and requests */
	bool closed;            /* it says no more */
	int64_t due_us;         /* nothing is fed before: monotonic */
	bool stalls;            /* nothing is fed at all */
};

struct wire_end {
	struct wire *wire;
	unsigned side;     /* 0: that of who has opened it */
	unsigned world;
	struct conn *conn; /* NULL: it is gone, or knows that the wire is */
	int64_t notice_us; /* when it finds out that the wire is cut */
};

struct wire {
	LIST_ENTRY(wire) in;
	struct wires *all;
	struct wire_end ends[2];
	struct half halves[2]; /* by who writes */
	struct shard *to;  /* has yet to accept it; NULL: it has */
	bool cut;
	char id[S2S_SM_ID_SIZE]; /* by which it can be resumed (XEP-0198 §5) */
	bool resumed;            /* another one goes on with it */
};

/* How often it was what. */
struct wires_sum {
	unsigned opened, cut;
	unsigned resumed, refused; /* that another one went on with, or could not */
	uint64_t handed;           /* stanzas, */
	uint64_t back;             /* of which who had accepted the wire said so many */
};

struct wires {
	LIST_HEAD(wire_list, wire) list, ended;
	struct rand_source *rand;
	const int64_t *now_us; /* monotonic */
	bool slow;    /* bytes come late, */
	size_t room;  /* and no more than that is on the way; SIZE_MAX */
	struct wires_sum n;
	/* It is with the other server. */
	void (*handed)(void *arg, const struct letter *l);
	/* That stanza may be missing, or is. */
	void (*lost)(void *arg, const struct letter *l);
	/* It went over a wire that has ended: it may not have been acknowledged, and
	 * comes again. */
	void (*again)(void *arg, const struct letter *l);
	/* It does not, for another wire goes on with that one. */
	void (*once)(void *arg, const struct letter *l);
	/* It goes over a wire on which nothing is acknowledged, or not yet. */
	void (*unkept)(void *arg, const struct letter *l);
	/* It is still on its way, while its stream has said goodbye: what goes by
	 * the next one may overtake it. */
	void (*late)(void *arg, const struct letter *l);
	void *arg;
};

void wires_init(struct wires *all, struct rand_source *rand,
	const int64_t *now_us);
void wires_done(struct wires *all);
/* From world `from', whose end is returned, to the shard of the other one, which
 * accepts it in a turn of these. */
struct conn *wires_open(struct wires *all, unsigned from, struct shard *sh,
	struct shard *to);
/* Something of what is due goes on, or is found out; false: nothing is. */
bool wires_turn(struct wires *all);
/* When something is due next; INT64_MAX: never. */
int64_t wires_next_us(const struct wires *all);
/* Nothing moves any more: what was handed over has arrived. */
void wires_quiet(struct wires *all);

/* One of those that stand, drawn; NULL: there is none. */
struct wire *wires_any(struct wires *all);
/* Of those, the one with most on the way. */
struct wire *wires_fullest(struct wires *all);
/* Some of what is on the way still arrives, up to any byte; both ends find out,
 * sooner or later. */
void wire_cut(struct wire *w);
/* One end is not read any more, or again. */
void wire_stall(struct wire *w);
/* All are read. */
void wires_go_on(struct wires *all);
/* The server of that world ends: nobody is there. */
void wires_kill(struct wires *all, unsigned world);

#endif
