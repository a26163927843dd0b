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

/* A room in which the user is takes an error for a sign that he has gone, and throws him
 * out (XEP-0045 §18.1.2, and with them service-unavailable): so what somebody says
 * there is not answered.  §3.3 says SHOULD; and he sees that the user is there. */
static bool
is_said_where_he_is(struct account *acc, const struct stanza *st)
{
	return st->kind == STANZA_MESSAGE &&
		hook_run(account_host(acc), HOOK_ACCOUNT_KNOWS,
			&(struct account_knows){ acc, st->from }) ==
			HOOK_HANDLED;
}

static void
turn_away(struct account *acc, struct stanza *st)
{
	acc->e.shard->stats.refused++;
	if (is_said_where_he_is(acc, st))
		stanza_free(st);
	else
		account_turn_away(acc, st);
}

enum hook_result
blocking_on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;

	(void)m;
	if (acc->blocked != NULL && account_blocks(acc, in->st->from)) {
		turn_away(acc, in->st);
		return HOOK_HANDLED;
	}
	if (!is_forged_push(in->st))
		return HOOK_PASS;
	router_bounce(acc->e.shard, in->st, COND_FORBIDDEN, NULL);
	return HOOK_HANDLED;
}
