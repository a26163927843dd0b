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

/* Has s sent its presence to who, or to any other resource of who?  One who
 * enters a room sends it to his own nick, and the others there ask, too. */
bool presence_was_sent_to(struct module_ctx *m, struct session *s,
	struct jid who);
/* To whom it has; NULL: to nobody. */
const struct address_set *presence_sent_to(struct module_ctx *m,
	const struct session *s);
/* presence_room.c: hook */
enum hook_result presence_on_room_says(struct module_ctx *m, void *arg);
/* st (taken), a probe, has come for acc. */
void presence_on_probe(struct module_ctx *m, struct account *acc,
	struct stanza *st);

#endif
