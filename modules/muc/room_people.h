/*
 * room_people.h - who is in a room: occupants, each a nickname of one user, with one or
 * more of his clients (XEP-0045 §7.2.8).
 *
 *	people --> occupant: nickname, bare address, role --> client: full address, presence
 *	      \--> occupant                                \-> client
 *
 * Found by nickname, to the letter; by the nickname as people read it (RFC 8266), of
 * which two users never have the same; by bare address; and by full one.  Owner shard of
 * the room.
 *
 * Who comes in is told of all of them some at a time, by a walk, while others come and go:
 *
 *	1 2 3 4 5 6 7 | 8 9        in the order in which they came, by number
 *	    ^         ^
 *	  told       last          4 to 7 are owed: what becomes of them meanwhile is
 *	                           not told, for what they are then is, or they are gone;
 *	                           of all others he hears as everybody does
 */
#ifndef MUC_ROOM_PEOPLE_H
#define MUC_ROOM_PEOPLE_H

#include <sys/queue.h>

#include "module/module.h"
#include "room_rights.h"

struct occupant;
struct room_join;

#define PEOPLE_SECRET_MAX 64
#define OCCUPANT_ID_BYTES 16
#define PEOPLE_PRIVATES 1024

struct room_client {
	TAILQ_ENTRY(room_client) link; /* of the same occupant */
	struct occupant *occupant;
	struct room_join *join; /* NULL: he has been told everything (room_join.h) */
	struct jid jid; /* full; the bytes lie behind the object */
	char *presence; /* what it has said last, packed (elem_pack.h); owned */
	/* Hashes of the ids of the last private messages that it was sent, which outlive the
	 * process: an error with one of them is about that, and is not the room's. */
	uint32_t private_ids[4];
	uint32_t presence_bytes;
	uint8_t private_at;
	bool missed; /* it leaves as soon as it can be told (room_presence.c) */
	bool told; /* that the server stops, so that it is gone; the others have yet to
		    * hear of it (room_sleep.c) */
	bool leaving; /* it has said so, and something that it has said waits */
};

TAILQ_HEAD(room_clients, room_client);

/* Is it in the room, and not about to be out of it? */
static inline bool
client_stays(const struct room_client *c)
{
	return !c->leaving && !c->missed && !c->told;
}

struct occupant {
	TAILQ_ENTRY(occupant) link; /* in the order in which they came */
	struct room_clients clients; /* never empty; first whose presence is shown */
	uint64_t number; /* greater than that of all who stand before */
	struct jid user; /* bare; the bytes are those of one of his clients */
	char *names;     /* the nickname, and its key where that is another; owned */
	uint16_t nick_bytes, key_bytes;
	enum room_role role : 8;
	enum room_affiliation aff : 8;
	bool is_shown; /* the others have his presence */
	unsigned char id[OCCUPANT_ID_BYTES];
};

TAILQ_HEAD(occupants, occupant);

struct people_walk {
	LIST_ENTRY(people_walk) link;
	struct occupant *next; /* NULL: it is at the end */
	uint64_t last;  /* ends with that one */
	uint64_t told;  /* all up to that one have been come by */
	uint64_t owed;  /* up to that one others are owed */
};

struct room_people {
	struct hash_key hash;
	char secret[PEOPLE_SECRET_MAX];
	size_t secret_bytes;
	struct hash_key ids; /* of private messages; it outlives the process */
	/* The same of the last that anybody was sent: who sends one occupant many at once
	 * makes none of them forgotten before it has come back.  Owned; NULL: none yet. */
	uint32_t *privates;
	size_t privates_at;
	struct occupants occupants;
	LIST_HEAD(, people_walk) walks;
	uint64_t last; /* number that was given */
	size_t n, n_clients;
	struct table by_key;  /* struct occupant */
	struct table by_user; /* struct room_client */
	size_t table_bytes; /* of these, as they were counted last */
	const struct server *server; /* NULL: no share has what is kept */
};

/* hash: a key that strangers do not know. */
void people_init(struct room_people *p, const struct hash_key *hash);
void people_done(struct room_people *p);

/* The ids of users are made of it (XEP-0421 §4.1): no longer than PEOPLE_SECRET_MAX, and
 * set before anybody comes in. */
void people_set_secret(struct room_people *p, struct str secret);
static inline struct str
people_secret(const struct room_people *p)
{
	return (struct str){ p->secret, p->secret_bytes };
}
/* That of user (full or bare), who may be in the room or not. */
void people_id(const struct room_people *p, struct jid user,
	unsigned char out[OCCUPANT_ID_BYTES]);

static inline struct str
occupant_nick(const struct occupant *o)
{
	return (struct str){ o->names, o->nick_bytes };
}

/* NULL: there is none. */
struct occupant *people_by_nick(const struct room_people *p, struct str nick);
struct room_client *people_by_address(const struct room_people *p, struct jid full);
/* Those of one user, one after the other, from people_by_user_start() on; nobody comes
 * or leaves meanwhile. */
struct occupant *people_by_user(const struct room_people *p, struct jid user,
	size_t *at_io);
size_t people_by_user_start(const struct room_people *p, struct jid user);

/* What a nickname is compared by, in the arena of a; false: it is none that could be
 * shown (RFC 8266 §2.3, XEP-0045 §17.1). */
bool people_key(struct str *key_out, struct arena *a, struct str nick);
/* Somebody else than user (bare) who has a nickname that reads the same; NULL: nobody. */
struct occupant *people_in_the_way(const struct room_people *p, struct str key,
	struct jid user);

/* A client that is not in the room comes in as nick, which is nobody's or his own; key is
 * of that.  Of a new occupant role and affiliation are to be set. */
struct room_client *people_enter(struct room_people *p, struct jid full,
	struct str nick, struct str key);
/* It has another nickname from now on, which is nobody's or his own; what it was as
 * which occupant goes with it, unless that one is there. */
void people_rename(struct room_people *p, struct room_client *c, struct str nick,
	struct str key);
/* True: it was the last of its occupant, who is freed with it. */
bool people_leave(struct room_people *p, struct room_client *c);

/* presence (borrowed) is what c says of itself now, and it is shown. */
void people_say(const struct room_people *p, struct room_client *c,
	const struct elem *presence);
/* c is sent a private message with this id; and has it been sent one, among its own last
 * and the last PEOPLE_PRIVATES of all? */
void people_note_private(struct room_people *p, struct room_client *c, struct str id);
bool people_had_private(const struct room_people *p, const struct room_client *c,
	struct str id);

/* w (owned by the caller) goes to all who are there now; all are owed, or none, since he
 * knows them already. */
void people_walk_begin(struct room_people *p, struct people_walk *w, bool owed);
/* Once more, from the first to the last that is there now; whom it has come by is known. */
void people_walk_again(const struct room_people *p, struct people_walk *w);
/* NULL: there are no more, and nobody is owed. */
struct occupant *people_walk_next(struct people_walk *w);
void people_walk_end(struct people_walk *w);
static inline bool
people_walk_owes(const struct people_walk *w, uint64_t number)
{
	return number > w->told && number <= w->owed;
}

/* What is shown of o, in the arena of a. */
struct elem *people_presence(const struct occupant *o, struct arena *a);

#endif
