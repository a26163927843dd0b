/*
 * mod_example.c - greets whoever asks for it, and counts: a module to start
 * from.
 *
 * Owner shard of the account.  Shows an option, a request that is answered, a
 * hook, and state that belongs to an account and goes with it.
 */
#include <module/module.h>

#define NS_HELLO "urn:example:hello"

/* What options fill: one for each host, and const. */
struct example_conf {
	const char *greeting;
};

static const struct option example_options[] = {
	{ .name = "greeting", .type = OPT_TEXT, .dflt = "Hello",
		.off = offsetof(struct example_conf, greeting),
		.help = "what everybody is told", .example = "Good morning" },
	{ .name = NULL },
};

/* Of an account; zeroed when it is first asked for. */
struct example_state {
	unsigned greeted;
};

/*
 * <iq type='get' to='own bare address'><hello xmlns='urn:example:hello'/></iq>
 * iq is borrowed until we return; to answer later, see iq_keep().
 */
static enum hook_result
on_hello(struct module_ctx *m, struct iq *iq)
{
	const struct example_conf *conf = m->conf;
	struct account *acc = iq_account(iq);
	struct example_state *state = module_entity_state(m, &acc->e);
	struct elem *hello = iq_payload(iq, NS_HELLO, "hello");
	struct arena *a = iq->st->arena;

	state->greeted++;
	elem_set_attr(a, hello, "count", arena_printf(a, "%u", state->greeted));
	elem_add_text(a, hello,
		arena_printf(a, "%s, %.*s!", conf->greeting,
			STR_ARG(account_local(acc))));
	iq_result(iq, hello);
	return HOOK_HANDLED;
}

/* arg is what hooks.def names for the hook. */
static enum hook_result
on_session_available(struct module_ctx *m, void *arg)
{
	struct session *s = arg;

	(void)m;
	log_info(LOG_MODULE, session_who(s), "somebody to greet");
	return HOOK_PASS;
}

static const struct iq_handler example_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_HELLO, "hello", on_hello },
	{ .fn = NULL },
};

static const struct hook_handler example_hooks[] = {
	{ HOOK_SESSION_AVAILABLE, HOOK_WATCH, on_session_available },
	{ .fn = NULL },
};

MODULE(example) = {
	.api = MODULE_API,
	.name = "example",
	.summary = "greet whoever asks for it",
	.account_features = (const char *const[]){ NS_HELLO, NULL },
	.options = example_options,
	.conf_size = sizeof(struct example_conf),
	.hooks = example_hooks,
	.iqs = example_iqs,
	.entity_state = sizeof(struct example_state),
};
