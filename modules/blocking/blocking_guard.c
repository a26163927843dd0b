/*
 * blocking_guard.c - nothing passes between an account and whom it has blocked
 * (XEP-0191 §3.3).
 *
 * Both guards come before whoever keeps a copy, so that nothing is left in an
 * archive, or for later.  Who has blocked nobody pays for the test of a pointer.
 */
#include "config.h"

#include "blocking.h"

/* Straight to the session, for what comes from that address is turned away.  What a
 * component sends as the account nobody here has asked for, and nobody is told. */
static void
refuse(struct session_stanza *out)
{
	struct stanza *st = out->st, *answer = NULL;
	struct elem *error;

	if (out->session != NULL)
		answer = stanza_error(st, COND_NOT_ACCEPTABLE, STR_NONE);
	if (answer != NULL) {
		error = elem_child(answer->root, NULL, "error");
		elem_set_attr(answer->arena, error, "type", STR("cancel"));
		elem_add(answer->arena, error, NS_BLOCKING_ERRORS, "blocked");
		session_write(out->session, answer);
	}
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

enum hook_result
blocking_on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;

	(void)m;
	if (in->account->blocked == NULL ||
		!account_blocks(in->account, in->st->from))
		return HOOK_PASS;
	in->account->e.shard->stats.refused++;
	account_turn_away(in->account, in->st);
	return HOOK_HANDLED;
}
