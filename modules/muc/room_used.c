/*
 * room_used.c - when somebody was in a room last, to the day: so that those that nobody
 * uses are found (rooms unused), at the cost of one row a day.
 *
 * Owner shard of the room.
 */
#include "config.h"

#include "room.h"

#define DAY_US (86400 * US_PER_S)

void
room_used_store(struct store_tx *tx, struct jid room, int64_t now_us)
{
	char time[DATETIME_SIZE];

	store_tx_set(tx,
		(struct store_place){ jid_domain(room), jid_local(room),
			STR(MAP_ROOM) },
		STR(KEY_USED), datetime_format(time, now_us));
}

/* What was edited is not known. */
void
room_used_take(struct room *r, struct str value)
{
	if (!datetime_parse(value, &r->used_us))
		r->used_us = 0;
}

void
room_used(struct room *r)
{
	struct module_ctx *m = module_of_entity(&r->e);
	int64_t now_us = shard_wall_us(r->e.shard), age_us = now_us - r->used_us;
	struct store_tx *tx;

	if (r->state != ROOM_OPEN || m == NULL || (age_us >= 0 && age_us < DAY_US))
		return;
	r->used_us = now_us;
	tx = store_tx_new();
	room_used_store(tx, r->e.jid, now_us);
	module_commit(m, r->e.shard, tx, NULL, NULL);
}
