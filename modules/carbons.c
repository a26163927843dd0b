/*
 * carbons.c - shows a user's devices what his others send and get (XEP-0280).
 *
 * It says which sessions want copies; of which messages there are any, xmpp/message.h
 * does, and who gets them, and when, the account (account/account_copy.h).
 * Owner shard of the account.
 */
#include "config.h"

#include "module/module.h"

#define FEATURE_RULES "urn:xmpp:carbons:rules:0"
#define PLAIN_MAX 8

/* With a session that sends what others see no copy of: hashes of the last such
 * messages that may be answered with an error. */
struct carbons {
	uint32_t plain[PLAIN_MAX];
	uint8_t next;
};

/* --- switched by the client (XEP-0280 §4, §5) ------------------------------------- */

/* Whose copies it would be, or those of another: of whom is not told, and so not
 * whether there is such an account (RFC 6121 §8.5.1). */
static enum hook_result
carbons_switch(struct iq *iq, bool on)
{
	struct session *s = iq_sender(iq);

	if (s == NULL) {
		iq_error(iq, COND_NOT_ALLOWED,
			"These are the messages of somebody else");
		return HOOK_HANDLED;
	}
	s->copied = on;
	iq_result(iq, NULL);
	return HOOK_HANDLED;
}

static enum hook_result
on_enable(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	return carbons_switch(iq, true);
}

static enum hook_result
on_disable(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	return carbons_switch(iq, false);
}

/* --- errors --------------------------------------------------------------------------- */

/*
 * An error is copied when the message was (XEP-0280 §6.1), but need not say what that
 * was (RFC 6120 §8.3.1).  So the last messages are remembered of which there was no
 * copy: errors to all others are copied.  When there are too many to remember, an
 * error is shown that a client has no use for, and none is lost.
 */
static uint32_t
plain_hash(struct account *acc, struct str id, struct jid with)
{
	const struct server *srv = acc->e.shard->server;
	uint64_t hash = server_hash(srv, id) ^
		server_hash(srv, jid_bare_str(with)) * 3;

	return (uint32_t)hash | 1; /* 0: none */
}

static void
plain_note(struct module_ctx *m, const struct account_copy *c)
{
	struct carbons *carbons = module_session_state(m, c->sender);

	carbons->plain[carbons->next++ % PLAIN_MAX] =
		plain_hash(c->account, c->st->id, c->st->to);
}

/* What was sent had a full address, so that what comes to the bare one is no answer
 * to it: but perhaps what a client has to say of a copy (XEP-0280 §10.3). */
static bool
error_is_eligible(struct module_ctx *m, const struct account_copy *c)
{
	struct session *s = session_find(c->account, jid_resource(c->st->to));
	uint32_t hash = plain_hash(c->account, c->st->id, c->st->from);
	const struct carbons *carbons;
	bool plain = false;

	if (s == NULL)
		return !jid_is_bare(c->st->to);
	carbons = module_session_state(m, s);
	for (size_t i = 0; i < PLAIN_MAX; i++)
		plain |= carbons->plain[i] == hash;
	return !plain;
}

/* --- copies ------------------------------------------------------------------------- */

/* What one sends to his own account his other devices get as messages, and §7 says
 * who of them gets a copy. */
static bool
is_for_copying(struct module_ctx *m, const struct account_copy *c)
{
	if (c->sent && jid_eq_bare(c->st->to, c->account->e.jid))
		return false;
	if (c->st->type != MESSAGE_ERROR)
		return message_is_copied(c->st, c->sent);
	return elem_child(c->st->root, NS_CARBONS, "private") == NULL &&
		(c->sent || error_is_eligible(m, c));
}

static enum hook_result
on_copy(struct module_ctx *m, void *arg)
{
	struct account_copy *c = arg;

	if (is_for_copying(m, c)) {
		c->ns = NS_CARBONS;
		c->name = c->sent ? "sent" : "received";
	} else if (c->sender != NULL && c->st->type != MESSAGE_ERROR) {
		plain_note(m, c);
	}
	return HOOK_PASS;
}

static const struct hook_handler carbons_hooks[] = {
	{ HOOK_ACCOUNT_COPY, HOOK_DELIVER, on_copy },
	{ .fn = NULL },
};

static const struct iq_handler carbons_iqs[] = {
	{ IQ_SET, AT_OWN_ACCOUNT | AT_OTHERS, NS_CARBONS, "enable", on_enable },
	{ IQ_SET, AT_OWN_ACCOUNT | AT_OTHERS, NS_CARBONS, "disable",
		on_disable },
	{ .fn = NULL },
};

MODULE(carbons) = {
	.api = MODULE_API,
	.name = "carbons",
	.summary = "show all devices of a user what the others send and get",
	.specs = "XEP-0280 1.0.1, XEP-0297 1.0, XEP-0334 1.0.0",
	.features = (const char *const[]){ NS_CARBONS, FEATURE_RULES, NULL },
	.hooks = carbons_hooks,
	.iqs = carbons_iqs,
	.session_state = sizeof(struct carbons),
};
