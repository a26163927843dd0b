/*
 * mod_testblock.c - nothing of those whom an account has blocked reaches it, not
 * even presence that goes to many.  Built with the tests, never installed.
 *
 *   <iq type='set'><block xmlns='urn:antiphon:test:block' jid='bare address'/>
 *
 * Who reports somebody (XEP-0377) gets a headline that says what modules were told:
 *
 *   <message type='headline'><reported xmlns='urn:antiphon:test:block' jid=''
 *       reason='' messages=''>text<report .../></reported></message>
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

static enum hook_result
on_report(struct module_ctx *m, void *arg)
{
	const struct account_report *r = arg;
	struct stanza *st = stanza_new(MESSAGE_HEADLINE,
		jid_trusted(m->host->domain), r->account->e.jid, STR_NONE);
	struct arena *a = st->arena;
	struct elem *e = elem_add(a, st->root, NS_BLOCK, "reported");

	elem_set_attr(a, e, "jid", jid_str(r->who));
	elem_set_attr(a, e, "reason", r->reason);
	elem_set_attr(a, e, "messages", arena_printf(a, "%zu", r->n_ids));
	if (r->text.p != NULL)
		elem_add_text(a, e, r->text);
	elem_append(e, elem_copy(a, r->report));
	router_send(r->account->e.shard, st);
	return HOOK_PASS;
}

static const struct hook_handler block_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD | HOOK_SHARED, on_receive },
	{ HOOK_ACCOUNT_REPORT, HOOK_WATCH, on_report },
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
