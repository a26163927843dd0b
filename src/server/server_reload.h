/*
 * server_reload.h - puts a new configuration in force.
 */
#ifndef SERVER_SERVER_RELOAD_H
#define SERVER_SERVER_RELOAD_H

#include <stdbool.h>

#include "base/str.h"

struct buf;
struct conf_errors;
struct config;
struct err;
struct server;

/* --- shard 0 --------------------------------------------------------------- */

/*
 * Opens the log again, reads the configuration file again, and puts it in force,
 * whole or not at all.  text says, a line each, what of it has to wait for the
 * next start.
 * done is called on shard 0, after this has returned: when every shard has it, or
 * with all mistakes, one a line (borrowed).
 */
void server_reload(struct server *srv,
	void (*done)(void *arg, bool ok, struct str text), void *arg);
/* The file, read again, with what only a start can change as it is in force:
 * kept_io gets a line for each.  NULL with mistakes. */
struct config *server_read_config(struct server *srv, struct conf_errors *m,
	struct buf *kept_io);
/* Builds a snapshot of conf (a reference, taken) with the modules as they are
 * now, and posts it to every shard; done (may be NULL) runs on shard 0 when all
 * have swapped. */
bool server_publish(struct server *srv, struct config *conf,
	void (*done)(void *arg), void *arg, struct err *err);

#endif
