/*
 * presence.h - between the files of the module: who is there, and who may know.
 *
 * Owner shard of the account.
 */
#ifndef MODULES_PRESENCE_PRESENCE_H
#define MODULES_PRESENCE_PRESENCE_H

#include "module/module.h"

#define MAP_LAST "last"
#define KEY_SEEN "seen"

/* st (taken), a probe, has come for acc. */
void presence_on_probe(struct module_ctx *m, struct account *acc,
	struct stanza *st);

/* --- presence_directed.c ----------------------------------------------------------- */

/* In the slot of a session: to whom presence was sent directly (RFC 6121
 * §4.6), marked if it is a room that has shown him in it; and who has answered that he is
 * gone. */
struct directed {
	struct address_set to, left;
};

/* False: they are too many. */
bool directed_add(struct directed *d, const struct session *s, struct jid jid);
void directed_remove(struct directed *d, const struct session *s, struct jid jid);
void directed_clear(struct directed *d);
/* st (borrowed) has come for acc: one of them may have left, or refused it. */
void directed_note(struct module_ctx *m, struct account *acc, const struct stanza *st);
/* Has s sent its presence to who, or to any other resource of who?  One who
 * enters a room sends it to his own nick, and the others there ask, too. */
bool presence_was_sent_to(struct module_ctx *m, struct session *s,
	struct jid who);
/* To whom it has; NULL: to nobody. */
const struct address_set *presence_sent_to(struct module_ctx *m,
	const struct session *s);
/* Of the slot (struct module). */
void directed_done(struct session *s, void *state);
void directed_save(const struct session *s, const void *state, struct arena *a,
	struct elem *into);
bool directed_restore(struct session *s, void *state, const struct elem *from);

/* --- presence_room.c --------------------------------------------------------------- */

enum hook_result presence_on_room_says(struct module_ctx *m, void *arg);

#endif
