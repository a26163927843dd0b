/*
 * session_invisible.c - sessions that nobody is to see (XEP-0186).
 *
 *                 session_set_invisible()
 *    visible ------------------------------------> invisible
 *      ^    HOOK_SESSION_HIDDEN: gone, for others      |  available at once, and
 *      |                                               |  by what its client says
 *      '---- not available any more <------------------'
 *                 session_set_visible()
 *
 * Owner shard of the account.  What a session is for others rests on
 * session_is_visible(), what it is for its own client on session_is_available().
 * The state is the session's: it sleeps, moves and is saved with it.
 */
#include "config.h"

#include "xmpp/stanza.h"
#include "core/host.h"
#include "account/account_int.h"
#include "account/session.h"

bool
account_is_visible(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_is_visible(s))
		s = s->next;
	return s != NULL;
}

bool
account_probes(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL &&
		(!session_is_available(s) || (s->invisible && !s->probes)))
		s = s->next;
	return s != NULL;
}

/* Contacts' presence, and messages for the bare address, are delivered from now on
 * (§3.1.1, 4 and 5), whether its client says anything or not. */
static void
enter_unseen(struct session *s)
{
	struct jid nobody = { .text = NULL };

	session_send(s, stanza_new(PRESENCE_AVAILABLE, session_jid(s), nobody,
				STR_NONE));
}

void
session_set_invisible(struct session *s, bool probes)
{
	struct session_hidden hidden = {
		.session = s,
		.shown = !s->invisible,
		.probe = probes && session_is_available(s) &&
			!(s->invisible && s->probes),
	};

	ASSERT_OWNER(&s->account->e);
	s->invisible = true;
	s->probes = probes;
	if (hidden.shown || hidden.probe)
		hook_run(account_host(s->account), HOOK_SESSION_HIDDEN,
			&hidden);
	if (!session_is_available(s))
		enter_unseen(s);
}

/* Nobody has to be told: it was not available for anybody. */
void
session_set_visible(struct session *s)
{
	ASSERT_OWNER(&s->account->e);
	if (s->invisible && session_is_available(s))
		session_set_presence(s, NULL, 0);
	s->invisible = s->probes = false;
}
