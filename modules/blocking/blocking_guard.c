/*
 * blocking_guard.c - nothing passes between an account and whom it has blocked
 * (XEP-0191 §3.3).
 *
 * Both come before whoever keeps a copy, so that nothing is left in an archive, or for
 * later.  That of what arrives comes behind all guards: what they refuse whoever it is
 * for, they refuse of who is blocked in the same words, or he would know.  Who has
 * blocked nobody pays for the test of a pointer.
 */
#include "config.h"

#include "blocking.h"

/* Straight to the session, for what comes from that address is turned away.  What a
 * component sends as the account nobody here has asked for, and nobody is told. */
static void
refuse(struct session_stanza *out)
{
	struct stanza *st = out->st, *answer = NULL;

	if (out->session != NULL)
		answer = block_error(st);
	if (answer != NULL)
		session_write(out->session, answer);
	out->account->e.shard->stats.refused++;
	stanza_free(answer);
	stanza_free(st);
}

enum hook_result
blocking_on_send(struct module_ctx *m, void *arg)
{
	struct session_stanza *out = arg;

	(void)m;
	if (out->account->blocked == NULL || !jid_is_set(out->st->to) ||
		!account_blocks(out->account, out->st->to))
		return HOOK_PASS;
	refuse(out);
	return HOOK_HANDLED;
}

/* Pushes come from the server alone, as with rosters (hostile 46). */
static bool
is_forged_push(const struct stanza *st)
{
	return st->type == IQ_SET && !jid_is_bare(st->to) &&
		stanza_child(st, NS_BLOCKING, NULL) != NULL;
}

enum hook_result
blocking_on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;
	struct shard *sh = acc->e.shard;

	(void)m;
	if (acc->blocked != NULL && account_blocks(acc, in->st->from)) {
		sh->stats.refused++;
		account_turn_away(acc, in->st);
		return HOOK_HANDLED;
	}
	if (!is_forged_push(in->st))
		return HOOK_PASS;
	router_bounce(sh, in->st, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}
