/*
 * server_reload.h - puts a new configuration in force, made off the shards.
 *
 * What is asked for is done in order, one after the other, and takes effect whole
 * or not at all: what is refused leaves the log, its levels, certificates, modules
 * and their switches as they were, and nothing open or mapped.
 */
#ifndef SERVER_SERVER_RELOAD_H
#define SERVER_SERVER_RELOAD_H

#include <stdbool.h>

#include "base/str.h"

struct config;
struct err;
struct server;
struct server_changes;

/* Shard 0, after the call has returned.  err is NULL when every shard has it, and
 * what it replaces is gone; else why it was refused.  text (borrowed) has a line
 * each for mistakes, or for what has to wait for the next start. */
typedef void (*server_changed_fn)(void *arg, const struct err *err,
	struct str text);

/* --- shard 0 --------------------------------------------------------------- */

/* Reads the configuration file again; all modules are as it says.  The log is
 * opened again, too. */
void server_reload(struct server *srv, server_changed_fn done, void *arg);
/* Switches a module on or off at every host, until the file is read again; which
 * is done here if the module was not in memory. */
void server_switch_module(struct server *srv, struct str name, bool on,
	server_changed_fn done, void *arg);
/* Whether a module that is in memory could be switched on from its file as that is
 * now, with the configuration as it is now; nothing changes. */
void server_try_module(struct server *srv, struct str name,
	server_changed_fn done, void *arg);
/* A configuration that was read elsewhere (a reference, taken), with the modules
 * as they are.  done may be NULL. */
void server_publish(struct server *srv, struct config *conf,
	server_changed_fn done, void *arg);

/* --- start-up, and the end -------------------------------------------------- */

struct server_changes *server_changes_new(void);
/* The shards have ended: what has not begun is refused, so that who stops waits
 * for the one that is under way, and not for all that were asked for. */
void server_changes_end(struct server_changes *all);
/* None is under way. */
void server_changes_free(struct server_changes *all);

#endif
