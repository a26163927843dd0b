/*
 * command_modules.c - the commands about modules: list, switch on and off.
 *
 * Shard 0.  What is switched here holds until the configuration is read again.
 */
#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/commands.h"
#include "core/conf.h"
#include "core/host.h"
#include "core/module.h"
#include "core/module_int.h"

/* --- list ---------------------------------------------------------------------- */

static void
list_hosts(struct command_call *call, const struct module *module)
{
	const struct snapshot *snap = call->server->newest;
	struct buf out = BUF_INIT;

	for (const struct host *h = snap->hosts; h != NULL; h = h->hh.next) {
		if (host_has_module(h, module->name))
			buf_printf(&out, "%s%.*s", out.n != 0 ? " " : "",
				STR_ARG(h->domain));
	}
	command_field(call, "hosts", buf_str(&out));
	buf_done(&out);
}

static void
modules_list_run(struct command_call *call)
{
	const struct module_registry *r = call->server->modules;

	for (size_t i = 0; i < MODULES_MAX; i++) {
		const struct module_entry *e = &r->entries[i];

		if (e->module == NULL)
			continue;
		command_row(call);
		command_field(call, "name", str_c(e->module->name));
		command_field(call, "state",
			str_c(atomic_load(&e->refs) != 0 ? "on" : "off"));
		list_hosts(call, e->module);
		command_field(call, "specs", str_c(e->module->specs));
		command_field(call, "summary", str_c(e->module->summary));
	}
	command_done(call);
}

/* --- hooks --------------------------------------------------------------------- */

static const char *
band_name(enum hook_band band)
{
	static const char *const names[] = { "guard", "change", "keep",
		"deliver", "watch" };

	return names[band];
}

static void
modules_hooks_run(struct command_call *call)
{
	const struct snapshot *snap = call->server->newest;

	for (const struct host *h = snap->hosts; h != NULL; h = h->hh.next) {
		for (int i = 0; i < HOOKS; i++) {
			const struct hook_list *list = &h->hooks[i];

			for (size_t n = 0; n < list->n; n++) {
				const struct hook_entry *e = &list->entries[n];

				command_row(call);
				command_field(call, "host", h->domain);
				command_field(call, "hook",
					str_c(hook_name((enum hook_id)i)));
				command_number(call, "order", (int64_t)n + 1);
				command_field(call, "band",
					str_c(band_name(e->band)));
				command_field(call, "module",
					str_c(e->ctx->module->name));
			}
		}
	}
	command_done(call);
}

/* --- load, unload, reload ---------------------------------------------------------- */

static void
on_published(void *arg)
{
	command_done(arg);
}

/* False, and the call has failed, when it cannot be. */
static bool
modules_switch(struct command_call *call, bool on, void (*done)(void *arg))
{
	struct server *srv = call->server;
	struct err err = ERR_INIT;
	struct str name = command_value(call, "name");

	if (module_force(srv->modules, name, on, &err)) {
		if (server_publish(srv, config_ref(srv->newest->config), done,
			    call, &err))
			return true;
		/* it stays as it was */
		module_force(srv->modules, name, !on, NULL);
	}
	command_fail(call, &err);
	return false;
}

static void
modules_load_run(struct command_call *call)
{
	modules_switch(call, true, on_published);
}

static void
modules_unload_run(struct command_call *call)
{
	modules_switch(call, false, on_published);
}

/* Its code is closed once every shard has let go of it, and opened anew. */
static void
on_reload_unloaded(void *arg)
{
	modules_switch(arg, true, on_published);
}

static void
modules_reload_run(struct command_call *call)
{
	modules_switch(call, false, on_reload_unloaded);
}

/* --- the table --------------------------------------------------------------------- */

static const struct command_arg name_args[] = {
	{ "name", ARG_TEXT, .help = "the name of the module, such as ping" },
	{ .name = NULL },
};

const struct command command_modules[] = {
	{ "modules hooks", "list handlers in the order in which they run", NULL,
		NULL, modules_hooks_run },
	{ "modules list", "list the modules in memory", NULL, NULL,
		modules_list_run },
	{ "modules load", "switch a module on at every host",
		"It holds until the configuration is read again.", name_args,
		modules_load_run },
	{ "modules reload", "switch a module off, and on again from its file",
		"It holds until the configuration is read again.", name_args,
		modules_reload_run },
	{ "modules unload", "switch a module off at every host",
		"It holds until the configuration is read again.", name_args,
		modules_unload_run },
	{ .name = NULL },
};
