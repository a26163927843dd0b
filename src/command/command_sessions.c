/*
 * command_sessions.c - the commands about sessions: list, close, trace.
 *
 * Shard 0, which sends its questions to the shards that know.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xmpp/datetime.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
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

/* One session, as it was when its shard was visited. */
struct session_entry {
	struct session_entry *next;
	struct str jid, show, peer, tls, cipher, mechanism;
	int64_t bound_us;
	unsigned shard;
	int8_t priority;
};

/* Filled by one shard after the other, read by shard 0 at the end. */
struct session_list {
	struct command_call *call;
	struct arena *arena;
	struct jid who; /* not set: everybody */
	struct session_entry *first;
	struct session_entry **end;
};

static struct str
session_detail(struct arena *a, const struct session *s, const char *what)
{
	return arena_str(a, str_c(session_describe_stream(s, what)));
}

/* As in RFC 6121 §4.7.2.1, and "online" for a presence without it. */
static struct str
list_show_of(struct arena *a, const struct session *s)
{
	struct str show;

	if (!session_is_available(s))
		return STR("unavailable");
	show = session_show(s);
	return show.n != 0 ? arena_str(a, show) : STR("online");
}

static void
list_add(struct session_list *l, const struct session *s)
{
	struct session_entry *e = arena_zalloc(l->arena, sizeof(*e));

	e->jid = arena_str(l->arena, jid_str(session_jid(s)));
	e->show = list_show_of(l->arena, s);
	e->peer = session_detail(l->arena, s, "peer");
	e->tls = session_detail(l->arena, s, "tls");
	e->cipher = session_detail(l->arena, s, "cipher");
	e->mechanism = session_detail(l->arena, s, "mechanism");
	e->bound_us = s->bound_us;
	e->shard = session_shard(s)->index;
	e->priority = s->priority;
	*l->end = e;
	l->end = &e->next;
}

static bool
list_wants(const struct session_list *l, const struct session *s)
{
	struct jid jid = session_jid(s);

	if (!jid_is_set(l->who))
		return true;
	return jid_is_bare(l->who) ? jid_eq_bare(jid, l->who) :
				     jid_eq(jid, l->who);
}

static void
list_visit(struct shard *sh, void *arg)
{
	struct session_list *l = arg;

	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	while ((e = table_step(&sh->entities, &walk)) != NULL) {
		const struct account *acc = account_if(e);

		if (acc == NULL)
			continue;
		for (const struct session *s = acc->sessions; s != NULL;
			s = s->next) {
			if (list_wants(l, s))
				list_add(l, s);
		}
	}
}

static void
list_show(struct command_call *call, const struct session_entry *e)
{
	char since[DATETIME_SIZE];

	command_row(call);
	command_field(call, "jid", e->jid);
	command_field(call, "show", e->show);
	command_number(call, "priority", e->priority);
	command_field(call, "peer", e->peer);
	command_field(call, "tls", e->tls);
	command_field(call, "cipher", e->cipher);
	command_field(call, "mechanism", e->mechanism);
	command_field(call, "since", datetime_format(since, e->bound_us));
	command_number(call, "shard", e->shard);
}

static void
list_end(struct shard *from, void *arg)
{
	struct session_list *l = arg;

	(void)from;
	for (const struct session_entry *e = l->first; e != NULL; e = e->next)
		list_show(l->call, e);
	command_done(l->call);
	arena_free(l->arena);
	free(l);
}

static void
sessions_run(struct command_call *call)
{
	struct session_list *l = xcalloc(1, sizeof(*l));
	struct str who = command_value(call, "jid");

	l->call = call;
	l->arena = arena_new();
	l->end = &l->first;
	if (who.p != NULL)
		l->who = jid_trusted(who);
	shard_visit_all(call->shard, list_visit, list_end, l);
}

/* --- kick --------------------------------------------------------------- */

static void
on_told(void *arg, bool ok, const struct err *err)
{
	if (ok)
		command_done(arg);
	else
		command_fail(arg, err);
}

static void
kick_run(struct command_call *call)
{
	struct jid jid = jid_trusted(command_value(call, "jid"));
	struct str text = command_value(call, "text");

	/* values are NUL-terminated, like all that lies in an arena */
	account_kick(call->shard, jid, jid_resource(jid),
		text.p != NULL ? text.p : KICK_TEXT, on_told, call);
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
		str_is(command_value(call, "state"), "on"), on_told, call);
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
	{ "sessions", "list who is connected", NULL, sessions_args,
		sessions_run, jid_check,
		BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT },
	{ "trace", "write the stanzas of an account to the log",
		"All text in them is replaced by its length. It ends when the account leaves memory, some time after its last session.",
		trace_args, trace_run, trace_check, BY_OPERATOR },
	{ .name = NULL },
};
