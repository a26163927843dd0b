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
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/host.h"
#include "module/attach.h"
#include "module/module.h"
#include "module/module_int.h"
#include "server/server_commands.h"
#include "server/server_reload.h"

/* How often it is looked whether a module is out of memory; how long, beside the
 * time in which its connections end. */
#define RELOAD_LOOK_US (10 * US_PER_MS)
#define RELOAD_WAIT_US US_PER_S

/* --- list --------------------------------------------------------------- */

static void
list_hosts(struct command_call *call, const struct module *module)
{
	const struct snapshot *snap = call->server->newest;
	struct buf out = BUF_INIT;

	for (const struct host *h = snap->hosts; h != NULL; h = h->hh.next) {
		if (h->service == NULL && module_is_at_host(h, module->name))
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
		const struct module_entry *e = r->entries[i];

		if (e == NULL)
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

/* --- hooks -------------------------------------------------------------- */

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
				const struct hook_entry *e = &list->p[n];

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

/* --- load, unload, reload ----------------------------------------------- */

static void
on_switched(void *arg, const struct err *err, struct str text)
{
	struct command_call *call = command_call_arg(arg);

	if (err == NULL) { /* a reload tells what was kept */
		command_done(call);
		return;
	}
	server_texts(call, text);
	command_fail(call, err);
}

static void
modules_load_run(struct command_call *call)
{
	server_switch_module(call->server, command_value(call, "name"), true,
		on_switched, call);
}

static void
modules_unload_run(struct command_call *call)
{
	server_switch_module(call->server, command_value(call, "name"), false,
		on_switched, call);
}

/* A module that is off, until it is out of memory: its connections have some
 * seconds to end. */
struct module_waiting {
	struct command_call *call;
	int64_t until_us;
	struct timer timer;
};

/* The one before is gone. */
static void
on_reload_on(void *arg, const struct err *err, struct str text)
{
	const struct command_call *call = command_call_arg(arg);
	struct err off = err != NULL ? *err : (struct err)ERR_INIT;

	if (err != NULL)
		err_prefix(&off, "%.*s is off now",
			STR_ARG(command_value(call, "name")));
	on_switched(arg, err != NULL ? &off : NULL, text);
}

/* What it was asked for meanwhile it has not answered; from now on it does. */
static void
on_reload_on_again(void *arg, const struct err *err, struct str text)
{
	struct command_call *call = command_call_arg(arg);
	struct err busy = ERR_INIT;

	if (err != NULL) {
		on_switched(call, err, text);
		return;
	}
	err_set(&busy, ERR_BUSY,
		"%.*s is in use all the time and goes on as it was: try again, or switch it off until antiphonctl modules list does not show it any more",
		STR_ARG(command_value(call, "name")));
	command_fail(call, &busy);
}

static void
on_reload_look(struct timer *t)
{
	struct module_waiting *w =
		CONTAINER_OF(t, struct module_waiting, timer);
	struct command_call *call = w->call;
	struct str name = command_value(call, "name");
	bool is_there = module_find(call->server->modules, name) != NULL;

	if (is_there && call->shard->now_us < w->until_us) {
		shard_timer(call->shard, t, RELOAD_LOOK_US, on_reload_look);
		return;
	}
	free(w);
	server_switch_module(call->server, name, true,
		is_there ? on_reload_on_again : on_reload_on, call);
}

static void
on_reload_off(void *arg, const struct err *err, struct str text)
{
	struct command_call *call = command_call_arg(arg);
	struct shard *sh = call->shard;
	struct module_waiting *w;

	if (err != NULL) {
		on_switched(call, err, text);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->call = call;
	w->until_us = sh->now_us + RELOAD_WAIT_US +
		sh->snap->config->limits.close_timeout_us;
	shard_timer(sh, &w->timer, 0, on_reload_look);
}

static void
on_reload_tried(void *arg, const struct err *err, struct str text)
{
	struct command_call *call = command_call_arg(arg);

	if (err != NULL)
		on_switched(call, err, text);
	else
		server_switch_module(call->server, command_value(call, "name"),
			false, on_reload_off, call);
}

static void
modules_reload_run(struct command_call *call)
{
	server_try_module(call->server, command_value(call, "name"),
		on_reload_tried, call);
}

/* --- the table ---------------------------------------------------------- */

static const struct command_arg name_args[] = {
	{ "name", ARG_TEXT, .help = "the name of the module, such as ping" },
	{ .name = NULL },
};

const struct command command_modules[] = {
	{ "modules hooks", "list handlers in the order in which they run", NULL,
		NULL, .run = modules_hooks_run, .may = BY_OPERATOR },
	{ "modules list", "list the modules in memory", NULL, NULL,
		.run = modules_list_run, .may = BY_OPERATOR },
	{ "modules load", "switch a module on at every host",
		"If it is not in memory, its options are read from the configuration. It holds until all of the configuration is read again.",
		name_args,
		.run = modules_load_run, .may = BY_OPERATOR },
	{ "modules reload", "switch a module off, and on again from its file",
		"Its options are read from the configuration. If the file or the configuration cannot be used, the module stays as it was, and the command says why. While something of it is in use for longer than its connections have to end, it goes on as it was, and the command says so. It holds until all of the configuration is read again.",
		name_args,
		.run = modules_reload_run, .may = BY_OPERATOR },
	{ "modules unload", "switch a module off at every host",
		"It holds until the configuration is read again.", name_args,
		.run = modules_unload_run, .may = BY_OPERATOR },
	{ .name = NULL },
};
