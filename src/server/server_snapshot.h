/*
 * server_snapshot.h - makes a snapshot of a configuration.
 *
 * Shard 0, or start-up.  It is immutable once snapshot_new() returns.
 */
#ifndef SERVER_SERVER_SNAPSHOT_H
#define SERVER_SERVER_SNAPSHOT_H

struct config;
struct err;
struct server;
struct snapshot;

/* conf is a reference, taken.  One reference, owned by the caller.  NULL with
 * err, when a certificate cannot be used or a module is missing. */
struct snapshot *snapshot_new(struct server *srv, struct config *conf,
	struct err *err);

#endif
