/*
 * mod_testblock.c - nothing of those whom an account has blocked reaches it, not
 * even presence that goes to many.  Built with the tests, never installed.
 *
 *   <iq type='set'><block xmlns='urn:antiphon:test:block' jid='bare address'/>
 *
 * Owner shard of the account.  Map "testblock": a key for each address; all of
 * them are in memory.
 */
#include "module/module.h"

#define NS_BLOCK "urn:antiphon:test:block"
#define MAP_BLOCK "testblock"

/* In the slot of an account. */
struct blocked {
	struct VEC(char *) all;
};

static void
block(struct module_ctx *m, struct account *acc, struct str bare)
{
	struct blocked *b = module_entity_state(m, &acc->e);

	*vec_push(&b->all) = str_dup(bare);
}

static bool
is_blocked(const struct blocked *b, struct str bare)
{
	for (size_t i = 0; i < b->all.n; i++) {
		if (str_is(bare, b->all.p[i]))
			return true;
	}
	return false;
}

static void
entity_done(struct entity *e, void *state)
{
	struct blocked *b = state;

	(void)e;
	for (size_t i = 0; i < b->all.n; i++)
		free(b->all.p[i]);
	vec_done(&b->all);
}

static enum hook_result
on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;

	for (size_t i = 0; i < load->n; i++) {
		if (str_is(load->entries[i].with, MAP_BLOCK))
			block(m, load->account, load->entries[i].key);
	}
	return HOOK_PASS;
}

static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	const struct account_stanza *in = arg;

	if (!is_blocked(module_entity_state(m, &in->account->e),
		    jid_bare_str(in->st->from)))
		return HOOK_PASS;
	stanza_free(in->st);
	return HOOK_HANDLED;
}

static void
on_blocked(struct module_ctx *m, struct account *acc, const struct err *err,
	void *arg)
{
	(void)m;
	(void)acc;
	if (err != NULL)
		iq_error(arg, stanza_cond_of(err->code), NULL);
	else
		iq_result(arg, NULL);
}

static enum hook_result
on_block(struct module_ctx *m, struct iq *iq)
{
	struct str bare = elem_attr(iq->payload, "jid");
	struct account *acc = iq_account(iq);
	struct store_tx *tx = store_tx_new();

	store_tx_set(tx, account_place(acc, MAP_BLOCK), bare, STR(""));
	block(m, acc, bare);
	iq_keep(iq);
	module_commit_in_turn(m, acc, tx, on_blocked, iq);
	return HOOK_HANDLED;
}

static const struct hook_handler block_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD | HOOK_SHARED, on_receive },
	{ .fn = NULL },
};

static const struct iq_handler block_iqs[] = {
	{ IQ_SET, AT_OWN_ACCOUNT, NS_BLOCK, "block", on_block },
	{ .fn = NULL },
};

MODULE(testblock) = {
	.api = MODULE_API,
	.name = "testblock",
	.summary = "block senders, for tests",
	.hooks = block_hooks,
	.iqs = block_iqs,
	.account_maps = (const char *const[]){ MAP_BLOCK, NULL },
	.entity_state = sizeof(struct blocked),
	.entity_done = entity_done,
};
