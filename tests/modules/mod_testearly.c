/*
 * mod_testearly.c - asks what is answered later, and tells whether the answer
 * came before the call that asked had returned.  Built with the tests, never
 * installed.
 *
 *   <early xmlns='urn:antiphon:test:early' what='load|kick|create|remove|turn|kept'/>
 */
#include "module/module.h"

struct probe {
	struct iq *iq;
	struct module_entry *entry;
	bool returned;
	bool now;
};

static void
probe_answer(struct probe *p)
{
	struct module_entry *entry = p->entry;

	if (p->returned)
		iq_result(p->iq, NULL);
	else
		iq_error(p->iq, COND_UNEXPECTED_REQUEST, "before it returned");
	/* an early one is still in the hands of who asked */
	if (p->returned)
		free(p);
	module_release(entry);
}

static void
on_loaded(struct entity *e, void *arg)
{
	(void)e;
	probe_answer(arg);
}

static void
on_done(void *arg, bool ok, const struct err *err)
{
	(void)ok;
	(void)err;
	probe_answer(arg);
}

static void
on_turn(struct module_ctx *m, struct account *acc, const struct err *err,
	void *arg)
{
	(void)m;
	(void)acc;
	(void)err;
	probe_answer(arg);
}

static void
probe_ask(struct module_ctx *m, struct probe *p, struct account *acc,
	struct str what)
{
	struct shard *sh = p->iq->shard;
	struct jid nobody;
	struct err err = ERR_INIT;

	/* one that this server does not have, and so of this shard or another */
	if (!jid_parse(&nobody, p->iq->st->arena, STR("nobody@x.test"), &err))
		abort();
	if (str_is(what, "load"))
		entity_when_loaded(&acc->e, on_loaded, p);
	else if (str_is(what, "kick"))
		account_kick(sh, acc->e.jid, STR("none"), "x", on_done, p);
	else if (str_is(what, "create"))
		account_create(sh, acc->e.jid, STR("x"), on_done, p);
	else if (str_is(what, "remove"))
		account_remove(sh, nobody, on_done, p);
	else if (str_is(what, "turn"))
		module_commit_in_turn(m, acc, NULL, on_turn, p);
	else
		p->now = true; /* the kept iq itself */
}

static enum hook_result
on_early(struct module_ctx *m, struct iq *iq)
{
	struct probe *p = xcalloc(1, sizeof(*p));
	struct account *acc = iq_account(iq);
	struct str what = elem_attr(iq->payload, "what");

	p->iq = iq;
	p->entry = module_hold(m);
	iq_keep(iq);
	probe_ask(m, p, acc, what);
	p->returned = true;
	if (p->now)
		probe_answer(p);
	return HOOK_HANDLED;
}

static const struct iq_handler early_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, "urn:antiphon:test:early", "early",
		on_early },
	{ .fn = NULL },
};

MODULE(testearly) = {
	.api = MODULE_API,
	.name = "testearly",
	.summary = "find answers that come too early, for tests",
	.iqs = early_iqs,
};
