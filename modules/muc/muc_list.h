/*
 * muc_list.h - the rooms that are in the list of a service: a map of it, "listed", with a
 * row for each public room, which is written by the transaction that stores how the room
 * is configured (XEP-0045 §6.3).
 *
 * So no room is loaded for a list, and a page costs what is in it, however many rooms
 * there are.  Who is in them is asked of those that are in memory.
 */
#ifndef MUC_MUC_LIST_H
#define MUC_MUC_LIST_H

#include "module/module.h"
#include "muc_row.h"

#define MAP_LISTED "listed" /* of the service: by localpart */

/* --- any thread: what is stored --------------------------------------------------------- */

/* What tx makes of the room: it is in the list if it is public, else not. */
void muc_list_store(struct store_tx *tx, struct jid room,
	const struct room_config *c);
/* It is not in it any more. */
void muc_list_delete(struct store_tx *tx, struct jid room);

/* --- shard of the asker: pages ---------------------------------------------------------------- */

#define MUC_PAGE_MAX 1000 /* rooms in an answer */

struct muc_rows VEC(struct muc_row);

/* What is asked for. */
struct muc_ask {
	struct rsm rsm;
	uint32_t max;       /* at most MUC_PAGE_MAX */
	bool by_occupants;  /* those with most of them first, of MUC_PAGE_MAX at most */
	/* Is it one of those that are looked for?  NULL: any is. */
	bool (*wants)(const struct muc_ask *ask, struct arena *a,
		const struct muc_row *row);
	struct str words;   /* all of which have to begin words of the row; STR_NONE */
	const void *arg;    /* of wants */
	/* Answers iq, with what was found. */
	void (*answer)(struct iq *iq, const struct muc_ask *ask,
		const struct muc_rows *rows, const struct rsm_page *page,
		bool is_complete);
};

/* iq is kept, and answered: with an error, or by ask (in the arena of iq->st).  False:
 * too many that look for something are under way, and nothing was done. */
bool muc_list_ask(struct module_ctx *m, struct iq *iq, const struct muc_ask *ask);

#endif
