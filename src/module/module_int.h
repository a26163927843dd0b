/*
 * module_int.h - the registry of modules, for the core only.
 */
#ifndef MODULE_MODULE_INT_H
#define MODULE_MODULE_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/timer.h"
#include "core/module_ctx.h"

struct config_modules;
struct listen_kind;
struct server;
struct shard;

#define MODULES_MAX 64

/* What the administrator switched since the last reload, for every host. */
struct module_switches {
	char *on[MODULES_MAX];
	char *off[MODULES_MAX];
};

/* Those that are in memory, for good until module_prune(): changed by shard 0
 * alone, and never while there is a look. */
struct module_registry {
	struct server *server;
	const struct listen_kind *kinds; /* of ports, that the house has */
	char *dir;
	struct module_entry *entries[MODULES_MAX]; /* NULL: the place is free */
	struct module_switches *switches;          /* in force */
	bool looked_at;     /* nothing is closed now */
	struct timer again; /* something that is off is still in use */
};

/* What a configuration and a snapshot that are being made find: the modules of
 * the registry, and those that are opened for it.  Nobody else sees these, until
 * shard 0 takes them over, or they are closed as if they had never been there. */
struct module_look {
	const struct module_registry *registry;
	struct module_switches *switches; /* to be in force; owned */
	const struct module_entry *hidden; /* its file is opened anew */
	struct module_entry *opened[MODULES_MAX];
	size_t n;
};

/* --- start-up; shard 0 ----------------------------------------------------------- */

/* dir (borrowed) is where loadable modules lie; kinds (static) are those of ports
 * that the house has, and NULL where none is to be bound. */
struct module_registry *module_registry_new(const char *dir,
	const struct listen_kind *kinds);
void module_registry_free(struct module_registry *r);
/* NULL when it is not in memory. */
struct module_entry *module_find(const struct module_registry *r,
	struct str name);

/* One at a time.  Its switches are as they are, or (clear) as the configuration
 * has it. */
struct module_look *module_look_new(const struct module_registry *r, bool clear);
/* The registry gets what was opened, all of it or what a snapshot names; the rest
 * is closed. */
void module_look_take(struct module_look *look, struct module_registry *r,
	bool all);
/* Its switches are in force from now on. */
void module_look_switch(struct module_look *look, struct module_registry *r);
/* What it has opened is closed; no snapshot names it. */
void module_look_free(struct module_look *look);

/* Calls the load functions of those that a snapshot names, once.  False with err
 * when one fails: the snapshot goes then, and module_prune() unloads the others. */
bool module_start_used(struct module_registry *r, struct server *srv,
	struct err *err);
/* Unloads what no snapshot names any more, as soon as nothing is pending of it;
 * state in slots is freed first, on every shard. */
void module_prune(struct server *srv);

/* --- any thread, with a look ------------------------------------------------------ */

/* The module called name, opened now if it was not: NULL with err. */
struct module_entry *module_open(struct module_look *look, struct str name,
	struct err *err);
/* From now on look finds, in place of entry, what its file is now.  That is to be
 * looked at, and not to be taken. */
void module_look_anew(struct module_look *look,
	const struct module_entry *entry);
/* What the configuration has to know of modules; valid as long as look. */
void module_config(struct module_look *look, struct config_modules *out);
/* Switches a module on or off for every host until the next reload of the
 * configuration. */
bool module_force(struct module_look *look, struct str name, bool on,
	struct err *err);
bool module_is_forced(const struct module_look *look, const char *name, bool on);

/* --- any thread: module.c and module_look.c, for each other ----------------------- */

/* Opens the file, and checks what it holds; beside: although the one before may be
 * open.  NULL with err. */
struct module_entry *module_entry_new(const char *dir, struct str name,
	bool beside, struct err *err);
/* Is there a file for it, whatever is in it? */
bool module_has_file(const char *dir, struct str name);
/* Is that file still there, unless it is built in? */
bool module_entry_is_current(const struct module_entry *entry, const char *dir);
/* Closes the file; nothing of its code is in use, and it was not loaded, or is
 * unloaded. */
void module_entry_free(struct module_entry *entry);
void module_switches_free(struct module_switches *sw);

/* --- start-up; owner shard: module_slots.c --------------------------------------------- */

/* What its module keeps with objects. */
void module_slots_init(struct module_entry *entry);
/* The state of one module, out of every object of sh. */
void module_slots_drop(struct shard *sh, const struct module_entry *entry);
/* The snapshot of sh is another one: modules hear of it, each for each host. */
void module_follow(struct shard *sh);

#endif
