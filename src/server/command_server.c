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

/* --- compact ------------------------------------------------------------ */

static void
bytes_field(struct command_call *call, const char *name, uint64_t bytes)
{
	command_number(call, name, (int64_t)MIN(bytes, (uint64_t)INT64_MAX));
}

static void
room_show(struct command_call *call, const struct store_room *room)
{
	command_row(call);
	command_field(call, "database",
		str_c(store_path(call->server->store)));
	bytes_field(call, "bytes", room->file_bytes);
	bytes_field(call, "bytes_free", room->free_bytes);
}

static void
needs_show(struct command_call *call, const struct store_room *room)
{
	command_field(call, "writes", room->in_slices ? STR("ok meanwhile") :
		STR("refused meanwhile"));
	if (!room->in_slices) {
		command_field(call, "folder", str_c(room->own.folder));
		bytes_field(call, "needed", room->own.needs_bytes);
		bytes_field(call, "room", room->own.has_bytes);
	}
	if (!room->in_slices && !room->one_disk) {
		command_field(call, "temporary_folder",
			str_c(room->temporary.folder));
		bytes_field(call, "temporary_needed",
			room->temporary.needs_bytes);
		bytes_field(call, "temporary_room", room->temporary.has_bytes);
	}
	bytes_field(call, "seconds", room->about_s);
	if (room->missing.code != ERR_NONE)
		command_field(call, "missing", str_c(room->missing.text));
	else
		command_field(call, "advice",
			STR("nothing was done; antiphonctl compact --yes does it"));
}

static void
on_room_found(void *arg, const struct store_room *room, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	room_show(call, room);
	needs_show(call, room);
	command_done(call);
}

static void
on_compacted(void *arg, const struct store_room *room, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	log_info(LOG_STORE, LOG_NOBODY, "the database is smaller bytes=%llu",
		(unsigned long long)room->file_bytes);
	room_show(call, room);
	command_done(call);
}

static void
compact_run(struct command_call *call)
{
	bool go = command_switch(call, "yes");

	store_compact(call->server->store, go, &call->shard->mailbox,
		go ? on_compacted : on_room_found, call);
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

static const struct command_arg compact_args[] = {
	{ "yes", ARG_SWITCH, .optional = true, .option = true,
		.help = "do it" },
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
	{ "compact", "make the database as small as it can be",
		"Without --yes it says what that needs, and nothing is done. bytes_free of the file hold nothing. A database that was made by this version or a later one gives that back in small parts, while all goes on; so it does by itself, but for an eighth of the file. An older one is written anew, once, and is like a new one then: what has to be stored is refused until that is done, as while a disk is full, clients stay connected, and what was stored can be read; the log says when it begins and ends. For that there has to be room beside it and in the folder of temporary files, which the environment of the server may name (SQLITE_TMPDIR, TMPDIR), for what the file holds, once each; seconds is a guess. If the server stops meanwhile, or there is no room after all, the database is as it was.",
		compact_args, .run = compact_run, .may = BY_OPERATOR },
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
