/*
 * command_accounts.c - the commands about accounts: create, remove, change,
 * list.
 *
 * Shard 0.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/worker.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/account_batch.h"
#include "account/credentials.h"
#include "command/commands.h"

/* Accounts that are read at once for a list. */
#define USERS_PAGE 500

static struct jid
account_arg(const struct command_call *call)
{
	return jid_trusted(command_value(call, "jid"));
}

/* The argument "jid" is the address of an account here, if there is one. */
static bool
account_check(struct command_call *call, struct err *err)
{
	struct jid jid = account_arg(call);

	if (jid.local_len == 0 || !jid_is_bare(jid))
		return err_set(err, ERR_INVALID,
			"%.*s is not an address of the form user@domain",
			STR_ARG(jid_str(jid)));
	return command_serves(call, jid_domain(jid), err);
}

/* --- passwords ---------------------------------------------------------- */

/* Derives keys on the worker, then calls account_create() or
 * account_set_credentials(). */
struct derivation {
	struct command_call *call;
	struct jid jid;
	struct str password;
	uint32_t iterations;
	struct rand_source *rand;
	struct credentials creds;
	struct err err;
	bool creates;
};

static void
derivation_work(void *arg)
{
	struct derivation *d = arg;

	credentials_derive(&d->creds, d->password, SCRAM_ALL, d->iterations,
		d->rand, &d->err);
}

static void
derivation_done(void *arg)
{
	struct derivation *d = arg;
	struct shard *sh = d->call->shard;
	struct buf text = BUF_INIT;

	if (d->err.code != ERR_NONE) {
		command_fail(d->call, &d->err);
	} else {
		credentials_format(&text, &d->creds);
		if (d->creates)
			account_create(sh, d->jid, buf_str(&text),
				command_answered, d->call);
		else
			account_set_credentials(sh, d->jid, buf_str(&text),
				STR_NONE, command_answered, d->call);
		explicit_bzero(text.p, text.n);
		buf_done(&text);
	}
	mem_wipe_free(d, sizeof(*d));
}

static void
password_run(struct command_call *call, bool creates)
{
	struct jid jid = account_arg(call);
	struct derivation *d;

	d = xcalloc(1, sizeof(*d));
	d->call = call;
	d->jid = jid;
	d->password = command_value(call, "password");
	d->iterations = (uint32_t)shard_host(call->shard, jid_domain(jid))
				->conf->auth.scram_iterations;
	d->rand = call->server->rand;
	d->creates = creates;
	worker_run(call->server->worker, derivation_work,
		&call->shard->mailbox, derivation_done, d);
}

/* --- adduser ------------------------------------------------------------ */

static void
on_batch_created(void *arg)
{
	struct command_call *call = command_call_arg(arg);
	struct account_batch *b = call->state;
	struct err err = ERR_INIT;
	size_t failed = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct batch_line *l = &b->lines[i];

		if (l->err.code == ERR_NONE)
			continue;
		failed++;
		command_row(call);
		command_field(call, "jid", l->text);
		command_field(call, "reason", str_c(l->err.text));
	}
	if (failed != 0)
		err_set(&err, ERR_CONFLICT,
			"%zu of %zu accounts were not created", failed, b->n);
	account_batch_done(b);
	free(b);
	if (failed != 0)
		command_fail(call, &err);
	else
		command_done(call);
}

static void
adduser_batch(struct command_call *call)
{
	struct account_batch *b = xcalloc(1, sizeof(*b));
	struct err err = ERR_INIT;

	if (!account_batch_parse(b, command_value(call, "batch"), call->arena,
		    &err)) {
		free(b);
		command_fail(call, &err);
		return;
	}
	call->state = b;
	account_batch_create(call->shard, b, on_batch_created, call);
}

static bool
adduser_check(struct command_call *call, struct err *err)
{
	bool batch = command_value(call, "batch").p != NULL;
	bool jid = command_value(call, "jid").p != NULL;

	if (batch == jid)
		return err_set(err, ERR_INVALID,
			"one of the two: an address, or --batch FILE");
	if (jid && !call->check_only &&
		command_value(call, "password").p == NULL)
		return err_set(err, ERR_INVALID, "password is missing");
	return batch || account_check(call, err);
}

static void
adduser_run(struct command_call *call)
{
	if (command_value(call, "batch").p != NULL)
		adduser_batch(call);
	else
		password_run(call, true);
}

/* --- passwd, deluser ---------------------------------------------------- */

static void
passwd_run(struct command_call *call)
{
	password_run(call, false);
}

static void
deluser_run(struct command_call *call)
{
	account_remove(call->shard, account_arg(call), command_answered, call);
}

/* --- users -------------------------------------------------------------- */

/* Goes through the hosts, and in each through pages of accounts. */
struct users {
	struct command_call *call;
	struct arena *arena;
	const struct str *domains;
	size_t n;
	size_t at;
	char *after; /* the last one of the page before; NULL: the first page */
};

static void users_page(struct users *u);

static void
users_end(struct users *u, const struct err *err)
{
	struct command_call *call = u->call;

	free(u->after);
	free(u);
	if (err != NULL)
		command_fail(call, err);
	else
		command_done(call);
}

static void
on_users_page(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct users *u = arg;
	struct str domain = u->domains[u->at];

	if (err != NULL) {
		users_end(u, err);
		return;
	}
	for (size_t i = 0; i < answer->n; i++) {
		struct str local = answer->entries[i].key;
		char text[JID_MAX + 1];

		command_row(u->call);
		snprintf(text, sizeof(text), "%.*s@%.*s", STR_ARG(local),
			STR_ARG(domain));
		command_field(u->call, "jid", str_c(text));
	}
	free(u->after);
	u->after = NULL;
	if (answer->n != 0 && !answer->complete)
		u->after = str_dup(answer->entries[answer->n - 1].key);
	else
		u->at++;
	users_page(u);
}

static void
users_page(struct users *u)
{
	if (u->at == u->n) {
		users_end(u, NULL);
		return;
	}
	store_owners(u->call->server->store, u->domains[u->at],
		STR(MAP_ACCOUNT), str_c(u->after), USERS_PAGE,
		&u->call->shard->mailbox, on_users_page, u);
}

static bool
users_check(struct command_call *call, struct err *err)
{
	struct str domain = command_value(call, "domain");

	return domain.p == NULL || command_serves(call, domain, err);
}

static void
users_run(struct command_call *call)
{
	const struct config *conf = call->server->newest->config;
	struct str domain = command_value(call, "domain");
	struct users *u = xcalloc(1, sizeof(*u));
	struct str *domains;

	domains = arena_alloc(call->arena,
		(conf->n_hosts + 1) * sizeof(domains[0]));
	if (domain.p != NULL)
		domains[u->n++] = domain;
	for (size_t i = 0; domain.p == NULL && i < conf->n_hosts; i++)
		domains[u->n++] =
			arena_str(call->arena, str_c(conf->hosts[i].domain));
	u->domains = domains;
	u->call = call;
	users_page(u);
}

/* --- the table ---------------------------------------------------------- */

static const struct command_arg adduser_args[] = {
	{ "jid", ARG_JID, .optional = true, .help = "the new address" },
	{ "password", ARG_SECRET, .optional = true, .help = "its password" },
	{ "batch", ARG_FILE, .optional = true, .option = true,
		.help = "create the accounts in this file instead" },
	{ .name = NULL },
};

static const struct command_arg jid_args[] = {
	{ "jid", ARG_JID, .help = "the address of the account" },
	{ .name = NULL },
};

static const struct command_arg passwd_args[] = {
	{ "jid", ARG_JID, .help = "the address of the account" },
	{ "password", ARG_SECRET, .help = "the new password" },
	{ .name = NULL },
};

static const struct command_arg users_args[] = {
	{ "domain", ARG_DOMAIN, .optional = true,
		.help = "only accounts of this host" },
	{ .name = NULL },
};

/* An account changes its own password, and removes itself, by what has options
 * that say whether it may (XEP-0077). */
const struct command command_accounts[] = {
	{ "adduser", "create an account",
		"Each line of a batch file is an address, a blank, and a password or SCRAM verifiers in the form SCRAM-SHA-256$iterations:salt$stored-key:server-key, several separated by blanks. Accounts that cannot be created are listed with the reason; the others are created all the same.",
		adduser_args, adduser_run, adduser_check,
		BY_OPERATOR | BY_HOST_ADMIN },
	{ "deluser", "remove an account and all that it stored",
		"Its sessions are closed, and its contacts are told.", jid_args,
		deluser_run, account_check, BY_OPERATOR | BY_HOST_ADMIN },
	{ "passwd", "set the password of an account",
		"All sessions of the account are closed.", passwd_args,
		passwd_run, account_check, BY_OPERATOR | BY_HOST_ADMIN },
	{ "users", "list accounts", NULL, users_args, users_run, users_check,
		BY_OPERATOR | BY_HOST_ADMIN },
	{ .name = NULL },
};
