/*
 * presence_room.c - as whom a session is in a room, and what is said to it there.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "presence.h"

/* As whom it is in a room is to whom it has sent presence there: a name that it has given
 * up is not among these any more (forget_target()). */
enum hook_result
presence_on_room_says(struct module_ctx *m, void *arg)
{
	struct session_room_says *says = arg;
	const struct address_set *sent = presence_sent_to(m, says->session);
	struct jid user = session_jid(says->session);
	struct table_walk walk;
	const struct address *to;

	if (sent == NULL)
		return HOOK_PASS;
	walk = table_walk(&sent->all);
	while ((to = table_step(&sent->all, &walk)) != NULL && !says->named) {
		if (!jid_eq_bare(to->jid, says->st->from))
			continue;
		says->known = true;
		says->named = message_names(says->st, to->jid, user);
	}
	return HOOK_PASS;
}
