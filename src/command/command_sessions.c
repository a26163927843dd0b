/*
 * command_sessions.c - the commands about sessions: list, close, trace.
 *
 * Shard 0, which sends its questions to the shards that know.
 */
#include "config.h"

#include "base/err.h"
#include "xmpp/datetime.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "account/session_quiet.h"
#include "command/commands.h"

#define KICK_TEXT "Closed by an administrator"

/* The argument "jid", if it is given, lies in a domain of ours. */
static bool
jid_check(struct command_call *call, struct err *err)
{
	struct str jid = command_value(call, "jid");

	return jid.p == NULL ||
		command_serves(call, jid_domain(jid_trusted(jid)), err);
}

/* Of an account, or of one session. */
static bool
account_check(struct command_call *call, struct err *err)
{
	struct jid jid = jid_trusted(command_value(call, "jid"));

	if (jid.local_len == 0)
		return err_set(err, ERR_INVALID,
			"%.*s is not an address of the form user@domain",
			STR_ARG(jid_str(jid)));
	return command_serves(call, jid_domain(jid), err);
}

/* --- sessions ----------------------------------------------------------- */

/* As in RFC 6121 §4.7.2.1, and "online" for a presence without it; what others do not
 * see is not shown here either. */
static struct str
list_show_of(const struct session *s)
{
	struct str show;

	if (!session_is_available(s))
		return STR("unavailable");
	if (s->invisible)
		return STR("invisible");
	show = session_show(s);
	return show.n != 0 ? show : STR("online");
}

/* XEP-0115: what it calls itself. */
static struct str
list_client_of(const struct session *s)
{
	return session_is_available(s) ? session_caps(s).node : STR_NONE;
}

/* Does it sleep, since when, and what waits for it? */
static void
list_state(struct command_call *call, const struct session *s)
{
	struct session_backlog waits = session_backlog(s);
	int64_t since_us = session_asleep_since(s);
	char since[DATETIME_SIZE];
	uint32_t held;
	size_t held_bytes = session_quiet_bytes(s, &held);

	command_field(call, "state",
		since_us != 0 ? STR("asleep") : STR("attached"));
	command_field(call, "asleep_since",
		since_us != 0 ? datetime_format(since, since_us) : STR(""));
	command_number(call, "waits", waits.stanzas);
	command_number(call, "waits_bytes", (int64_t)waits.bytes);
	command_number(call, "held", held);
	command_number(call, "held_bytes", (int64_t)held_bytes);
}

static void
list_stream(struct command_call *call, const struct session *s, const char *what)
{
	command_field(call, what, str_c(session_describe_stream(s, what)));
}

static void
list_session(struct command_call *call, const struct session *s)
{
	char since[DATETIME_SIZE];

	command_row(call);
	command_field(call, "jid", jid_str(session_jid(s)));
	list_state(call, s);
	command_field(call, "show", list_show_of(s));
	command_number(call, "priority", s->priority);
	command_field(call, "client", list_client_of(s));
	list_stream(call, s, "peer");
	list_stream(call, s, "tls");
	list_stream(call, s, "cipher");
	list_stream(call, s, "mechanism");
	command_field(call, "since", datetime_format(since, s->bound_us));
	command_number(call, "shard", session_shard(s)->index);
}

/* who may be of all, of an account, or of one session. */
static bool
list_wants(struct str who, const struct session *s)
{
	struct jid jid = session_jid(s), wanted;

	if (who.p == NULL)
		return true;
	wanted = jid_trusted(who);
	return jid_is_bare(wanted) ? jid_eq_bare(jid, wanted) :
				     jid_eq(jid, wanted);
}

static void
list_account(struct command_call *call, struct entity *e)
{
	struct str who = command_value(call, "jid");
	const struct session *s = account_of(e)->sessions;

	for (; s != NULL; s = s->next) {
		if (list_wants(who, s))
			list_session(call, s);
	}
}

static void
sessions_run(struct command_call *call)
{
	command_visit(call, &account_class, STR_NONE, list_account);
}

/* --- kick --------------------------------------------------------------- */

static void
kick_run(struct command_call *call)
{
	struct jid jid = jid_trusted(command_value(call, "jid"));
	struct str text = command_value(call, "text");

	/* values are NUL-terminated, like all that lies in an arena */
	account_kick(call->shard, jid, jid_resource(jid),
		text.p != NULL ? text.p : KICK_TEXT, command_answered, call);
}

/* --- trace -------------------------------------------------------------- */

static bool
trace_check(struct command_call *call, struct err *err)
{
	struct str what = command_value(call, "state");

	if (!str_is(what, "on") && !str_is(what, "off"))
		return err_set(err, ERR_INVALID, "state is \"on\" or \"off\"");
	return account_check(call, err);
}

static void
trace_run(struct command_call *call)
{
	account_trace(call->shard, jid_trusted(command_value(call, "jid")),
		str_is(command_value(call, "state"), "on"), command_answered, call);
}

/* --- the table ---------------------------------------------------------- */

static const struct command_arg sessions_args[] = {
	{ "jid", ARG_JID, .optional = true,
		.help = "only sessions of this account, or this one session" },
	{ .name = NULL },
};

static const struct command_arg kick_args[] = {
	{ "jid", ARG_JID,
		.help = "an account, or one session with its resource" },
	{ "text", ARG_TEXT, .optional = true, .option = true,
		.help = "what the user is told", .unlogged = true },
	{ .name = NULL },
};

static const struct command_arg trace_args[] = {
	{ "jid", ARG_JID, .help = "the address of the account" },
	{ "state", ARG_TEXT, .help = "on or off" },
	{ .name = NULL },
};

const struct command command_sessions[] = {
	{ "kick", "close the sessions of a user",
		"The stream ends with <policy-violation/>; nothing keeps the user from coming back.",
		kick_args, kick_run, account_check,
		BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT },
	{ "sessions", "list who is connected, or asleep",
		"One that is asleep has lost its connection, at asleep_since, and waits for its client to resume it. waits is how many stanzas wait for its client to acknowledge them, waits_bytes their size. held is how many stanzas, of held_bytes, it is not shown before somebody looks at it (XEP-0352), or something urgent comes; those of one that is asleep count in waits, too. show is invisible where others see it gone (XEP-0186). client is what it calls itself, if it does (XEP-0115). since is when it was bound.",
		sessions_args,
		sessions_run, jid_check,
		BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT },
	{ "trace", "write the stanzas of an account to the log",
		"All text in them is replaced by its length. It ends when the account leaves memory, some time after its last session.",
		trace_args, trace_run, trace_check, BY_OPERATOR },
	{ .name = NULL },
};
