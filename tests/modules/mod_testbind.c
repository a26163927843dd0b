/*
 * mod_testbind.c - refuses to bind the resource "once" every second time.  Built
 * with the tests, never installed.
 */
#include "module/module.h"

static enum hook_result
on_bind(struct module_ctx *m, void *arg)
{
	struct session *s = arg;
	unsigned *n = module_entity_state(m, &s->account->e);

	if (!str_is(session_resource(s), "once"))
		return HOOK_PASS;
	return (*n)++ % 2 == 0 ? HOOK_PASS : HOOK_HANDLED;
}

static const struct hook_handler bind_hooks[] = {
	{ HOOK_SESSION_BIND, HOOK_GUARD, on_bind },
	{ .fn = NULL },
};

MODULE(testbind) = {
	.api = MODULE_API,
	.name = "testbind",
	.summary = "refuse to bind, for tests",
	.hooks = bind_hooks,
	.entity_state = sizeof(unsigned),
};
