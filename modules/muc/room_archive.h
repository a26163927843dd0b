/*
 * room_archive.h - what a room lets be read of its archive, by whoever could enter it
 * (XEP-0313 §6.1.2); what lies there says room_log.h.
 *
 * Owner shard of the room.
 */
#ifndef MUC_ROOM_ARCHIVE_H
#define MUC_ROOM_ARCHIVE_H

#include <sys/queue.h>

#include "module/module.h"

struct room;
struct room_ask;
struct room_config;

/* What has been asked for, in the order in which it came. */
struct room_asks {
	TAILQ_HEAD(, room_ask) all;
	size_t bytes;     /* that they hold in memory */
	uint32_t n_reads; /* of these, as many have the store read something */
};

void room_asks_init(struct room_asks *asks);
/* The room leaves memory: what is not answered is, with an error. */
void room_asks_done(struct room_asks *asks);

/* An error that came to the room.  True: it is about something that was shown of the
 * archive; who has sent it is shown no more of that. */
bool room_archive_lost(struct room *r, const struct stanza *error);

/* What disco#info says of it. */
void room_archive_features(const struct room *r, struct arena *a,
	struct elem *query);

/* muc_archive.c: how long its owners want it to be kept, as an operation of tx; c: NULL
 * where the room goes. */
void muc_archive_store(struct store_tx *tx, struct jid room,
	const struct room_config *c);
/* st was added under this id, in tx, with so many bytes: it is found by its
 * words, and what is too much goes. */
void room_archive_added(struct room *r, struct store_tx *tx, const struct stanza *st,
	struct str id, size_t bytes);

/* Requests. */
enum hook_result muc_on_archive_form(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_archive_query(struct module_ctx *m, struct iq *iq);
enum hook_result muc_on_archive_metadata(struct module_ctx *m, struct iq *iq);

#endif
