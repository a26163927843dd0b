/*
 * c2s_command.c - the commands about streams of clients.
 *
 * Shard 0.
 */
#include "config.h"

#include "stream/client/c2s_command.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "xmpp/jid.h"
#include "stream/streams.h"

static void
on_drained(void *arg)
{
	command_done(arg);
}

/* Takes the host off text; *rest_out is nothing then, or ':' and a port. */
static bool
host_cut(struct str text, struct arena *a, struct str *rest_out)
{
	struct str inside = { text.p + 1, text.n - 1 };
	struct in6_addr in6;
	struct str host;
	const char *colon;

	if (text.n != 0 && text.p[0] == '[')
		return str_cut(inside, ']', &host, rest_out) &&
			inet_pton(AF_INET6, arena_str(a, host).p, &in6) == 1;
	colon = memchr(text.p, ':', text.n);
	host = text;
	if (colon != NULL)
		host.n = (size_t)(colon - text.p);
	*rest_out = (struct str){ text.p + host.n, text.n - host.n };
	return jid_prep_domain(&host, a, host, NULL);
}

/* RFC 6120 §4.9.3.19: every client will connect there. */
static bool
drain_check(struct command_call *call, struct err *err)
{
	struct str text = command_value(call, "host");
	struct str rest;
	long long port;

	if (host_cut(text, call->arena, &rest) &&
		(rest.n == 0 ||
			(rest.p[0] == ':' &&
				str_to_int((struct str){ rest.p + 1,
						   rest.n - 1 },
					1, 65535, &port))))
		return true;
	return err_set(err, ERR_INVALID,
		"\"%.*s\" is no host; expected one such as xmpp2.example.org, 192.0.2.1:5222 or [2001:db8::1]:5222",
		STR_ARG(text));
}

static void
drain_run(struct command_call *call)
{
	/* NUL-terminated: it lies in the call's arena */
	streams_drain(call->server, command_value(call, "host").p, on_drained, call);
}

static const struct command_arg drain_args[] = {
	{ "host", ARG_TEXT,
		.help = "where they are to go, with or without a port" },
	{ "yes", ARG_CONFIRM, .option = true,
		.help = "do not ask whether that is meant" },
	{ .name = NULL },
};

const struct command c2s_commands[] = {
	{ "drain", "send all clients to another server",
		"Streams that have logged in end with <see-other-host/>; new ones are accepted as before. Whoever sits at the terminal is asked first; a script says --yes.",
		drain_args, drain_run, drain_check, BY_OPERATOR },
	{ .name = NULL },
};
