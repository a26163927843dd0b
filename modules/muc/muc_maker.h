/*
 * muc_maker.h - who has made a room, so that nobody makes more than he may.
 *
 *	account's map "rooms-made":  a number -> room's address; as many as he may make
 *	room's map "room", "maker":  <made by='account' as='number'/>
 *
 * Both are written with the room, and go with it; whoever owns it by then.  They are read
 * when he makes another one.  Owner shard of the room.
 */
#ifndef MUC_MUC_MAKER_H
#define MUC_MUC_MAKER_H

#include "module/module.h"

struct room;

#define MAP_ROOMS_MADE "rooms-made"
#define KEY_MAKER "maker" /* in MAP_ROOM */

struct room_maker {
	char *user;  /* bare, owned; NULL: nobody who is counted */
	uint32_t as;
};

/* What KEY_MAKER has. */
void maker_take(struct room_maker *m, struct str value);
void maker_done(struct room_maker *m);
void maker_set(struct room_maker *m, struct jid user, uint32_t as);
/* As operations of tx: who has made the room, which fails with ERR_CONFLICT if his number
 * is taken by then; and that nobody has, any more. */
void maker_store(const struct room *r, struct store_tx *tx);
void maker_delete(const struct room *r, struct store_tx *tx);

/* Is user one whose rooms are counted, and so no admin? */
bool maker_is_counted(const struct room *r, struct jid user);
/* Which number is free for one more room of user: as, or -1 with err NULL: he has made as
 * many as he may. */
typedef void (*maker_fn)(void *arg, int64_t as, const struct err *err);
void maker_find(struct module_ctx *m, struct shard *sh, struct jid user,
	maker_fn fn, void *arg);

#endif
