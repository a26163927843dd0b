/*
 * module_ctx.h - what the house below modules knows of them: what their handlers
 * are given, what they keep with objects, and whether anything still needs their
 * code.
 */
#ifndef CORE_MODULE_CTX_H
#define CORE_MODULE_CTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/slot.h"

struct host;
struct module; /* see module/module.h */

/* One module that is in memory; it stays there until the loader has seen that
 * nothing names it and nothing is pending. */
struct module_entry {
	const struct module *module;
	/* What it keeps with each object of these. */
	struct slot_kind shard_slot, entity_slot, session_slot;
	atomic_uint pending;         /* callbacks that will run its code */
	atomic_uint refs;            /* snapshots that name it */
	/* the loader's */
	void *object;                /* of dlopen; NULL: built in */
	uint64_t device, inode;      /* of its file then */
	bool loaded;                 /* its load function was called */
	bool leaving;                /* its state is being freed */
};

/* A module at a host, in a snapshot: what handlers are given. */
struct module_ctx {
	const struct module *module;
	const struct host *host;
	const void *conf; /* the struct that options fill */
	struct module_entry *entry;
};

/* --- any shard: answers that come later -------------------------------------- */

/*
 * Keeps the module loaded until module_release(), which whoever waits for an
 * answer of another part of the house calls as the last thing in its callback,
 * on any shard.
 */
struct module_entry *module_hold(struct module_ctx *m);
void module_entry_hold(struct module_entry *entry);
void module_release(struct module_entry *entry);
/* The module as host uses it now; NULL when it does not, any more. */
struct module_ctx *module_at_host(const struct host *host,
	const struct module_entry *entry);

#endif
