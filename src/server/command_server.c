/*
 * command_server.c - the commands about the server as a whole.
 *
 * Shard 0.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/host.h"
#include "core/shard.h"
#include "server/server_commands.h"
#include "server/server_reload.h"

/* --- reload, show-config ------------------------------------------------ */

void
server_texts(struct command_call *call, struct str text)
{
	struct str line;

	while (text.n != 0) {
		if (!str_cut(text, '\n', &line, &text))
			text = STR_NONE;
		if (line.n != 0)
			command_text(call, "%.*s", STR_ARG(line));
	}
}

static void
on_reloaded(void *arg, const struct err *why, struct str text)
{
	struct command_call *call = command_call_arg(arg);
	struct err err = ERR_INIT;

	server_texts(call, text);
	if (why == NULL) {
		command_done(call);
		return;
	}
	err_set(&err, ERR_INVALID,
		"not reloaded, the configuration before stays in force");
	command_fail(call, &err);
}

static void
reload_run(struct command_call *call)
{
	server_reload(call->server, on_reloaded, call);
}

static void
show_config_run(struct command_call *call)
{
	struct config shown = *call->server->newest->config;
	struct buf out = BUF_INIT;
	struct str text;

	/* as `loglevel' may have set them */
	for (int i = 0; i < LOG_AREAS; i++)
		shown.log.levels[i] = (enum log_level)atomic_load(
			&log_levels[i]);
	config_show(&shown, &out);
	text = buf_str(&out);
	/* the end of the last line is the surface's */
	if (text.n != 0 && text.p[text.n - 1] == '\n')
		text.n--;
	command_text(call, "%.*s", STR_ARG(text));
	buf_done(&out);
	command_done(call);
}

/* --- backup ------------------------------------------------------------- */

static void
backup_run(struct command_call *call)
{
	/* NUL-terminated: it lies in the call's arena */
	store_backup(call->server->store, command_value(call, "file").p,
		&call->shard->mailbox, command_answered, call);
}

/* --- loglevel ----------------------------------------------------------- */

static void
loglevel_show(struct command_call *call, int from, int to)
{
	for (int i = from; i < to; i++) {
		command_row(call);
		command_field(call, "area",
			str_c(log_area_name((enum log_area)i)));
		command_field(call, "level",
			str_c(log_level_name((enum log_level)atomic_load(
				&log_levels[i]))));
	}
	command_done(call);
}

static void
loglevel_run(struct command_call *call)
{
	struct str area_text = command_value(call, "area");
	struct str level_text = command_value(call, "level");
	bool all = area_text.p == NULL || str_is(area_text, "all");
	enum log_area area = LOG_SERVER;
	enum log_level level;
	struct err err = ERR_INIT;
	int from, to;

	if (!all && !log_area_parse(area_text, &area))
		err_set(&err, ERR_MISSING,
			"there is no area \"%.*s\"; without arguments, loglevel lists them",
			STR_ARG(area_text));
	else if (level_text.p != NULL && !log_level_parse(level_text, &level))
		err_set(&err, ERR_INVALID,
			"the level is one of error, warn, info, debug");
	if (err.code != ERR_NONE) {
		command_fail(call, &err);
		return;
	}
	from = all ? 0 : (int)area;
	to = all ? LOG_AREAS : (int)area + 1;
	if (level_text.p == NULL) {
		loglevel_show(call, from, to);
		return;
	}
	for (int i = from; i < to; i++)
		log_set_level((enum log_area)i, level);
	command_done(call);
}

/* --- stop --------------------------------------------------------------- */

static void
stop_run(struct command_call *call)
{
	struct server *srv = call->server;
	struct err err = ERR_INIT;

	if (srv->request_stop == NULL) {
		err_set(&err, ERR_REFUSED, "this server cannot be stopped");
		command_fail(call, &err);
		return;
	}
	command_done(call);
	srv->request_stop(srv);
}

/* --- the table ---------------------------------------------------------- */

static const struct command_arg backup_args[] = {
	{ "file", ARG_PATH,
		.help = "the new file; the server's own user must be able to write it" },
	{ .name = NULL },
};

static const struct command_arg loglevel_args[] = {
	{ "area", ARG_TEXT, .optional = true,
		.help = "what it is about, or all" },
	{ "level", ARG_TEXT, .optional = true,
		.help = "error, warn, info or debug; without it, the level is shown" },
	{ .name = NULL },
};

const struct command command_server[] = {
	{ "backup", "copy the database to a new file while it is in use",
		"The copy is consistent, and complete when the command returns.",
		backup_args, .run = backup_run, .may = BY_OPERATOR },
	{ "loglevel", "show or set how much is logged",
		"An area without a level shows that area. It lasts until the configuration is read again.",
		loglevel_args, .run = loglevel_run, .may = BY_OPERATOR },
	{ "reload", "read the configuration again and put it in force",
		"It takes effect whole, or not at all; mistakes are listed. The log file is opened again too; if it cannot be, or the configuration has mistakes, nothing changes, the log file included. What has to wait for the next start is listed: storage, shards, user and group, the pid file, the control socket and its group, the place of the log, and ports that the server's user may not open.",
		NULL, .run = reload_run, .may = BY_OPERATOR },
	{ "show-config", "print the configuration in force, defaults included",
		"Secrets are left out.", NULL,
		.run = show_config_run, .may = BY_OPERATOR },
	{ "stop", "stop the server",
		"Sessions that can sleep are saved for the next start, all others are closed, and what was written is on disk, when the command returns.",
		NULL, .run = stop_run, .may = BY_OPERATOR },
	{ .name = NULL },
};
