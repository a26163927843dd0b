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

struct module_registry {
	struct server *server;
	const struct listen_kind *kinds; /* of ports, that the house has */
	char *dir;
	struct module_entry entries[MODULES_MAX];
	struct module_switches *switches;
	struct timer again; /* something that is off is still in use */
};

/* --- start-up; shard 0 ----------------------------------------------------------- */

/* dir (borrowed) is where loadable modules lie; kinds (static) are those of ports
 * that the house has, and NULL where none is to be bound. */
struct module_registry *module_registry_new(const char *dir,
	const struct listen_kind *kinds);
void module_registry_free(struct module_registry *r);

/* The module called name, opened now if it was not: NULL with err. */
struct module_entry *module_open(struct module_registry *r, struct str name,
	struct err *err);
/* Calls its load function, once. */
bool module_start(struct module_registry *r, struct module_entry *entry,
	struct server *srv, struct err *err);
/* Unloads what no snapshot names any more, as soon as nothing is pending of it;
 * state in slots is freed first, on every shard. */
void module_prune(struct server *srv);

/* What the configuration has to know of modules; valid as long as r. */
void module_config(struct module_registry *r, struct config_modules *out);

/* Switches a module on or off for every host until the next reload of the
 * configuration; takes effect with the next server_publish(). */
bool module_force(struct module_registry *r, struct str name, bool on,
	struct err *err);
bool module_is_forced(const struct module_registry *r, const char *name, bool on);
/* What was switched, for one of the two below; owned.  All switches are as they
 * were, or (clear) as the configuration has it. */
struct module_switches *module_switches_save(struct module_registry *r,
	bool clear);
/* What was tried failed: they are as when they were saved; saved is taken. */
void module_switches_restore(struct module_registry *r,
	struct module_switches *saved);
void module_switches_free(struct module_switches *sw);

/* --- start-up; owner shard: module_slots.c --------------------------------------------- */

/* What its module keeps with objects. */
void module_slots_init(struct module_entry *entry);
/* The state of one module, out of every object of sh. */
void module_slots_drop(struct shard *sh, const struct module_entry *entry);

#endif
