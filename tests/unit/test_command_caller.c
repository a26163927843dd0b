/* Who may call which command, through which door, on whom. */
#include "config.h"

#include "command/command.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "core/host.h"
#include "core/server.h"
#include "command/command_int.h"
#include "server/server_commands.h"
#include "stream/client/c2s_command.h"
#include "test.h"

/* --- a server that has nothing but hosts -------------------------------- */

#define BUECHER "b\xC3\xBC" "cher.example"

enum { ORG, NET, IDN, ECHO, ROOMS, CHAT, HOSTS_MADE };

static const struct {
	const char *domain;
	int parent; /* -1: it is no service */
} domains[HOSTS_MADE] = {
	[ORG] = { "example.org", -1 },
	[NET] = { "example.net", -1 },
	[IDN] = { BUECHER, -1 },
	[ECHO] = { "echo.example.org", ORG },
	/* what a service is called says nothing about whose it is */
	[ROOMS] = { "rooms.example.net", ORG },
	[CHAT] = { "chat.example.org", NET },
};

struct house {
	struct server server;
	struct snapshot snap;
	struct host hosts[HOSTS_MADE];
};

static void
house_init(struct house *h)
{
	memset(h, 0, sizeof(*h));
	log_set_level(LOG_CTL, LEVEL_ERROR);
	h->snap.server = &h->server;
	h->server.newest = &h->snap;
	for (size_t i = 0; i < HOSTS_MADE; i++) {
		h->hosts[i].domain = str_c(domains[i].domain);
		if (domains[i].parent != -1)
			h->hosts[i].parent = &h->hosts[domains[i].parent];
		snapshot_add(&h->snap, &h->hosts[i]);
	}
	commands_register(&h->server);
	command_register(&h->server, c2s_commands);
}

static void
house_done(struct house *h)
{
	HASH_CLEAR(hh, h->snap.hosts);
	command_registry_free(h->server.commands);
}

/* --- who calls ---------------------------------------------------------- */

static const struct command_door here = { .name = "here", .is_local = true };
static const struct command_door there = { .name = "there" };

/* Letters: of the whole server, of example.org, its account romeo, all that
 * romeo could be, and somebody who is nothing. */
static struct command_caller
caller_of(char who, const struct command_door *door)
{
	struct command_caller c = { .door = door };

	if (who == 'O')
		c.as = BY_OPERATOR;
	if (who == 'H' || who == 'B') {
		c.as |= BY_HOST_ADMIN;
		c.host = STR("example.org");
	}
	if (who == 'I') {
		c.as |= BY_HOST_ADMIN;
		c.host = STR(BUECHER);
	}
	if (who == 'A' || who == 'B') {
		c.as |= BY_ACCOUNT;
		c.account = jid_trusted(STR("romeo@example.org"));
	}
	return c;
}

/* --- what a door offers ------------------------------------------------- */

/* Every command that there is. */
static const struct {
	const char *name, *here, *there; /* the letters of those who may */
} rows[] = {
	{ "adduser", "OHB", "OHB" },
	{ "backup", "O", "" },
	{ "check-dns", "O", "O" },
	{ "compact", "O", "O" },
	{ "components kick", "O", "O" },
	{ "components list", "O", "O" },
	{ "components show", "O", "O" },
	{ "deluser", "OHB", "OHB" },
	{ "drain", "O", "O" },
	{ "kick", "OHAB", "OHAB" },
	{ "loglevel", "O", "O" },
	{ "modules hooks", "O", "O" },
	{ "modules list", "O", "O" },
	{ "modules load", "O", "O" },
	{ "modules reload", "O", "O" },
	{ "modules unload", "O", "O" },
	{ "passwd", "OHB", "OHB" },
	{ "reload", "O", "O" },
	{ "sessions", "OHAB", "OHAB" },
	{ "show-config", "O", "O" },
	{ "stats", "O", "O" },
	{ "status", "O", "O" },
	{ "stop", "O", "O" },
	{ "trace", "O", "O" },
	{ "users", "OHB", "OHB" },
};

struct offer {
	const char *letters[COUNT(rows)];
	size_t n;
};

static void
on_offered(void *arg, const struct command *c)
{
	struct offer *o = arg;

	CHECK(o->n < COUNT(rows));
	o->letters[o->n++] = c->name;
}

static void
check_offer(struct house *h, char who, const struct command_door *door)
{
	struct command_caller caller = caller_of(who, door);
	struct offer o = { .n = 0 };
	size_t n = 0;

	command_each(&h->server, &caller, on_offered, &o);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *may = door == &here ? rows[i].here : rows[i].there;
		char label[64];

		snprintf(label, sizeof(label), "%s, %c, %s", rows[i].name, who,
			door->name);
		TEST_CASE(label);
		if (strchr(may, who) == NULL)
			continue;
		CHECK(n < o.n);
		CHECK_CSTR(o.letters[n++], rows[i].name);
	}
	CHECK_INT(o.n, n);
}

/* --- calls -------------------------------------------------------------- */

struct outcome {
	struct command_call call; /* first */
	struct err err;
	unsigned checked, run, finished;
};

static bool
on_check(struct command_call *call, struct err *err)
{
	(void)err;
	((struct outcome *)(void *)call)->checked++;
	return true;
}

static void
on_run(struct command_call *call)
{
	((struct outcome *)(void *)call)->run++;
	command_done(call);
}

static void
on_finish(struct command_call *call, const struct err *err)
{
	struct outcome *o = (struct outcome *)(void *)call;

	o->finished++;
	if (err != NULL)
		o->err = *err;
}

/* Calls what is called name, with these arguments, but does not run it. */
static void
call(struct house *h, struct outcome *o, const char *name,
	struct command_caller caller, const char *const (*args)[2])
{
	struct command copy = *command_find(&h->server, str_c(name));
	struct arena *a = arena_new();
	struct str values[8] = { { NULL, 0 } };

	*o = (struct outcome){
		.call = {
			.server = &h->server,
			.command = &copy,
			.caller = caller,
			.arena = a,
			.values = values,
			.finish = on_finish,
		},
	};
	copy.check = on_check;
	copy.run = on_run;
	for (; (*args)[0] != NULL; args++) {
		size_t i = 0;

		while (strcmp(copy.args[i].name, (*args)[0]) != 0)
			i++;
		values[i] = arena_str(a, str_c((*args)[1]));
	}
	command_run(&o->call);
	CHECK_INT(o->finished, 1);
	CHECK_INT(o->run, o->checked);
	CHECK_INT(o->run, o->err.code == ERR_NONE);
	arena_free(a);
}

TEST(a_door_offers_what_may_be_called)
{
	struct house h;

	house_init(&h);
	for (const char *who = "OHABN"; *who != '\0'; who++) {
		check_offer(&h, *who, &here);
		check_offer(&h, *who, &there);
	}
	house_done(&h);
}

/* Whom a door does not offer a command does not get it by its name. */
TEST(what_is_not_offered_is_refused)
{
	static const char *const none[1][2] = { { NULL, NULL } };
	struct house h;
	struct outcome o;

	house_init(&h);
	for (size_t i = 0; i < COUNT(rows); i++) {
		TEST_CASE(rows[i].name);
		for (const char *who = "OHABN"; *who != '\0'; who++) {
			call(&h, &o, rows[i].name, caller_of(*who, &there),
				none);
			if (strchr(rows[i].there, *who) != NULL)
				continue;
			CHECK_INT(o.run, 0);
			CHECK_INT(o.err.code, ERR_REFUSED);
		}
	}
	house_done(&h);
}

/* Does the caller get as far as the command with one argument? */
static bool
may(struct house *h, const char *name, char who, const char *arg,
	const char *value)
{
	const char *const args[][2] = { { arg, value }, { NULL, NULL } };
	struct outcome o;

	call(h, &o, name, caller_of(who, &there), args);
	return o.run == 1;
}

static const struct {
	const char *jid;
	const char *who; /* of H I A */
} named[] = {
	{ "romeo@example.org", "HA" },
	{ "ROMEO@EXAMPLE.ORG", "HA" },
	{ "romeo@example.org.", "HA" },
	{ "romeo@example.org/desk", "HA" },
	{ "romeo@example.org/x@example.net", "HA" },
	{ "juliet@example.org", "H" },
	{ "juliet@example.org/romeo@example.org", "H" },
	{ "example.org", "H" },
	{ "example.org/romeo@example.org", "H" },
	/* services: whose they are, not what they are called */
	{ "x@echo.example.org", "H" },
	{ "echo.example.org", "H" },
	{ "romeo@echo.example.org", "H" },
	{ "x@rooms.example.net", "H" },
	{ "x@ROOMS.example.net.", "H" },
	{ "x@chat.example.org", "" },
	{ "x@CHAT.Example.Org.", "" },
	{ "chat.example.org", "" },
	/* nobody's */
	{ "x@none.example.org", "" },
	{ "x@example.org.example.net", "" },
	{ "x@xexample.org", "" },
	/* of another host */
	{ "romeo@example.net", "" },
	{ "ROMEO@EXAMPLE.NET", "" },
	{ "romeo@example.net.", "" },
	{ "EXAMPLE.NET.", "" },
	{ "romeo@example.net/example.org", "" },
	{ "romeo@example.net/romeo@example.org", "" },
	{ "romeo@example.net/@example.org", "" },
	{ "romeo@\xEF\xBD\x85xample.net", "" }, /* a wide e */
	{ "romeo@example\xE3\x80\x82net", "" }, /* an ideographic stop */
	/* an international one, in each of its forms */
	{ "x@" BUECHER, "I" },
	{ "x@B\xC3\x9C" "CHER.example", "I" },
	{ "x@bu\xCC\x88" "cher.example", "I" },
	{ "x@xn--bcher-kva.example", "I" },
	{ "x@XN--BCHER-KVA.EXAMPLE.", "I" },
	{ "x@bucher.example", "" },
};

TEST(what_is_named_is_his_however_it_is_written)
{
	struct house h;

	house_init(&h);
	for (size_t i = 0; i < COUNT(named); i++) {
		TEST_CASE(named[i].jid);
		for (const char *who = "HIA"; *who != '\0'; who++)
			CHECK_INT(may(&h, "kick", *who, "jid", named[i].jid),
				strchr(named[i].who, *who) != NULL);
		/* who is both may what one of them may */
		CHECK_INT(may(&h, "kick", 'B', "jid", named[i].jid),
			strchr(named[i].who, 'H') != NULL);
	}
	house_done(&h);
}

static const struct {
	const char *domain;
	bool ok;
} of_org[] = {
	{ "example.org", true },
	{ "EXAMPLE.ORG.", true },
	{ "rooms.example.net", true },
	{ "example.net", false },
	{ "Example.Net.", false },
	{ "chat.example.org", false },
	{ BUECHER, false },
	{ "xn--bcher-kva.example", false },
};

TEST(a_domain_that_is_named_is_his)
{
	struct house h;

	house_init(&h);
	for (size_t i = 0; i < COUNT(of_org); i++) {
		TEST_CASE(of_org[i].domain);
		CHECK_INT(may(&h, "users", 'H', "domain", of_org[i].domain),
			of_org[i].ok);
		CHECK(may(&h, "users", 'O', "domain", of_org[i].domain));
		CHECK(!may(&h, "users", 'A', "domain", of_org[i].domain));
	}
	house_done(&h);
}

/* --- what is refused says why ------------------------------------------- */

static const struct {
	const char *name;
	const char *const args[3][2];
	char who;
	const struct command_door *door;
	const char *why; /* NULL: it is not refused */
} calls[] = {
	{ "status", { { NULL } }, 'O', &here, NULL },
	{ "status", { { NULL } }, 'H', &here,
		"status is for operators, not for an administrator of example.org" },
	{ "status", { { NULL } }, 'A', &there,
		"status is for operators, not for romeo@example.org" },
	{ "status", { { NULL } }, 'N', &there,
		"status is for operators, not for this caller" },
	{ "users", { { NULL } }, 'A', &there,
		"users is for operators and administrators of a host, not for romeo@example.org" },
	{ "users", { { NULL } }, 'O', &there, NULL },
	{ "users", { { NULL } }, 'H', &there,
		"domain is missing: an administrator of example.org calls users for that host alone" },
	{ "sessions", { { NULL } }, 'H', &there,
		"jid is missing: an administrator of example.org calls sessions for that host alone" },
	{ "sessions", { { NULL } }, 'A', &there,
		"jid is missing: romeo@example.org calls sessions for that account alone" },
	{ "sessions", { { "jid", "a@example.net" } }, 'H', &there,
		"jid: an administrator of example.org may name nothing of another host" },
	{ "sessions", { { "jid", "juliet@example.org" } }, 'A', &there,
		"jid: romeo@example.org may name nothing of another account" },
	{ "sessions", { { "jid", "@" } }, 'H', &there, "jid: " },
	{ "backup", { { "file", "/tmp/x" } }, 'O', &here, NULL },
	{ "backup", { { "file", "/tmp/x" } }, 'O', &there,
		"file: files are named at the server's own machine alone, not by there" },
	{ "backup", { { NULL } }, 'O', &here, "file is missing" },
	{ "adduser", { { "batch", "a@example.org x" } }, 'O', &here, NULL },
	{ "adduser", { { "batch", "a@example.org x" } }, 'O', &there,
		"batch: files are named" },
	{ "adduser", { { "jid", "a@example.org" }, { "batch", "b@x y" } }, 'H',
		&here, "batch is not for an administrator of example.org" },
	{ "adduser", { { "jid", "a@example.org" }, { "password", "x" } }, 'H',
		&there, NULL },
	{ "passwd", { { "jid", "a@example.net" }, { "password", "x" } }, 'H',
		&there, "jid: an administrator" },
	{ "passwd", { { "jid", "romeo@example.org" }, { "password", "x" } },
		'A', &there, "passwd is for operators and administrators" },
};

TEST(who_is_refused_is_told_why)
{
	struct house h;

	house_init(&h);
	for (size_t i = 0; i < COUNT(calls); i++) {
		const char *why = calls[i].why;
		struct outcome o;

		TEST_CASE(why != NULL ? why : calls[i].name);
		call(&h, &o, calls[i].name,
			caller_of(calls[i].who, calls[i].door), calls[i].args);
		CHECK_INT(o.run, why == NULL);
		if (why != NULL &&
			strncmp(o.err.text, why, strlen(why)) != 0)
			CHECK_CSTR(o.err.text, why);
	}
	house_done(&h);
}

TEST(a_row_that_says_nothing_is_for_operators)
{
	static const struct command_arg args[] = {
		{ "jid", ARG_JID, .help = "" },
		{ .name = NULL },
	};
	static const struct command silent = { "silent", "", NULL, args,
		.run = NULL };
	struct house h;

	house_init(&h);
	for (const char *who = "OHABN"; *who != '\0'; who++) {
		struct command_caller c = caller_of(*who, &here);

		CHECK_INT(command_may(&h.snap, &silent, &c, NULL, NULL),
			*who == 'O');
		CHECK_INT(command_may_give(&silent, &c, &args[0]),
			*who == 'O');
	}
	house_done(&h);
}

/* Nor is the host of an account its own. */
TEST(an_account_names_no_domain)
{
	static const struct command_arg args[] = {
		{ "jid", ARG_JID, .optional = true, .help = "" },
		{ "domain", ARG_DOMAIN, .optional = true, .help = "" },
		{ .name = NULL },
	};
	static const struct command either = { "either", "", NULL, args,
		.may = BY_ACCOUNT | BY_HOST_ADMIN };
	static const struct command domain = { "domain", "", NULL, &args[1],
		.may = BY_ACCOUNT | BY_HOST_ADMIN };
	const struct str own = STR("romeo@example.org");
	const struct str values[][2] = {
		{ own, STR_NONE },
		{ own, STR("example.org") },
		{ STR_NONE, STR("example.org") },
	};
	struct command_caller a = caller_of('A', &there);
	struct command_caller h = caller_of('H', &there);
	struct house house;

	house_init(&house);
	for (size_t i = 0; i < COUNT(values); i++) {
		CHECK_INT(command_may(&house.snap, &either, &a, values[i],
				  NULL),
			i == 0);
		CHECK(command_may(&house.snap, &either, &h, values[i], NULL));
	}
	CHECK(!command_may(&house.snap, &domain, &a, NULL, NULL));
	CHECK(command_may(&house.snap, &domain, &h, NULL, NULL));
	CHECK(command_may_give(&either, &a, &args[0]));
	CHECK(!command_may_give(&either, &a, &args[1]));
	house_done(&house);
}

/* A right without that of which it is one is none. */
TEST(half_a_caller_may_nothing)
{
	const struct str value[] = { STR("x@example.org") };
	struct command_caller c = { .door = &there,
		.as = BY_HOST_ADMIN | BY_ACCOUNT };
	struct house h;

	house_init(&h);
	CHECK(!command_may(&h.snap, command_find(&h.server, STR("kick")), &c,
		value, NULL));
	house_done(&h);
}

static void
on_wiped(struct command_call *call, const struct err *err)
{
	on_finish(call, err);
	CHECK_STR(call->values[0], "a@example.org");
	for (size_t i = 0; i < call->values[1].n; i++)
		CHECK_INT(call->values[1].p[i], 0);
}

TEST(a_secret_is_overwritten_when_the_call_is_over)
{
	struct house h;
	struct arena *a = arena_new();
	struct str values[] = { arena_str(a, STR("a@example.org")),
		arena_str(a, STR("secret-one")), STR_NONE };
	struct outcome o;
	struct command copy;

	house_init(&h);
	copy = *command_find(&h.server, STR("passwd"));
	copy.check = NULL;
	copy.run = on_run;
	o = (struct outcome){ .call = { .server = &h.server, .command = &copy,
		.caller = caller_of('O', &here), .arena = a, .values = values,
		.finish = on_wiped } };
	command_run(&o.call);
	CHECK_INT(o.run, 1);
	CHECK_INT(values[1].n, 10);
	arena_free(a);
	house_done(&h);
}

TEST_MAIN
