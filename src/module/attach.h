/*
 * attach.h - puts modules in force at a host of a snapshot that is being made:
 * its tables of hooks and of requests, and what is read for them.
 *
 * The thread that makes the snapshot, unless it says otherwise.
 */
#ifndef MODULE_ATTACH_H
#define MODULE_ATTACH_H

#include <stdbool.h>

struct err;
struct host;
struct module_look;
struct snapshot;

/* Those of its configuration, and those that the administrator has switched on.
 * False with err; the snapshot lets go of what it has got. */
bool module_attach(struct snapshot *snap, struct host *host,
	struct module_look *look, struct err *err);

/* The services that its modules bring, when all hosts are there. */
bool module_attach_services(struct snapshot *snap, struct host *host,
	struct err *err);

/* --- any thread ---------------------------------------------------------- */

/* Is a module of this name in force at host? */
bool module_is_at_host(const struct host *host, const char *name);
/* Is there one at next that makes something of accounts when they are loaded, and
 * was not there before?  Both may be NULL. */
bool module_loads_more(const struct host *next, const struct host *before);

#endif
