/*
 * room_voice.h - whom a moderator has given voice, or taken it from, in a moderated room, so
 * that it is the same when he comes again (XEP-0045 §5.1).
 *
 * In memory as long as the room is; the oldest goes where there are many.  Of a nickname
 * nothing is remembered: who comes again may have another one.  Owner shard of the room.
 */
#ifndef MUC_ROOM_VOICE_H
#define MUC_ROOM_VOICE_H

#include <sys/queue.h>

#include "module/module.h"
#include "room_rights.h"

#define VOICES_MAX 1000

struct room_voice;

struct room_voices {
	TAILQ_HEAD(room_voice_list, room_voice) all; /* oldest first */
	struct hash_key hash;
	struct table by_user;
	size_t n;
};

void voices_init(struct room_voices *v, const struct hash_key *hash);
void voices_done(struct room_voices *v);
/* What all of them have is forgotten. */
void voices_clear(struct room_voices *v);

/* user is given this role; ROLE_NONE: he has what his affiliation brings again. */
void voices_set(struct room_voices *v, struct jid user, enum room_role role);
/* Which one was he given?  ROLE_NONE: none. */
enum room_role voices_find(const struct room_voices *v, struct jid user);

#endif
