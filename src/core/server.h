/*
 * server.h - the whole: shards, store, configuration, modules.
 *
 * Used by main() and by the simulation, which differ only in the clock, the
 * randomness, and who turns the shards.
 */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/timer.h"

struct buf;
struct command_registry;
struct config;
struct err;
struct conf_errors;
struct module_registry;
struct shard;
struct share;
struct snapshot;
struct store;
struct worker;

struct server {
	const struct clock *clock;
	struct clock_shifted *clock_shift; /* how a test moves clock; or NULL */
	struct rand_source *rand; /* seeded in a simulation; else the CSPRNG */
	struct store *store;
	struct worker *worker;    /* slow work, such as deriving keys */
	struct shard **shards;
	unsigned n_shards;
	bool threaded;            /* false: the caller turns the shards */
	bool store_in_memory;
	bool may_be_new;
	struct hash_key hash_key; /* of server_hash() */
	struct share *shares;     /* see budget.h */
	uint64_t memory_default;  /* bytes that may wait */
	uint8_t secret[32];       /* for salts of users that do not exist */
	struct module_registry *modules;
	struct command_registry *commands; /* the house's own; may be NULL */
	const char *config_path;
	int64_t started_us;       /* monotonic */
	struct snapshot *newest;  /* shard 0 only: what the last reload made */
	uint64_t snapshots;       /* shard 0 only: how many were made */
	struct timer expiry;      /* shard 0 only: see expiry.h */
	void *streams;            /* the stream layer's own, for all shards */
	void *ctl;                /* the control socket's own */
	void (*request_stop)(struct server *srv); /* any thread: ends the daemon */
	/* Shard 0: a new configuration is in force; set by the stream layer. */
	void (*on_reloaded)(struct server *srv);
};

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
/* How many shards conf asks for: those of server_open(). */
unsigned server_shards_wanted(const struct config *conf);
/* Starts the shards' threads. */
void server_start(struct server *srv);
/* For one that was not started. */
void server_free(struct server *srv);

/* --- any thread ---------------------------------------------------------- */

/* Of a bare address: what finds its place (place.h), and its entry there. */
uint64_t server_hash(const struct server *srv, struct str bare);

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

/* --- the main thread ------------------------------------------------------ */

/*
 * Ends it: entities are unloaded, what was written is committed, threads are
 * joined, everything is freed.  Streams are closed before (stream layer).
 */
void server_stop(struct server *srv);

#endif
