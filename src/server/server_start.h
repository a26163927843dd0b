/*
 * server_start.h - makes the whole, starts it, and ends it.
 *
 * Used by main() and by the simulation, which differ only in the clock, the
 * randomness, and who turns the shards.
 */
#ifndef SERVER_SERVER_START_H
#define SERVER_SERVER_START_H

#include <stdbool.h>

struct clock;
struct clock_shifted;
struct config;
struct err;
struct module_registry;
struct rand_source;
struct server;

struct server_env {
	const char *config_path; /* for reloads; borrowed */
	struct module_registry *modules; /* taken */
	const struct clock *clock;
	struct clock_shifted *clock_shift; /* clock, or NULL */
	struct rand_source *rand;
	bool threaded;
	bool store_in_memory; /* whatever the configuration says */
	bool may_be_new; /* the database, also where there was one */
};

/* --- start-up, before threads --------------------------------------------- */

/*
 * First step, with whatever privileges there are: starts the modules and reads
 * the certificates that conf (a reference, taken) names.  NULL with err.
 */
struct server *server_new(struct config *conf, const struct server_env *env,
	struct err *err);
/* Second step, as the user that it will be: opens the store, makes the shards.
 * After false, with err, only server_free() is left to do. */
bool server_open(struct server *srv, struct err *err);
/* For server_sleep.c: an answer of the store, which comes to shard 0 and sets
 * *done_io; false again then.  Nobody waits so later, when there are threads. */
void server_await(struct server *srv, bool *done_io);
/* Starts the shards' threads. */
void server_start(struct server *srv);
/* For one that was not started. */
void server_free(struct server *srv);

/* --- the main thread ------------------------------------------------------ */

/*
 * Ends it: entities are unloaded, what was written is committed, threads are
 * joined, everything is freed.  Streams are closed before (stream layer).
 */
void server_stop(struct server *srv);

#endif
