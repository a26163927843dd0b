/*
 * room_members.h - the affiliations of a room: which address or domain has which, the
 * nickname that it has reserved, and why (XEP-0045 §5.2, §7.12).
 *
 * In memory as long as the room is, and in its map "affiliations", by address.  Owner
 * shard of the room.
 */
#ifndef MUC_ROOM_MEMBERS_H
#define MUC_ROOM_MEMBERS_H

#include <sys/queue.h>

#include "module/module.h"
#include "room_rights.h"

#define MAP_AFFILIATIONS "affiliations"

struct room_member {
	TAILQ_ENTRY(room_member) link;
	struct jid jid; /* bare, or a domain; the bytes lie behind the object */
	char *nick, *reason; /* owned; NULL: none */
	char *key;           /* of the nickname (RFC 8266), owned; NULL */
	enum room_affiliation aff;
};

struct room_members {
	TAILQ_HEAD(, room_member) all;
	struct shard *shard; /* whose server notes it for accounts; NULL: none does */
	struct hash_key hash;
	struct table by_jid;
	struct table by_key; /* those who have reserved a nickname */
	size_t n, owners;
	size_t bytes;       /* of addresses, nicknames and reasons */
	size_t table_bytes; /* as they were counted last */
};

void members_init(struct room_members *m, const struct hash_key *hash);
void members_done(struct room_members *m);

/* Who has an affiliation under this very address; NULL: nobody. */
struct room_member *members_find(const struct room_members *m, struct jid jid);
/* That of whoever is jid: his own, else that of his domain (§9.2). */
enum room_affiliation members_affiliation(const struct room_members *m,
	struct jid jid);
/* Who has reserved a nickname that reads like this, and is not user; NULL: nobody. */
const struct room_member *members_reserved(const struct room_members *m,
	struct str key, struct jid user);

/* There is no room for one more, where max may be, which is also 256 bytes for each, and
 * some more. */
bool members_are_full(const struct room_members *m, int64_t max);

/* jid has this affiliation from now on; AFF_NONE: none.  nick: STR_NONE leaves what he
 * has reserved, empty takes it away, as a ban does.  reason: STR_NONE: none. */
void members_set(struct room_members *m, struct jid jid, enum room_affiliation aff,
	struct str nick, struct str reason);

/* What members_set() is about to do, as an operation of tx; at: the map. */
void members_store(const struct room_members *m, struct store_tx *tx,
	struct store_place at, struct jid jid, enum room_affiliation aff,
	struct str nick, struct str reason);
/* The same for one who has none, which fails with ERR_CONFLICT if he has one by then. */
void members_create(const struct room_members *m, struct store_tx *tx,
	struct store_place at, struct jid jid, enum room_affiliation aff);
/* The room is being deleted, with its map: what is noted of it elsewhere goes, too. */
void members_delete(const struct room_members *m, struct store_tx *tx,
	struct store_place at);
/* An entry of the map; what was damaged is passed over. */
void members_take(struct room_members *m, const struct store_entry *entry);

#endif
