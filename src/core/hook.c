/*
 * hook.c - runs the handlers of one hook, in the order of their bands.
 */
#include "config.h"

#include "core/hook.h"

#include "core/host.h"

static const char *const hook_names[HOOKS] = {
#define HOOK(id, name, argument, runs_on, meaning) [HOOK_##id] = name,
#include "core/hooks.def"
#undef HOOK
};

const struct hook_entry *
hook_run_for(const struct host *host, enum hook_id hook, void *arg)
{
	const struct hook_list *list;

	if (host == NULL)
		return NULL;
	list = &host->hooks[hook];
	for (size_t i = 0; i < list->n; i++) {
		const struct hook_entry *e = &list->p[i];

		if (e->fn(e->ctx, arg) == HOOK_HANDLED &&
			e->band != HOOK_WATCH)
			return e;
	}
	return NULL;
}

enum hook_result
hook_run(const struct host *host, enum hook_id hook, void *arg)
{
	return hook_run_for(host, hook, arg) != NULL ? HOOK_HANDLED : HOOK_PASS;
}

const char *
hook_name(enum hook_id hook)
{
	return hook_names[hook];
}
