/*
 * c2s_command.c - the commands about streams of clients.
 *
 * Shard 0.
 */
#include "config.h"

#include "stream/c2s_command.h"

#include "base/err.h"
#include "stream/c2s.h"

static void
on_drained(void *arg)
{
	command_done(arg);
}

static void
drain_run(struct command_call *call)
{
	struct str host = command_value(call, "host");
	struct err err = ERR_INIT;

	if (host.n == 0) {
		err_set(&err, ERR_INVALID, "host is empty");
		command_fail(call, &err);
		return;
	}
	/* NUL-terminated: it lies in the call's arena */
	c2s_drain(call->server, host.p, on_drained, call);
}

static const struct command_arg drain_args[] = {
	{ "host", ARG_TEXT,
		.help = "where they are to go, with or without a port" },
	{ .name = NULL },
};

const struct command c2s_commands[] = {
	{ "drain", "send all clients to another server",
		"Streams that have logged in end with <see-other-host/>; new ones are accepted as before.",
		drain_args, drain_run },
	{ .name = NULL },
};
