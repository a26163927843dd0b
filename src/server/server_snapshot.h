/*
 * server_snapshot.h - makes a snapshot of a configuration.
 */
#ifndef SERVER_SERVER_SNAPSHOT_H
#define SERVER_SERVER_SNAPSHOT_H

#include <stdbool.h>

struct config;
struct err;
struct module_look;
struct server;
struct snapshot;

/* --- any thread ---------------------------------------------------------- */

/* Reads, and changes nothing: of srv what never changes, before (may be NULL),
 * whose certificates it shares when they are the same, files, and look.  conf is a
 * reference, taken.  One reference, owned by the caller.  NULL with err, when a
 * certificate cannot be used or a module is missing. */
struct snapshot *snapshot_new(struct server *srv, const struct snapshot *before,
	struct config *conf, struct module_look *look, struct err *err);

/* --- start-up, shard 0 --------------------------------------------------- */

/* Loads the modules that it needs, and gives it its number: it is immutable from
 * now on.  False with err: the caller lets go of it, and prunes. */
bool snapshot_take(struct snapshot *snap, struct module_look *look,
	struct err *err);
/* Says in the log which services are not there, and what else of modules may not have
 * been meant (module/services.h). */
void snapshot_review(const struct snapshot *snap);

#endif
