/*
 * crowd.h - who is in a room that has a bound, in groups: when it is full, the
 * oldest of the largest group makes room for who comes.
 *
 * Any thread: one lock, held for a few steps whatever the number of members.
 * So a group that fills the room costs itself its members, and nobody else.
 */
#ifndef BASE_CROWD_H
#define BASE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"

/* Bytes of the name of a group. */
#define CROWD_NAME_MAX 16

struct crowd;
struct crowd_group;

/* Embedded in what it stands for, zeroed at first; touched by the crowd alone
 * from crowd_enter() to crowd_leave(). */
struct crowd_member {
	TAILQ_ENTRY(crowd_member) link;
	struct crowd_group *group; /* NULL: it is not in */
	uint32_t home;             /* the caller's: where to find it */
	uint64_t token;
};

/* One who has been made to go: what its member said of it. */
struct crowd_leaver {
	uint32_t home;
	uint64_t token;
};

/* Owned by the caller; crowd_free copes with NULL, and wants it empty. */
struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);

/*
 * m, whose home and token are set, enters among those of group (0 to
 * CROWD_NAME_MAX bytes).  When max were in already, one of them has left
 * instead: true, and *gone_out says which.
 */
bool crowd_enter(struct crowd *c, struct crowd_member *m, struct str group,
	size_t max, struct crowd_leaver *gone_out);
/* m is found by these from now on.  False when it has been made to go. */
bool crowd_move(struct crowd *c, struct crowd_member *m, uint32_t home,
	uint64_t token);
/* Before m is freed; does nothing when it is not in. */
void crowd_leave(struct crowd *c, struct crowd_member *m);

#endif
