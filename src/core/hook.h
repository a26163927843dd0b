/*
 * hook.h - named points at which modules attach handlers, and how they are run.
 *
 * The handlers of a host are a table in the snapshot: immutable, read without
 * locks.  hook_run is called on the shard that owns the argument.
 */
#ifndef CORE_HOOK_H
#define CORE_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"

struct host;
struct module_ctx;

enum hook_id {
#define HOOK(id, name, argument, runs_on, meaning) HOOK_##id,
#include "core/hooks.def"
#undef HOOK
	HOOKS
};

enum hook_result {
	HOOK_PASS,    /* go on with the next handler */
	HOOK_HANDLED, /* nobody after it should see the matter */
};

/* What a handler may do; handlers run in this order, and inside a band in the
 * order of the configuration file. */
enum hook_band {
	HOOK_GUARD,   /* refuse: blocking, limits, permissions */
	HOOK_CHANGE,  /* alter the stanza: stamps, ids, privacy */
	HOOK_KEEP,    /* keep a copy: archive, offline, push; they add to the
		       * transaction of the argument, and pass */
	HOOK_DELIVER, /* hand it over */
	HOOK_WATCH,   /* look, and nothing else; the answer is ignored */
};

/* Or-ed to the band of a handler of ACCOUNT_RECEIVE: all handlers of the host
 * see what an audience receives, too (core/audience.h): presence, groupchat and
 * headlines.  A copy is made for each account then, which costs more than to
 * deliver it. */
#define HOOK_SHARED 0x10

/* arg is the argument that hooks.def names, borrowed. */
typedef enum hook_result (*hook_fn)(struct module_ctx *m, void *arg);

/* One row of a module's table, which ends with { .fn = NULL }. */
struct hook_handler {
	enum hook_id hook;
	unsigned band; /* enum hook_band */
	hook_fn fn;
};

/* The handlers of one host for one hook, in the order in which they run. */
struct hook_entry {
	struct module_ctx *ctx;
	hook_fn fn;
	enum hook_band band;
};

struct hook_list VEC(struct hook_entry);

/* Owner shard of arg. */
enum hook_result hook_run(const struct host *host, enum hook_id hook, void *arg);
/* The same, and who has answered HOOK_HANDLED, for this turn; NULL: nobody. */
const struct hook_entry *hook_run_for(const struct host *host,
	enum hook_id hook, void *arg);

const char *hook_name(enum hook_id hook);

#endif
