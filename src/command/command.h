/*
 * command.h - administrative actions: defined once, in the module or file they
 * belong to, and called through doors, of which the control socket is one.
 *
 * Who calls is known to each call, and a command's row says who may: one
 * function decides for all doors (command_may), before check() and run().
 * Commands run on shard 0, and answer there, at once or later.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "base/tag.h"
#include "xmpp/jid.h"

struct arena;
struct command_call;
struct command_rows;
struct entity;
struct entity_class;
struct err;
struct module_entry;
struct server;
struct shard;
struct snapshot;

/* As whom somebody calls, and who may: bits. */
enum command_by {
	BY_OPERATOR = 1,   /* of the whole server; names what he likes */
	BY_HOST_ADMIN = 2, /* of one host: names addresses and domains of it, at
			    * least one, and nothing of any other */
	BY_ACCOUNT = 4,    /* who owns an account: names that, and no other */
};

/* A surface through which commands are called; static. */
struct command_door {
	const char *name; /* for the log, such as "control" */
	bool is_local;    /* who calls sits at this machine: operators may name
			   * files */
};

/* Who calls: owned by the door, valid as long as the call. */
struct command_caller {
	const struct command_door *door;
	unsigned as;        /* of enum command_by */
	struct jid account; /* bare; not set: a user of the system */
	uid_t uid;          /* of the system, where account is not set */
	const char *user;   /* the name of uid; NULL: not known */
	struct str host;    /* prepared; whose administrator it is, or STR_NONE */
};

enum command_arg_type {
	ARG_TEXT,   /* an address in it is not held against who calls */
	ARG_WORDS,  /* the same, the last by position: all words that are left, with
		     * a blank between */
	ARG_JID,    /* given bare or full, handed over prepared */
	ARG_DOMAIN,
	ARG_INT,
	ARG_SWITCH, /* --name without a value: "yes" */
	ARG_SECRET, /* never by necessity on the command line: the surface prompts
		     * for it, or reads it from standard input.  Never shown, nor
		     * logged; overwritten when the call is over */
	ARG_PATH,   /* made absolute by the surface.  For operators at a local
		     * door alone, and so is ARG_FILE */
	ARG_FILE,   /* the surface reads the file; the command gets its content,
		     * which may hold secrets */
	ARG_CONFIRM, /* a switch without which nothing is done: the surface asks
		      * whoever sits there, and sets it */
};

struct command_arg {
	const char *name;
	enum command_arg_type type;
	bool optional;
	bool option; /* --name VALUE, not by position */
	const char *help;
	bool unlogged; /* a text for people, or that is a right in itself: the log says
			* that there was one */
	bool service; /* ARG_DOMAIN: of a service of the module whose command it
		       * is, and no other */
};

/* A table of them ends with { .name = NULL }. */
struct command {
	const char *name;    /* "adduser" */
	const char *summary; /* one phrase */
	const char *help;    /* more, for --help and the manual; may be NULL */
	const struct command_arg *args; /* ends with { .name = NULL }; or NULL */
	void (*run)(struct command_call *call);
	/* Whether it could run with what was given, secrets apart, so that
	 * nobody is asked for one in vain.  False with err; may be NULL. */
	bool (*check)(struct command_call *call, struct err *err);
	unsigned may; /* who calls it: of enum command_by; 0: operators */
};

/* One call, owned by the surface; valid until command_done or command_fail. */
struct command_call {
	uint32_t tag; /* while it runs */
	struct server *server;
	struct shard *shard; /* shard 0 */
	const struct command *command;
	struct command_caller caller;
	struct arena *arena;
	struct str *values; /* one for each row of command->args, in the arena;
			     * STR_NONE: not given */
	void *state;        /* the command's own, while it runs */
	bool check_only;    /* it is not run */
	bool unheard;       /* who called has gone: what is long need not go on */
	struct module_entry *entry; /* keeps its module loaded, while it runs */
	struct command_rows *rows; /* during command_visit() and command_walk(); or
				    * NULL */
	/* the surface's */
	void (*row)(struct command_call *call);
	void (*field)(struct command_call *call, const char *name,
		struct str text, bool is_number);
	void (*text)(struct command_call *call, struct str text);
	void (*when_taken)(struct command_call *call,
		void (*fn)(struct command_call *call));
	void (*finish)(struct command_call *call, const struct err *err);
};

/* --- shard 0: for commands ---------------------------------------------- */

/* The arg of what it waits for. */
static inline struct command_call *
command_call_arg(void *arg)
{
	struct command_call *call = arg;

	TAG_CHECK(call, "call");
	return call;
}

/* STR_NONE when it was not given. */
struct str command_value(const struct command_call *call, const char *name);
bool command_switch(const struct command_call *call, const char *name);

/* Is domain (prepared) one of our hosts?  False with err. */
bool command_serves(const struct command_call *call, struct str domain,
	struct err *err);

/* An answer is a list of rows of named fields, or a text; names are static. */
void command_row(struct command_call *call);
void command_field(struct command_call *call, const char *name, struct str text);
void command_number(struct command_call *call, const char *name, int64_t value);
void command_text(struct command_call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * For each entity of class that is loaded, at domain (prepared, borrowed while the
 * call lasts) or, for STR_NONE, at any: runs each(call, e) on the shard of e, one
 * after the other.  The rows that it makes are shown at the end, which is that of
 * the call, too.
 */
void command_visit(struct command_call *call, const struct entity_class *class,
	struct str domain,
	void (*each)(struct command_call *call, struct entity *e));
/*
 * Runs some(call, sh, &at) on each shard, from that with the index first on; at is 0 there at first,
 * and as long as it returns true it goes on in a later turn.  The rows that it makes
 * are shown in between, so that an answer may be long; the end of that is the end of
 * the call.
 */
void command_walk(struct command_call *call, unsigned first,
	bool (*some)(struct command_call *call, struct shard *sh, uint64_t *at_io));
/* Runs fn in a later turn, when who called has taken what he was told so far, or has
 * gone (unheard): so that of a long answer no more is in memory than a part. */
void command_when_taken(struct command_call *call,
	void (*fn)(struct command_call *call));
/* One of these ends the call. */
void command_done(struct command_call *call);
void command_fail(struct command_call *call, const struct err *err);
/* The same, as the callback of what a call (arg) waits for. */
void command_answered(void *arg, bool ok, const struct err *err);

/* --- shard 0: for surfaces ---------------------------------------------- */

/* Adds a table (static, kept) of the house's own commands; start-up. */
void command_register(struct server *srv, const struct command *table);
/* Finds a command among the house's own and those of loaded modules. */
const struct command *command_find(struct server *srv, struct str name);
/* Every command that caller may call, sorted by name. */
void command_each(struct server *srv, const struct command_caller *caller,
	void (*fn)(void *arg, const struct command *c), void *arg);
/* Checks values against the table (prepares addresses), and whether who calls
 * may; then runs. */
void command_run(struct command_call *call);

/* --- shard 0: who may (command_caller.c) --------------------------------- */

/* May caller call command with values (prepared, one for each of its
 * arguments)?  With values NULL: with any at all.  False with err, which says
 * for whom it is, or what is missing or not his. */
bool command_may(const struct snapshot *snap, const struct command *command,
	const struct command_caller *caller, const struct str *values,
	struct err *err);
/* May he give arg, a row of command's arguments? */
bool command_may_give(const struct command *command,
	const struct command_caller *caller, const struct command_arg *arg);

#endif
