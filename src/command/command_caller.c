/*
 * command_caller.c - who calls a command: whether he may, and what the log says
 * of it.
 *
 * Shard 0, called for every door.  Invariant: nothing of a command has run, and
 * none of its check(), before command_may() has said yes; a row that does not
 * say who may is for operators.
 */
#include "config.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/host.h"
#include "command/command.h"
#include "command/command_int.h"

/* Bytes of a value that are shown in the log. */
#define VALUE_LOGGED ((size_t)256)
#define WHO_TEXT 120

/* --- in words ----------------------------------------------------------- */

static const char *
by_name(unsigned may)
{
	static const char *const names[] = {
		[BY_OPERATOR] = "operators",
		[BY_HOST_ADMIN] = "administrators of a host",
		[BY_OPERATOR | BY_HOST_ADMIN] =
			"operators and administrators of a host",
		[BY_ACCOUNT] = "the account itself",
		[BY_OPERATOR | BY_ACCOUNT] =
			"operators and the account itself",
		[BY_HOST_ADMIN | BY_ACCOUNT] =
			"administrators of a host and the account itself",
		[BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT] =
			"operators, administrators of a host and the account itself",
	};

	return may < COUNT(names) && names[may] != NULL ? names[may] : "nobody";
}

/* Who calls as one of enum command_by, in out. */
static const char *
caller_name(const struct command_caller *caller, unsigned as, char *out,
	size_t n)
{
	if ((as & BY_OPERATOR) != 0)
		snprintf(out, n, "an operator");
	else if ((as & BY_HOST_ADMIN) != 0)
		snprintf(out, n, "an administrator of %.*s",
			STR_ARG(caller->host));
	else if (jid_is_set(caller->account))
		snprintf(out, n, "%.*s", STR_ARG(jid_str(caller->account)));
	else
		snprintf(out, n, "this caller");
	return out;
}

/* --- who may ------------------------------------------------------------ */

static unsigned
command_is_for(const struct command *command)
{
	return command->may != 0 ? command->may : BY_OPERATOR;
}

/* Who calls as this, through his door, cannot give arg at all. */
static bool
arg_is_barred(const struct command_caller *caller, unsigned as,
	const struct command_arg *arg)
{
	switch (arg->type) {
	case ARG_PATH:
	case ARG_FILE:
		/* what a file says is checked by nobody but the command */
		return as != BY_OPERATOR || !caller->door->is_local;
	case ARG_DOMAIN:
		return as == BY_ACCOUNT;
	case ARG_TEXT:
	case ARG_WORDS:
	case ARG_JID:
	case ARG_INT:
	case ARG_SWITCH:
	case ARG_SECRET:
	case ARG_CONFIRM:
		return false;
	}
	return true;
}

static bool
arg_names_somebody(const struct command_arg *arg)
{
	return arg->type == ARG_JID || arg->type == ARG_DOMAIN;
}

/* Is domain host itself, or one of its services?  How it is spelled says
 * nothing: a service has the domain that its option says. */
static bool
domain_is_of(const struct snapshot *snap, struct str domain, struct str host)
{
	const struct host *h = snapshot_host(snap, domain);

	return str_eq(domain, host) ||
		(h != NULL && h->parent != NULL &&
			str_eq(h->parent->domain, host));
}

static bool
value_is_his(const struct snapshot *snap, const struct command_caller *caller,
	unsigned as, const struct command_arg *arg, struct str value)
{
	if (as == BY_OPERATOR || !arg_names_somebody(arg))
		return true;
	if (as == BY_ACCOUNT)
		return jid_eq_bare(jid_trusted(value), caller->account);
	if (arg->type == ARG_JID)
		value = jid_domain(jid_trusted(value));
	return domain_is_of(snap, value, caller->host);
}

/* What keeps him from it is arg, which was given, or has to be. */
static bool
arg_refuse(const struct command_caller *caller, unsigned as,
	const struct command_arg *arg, bool barred, struct err *err)
{
	char who[WHO_TEXT];

	caller_name(caller, as, who, sizeof(who));
	if (barred && as == BY_OPERATOR)
		return err_set(err, ERR_REFUSED,
			"%s: files are named at the server's own machine alone, not by %s",
			arg->name, caller->door->name);
	if (barred)
		return err_set(err, ERR_REFUSED, "%s is not for %s", arg->name,
			who);
	return err_set(err, ERR_REFUSED, "%s: %s may name nothing of another %s",
		arg->name, who, as == BY_ACCOUNT ? "account" : "host");
}

/* Nothing that was given says that it is of his; missing could. */
static bool
scope_refuse(const struct command *command, const struct command_caller *caller,
	unsigned as, const struct command_arg *missing, struct err *err)
{
	char who[WHO_TEXT];

	caller_name(caller, as, who, sizeof(who));
	if (missing != NULL)
		return err_set(err, ERR_REFUSED,
			"%s is missing: %s calls %s for that %s alone",
			missing->name, who, command->name,
			as == BY_ACCOUNT ? "account" : "host");
	return err_set(err, ERR_REFUSED, "%s is for operators, not for %s",
		command->name, who);
}

/* May he as this one? */
static bool
command_may_as(const struct snapshot *snap, const struct command *command,
	const struct command_caller *caller, unsigned as,
	const struct str *values, struct err *err)
{
	const struct command_arg *arg = command->args;
	const struct command_arg *scope = NULL;
	bool named = as == BY_OPERATOR;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		bool given = values != NULL && values[i].p != NULL;
		bool barred = arg_is_barred(caller, as, &arg[i]);

		if (barred ? given || !arg[i].optional :
			     given && !value_is_his(snap, caller, as, &arg[i],
					      values[i]))
			return arg_refuse(caller, as, &arg[i], barred, err);
		if (barred || !arg_names_somebody(&arg[i]))
			continue;
		if (scope == NULL)
			scope = &arg[i];
		named = named || given || values == NULL;
	}
	return named || scope_refuse(command, caller, as, scope, err);
}

bool
command_may(const struct snapshot *snap, const struct command *command,
	const struct command_caller *caller, const struct str *values,
	struct err *err)
{
	unsigned is_for = command_is_for(command);
	unsigned as = is_for & caller->as;
	char who[WHO_TEXT];

	if (as == 0)
		return err_set(err, ERR_REFUSED, "%s is for %s, not for %s",
			command->name, by_name(is_for),
			caller_name(caller, caller->as, who, sizeof(who)));
	for (unsigned one = BY_OPERATOR; one <= BY_ACCOUNT; one <<= 1) {
		if ((as & one) != 0 &&
			command_may_as(snap, command, caller, one, values,
				NULL))
			return true;
	}
	/* of several, the widest says why */
	return command_may_as(snap, command, caller, as & -as, values, err);
}

bool
command_may_give(const struct command *command,
	const struct command_caller *caller, const struct command_arg *arg)
{
	unsigned as = command_is_for(command) & caller->as;

	for (unsigned one = BY_OPERATOR; one <= BY_ACCOUNT; one <<= 1) {
		if ((as & one) != 0 && !arg_is_barred(caller, one, arg))
			return true;
	}
	return false;
}

/* --- the log ------------------------------------------------------------ */

bool
command_arg_is_secret(const struct command_arg *arg)
{
	return arg->type == ARG_SECRET || arg->type == ARG_FILE;
}

/* As the log writes what stands in quotes. */
static void
value_add(struct buf *text, const char *key, struct str value)
{
	buf_printf(text, " %s=\"", key);
	for (size_t i = 0; i < MIN(value.n, VALUE_LOGGED); i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_add_c(text, "\\");
		buf_add(text, &value.p[i], 1);
	}
	buf_add_c(text, "\"");
}

static void
caller_add(struct buf *text, const struct command_caller *caller)
{
	buf_printf(text, " door=%s", caller->door->name);
	if (jid_is_set(caller->account))
		value_add(text, "account", jid_str(caller->account));
	else
		buf_printf(text, " uid=%u", (unsigned)caller->uid);
	if (!jid_is_set(caller->account) && caller->user != NULL)
		value_add(text, "user", str_c(caller->user));
	if (caller->host.n != 0)
		value_add(text, "host", caller->host);
}

/* Who, what, on whom: but for secrets, and for what somebody is told. */
void
command_log(const struct command_call *call)
{
	const struct command_arg *arg = call->command->args;
	struct buf text = BUF_INIT;

	if (!log_enabled(LOG_CTL, LEVEL_INFO))
		return;
	caller_add(&text, &call->caller);
	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		if (call->values[i].p == NULL)
			continue;
		if (arg[i].unlogged || command_arg_is_secret(&arg[i]))
			buf_printf(&text, " %s=...", arg[i].name);
		else
			value_add(&text, arg[i].name, call->values[i]);
	}
	log_info(LOG_CTL, LOG_NOBODY, "command command=\"%s\"%s",
		call->command->name, buf_c(&text));
	buf_done(&text);
}

void
command_log_failure(const struct command_call *call, const struct err *err)
{
	struct buf text = BUF_INIT;

	if (!log_enabled(LOG_CTL, LEVEL_INFO))
		return;
	caller_add(&text, &call->caller);
	log_info(LOG_CTL, LOG_NOBODY,
		"command failed command=\"%s\"%s reason=\"%s\"",
		call->command->name, buf_c(&text), err->text);
	buf_done(&text);
}
