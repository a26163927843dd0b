/*
 * command.c - finds commands, checks what they are given, runs them.
 *
 * Shard 0.
 */
#include "config.h"

#include "command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "xmpp/jid.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "core/server.h"
#include "account/account.h"
#include "command/command_int.h"

#define NUMBER_TEXT 24

/* --- answering ---------------------------------------------------------- */

void
command_row(struct command_call *call)
{
	if (call->rows != NULL)
		command_keep(call, NULL, STR_NONE, false);
	else
		call->row(call);
}

static void
command_cell(struct command_call *call, const char *name, struct str text,
	bool is_number)
{
	if (call->rows != NULL)
		command_keep(call, name, text, is_number);
	else
		call->field(call, name, text, is_number);
}

void
command_field(struct command_call *call, const char *name, struct str text)
{
	command_cell(call, name, text, false);
}

void
command_number(struct command_call *call, const char *name, int64_t value)
{
	char text[NUMBER_TEXT];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	command_cell(call, name, str_c(text), true);
}

void
command_text(struct command_call *call, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n == -1)
		abort();
	call->text(call, (struct str){ text, (size_t)n });
	free(text);
}

void
command_when_taken(struct command_call *call, void (*fn)(struct command_call *call))
{
	call->when_taken(call, fn);
}

/* What may hold a secret, in the arena of the call. */
static void
command_wipe(struct command_call *call)
{
	const struct command_arg *arg = call->command->args;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		struct str value = call->values[i];

		if (value.p != NULL && command_arg_is_secret(&arg[i]))
			explicit_bzero((void *)(uintptr_t)value.p, value.n);
	}
}

void
command_done(struct command_call *call)
{
	command_fail(call, NULL);
}

void
command_fail(struct command_call *call, const struct err *err)
{
	struct module_entry *entry = call->entry;

	TAG_CLEAR(call);
	if (err != NULL && !call->check_only)
		command_log_failure(call, err);
	command_wipe(call);
	call->finish(call, err);
	if (entry != NULL)
		module_release(entry);
}

void
command_answered(void *arg, bool ok, const struct err *err)
{
	command_fail(command_call_arg(arg), ok ? NULL : err);
}

/* --- what was given ----------------------------------------------------- */

struct str
command_value(const struct command_call *call, const char *name)
{
	const struct command_arg *arg = call->command->args;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		if (strcmp(arg[i].name, name) == 0)
			return call->values[i];
	}
	return STR_NONE;
}

bool
command_switch(const struct command_call *call, const char *name)
{
	return command_value(call, name).p != NULL;
}

static bool
command_prepare(struct command_call *call, const struct command_arg *arg,
	struct str *value_io, struct err *err)
{
	struct jid jid;
	long long number;

	switch (arg->type) {
	case ARG_JID:
		if (!jid_parse(&jid, call->arena, *value_io, err))
			return err_prefix(err, "%s", arg->name);
		*value_io = jid_str(jid);
		return true;
	case ARG_DOMAIN:
		if (!jid_prep_domain(value_io, call->arena, *value_io, err))
			return err_prefix(err, "%s", arg->name);
		return true;
	case ARG_INT:
		if (!str_to_int(*value_io, INT64_MIN, INT64_MAX, &number))
			return err_set(err, ERR_INVALID,
				"%s: \"%.*s\" is not a number", arg->name,
				STR_ARG(*value_io));
		return true;
	case ARG_TEXT:
	case ARG_WORDS:
	case ARG_SWITCH:
	case ARG_SECRET:
	case ARG_PATH:
	case ARG_FILE:
	case ARG_CONFIRM:
		return true;
	}
	return true;
}

bool
command_serves(const struct command_call *call, struct str domain,
	struct err *err)
{
	return account_host_of(call->server->newest, domain) != NULL ||
		err_set(err, ERR_MISSING,
			"%.*s is not served here, see hosts: in antiphond.yml",
			STR_ARG(domain));
}

/* --- the registry ------------------------------------------------------- */

struct command_table {
	const struct command *rows;
	struct module_entry *entry; /* who brings it; NULL: the house */
};

struct command_registry VEC(struct command_table);

void
command_register_module(struct server *srv, const struct command *table,
	struct module_entry *entry)
{
	struct command_registry *r = srv->commands;

	if (r == NULL)
		r = srv->commands = xcalloc(1, sizeof(*r));
	*vec_push(r) = (struct command_table){ table, entry };
}

void
command_register(struct server *srv, const struct command *table)
{
	command_register_module(srv, table, NULL);
}

void
command_forget_module(struct server *srv, const struct module_entry *entry)
{
	struct command_registry *r = srv->commands;
	uint32_t n = 0;

	for (uint32_t i = 0; r != NULL && i < r->n; i++) {
		if (r->p[i].entry != entry)
			r->p[n++] = r->p[i];
	}
	if (r != NULL)
		r->n = n;
}

void
command_registry_free(struct command_registry *r)
{
	if (r == NULL)
		return;
	vec_done(r);
	free(r);
}

/* The module that brings the command; NULL: it is one of the house's own. */
static struct module_entry *
command_entry(const struct command_registry *r, const struct command *c)
{
	for (uint32_t i = 0; r != NULL && i < r->n; i++) {
		const struct command *row = r->p[i].rows;

		for (; row->name != NULL; row++) {
			if (row == c)
				return r->p[i].entry;
		}
	}
	return NULL;
}

struct listing VEC(const struct command *);

static void
listing_add(struct listing *l, const struct command *table)
{
	for (; table->name != NULL; table++)
		*vec_push(l) = table;
}

static int
by_name(const void *a, const void *b)
{
	const struct command *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The house's own before those of modules that a snapshot names: of two of one
 * name, the first is found. */
static struct listing
command_list(const struct command_registry *r)
{
	struct listing l = { .n = 0 };

	for (uint32_t i = 0; r != NULL && i < r->n; i++) {
		if (r->p[i].entry == NULL)
			listing_add(&l, r->p[i].rows);
	}
	for (uint32_t i = 0; r != NULL && i < r->n; i++) {
		if (r->p[i].entry != NULL &&
			atomic_load(&r->p[i].entry->refs) != 0)
			listing_add(&l, r->p[i].rows);
	}
	if (l.n != 0)
		qsort(l.p, l.n, sizeof(l.p[0]), by_name);
	return l;
}

const struct command *
command_find(struct server *srv, struct str name)
{
	struct listing l = command_list(srv->commands);
	const struct command *found = NULL;

	for (size_t i = 0; i < l.n && found == NULL; i++) {
		if (str_is(name, l.p[i]->name))
			found = l.p[i];
	}
	vec_done(&l);
	return found;
}

void
command_each(struct server *srv, const struct command_caller *caller,
	void (*fn)(void *arg, const struct command *c), void *arg)
{
	struct listing l = command_list(srv->commands);

	for (size_t i = 0; i < l.n; i++) {
		if (command_may(srv->newest, l.p[i], caller, NULL, NULL))
			fn(arg, l.p[i]);
	}
	vec_done(&l);
}

/* --- running ------------------------------------------------------------ */

/* What was not given may be left out, or has not been asked for yet. */
static bool
command_may_lack(const struct command_call *call, const struct command_arg *arg)
{
	return arg->optional ||
		(call->check_only &&
			(arg->type == ARG_SECRET || arg->type == ARG_CONFIRM));
}

static bool
command_is_whole(struct command_call *call, struct err *err)
{
	const struct command_arg *arg = call->command->args;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		if (call->values[i].p == NULL &&
			!command_may_lack(call, &arg[i]))
			return err_set(err, ERR_INVALID, "%s is missing",
				arg[i].name);
	}
	return true;
}

/* Of a service, the first is the module that brings it. */
static bool
command_has_service(const struct command_call *call, struct str domain,
	struct err *err)
{
	const struct host *host = snapshot_host(call->server->newest, domain);

	return (host != NULL && host->service != NULL &&
		       host->modules[0].entry == call->entry) ||
		err_set(err, ERR_MISSING,
			"%.*s is no domain of the module that has this command",
			STR_ARG(domain));
}

static bool
command_domains_fit(struct command_call *call, struct err *err)
{
	const struct command_arg *arg = call->command->args;

	for (size_t i = 0; arg != NULL && arg[i].name != NULL; i++) {
		if (arg[i].service && call->values[i].p != NULL &&
			!command_has_service(call, call->values[i], err))
			return false;
	}
	return true;
}

/* Who may is decided of what was named, so that is prepared first. */
static bool
command_check(struct command_call *call, struct err *err)
{
	const struct command *c = call->command;

	for (size_t i = 0; c->args != NULL && c->args[i].name != NULL; i++) {
		if (call->values[i].p != NULL &&
			!command_prepare(call, &c->args[i], &call->values[i],
				err))
			return false;
	}
	return command_may(call->server->newest, c, &call->caller,
		       call->values, err) &&
		command_is_whole(call, err) &&
		command_domains_fit(call, err) &&
		(c->check == NULL || c->check(call, err));
}

void
command_run(struct command_call *call)
{
	struct err err = ERR_INIT;

	TAG_SET(call, "call");
	call->entry = command_entry(call->server->commands, call->command);
	if (call->entry != NULL)
		module_entry_hold(call->entry);
	if (!call->check_only)
		command_log(call);
	if (!command_check(call, &err))
		command_fail(call, &err);
	else if (call->check_only)
		command_done(call);
	else
		call->command->run(call);
}
